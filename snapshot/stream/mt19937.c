/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/mt19937.h"

#include <string.h>

#include "stream/uniform_lanes.h"

#define N SNAP_MT19937_WORDS
#define M 397u
#define UPPER 0x80000000u
#define LOWER 0x7fffffffu
#define BLOCK 312u /* pairs of words on the stack at once */

void snap_mt19937_init_genrand(struct snap_mt19937 *mt, uint32_t seed)
{
    uint32_t *k = mt->key;

    k[0] = seed;
    for (uint32_t i = 1; i < N; i++) {
        k[i] = 1812433253u * (k[i - 1] ^ (k[i - 1] >> 30)) + i;
    }
    mt->pos = N;
}

void snap_mt19937_init_by_array(struct snap_mt19937 *mt, const uint32_t *words, size_t count)
{
    uint32_t *k = mt->key;
    uint32_t i = 1;
    size_t j = 0;

    snap_mt19937_init_genrand(mt, 19650218u);
    for (size_t left = count > N ? count : N; left > 0; left--) {
        k[i] = (k[i] ^ ((k[i - 1] ^ (k[i - 1] >> 30)) * 1664525u)) + words[j] + (uint32_t)j;
        if (++i == N) {
            k[0] = k[N - 1];
            i = 1;
        }
        if (++j == count) {
            j = 0;
        }
    }
    for (size_t left = N - 1; left > 0; left--) {
        k[i] = (k[i] ^ ((k[i - 1] ^ (k[i - 1] >> 30)) * 1566083941u)) - i;
        if (++i == N) {
            k[0] = k[N - 1];
            i = 1;
        }
    }
    k[0] = UPPER; /* so that the state cannot be all zero */
}

typedef snap_lanes_u32 lanes;
#define LANES 4u

static inline lanes load(const uint32_t *at)
{
    lanes words;

    memcpy(&words, at, sizeof words);
    return words;
}

static inline void store(uint32_t *at, lanes words)
{
    memcpy(at, &words, sizeof words);
}

static inline uint32_t mix(uint32_t high, uint32_t low)
{
    uint32_t y = (high & UPPER) | (low & LOWER);

    return (y >> 1) ^ (-(y & 1u) & 0x9908b0dfu);
}

static inline lanes mix_lanes(lanes high, lanes low)
{
    lanes y = (high & UPPER) | (low & LOWER);

    return (y >> 1) ^ (-(y & 1u) & 0x9908b0dfu);
}

/* Words `from` to `to` - 1 of the next block; word i is made of the one that is `ahead` of it. */
static inline void twist_part(uint32_t k[N], uint32_t from, uint32_t to, int32_t ahead)
{
    uint32_t i = from;

    for (; i + LANES <= to; i += LANES) {
        store(k + i, load(k + (int32_t)i + ahead) ^ mix_lanes(load(k + i), load(k + i + 1)));
    }
    for (; i < to; i++) {
        k[i] = k[(int32_t)i + ahead] ^ mix(k[i], k[i + 1]);
    }
}

void snap_mt19937_twist(uint32_t k[N])
{
    twist_part(k, 0, N - M, M);
    twist_part(k, N - M, N - 1, (int32_t)M - (int32_t)N);
    k[N - 1] = k[M - 1] ^ mix(k[N - 1], k[0]);
}

static inline uint32_t temper(uint32_t y)
{
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ y >> 18;
}

static inline lanes temper_lanes(lanes y)
{
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ y >> 18;
}

uint32_t snap_mt19937_u32(struct snap_mt19937 *mt)
{
    if (mt->pos >= N) {
        snap_mt19937_twist(mt->key);
        mt->pos = 0;
    }
    mt->words_drawn++;
    return temper(mt->key[mt->pos++]);
}

void snap_mt19937_fill_u32(struct snap_mt19937 *mt, uint32_t *out, size_t n)
{
    mt->words_drawn += n;
    while (n > 0) {
        const uint32_t *key;
        size_t count;
        size_t i = 0;

        if (mt->pos >= N) {
            snap_mt19937_twist(mt->key);
            mt->pos = 0;
        }
        key = mt->key + mt->pos;
        count = N - mt->pos < n ? N - mt->pos : n;
        for (; i + LANES <= count; i += LANES) {
            store(out + i, temper_lanes(load(key + i)));
        }
        for (; i < count; i++) {
            out[i] = temper(key[i]);
        }
        mt->pos += (uint32_t)count;
        out += count;
        n -= count;
    }
}

uint64_t snap_mt19937_u64(struct snap_mt19937 *mt)
{
    uint64_t high = snap_mt19937_u32(mt);

    return high << 32 | snap_mt19937_u32(mt);
}

double snap_mt19937_double(struct snap_mt19937 *mt)
{
    uint32_t a = snap_mt19937_u32(mt) >> 5;
    uint32_t b = snap_mt19937_u32(mt) >> 6;

    return ((double)a * 67108864.0 + (double)b) * 0x1p-53;
}

void snap_mt19937_fill_u64(struct snap_mt19937 *mt, uint64_t *out, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t words[2 * BLOCK];
        size_t count = n - i < BLOCK ? n - i : BLOCK;

        snap_mt19937_fill_u32(mt, words, 2 * count);
        for (size_t j = 0; j < count; j++, i++) {
            out[i] = (uint64_t)words[2 * j] << 32 | words[2 * j + 1];
        }
    }
}

void snap_mt19937_fill_double(struct snap_mt19937 *mt, double *out, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t words[2 * BLOCK];
        size_t count = n - i < BLOCK ? n - i : BLOCK;
        size_t j = 0;

        snap_mt19937_fill_u32(mt, words, 2 * count);
        for (; j + 2 <= count; j += 2) {
            snap_lanes_u64 pair;
            snap_lanes_f64 numbers;

            memcpy(&pair, words + 2 * j, sizeof pair); /* the first word is the low half here */
            numbers = snap_lanes_to_f64(((pair & 0xffffffe0u) << 21) | pair >> 38);
            memcpy(out + i + j, &numbers, sizeof numbers);
        }
        for (; j < count; j++) {
            out[i + j] = snap_word_to_f64((uint64_t)(words[2 * j] >> 5) << 26 |
                                          words[2 * j + 1] >> 6);
        }
        i += count;
    }
}
