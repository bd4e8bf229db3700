/* SPDX-License-Identifier: Apache-2.0 */
/* What an archive and the inventory have in common, and so how much a restore can promise; of the
 * parts, streams, values and the data files are here. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/archive_fill.h"
#include "restore/restore_match.h"
#include "run/rank_streams.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "restore: out of memory");
}

enum snap_status snap_restore_add_component(struct snap_restore *restore, const char *kind,
                                            const char *name, size_t *index,
                                            struct snap_error *err)
{
    *index = json_array_size(restore->receipt->components);
    return snap_receipt_add(restore->receipt, kind, name, "kept", NULL, err);
}

enum snap_status snap_restore_add_missing(struct snap_restore *restore, const char *kind,
                                          const char *name, struct snap_error *err)
{
    enum snap_status status =
        snap_receipt_add(restore->receipt, kind, name, "missing", "not registered", err);
    if (status == SNAP_OK)
        status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                    "%s %s is in the archive and not registered", kind, name);
    return status;
}

static enum snap_status match_streams(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    const struct snap_state_doc *doc = snap_archive_state_doc(restore->archive);
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++) {
        const struct snap_inventory_stream *stream = &inventory->streams[i];
        const char *kind = snap_archive_stream_kind(restore->archive, stream->name);
        const struct snap_member *member = snap_archive_find(restore->archive, stream->member);
        status = snap_restore_add_component(restore, "stream", stream->member,
                                            &restore->stream_components[i], err);
        if (status != SNAP_OK)
            break;
        if (kind == NULL)
            status = snap_rank_stream_match(restore, i, &restore->made_streams[i], err);
        restore->other_ranks = restore->other_ranks || restore->made_streams[i];
        if (status != SNAP_OK || restore->made_streams[i])
            continue;
        if (kind == NULL || member == NULL)
            status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                        "stream %s is not in the archive", stream->name);
        else if (strcmp(kind, stream->kind) != 0)
            status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                        "stream %s is of "
                                        "kind %s in the archive, and %s here",
                                        stream->name, kind, stream->kind);
        else if (snap_member_is_absent(member))
            status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                        "stream %s is withheld from the archive", stream->name);
    }
    for (size_t i = 0; status == SNAP_OK && i < doc->stream_count; i++) {
        size_t at = 0;
        while (at < inventory->stream_count &&
               strcmp(inventory->streams[at].name, doc->streams[i].name) != 0)
            at++;
        bool left = false;
        if (at == inventory->stream_count)
            status = snap_rank_stream_left(restore, doc->streams[i].name, &left, err);
        restore->other_ranks = restore->other_ranks || left;
        if (status == SNAP_OK && at == inventory->stream_count && !left) {
            snap_member_name member;
            snprintf(member, sizeof member, "rng/%s", doc->streams[i].name);
            status = snap_restore_add_missing(restore, "stream", member, err);
        }
    }
    return status;
}

static const struct snap_inventory_value *find_value(const struct snap_inventory *inventory,
                                                     const char *member)
{
    for (size_t i = 0; i < inventory->value_count; i++)
        if (inventory->values[i].in_state && strcmp(inventory->values[i].member, member) == 0)
            return &inventory->values[i];
    return NULL;
}

static enum snap_status match_values(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->value_count; i++) {
        const struct snap_inventory_value *value = &inventory->values[i];
        const struct snap_member *member = snap_archive_find(restore->archive, value->member);
        restore->value_components[i] = SIZE_MAX;
        if (!value->in_state)
            continue;
        status = snap_restore_add_component(restore, "value", value->member,
                                            &restore->value_components[i], err);
        if (status == SNAP_OK && (member == NULL || !member->in_state))
            status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                        "value %s is not in the archive's state", value->name);
        else if (status == SNAP_OK && member->data_size != value->size)
            status =
                snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                   "value %s has %" PRIu64 " bytes in the archive, and %zu here",
                                   value->name, member->data_size, value->size);
        else if (status == SNAP_OK && snap_member_is_absent(member))
            status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                        "value %s is withheld from the archive", value->name);
    }
    for (size_t i = 0; status == SNAP_OK && i < snap_archive_member_count(restore->archive); i++) {
        const struct snap_member *member = snap_archive_member(restore->archive, i);
        if (member->kind == SNAP_MEMBER_EXTRA && member->in_state &&
            find_value(inventory, member->name) == NULL)
            status = snap_restore_add_missing(restore, "value", member->name, err);
    }
    return status;
}

static enum snap_status match_data(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_data_doc *there = snap_archive_data_doc(restore->archive);
    const struct snap_data_doc *here = &restore->run->data;
    enum snap_status status =
        snap_restore_add_component(restore, "position", "data.json",
                                   &restore->position_component, err);
    if (status == SNAP_OK && there->file_count != here->file_count)
        return snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                  "the archive's run has "
                                  "%zu data files, and %zu are registered",
                                  there->file_count, here->file_count);
    for (size_t i = 0; status == SNAP_OK && i < there->file_count; i++) {
        const struct snap_data_file *a = &there->files[i];
        const struct snap_data_file *b = &here->files[i];
        if (strcmp(a->role, b->role) != 0 || a->size != b->size ||
            memcmp(a->sha256, b->sha256, sizeof a->sha256) != 0)
            status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                        "data file %s is another one than in the archive's run",
                                        a->role);
    }
    return status;
}

enum snap_status snap_restore_match(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    restore->views = calloc(inventory->tensor_count + 1, sizeof *restore->views);
    restore->tensor_components = calloc(inventory->tensor_count + 1, sizeof(size_t));
    restore->scalars = calloc(inventory->scalar_count + 1, sizeof *restore->scalars);
    restore->scalar_components = calloc(inventory->scalar_count + 1, sizeof(size_t));
    restore->tree_components = calloc(inventory->root_count + 1, sizeof(size_t));
    restore->stream_components = calloc(inventory->stream_count + 1, sizeof(size_t));
    restore->made_streams = calloc(inventory->stream_count + 1, sizeof *restore->made_streams);
    restore->value_components = calloc(inventory->value_count + 1, sizeof(size_t));
    if (restore->views == NULL || restore->tensor_components == NULL || restore->scalars == NULL ||
        restore->scalar_components == NULL || restore->tree_components == NULL ||
        restore->stream_components == NULL || restore->made_streams == NULL ||
        restore->value_components == NULL)
        return no_memory(err);
    enum snap_status status = snap_restore_match_tree(restore, err);
    if (status == SNAP_OK)
        status = match_streams(restore, err);
    if (status == SNAP_OK)
        status = match_values(restore, err);
    if (status == SNAP_OK)
        status = match_data(restore, err);
    if (status == SNAP_OK)
        status = snap_restore_match_promise(restore, err);
    return status;
}
