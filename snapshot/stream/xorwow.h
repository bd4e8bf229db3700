/* SPDX-License-Identifier: Apache-2.0 */
/* XORWOW (Marsaglia, "Xorshift RNGs", 2003) as cuRAND seeds it and cuts it into subsequences: five
 * words that are shifted and xored, which is linear over bits, and a sum that grows by a constant.
 * Linear means that any number of steps is one matrix of 160 x 160 bits. */
#ifndef SNAP_STREAM_XORWOW_H
#define SNAP_STREAM_XORWOW_H

#include <stdint.h>

#define SNAP_XORWOW_WORDS 5u
#define SNAP_XORWOW_BITS 160u
#define SNAP_XORWOW_WEYL 362437u
/* Steps of a subsequence: 2^67. */
#define SNAP_XORWOW_SEQUENCE_BITS 67u

struct snap_xorwow {
    uint32_t d;
    uint32_t v[SNAP_XORWOW_WORDS];
};

/* Column i is what becomes of bit i % 32 of word i / 32. */
struct snap_xorwow_matrix {
    uint32_t columns[SNAP_XORWOW_BITS][SNAP_XORWOW_WORDS];
};

/* curand_init(seed, 0, 0). */
void snap_xorwow_seed(struct snap_xorwow *x, uint64_t seed);
/* curand(). */
uint32_t snap_xorwow_u32(struct snap_xorwow *x);

/* The matrix of 2^power steps. */
void snap_xorwow_power(struct snap_xorwow_matrix *matrix, unsigned power);
/* The matrix of twice as many steps. */
void snap_xorwow_square(struct snap_xorwow_matrix *matrix);
/* The words, not the sum, of the state that many steps on. */
void snap_xorwow_apply(const struct snap_xorwow_matrix *matrix, uint32_t v[SNAP_XORWOW_WORDS]);
/* skipahead(steps). */
void snap_xorwow_skip(struct snap_xorwow *x, uint64_t steps);

#endif
