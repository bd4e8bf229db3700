/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's five bit generators: their words, that any mixture of fills gives the same ones, and how
 * far two states are from each other. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <snapstate/stream.h>

#include "stream/numpy_bit_generator.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* The first words of 64 bits after seed 42, as NumPy 1.24 gives them. */
static const struct engine {
    const char *kind;
    uint64_t words[6];
} engines[] = {
    { "numpy_pcg64",
      { 0xc621fbcd16d92688u, 0x705a5661a791ffc1u, 0xdbcd12c26eda1624u, 0xb286b60e1600888du,
        0x181c01b5339381ebu, 0xf9c262ed86c7538cu } },
    { "numpy_pcg64dxsm",
      { 0xab1c50338e63481du, 0x01bdf91d548d1872u, 0xa872905d0418d0a1u, 0x5f0a84270b80eabcu,
        0x34e825054db5f685u, 0x319ff93cb20cb433u } },
    { "numpy_mt19937",
      { 0x8ac01c92e8bfd726u, 0x9ea282a8675a106cu, 0x0eafc93ac1ab9ff8u, 0xcfd8eae3594c1943u,
        0xdc2f1f33d161d263u, 0xa0aa8bba11b011b4u } },
    { "numpy_philox",
      { 0x16092f00ecdab98au, 0x243d19cc24021070u, 0x4524d130684efe02u, 0xdfc0f20c3c4b5bcau,
        0x2b8fe7053fb23371u, 0x81be758196fbd62cu } },
    { "numpy_sfc64",
      { 0x87a9e37f3ed2c19du, 0x60d4edb76d651052u, 0xf20682759befde78u, 0x6bceebcc1fae98ecu,
        0xa427e8e9b66ea4e7u, 0x52d3781cb7f46c55u } },
};
#define ENGINES (sizeof engines / sizeof engines[0])
#define PCG64 0u
#define PCG64DXSM 1u
#define MT19937 2u
#define PHILOX 3u
#define SFC64 4u

/* Numbers for the choices of these tests, the same ones in every run. */
static uint64_t pick(uint64_t *state)
{
    uint64_t x = (*state += 0x9e3779b97f4a7c15u);

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static struct snap_stream *seeded(size_t engine, uint64_t seed)
{
    struct snap_stream *stream = NULL;

    assert_int_equal(snap_stream_new(engines[engine].kind, &stream, &err), SNAP_OK);
    assert_int_equal(snap_stream_seed(stream, seed, &err), SNAP_OK);
    return stream;
}

static struct snap_bit_generator *inside(struct snap_stream *stream)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "test", &err);

    assert_non_null(g);
    return g;
}

static void expect_equal(const struct snap_stream *a, const struct snap_stream *b)
{
    void *bytes[2] = { NULL, NULL };
    size_t sizes[2];

    assert_int_equal(snap_stream_encode(a, &bytes[0], &sizes[0], &err), SNAP_OK);
    assert_int_equal(snap_stream_encode(b, &bytes[1], &sizes[1], &err), SNAP_OK);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void words(void **state)
{
    (void)state;
    for (size_t e = 0; e < ENGINES; e++) {
        struct snap_stream *stream = seeded(e, 42);
        struct snap_bit_generator *g = inside(stream);
        uint64_t wide[6];
        uint32_t narrow[12];

        snap_bit_generator_fill_u64(g, wide, 6);
        assert_memory_equal(wide, engines[e].words, sizeof wide);
        assert_int_equal(snap_stream_words_drawn(stream), 12);
        assert_int_equal(snap_stream_seed(stream, 42, &err), SNAP_OK);
        snap_bit_generator_fill_u32(g, narrow, 12);
        for (size_t i = 0; i < 12; i++) {
            /* A twister's first word is the high half, the others' the low one. */
            unsigned shift = (i % 2 == 0) == (e == MT19937) ? 32 : 0;

            assert_int_equal(narrow[i], (uint32_t)(engines[e].words[i / 2] >> shift));
        }
        assert_int_equal(snap_stream_words_drawn(stream), 24);
        snap_stream_free(stream);
    }
}

/* Fills of any sizes, of both widths, against a word at a time. */
static void any_fills(void **state)
{
    uint64_t choice = 1;

    (void)state;
    for (size_t e = 0; e < ENGINES; e++) {
        struct snap_stream *whole = seeded(e, 7);
        struct snap_stream *single = seeded(e, 7);

        for (size_t turn = 0; turn < 400; turn++) {
            static uint64_t wide[2000];
            static uint32_t narrow[2000];
            size_t n = pick(&choice) % (turn % 8 == 0 ? 2000 : 40);
            bool is_wide = pick(&choice) % 2 == 0;

            if (is_wide) {
                snap_bit_generator_fill_u64(inside(whole), wide, n);
            } else {
                snap_bit_generator_fill_u32(inside(whole), narrow, n);
            }
            for (size_t i = 0; i < n; i++) {
                uint64_t wide_word;
                uint32_t narrow_word;

                if (is_wide) {
                    snap_bit_generator_fill_u64(inside(single), &wide_word, 1);
                    assert_int_equal(wide[i], wide_word);
                } else {
                    snap_bit_generator_fill_u32(inside(single), &narrow_word, 1);
                    assert_int_equal(narrow[i], narrow_word);
                }
            }
            expect_equal(whole, single);
            assert_int_equal(snap_stream_words_drawn(whole), snap_stream_words_drawn(single));
        }
        snap_stream_free(whole);
        snap_stream_free(single);
    }
}

/* ---- distances ---- */

static void expect_distance(const struct snap_bit_generator *a, const struct snap_bit_generator *b,
                            uint64_t limit, bool related, int64_t expected)
{
    int64_t found = 99;

    assert_int_equal(snap_bit_generator_distance(a, b, limit, &found), related);
    if (related) {
        assert_int_equal(found, expected);
    }
}

/* Drawn from one to the other, halves too, both ways. */
static void distance_of_draws(void **state)
{
    static const unsigned pairs[ENGINES] = { 20000, 20000, 4000, 20000, 20000 };
    uint64_t choice = 2;

    (void)state;
    for (size_t e = 0; e < ENGINES; e++) {
        struct snap_stream *to = seeded(e, 3);

        for (unsigned i = 0; i < pairs[e]; i++) {
            uint64_t wide[64];
            uint32_t narrow[64];
            uint64_t before = snap_stream_words_drawn(to);
            struct snap_bit_generator from = *inside(to); /* which owns what is in it */
            int64_t drawn;

            snap_bit_generator_fill_u32(inside(to), narrow, pick(&choice) % 64);
            snap_bit_generator_fill_u64(inside(to), wide, pick(&choice) % 64);
            drawn = (int64_t)(snap_stream_words_drawn(to) - before);
            expect_distance(&from, inside(to), 500, true, drawn);
            expect_distance(inside(to), &from, 500, true, -drawn);
        }
        snap_stream_free(to);
    }
}

/* Jumps of any length up to what the result holds, and past it. */
static void distance_of_jumps(void **state)
{
    static const size_t jumping[] = { PCG64, PCG64DXSM, PHILOX };
    uint64_t choice = 3;

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        size_t e = jumping[k];
        int64_t per_jump = e == PHILOX ? 8 : 2;
        struct snap_stream *stream = seeded(e, 11);
        struct snap_bit_generator *to = inside(stream);
        struct snap_bit_generator from;

        for (unsigned i = 0; i < 250000; i++) {
            uint64_t delta[4] = { pick(&choice) >> (8 + pick(&choice) % 56), 0, 0, 0 };
            int64_t expected = per_jump * (int64_t)delta[0];

            from = *to;
            to->ops->advance(to, delta);
            expect_distance(&from, to, 0, true, expected);
            expect_distance(to, &from, 0, true, -expected);
            if (i % 100 == 0) {
                delta[1] = 1 + pick(&choice) % 1000;
                from = *to;
                to->ops->advance(to, delta);
                expect_distance(&from, to, UINT64_MAX, false, 0);
                to->ops->jump(to, 1 + pick(&choice) % 5);
                expect_distance(&from, to, UINT64_MAX, false, 0);
            }
        }
        snap_stream_free(stream);
    }
}

/* The twister across blocks, and limits of those that are stepped. */
static void limits(void **state)
{
    const size_t steps[] = { 0, 1, 311, 312, 313, 623, 624, 625, 1248, 5000 };
    static uint64_t wide[5000];

    (void)state;
    for (size_t e = 0; e < ENGINES; e++) {
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            struct snap_stream *from = seeded(e, 5);
            struct snap_stream *to = seeded(e, 5);
            int64_t expected = 2 * (int64_t)steps[s];
            bool stepped = e == MT19937 || e == SFC64;

            snap_bit_generator_fill_u64(inside(to), wide, steps[s]);
            expect_distance(inside(from), inside(to), (uint64_t)expected, true, expected);
            expect_distance(inside(to), inside(from), (uint64_t)expected, true, -expected);
            if (expected > 0) {
                expect_distance(inside(from), inside(to), (uint64_t)expected - 1, !stepped,
                                expected);
            }
            snap_stream_free(from);
            snap_stream_free(to);
        }
    }
}

static void unrelated(void **state)
{
    struct snap_stream *a;
    struct snap_stream *b;

    (void)state;
    for (size_t e = 0; e < ENGINES; e++) {
        for (uint64_t seed = 0; seed < 200; seed++) {
            a = seeded(e, seed);
            b = seeded(e, seed + 1);
            expect_distance(inside(a), inside(b), 2000, false, 0);
            expect_distance(inside(a), inside(a), 0, true, 0);
            snap_stream_free(a);
            snap_stream_free(b);
        }
    }
    /* A buffer that is not the counter's block, which NumPy takes, is no position. */
    a = seeded(PHILOX, 1);
    b = seeded(PHILOX, 1);
    inside(b)->philox.buffer_pos = 3;
    expect_distance(inside(a), inside(b), 2000, false, 0);
    snap_stream_free(a);
    snap_stream_free(b);
    /* Two cycles of one even increment. */
    a = seeded(PCG64, 1);
    b = seeded(PCG64, 1);
    inside(a)->pcg = (struct snap_pcg128){ 1, 2 };
    inside(b)->pcg = (struct snap_pcg128){ 2, 2 };
    expect_distance(inside(a), inside(b), 2000, false, 0);
    snap_stream_free(a);
    snap_stream_free(b);
}

/* Of streams of other kinds nothing is drawn. */
static void other_kinds(void **state)
{
    struct snap_stream *stream = NULL;

    (void)state;
    assert_int_equal(snap_stream_new("python_random", &stream, &err), SNAP_OK);
    assert_null(snap_stream_bit_generator(stream, "integers", &err));
    assert_non_null(strstr(err.text, "stream python_random: integers: this draw needs"));
    snap_stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),        cmocka_unit_test(any_fills),
        cmocka_unit_test(distance_of_draws), cmocka_unit_test(distance_of_jumps),
        cmocka_unit_test(limits),       cmocka_unit_test(unrelated),
        cmocka_unit_test(other_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
