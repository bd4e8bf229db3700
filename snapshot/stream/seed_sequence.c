/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/seed_sequence.h"

static uint32_t hash_mix(uint32_t value, uint32_t *multiplier)
{
    value ^= *multiplier;
    *multiplier *= 0x931e8875u;
    value *= *multiplier;
    return value ^ value >> 16;
}

static uint32_t mix(uint32_t x, uint32_t y)
{
    uint32_t r = 0xca01f9ddu * x - 0x4973f715u * y;

    return r ^ r >> 16;
}

void snap_seed_pool_mix(uint32_t *pool, size_t pool_size, const uint32_t *entropy, size_t count)
{
    uint32_t multiplier = 0x43b0d7e5u;

    for (size_t i = 0; i < pool_size; i++) {
        pool[i] = hash_mix(i < count ? entropy[i] : 0, &multiplier);
    }
    for (size_t source = 0; source < pool_size; source++) {
        for (size_t i = 0; i < pool_size; i++) {
            if (i != source) {
                pool[i] = mix(pool[i], hash_mix(pool[source], &multiplier));
            }
        }
    }
    for (size_t source = pool_size; source < count; source++) {
        for (size_t i = 0; i < pool_size; i++) {
            pool[i] = mix(pool[i], hash_mix(entropy[source], &multiplier));
        }
    }
}

void snap_seed_pool_generate(const uint32_t *pool, size_t pool_size, uint32_t *words, size_t count)
{
    uint32_t multiplier = 0x8b51f9ddu;

    for (size_t i = 0; i < count; i++) {
        uint32_t value = pool[i % pool_size] ^ multiplier;

        multiplier *= 0x58f38dedu;
        value *= multiplier;
        words[i] = value ^ value >> 16;
    }
}

void snap_seed_sequence_init(struct snap_seed_sequence *sequence, const uint32_t *entropy,
                             size_t count)
{
    snap_seed_pool_mix(sequence->pool, SNAP_SEED_SEQUENCE_POOL, entropy, count);
}

void snap_seed_sequence_generate(const struct snap_seed_sequence *sequence, uint32_t *words,
                                 size_t count)
{
    snap_seed_pool_generate(sequence->pool, SNAP_SEED_SEQUENCE_POOL, words, count);
}
