/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of NumPy's SeedSequence (numpy/random/bit_generator.pyx; after O'Neill's seed_seq_fe),
 * with its pool of four words. NumPy's Mersenne twister and torch's DataLoader workers are seeded
 * with it. */
#ifndef SNAP_STREAM_SEED_SEQUENCE_H
#define SNAP_STREAM_SEED_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

#define SNAP_SEED_SEQUENCE_POOL 4u

struct snap_seed_sequence {
    uint32_t pool[SNAP_SEED_SEQUENCE_POOL];
};

/* From entropy words (of an integer: least significant first). */
void snap_seed_sequence_init(struct snap_seed_sequence *sequence, const uint32_t *entropy,
                             size_t count);
/* generate_state(count), uint32. */
void snap_seed_sequence_generate(const struct snap_seed_sequence *sequence, uint32_t *words,
                                 size_t count);

#endif
