/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/mt19937_64.h"

#define N SNAP_MT19937_64_WORDS
#define M 156u
#define UPPER 0xffffffff80000000u
#define LOWER 0x7fffffffu

void snap_mt19937_64_seed(struct snap_mt19937_64 *mt, uint64_t seed)
{
    uint64_t *k = mt->key;

    k[0] = seed;
    for (uint32_t i = 1; i < N; i++) {
        k[i] = 6364136223846793005u * (k[i - 1] ^ k[i - 1] >> 62) + i;
    }
    mt->pos = N;
}

static uint64_t mix(uint64_t high, uint64_t low)
{
    uint64_t y = (high & UPPER) | (low & LOWER);

    return y >> 1 ^ (-(y & 1u) & 0xb5026f5aa96619e9u);
}

void snap_mt19937_64_twist(uint64_t k[N])
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

uint64_t snap_mt19937_64_u64(struct snap_mt19937_64 *mt)
{
    uint64_t y;

    if (mt->pos >= N) {
        snap_mt19937_64_twist(mt->key);
        mt->pos = 0;
    }
    y = mt->key[mt->pos++];
    mt->words_drawn += 2;
    y ^= y >> 29 & 0x5555555555555555u;
    y ^= y << 17 & 0x71d67fffeda60000u;
    y ^= y << 37 & 0xfff7eee000000000u;
    y ^= y >> 43;
    return y;
}
