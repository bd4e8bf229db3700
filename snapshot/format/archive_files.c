/* SPDX-License-Identifier: Apache-2.0 */
/* The files that an archive is written into: one, or one and volumes. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/archive_plan.h"
#include "format/json_canonical.h"
#include "format/member_name.h"

static const unsigned char zeros[SNAP_TAR_END_BYTES];

static enum snap_status out_of_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "archive: out of memory");
}

/* ---- what is written ---- */

static enum snap_status digest_differs(const struct snap_write_member *member,
                                       struct snap_error *err)
{
    if (member->source != NULL)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: member %s: its content does not have the digest that SHA256SUMS "
                              "lists",
                              member->source->what, member->name);
    return snap_error_set(err, SNAP_INVALID,
                          "archive: member \"%s\": its data do not have the digest given",
                          member->name);
}

/* The store has written these members: take their digests. */
static enum snap_status take_digests(struct snap_archive_plan *plan, size_t begin, size_t end,
                                     struct snap_error *err)
{
    for (size_t i = begin; i < end; i++) {
        struct snap_write_member *member = &plan->members[i];
        if (member->withheld)
            continue;
        if (member->digest_known &&
            memcmp(member->sha256, plan->written[i], SNAP_DIGEST_BYTES) != 0)
            return digest_differs(member, err);
        memcpy(member->sha256, plan->written[i], SNAP_DIGEST_BYTES);
    }
    return SNAP_OK;
}

/* All members are written: list them. */
static enum snap_status finish_content(void *arg, const struct snap_segment **segments,
                                       size_t *count, struct snap_error *err)
{
    struct snap_archive_plan *plan = arg;
    enum snap_status status = take_digests(plan, 0, plan->member_count - SNAP_PLAN_AFTER, err);
    if (status == SNAP_OK)
        status = snap_archive_plan_list(plan, err);
    if (status == SNAP_OK && plan->expected != NULL &&
        strcmp(plan->expected, plan->snapshot_hash) != 0)
        status = snap_error_set(err, SNAP_INTERNAL,
                                "archive: writing it again gives %s, and it is %s",
                                plan->snapshot_hash, plan->expected);
    if (status != SNAP_OK)
        return status;
    *segments = plan->segments + plan->first_count;
    *count = plan->own.segment_count - plan->first_count;
    return SNAP_OK;
}

/* Nothing follows in a volume; but what is not as it should be gets no name. */
static enum snap_status finish_volume(void *arg, const struct snap_segment **segments,
                                      size_t *count, struct snap_error *err)
{
    const struct snap_plan_file *volume = arg;
    *segments = NULL;
    *count = 0;
    return take_digests(volume->plan, volume->begin, volume->end, err);
}

struct snap_content snap_archive_plan_content(struct snap_archive_plan *plan)
{
    return (struct snap_content){ .segments = plan->segments,
                                  .count = plan->first_count,
                                  .size_bytes = plan->own.size_bytes,
                                  .finish = finish_content,
                                  .arg = plan };
}

size_t snap_archive_plan_volume_count(const struct snap_archive_plan *plan)
{
    return plan->volume_count;
}

const char *snap_archive_plan_volume(struct snap_archive_plan *plan, size_t index,
                                     struct snap_content *content)
{
    struct snap_plan_file *volume = &plan->volumes[index];
    *content = (struct snap_content){ .segments = plan->segments + volume->first_segment,
                                      .count = volume->segment_count,
                                      .size_bytes = volume->size_bytes,
                                      .finish = finish_volume,
                                      .arg = volume };
    return volume->name;
}

uint64_t snap_archive_plan_file_size(const struct snap_archive_plan *plan)
{
    uint64_t size = plan->own.size_bytes;
    for (size_t i = 0; i < plan->volume_count; i++)
        size += plan->volumes[i].size_bytes;
    return size;
}

/* ---- where it goes ---- */

static void add_segment(struct snap_plan_file *file, const void *data, size_t size_bytes,
                        unsigned char *sha256)
{
    struct snap_archive_plan *plan = file->plan;
    if (size_bytes == 0 && sha256 == NULL)
        return;
    plan->segments[plan->segment_count++] =
        (struct snap_segment){ .offset = file->size_bytes,
                               .data = data,
                               .size_bytes = size_bytes,
                               .sha256 = sha256 };
    file->segment_count++;
    file->size_bytes += size_bytes;
}

/* Header, content and padding. The listings have their places and sizes, and no data yet. */
static void add_member(struct snap_plan_file *file, size_t index)
{
    struct snap_archive_plan *plan = file->plan;
    const struct snap_write_member *member = &plan->members[index];
    size_t state = plan->member_count - SNAP_PLAN_AFTER;
    if (index == state)
        plan->first_count = plan->segment_count;
    add_segment(file, plan->headers[index], SNAP_TAR_BLOCK_BYTES, NULL);
    if (index == state)
        plan->state_data = plan->segment_count;
    else if (index > state)
        plan->listing_data = plan->segment_count;
    add_segment(file, member->data, member->size, index < state ? plan->written[index] : NULL);
    if (member->source != NULL) {
        plan->segments[plan->segment_count - 1].source = member->source;
        plan->segments[plan->segment_count - 1].source_offset = member->source_offset;
    }
    add_segment(file, zeros, snap_tar_padding(member->size), NULL);
}

static void begin_file(struct snap_archive_plan *plan, struct snap_plan_file *file)
{
    file->plan = plan;
    file->first_segment = plan->segment_count;
    file->segment_count = 0;
    file->size_bytes = 0;
}

static bool is_in_volume(const struct snap_archive_plan *plan, size_t index)
{
    for (size_t i = 0; i < plan->volume_count; i++)
        if (index >= plan->volumes[i].begin && index < plan->volumes[i].end)
            return true;
    return false;
}

static void lay_out(struct snap_archive_plan *plan)
{
    plan->segment_count = 0;
    begin_file(plan, &plan->own);
    for (size_t i = 0; i < plan->member_count; i++) {
        if (!plan->members[i].withheld && !is_in_volume(plan, i))
            add_member(&plan->own, i);
        if (i == 1 && plan->volume_count > 0) {
            add_segment(&plan->own, plan->volumes_header, SNAP_TAR_BLOCK_BYTES, NULL);
            add_segment(&plan->own, plan->volumes_text.data, plan->volumes_text.size, NULL);
            add_segment(&plan->own, zeros, snap_tar_padding(plan->volumes_text.size), NULL);
        }
    }
    add_segment(&plan->own, zeros, SNAP_TAR_END_BYTES, NULL);
    for (size_t v = 0; v < plan->volume_count; v++) {
        struct snap_plan_file *volume = &plan->volumes[v];
        begin_file(plan, volume);
        for (size_t i = volume->begin; i < volume->end; i++)
            if (!plan->members[i].withheld)
                add_member(volume, i);
        add_segment(volume, zeros, SNAP_TAR_END_BYTES, NULL);
    }
}

enum snap_status snap_archive_plan_lay_out(struct snap_archive_plan *plan, struct snap_error *err)
{
    /* With volumes: three of volumes.json, and the end of each. */
    size_t room = 3 * (plan->member_count + 1) + 1 + SNAP_MAX_VOLUMES;
    plan->headers = calloc(plan->member_count, sizeof *plan->headers);
    plan->written = calloc(plan->member_count, sizeof *plan->written);
    plan->segments = calloc(room, sizeof *plan->segments);
    if (plan->headers == NULL || plan->written == NULL || plan->segments == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < plan->member_count; i++) {
        const struct snap_write_member *member = &plan->members[i];
        enum snap_status status =
            member->withheld ? SNAP_OK
                             : snap_tar_header(member->name, member->size, plan->headers[i], err);
        if (status != SNAP_OK)
            return status;
    }
    lay_out(plan);
    return SNAP_OK;
}

/* ---- volumes ---- */

static bool is_tensor(const struct snap_write_member *member)
{
    enum snap_member_kind kind = SNAP_MEMBER_README;
    snap_member_kind_of(member->name, &kind); /* legal: the plan was made of it */
    return kind == SNAP_MEMBER_TENSOR;
}

/* Share the tensors out. `volumes` (NULL: only count) has room for all. */
static size_t share_out(const struct snap_archive_plan *plan, uint64_t volume_size,
                        struct snap_plan_file *volumes)
{
    struct snap_volume_filling filling = { .volume_size = volume_size };
    for (size_t i = 0; i < plan->member_count; i++) {
        const struct snap_write_member *member = &plan->members[i];
        if (member->withheld || !is_tensor(member))
            continue;
        bool begins = snap_volume_fill(&filling, member->size);
        if (volumes != NULL && begins)
            volumes[filling.count - 1].begin = i;
        if (volumes != NULL)
            volumes[filling.count - 1].end = i + 1;
    }
    return filling.count;
}

size_t snap_archive_plan_volumes_needed(const struct snap_archive_plan *plan, uint64_t volume_size)
{
    if (volume_size == 0 || plan->own.size_bytes <= volume_size)
        return 0;
    return share_out(plan, volume_size, NULL);
}

/* volumes.json. */
static enum snap_status name_volumes(struct snap_archive_plan *plan, struct snap_error *err)
{
    json_t *document = snap_volumes_new();
    enum snap_status status = document == NULL ? out_of_memory(err) : SNAP_OK;
    for (size_t v = 0; status == SNAP_OK && v < plan->volume_count; v++) {
        const struct snap_plan_file *volume = &plan->volumes[v];
        json_t *members = json_array();
        for (size_t i = volume->begin; i < volume->end; i++)
            if (members != NULL && !plan->members[i].withheld &&
                json_array_append_new(members, json_string(plan->members[i].name)) != 0) {
                json_decref(members);
                members = NULL;
            }
        status = snap_volumes_add(document, volume->name, members, err);
    }
    if (status == SNAP_OK)
        status = snap_json_encode(document, &plan->volumes_text, err);
    json_decref(document);
    if (status == SNAP_OK)
        status = snap_tar_header(SNAP_VOLUMES_MEMBER, plan->volumes_text.size,
                                 plan->volumes_header, err);
    return status;
}

enum snap_status snap_archive_plan_cut(struct snap_archive_plan *plan, uint64_t volume_size,
                                       const char *stem, unsigned first, struct snap_error *err)
{
    size_t count = snap_archive_plan_volumes_needed(plan, volume_size);
    if (count == 0)
        return SNAP_OK;
    if (count > SNAP_MAX_VOLUMES)
        return snap_error_set(err, SNAP_INVALID,
                              "archive: volumes of %" PRIu64
                              " bytes would be %zu, and at most %u are allowed: make them larger",
                              volume_size, count, SNAP_MAX_VOLUMES);
    struct snap_plan_file *volumes = calloc(count, sizeof *volumes);
    if (volumes == NULL)
        return out_of_memory(err);
    share_out(plan, volume_size, volumes);
    for (size_t i = 0; i < count; i++)
        snap_volume_name(stem, first + (unsigned)i, volumes[i].name);
    plan->volumes = volumes;
    plan->volume_count = count;
    enum snap_status status = name_volumes(plan, err);
    if (status == SNAP_OK)
        lay_out(plan);
    return status;
}
