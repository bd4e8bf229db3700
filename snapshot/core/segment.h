/* SPDX-License-Identifier: Apache-2.0 */
/* A file as a list of pieces of memory, and a place that takes bytes in order. */
#ifndef SNAP_CORE_SEGMENT_H
#define SNAP_CORE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

/* Bytes of a file. In a list, each `offset` is the end of the segment before (0 for the first):
 * segments cover the file without a gap. A segment may be empty. */
struct snap_segment {
    uint64_t offset;
    const void *data; /* borrowed */
    size_t size_bytes;
};

/* Takes the bytes of a file from first to last. */
struct snap_sink {
    enum snap_status (*write)(void *arg, const void *data, size_t size_bytes,
                              struct snap_error *err);
    void *arg;
};

#endif
