/* SPDX-License-Identifier: Apache-2.0 */
/* Words of a bit generator, one at a time, made a block at a time. A draw that gives n numbers
 * takes at least one word for each, but how many more is seen only on the way. So a reader makes no
 * more words at once than numbers are left to be given: all that it makes are used, and the
 * generator ends where word by word it would have ended.
 *
 * `left` is that number. The draw lowers it as it goes, and while it is one the words come one by
 * one. */
#ifndef SNAP_STREAM_NUMPY_WORD_READER_H
#define SNAP_STREAM_NUMPY_WORD_READER_H

#include <stddef.h>
#include <stdint.h>

#include "stream/numpy_bit_generator.h"

#define SNAP_WORD_READER_BLOCK 512u

struct snap_reader_u64 {
    struct snap_bit_generator *g;
    size_t left;
    size_t at, count; /* in `block` */
    uint64_t block[SNAP_WORD_READER_BLOCK];
};

struct snap_reader_u32 {
    struct snap_bit_generator *g;
    size_t left;
    size_t at, count;
    uint32_t block[SNAP_WORD_READER_BLOCK];
};

static inline void snap_reader_u64_init(struct snap_reader_u64 *r, struct snap_bit_generator *g,
                                        size_t left)
{
    r->g = g;
    r->left = left;
    r->at = 0;
    r->count = 0;
}

static inline void snap_reader_u32_init(struct snap_reader_u32 *r, struct snap_bit_generator *g,
                                        size_t left)
{
    r->g = g;
    r->left = left;
    r->at = 0;
    r->count = 0;
}

/* Make the next block. */
void snap_reader_u64_refill(struct snap_reader_u64 *r);
void snap_reader_u32_refill(struct snap_reader_u32 *r);

static inline uint64_t snap_reader_u64_next(struct snap_reader_u64 *r)
{
    if (r->at == r->count) {
        snap_reader_u64_refill(r);
    }
    return r->block[r->at++];
}

static inline uint32_t snap_reader_u32_next(struct snap_reader_u32 *r)
{
    if (r->at == r->count) {
        snap_reader_u32_refill(r);
    }
    return r->block[r->at++];
}

/* next_double: a multiple of 2^-53 in [0, 1). */
static inline double snap_reader_double(struct snap_reader_u64 *r)
{
    return snap_bit_generator_to_double(r->g, snap_reader_u64_next(r));
}

/* next_float: a multiple of 2^-24 in [0, 1), as NumPy has it from 1.22 on. */
static inline float snap_reader_float(struct snap_reader_u32 *r)
{
    return (float)(snap_reader_u32_next(r) >> 8) * 0x1p-24f;
}

#endif
