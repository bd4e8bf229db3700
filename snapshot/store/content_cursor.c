/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "store/content_cursor.h"

void snap_content_cursor_init(struct snap_content_cursor *cursor,
                              const struct snap_content *content)
{
    *cursor = (struct snap_content_cursor){ .content = content,
                                            .segments = content->segments,
                                            .count = content->count,
                                            .digest = SNAP_SHA256_CONTEXT_INIT };
}

void snap_content_cursor_release(struct snap_content_cursor *cursor)
{
    snap_sha256_release(&cursor->digest);
}

/* The bytes of the segment that come next. */
static enum snap_status copy(struct snap_content_cursor *cursor, const struct snap_segment *segment,
                             unsigned char *out, size_t bytes, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (segment->source != NULL)
        status = snap_source_read(segment->source, out, bytes,
                                  segment->source_offset + cursor->done, err);
    else if (bytes > 0)
        memcpy(out, (const unsigned char *)segment->data + cursor->done, bytes);
    if (status != SNAP_OK || segment->sha256 == NULL)
        return status;
    if (!cursor->digesting)
        status = snap_sha256_begin(&cursor->digest, err);
    cursor->digesting = true;
    if (status == SNAP_OK && bytes > 0)
        status = snap_sha256_update(&cursor->digest, out, bytes, err);
    return status;
}

static enum snap_status end_segment(struct snap_content_cursor *cursor,
                                    const struct snap_segment *segment, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (segment->sha256 != NULL)
        status = snap_sha256_finish(&cursor->digest, segment->sha256, err);
    cursor->digesting = false;
    cursor->done = 0;
    cursor->index++;
    return status;
}

/* The segments that depend on the digests of the first. */
static enum snap_status begin_rest(struct snap_content_cursor *cursor, struct snap_error *err)
{
    cursor->in_rest = true;
    cursor->index = 0;
    cursor->count = 0;
    if (cursor->content->finish == NULL)
        return SNAP_OK;
    return cursor->content->finish(cursor->content->arg, &cursor->segments, &cursor->count, err);
}

enum snap_status snap_content_cursor_read(struct snap_content_cursor *cursor, unsigned char *out,
                                          size_t size_bytes, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    while (status == SNAP_OK) {
        if (cursor->index == cursor->count && !cursor->in_rest) {
            status = begin_rest(cursor, err);
            continue;
        }
        if (cursor->index == cursor->count)
            break;
        const struct snap_segment *segment = &cursor->segments[cursor->index];
        size_t left = segment->size_bytes - cursor->done;
        size_t bytes = left < size_bytes ? left : size_bytes;
        if (bytes == 0 && left > 0)
            return SNAP_OK;
        status = copy(cursor, segment, out, bytes, err);
        if (status != SNAP_OK)
            break;
        if (bytes > 0)
            out += bytes;
        size_bytes -= bytes;
        cursor->done += bytes;
        if (cursor->done == segment->size_bytes)
            status = end_segment(cursor, segment, err);
    }
    if (status == SNAP_OK && size_bytes > 0)
        status = snap_error_set(err, SNAP_INTERNAL,
                                "store: a content is %zu bytes shorter than it says", size_bytes);
    return status;
}
