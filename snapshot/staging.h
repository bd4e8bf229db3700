/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that holds a state while it is saved, so that the trainer's own may change. Reserved once
 * and used again: the first save pays for the pages, later ones do not. */
#ifndef SNAP_STAGING_H
#define SNAP_STAGING_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/device.h>
#include <snapstate/pool.h>
#include <snapstate/status.h>

struct snap_staging {
    unsigned char *base; /* shared memory without a name; NULL: none is reserved */
    uint64_t capacity;   /* bytes */
    int fd;              /* the same memory, for another process: its size is sealed, and it can be
                          * written through `base` alone; -1: none is reserved */
    const struct snap_device_ops *pinned_by; /* NULL: pages like others */
};
#define SNAP_STAGING_INIT                                                                          \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* Every part of a state begins at a multiple of this in it. */
#define SNAP_STAGING_ALIGN 64u

/* At least `bytes` of it: what is there, when it suffices, else new memory of that size with
 * nothing in it. SNAP_NO_MEMORY: the system has none; then none is reserved. */
enum snap_status snap_staging_reserve(struct snap_staging *staging, uint64_t bytes,
                                      struct snap_error *err);
/* Make it fit for copies from that device at full speed, where the system allows it. */
void snap_staging_pin(struct snap_staging *staging, struct snap_device device);
void snap_staging_release(struct snap_staging *staging);
/* In a child of fork(), which does not have `base`: it is not to keep the memory either. */
void snap_staging_after_fork(struct snap_staging *staging);

/* The bytes that a part of `size` bytes takes. */
uint64_t snap_staging_padded(uint64_t size);

/* `size_bytes` from one memory to another that does not overlap it. */
struct snap_copy {
    void *to;
    const void *from;
    size_t size_bytes;
};
/* All of them, by all threads of the pool. SNAP_NO_MEMORY: nothing was copied. */
enum snap_status snap_copy_all(struct snap_pool *pool, const struct snap_copy *copies, size_t count,
                               struct snap_error *err);

#endif
