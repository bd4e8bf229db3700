/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/xorwow.h"

#include <string.h>

void snap_xorwow_seed(struct snap_xorwow *x, uint64_t seed)
{
    uint32_t low = 1099087573u * ((uint32_t)seed ^ 0xaad26b49u);
    uint32_t high = 2591861531u * ((uint32_t)(seed >> 32) ^ 0xf7dcefddu);

    x->d = 6615241u + high + low;
    x->v[0] = 123456789u + low;
    x->v[1] = 362436069u ^ low;
    x->v[2] = 521288629u + high;
    x->v[3] = 88675123u ^ high;
    x->v[4] = 5783321u + low;
}

static void step(uint32_t v[SNAP_XORWOW_WORDS])
{
    uint32_t t = v[0] ^ v[0] >> 2;

    memmove(v, v + 1, 4 * sizeof v[0]);
    v[4] = (v[4] ^ v[4] << 4) ^ (t ^ t << 1); /* v[4] has not moved yet */
}

uint32_t snap_xorwow_u32(struct snap_xorwow *x)
{
    step(x->v);
    x->d += SNAP_XORWOW_WEYL;
    return x->v[4] + x->d;
}

void snap_xorwow_apply(const struct snap_xorwow_matrix *matrix, uint32_t v[SNAP_XORWOW_WORDS])
{
    uint32_t sum[SNAP_XORWOW_WORDS] = { 0 };

    for (unsigned bit = 0; bit < SNAP_XORWOW_BITS; bit++) {
        uint32_t mask = -(v[bit / 32] >> (bit % 32) & 1u);

        for (unsigned i = 0; i < SNAP_XORWOW_WORDS; i++) {
            sum[i] ^= matrix->columns[bit][i] & mask;
        }
    }
    memcpy(v, sum, sizeof sum);
}

void snap_xorwow_square(struct snap_xorwow_matrix *matrix)
{
    struct snap_xorwow_matrix square = *matrix;

    for (unsigned bit = 0; bit < SNAP_XORWOW_BITS; bit++) {
        snap_xorwow_apply(matrix, square.columns[bit]);
    }
    *matrix = square;
}

void snap_xorwow_power(struct snap_xorwow_matrix *matrix, unsigned power)
{
    memset(matrix, 0, sizeof *matrix);
    for (unsigned bit = 0; bit < SNAP_XORWOW_BITS; bit++) {
        matrix->columns[bit][bit / 32] = (uint32_t)1 << (bit % 32);
        step(matrix->columns[bit]);
    }
    for (; power > 0; power--) {
        snap_xorwow_square(matrix);
    }
}

void snap_xorwow_skip(struct snap_xorwow *x, uint64_t steps)
{
    struct snap_xorwow_matrix matrix;

    x->d += SNAP_XORWOW_WEYL * (uint32_t)steps;
    snap_xorwow_power(&matrix, 0);
    for (;; snap_xorwow_square(&matrix)) {
        if (steps & 1) {
            snap_xorwow_apply(&matrix, x->v);
        }
        steps >>= 1;
        if (steps == 0) {
            return;
        }
    }
}
