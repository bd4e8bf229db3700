/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a content one after the other, for what takes them as a stream. */
#ifndef SNAP_STORE_CONTENT_CURSOR_H
#define SNAP_STORE_CONTENT_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "core/segment.h"
#include "digest/sha256.h"

struct snap_content_cursor {
    const struct snap_content *content; /* borrowed */
    const struct snap_segment *segments;
    size_t count;
    size_t index;    /* of the segment that comes next */
    size_t done;     /* bytes of it that are out */
    bool in_rest;    /* in what `finish` gave */
    bool digesting;  /* the segment's digest was begun */
    struct snap_sha256_context digest;
};

void snap_content_cursor_init(struct snap_content_cursor *cursor,
                              const struct snap_content *content);
void snap_content_cursor_release(struct snap_content_cursor *cursor);

/* Copy the next size_bytes into `out`; as many must be left. Segments' digests are of what was
 * copied, and are written when their last byte is out. When all bytes were asked for the last call
 * also finishes what is empty at the end. SNAP_CORRUPT and others: what a source or `finish`
 * answers. */
enum snap_status snap_content_cursor_read(struct snap_content_cursor *cursor, unsigned char *out,
                                          size_t size_bytes, struct snap_error *err);

#endif
