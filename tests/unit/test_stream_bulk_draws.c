/* SPDX-License-Identifier: Apache-2.0 */
/* A draw of n numbers in one call against n calls of one: the numbers, the state after them, and
 * the words counted; from every place in a block, with and without a half word that is left, at
 * the sizes around those of blocks. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <snapstate/stream.h>
#include <snapstate/stream_draws.h>

#define MOST 1249u
#define WIDEST 8u /* bytes of a number */

static const size_t sizes[] = {
    0,  1,  2,  3,  4,  5,   7,   8,   9,   15,  16,  17,  31,  32,  33,   35,
    36, 63, 64, 65, 67, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1247, MOST,
};
#define SIZES (sizeof sizes / sizeof sizes[0])

/* Draws of which n calls of one give what one call of n gives. */
static const struct kind {
    const char *name;
    const char *draws[10];
    bool is_twister;
} kinds[] = {
    { "numpy_pcg64",
      { "u32", "u64", "raw", "f32", "f64", "normal", "normal_f32", "exponential" }, false },
    { "numpy_pcg64dxsm",
      { "u32", "u64", "raw", "f32", "f64", "normal", "normal_f32", "exponential" }, false },
    { "numpy_mt19937",
      { "u32", "u64", "raw", "f32", "f64", "normal", "normal_f32", "exponential" }, true },
    { "numpy_philox",
      { "u32", "u64", "raw", "f32", "f64", "normal", "normal_f32", "exponential" }, false },
    { "numpy_sfc64",
      { "u32", "u64", "raw", "f32", "f64", "normal", "normal_f32", "exponential" }, false },
    { "numpy_random_state", { "u32", "u64", "f64", "normal", "exponential" }, true },
    { "torch_cpu", { "u32", "u64", "i64", "f32", "f64" }, true },
    { "python_random", { "u32", "u64", "f64", "normal" }, true },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static struct snap_error err = SNAP_ERROR_INIT;

static void draw(struct snap_stream *stream, const char *name, void *out, size_t n)
{
    assert_int_equal(snap_stream_draw(stream, name, out, n, &err), SNAP_OK);
}

/* A stream that has given `narrow` words of 32 bits and then `wide` ones of 64. */
static struct snap_stream *moved(const char *kind, size_t narrow, size_t wide)
{
    struct snap_stream *stream = NULL;
    uint32_t words[MOST];
    uint64_t wide_words[4];

    assert_int_equal(snap_stream_new(kind, &stream, &err), SNAP_OK);
    assert_int_equal(snap_stream_seed(stream, 11, &err), SNAP_OK);
    draw(stream, "u32", words, narrow);
    draw(stream, "u64", wide_words, wide);
    return stream;
}

static size_t width_of(const char *kind, const char *name)
{
    const struct snap_draw_info *info;

    for (size_t i = 0; (info = snap_stream_draw_at(kind, i)) != NULL; i++) {
        if (strcmp(info->name, name) == 0) {
            return snap_dtype_size_bytes(info->dtype);
        }
    }
    fail_msg("%s has no draw %s", kind, name);
    return 0;
}

static void expect_same_state(const struct snap_stream *a, const struct snap_stream *b)
{
    void *bytes[2] = { NULL, NULL };
    size_t lengths[2];

    assert_int_equal(snap_stream_encode(a, &bytes[0], &lengths[0], &err), SNAP_OK);
    assert_int_equal(snap_stream_encode(b, &bytes[1], &lengths[1], &err), SNAP_OK);
    assert_int_equal(lengths[0], lengths[1]);
    assert_memory_equal(bytes[0], bytes[1], lengths[0]);
    assert_int_equal(snap_stream_words_drawn(a), snap_stream_words_drawn(b));
    free(bytes[0]);
    free(bytes[1]);
}

/* One call against n, for a draw of a kind from a place. */
static void compare(const char *kind, const char *name, size_t narrow, size_t wide, size_t n)
{
    static unsigned char out[2][MOST * WIDEST];
    const size_t width = width_of(kind, name);
    struct snap_stream *whole = moved(kind, narrow, wide);
    struct snap_stream *single = moved(kind, narrow, wide);

    draw(whole, name, out[0], n);
    for (size_t i = 0; i < n; i++) {
        draw(single, name, out[1] + i * width, 1);
    }
    if (n > 0) {
        assert_memory_equal(out[0], out[1], n * width);
    }
    expect_same_state(whole, single);
    snap_stream_free(whole);
    snap_stream_free(single);
}

/* All words of a block of Philox, with a half that is left and without; of a twister, the ends of
 * its 624 words. */
static void whole_against_single(void **state)
{
    static const size_t narrow[] = { 0, 1, 2, 3, 4, 5 };
    static const size_t narrow_of_twister[] = { 0, 1, 2, 3, 623, 624 };

    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        const size_t *places = kinds[k].is_twister ? narrow_of_twister : narrow;

        for (size_t d = 0; kinds[k].draws[d] != NULL; d++) {
            for (size_t s = 0; s < SIZES; s++) {
                for (size_t p = 0; p < 6; p++) {
                    compare(kinds[k].name, kinds[k].draws[d], places[p], p % 2, sizes[s]);
                }
            }
        }
    }
}

/* Draws of every kind one after the other on one stream, so that each begins where the one before
 * left off. */
static void mixed(void **state)
{
    static unsigned char out[2][MOST * WIDEST];

    (void)state;
    for (size_t k = 0; k < KINDS; k++) {
        struct snap_stream *whole = moved(kinds[k].name, 1, 0);
        struct snap_stream *single = moved(kinds[k].name, 1, 0);
        size_t draws = 0;

        while (kinds[k].draws[draws] != NULL) {
            draws++;
        }
        for (size_t turn = 0; turn < draws * SIZES; turn++) {
            /* Every draw meets every size: their number is a power of two, and 7 is odd. */
            const char *name = kinds[k].draws[turn % draws];
            size_t n = sizes[(turn / draws * 7 + turn % draws) % SIZES];
            size_t width = width_of(kinds[k].name, name);

            draw(whole, name, out[0], n);
            for (size_t i = 0; i < n; i++) {
                draw(single, name, out[1] + i * width, 1);
            }
            if (n > 0) {
                assert_memory_equal(out[0], out[1], n * width);
            }
            expect_same_state(whole, single);
        }
        snap_stream_free(whole);
        snap_stream_free(single);
    }
}

/* The lowest word of the counter of Philox passes 2^64 within a draw. */
static void philox_counter_carries(void **state)
{
    (void)state;
    for (uint64_t before = 0; before < 12; before++) {
        const uint64_t delta[4] = { UINT64_MAX - before, UINT64_MAX, 0, 0 };
        struct snap_stream *whole = moved("numpy_philox", 0, 0);
        struct snap_stream *single = moved("numpy_philox", 0, 0);
        uint64_t words[2][48];

        assert_int_equal(snap_generator_advance(whole, delta, &err), SNAP_OK);
        assert_int_equal(snap_generator_advance(single, delta, &err), SNAP_OK);
        draw(whole, "u64", words[0], 48);
        for (size_t i = 0; i < 48; i++) {
            draw(single, "u64", &words[1][i], 1);
        }
        assert_memory_equal(words[0], words[1], sizeof words[0]);
        expect_same_state(whole, single);
        snap_stream_free(whole);
        snap_stream_free(single);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_against_single),
        cmocka_unit_test(mixed),
        cmocka_unit_test(philox_counter_carries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
