/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/threefry.h"

/* The key's last word makes the xor of all of them this constant of Skein's. */
#define PARITY_32 0x1bd11bdau
#define PARITY_64 0x1bd11bdaa9fc1a22u

/* Bits to rotate by, one row of the table a round, over and over. */
static const unsigned char rotations_2x32[8] = { 13, 15, 26, 6, 17, 29, 16, 24 };
static const unsigned char rotations_2x64[8] = { 16, 42, 12, 31, 16, 32, 24, 21 };
static const unsigned char rotations_4x32[8][2] = {
    { 10, 26 }, { 11, 21 }, { 13, 27 }, { 23, 5 }, { 6, 20 }, { 17, 11 }, { 25, 10 }, { 18, 20 },
};
static const unsigned char rotations_4x64[8][2] = {
    { 14, 16 }, { 52, 57 }, { 23, 40 }, { 5, 37 }, { 25, 33 }, { 46, 12 }, { 58, 22 }, { 32, 32 },
};

static uint32_t rotate_32(uint32_t x, unsigned bits)
{
    return x << bits | x >> (32 - bits);
}

static uint64_t rotate_64(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

void snap_threefry2x32(unsigned rounds, const uint32_t key[2], uint32_t w[2])
{
    const uint32_t k[3] = { key[0], key[1], PARITY_32 ^ key[0] ^ key[1] };

    w[0] += k[0];
    w[1] += k[1];
    for (uint32_t round = 0; round < rounds; round++) {
        w[0] += w[1];
        w[1] = rotate_32(w[1], rotations_2x32[round % 8]) ^ w[0];
        if (round % 4 == 3) {
            uint32_t turn = round / 4 + 1;

            w[0] += k[turn % 3];
            w[1] += k[(turn + 1) % 3] + turn;
        }
    }
}

void snap_threefry2x64(unsigned rounds, const uint64_t key[2], uint64_t w[2])
{
    const uint64_t k[3] = { key[0], key[1], PARITY_64 ^ key[0] ^ key[1] };

    w[0] += k[0];
    w[1] += k[1];
    for (unsigned round = 0; round < rounds; round++) {
        w[0] += w[1];
        w[1] = rotate_64(w[1], rotations_2x64[round % 8]) ^ w[0];
        if (round % 4 == 3) {
            uint64_t turn = round / 4 + 1;

            w[0] += k[turn % 3];
            w[1] += k[(turn + 1) % 3] + turn;
        }
    }
}

void snap_threefry4x32(unsigned rounds, const uint32_t key[4], uint32_t w[4])
{
    const uint32_t k[5] = { key[0], key[1], key[2], key[3],
                            PARITY_32 ^ key[0] ^ key[1] ^ key[2] ^ key[3] };

    for (unsigned i = 0; i < 4; i++) {
        w[i] += k[i];
    }
    for (uint32_t round = 0; round < rounds; round++) {
        const unsigned char *rotations = rotations_4x32[round % 8];
        unsigned first = round % 2 == 0 ? 1 : 3; /* the word that is mixed with word 0 */

        w[0] += w[first];
        w[first] = rotate_32(w[first], rotations[0]) ^ w[0];
        w[2] += w[4 - first];
        w[4 - first] = rotate_32(w[4 - first], rotations[1]) ^ w[2];
        if (round % 4 == 3) {
            uint32_t turn = round / 4 + 1;

            for (unsigned i = 0; i < 4; i++) {
                w[i] += k[(turn + i) % 5];
            }
            w[3] += turn;
        }
    }
}

void snap_threefry4x64(unsigned rounds, const uint64_t key[4], uint64_t w[4])
{
    const uint64_t k[5] = { key[0], key[1], key[2], key[3],
                            PARITY_64 ^ key[0] ^ key[1] ^ key[2] ^ key[3] };

    for (unsigned i = 0; i < 4; i++) {
        w[i] += k[i];
    }
    for (unsigned round = 0; round < rounds; round++) {
        const unsigned char *rotations = rotations_4x64[round % 8];
        unsigned first = round % 2 == 0 ? 1 : 3; /* the word that is mixed with word 0 */

        w[0] += w[first];
        w[first] = rotate_64(w[first], rotations[0]) ^ w[0];
        w[2] += w[4 - first];
        w[4 - first] = rotate_64(w[4 - first], rotations[1]) ^ w[2];
        if (round % 4 == 3) {
            uint64_t turn = round / 4 + 1;

            for (unsigned i = 0; i < 4; i++) {
                w[i] += k[(turn + i) % 5];
            }
            w[3] += turn;
        }
    }
}
