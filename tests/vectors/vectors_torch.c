/* SPDX-License-Identifier: Apache-2.0 */
/* torch_cpu.json: states, permutations, samplers and loaders. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/numpy_random_state.h"
#include "stream/python_random.h"
#include "vectors_torch.h"

/* Of the library that wrote the file. */
static enum snap_torch_version version = SNAP_TORCH_1_13;

static void begin(const json_t *file)
{
    const char *text = argument_text(file, "version");
    char *end;
    unsigned long major = strtoul(text, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;

    version = major < 2   ? SNAP_TORCH_1_13
              : minor < 7 ? SNAP_TORCH_2_0
                          : SNAP_TORCH_2_7;
}

static struct snap_torch_cpu *engine(struct snap_stream *stream)
{
    struct snap_torch_cpu *t = internals(stream, "torch_cpu");

    t->version = version;
    return t;
}

static void seed(struct snap_stream *stream, const json_t *seed)
{
    struct snap_error err = SNAP_ERROR_INIT;

    must(snap_stream_seed(stream, decimal_u64(argument_text(seed, "value")), &err), &err, "seed");
}

static void *expected(const json_t *state, size_t *size_bytes)
{
    return hex_to_bytes(argument_text(state, "hex"), size_bytes);
}

static void restore(struct snap_stream *stream, const json_t *state)
{
    struct snap_error err = SNAP_ERROR_INIT;
    size_t size;
    void *bytes = expected(state, &size);

    must(snap_stream_decode(stream, bytes, size, &err), &err, "decode");
    free(bytes);
}

/* ---- indices ---- */

static void add_indices(struct result *result, const uint64_t *indices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        result_add(result, indices[i]);
    }
}

static void call_randperm(struct snap_torch_cpu *t, size_t n, const char *dtype,
                          struct result *result)
{
    uint64_t *order = allocate(n, sizeof *order);

    snap_torch_randperm(t, order, n);
    for (size_t i = 0; i < n; i++) {
        float as_float = (float)order[i];
        uint32_t bits;

        memcpy(&bits, &as_float, sizeof bits);
        result_add(result, strcmp(dtype, "f32") == 0 ? bits : order[i]);
    }
    result->width = strcmp(dtype, "f32") == 0 ? 4 : 0;
    free(order);
}

static void call_multinomial(struct snap_torch_cpu *t, const json_t *args, const char *size_name,
                             enum snap_dtype dtype, struct result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    size_t size = argument_size(args, size_name, 1);
    uint64_t *out = allocate(size, sizeof *out);
    size_t n;
    double *weights = to_doubles(argument(args, "weights"), &n);

    must(snap_torch_multinomial(t, dtype, weights, n, size,
                                json_is_true(argument(args, "replacement")), out, &err),
         &err, "multinomial");
    add_indices(result, out, size);
    free(weights);
    free(out);
}

static void add_sampler(struct snap_torch_cpu *t, size_t n, bool replacement, size_t num_samples,
                        bool explicit_generator, size_t cut, struct result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    uint64_t *out = allocate(num_samples, sizeof *out);

    must(snap_torch_random_sampler(t, n, replacement, num_samples, explicit_generator, out, &err),
         &err, "RandomSampler");
    add_indices(result, out, cut);
    free(out);
}

/* One pass of a DataLoader: the base seed of its workers is drawn first, with no workers too. */
static void call_loader(struct snap_torch_cpu *t, const json_t *args, bool explicit_generator,
                        struct result *result)
{
    size_t n = argument_size(args, "n", 0);
    size_t batch = argument_size(args, "batch_size", 1);
    size_t samples = argument_size(args, "replacement_num_samples", n);
    bool replacement = has_argument(args, "replacement_num_samples");
    bool shuffle = !has_argument(args, "shuffle") || json_is_true(argument(args, "shuffle"));
    bool drop_last = has_argument(args, "drop_last") && json_is_true(argument(args, "drop_last"));
    size_t cut = drop_last ? samples / batch * batch : samples;

    for (size_t epoch = 0; epoch < argument_size(args, "epochs", 1); epoch++) {
        snap_torch_draw_seed(t);
        if (shuffle) {
            add_sampler(t, n, replacement, samples, explicit_generator, cut, result);
        } else {
            for (size_t i = 0; i < cut; i++) {
                result_add(result, i);
            }
        }
    }
}

static void add_u64_text(struct result *result, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, value);
    result_add_text(result, text);
}

/* What the streams of every worker process draw first. */
static void call_workers(struct snap_torch_cpu *t, const json_t *args, struct result *result)
{
    uint64_t base = snap_torch_draw_seed(t);
    size_t workers = argument_size(args, "num_workers", 0);

    for (uint32_t w = 0; w < workers; w++) {
        struct snap_torch_cpu torch = { .version = t->version };
        struct snap_python_random python = { 0 };
        struct snap_numpy_random_state numpy = { 0 };
        struct snap_numpy_pieces pieces = { 0, 0 };
        uint32_t words[4];

        snap_torch_seed(&torch, base + w);
        snap_python_seed_uint(&python, base + w);
        snap_torch_worker_numpy_seed(base, w, words);
        snap_numpy_seed_words(&numpy, words, 4);
        add_u64_text(result, w);
        add_u64_text(result, base + w);
        add_u64_text(result, torch.seed);
        add_u64_text(result, snap_python_getrandbits(&python, 64));
        add_u64_text(result, snap_numpy_bounded(&numpy, 32, UINT32_MAX, &pieces));
        add_u64_text(result, snap_torch_draw_seed(&torch));
    }
}

bool torch_index_call(struct snap_torch_cpu *t, const char *fn, const json_t *args,
                      struct result *result)
{
    size_t n = argument_size(args, "n", 0);

    if (strcmp(fn, "randperm") == 0) {
        call_randperm(t, n, argument_text(args, "dtype"), result);
    } else if (strcmp(fn, "multinomial") == 0) {
        bool is_float = strcmp(argument_text(args, "dtype"), "f32") == 0;

        call_multinomial(t, args, "n", is_float ? SNAP_F32 : SNAP_F64, result);
    } else if (strcmp(fn, "WeightedRandomSampler") == 0) {
        call_multinomial(t, args, "num_samples", SNAP_F64, result);
    } else if (strcmp(fn, "SubsetRandomSampler") == 0) {
        call_randperm(t, (size_t)range_of(argument_text(args, "indices")), "i64", result);
    } else if (strcmp(fn, "random_split") == 0) {
        size_t count;
        uint32_t *lengths = to_words(argument(args, "lengths"), &count);
        size_t total = 0;

        for (size_t i = 0; i < count; i++) {
            total += lengths[i];
        }
        call_randperm(t, total, "i64", result);
        free(lengths);
    } else if (strcmp(fn, "RandomSampler") == 0) {
        size_t samples = argument_size(args, "num_samples", n);

        add_sampler(t, n, json_is_true(argument(args, "replacement")), samples, false, samples,
                    result);
    } else if (strcmp(fn, "DataLoader") == 0 || strcmp(fn, "DataLoader_epoch") == 0) {
        call_loader(t, args, strcmp(argument_text(args, "generator"), "explicit") == 0, result);
    } else if (strcmp(fn, "DataLoader_workers") == 0) {
        call_workers(t, args, result);
    } else {
        return false;
    }
    return true;
}

static bool call(struct snap_stream *stream, const char *fn, const json_t *args,
                 struct result *result)
{
    struct snap_torch_cpu *t = engine(stream);

    return torch_index_call(t, fn, args, result) || torch_tensor_call(t, fn, args, result);
}

const struct family torch_family = {
    .name = "torch_cpu",
    .kind = "torch_cpu",
    .begin = begin,
    .seed = seed,
    .restore = restore,
    .expected = expected,
    .call = call,
};
