/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of numpy_randomstate.json. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "stream/numpy_random_state.h"
#include "vectors.h"

static struct snap_numpy_random_state *engine(struct snap_stream *stream)
{
    return internals(stream, "numpy_random_state");
}

static void seed(struct snap_stream *stream, const json_t *seed)
{
    struct snap_error err = SNAP_ERROR_INIT;
    const char *kind = argument_text(seed, "kind");
    uint32_t *words;
    size_t count;

    if (strcmp(kind, "int") == 0) {
        must(snap_stream_seed(stream, decimal_u64(argument_text(seed, "value")), &err), &err,
             "seed");
    } else if (strcmp(kind, "array") == 0) {
        words = to_words(argument(seed, "value"), &count);
        snap_numpy_seed_words(engine(stream), words, count);
        free(words);
    } else {
        words = digits_to_words(argument_text(seed, "entropy"), 10, &count);
        snap_numpy_seed_sequence(engine(stream), words, count);
        free(words);
    }
}

static void *expected(const json_t *state, size_t *size_bytes)
{
    json_t *key = json_deep_copy(argument(state, "key"));

    return canonical(json_pack("{s:s, s:s, s:i, s:s, s:{s:o, s:i}}", "kind", "numpy_random_state",
                               "bit_generator", argument_text(state, "bit_generator"), "has_gauss",
                               (int)argument_int(state, "has_gauss"), "gauss",
                               argument_text(argument(state, "cached_gaussian"), "bits"), "state",
                               "key", key, "pos", (int)argument_int(state, "pos")),
                     size_bytes);
}

static void restore(struct snap_stream *stream, const json_t *state)
{
    struct snap_error err = SNAP_ERROR_INIT;
    size_t size;
    void *bytes = expected(state, &size);

    must(snap_stream_decode(stream, bytes, size, &err), &err, "decode");
    free(bytes);
}

static unsigned width_of(const char *dtype)
{
    return strcmp(dtype, "bool") == 0  ? 1
           : strstr(dtype, "int8") != NULL ? 8
           : strstr(dtype, "16") != NULL   ? 16
           : strstr(dtype, "32") != NULL   ? 32
                                           : 64;
}

static void call_randint(struct snap_stream *stream, const char *fn, const json_t *args,
                         struct result *result)
{
    struct snap_numpy_pieces pieces = { 0, 0 };
    const char *dtype = argument_text(args, "dtype");
    bool scalar = strcmp(fn, "randint_scalar") == 0;
    const json_t *low = argument(args, "low");
    const json_t *high = argument(args, "high");
    bool lists = json_is_array(low);
    size_t n = lists ? json_array_size(low) : argument_size(args, scalar ? "n" : "size", 1);

    result->is_unsigned = strcmp(dtype, "uint64") == 0;
    if (!lists && !scalar && strcmp(dtype, "int64") == 0 &&
        strcmp(to_digits(high, (char[32]){ 0 }), "9223372036854775808") != 0) {
        struct snap_error err = SNAP_ERROR_INIT;
        int64_t *out = allocate(n, sizeof *out);

        must(snap_numpy_randint(stream, to_int(low), to_int(high), out, n, &err), &err, fn);
        for (size_t i = 0; i < n; i++) {
            result_add_int(result, out[i]);
        }
        free(out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t first = (uint64_t)to_int(lists ? json_array_get(low, i) : low);
        uint64_t end = (uint64_t)to_int(lists ? json_array_get(high, i) : high);

        if (scalar) {
            pieces = (struct snap_numpy_pieces){ 0, 0 };
        }
        result_add(result, first + snap_numpy_bounded(engine(stream), width_of(dtype),
                                                      end - 1 - first, &pieces));
    }
}

static void call_choice(struct snap_numpy_random_state *r, const json_t *args,
                        struct result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    uint64_t n = (uint64_t)argument_int(args, "a");
    size_t size = argument_size(args, "size", 1);
    bool replace = json_is_true(argument(args, "replace"));
    uint64_t *out = allocate(size, sizeof *out);
    enum snap_status status;

    if (has_argument(args, "p")) {
        size_t count;
        double *p = to_doubles(argument(args, "p"), &count);

        status = snap_numpy_choice_weighted(r, p, count, size, replace, out, &err);
        free(p);
    } else if (replace) {
        status = snap_numpy_choice(r, n, size, out, &err);
    } else {
        status = snap_numpy_choice_distinct(r, (size_t)n, size, out, &err);
    }
    must(status, &err, "choice");
    for (size_t i = 0; i < size; i++) {
        result_add(result, out[i]);
    }
    free(out);
}

/* shuffle(x), permutation(n) or permutation(x), x being "arange(n)" or "arange(n).reshape(r,c)". */
static void call_permute(struct snap_numpy_random_state *r, const json_t *args,
                         struct result *result)
{
    const char *x = has_argument(args, "x") ? argument_text(args, "x") : NULL;
    const char *shape = x != NULL ? strstr(x, "reshape(") : NULL;
    size_t n = (size_t)(x == NULL       ? parameter(args, 0, 0.0)
                        : shape != NULL ? (double)range_of(shape)
                                        : (double)range_of(x));
    size_t columns = shape != NULL ? strtoul(strchr(shape, ',') + 1, NULL, 10) : 1;
    uint64_t *rows = allocate(n, sizeof *rows);

    snap_numpy_permutation(r, rows, n);
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < columns; c++) {
            result_add(result, rows[i] * columns + c);
        }
    }
    free(rows);
}

/* One draw of a real-valued distribution; false when it is none. */
static bool draw_real(struct snap_numpy_random_state *r, const char *fn, const json_t *args,
                      double *value)
{
    double a = parameter(args, 0, 0.0);
    double b = parameter(args, 1, 1.0);

    if (strcmp(fn, "random_sample") == 0 || strcmp(fn, "rand") == 0) {
        *value = snap_numpy_random_double(r);
    } else if (strcmp(fn, "uniform") == 0) {
        *value = snap_numpy_uniform(r, a, b);
    } else if (strcmp(fn, "standard_normal") == 0 || strcmp(fn, "randn") == 0) {
        *value = snap_numpy_standard_normal(r);
    } else if (strcmp(fn, "normal") == 0) {
        *value = snap_numpy_normal(r, a, b);
    } else if (strcmp(fn, "lognormal") == 0) {
        *value = snap_numpy_lognormal(r, a, b);
    } else if (strcmp(fn, "standard_exponential") == 0) {
        *value = snap_numpy_standard_exponential(r);
    } else if (strcmp(fn, "exponential") == 0) {
        *value = snap_numpy_exponential(r, a);
    } else if (strcmp(fn, "standard_gamma") == 0) {
        *value = snap_numpy_standard_gamma(r, a);
    } else if (strcmp(fn, "gamma") == 0) {
        *value = snap_numpy_gamma(r, a, b);
    } else if (strcmp(fn, "beta") == 0) {
        *value = snap_numpy_beta(r, a, b);
    } else if (strcmp(fn, "chisquare") == 0) {
        *value = snap_numpy_chisquare(r, a);
    } else if (strcmp(fn, "laplace") == 0) {
        *value = snap_numpy_laplace(r, a, b);
    } else if (strcmp(fn, "triangular") == 0) {
        *value = snap_numpy_triangular(r, a, b, parameter(args, 2, 1.0));
    } else {
        return false;
    }
    return true;
}

static bool call(struct snap_stream *stream, const char *fn, const json_t *args,
                 struct result *result)
{
    struct snap_numpy_random_state *r = engine(stream);
    size_t n = argument_size(args, "size", 1);
    double value;

    if (strncmp(fn, "randint", 7) == 0) {
        call_randint(stream, fn, args, result);
    } else if (strcmp(fn, "choice") == 0) {
        call_choice(r, args, result);
    } else if (strcmp(fn, "shuffle") == 0 || strcmp(fn, "permutation") == 0) {
        call_permute(r, args, result);
    } else if (strcmp(fn, "tomaxint") == 0) {
        for (size_t i = 0; i < n; i++) {
            result_add_int(result, snap_numpy_tomaxint(r));
        }
    } else if (strcmp(fn, "bytes") == 0) {
        size_t length = argument_size(args, "length", 0);
        unsigned char *bytes = allocate(length, 1);

        snap_numpy_bytes(r, bytes, length);
        result_add_bytes(result, bytes, length);
        free(bytes);
    } else if (strcmp(fn, "stream_u32") == 0) {
        struct snap_numpy_pieces none = { 0, 0 };

        n = argument_size(args, "n", 0);
        for (size_t i = 0; i < n; i++) {
            result_add(result, snap_numpy_bounded(r, 32, UINT32_MAX, &none));
        }
    } else {
        if (strcmp(fn, "rand") == 0 || strcmp(fn, "randn") == 0) {
            n = (size_t)(parameter(args, 0, 1.0) * parameter(args, 1, 1.0));
        }
        for (size_t i = 0; i < n; i++) {
            if (!draw_real(r, fn, args, &value)) {
                return false;
            }
            result_add_double(result, value);
        }
    }
    return true;
}

const struct family numpy_family = {
    .name = "numpy_randomstate",
    .kind = "numpy_random_state",
    .seed = seed,
    .restore = restore,
    .expected = expected,
    .call = call,
};
