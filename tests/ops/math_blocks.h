/* SPDX-License-Identifier: Apache-2.0 */
/* The math functions over all 2^32 inputs, in 256 blocks: block b holds the inputs with bits
 * b * 2^24 up to b * 2^24 + 2^24 - 1. A block's hash is the SHA-256 of its results as 32-bit words,
 * little-endian, every NaN as 7fc00000. */
#ifndef MATH_BLOCKS_H
#define MATH_BLOCKS_H

#include <stdint.h>

#define MATH_BLOCK_COUNT 256u
#define MATH_BLOCK_INPUTS (1u << 24)
#define MATH_CHUNK 65536u
#define MATH_FUNCTION_COUNT 6

/* Results of the MATH_CHUNK inputs from `first` on, as bits, NaN as 7fc00000. */
typedef void math_chunk_function(uint32_t first, uint32_t *out);

struct math_function {
    const char *name;
    math_chunk_function *chunk;
};

extern const struct math_function math_functions[MATH_FUNCTION_COUNT];

/* Called with each chunk's results while a block is hashed; may be NULL. */
typedef void math_chunk_visitor(void *arg, uint32_t first, const uint32_t *results);

/* Hash of a block as 64 hex digits and a terminator; 0 on success. */
int math_block_hash(const struct math_function *function, unsigned block, char hex[65],
                    math_chunk_visitor *visit, void *arg);

/* The hash kept in math_hashes.txt, or an empty text. */
void math_block_expected(const struct math_function *function, unsigned block, char hex[65]);

#endif
