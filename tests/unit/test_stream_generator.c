/* SPDX-License-Identifier: Apache-2.0 */
/* Draws of NumPy's Generator through the public header: what the library draws after seed 42, the
 * edges, and the calls that must be refused. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <snapstate/stream_draws.h>

static struct snap_error err = SNAP_ERROR_INIT;

/* One sequence of calls, as NumPy 1.24 answers it:
 *   g.integers(0, 1000, 4); g.integers(-2**63, 2**63, dtype="i8"); g.integers(0, 256, 3, "u1");
 *   g.random(); g.random(dtype="f4"); g.permutation(8); g.choice(20, 4, replace=False);
 *   g.bytes(5); g.integers(0, 2**64, dtype="u8")
 * the last one after three draws that call libm, which are compared elsewhere. */
static const struct engine {
    const char *kind;
    int64_t small[4];
    int64_t any;
    uint8_t bytes[3];
    double real;
    float single;
    int64_t permutation[8];
    int64_t choice[4];
    uint8_t raw[5];
    uint64_t last;
} engines[] = {
    { "numpy_pcg64", { 89, 773, 654, 438 }, 6614964053969868324, { 141, 136, 0 },
      0x1.81c01b5339380p-4, 0x1.650d6cp-1f, { 4, 0, 2, 6, 5, 1, 3, 7 }, { 15, 10, 19, 7 },
      { 0x22, 0x38, 0x96, 0x17, 0xc3 }, 0x105653e3e34cbfafu },
    { "numpy_pcg64dxsm", { 556, 668, 330, 6 }, 2914550638037225633, { 188, 234, 128 },
      0x1.a741282a6daf8p-3, 0x1.7c2a10p-2f, { 5, 0, 1, 4, 7, 2, 3, 6 }, { 1, 0, 5, 19 },
      { 0x61, 0xf8, 0xee, 0x21, 0x30 }, 0x5747f5d435a58478u },
    { "numpy_mt19937", { 541, 909, 619, 403 }, -8165086345204883464, { 227, 234, 216 },
      0x1.6530656e178f8p-2, 0x1.a2c3a4p-1f, { 6, 0, 1, 4, 7, 5, 2, 3 }, { 18, 5, 11, 6 },
      { 0x01, 0x81, 0xa2, 0x97, 0xd3 }, 0x949efa6f9e45bf17u },
    { "numpy_philox", { 925, 86, 140, 141 }, -4241034943237521918, { 202, 91, 75 },
      0x1.5c7f3829fd918p-3, 0x1.bf81e4p-1f, { 5, 0, 1, 4, 3, 6, 2, 7 }, { 12, 15, 13, 8 },
      { 0x2f, 0xb3, 0x3b, 0x90, 0xfd }, 0x337ef22b5f206cadu },
    { "numpy_sfc64", { 245, 529, 427, 378 }, 8216398011823021688, { 236, 152, 174 },
      0x1.484fd1d36cdd4p-1, 0x1.af3bacp-2f, { 7, 6, 0, 4, 2, 3, 5, 1 }, { 12, 11, 16, 4 },
      { 0xf4, 0x6c, 0xae, 0xe3, 0x36 }, 0xa3e8331569a8b3feu },
};
#define ENGINES (sizeof engines / sizeof engines[0])

static struct snap_stream *seeded(const char *kind, uint64_t seed)
{
    struct snap_stream *stream = NULL;

    assert_int_equal(snap_stream_new(kind, &stream, &err), SNAP_OK);
    assert_int_equal(snap_stream_seed(stream, seed, &err), SNAP_OK);
    return stream;
}

static void ok(enum snap_status status)
{
    assert_int_equal(status, SNAP_OK);
}

static void as_the_library_draws(void **state)
{
    (void)state;
    for (size_t e = 0; e < ENGINES; e++) {
        struct snap_stream *stream = seeded(engines[e].kind, 42);
        int64_t wide[8];
        uint8_t bytes[5];
        uint64_t word;
        double real;
        float single;

        ok(snap_generator_integers(stream, SNAP_I64, 0, 999, wide, 4, &err));
        assert_memory_equal(wide, engines[e].small, sizeof engines[e].small);
        ok(snap_generator_integers(stream, SNAP_I64, INT64_MIN, UINT64_MAX, wide, 1, &err));
        assert_true(wide[0] == engines[e].any);
        ok(snap_generator_integers(stream, SNAP_U8, 0, 255, bytes, 3, &err));
        assert_memory_equal(bytes, engines[e].bytes, 3);
        ok(snap_generator_random_f64(stream, &real, 1, &err));
        assert_true(real == engines[e].real);
        ok(snap_generator_random_f32(stream, &single, 1, &err));
        assert_true(single == engines[e].single);
        ok(snap_generator_standard_normal_f64(stream, &real, 1, &err));
        ok(snap_generator_standard_normal_f32(stream, &single, 1, &err));
        ok(snap_generator_standard_exponential_f64(stream, SNAP_GENERATOR_ZIG, &real, 1, &err));
        ok(snap_generator_permutation(stream, wide, 8, &err));
        assert_memory_equal(wide, engines[e].permutation, sizeof engines[e].permutation);
        ok(snap_generator_choice_distinct(stream, 20, true, wide, 4, &err));
        assert_memory_equal(wide, engines[e].choice, sizeof engines[e].choice);
        ok(snap_generator_bytes(stream, bytes, 5, &err));
        assert_memory_equal(bytes, engines[e].raw, 5);
        ok(snap_generator_integers(stream, SNAP_U64, 0, UINT64_MAX, &word, 1, &err));
        assert_true(word == engines[e].last);
        snap_stream_free(stream);
    }
}

/* ---- edges ---- */

static void expect_words(const struct snap_stream *stream, uint64_t *before, uint64_t drawn)
{
    uint64_t now = snap_stream_words_drawn(stream);

    assert_int_equal(now - *before, drawn);
    *before = now;
}

/* Draws that take no word, or an exact number of them. */
static void words_taken(void **state)
{
    static const enum snap_dtype types[] = { SNAP_BOOL, SNAP_U8,  SNAP_I8,  SNAP_U16, SNAP_I16,
                                             SNAP_U32,  SNAP_I32, SNAP_U64, SNAP_I64 };
    int64_t out[64];
    uint64_t before = 0;
    struct snap_stream *stream = seeded("numpy_pcg64", 3);

    (void)state;
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        ok(snap_generator_integers(stream, types[t], 1, 0, out, 64, &err));
        ok(snap_generator_integers(stream, types[t], 0, 1, out, 0, &err));
    }
    ok(snap_generator_random_f64(stream, (double *)out, 0, &err));
    ok(snap_generator_standard_normal_f32(stream, (float *)out, 0, &err));
    ok(snap_generator_standard_gamma_f64(stream, 0.0, (double *)out, 9, &err));
    ok(snap_generator_permutation(stream, out, 0, &err));
    ok(snap_generator_permutation(stream, out, 1, &err));
    ok(snap_generator_choice_distinct(stream, 1, true, out, 1, &err));
    ok(snap_generator_choice_distinct(stream, 0, true, out, 0, &err));
    expect_words(stream, &before, 0);
    /* Bits and bytes of a word are shared by one call, and dropped at its end. */
    ok(snap_generator_integers(stream, SNAP_BOOL, 0, 1, out, 33, &err));
    expect_words(stream, &before, 2);
    ok(snap_generator_integers(stream, SNAP_U8, 0, 255, out, 5, &err));
    expect_words(stream, &before, 2);
    ok(snap_generator_integers(stream, SNAP_I16, -32768, 65535, out, 5, &err));
    expect_words(stream, &before, 3);
    /* A range of 2^32 takes 32-bit words whatever the type, one of 2^64 whole 64-bit words. */
    ok(snap_generator_integers(stream, SNAP_U32, 0, UINT32_MAX, out, 5, &err));
    expect_words(stream, &before, 5);
    ok(snap_generator_integers(stream, SNAP_I64, -1, UINT32_MAX, out, 5, &err));
    expect_words(stream, &before, 5);
    ok(snap_generator_integers(stream, SNAP_I64, INT64_MIN, UINT64_MAX, out, 5, &err));
    expect_words(stream, &before, 10);
    /* As there, no bytes take a word. */
    ok(snap_generator_bytes(stream, out, 0, &err));
    expect_words(stream, &before, 1);
    snap_stream_free(stream);
}

/* Results of n at once are those of n calls, for types that share no word, at every size around
 * that of a block. */
static void one_by_one(void **state)
{
    static const size_t sizes[] = { 1, 2, 3, 255, 256, 511, 512, 513, 1100 };
    static double reals[2][1100];
    static float singles[2][1100];
    static int64_t wides[2][1100];

    (void)state;
    for (size_t e = 0; e < ENGINES; e++) {
        uint64_t range = 3 * ((uint64_t)1 << 30); /* and on, past 2^32 */
        struct snap_stream *a = seeded(engines[e].kind, 8);
        struct snap_stream *b = seeded(engines[e].kind, 8);

        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++, range *= 5) {
            size_t n = sizes[s];

            ok(snap_generator_standard_normal_f64(a, reals[0], n, &err));
            ok(snap_generator_standard_exponential_f32(a, SNAP_GENERATOR_ZIG, singles[0], n, &err));
            ok(snap_generator_integers(a, SNAP_I64, -7, range, wides[0], n, &err));
            for (size_t i = 0; i < n; i++) {
                ok(snap_generator_standard_normal_f64(b, &reals[1][i], 1, &err));
            }
            for (size_t i = 0; i < n; i++) {
                ok(snap_generator_standard_exponential_f32(b, SNAP_GENERATOR_ZIG, &singles[1][i],
                                                           1, &err));
            }
            for (size_t i = 0; i < n; i++) {
                ok(snap_generator_integers(b, SNAP_I64, -7, range, &wides[1][i], 1, &err));
            }
            assert_memory_equal(reals[0], reals[1], n * sizeof(double));
            assert_memory_equal(singles[0], singles[1], n * sizeof(float));
            assert_memory_equal(wides[0], wides[1], n * sizeof(int64_t));
            ok(snap_generator_standard_normal_f32(a, singles[0], n, &err));
            ok(snap_generator_standard_gamma_f64(a, 0.5, reals[0], n, &err));
            for (size_t i = 0; i < n; i++) {
                ok(snap_generator_standard_normal_f32(b, &singles[1][i], 1, &err));
            }
            for (size_t i = 0; i < n; i++) {
                ok(snap_generator_standard_gamma_f64(b, 0.5, &reals[1][i], 1, &err));
            }
            assert_memory_equal(reals[0], reals[1], n * sizeof(double));
            assert_memory_equal(singles[0], singles[1], n * sizeof(float));
            assert_int_equal(snap_stream_words_drawn(a), snap_stream_words_drawn(b));
        }
        snap_stream_free(a);
        snap_stream_free(b);
    }
}

/* The same places for items of any size. */
static void item_sizes(void **state)
{
    static const size_t item_bytes[] = { 1, 2, 3, 4, 7, 8, 9, 16, 255, 256, 257, 600 };
    static unsigned char items[200 * 600];
    int64_t order[200];

    (void)state;
    for (size_t s = 0; s < sizeof item_bytes / sizeof item_bytes[0]; s++) {
        struct snap_stream *a = seeded("numpy_sfc64", s);
        struct snap_stream *b = seeded("numpy_sfc64", s);
        size_t size = item_bytes[s];

        for (size_t i = 0; i < 200; i++) {
            memset(items + i * size, (int)i, size);
        }
        ok(snap_generator_shuffle(a, items, 200, size, &err));
        ok(snap_generator_permutation(b, order, 200, &err));
        for (size_t i = 0; i < 200 * size; i++) {
            assert_int_equal(items[i], order[i / size]);
        }
        snap_stream_free(a);
        snap_stream_free(b);
    }
}

/* Nothing is chosen twice, nothing is not in the population, in each of the three ways. */
static void distinct(void **state)
{
    static int64_t out[20000];
    static bool seen[20000];
    static const struct {
        uint64_t population;
        size_t n;
        bool shuffle;
    } cases[] = { { 20000, 20000, true }, { 20000, 401, true },  { 20000, 400, true },
                  { 20000, 1000, false }, { 20000, 1001, false }, { 10000, 10000, true },
                  { 10000, 9999, false }, { 7, 7, false } };
    struct snap_stream *stream = seeded("numpy_philox", 1);

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        memset(seen, 0, sizeof seen);
        ok(snap_generator_choice_distinct(stream, cases[c].population, cases[c].shuffle, out,
                                          cases[c].n, &err));
        for (size_t i = 0; i < cases[c].n; i++) {
            assert_true(out[i] >= 0 && (uint64_t)out[i] < cases[c].population);
            assert_false(seen[out[i]]);
            seen[out[i]] = true;
        }
    }
    ok(snap_generator_choice_distinct(stream, INT64_MAX, true, out, 2, &err));
    assert_true(out[0] != out[1] && out[0] >= 0 && out[1] >= 0);
    snap_stream_free(stream);
}

/* ---- seeds and jumps ---- */

static void expect_same(const struct snap_stream *a, const struct snap_stream *b, bool same)
{
    void *bytes[2] = { NULL, NULL };
    size_t sizes[2];

    ok(snap_stream_encode(a, &bytes[0], &sizes[0], &err));
    ok(snap_stream_encode(b, &bytes[1], &sizes[1], &err));
    assert_true(same == (sizes[0] == sizes[1] && memcmp(bytes[0], bytes[1], sizes[0]) == 0));
    free(bytes[0]);
    free(bytes[1]);
}

/* A child is seeded by its parent's entropy and a longer key; siblings follow each other. */
static void spawned(void **state)
{
    const uint32_t entropy[3] = { 9, 0, 0 };
    uint32_t key[2] = { 0, 0 };

    (void)state;
    for (size_t e = 0; e < ENGINES; e++) {
        struct snap_stream *parent = seeded(engines[e].kind, 9);
        struct snap_stream *same = seeded(engines[e].kind, 0);

        ok(snap_generator_seed(same, entropy, 3, NULL, 0, &err));
        expect_same(parent, same, true);
        for (key[0] = 0; key[0] < 3; key[0]++) {
            struct snap_stream *child = NULL;
            struct snap_stream *grandchild = NULL;

            ok(snap_generator_spawn(parent, &child, &err));
            assert_string_equal(snap_stream_kind(child), engines[e].kind);
            ok(snap_generator_seed(same, entropy, 1, key, 1, &err));
            expect_same(child, same, true);
            ok(snap_generator_spawn(child, &grandchild, &err));
            ok(snap_generator_seed(same, entropy, 1, key, 2, &err));
            expect_same(grandchild, same, true);
            expect_same(grandchild, child, false);
            snap_stream_free(grandchild);
            snap_stream_free(child);
        }
        snap_stream_free(parent);
        snap_stream_free(same);
    }
}

/* advance(n) goes where n words lead, and two jumps are a jump twice as far. */
static void jumps(void **state)
{
    static const size_t lengths[] = { 0, 1, 2, 4, 5, 1000 };
    static uint64_t words[4000];

    (void)state;
    for (size_t e = 0; e < ENGINES; e++) {
        bool blocks = strcmp(engines[e].kind, "numpy_philox") == 0;
        struct snap_stream *a = seeded(engines[e].kind, 5);
        struct snap_stream *b = seeded(engines[e].kind, 5);
        enum snap_status status;

        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            const uint64_t delta[4] = { lengths[i], 0, 0, 0 };
            uint64_t next[2];

            status = snap_generator_advance(a, delta, &err);
            if (status != SNAP_OK) {
                assert_int_equal(status, SNAP_UNSUPPORTED);
                break;
            }
            ok(snap_generator_random_raw(b, words, lengths[i] * (blocks ? 4 : 1), &err));
            ok(snap_generator_random_raw(a, &next[0], 1, &err));
            ok(snap_generator_random_raw(b, &next[1], 1, &err));
            assert_int_equal(next[0], next[1]);
            if (blocks) { /* what is left of a block is dropped by the next jump */
                ok(snap_generator_random_raw(b, words, 3, &err));
            }
        }
        ok(snap_stream_seed(a, 5, &err));
        ok(snap_stream_seed(b, 5, &err));
        status = snap_generator_jump(a, 2, &err);
        if (status == SNAP_OK) {
            struct snap_stream *child = NULL;

            expect_same(a, b, false);
            ok(snap_generator_jump(b, 1, &err));
            ok(snap_generator_jump(b, 1, &err));
            expect_same(a, b, true);
            assert_int_equal(snap_generator_spawn(a, &child, &err), SNAP_INVALID);
            assert_null(child);
        } else {
            assert_int_equal(status, SNAP_UNSUPPORTED);
            assert_string_equal(engines[e].kind, "numpy_sfc64");
            expect_same(a, b, true);
        }
        snap_stream_free(a);
        snap_stream_free(b);
    }
}

/* ---- the dict, as Python's json writes bit_generator.state ---- */

static void dict(void **state)
{
    static const char text[] =
        "{\"bit_generator\": \"PCG64\", \"state\": {\"state\": "
        "274674114334540486603088602300644985544, \"inc\": "
        "332724090758049132448979897138935081983}, \"has_uint32\": 0, \"uinteger\": 0}";
    static const char ours[] =
        "{\"bit_generator\":\"PCG64\",\"has_uint32\":0,\"seed_seq\":{\"entropy\":42,"
        "\"n_children_spawned\":0,\"pool_size\":4,\"spawn_key\":[]},\"state\":{\"inc\":"
        "332724090758049132448979897138935081983,\"state\":"
        "274674114334540486603088602300644985544},\"uinteger\":0}\n";
    static const char *const wrong[] = {
        "", "[]", "{}", "PCG64", "{\"bit_generator\": \"PCG64\"}",
        "{\"bit_generator\": \"PCG64\", \"state\": {\"state\": 1.5, \"inc\": 1}, "
        "\"has_uint32\": 0, \"uinteger\": 0}",
        "{\"bit_generator\": \"PCG64\", \"state\": {\"state\": 1, \"inc\": -1}, "
        "\"has_uint32\": 0, \"uinteger\": 0}",
        "{\"bit_generator\": \"PCG64\", \"kind\": \"numpy_pcg64\", \"state\": {\"state\": 1, "
        "\"inc\": 1}, \"has_uint32\": 0, \"uinteger\": 0}",
        "{\"bit_generator\": \"SFC64\", \"state\": {\"state\": 1, \"inc\": 1}, "
        "\"has_uint32\": 0, \"uinteger\": 0}",
    };
    struct snap_stream *stream = seeded("numpy_pcg64", 1);
    struct snap_stream *same = seeded("numpy_pcg64", 42);
    void *bytes = NULL;
    size_t size = 0;

    (void)state;
    ok(snap_stream_export(same, "dict", &bytes, &size, &err));
    assert_int_equal(size, sizeof ours - 1);
    assert_memory_equal(bytes, ours, size);
    ok(snap_stream_import(stream, "dict", bytes, size, &err));
    expect_same(stream, same, true);
    free(bytes);
    /* NumPy's own text does not say what the generator was seeded from. */
    ok(snap_stream_import(stream, "dict", text, sizeof text - 1, &err));
    expect_same(stream, same, false);
    assert_int_equal(snap_generator_spawn(stream, &same, &err), SNAP_INVALID);
    for (size_t i = 0; i < 4; i++) {
        uint64_t words[2];

        ok(snap_generator_random_raw(stream, &words[0], 1, &err));
        ok(snap_generator_random_raw(same, &words[1], 1, &err));
        assert_int_equal(words[0], words[1]);
    }
    snap_stream_free(same);
    same = seeded("numpy_pcg64", 5);
    ok(snap_stream_seed(stream, 5, &err));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(snap_stream_import(stream, "dict", wrong[i], strlen(wrong[i]), &err),
                         SNAP_CORRUPT);
        expect_same(stream, same, true);
    }
    snap_stream_free(stream);
    snap_stream_free(same);
}

/* ---- refused ---- */

static void expect_refused(enum snap_status status, const char *message)
{
    assert_int_equal(status, SNAP_INVALID);
    assert_non_null(strstr(err.text, message));
}

static void refused(void **state)
{
    struct snap_stream *s = seeded("numpy_pcg64", 1);
    struct snap_stream *same = seeded("numpy_pcg64", 1);
    const double negative[2] = { 1.0, -0.5 };
    const double zeros[2] = { 0.0, 0.0 };
    const double one[2] = { 0.0, 1.0 };
    const int64_t low = 200;
    const uint64_t range = 100;
    int64_t out[4];
    double real;
    float single;

    (void)state;
    expect_refused(snap_generator_integers(s, SNAP_F32, 0, 1, out, 1, &err), "integer type");
    expect_refused(snap_generator_integers(s, SNAP_BOOL, 0, 2, out, 1, &err), "do not fit bool");
    expect_refused(snap_generator_integers(s, SNAP_I8, -129, 1, out, 1, &err), "do not fit i8");
    expect_refused(snap_generator_integers(s, SNAP_I8, -128, 256, out, 1, &err), "do not fit i8");
    expect_refused(snap_generator_integers(s, SNAP_U16, -1, 1, out, 1, &err), "do not fit u16");
    expect_refused(snap_generator_integers(s, SNAP_I64, 1, UINT64_MAX, out, 1, &err), "do not");
    expect_refused(snap_generator_integers(s, SNAP_U64, 1, UINT64_MAX, out, 1, &err), "do not");
    expect_refused(snap_generator_integers_each(s, SNAP_U8, &low, &range, out, 1, &err), "u8");
    expect_refused(snap_generator_uniform(s, 1.0, 0.5, &real, 1, &err), "high - low");
    expect_refused(snap_generator_uniform(s, -HUGE_VAL, 0.0, &real, 1, &err), "high - low");
    expect_refused(snap_generator_uniform(s, NAN, 0.0, &real, 1, &err), "high - low");
    expect_refused(snap_generator_normal(s, 0.0, -1.0, &real, 1, &err), "scale is negative");
    expect_refused(snap_generator_lognormal(s, 0.0, -1.0, &real, 1, &err), "lognormal");
    expect_refused(snap_generator_exponential(s, -1.0, &real, 1, &err), "exponential");
    expect_refused(snap_generator_standard_gamma_f64(s, -1.0, &real, 1, &err), "shape");
    expect_refused(snap_generator_standard_gamma_f32(s, NAN, &single, 1, &err), "shape");
    expect_refused(snap_generator_gamma(s, 1.0, -1.0, &real, 1, &err), "scale");
    expect_refused(snap_generator_choice(s, 0, out, 1, &err), "empty");
    expect_refused(snap_generator_choice(s, (uint64_t)1 << 63, out, 1, &err), "2^63-1");
    expect_refused(snap_generator_choice_distinct(s, 3, true, out, 4, &err), "more items");
    expect_refused(snap_generator_choice_weighted(s, negative, 2, true, out, 1, &err), "weight 1");
    expect_refused(snap_generator_choice_weighted(s, zeros, 2, true, out, 1, &err), "sum");
    expect_refused(snap_generator_choice_weighted(s, one, 2, false, out, 2, &err), "fewer");
    expect_same(s, same, true);
    snap_stream_free(s);
    snap_stream_free(same);
}

/* Every draw names itself when the stream is of another kind. */
static void other_kind(void **state)
{
    struct snap_stream *s = seeded("numpy_random_state", 1);
    struct snap_stream *child = NULL;
    const uint64_t delta[4] = { 1, 0, 0, 0 };
    const uint32_t word = 1;
    const double p = 1.0;
    uint64_t raw;
    int64_t wide;
    double real;
    float single;

    (void)state;
    expect_refused(snap_generator_seed(s, &word, 1, NULL, 0, &err), ": seed: this draw needs");
    expect_refused(snap_generator_spawn(s, &child, &err), ": spawn:");
    expect_refused(snap_generator_advance(s, delta, &err), ": advance:");
    expect_refused(snap_generator_jump(s, 1, &err), ": jumped:");
    expect_refused(snap_generator_random_raw(s, &raw, 1, &err), ": random_raw:");
    expect_refused(snap_generator_bytes(s, &raw, 1, &err), ": bytes:");
    expect_refused(snap_generator_random_f64(s, &real, 1, &err), ": random:");
    expect_refused(snap_generator_random_f32(s, &single, 1, &err), ": random:");
    expect_refused(snap_generator_uniform(s, 0.0, 1.0, &real, 1, &err), ": uniform:");
    expect_refused(snap_generator_integers(s, SNAP_I64, 0, 9, &wide, 1, &err), ": integers:");
    expect_refused(snap_generator_integers_each(s, SNAP_I64, &wide, &raw, &wide, 0, &err),
                   ": integers:");
    expect_refused(snap_generator_shuffle(s, &wide, 1, 8, &err), ": shuffle:");
    expect_refused(snap_generator_permutation(s, &wide, 1, &err), ": permutation:");
    expect_refused(snap_generator_permuted(s, &wide, 1, 1, 1, 8, &err), ": permuted:");
    expect_refused(snap_generator_choice(s, 2, &wide, 1, &err), ": choice:");
    expect_refused(snap_generator_choice_distinct(s, 2, true, &wide, 1, &err), ": choice:");
    expect_refused(snap_generator_choice_weighted(s, &p, 1, true, &wide, 1, &err), ": choice:");
    expect_refused(snap_generator_standard_normal_f64(s, &real, 1, &err), ": standard_normal:");
    expect_refused(snap_generator_standard_normal_f32(s, &single, 1, &err), ": standard_normal:");
    expect_refused(snap_generator_normal(s, 0.0, 1.0, &real, 1, &err), ": normal:");
    expect_refused(snap_generator_lognormal(s, 0.0, 1.0, &real, 1, &err), ": lognormal:");
    expect_refused(snap_generator_standard_exponential_f64(s, SNAP_GENERATOR_INV, &real, 1, &err),
                   ": standard_exponential:");
    expect_refused(snap_generator_standard_exponential_f32(s, SNAP_GENERATOR_INV, &single, 1,
                                                           &err),
                   ": standard_exponential:");
    expect_refused(snap_generator_exponential(s, 1.0, &real, 1, &err), ": exponential:");
    expect_refused(snap_generator_standard_gamma_f64(s, 1.0, &real, 1, &err), ": standard_gamma:");
    expect_refused(snap_generator_standard_gamma_f32(s, 1.0, &single, 1, &err),
                   ": standard_gamma:");
    expect_refused(snap_generator_gamma(s, 1.0, 1.0, &real, 1, &err), ": gamma:");
    assert_int_equal(snap_stream_words_drawn(s), 0);
    snap_stream_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_library_draws), cmocka_unit_test(words_taken),
        cmocka_unit_test(one_by_one),           cmocka_unit_test(item_sizes),
        cmocka_unit_test(distinct),             cmocka_unit_test(spawned),
        cmocka_unit_test(jumps),                cmocka_unit_test(dict),
        cmocka_unit_test(refused),              cmocka_unit_test(other_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
