/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "diff/diff_internal.h"
#include "format/limits.h"
#include "format/member_name.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "compare: out of memory");
}

enum snap_status snap_side_of_archive(const struct snap_archive *archive, struct snap_side *side,
                                      struct snap_error *err)
{
    side->archive = archive;
    side->doc = snap_archive_state_doc(archive);
    side->data = snap_archive_data_doc(archive);
    return snap_leaves_find_all(side->doc, &side->leaves, err);
}

enum snap_status snap_side_of_run(struct snap_run *run, struct snap_side *side,
                                  struct snap_error *err)
{
    unsigned char state[SNAP_DIGEST_BYTES];
    enum snap_status status = snap_state_image_take(run, 0, &side->image, err);
    if (status == SNAP_OK)
        status = snap_state_image_members(run, &side->image, 0, &side->members, &side->member_count,
                                          err);
    if (status == SNAP_OK)
        status =
            snap_archive_state_digest(side->members, side->member_count, run->pool, state, err);
    if (status == SNAP_OK)
        status = snap_state_doc_decode(side->image.state_json.data, side->image.state_json.size,
                                       &side->own_doc, err);
    if (status == SNAP_OK)
        status = snap_data_doc_decode(side->image.data_json.data, side->image.data_json.size,
                                      &side->own_data, err);
    side->doc = &side->own_doc;
    side->data = &side->own_data;
    if (status == SNAP_OK)
        status = snap_leaves_find_all(side->doc, &side->leaves, err);
    return status;
}

void snap_side_release(struct snap_side *side)
{
    snap_leaves_release(&side->leaves);
    snap_state_image_release(&side->image);
    snap_state_doc_release(&side->own_doc);
    snap_data_doc_release(&side->own_data);
    free(side->members);
    *side = (struct snap_side)SNAP_SIDE_INIT;
}

static bool from_archive(const struct snap_member *found, struct snap_side_member *member)
{
    if (found == NULL || !found->in_state)
        return false;
    *member =
        (struct snap_side_member){ found->name, found->data_size, found->sha256, found->withheld };
    return true;
}

static bool from_image(const struct snap_write_member *found, struct snap_side_member *member)
{
    if (found == NULL || !found->in_state)
        return false;
    *member = (struct snap_side_member){ found->name, found->size, found->sha256, false };
    return true;
}

bool snap_side_find(const struct snap_side *side, const char *name, struct snap_side_member *member)
{
    if (side->archive != NULL)
        return from_archive(snap_archive_find(side->archive, name), member);
    return from_image(snap_write_member_find(side->members, side->member_count, name), member);
}

size_t snap_side_count(const struct snap_side *side)
{
    return side->archive != NULL ? snap_archive_member_count(side->archive) : side->member_count;
}

bool snap_side_at(const struct snap_side *side, size_t index, struct snap_side_member *member)
{
    return side->archive != NULL ? from_archive(snap_archive_member(side->archive, index), member)
                                 : from_image(&side->members[index], member);
}

/* Into memory that has room for it. */
static enum snap_status read_into(const struct snap_side *side, const char *name, void *buffer,
                                  struct snap_error *err)
{
    if (side->archive != NULL)
        return snap_archive_read(side->archive, snap_archive_find(side->archive, name), buffer,
                                 err);
    const struct snap_write_member *found =
        snap_write_member_find(side->members, side->member_count, name);
    if (found->size > 0)
        memcpy(buffer, found->data, (size_t)found->size);
    return SNAP_OK;
}

enum snap_status snap_side_read(const struct snap_side *side, const char *name, void **data,
                                struct snap_error *err)
{
    struct snap_side_member member;
    if (!snap_side_find(side, name, &member))
        return snap_error_set(err, SNAP_INTERNAL, "compare: no member %s", name);
    void *buffer = malloc(member.size > 0 ? (size_t)member.size : 1);
    if (buffer == NULL)
        return no_memory(err);
    enum snap_status status = read_into(side, name, buffer, err);
    if (status != SNAP_OK) {
        free(buffer);
        return status;
    }
    *data = buffer;
    return SNAP_OK;
}

enum snap_status snap_side_read_storage(const struct snap_side *side, size_t index, void **data,
                                        struct snap_error *err)
{
    const struct snap_storage_doc *storage = &side->doc->storages[index];
    size_t parts = snap_storage_part_count(storage->size);
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
    unsigned char *buffer = malloc(storage->size > 0 ? (size_t)storage->size : 1);
    enum snap_status status = SNAP_OK;
    size_t at = 0;
    if (buffer == NULL)
        return no_memory(err);
    for (size_t part = 0; status == SNAP_OK && part < parts; part++) {
        snap_storage_part_name(storage->member, parts, part, name);
        status = read_into(side, name, buffer + at, err);
        at += snap_storage_part_bytes(storage->size, part);
    }
    if (status != SNAP_OK) {
        free(buffer);
        return status;
    }
    *data = buffer;
    return SNAP_OK;
}
