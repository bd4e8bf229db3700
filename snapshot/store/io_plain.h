/* SPDX-License-Identifier: Apache-2.0 */
/* Writing and reading back a file by plain system calls, one thread. */
#ifndef SNAP_STORE_IO_PLAIN_H
#define SNAP_STORE_IO_PLAIN_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

#include "core/segment.h"

/* Write the segments from the start of the file and give the SHA-256 of all bytes. */
enum snap_status snap_io_write(int fd, const struct snap_segment *segments, size_t count,
                               const char *what, unsigned char sha256[SNAP_DIGEST_BYTES],
                               struct snap_error *err);

/* The SHA-256 and size of a file that was synced, read past the page cache where the file system
 * can: the cache is dropped, and the file read by O_DIRECT. `fd` is open for reading. */
enum snap_status snap_io_read_back(int fd, const char *what,
                                   unsigned char sha256[SNAP_DIGEST_BYTES], uint64_t *size,
                                   struct snap_error *err);

#endif
