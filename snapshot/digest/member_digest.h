/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of many pieces of memory, in parallel. */
#ifndef SNAP_DIGEST_MEMBER_DIGEST_H
#define SNAP_DIGEST_MEMBER_DIGEST_H

#include <stddef.h>

#include <snapstate/archive.h>
#include <snapstate/pool.h>
#include <snapstate/status.h>

struct snap_digest_item {
    const void *data; /* borrowed for the call */
    size_t size_bytes;
    /* Of a tree hash (digest/tree_digest.h): the digests of its leaves, where they are known
     * already, and `data` is not looked at. Borrowed; NULL: they are not. */
    const unsigned char *leaves;
    unsigned char sha256[SNAP_DIGEST_BYTES]; /* set by the call */
};

/* The SHA-256 of each item. `pool` NULL: in the caller's thread. On failure the digests are not to
 * be used. */
enum snap_status snap_member_digests(struct snap_pool *pool, struct snap_digest_item *items,
                                     size_t count, struct snap_error *err);

#endif
