/* SPDX-License-Identifier: Apache-2.0 */
/* The typed draws of <snapstate/stream.h>: what the libraries draw after the seed a user would give
 * (CPython 3.11, NumPy 1.24, torch 1.13), and the calls that must be refused. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <snapstate/stream.h>

static struct snap_error err = SNAP_ERROR_INIT;

static struct snap_stream *seeded(const char *kind, uint64_t seed)
{
    struct snap_stream *stream = NULL;

    assert_int_equal(snap_stream_new(kind, &stream, &err), SNAP_OK);
    assert_string_equal(snap_stream_kind(stream), kind);
    assert_int_equal(snap_stream_seed(stream, seed, &err), SNAP_OK);
    return stream;
}

/* random.seed(42); random() twice; randrange(1000) five times; randrange(10**15); shuffle. */
static void python(void **state)
{
    const uint64_t below_1000[] = { 281, 250, 228, 142, 754 };
    const uint32_t shuffled[] = { 3, 5, 2, 4, 9, 10, 7, 0, 6, 1, 8, 11 };
    struct snap_stream *stream = seeded("python_random", 42);
    uint32_t items[12];
    uint64_t value;
    double real;

    (void)state;
    assert_int_equal(snap_python_random(stream, &real, &err), SNAP_OK);
    assert_true(real == 0x1.4762f307200c5p-1);
    assert_int_equal(snap_python_random(stream, &real, &err), SNAP_OK);
    assert_true(real == 0x1.99c6b5eeb2060p-6);
    assert_true(snap_stream_words_drawn(stream) == 4);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(snap_python_randbelow(stream, 1000, &value, &err), SNAP_OK);
        assert_int_equal(value, below_1000[i]);
    }
    assert_int_equal(snap_python_randbelow(stream, 1000000000000000u, &value, &err), SNAP_OK);
    assert_true(value == 761893278785447u);
    for (uint32_t i = 0; i < 12; i++) {
        items[i] = i;
    }
    assert_int_equal(snap_python_shuffle(stream, items, 12, &err), SNAP_OK);
    assert_memory_equal(items, shuffled, sizeof items);
    snap_stream_free(stream);

    stream = seeded("python_random", UINT64_MAX);
    assert_int_equal(snap_python_random(stream, &real, &err), SNAP_OK);
    assert_true(real == 0x1.659799fd7f980p-6);
    snap_stream_free(stream);
}

/* np.random.seed(42); randint of several ranges; random_sample. */
static void numpy(void **state)
{
    const int64_t below_100[] = { 51, 92, 14, 71, 60, 20 };
    struct snap_stream *stream = seeded("numpy_random_state", 42);
    int64_t out[6] = { 0 };
    double reals[2];
    uint64_t before;

    (void)state;
    assert_int_equal(snap_numpy_randint(stream, 0, 100, out, 6, &err), SNAP_OK);
    assert_memory_equal(out, below_100, sizeof below_100);
    assert_int_equal(snap_numpy_randint(stream, INT64_MIN, INT64_MAX, out, 2, &err), SNAP_OK);
    assert_true(out[0] == -6345336139475183495 && out[1] == -6345780979313412906);
    before = snap_stream_words_drawn(stream);
    assert_int_equal(snap_numpy_randint(stream, -5, -4, out, 2, &err), SNAP_OK);
    assert_true(out[0] == -5 && out[1] == -5);
    assert_true(snap_stream_words_drawn(stream) == before);
    assert_int_equal(snap_numpy_random_sample(stream, reals, 2, &err), SNAP_OK);
    assert_true(reals[0] == 0x1.dbd229d645570p-5 && reals[1] == 0x1.bb7b70955b7b5p-1);
    before = snap_stream_words_drawn(stream);
    assert_int_equal(snap_numpy_randint(stream, 0, 4294967296, out, 2, &err), SNAP_OK);
    assert_true(out[0] == 2581769315 && out[1] == 613608295);
    assert_true(snap_stream_words_drawn(stream) == before + 2);
    snap_stream_free(stream);
}

/* torch.manual_seed(42); empty(6).uniform_(-0.1, 0.1); rand(2). */
static void torch(void **state)
{
    const uint32_t fill[] = { 0x3d9c93d7u, 0x3da9fc52u, 0xbcbfea80u,
                              0x3dbc21b0u, 0xbcb37d5au, 0x3ca54e93u };
    const uint32_t rand[] = { 0x3e835d78u, 0x3f4b2c14u };
    const uint32_t rand_max_seed[] = { 0x3f7e69a3u, 0x3f124122u };
    struct snap_stream *stream = seeded("torch_cpu", 42);
    float out[6];

    (void)state;
    assert_int_equal(snap_torch_uniform_f32(stream, -0.1, 0.1, out, 6, &err), SNAP_OK);
    assert_memory_equal(out, fill, sizeof fill);
    assert_int_equal(snap_torch_uniform_f32(stream, 0.0, 1.0, out, 2, &err), SNAP_OK);
    assert_memory_equal(out, rand, sizeof rand);
    snap_stream_free(stream);

    stream = seeded("torch_cpu", UINT64_MAX);
    assert_int_equal(snap_torch_uniform_f32(stream, 0.0, 1.0, out, 2, &err), SNAP_OK);
    assert_memory_equal(out, rand_max_seed, sizeof rand_max_seed);
    snap_stream_free(stream);
}

static void refused(void **state)
{
    struct snap_stream *python_stream = seeded("python_random", 1);
    struct snap_stream *numpy_stream = seeded("numpy_random_state", 1);
    struct snap_stream *torch_stream = seeded("torch_cpu", 1);
    struct snap_stream *opaque = NULL;
    uint32_t word = 17;
    uint64_t value = 17;
    int64_t integer = 17;
    double real = 17.0;
    float single = 17.0f;

    (void)state;
    assert_int_equal(snap_stream_new("opaque", &opaque, &err), SNAP_OK);
    assert_int_equal(snap_python_shuffle(numpy_stream, &word, 1, &err), SNAP_INVALID);
    assert_string_equal(err.text, "stream numpy_random_state: shuffle: this draw needs a stream of "
                                  "kind python_random");
    assert_int_equal(snap_python_randbelow(torch_stream, 5, &value, &err), SNAP_INVALID);
    assert_int_equal(snap_python_randbelow(python_stream, 0, &value, &err), SNAP_INVALID);
    assert_int_equal(snap_python_random(opaque, &real, &err), SNAP_INVALID);
    assert_int_equal(snap_numpy_randint(python_stream, 0, 5, &integer, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_numpy_randint(numpy_stream, 5, 5, &integer, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_numpy_randint(numpy_stream, 5, -5, &integer, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_numpy_random_sample(torch_stream, &real, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_torch_uniform_f32(numpy_stream, 0.0, 1.0, &single, 1, &err),
                     SNAP_INVALID);
    assert_int_equal(snap_torch_uniform_f32(torch_stream, 1.0, 0.0, &single, 1, &err),
                     SNAP_INVALID);
    assert_int_equal(snap_torch_uniform_f32(torch_stream, 0.0, (double)NAN, &single, 1, &err),
                     SNAP_INVALID);
    assert_int_equal(snap_torch_uniform_f32(torch_stream, 0.0, 1e39, &single, 1, &err),
                     SNAP_INVALID);
    assert_int_equal(snap_torch_uniform_f32(torch_stream, -3e38, 3e38, &single, 1, &err),
                     SNAP_INVALID);
    assert_int_equal(snap_philox_dropout_seed(opaque, &value, &err), SNAP_INVALID);
    assert_int_equal(snap_philox_dropout_counter(opaque, &word, &err), SNAP_INVALID);
    assert_int_equal(snap_philox_dropout_advance(opaque, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_stream_seed(opaque, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_stream_seed(numpy_stream, (uint64_t)UINT32_MAX + 1, &err), SNAP_INVALID);
    /* Nothing was drawn, nothing written; and a caller may leave the error out. */
    assert_true(snap_stream_words_drawn(python_stream) == 0);
    assert_true(snap_stream_words_drawn(numpy_stream) == 0);
    assert_true(snap_stream_words_drawn(torch_stream) == 0);
    assert_true(word == 17 && value == 17 && integer == 17 && real == 17.0 && single == 17.0f);
    assert_int_equal(snap_python_random(opaque, &real, NULL), SNAP_INVALID);
    snap_stream_free(python_stream);
    snap_stream_free(numpy_stream);
    snap_stream_free(torch_stream);
    snap_stream_free(opaque);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(python),
        cmocka_unit_test(numpy),
        cmocka_unit_test(torch),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
