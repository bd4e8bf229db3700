/* SPDX-License-Identifier: Apache-2.0 */
/* The Mersenne twister MT19937 (Matsumoto and Nishimura, 1998), as Python, NumPy and torch carry
 * it: 624 words and a position. The libraries differ in how they seed it and in how they make wider
 * numbers of its words; those parts are in their own files. */
#ifndef SNAP_STREAM_MT19937_H
#define SNAP_STREAM_MT19937_H

#include <stddef.h>
#include <stdint.h>

#define SNAP_MT19937_WORDS 624u

struct snap_mt19937 {
    uint32_t key[SNAP_MT19937_WORDS];
    uint32_t pos;         /* the next word to give, 0..624; 624: twist first */
    uint64_t words_drawn; /* since the object was made; no part of the state */
};

/* Seed from one word (NumPy and torch: seed(n)). Leaves words_drawn. */
void snap_mt19937_init_genrand(struct snap_mt19937 *mt, uint32_t seed);
/* Seed from an array of at least one word (Python: seed(n); NumPy: seed([...])). Leaves
 * words_drawn. */
void snap_mt19937_init_by_array(struct snap_mt19937 *mt, const uint32_t *words, size_t count);

/* The next 624 words of the state, in place; does not look at the position. */
void snap_mt19937_twist(uint32_t key[SNAP_MT19937_WORDS]);

/* On by 2^128 words, as NumPy's jumped() does it: mt19937_jump.c. */
void snap_mt19937_jump(struct snap_mt19937 *mt);

/* The next word. */
uint32_t snap_mt19937_u32(struct snap_mt19937 *mt);
/* Two words, the first one high. (Python's getrandbits(64) is the other way round.) */
uint64_t snap_mt19937_u64(struct snap_mt19937 *mt);
/* The 53-bit double in [0, 1) of Python and NumPy: 27 high bits of one word, 26 of the next. */
double snap_mt19937_double(struct snap_mt19937 *mt);
/* The same n times, several words at once. */
void snap_mt19937_fill_u32(struct snap_mt19937 *mt, uint32_t *out, size_t n);
void snap_mt19937_fill_u64(struct snap_mt19937 *mt, uint64_t *out, size_t n);
void snap_mt19937_fill_double(struct snap_mt19937 *mt, double *out, size_t n);

#endif
