/* SPDX-License-Identifier: Apache-2.0 */
/* Reading stretches of a file by many threads: digested, compared, put into place. */
#ifndef SNAP_IO_READ_FILE_H
#define SNAP_IO_READ_FILE_H

#include <snapstate/pool.h>
#include <snapstate/status.h>

#include "io/span.h"

enum snap_read_source {
    /* From the page cache what is there; else from the disk, past the cache where the file system
     * can, unless the disk turns out to be slow. */
    SNAP_READ_FASTEST = 1,
    /* From the disk in any case, as far as the system can do that: the cache is dropped first, and
     * the file, which was synced, is read past it. */
    SNAP_READ_DISK = 2
};

/* Read all spans. SNAP_CORRUPT: the file ends before. On failure spans before *failed (NULL: not
 * wanted) were read. `fd` is not changed and can be shared. `pool` says how many threads (NULL: the
 * caller's alone). */
enum snap_status snap_read_spans(int fd, struct snap_span *spans, size_t count,
                                 enum snap_read_source source, struct snap_pool *pool,
                                 const char *what, size_t *failed, struct snap_error *err);
/* The same of a source: of a file from the page cache what is there; of ranges a piece at a time,
 * by as many threads. */
enum snap_status snap_read_source(const struct snap_source *source, struct snap_span *spans,
                                  size_t count, struct snap_pool *pool, size_t *failed,
                                  struct snap_error *err);

#endif
