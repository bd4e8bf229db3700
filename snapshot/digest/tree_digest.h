/* SPDX-License-Identifier: Apache-2.0 */
/* The tree hash of a tensor: SHA-256 over the SHA-256 of each leaf of 4 KiB, the last one shorter;
 * no bytes have no leaf. Leaves are independent, so that many cores, or a GPU, can share the work
 * on one tensor. */
#ifndef SNAP_DIGEST_TREE_DIGEST_H
#define SNAP_DIGEST_TREE_DIGEST_H

#include <stddef.h>

#include <snapstate/pool.h>
#include <snapstate/status.h>

#include "digest/member_digest.h"

#define SNAP_TREE_LEAF_BYTES 4096u

/* Leaves of that many bytes. */
static inline size_t snap_tree_leaf_count(size_t size_bytes)
{
    return size_bytes / SNAP_TREE_LEAF_BYTES + (size_bytes % SNAP_TREE_LEAF_BYTES != 0);
}

/* The tree hash of one piece of memory, in the caller's thread. */
enum snap_status snap_tree_hash(const void *data, size_t size_bytes,
                                unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err);

/* The tree hash of each item, leaves shared among the threads of `pool` (NULL: the caller's
 * thread). Scratch memory: 1/128 of the bytes. */
enum snap_status snap_tree_hashes(struct snap_pool *pool, struct snap_digest_item *items,
                                  size_t count, struct snap_error *err);

#endif
