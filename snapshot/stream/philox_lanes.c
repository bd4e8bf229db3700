/* SPDX-License-Identifier: Apache-2.0 */
/* Many blocks of Philox4x64: one after the other, or, on a CPU with AVX2, eight side by side. */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "stream/philox.h"

#define WORDS 4u /* of a block */

void snap_philox4x64_blocks_portable(const uint64_t key[2], const uint64_t counter[4],
                                     uint64_t *out, size_t blocks)
{
    for (size_t i = 0; i < blocks; i++, out += WORDS) {
        const uint64_t block[WORDS] = { counter[0] + i, counter[1], counter[2], counter[3] };

        memcpy(out, block, sizeof block);
        snap_philox4x64(SNAP_PHILOX_ROUNDS, key, out);
    }
}

#if defined(__x86_64__)

#define LANES 4u  /* blocks of a vector: word i of each */
#define GROUPS 2u /* vectors side by side: each waits for its own multiplications only */
#define AT_ONCE (LANES * GROUPS)
#define FOUR static inline __attribute__((target("avx2"), always_inline))

typedef uint64_t lanes __attribute__((vector_size(8 * LANES)));

FOUR lanes all(uint64_t word)
{
    return (lanes){ word, word, word, word };
}

/* Of the low halves. */
FOUR lanes multiply_halves(lanes a, lanes b)
{
    return (lanes)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}

/* a * b of 64 bits each, of four products of halves. No sum below passes 64 bits. */
FOUR lanes multiply(lanes a, uint64_t b, lanes *high)
{
    lanes low_low = multiply_halves(a, all(b));
    lanes high_low = multiply_halves(a >> 32, all(b));
    lanes low_high = multiply_halves(a, all(b >> 32));
    lanes high_high = multiply_halves(a >> 32, all(b >> 32));
    lanes carried = high_low + (low_low >> 32);
    lanes middle = low_high + (carried & 0xffffffffu);

    *high = high_high + (carried >> 32) + (middle >> 32);
    return (lanes)_mm256_blend_epi32((__m256i)low_low, (__m256i)(middle << 32), 0xaa);
}

FOUR void round_lanes(uint64_t k0, uint64_t k1, lanes w[WORDS])
{
    lanes high0, high1;
    lanes low0 = multiply(w[0], SNAP_PHILOX_MULTIPLIER_4X64_0, &high0);
    lanes low1 = multiply(w[2], SNAP_PHILOX_MULTIPLIER_4X64_1, &high1);

    w[0] = high1 ^ w[1] ^ k0;
    w[1] = low1;
    w[2] = high0 ^ w[3] ^ k1;
    w[3] = low0;
}

/* Words side by side in four blocks to blocks one after the other. */
FOUR void store(uint64_t *out, const lanes w[WORDS])
{
    __m256i a = _mm256_unpacklo_epi64((__m256i)w[0], (__m256i)w[1]);
    __m256i b = _mm256_unpackhi_epi64((__m256i)w[0], (__m256i)w[1]);
    __m256i c = _mm256_unpacklo_epi64((__m256i)w[2], (__m256i)w[3]);
    __m256i d = _mm256_unpackhi_epi64((__m256i)w[2], (__m256i)w[3]);
    __m256i *at = (__m256i *)out;

    _mm256_storeu_si256(at, _mm256_permute2x128_si256(a, c, 0x20));
    _mm256_storeu_si256(at + 1, _mm256_permute2x128_si256(b, d, 0x20));
    _mm256_storeu_si256(at + 2, _mm256_permute2x128_si256(a, c, 0x31));
    _mm256_storeu_si256(at + 3, _mm256_permute2x128_si256(b, d, 0x31));
}

FOUR void start(lanes w[WORDS], uint64_t c0, const uint64_t counter[4])
{
    w[0] = (lanes){ c0, c0 + 1, c0 + 2, c0 + 3 };
    w[1] = all(counter[1]);
    w[2] = all(counter[2]);
    w[3] = all(counter[3]);
}

/* `blocks` is a multiple of AT_ONCE. */
__attribute__((target("avx2"))) static void blocks_avx2(const uint64_t key[2],
                                                        const uint64_t counter[4], uint64_t *out,
                                                        size_t blocks)
{
    for (size_t i = 0; i < blocks; i += AT_ONCE, out += AT_ONCE * WORDS) {
        lanes a[WORDS], b[WORDS];
        uint64_t k0 = key[0];
        uint64_t k1 = key[1];

        start(a, counter[0] + i, counter);
        start(b, counter[0] + i + LANES, counter);
        for (unsigned round = 0; round < SNAP_PHILOX_ROUNDS; round++) {
            round_lanes(k0, k1, a);
            round_lanes(k0, k1, b);
            k0 += SNAP_PHILOX_BUMP_64_0;
            k1 += SNAP_PHILOX_BUMP_64_1;
        }
        store(out, a);
        store(out + LANES * WORDS, b);
    }
}

#endif

void snap_philox4x64_blocks(const uint64_t key[2], const uint64_t counter[4], uint64_t *out,
                            size_t blocks)
{
    uint64_t rest[4] = { counter[0], counter[1], counter[2], counter[3] };

#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        size_t whole = blocks - blocks % AT_ONCE;

        blocks_avx2(key, counter, out, whole);
        rest[0] += whole;
        out += whole * WORDS;
        blocks -= whole;
    }
#endif
    snap_philox4x64_blocks_portable(key, rest, out, blocks);
}
