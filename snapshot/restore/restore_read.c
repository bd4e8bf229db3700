/* SPDX-License-Identifier: Apache-2.0 */
/* The first pass of a restore: every byte read and compared, nothing changed. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "format/archive_read.h"
#include "run/rank_streams.h"
#include "save/state_image.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "restore: out of memory");
}

/* A stream's bytes must be a state of its kind before anything is changed. */
static enum snap_status read_stream(struct snap_restore *restore, size_t index,
                                    struct snap_error *err)
{
    const struct snap_inventory_stream *stream = &restore->run->inventory.streams[index];
    if (restore->made_streams[index])
        return snap_rank_stream_make(restore, index, &restore->streams[index],
                                     &restore->stream_sizes[index], err);
    const struct snap_member *member = snap_archive_find(restore->archive, stream->member);
    enum snap_status status = snap_archive_read_alloc(
        restore->archive, member, SNAP_MAX_STREAM_BYTES, &restore->streams[index], err);
    if (status != SNAP_OK)
        return status;
    restore->stream_sizes[index] = (size_t)member->data_size;
    return snap_stream_form_check(stream, restore->streams[index], restore->stream_sizes[index],
                                  err);
}

enum snap_status snap_restore_read(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    enum snap_status status =
        restore->from_memory
            ? SNAP_OK
            : snap_archive_check_digests(restore->archive, restore->run->pool, err);
    if (status != SNAP_OK || restore->receipt->tier < SNAP_TIER_STREAMS)
        return status;
    restore->streams = calloc(inventory->stream_count + 1, sizeof *restore->streams);
    restore->stream_sizes = calloc(inventory->stream_count + 1, sizeof *restore->stream_sizes);
    restore->old_streams = calloc(inventory->stream_count + 1, sizeof *restore->old_streams);
    restore->old_sizes = calloc(inventory->stream_count + 1, sizeof *restore->old_sizes);
    restore->values = calloc(inventory->value_count + 1, sizeof *restore->values);
    if (restore->streams == NULL || restore->stream_sizes == NULL || restore->old_streams == NULL ||
        restore->old_sizes == NULL || restore->values == NULL)
        return no_memory(err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++)
        status = read_stream(restore, i, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->value_count; i++) {
        const struct snap_inventory_value *value = &inventory->values[i];
        if (value->in_state)
            status = snap_archive_read_alloc(restore->archive,
                                             snap_archive_find(restore->archive, value->member),
                                             SNAP_MAX_MEMBER_BYTES, &restore->values[i], err);
    }
    return status;
}
