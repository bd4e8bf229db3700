/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a file: every byte of memory is looked at once, digested and written while it is in the
 * cache, by many threads at the places that are known beforehand. */
#ifndef SNAP_IO_WRITE_FILE_H
#define SNAP_IO_WRITE_FILE_H

#include <stdatomic.h>
#include <stddef.h>

#include <snapstate/pool.h>
#include <snapstate/status.h>

#include "core/segment.h"
#include "core/stop.h"
#include "io/io_choice.h"

struct snap_write_options {
    enum snap_io_way way; /* unless another is forced (io_choice.h) */
    struct snap_pool *pool; /* how many threads; NULL: the caller's alone. No byte depends on it */
    atomic_ullong *written; /* (optional) bytes are added as they are written, for who looks on */
    const struct snap_stop *stop; /* (optional) looked at before each piece: then SNAP_IO */
};

/* The segments that `finish` gave; borrowed until it is called again. */
struct snap_rest {
    const struct snap_segment *segments;
    size_t count;
};

/* Write `content` into `fd`, an empty file open for writing that nobody else writes to. The digests
 * are of the bytes that were written. Nothing is durable yet. */
enum snap_status snap_write_file(int fd, const struct snap_content *content,
                                 const struct snap_write_options *options, struct snap_rest *rest,
                                 const char *what, struct snap_error *err);

#endif
