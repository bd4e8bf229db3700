/* SPDX-License-Identifier: Apache-2.0 */
/* Words to uniforms in [0, 1), several at once with what every 64-bit machine has. All steps are
 * exact, so that the numbers are those of a conversion and a multiplication by a power of two. */
#ifndef SNAP_STREAM_UNIFORM_LANES_H
#define SNAP_STREAM_UNIFORM_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t snap_lanes_u64 __attribute__((vector_size(16)));
typedef double snap_lanes_f64 __attribute__((vector_size(16)));
typedef int32_t snap_lanes_i32 __attribute__((vector_size(16)));
typedef uint32_t snap_lanes_u32 __attribute__((vector_size(16)));
typedef float snap_lanes_f32 __attribute__((vector_size(16)));

/* x * 2^-53 for x below 2^53: its high 52 bits as the fraction of a number in [1, 2), less 1, and
 * then its low bit. */
static inline snap_lanes_f64 snap_lanes_to_f64(snap_lanes_u64 x)
{
    const snap_lanes_f64 last = { 0x1p-53, 0x1p-53 };
    snap_lanes_u64 high = x >> 1 | (uint64_t)0x3ff << 52;
    snap_lanes_u64 low = -(x & 1u) & (snap_lanes_u64)last;

    return ((snap_lanes_f64)high - 1.0) + (snap_lanes_f64)low;
}

static inline double snap_word_to_f64(uint64_t x)
{
    return (double)(int64_t)x * 0x1p-53;
}

/* A word, or the double of it, as element i of the array that is not NULL: so one loop makes
 * either. */
static inline __attribute__((always_inline)) void snap_put_word(uint64_t *words,
                                                                double *doubles, size_t i,
                                                                uint64_t word)
{
    if (doubles != NULL) {
        doubles[i] = snap_word_to_f64(word >> 11);
    } else {
        words[i] = word;
    }
}

/* The high 53 bits of each word. */
static inline void snap_words_to_f64(const uint64_t *words, double *out, size_t n)
{
    size_t i = 0;

    for (; i + 2 <= n; i += 2) {
        snap_lanes_u64 pair;
        snap_lanes_f64 numbers;

        memcpy(&pair, words + i, sizeof pair);
        numbers = snap_lanes_to_f64(pair >> 11);
        memcpy(out + i, &numbers, sizeof numbers);
    }
    for (; i < n; i++) {
        out[i] = snap_word_to_f64(words[i] >> 11);
    }
}

/* The high 24 bits of each word, times 2^-24. */
static inline void snap_words_to_f32(const uint32_t *words, float *out, size_t n)
{
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        snap_lanes_u32 four;
        snap_lanes_f32 numbers;

        memcpy(&four, words + i, sizeof four);
        numbers = __builtin_convertvector((snap_lanes_i32)(four >> 8), snap_lanes_f32) * 0x1p-24f;
        memcpy(out + i, &numbers, sizeof numbers);
    }
    for (; i < n; i++) {
        out[i] = (float)(int32_t)(words[i] >> 8) * 0x1p-24f;
    }
}

#endif
