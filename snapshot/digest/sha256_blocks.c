/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "digest/sha256_blocks.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <sys/platform/x86.h>

#define TARGET __attribute__((target("sha,sse4.1")))
#define INLINE static inline __attribute__((always_inline))

/* FIPS 180-4, 4.2.2. */
static const uint32_t constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The state as the instructions want it: words A, B, E, F and C, D, G, H, each from the highest
 * quarter of the register to the lowest. */
struct halves {
    __m128i abef;
    __m128i cdgh;
};

INLINE TARGET struct halves load_state(const uint32_t state[8])
{
    __m128i dcba = _mm_loadu_si128((const __m128i *)(const void *)state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(const void *)(state + 4));
    __m128i badc = _mm_shuffle_epi32(dcba, _MM_SHUFFLE(2, 3, 0, 1));
    __m128i fehg = _mm_shuffle_epi32(hgfe, _MM_SHUFFLE(2, 3, 0, 1));
    return (struct halves){ _mm_unpacklo_epi64(fehg, badc), _mm_unpackhi_epi64(fehg, badc) };
}

INLINE TARGET void store_state(struct halves halves, uint32_t state[8])
{
    __m128i badc = _mm_unpackhi_epi64(halves.abef, halves.cdgh);
    __m128i fehg = _mm_unpacklo_epi64(halves.abef, halves.cdgh);
    _mm_storeu_si128((__m128i *)(void *)state,
                     _mm_shuffle_epi32(badc, _MM_SHUFFLE(2, 3, 0, 1)));
    _mm_storeu_si128((__m128i *)(void *)(state + 4),
                     _mm_shuffle_epi32(fehg, _MM_SHUFFLE(2, 3, 0, 1)));
}

/* Words 4 * `group` to 4 * `group` + 3 of the message schedule; `words` keeps the last sixteen. */
INLINE TARGET __m128i schedule(__m128i words[4], const unsigned char *block, int group)
{
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i next;
    if (group < 4) {
        next = _mm_loadu_si128((const __m128i *)(const void *)(block + 16 * group));
        next = _mm_shuffle_epi8(next, big_endian);
    } else {
        __m128i before = words[(group + 3) & 3];
        next = _mm_sha256msg1_epu32(words[group & 3], words[(group + 1) & 3]);
        next = _mm_add_epi32(next, _mm_alignr_epi8(before, words[(group + 2) & 3], 4));
        next = _mm_sha256msg2_epu32(next, before);
    }
    words[group & 3] = next;
    return next;
}

/* Four rounds. */
INLINE TARGET void rounds(struct halves *halves, __m128i words, int group)
{
    __m128i sum = _mm_add_epi32(
        words, _mm_load_si128((const __m128i *)(const void *)(constants + 4 * group)));
    halves->cdgh = _mm_sha256rnds2_epu32(halves->cdgh, halves->abef, sum);
    sum = _mm_shuffle_epi32(sum, _MM_SHUFFLE(1, 0, 3, 2));
    halves->abef = _mm_sha256rnds2_epu32(halves->abef, halves->cdgh, sum);
}

INLINE TARGET void add_halves(struct halves *halves, struct halves before)
{
    halves->abef = _mm_add_epi32(halves->abef, before.abef);
    halves->cdgh = _mm_add_epi32(halves->cdgh, before.cdgh);
}

TARGET static void take_blocks(uint32_t state[8], const unsigned char *data, size_t blocks)
{
    struct halves halves = load_state(state);
    for (; blocks > 0; blocks--, data += SNAP_SHA256_BLOCK_BYTES) {
        struct halves before = halves;
        __m128i words[4];
#pragma GCC unroll 16
        for (int group = 0; group < 16; group++)
            rounds(&halves, schedule(words, data, group), group);
        add_halves(&halves, before);
    }
    store_state(halves, state);
}

TARGET static void take_pair(uint32_t a_state[8], const unsigned char *a_data, uint32_t b_state[8],
                             const unsigned char *b_data, size_t blocks)
{
    struct halves a = load_state(a_state);
    struct halves b = load_state(b_state);
    for (; blocks > 0; blocks--) {
        struct halves a_before = a;
        struct halves b_before = b;
        __m128i a_words[4];
        __m128i b_words[4];
#pragma GCC unroll 16
        for (int group = 0; group < 16; group++) {
            rounds(&a, schedule(a_words, a_data, group), group);
            rounds(&b, schedule(b_words, b_data, group), group);
        }
        add_halves(&a, a_before);
        add_halves(&b, b_before);
        a_data += SNAP_SHA256_BLOCK_BYTES;
        b_data += SNAP_SHA256_BLOCK_BYTES;
    }
    store_state(a, a_state);
    store_state(b, b_state);
}

const struct snap_sha256_blocks *snap_sha256_blocks(void)
{
    static const struct snap_sha256_blocks blocks = { take_blocks, take_pair };
    /* As the C library has seen it at start: asking the processor takes long in a virtual
     * machine. */
    return CPU_FEATURE_ACTIVE(SHA) && CPU_FEATURE_ACTIVE(SSE4_1) ? &blocks : NULL;
}

#else

const struct snap_sha256_blocks *snap_sha256_blocks(void)
{
    return NULL;
}

#endif
