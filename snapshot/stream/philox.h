/* SPDX-License-Identifier: Apache-2.0 */
/* The counter-based generator Philox (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3", 2011), bit for bit as in Random123, and the streams of words that torch makes
 * of it. 10 rounds are what everybody uses; the others are for the published answers. */
#ifndef SNAP_STREAM_PHILOX_H
#define SNAP_STREAM_PHILOX_H

#include <stddef.h>
#include <stdint.h>

#define SNAP_PHILOX_ROUNDS 10u

#define SNAP_PHILOX_MULTIPLIER_4X64_0 0xd2e7470ee14c6c93u
#define SNAP_PHILOX_MULTIPLIER_4X64_1 0xca5a826395121157u
/* Key bumps of 64 bits: the golden ratio and sqrt(3) - 1. */
#define SNAP_PHILOX_BUMP_64_0 0x9e3779b97f4a7c15u
#define SNAP_PHILOX_BUMP_64_1 0xbb67ae8584caa73bu

/* `words` is the counter on entry and the random words on return. */
void snap_philox2x32(unsigned rounds, uint32_t key, uint32_t words[2]);
void snap_philox4x32(unsigned rounds, const uint32_t key[2], uint32_t words[4]);
void snap_philox2x64(unsigned rounds, uint64_t key, uint64_t words[2]);
void snap_philox4x64(unsigned rounds, const uint64_t key[2], uint64_t words[4]);

/* Many blocks of Philox4x64 with SNAP_PHILOX_ROUNDS: of `counter` and those after it, four words
 * each. The low word of the counter must not overflow on the way. philox_lanes.c */
void snap_philox4x64_blocks(const uint64_t key[2], const uint64_t counter[4], uint64_t *out,
                            size_t blocks);
/* The same one by one, whatever the CPU has. */
void snap_philox4x64_blocks_portable(const uint64_t key[2], const uint64_t counter[4],
                                     uint64_t *out, size_t blocks);

/* at::Philox4_32 (ATen/core/PhiloxRNGEngine.h): a stream of words; `offset` counts blocks of four
 * words. */
struct snap_at_philox {
    uint32_t key[2];
    uint32_t counter[4]; /* of the next block: offset low, high, subsequence low, high */
    uint32_t block[4];
    unsigned used; /* words of `block` given out, 4: none left */
};

void snap_at_philox_init(struct snap_at_philox *p, uint64_t seed, uint64_t subsequence,
                         uint64_t offset);
uint32_t snap_at_philox_u32(struct snap_at_philox *p);

/* The words a thread of torch's CUDA kernels draws: curand_init(seed, subsequence, offset) and then
 * curand(), where `offset` counts 32-bit words. Word i of the stream, i = 0, 1, ... */
uint32_t snap_curand_philox_word(uint64_t seed, uint64_t subsequence, uint64_t offset, uint64_t i);

#endif
