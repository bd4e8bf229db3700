/* SPDX-License-Identifier: Apache-2.0 */
/* numpy.random.SeedSequence (NumPy 1.19 and later): what a bit generator was seeded from, and what
 * it will seed the generators with that are spawned of it. */
#ifndef SNAP_STREAM_NUMPY_SEED_SEQUENCE_H
#define SNAP_STREAM_NUMPY_SEED_SEQUENCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "core/buffer.h"
#include "stream/big_uint.h"
#include "stream/seed_sequence.h"

/* Pools of more than 8 words are in no documentation; hashing takes the square of it. */
#define SNAP_MAX_SEED_POOL 1024u

struct snap_big_uint_list {
    struct snap_big_uint *items; /* owned */
    size_t count;
};

/* All zero but for pool_size is SeedSequence(0). */
struct snap_numpy_seed_sequence {
    struct snap_big_uint entropy;           /* unless it is a list */
    struct snap_big_uint_list entropy_list; /* of integers, for SeedSequence([1, 2]) */
    bool entropy_is_list;
    struct snap_big_uint_list spawn_key;
    uint32_t pool_size;
    uint32_t n_children_spawned;
};
#define SNAP_NUMPY_SEED_SEQUENCE_INIT \
    { { NULL, 0 }, { NULL, 0 }, false, { NULL, 0 }, SNAP_SEED_SEQUENCE_POOL, 0 }

/* SeedSequence(entropy, spawn_key=[...], pool_size=pool_size), the entropy an integer given in
 * words, least significant first, and each part of the key one of up to 32 bits. *sequence is
 * written on success only, and what it held is not freed. SNAP_INVALID when pool_size is not in 4
 * to SNAP_MAX_SEED_POOL. */
enum snap_status snap_numpy_seed_sequence_init(struct snap_numpy_seed_sequence *sequence,
                                               const uint32_t *entropy, size_t count,
                                               const uint32_t *spawn_key, size_t key_count,
                                               size_t pool_size, struct snap_error *err);
void snap_numpy_seed_sequence_release(struct snap_numpy_seed_sequence *sequence);

/* sequence.pool: pool_size words. */
enum snap_status snap_numpy_seed_sequence_pool(const struct snap_numpy_seed_sequence *sequence,
                                               uint32_t *pool, struct snap_error *err);
/* generate_state(count), uint32. Cannot fail for an entropy of one word and no key. */
enum snap_status snap_numpy_seed_sequence_generate(const struct snap_numpy_seed_sequence *sequence,
                                                   uint32_t *words, size_t count,
                                                   struct snap_error *err);
/* spawn(1): the next child; n_children_spawned goes up by one. *child is as after init.
 * SNAP_UNSUPPORTED past 2^32-1 children, which NumPy does not count. */
enum snap_status snap_numpy_seed_sequence_spawn(struct snap_numpy_seed_sequence *sequence,
                                                struct snap_numpy_seed_sequence *child,
                                                struct snap_error *err);

/* The object {"entropy","n_children_spawned","pool_size","spawn_key"} as canonical JSON text, and
 * back. `what` begins the messages. */
enum snap_status snap_numpy_seed_sequence_put(const struct snap_numpy_seed_sequence *sequence,
                                              struct snap_buffer *text, struct snap_error *err);
enum snap_status snap_numpy_seed_sequence_from_json(const char *what, const json_t *object,
                                                    struct snap_numpy_seed_sequence *sequence,
                                                    struct snap_error *err);

#endif
