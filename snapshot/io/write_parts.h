/* SPDX-License-Identifier: Apache-2.0 */
/* Writing parts of a file that other processes write other parts of: every byte where it belongs,
 * and no other byte, so that nobody's is written over. */
#ifndef SNAP_IO_WRITE_PARTS_H
#define SNAP_IO_WRITE_PARTS_H

#include <stddef.h>

#include <snapstate/pool.h>
#include <snapstate/status.h>

#include "core/segment.h"

/* Write the segments, which need not cover the file, into `fd`, through the page cache; one that is
 * `elsewhere` is passed over. Their memory must stay as it is, and have no source; the digests that
 * they ask for are taken of it. `pool` (NULL: the caller's thread alone) takes a segment at a time.
 * Nothing is durable yet. */
enum snap_status snap_write_parts(int fd, const struct snap_segment *segments, size_t count,
                                  struct snap_pool *pool, const char *what, struct snap_error *err);

/* Does the disk give the bytes of these segments, past the page cache? SNAP_CORRUPT: it does not.
 * Those that were digested are compared by their digest. */
enum snap_status snap_read_back_parts(int fd, const struct snap_segment *segments, size_t count,
                                      struct snap_pool *pool, const char *what,
                                      struct snap_error *err);

#endif
