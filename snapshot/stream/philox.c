/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/philox.h"

#define MULTIPLIER_2X32 0xd256d193u
#define MULTIPLIER_4X32_0 0xd2511f53u
#define MULTIPLIER_4X32_1 0xcd9e8d57u
#define MULTIPLIER_2X64 0xd2b74407b1ce6e93u
/* Key bumps: the golden ratio and sqrt(3) - 1. */
#define BUMP_32_0 0x9e3779b9u
#define BUMP_32_1 0xbb67ae85u

__extension__ typedef unsigned __int128 wide;

static uint32_t multiply_32(uint32_t a, uint32_t b, uint32_t *high)
{
    uint64_t product = (uint64_t)a * b;

    *high = (uint32_t)(product >> 32);
    return (uint32_t)product;
}

static uint64_t multiply_64(uint64_t a, uint64_t b, uint64_t *high)
{
    wide product = (wide)a * b;

    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
}

void snap_philox2x32(unsigned rounds, uint32_t key, uint32_t w[2])
{
    for (; rounds > 0; rounds--) {
        uint32_t high;
        uint32_t low = multiply_32(MULTIPLIER_2X32, w[0], &high);

        w[0] = high ^ key ^ w[1];
        w[1] = low;
        key += BUMP_32_0;
    }
}

void snap_philox4x32(unsigned rounds, const uint32_t key[2], uint32_t w[4])
{
    uint32_t k0 = key[0];
    uint32_t k1 = key[1];

    for (; rounds > 0; rounds--) {
        uint32_t high0, high1;
        uint32_t low0 = multiply_32(MULTIPLIER_4X32_0, w[0], &high0);
        uint32_t low1 = multiply_32(MULTIPLIER_4X32_1, w[2], &high1);

        w[0] = high1 ^ w[1] ^ k0;
        w[1] = low1;
        w[2] = high0 ^ w[3] ^ k1;
        w[3] = low0;
        k0 += BUMP_32_0;
        k1 += BUMP_32_1;
    }
}

void snap_philox2x64(unsigned rounds, uint64_t key, uint64_t w[2])
{
    for (; rounds > 0; rounds--) {
        uint64_t high;
        uint64_t low = multiply_64(MULTIPLIER_2X64, w[0], &high);

        w[0] = high ^ key ^ w[1];
        w[1] = low;
        key += SNAP_PHILOX_BUMP_64_0;
    }
}

void snap_philox4x64(unsigned rounds, const uint64_t key[2], uint64_t w[4])
{
    uint64_t k0 = key[0];
    uint64_t k1 = key[1];

    for (; rounds > 0; rounds--) {
        uint64_t high0, high1;
        uint64_t low0 = multiply_64(SNAP_PHILOX_MULTIPLIER_4X64_0, w[0], &high0);
        uint64_t low1 = multiply_64(SNAP_PHILOX_MULTIPLIER_4X64_1, w[2], &high1);

        w[0] = high1 ^ w[1] ^ k0;
        w[1] = low1;
        w[2] = high0 ^ w[3] ^ k1;
        w[3] = low0;
        k0 += SNAP_PHILOX_BUMP_64_0;
        k1 += SNAP_PHILOX_BUMP_64_1;
    }
}

/* counter += n, over 128 bits. */
static void add_to_counter(uint32_t counter[4], uint64_t n)
{
    uint64_t carry = n;

    for (unsigned i = 0; i < 4; i++) {
        uint64_t sum = (uint64_t)counter[i] + (uint32_t)carry;

        counter[i] = (uint32_t)sum;
        carry = (carry >> 32) + (sum >> 32);
    }
}

void snap_at_philox_init(struct snap_at_philox *p, uint64_t seed, uint64_t subsequence,
                         uint64_t offset)
{
    p->key[0] = (uint32_t)seed;
    p->key[1] = (uint32_t)(seed >> 32);
    p->counter[0] = 0;
    p->counter[1] = 0;
    p->counter[2] = (uint32_t)subsequence;
    p->counter[3] = (uint32_t)(subsequence >> 32);
    p->used = 4;
    add_to_counter(p->counter, offset);
}

uint32_t snap_at_philox_u32(struct snap_at_philox *p)
{
    if (p->used == 4) {
        for (unsigned i = 0; i < 4; i++) {
            p->block[i] = p->counter[i];
        }
        snap_philox4x32(SNAP_PHILOX_ROUNDS, p->key, p->block);
        add_to_counter(p->counter, 1);
        p->used = 0;
    }
    return p->block[p->used++];
}

uint32_t snap_curand_philox_word(uint64_t seed, uint64_t subsequence, uint64_t offset, uint64_t i)
{
    struct snap_at_philox p;
    unsigned place = (unsigned)((offset & 3) + (i & 3)); /* 0..6: at most one block further */

    snap_at_philox_init(&p, seed, subsequence, offset / 4);
    add_to_counter(p.counter, i / 4 + place / 4);
    for (unsigned skip = place % 4; skip > 0; skip--) {
        snap_at_philox_u32(&p);
    }
    return snap_at_philox_u32(&p);
}
