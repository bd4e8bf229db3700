/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of NumPy's SeedSequence (numpy/random/bit_generator.pyx; after O'Neill's seed_seq_fe).
 * NumPy's bit generators and torch's DataLoader workers are seeded with it, nearly always with a
 * pool of four words. What a SeedSequence remembers is in numpy_seed_sequence.h. */
#ifndef SNAP_STREAM_SEED_SEQUENCE_H
#define SNAP_STREAM_SEED_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

#define SNAP_SEED_SEQUENCE_POOL 4u

struct snap_seed_sequence {
    uint32_t pool[SNAP_SEED_SEQUENCE_POOL];
};

/* The same with a pool of any size from 4 on. */
void snap_seed_pool_mix(uint32_t *pool, size_t pool_size, const uint32_t *entropy, size_t count);
void snap_seed_pool_generate(const uint32_t *pool, size_t pool_size, uint32_t *words,
                             size_t count);

/* From entropy words (of an integer: least significant first). */
void snap_seed_sequence_init(struct snap_seed_sequence *sequence, const uint32_t *entropy,
                             size_t count);
/* generate_state(count), uint32. */
void snap_seed_sequence_generate(const struct snap_seed_sequence *sequence, uint32_t *words,
                                 size_t count);

#endif
