/* SPDX-License-Identifier: Apache-2.0 */
/* A stretch of a file, and the memory that belongs to it. */
#ifndef SNAP_IO_SPAN_H
#define SNAP_IO_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>

#include "core/segment.h"

/* Spans of one list follow each other in the file and do not overlap; when they are read there may
 * be gaps. A span may be empty. All memory is borrowed. */
struct snap_span {
    uint64_t offset;
    size_t size_bytes;
    /* What is written. When it is read: NULL, or what must be there, and `differs` tells. */
    const unsigned char *data;
    /* When it is read: NULL, or where the bytes go; then the digest is of this memory, after. */
    unsigned char *place;
    unsigned char *sha256; /* NULL, or where the digest goes: SNAP_DIGEST_BYTES */
    bool differs;
    /* (optional) When it is written: what is copied, in place of `data`. */
    const struct snap_source *source;
    uint64_t source_offset;
};

#endif
