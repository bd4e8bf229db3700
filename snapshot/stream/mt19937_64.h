/* SPDX-License-Identifier: Apache-2.0 */
/* The Mersenne twister of 64-bit words (Nishimura, 2000), as C++ has it: 312 words and a
 * position. */
#ifndef SNAP_STREAM_MT19937_64_H
#define SNAP_STREAM_MT19937_64_H

#include <stdint.h>

#define SNAP_MT19937_64_WORDS 312u

struct snap_mt19937_64 {
    uint64_t key[SNAP_MT19937_64_WORDS];
    uint32_t pos;         /* the next word to give, 0..312; 312: twist first */
    uint64_t words_drawn; /* 32-bit words since the object was made; no part of the state */
};

/* std::mt19937_64(seed). Leaves words_drawn. */
void snap_mt19937_64_seed(struct snap_mt19937_64 *mt, uint64_t seed);
/* The next 312 words of the state, in place; does not look at the position. */
void snap_mt19937_64_twist(uint64_t key[SNAP_MT19937_64_WORDS]);
/* The next word. */
uint64_t snap_mt19937_64_u64(struct snap_mt19937_64 *mt);

#endif
