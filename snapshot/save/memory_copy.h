/* SPDX-License-Identifier: Apache-2.0 */
/* An archive in memory beside the one on the disk: the file is written from it, so that the two are
 * the same bytes without a second look at any. */
#ifndef SNAP_MEMORY_COPY_H
#define SNAP_MEMORY_COPY_H

#include <snapstate/pool.h>
#include <snapstate/status.h>

#include "core/segment.h"
#include "handover/sealed_memory.h"

struct snap_memory_copy {
    struct snap_sealed_memory memory; /* the file's bytes; fd -1: there is none */
    /* Of the content whose bytes are in memory. */
    const struct snap_content *original;
    struct snap_segment *segments;
};
#define SNAP_MEMORY_COPY_INIT { .memory = SNAP_SEALED_MEMORY_INIT }

/* Copy what there is of `original`, which stays borrowed until the file is written. *content is the
 * same file, read from the copy; what it gives at last is copied too, so that the copy is whole
 * when that has been written. SNAP_NO_MEMORY: there is no copy. */
enum snap_status snap_memory_copy_make(struct snap_memory_copy *copy,
                                       const struct snap_content *original, struct snap_pool *pool,
                                       struct snap_content *content, struct snap_error *err);
void snap_memory_copy_release(struct snap_memory_copy *copy);

#endif
