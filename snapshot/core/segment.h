/* SPDX-License-Identifier: Apache-2.0 */
/* A file as a list of pieces of memory. */
#ifndef SNAP_CORE_SEGMENT_H
#define SNAP_CORE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

struct snap_ranges;

/* What bytes are copied from: a file, or what is read in ranges. Borrowed, and not changed, while
 * it is. */
struct snap_source {
    int fd;
    const char *what; /* names it in messages */
    struct snap_ranges *ranges; /* NULL: the file */
};

/* Read exactly size_bytes at `offset`. SNAP_CORRUPT when it ends before. Several threads may read
 * at once. */
enum snap_status snap_source_read(const struct snap_source *source, void *data, size_t size_bytes,
                                  uint64_t offset, struct snap_error *err);

/* Bytes of a file. In a list, each `offset` is the end of the segment before (0 for the first):
 * segments cover the file without a gap. A segment may be empty. */
struct snap_segment {
    uint64_t offset;
    const void *data; /* borrowed; not looked at when there is a source */
    size_t size_bytes;
    /* Where the SHA-256 of the bytes goes, as they are written: memory that somebody changes
     * meanwhile gives a digest of what is in the file. NULL: not wanted; then `data` must stay as
     * it is. */
    unsigned char *sha256;
    /* (optional) Copy the bytes from here, a piece at a time; sha256 must be wanted then. */
    const struct snap_source *source;
    uint64_t source_offset;
    /* Another process writes it, and says its digest: of files that are shared alone. */
    bool elsewhere;
};

/* A file to be written: segments that are there, and others that depend on the digests of those. */
struct snap_content {
    const struct snap_segment *segments;
    size_t count;
    uint64_t size_bytes; /* of the whole file */
    /* (optional) Give the segments that follow, when all digests of the first are known. Called
     * once for each time that the file is written. NULL: nothing follows. */
    enum snap_status (*finish)(void *arg, const struct snap_segment **segments, size_t *count,
                               struct snap_error *err);
    void *arg;
};

#endif
