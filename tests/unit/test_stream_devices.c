/* SPDX-License-Identifier: Apache-2.0 */
/* Generators of accelerators: torch.cuda against a kernel that is run thread by thread, arrays of
 * cuRAND states and the counting of its host generators against what cuRAND gave, and the edges of
 * TensorFlow's and JAX's. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <snapstate/stream.h>

#include "core/bytes.h"
#include "stream/curand_uniform.h"
#include "stream/philox.h"

static struct snap_error err = SNAP_ERROR_INIT;

static struct snap_stream *seeded(const char *kind, uint64_t seed)
{
    struct snap_stream *stream = NULL;

    assert_int_equal(snap_stream_new(kind, &stream, &err), SNAP_OK);
    assert_int_equal(snap_stream_seed(stream, seed, &err), SNAP_OK);
    return stream;
}

static struct snap_stream *decoded(const char *kind, const void *bytes, size_t size)
{
    struct snap_stream *stream = NULL;

    assert_int_equal(snap_stream_new(kind, &stream, &err), SNAP_OK);
    assert_int_equal(snap_stream_decode(stream, bytes, size, &err), SNAP_OK);
    return stream;
}

static void expect_member(const struct snap_stream *stream, const char *text)
{
    void *bytes = NULL;
    size_t size = 0;

    assert_int_equal(snap_stream_encode(stream, &bytes, &size, &err), SNAP_OK);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(bytes, text, size);
    free(bytes);
}

/* ---- torch.cuda ---- */

static uint64_t cuda_offset(const struct snap_stream *stream)
{
    unsigned char *bytes = NULL;
    uint64_t offset;
    size_t size;

    assert_int_equal(snap_stream_encode(stream, (void **)&bytes, &size, &err), SNAP_OK);
    offset = snap_get_u64(bytes + 8);
    free(bytes);
    return offset;
}

/* The loop of torch's kernels: every thread takes a block of words a pass, serves `unroll` elements
 * from it, each the number of all threads apart, and goes on until none of them is inside. Returns
 * the blocks that the thread which took most has taken. */
static uint64_t run_threads(uint64_t seed, uint64_t offset, uint64_t threads, unsigned unroll,
                            uint64_t *out, size_t n)
{
    uint64_t most = 0;

    for (uint64_t thread = 0; thread < threads; thread++) {
        uint64_t blocks = 0;

        for (uint64_t start = thread; start < n; start += threads * unroll, blocks++) {
            for (unsigned i = 0; i < unroll && start + threads * i < n; i++) {
                uint64_t at = 4 * blocks + i * (4 / unroll);
                uint64_t word = snap_curand_philox_word(seed, thread, offset, at);

                out[start + threads * i] =
                    unroll == 4
                        ? word
                        : word << 32 | snap_curand_philox_word(seed, thread, offset, at + 1);
            }
        }
        most = blocks > most ? blocks : most;
    }
    return most;
}

static void cuda_kernels(void **state)
{
    static const size_t sizes[] = { 1, 2, 255, 256, 257, 511, 512, 513, 2048, 2049, 5000 };
    static const uint64_t residents[] = { 256, 512, 700, 2048, 270336 };
    const uint64_t seed = 0x123456789abcdefu;

    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t r = 0; r < sizeof residents / sizeof residents[0]; r++) {
            struct snap_stream *stream = seeded("torch_cuda", seed);
            size_t n = sizes[s];
            uint64_t needed = (n + 255) / 256 * 256;
            uint64_t held = residents[r] / 256 * 256;
            uint64_t threads = needed < held ? needed : held;
            uint64_t *expected = calloc(n, sizeof *expected);
            uint64_t *wide = calloc(n, sizeof *wide);
            uint32_t *narrow = calloc(n, sizeof *narrow);
            uint64_t offset;

            /* 32 bits an element, then 64 from where that left off. */
            offset = 4 * run_threads(seed, 0, threads, 4, expected, n);
            assert_int_equal(
                snap_torch_cuda_kernel(stream, SNAP_U32, residents[r], narrow, n, &err), SNAP_OK);
            for (size_t i = 0; i < n; i++) {
                assert_true(narrow[i] == expected[i]);
            }
            assert_int_equal(cuda_offset(stream), offset);
            offset += 4 * run_threads(seed, offset, threads, 2, expected, n);
            assert_int_equal(snap_torch_cuda_kernel(stream, SNAP_U64, residents[r], wide, n, &err),
                             SNAP_OK);
            assert_memory_equal(wide, expected, n * sizeof *wide);
            assert_int_equal(cuda_offset(stream), offset);
            assert_int_equal(snap_stream_words_drawn(stream), offset);
            free(expected);
            free(wide);
            free(narrow);
            snap_stream_free(stream);
        }
    }
}

/* torch.manual_seed(42); torch.rand(3, device="cuda") prints 0.6130, 0.0101, 0.3984. */
static void cuda_by_name(void **state)
{
    const float printed[3] = { 0.612959862f, 0.0100588445f, 0.398413688f };
    struct snap_stream *stream = seeded("torch_cuda", 42);
    struct snap_stream *other = seeded("torch_cuda", 42);
    float *numbers = calloc(2049, sizeof *numbers);
    double *wide = calloc(2048, sizeof *wide);
    int64_t integers[2];
    uint64_t words[2];

    (void)state;
    assert_int_equal(snap_stream_draw(stream, "f32", numbers, 3, &err), SNAP_OK);
    assert_memory_equal(numbers, printed, sizeof printed);
    assert_int_equal(cuda_offset(stream), 4);
    assert_int_equal(snap_stream_draw(stream, "f32", numbers, 2049, &err), SNAP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "at most 2048"));
    assert_int_equal(cuda_offset(stream), 4);
    assert_int_equal(snap_stream_draw(stream, "f64", wide, 2048, &err), SNAP_OK);
    for (size_t i = 0; i < 2048; i++) {
        assert_true(wide[i] >= 0.0 && wide[i] < 1.0);
    }
    assert_int_equal(cuda_offset(stream), 8);
    /* random_() drops the sign of the same words. */
    assert_int_equal(snap_stream_draw(stream, "i64", integers, 2, &err), SNAP_OK);
    assert_int_equal(snap_stream_draw(other, "u64", words, 2, &err), SNAP_OK);
    assert_int_equal(snap_stream_draw(other, "u64", words, 2, &err), SNAP_OK);
    assert_int_equal(snap_stream_draw(other, "u64", words, 2, &err), SNAP_OK);
    assert_true(integers[0] == (int64_t)(words[0] & INT64_MAX));
    assert_true(integers[1] == (int64_t)(words[1] & INT64_MAX));
    free(numbers);
    free(wide);
    snap_stream_free(stream);
    snap_stream_free(other);
}

static void cuda_refuses(void **state)
{
    static const unsigned char last[16] = { 1,    0,    0,    0,    0,    0,    0,    0,
                                            0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f };
    struct snap_stream *stream = decoded("torch_cuda", last, sizeof last);
    uint32_t word = 17;

    (void)state;
    assert_int_equal(snap_torch_cuda_kernel(stream, SNAP_U32, 2048, &word, 1, &err),
                     SNAP_UNSUPPORTED);
    assert_int_equal(snap_torch_cuda_kernel(stream, SNAP_U32, 2048, &word, 0, &err), SNAP_OK);
    assert_int_equal(snap_torch_cuda_kernel(stream, SNAP_U32, 255, &word, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_torch_cuda_kernel(stream, SNAP_U8, 2048, &word, 1, &err), SNAP_INVALID);
    assert_int_equal(
        snap_torch_cuda_kernel(stream, SNAP_U32, 2048, &word, (size_t)INT32_MAX + 1, &err),
        SNAP_UNSUPPORTED);
    assert_int_equal(word, 17);
    assert_int_equal(cuda_offset(stream), 0x7ffffffffffffffc);
    snap_stream_free(stream);
}

/* The ends of the interval: cuRAND's holds 1 and not 0, a tensor's 0 and not 1. */
static void uniforms_end(void **state)
{
    (void)state;
    assert_true(snap_curand_uniform_f32(0) == 0x1p-33f);
    assert_true(snap_curand_uniform_f32(UINT32_MAX) == 1.0f);
    assert_true(snap_curand_uniform_f64(0, 0) == 0x1p-54);
    assert_true(snap_curand_uniform_f64(UINT32_MAX, UINT32_MAX) > 0x1p-23); /* they are xored */
    assert_true(snap_curand_uniform_f64(0x1fffff, UINT32_MAX) == 1.0);
    assert_true(snap_curand_uniform_f64_short(0) == 0x1p-32);
    assert_true(snap_curand_uniform_f64_short(UINT32_MAX) == 1.0);
}

/* ---- cuRAND ---- */

/* curand_init(77, i, 0, &states[i]) of four states; a word of each, then a double. */
static void arrays_are_seeded(void **state)
{
    static const struct {
        const char *kind;
        size_t state_bytes;
        uint32_t words[4];
        double doubles[4];
    } answers[] = {
        { "curand_philox",
          64,
          { 0x34c7256fu, 0xb0fef5f2u, 0xc779a702u, 0x0a8ebed6u },
          { 0x1.1fd7adcp-2, 0x1.b939be7cp-1, 0x1.6e08211ap-1, 0x1.71acf3c8p-3 } },
        { "curand_xorwow",
          48,
          { 0x2d4d7899u, 0x4891f3edu, 0xd8c4ce76u, 0xab70ba90u },
          { 0x1.ce4a5bc9ac00bp-2, 0x1.dd17132be3f16p-1, 0x1.7f90dee8823a6p-1,
            0x1.dac5728c572cdp-2 } },
    };

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct snap_stream *one = seeded(answers[k].kind, 5);
        struct snap_stream *four;
        unsigned char states[4 * 64];
        void *bytes = NULL;
        uint32_t words[4];
        double doubles[4];
        size_t size;

        assert_int_equal(snap_stream_encode(one, &bytes, &size, &err), SNAP_OK);
        assert_int_equal(size, answers[k].state_bytes);
        for (size_t i = 0; i < 4; i++) {
            memcpy(states + i * size, bytes, size);
        }
        four = decoded(answers[k].kind, states, 4 * size);
        assert_int_equal(snap_stream_seed(four, 77, &err), SNAP_OK);
        assert_int_equal(snap_stream_draw(four, "u32", words, 4, &err), SNAP_OK);
        assert_memory_equal(words, answers[k].words, sizeof words);
        assert_int_equal(snap_stream_draw(four, "f64", doubles, 4, &err), SNAP_OK);
        assert_memory_equal(doubles, answers[k].doubles, sizeof doubles);
        assert_int_equal(snap_stream_words_drawn(four), k == 0 ? 8 : 12);
        /* One state again: the array is gone. */
        assert_int_equal(snap_stream_decode(four, bytes, size, &err), SNAP_OK);
        assert_int_equal(snap_stream_draw(four, "u32", words, 2, &err), SNAP_OK);
        assert_int_equal(snap_stream_draw(one, "u32", words + 2, 2, &err), SNAP_OK);
        assert_memory_equal(words, words + 2, 8);
        free(bytes);
        snap_stream_free(one);
        snap_stream_free(four);
    }
}

static void arrays_are_checked(void **state)
{
    struct snap_stream *stream = seeded("curand_philox", 5);
    struct snap_stream *xorwow = seeded("curand_xorwow", 5);
    unsigned char *bytes = NULL;
    unsigned char two[128];
    size_t size;

    (void)state;
    assert_int_equal(snap_stream_encode(stream, (void **)&bytes, &size, &err), SNAP_OK);
    memcpy(two, bytes, 64);
    memcpy(two + 64, bytes, 64);
    assert_int_equal(snap_stream_decode(stream, two, 0, &err), SNAP_CORRUPT);
    assert_string_equal(err.text, "stream curand_philox: decode: 0 bytes where states of 64 each "
                                  "are needed");
    assert_int_equal(snap_stream_decode(stream, two, 127, &err), SNAP_CORRUPT);
    two[64 + 16]++;
    assert_int_equal(snap_stream_decode(stream, two, 128, &err), SNAP_CORRUPT);
    assert_non_null(strstr(err.text, "state 1: its block of words is not Philox"));
    two[64 + 16]--;
    two[64 + 40] = 4;
    assert_int_equal(snap_stream_decode(stream, two, 128, &err), SNAP_CORRUPT);
    assert_non_null(strstr(err.text, "past 3"));
    two[64 + 40] = 3;
    assert_int_equal(snap_stream_decode(stream, two, 128, &err), SNAP_OK);
    /* Memory that nobody initialised. */
    memset(two, 0xa5, sizeof two);
    assert_int_equal(snap_stream_decode(xorwow, two, 96, &err), SNAP_CORRUPT);
    assert_non_null(strstr(err.text, "a flag of its cached normals"));
    free(bytes);
    snap_stream_free(stream);
    snap_stream_free(xorwow);
}

static void set_host(struct snap_stream *stream, int type, int ordering, uint64_t offset)
{
    const struct snap_curand_host host = { sizeof host, type, ordering, 42, offset };

    assert_int_equal(snap_curand_host_set(stream, &host, &err), SNAP_OK);
}

/* What a call adds to the offset, as cuRAND's own generators showed; 0: there is no offset then. */
static void hosts_count(void **state)
{
    static const struct {
        int type;
        enum snap_curand_call call;
        uint64_t offset, n, step;
    } calls[] = {
        { 161, SNAP_CURAND_UNIFORM, 5, 7, 7 },
        { 161, SNAP_CURAND_UNIFORM_DOUBLE, 5, 7, 7 },
        { 161, SNAP_CURAND_NORMAL, 5, 7, 7 },
        { 161, SNAP_CURAND_NORMAL_DOUBLE, 5, 7, 7 },
        { 161, SNAP_CURAND_POISSON, 5, 7, 7 },
        { 121, SNAP_CURAND_UNIFORM, 5, 7, 7 },
        { 121, SNAP_CURAND_UNIFORM_DOUBLE, 5, 7, 7 },
        { 121, SNAP_CURAND_NORMAL, 5, 8, 4 },
        { 121, SNAP_CURAND_NORMAL_DOUBLE, 5, 8, 4 },
        { 121, SNAP_CURAND_POISSON, 5, 7, 7 },
        { 101, SNAP_CURAND_UNIFORM, 5, 7, 7 },
        { 101, SNAP_CURAND_UNIFORM_DOUBLE, 4096, 8192, 16384 },
        { 101, SNAP_CURAND_UNIFORM_DOUBLE, 4096, 8191, 0 },
        { 101, SNAP_CURAND_UNIFORM_DOUBLE, 4095, 8192, 0 },
        { 101, SNAP_CURAND_NORMAL, 8192, 16384, 16384 },
        { 101, SNAP_CURAND_NORMAL, 8192, 4096, 0 },
        { 101, SNAP_CURAND_NORMAL_DOUBLE, 0, 16384, 32768 },
        { 101, SNAP_CURAND_POISSON, 0, 4096, 0 },
        { 161, SNAP_CURAND_UNIFORM, UINT64_MAX, 1, 0 },
        { 101, SNAP_CURAND_UNIFORM_DOUBLE, 0, (uint64_t)1 << 63, 0 },
    };
    struct snap_stream *stream = seeded("curand_host", 42);
    struct snap_curand_host host;
    uint64_t drawn = 0;

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        set_host(stream, calls[i].type, 101, calls[i].offset);
        assert_int_equal(snap_curand_host_generated(stream, calls[i].call, calls[i].n, &err),
                         calls[i].step > 0 ? SNAP_OK : SNAP_UNSUPPORTED);
        assert_int_equal(snap_curand_host_get(stream, &host, &err), SNAP_OK);
        assert_true(host.offset == calls[i].offset + calls[i].step);
        assert_int_equal(host.type, calls[i].type);
        assert_int_equal(host.seed, 42);
        drawn += calls[i].step;
        assert_true(snap_stream_words_drawn(stream) == drawn);
        assert_int_equal(
            snap_curand_host_generated(stream, calls[i].call, 0, &err),
            calls[i].type == 101 &&
                    (calls[i].call == SNAP_CURAND_POISSON || calls[i].offset % 4096 != 0) &&
                    calls[i].call != SNAP_CURAND_UNIFORM
                ? SNAP_UNSUPPORTED
                : SNAP_OK);
    }
    snap_stream_free(stream);
}

static void hosts_refuse(void **state)
{
    struct snap_curand_host host = { sizeof host, 142, 101, 42, 0 };
    struct snap_stream *stream = seeded("curand_host", 42);
    struct snap_stream *other = seeded("torch_cuda", 42);
    uint32_t words[4096];

    (void)state;
    assert_int_equal(snap_curand_host_set(stream, &host, &err), SNAP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "no offset for type 142"));
    host.type = 161;
    host.ordering = 102;
    assert_int_equal(snap_curand_host_set(stream, &host, &err), SNAP_INVALID);
    host.ordering = 105;
    assert_int_equal(snap_curand_host_set(stream, &host, &err), SNAP_INVALID);
    assert_int_equal(snap_curand_host_set(other, &host, &err), SNAP_INVALID);
    assert_int_equal(snap_curand_host_get(other, &host, &err), SNAP_INVALID);
    assert_int_equal(snap_curand_host_generated(other, SNAP_CURAND_UNIFORM, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_curand_host_generated(stream, (enum snap_curand_call)6, 1, &err),
                     SNAP_INVALID);
    expect_member(stream, "{\"kind\":\"curand_host\",\"offset\":0,\"ordering\":\"default\","
                          "\"seed\":42,\"type\":\"philox4_32_10\"}\n");
    /* 100 is cuRAND's name for XORWOW by default. */
    set_host(stream, 100, 102, 0);
    expect_member(stream, "{\"kind\":\"curand_host\",\"offset\":0,\"ordering\":\"seeded\","
                          "\"seed\":42,\"type\":\"xorwow\"}\n");
    assert_int_equal(snap_curand_host_generated(stream, SNAP_CURAND_NORMAL, 3, &err), SNAP_INVALID);
    assert_int_equal(snap_stream_draw(stream, "u32", words, 1, &err), SNAP_UNSUPPORTED);
    set_host(stream, 121, 101, 0);
    assert_int_equal(snap_stream_draw(stream, "f32", words, 1, &err), SNAP_UNSUPPORTED);
    set_host(stream, 101, 101, 0);
    assert_int_equal(snap_stream_draw(stream, "f64", words, 1, &err), SNAP_UNSUPPORTED);
    assert_true(snap_stream_words_drawn(stream) == 0);
    snap_stream_free(stream);
    snap_stream_free(other);
}

/* ---- TensorFlow, JAX ---- */

static void tensorflow_threefry(void **state)
{
    static const char member[] =
        "{\"algorithm\":\"threefry\",\"kind\":\"tensorflow_generator\",\"state\":[42,7]}\n";
    struct snap_stream *stream = decoded("tensorflow_generator", member, sizeof member - 1);
    uint32_t word = 17;

    (void)state;
    assert_int_equal(snap_stream_draw(stream, "u32", &word, 1, &err), SNAP_UNSUPPORTED);
    assert_int_equal(word, 17);
    assert_int_equal(snap_stream_draw(stream, "u32", &word, 0, &err), SNAP_OK);
    expect_member(stream, member);
    snap_stream_free(stream);
}

static void jax_edges(void **state)
{
    struct snap_stream *stream = seeded("jax_key", ((uint64_t)1 << 32) + 1);
    struct snap_stream *other = seeded("torch_cuda", 1);
    uint32_t keys[2] = { 17, 17 };
    int64_t number = 17;

    (void)state;
    /* Without 64-bit types a seed is cut. */
    expect_member(stream, "{\"impl\":\"threefry2x32\",\"key\":[0,1],\"kind\":\"jax_key\","
                          "\"partitionable\":true,\"x64\":false}\n");
    assert_int_equal(snap_jax_split(stream, 0, NULL, &err), SNAP_OK);
    assert_int_equal(snap_jax_split(stream, (size_t)1 << 30, keys, &err), SNAP_UNSUPPORTED);
    assert_int_equal(snap_jax_split(other, 1, keys, &err), SNAP_INVALID);
    assert_int_equal(snap_jax_fold_in(other, 1, keys, &err), SNAP_INVALID);
    assert_int_equal(snap_jax_randint(other, SNAP_I32, 0, 5, &number, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_jax_randint(stream, SNAP_I32, 5, 5, &number, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_jax_randint(stream, SNAP_I32, 0, (int64_t)1 << 31, &number, 1, &err),
                     SNAP_INVALID);
    assert_int_equal(snap_jax_randint(stream, SNAP_U32, 0, 5, &number, 1, &err), SNAP_INVALID);
    assert_true(keys[0] == 17 && keys[1] == 17 && number == 17);
    assert_int_equal(snap_jax_randint(stream, SNAP_I32, -5, -4, &number, 1, &err), SNAP_OK);
    assert_true(number == -5);
    assert_int_equal(snap_stream_words_drawn(stream), 0);
    snap_stream_free(stream);
    snap_stream_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuda_kernels),        cmocka_unit_test(cuda_by_name),
        cmocka_unit_test(cuda_refuses),        cmocka_unit_test(uniforms_end),
        cmocka_unit_test(arrays_are_seeded),   cmocka_unit_test(arrays_are_checked),
        cmocka_unit_test(hosts_count),         cmocka_unit_test(hosts_refuse),
        cmocka_unit_test(tensorflow_threefry), cmocka_unit_test(jax_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
