/* SPDX-License-Identifier: Apache-2.0 */
/* torch_cuda.json: states, uniforms, integers and masks of dropout of a CUDA generator. Of normals
 * the states only: a device takes its own logarithms and cosines for them. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "stream/curand_uniform.h"
#include "vectors.h"

/* No case has more elements than this many threads, which every GPU holds in one grid of these
 * sizes; so no number depends on which GPU it was. */
#define RESIDENT_THREADS 8192u
/* Elements that a thread of dropout takes at once, where the tensor can be cut so. */
#define DROPOUT_VECTOR 4u

static struct snap_error err = SNAP_ERROR_INIT;

static void seed(struct snap_stream *stream, const json_t *seed_given)
{
    must(snap_stream_seed(stream, decimal_u64(argument_text(seed_given, "value")), &err), &err,
         "seed");
}

static void *expected(const json_t *state, size_t *size_bytes)
{
    return hex_to_bytes(argument_text(state, "hex"), size_bytes);
}

static void restore(struct snap_stream *stream, const json_t *state)
{
    size_t size;
    void *bytes = expected(state, &size);

    must(snap_stream_decode(stream, bytes, size, &err), &err, "decode");
    free(bytes);
}

static void *run_kernel(struct snap_stream *stream, enum snap_dtype dtype, size_t n)
{
    void *out = allocate(n, snap_dtype_size_bytes(dtype));

    must(snap_torch_cuda_kernel(stream, dtype, RESIDENT_THREADS, out, n, &err), &err, "kernel");
    return out;
}

static void call_rand(struct snap_stream *stream, const json_t *args, size_t n,
                      struct result *result)
{
    bool wide = strcmp(argument_text(args, "dtype"), "float64") == 0;
    enum snap_dtype dtype = wide ? SNAP_F64 : SNAP_F32;
    void *numbers = run_kernel(stream, dtype, n);

    result_add_tensor(result, dtype, numbers, n);
    free(numbers);
}

static void call_randint(struct snap_stream *stream, const json_t *args, size_t n,
                         struct result *result)
{
    int64_t low = argument_int(args, "low");
    uint32_t range = (uint32_t)(argument_int(args, "high") - low);
    uint32_t *words = run_kernel(stream, SNAP_U32, n);

    for (size_t i = 0; i < n; i++) {
        result_add_int(result, low + words[i] % range);
    }
    free(words);
}

static void call_random(struct snap_stream *stream, size_t n, struct result *result)
{
    int64_t *numbers = run_kernel(stream, SNAP_I64, n);

    result_add_tensor(result, SNAP_I64, numbers, n);
    free(numbers);
}

static void call_bernoulli(struct snap_stream *stream, const json_t *args, size_t n,
                           struct result *result)
{
    double p = argument_double(args, "p", 0.5);
    uint32_t *words = run_kernel(stream, SNAP_U32, n);

    for (size_t i = 0; i < n; i++) {
        float one = snap_curand_uniform_f32(words[i]) < p ? 1.0f : 0.0f;

        result_add_tensor(result, SNAP_F32, &one, 1);
    }
    free(words);
}

/* The words of n elements, of which a thread serves DROPOUT_VECTOR that stand side by side from
 * one block of its subsequence; the words of a grid that gives thread t the elements t, t + T,
 * t + 2T, ... of T threads are the same, in another order. */
static uint32_t *vector_words(struct snap_stream *stream, size_t n)
{
    size_t threads = (n / DROPOUT_VECTOR + 255) / 256 * 256;
    uint32_t *rows = allocate(threads * DROPOUT_VECTOR, sizeof *rows);
    uint32_t *words = allocate(n, sizeof *words);

    must(snap_torch_cuda_kernel(stream, SNAP_U32, threads, rows, threads * DROPOUT_VECTOR, &err),
         &err, "kernel");
    for (size_t i = 0; i < n; i++) {
        words[i] = rows[i % DROPOUT_VECTOR * threads + i / DROPOUT_VECTOR];
    }
    free(rows);
    return words;
}

/* torch.nn.Dropout(p) of ones: what is kept is scaled by 1 / (1 - p) in float32. */
static void call_dropout(struct snap_stream *stream, const json_t *args, size_t n,
                         struct result *result)
{
    double keep = 1.0 - argument_double(args, "p", 0.5);
    float scale = (float)(1.0 / keep);
    uint32_t *words = n % DROPOUT_VECTOR == 0 ? vector_words(stream, n)
                                              : run_kernel(stream, SNAP_U32, n);

    for (size_t i = 0; i < n; i++) {
        float kept = snap_curand_uniform_f32(words[i]) < (float)keep ? scale : 0.0f;

        result_add_tensor(result, SNAP_F32, &kept, 1);
    }
    free(words);
}

static bool call(struct snap_stream *stream, const char *fn, const json_t *args,
                 struct result *result)
{
    size_t n = argument_size(args, "n", 1);

    if (n > RESIDENT_THREADS) {
        fail("torch_cuda: %zu elements depend on the GPU", n);
    }
    if (strcmp(fn, "rand") == 0) {
        call_rand(stream, args, n, result);
    } else if (strcmp(fn, "randint") == 0) {
        call_randint(stream, args, n, result);
    } else if (strcmp(fn, "random_") == 0) {
        call_random(stream, n, result);
    } else if (strcmp(fn, "bernoulli_") == 0) {
        call_bernoulli(stream, args, n, result);
    } else if (strcmp(fn, "Dropout") == 0) {
        call_dropout(stream, args, n, result);
    } else if (strcmp(fn, "randn") == 0) {
        free(run_kernel(stream, SNAP_U32, n));
    } else {
        return false;
    }
    return true;
}

const struct family torch_cuda_family = {
    .name = "torch_cuda",
    .kind = "torch_cuda",
    .seed = seed,
    .restore = restore,
    .expected = expected,
    .call = call,
};
