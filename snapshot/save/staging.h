/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that holds a state while it is saved, so that the trainer's own may change. Reserved once
 * and used again: the first save pays for the pages, later ones do not. */
#ifndef SNAP_STAGING_H
#define SNAP_STAGING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/device.h>
#include <snapstate/pool.h>
#include <snapstate/status.h>

/* What is known of a part that was saved from it. */
struct snap_staged_digest {
    const unsigned char *place;
    size_t size_bytes;
    atomic_bool held; /* nothing else was put there since */
    unsigned char sha256[SNAP_DIGEST_BYTES];
};

struct snap_staging {
    unsigned char *base; /* shared memory without a name; NULL: none is reserved */
    uint64_t capacity;   /* bytes */
    int fd;              /* the same memory, for another process: its size is sealed, and it can be
                          * written through `base` alone; -1: none is reserved */
    const struct snap_device_ops *pinned_by; /* NULL: pages like others */
    struct snap_staged_digest *digests;      /* by place, ascending; NULL: nothing is known */
    size_t digest_count;
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

/* Of the digests, which are handed over (malloc'd, in any order), those that were known before are
 * the past: the parts hold what was saved last. */
void snap_staging_know(struct snap_staging *staging, struct snap_staged_digest *digests,
                       size_t count);
/* What is known of the part there; NULL: nothing, or something else was put there since. */
struct snap_staged_digest *snap_staging_find(const struct snap_staging *staging, const void *place,
                                             size_t size_bytes);
/* Something is about to be put there. */
void snap_staging_forget(struct snap_staging *staging, const void *place, size_t size_bytes);

/* `size_bytes` from one memory to another that does not overlap it. */
struct snap_copy {
    void *to;
    const void *from;
    size_t size_bytes;
    /* (optional) Of what is there: where both are the same, bit by bit, nothing is written, and
     * where all of it is the same the digest stays held. */
    struct snap_staged_digest *digest;
};
/* All of them, by all threads of the pool. SNAP_NO_MEMORY: nothing was copied. */
enum snap_status snap_copy_all(struct snap_pool *pool, const struct snap_copy *copies, size_t count,
                               struct snap_error *err);

#endif
