/* SPDX-License-Identifier: Apache-2.0 */
/* Draws that make many numbers at once against the same ones one by one: the numbers, and where
 * they leave the engine. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stream/numpy_random_state.h"
#include "stream/torch_cpu.h"
#include "stream/torch_lanes.h"

#define MOST 3000u

static const uint32_t positions[] = { 0, 1, 2, 3, 311, 620, 621, 622, 623, 624 };
static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 7, 8, 311, 312, 313, 623, 624, 625, 1249, 2999 };
#define POSITIONS (sizeof positions / sizeof positions[0])
#define SIZES (sizeof sizes / sizeof sizes[0])

static struct snap_error err = SNAP_ERROR_INIT;

static void expect_bits(const void *a, const void *b, size_t size_bytes)
{
    if (size_bytes > 0) {
        assert_memory_equal(a, b, size_bytes);
    }
}

static void expect_twister(const struct snap_mt19937 *a, const struct snap_mt19937 *b)
{
    assert_int_equal(a->pos, b->pos);
    assert_int_equal(a->words_drawn, b->words_drawn);
    assert_memory_equal(a->key, b->key, sizeof a->key);
}

static struct snap_mt19937 at_position(uint32_t pos)
{
    struct snap_mt19937 mt = { .pos = 0 };

    snap_mt19937_init_genrand(&mt, 5);
    mt.pos = pos;
    return mt;
}

static void twister(void **state)
{
    static uint32_t narrow[2][MOST];
    static uint64_t wide[2][MOST];
    static double doubles[2][MOST];

    (void)state;
    for (size_t p = 0; p < POSITIONS; p++) {
        for (size_t s = 0; s < SIZES; s++) {
            struct snap_mt19937 a = at_position(positions[p]);
            struct snap_mt19937 b = a;
            size_t n = sizes[s];

            snap_mt19937_fill_u32(&a, narrow[0], n);
            snap_mt19937_fill_u64(&a, wide[0], n);
            snap_mt19937_fill_double(&a, doubles[0], n);
            for (size_t i = 0; i < n; i++) {
                narrow[1][i] = snap_mt19937_u32(&b);
            }
            for (size_t i = 0; i < n; i++) {
                wide[1][i] = snap_mt19937_u64(&b);
            }
            for (size_t i = 0; i < n; i++) {
                doubles[1][i] = snap_mt19937_double(&b);
            }
            expect_bits(narrow[0], narrow[1], n * sizeof narrow[0][0]);
            expect_bits(wide[0], wide[1], n * sizeof wide[0][0]);
            expect_bits(doubles[0], doubles[1], n * sizeof doubles[0][0]);
            expect_twister(&a, &b);
        }
    }
}

/* The recurrence as its authors wrote it, one word after the other. */
static void twist_by_definition(void **state)
{
    struct snap_mt19937 mt = at_position(624);
    uint32_t k[SNAP_MT19937_WORDS];

    (void)state;
    for (unsigned turn = 0; turn < 3; turn++) {
        memcpy(k, mt.key, sizeof k);
        for (size_t i = 0; i < 624; i++) {
            uint32_t y = (k[i] & 0x80000000u) | (k[(i + 1) % 624] & 0x7fffffffu);

            k[i] = k[(i + 397) % 624] ^ y >> 1 ^ (y % 2 != 0 ? 0x9908b0dfu : 0);
        }
        snap_mt19937_twist(mt.key);
        assert_memory_equal(k, mt.key, sizeof k);
    }
}

static struct snap_numpy_random_state random_state(uint32_t pos, bool has_gauss)
{
    struct snap_numpy_random_state r = { .mt = at_position(pos) };

    r.has_gauss = has_gauss;
    r.gauss = has_gauss ? 0.125 : 0.0;
    return r;
}

static void normals(void **state)
{
    static double out[2][MOST];

    (void)state;
    for (size_t p = 0; p < 2 * POSITIONS; p++) {
        for (size_t s = 0; s < SIZES; s++) {
            struct snap_numpy_random_state a = random_state(positions[p / 2], p % 2 != 0);
            struct snap_numpy_random_state b = a;

            snap_numpy_standard_normals(&a, out[0], sizes[s]);
            for (size_t i = 0; i < sizes[s]; i++) {
                out[1][i] = snap_numpy_standard_normal(&b);
            }
            expect_bits(out[0], out[1], sizes[s] * sizeof out[0][0]);
            expect_twister(&a.mt, &b.mt);
            assert_int_equal(a.has_gauss, b.has_gauss);
            assert_memory_equal(&a.gauss, &b.gauss, sizeof a.gauss);
        }
    }
}

static void integers(void **state)
{
    static const struct {
        int64_t low, high;
    } bounds[] = { { 0, 1 },         { 0, 2 },        { -5, 1000 },       { 0, 1ll << 31 },
                   { 0, 1ll << 32 }, { 7, 3ll << 30 }, { -9, 1ll << 32 }, { 0, (1ll << 32) + 1 },
                   { 0, 3ll << 40 }, { INT64_MIN, INT64_MAX } };
    static int64_t out[MOST];

    (void)state;
    for (size_t c = 0; c < sizeof bounds / sizeof bounds[0]; c++) {
        for (size_t s = 0; s < SIZES; s++) {
            struct snap_numpy_random_state a = random_state(623, false);
            struct snap_numpy_random_state b = a;
            uint64_t range = (uint64_t)bounds[c].high - 1 - (uint64_t)bounds[c].low;
            struct snap_numpy_pieces pieces = { 0, 0 };

            assert_int_equal(snap_numpy_randint_int64(&a, bounds[c].low, bounds[c].high, out,
                                                      sizes[s], &err),
                             SNAP_OK);
            for (size_t i = 0; i < sizes[s]; i++) {
                uint64_t value = snap_numpy_bounded(&b, 64, range, &pieces);

                assert_int_equal((uint64_t)out[i], (uint64_t)bounds[c].low + value);
            }
            expect_twister(&a.mt, &b.mt);
        }
    }
}

static void shuffles(void **state)
{
    static uint64_t items[2][MOST];

    (void)state;
    for (size_t p = 0; p < POSITIONS; p++) {
        for (size_t s = 0; s < SIZES; s++) {
            struct snap_numpy_random_state a = random_state(positions[p], false);
            struct snap_numpy_random_state b = a;

            snap_numpy_permutation(&a, items[0], sizes[s]);
            for (size_t i = 0; i < sizes[s]; i++) {
                items[1][i] = i;
            }
            for (size_t i = sizes[s]; i-- > 1;) {
                size_t j = (size_t)snap_numpy_interval(&b, i);
                uint64_t item = items[1][i];

                items[1][i] = items[1][j];
                items[1][j] = item;
            }
            expect_bits(items[0], items[1], sizes[s] * sizeof items[0][0]);
            expect_twister(&a.mt, &b.mt);
        }
    }
}

static void torch_uniforms(void **state)
{
    static float floats[2][MOST];
    static double doubles[2][MOST];

    (void)state;
    for (size_t p = 0; p < POSITIONS; p++) {
        for (size_t s = 0; s < SIZES; s++) {
            struct snap_torch_cpu a = { .mt = at_position(positions[p]) };
            struct snap_torch_cpu b = a;

            snap_torch_floats(&a, floats[0], sizes[s]);
            snap_torch_doubles(&a, doubles[0], sizes[s]);
            for (size_t i = 0; i < sizes[s]; i++) {
                floats[1][i] = snap_torch_float(&b);
            }
            for (size_t i = 0; i < sizes[s]; i++) {
                doubles[1][i] = snap_torch_double(&b);
            }
            expect_bits(floats[0], floats[1], sizes[s] * sizeof floats[0][0]);
            expect_bits(doubles[0], doubles[1], sizes[s] * sizeof doubles[0][0]);
            expect_twister(&a.mt, &b.mt);
            assert_int_equal(a.used_up_next, b.used_up_next);
        }
    }
}

/* Around multiples of ranges of all sizes, where a quotient would be rounded wrongly first. */
static void torch_remainders(void **state)
{
    uint32_t range = 1;

    (void)state;
    for (unsigned turn = 0; turn < 200000; turn++) {
        const uint32_t most = UINT32_MAX / range * range; /* the largest multiple */
        const uint32_t words[] = { 0, range - 1, range, range + 1, most - 1, most, most + 1,
                                   most / 2, UINT32_MAX };

        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            assert_int_equal(snap_torch_remainder(words[i], range), words[i] % range);
        }
        range = turn < 70000 ? range + 1 : range * 1664525u + 1013904223u;
        range = turn % 7 == 0 || range == 0 ? UINT32_MAX - turn : range;
    }
}

/* From the first item on: swap it with one of those from it on. */
static void torch_permutations(void **state)
{
    static uint64_t items[2][MOST];

    (void)state;
    for (size_t p = 0; p < POSITIONS; p++) {
        for (size_t s = 0; s < SIZES; s++) {
            struct snap_torch_cpu a = { .mt = at_position(positions[p]) };
            struct snap_torch_cpu b = a;

            snap_torch_randperm(&a, items[0], sizes[s]);
            for (size_t i = 0; i < sizes[s]; i++) {
                items[1][i] = i;
            }
            for (size_t i = 0; i + 1 < sizes[s]; i++) {
                size_t j = i + snap_torch_u32(&b) % (sizes[s] - i);
                uint64_t item = items[1][i];

                items[1][i] = items[1][j];
                items[1][j] = item;
            }
            expect_bits(items[0], items[1], sizes[s] * sizeof items[0][0]);
            expect_twister(&a.mt, &b.mt);
            assert_int_equal(a.used_up_next, b.used_up_next);
        }
    }
}

/* Every third of the 2^24 uniforms that there are, as a radius or as an angle. */
static void torch_normals(void **state)
{
    static float blocks[2][64 * SNAP_TORCH_BLOCK];
    const size_t count = sizeof blocks[0] / sizeof blocks[0][0];
    uint32_t next = 0;

    (void)state;
    while (next < 1u << 24) {
        for (size_t i = 0; i < count; i++) {
            blocks[0][i] = (float)(next % (1u << 24)) * 0x1p-24f;
            next += 3;
        }
        memcpy(blocks[1], blocks[0], sizeof blocks[0]);
        snap_torch_normals_f32(blocks[0], 64, 0.3f, 1.7f);
        snap_torch_normals_f32_portable(blocks[1], 64, 0.3f, 1.7f);
        assert_memory_equal(blocks[0], blocks[1], sizeof blocks[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twister),        cmocka_unit_test(twist_by_definition),
        cmocka_unit_test(normals),        cmocka_unit_test(integers),
        cmocka_unit_test(shuffles),       cmocka_unit_test(torch_uniforms),
        cmocka_unit_test(torch_normals),    cmocka_unit_test(torch_remainders),
        cmocka_unit_test(torch_permutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
