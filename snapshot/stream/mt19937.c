/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/mt19937.h"

#define N SNAP_MT19937_WORDS
#define M 397u
#define UPPER 0x80000000u
#define LOWER 0x7fffffffu

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

static uint32_t mix(uint32_t high, uint32_t low)
{
    uint32_t y = (high & UPPER) | (low & LOWER);

    return (y >> 1) ^ (-(y & 1u) & 0x9908b0dfu);
}

void snap_mt19937_twist(uint32_t k[N])
{
    uint32_t i;

    for (i = 0; i < N - M; i++) {
        k[i] = k[i + M] ^ mix(k[i], k[i + 1]);
    }
    for (; i < N - 1; i++) {
        k[i] = k[i + M - N] ^ mix(k[i], k[i + 1]);
    }
    k[N - 1] = k[M - 1] ^ mix(k[N - 1], k[0]);
}

uint32_t snap_mt19937_u32(struct snap_mt19937 *mt)
{
    uint32_t y;

    if (mt->pos >= N) {
        snap_mt19937_twist(mt->key);
        mt->pos = 0;
    }
    y = mt->key[mt->pos++];
    mt->words_drawn++;
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    y ^= y >> 18;
    return y;
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
