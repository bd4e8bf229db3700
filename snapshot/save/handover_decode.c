/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side: documents become a job again. Nothing in them is believed. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "save/handover.h"

#define WHAT "handover"

/* Memory that members lie in. */
struct region {
    const unsigned char *data;
    uint64_t size;
};

static bool is_made_by_writer(enum snap_member_kind kind)
{
    return kind == SNAP_MEMBER_README || kind == SNAP_MEMBER_STATE_LISTING ||
           kind == SNAP_MEMBER_LISTING;
}

static enum snap_status take_place(const json_t *place, const struct region regions[2],
                                   struct snap_write_member *member, struct snap_error *err)
{
    const json_t *kind = json_array_get(place, 0);
    uint64_t offset;
    json_int_t which = json_integer_value(kind);
    if (json_array_size(place) != 2 || !json_is_integer(kind) || which < 0 || which > 1 ||
        !snap_json_get_u64(json_array_get(place, 1), &offset))
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": member %s has no place", member->name);
    if (member->size == 0)
        return SNAP_OK;
    if (offset > regions[which].size || member->size > regions[which].size - offset)
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": member %s lies outside of the memory",
                              member->name);
    member->data = regions[which].data + offset;
    return SNAP_OK;
}

/* The members that the archive's writer is given, from the manifest and the places. */
static enum snap_status take_members(const json_t *places, const struct region regions[2],
                                     struct snap_handover_head *head, struct snap_error *err)
{
    struct snap_save_job *job = &head->job;
    enum snap_status status = SNAP_OK;
    size_t count = 0;
    job->members = calloc(head->named_count + 1, sizeof *job->members);
    if (job->members == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": out of memory");
    for (size_t i = 0; status == SNAP_OK && i < head->named_count; i++) {
        const struct snap_manifest_member *named = &head->named[i];
        if (is_made_by_writer(named->kind))
            continue;
        struct snap_write_member *member = &job->members[count];
        *member = (struct snap_write_member){ .name = named->name,
                                              .size = named->size,
                                              .in_state = named->in_state };
        status = take_place(json_array_get(places, count), regions, member, err);
        count++;
    }
    if (status == SNAP_OK && json_array_size(places) != count)
        status = snap_error_set(err, SNAP_CORRUPT, WHAT ": %zu places for %zu members",
                                json_array_size(places), count);
    job->member_count = count;
    return status;
}

/* The archive is a snapshot of the step that its name says. */
static enum snap_status take_manifest(const json_t *value, struct snap_handover_head *head,
                                      struct snap_error *err)
{
    const json_t *manifest;
    const char *name;
    struct snap_save_job *job = &head->job;
    enum snap_status status = snap_json_field(value, "manifest", JSON_OBJECT, WHAT, &manifest, err);
    if (status == SNAP_OK)
        status = snap_manifest_decode(manifest, &job->manifest, err);
    if (status != SNAP_OK)
        return status;
    head->named = job->manifest.members; /* the writer makes its own list */
    head->named_count = job->manifest.member_count;
    job->manifest.members = NULL;
    job->manifest.member_count = 0;
    status = snap_json_field_string(value, "name", WHAT, &name, err);
    if (status != SNAP_OK)
        return status;
    snap_snapshot_name("snapshots", job->manifest.step, job->name);
    if (job->manifest.capsule || strcmp(job->name, name) != 0)
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": the name is not that of its step");
    return SNAP_OK;
}

static enum snap_status take_flag(const json_t *value, const char *key, bool *flag,
                                  struct snap_error *err)
{
    const json_t *found = json_object_get(value, key);
    if (!json_is_boolean(found))
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": \"%s\" is no boolean", key);
    *flag = json_is_true(found);
    return SNAP_OK;
}

static enum snap_status take_held(const json_t *value, struct snap_held *held,
                                  struct snap_error *err)
{
    const json_t *steps;
    enum snap_status status = snap_json_field(value, "held", JSON_ARRAY, WHAT, &steps, err);
    if (status != SNAP_OK)
        return status;
    if (json_array_size(steps) > SNAP_MAX_HANDOVER_HELD)
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": \"held\" has more than %u steps",
                              SNAP_MAX_HANDOVER_HELD);
    held->steps = calloc(json_array_size(steps) + 1, sizeof *held->steps);
    if (held->steps == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": out of memory");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        if (!json_is_integer(step) || json_integer_value(step) < 0)
            return snap_error_set(err, SNAP_CORRUPT, WHAT ": \"held\" has what is no step");
        held->steps[held->count++] = (uint64_t)json_integer_value(step);
    }
    return SNAP_OK;
}

static enum snap_status take_fields(const json_t *value, struct snap_handover_head *head,
                                    struct snap_error *err)
{
    struct snap_save_job *job = &head->job;
    enum snap_status status = snap_json_field_format(value, SNAP_HANDOVER_FORMAT, WHAT, err);
    if (status == SNAP_OK)
        status = snap_json_check_keys(value,
                                      "began_ms format held keep_latest manifest name "
                                      "no_read_back places stall_ms thin volume_size written",
                                      WHAT, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(value, "began_ms", WHAT, &job->began_ms, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(value, "stall_ms", WHAT, &job->stall_ms, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(value, "thin", WHAT, &head->thin, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(value, "volume_size", WHAT, &head->volume_size, err);
    if (status == SNAP_OK)
        status = take_held(value, &job->held, err);
    if (status == SNAP_OK)
        status = take_flag(value, "keep_latest", &job->keep_latest, err);
    if (status == SNAP_OK)
        status = take_flag(value, "no_read_back", &head->no_read_back, err);
    if (status == SNAP_OK)
        status = snap_written_decode(json_object_get(value, "written"), &job->before, err);
    job->behind = true;
    return status;
}

enum snap_status snap_handover_decode(const unsigned char *documents, uint64_t documents_bytes,
                                      uint64_t head_bytes, const unsigned char *staging,
                                      uint64_t staging_bytes, struct snap_handover_head *head,
                                      struct snap_error *err)
{
    struct snap_handover_head read = { .thin = 0 };
    const json_t *places;
    json_t *value = NULL;
    if (head_bytes > documents_bytes || head_bytes > SNAP_MAX_HANDOVER_HEAD_BYTES)
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": its head is larger than its documents");
    uint64_t begin = (head_bytes + SNAP_HANDOVER_ALIGN - 1) / SNAP_HANDOVER_ALIGN *
                     SNAP_HANDOVER_ALIGN;
    begin = begin < documents_bytes ? begin : documents_bytes;
    const struct region regions[2] = {
        [SNAP_IN_DOCUMENTS] = { documents + begin, documents_bytes - begin },
        [SNAP_IN_STAGING] = { staging, staging == NULL ? 0 : staging_bytes },
    };
    enum snap_status status = snap_json_decode(documents, (size_t)head_bytes, WHAT, &value, err);
    if (status == SNAP_OK)
        status = take_fields(value, &read, err);
    if (status == SNAP_OK)
        status = take_manifest(value, &read, err);
    if (status == SNAP_OK)
        status = snap_json_field(value, "places", JSON_ARRAY, WHAT, &places, err);
    if (status == SNAP_OK)
        status = take_members(places, regions, &read, err);
    json_decref(value);
    if (status == SNAP_OK)
        *head = read;
    else
        snap_handover_head_release(&read);
    return status;
}

void snap_handover_head_release(struct snap_handover_head *head)
{
    for (size_t i = 0; i < head->named_count; i++)
        free(head->named[i].name);
    free(head->named);
    snap_save_job_release(&head->job);
    *head = (struct snap_handover_head){ .thin = 0 };
}
