/* SPDX-License-Identifier: Apache-2.0 */
/* The 128-bit linear congruential generator under PCG64 and PCG64DXSM (O'Neill, "PCG: A Family of
 * Simple Fast Space-Efficient Statistically Good Algorithms for Random Number Generation", 2014):
 * state = state * multiplier + inc, mod 2^128. */
#ifndef SNAP_STREAM_PCG128_H
#define SNAP_STREAM_PCG128_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "core/buffer.h"

__extension__ typedef unsigned __int128 snap_uint128;

struct snap_pcg128 {
    snap_uint128 state;
    snap_uint128 inc; /* odd, or NumPy was told another one */
};

static inline snap_uint128 snap_make_uint128(uint64_t high, uint64_t low)
{
    return (snap_uint128)high << 64 | low;
}

/* The multiplier of PCG64, with which both are seeded. */
static inline snap_uint128 snap_pcg128_multiplier(void)
{
    return snap_make_uint128(2549297995355413924u, 4865540595714422341u);
}

/* Seed from generate_state(4, uint64) as eight 32-bit words: state high, state low, sequence high,
 * sequence low, each low half first. */
void snap_pcg128_seed(struct snap_pcg128 *pcg, const uint32_t words[8]);

/* state * *factor + *term is the state `steps` steps on, mod 2^128. */
void snap_pcg128_leap(snap_uint128 multiplier, snap_uint128 inc, snap_uint128 steps,
                      snap_uint128 *factor, snap_uint128 *term);
void snap_pcg128_advance(struct snap_pcg128 *pcg, snap_uint128 multiplier, snap_uint128 steps);
/* What one of jumped() is: 2^128 times the golden ratio less 1. */
void snap_pcg128_jump(struct snap_pcg128 *pcg, snap_uint128 multiplier, uint64_t jumps);

/* 32-bit words (two a step) from one state to the other, by Brown's algorithm bit by bit. False
 * when `inc` differs or there are 2^62 steps or more between them. */
bool snap_pcg128_distance(const struct snap_pcg128 *from, const struct snap_pcg128 *to,
                          snap_uint128 multiplier, int64_t *words);

/* {"inc":...,"state":...} */
enum snap_status snap_pcg128_put(const struct snap_pcg128 *pcg, struct snap_buffer *text,
                                 struct snap_error *err);
enum snap_status snap_pcg128_get(const char *what, const json_t *state, struct snap_pcg128 *pcg,
                                 struct snap_error *err);

#endif
