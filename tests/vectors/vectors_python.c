/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of python_random.json. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "stream/python_random.h"
#include "vectors.h"

#define STATE_INTS (SNAP_MT19937_WORDS + 1)

static struct snap_python_random *engine(struct snap_stream *stream)
{
    return internals(stream, "python_random");
}

/* Code points of UTF-8 text; malloc'd. */
static uint32_t *code_points(const unsigned char *utf8, size_t size_bytes, size_t *count)
{
    uint32_t *points = allocate(size_bytes, sizeof *points);

    *count = 0;
    for (size_t i = 0; i < size_bytes;) {
        unsigned char lead = utf8[i];
        size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        uint32_t point = length == 1 ? lead : lead & (0xffu >> (length + 1));

        for (size_t b = 1; b < length; b++) {
            point = point << 6 | (utf8[i + b] & 0x3fu);
        }
        points[(*count)++] = point;
        i += length;
    }
    return points;
}

static void seed_bytes(struct snap_python_random *r, const json_t *seed, bool text)
{
    struct snap_error err = SNAP_ERROR_INIT;
    size_t size, count;
    unsigned char *bytes = hex_to_bytes(argument_text(seed, text ? "utf8" : "hex"), &size);

    if (argument_int(seed, "version") == 2) {
        must(snap_python_seed_bytes(r, bytes, size, &err), &err, "seed");
    } else if (text) {
        uint32_t *points = code_points(bytes, size, &count);

        snap_python_seed_version_1(r, points, count);
        free(points);
    } else {
        uint32_t *points = allocate(size, sizeof *points);

        for (size_t i = 0; i < size; i++) {
            points[i] = bytes[i];
        }
        snap_python_seed_version_1(r, points, size);
        free(points);
    }
    free(bytes);
}

static void seed(struct snap_stream *stream, const json_t *seed)
{
    struct snap_python_random *r = engine(stream);
    struct snap_error err = SNAP_ERROR_INIT;
    const char *kind = argument_text(seed, "kind");

    if (strcmp(kind, "int") == 0) {
        size_t count;
        uint32_t *words = digits_to_words(argument_text(seed, "hex"), 16, &count);

        snap_python_seed_words(r, words, count);
        if (argument_text(seed, "hex")[0] != '-' && count <= 2) {
            uint64_t value = (count == 2 ? (uint64_t)words[1] << 32 : 0) | words[0];

            must(snap_stream_seed(stream, value, &err), &err, "seed");
        }
        free(words);
    } else if (strcmp(kind, "bool") == 0) {
        snap_python_seed_uint(r, json_is_true(argument(seed, "value")));
    } else if (strcmp(kind, "float") == 0) {
        must(snap_python_seed_double(r, to_double(seed), &err), &err, "seed");
    } else {
        seed_bytes(r, seed, strcmp(kind, "str") == 0);
    }
}

static void *expected(const json_t *state, size_t *size_bytes)
{
    const json_t *gauss = argument(state, "gauss_next");
    json_t *words = json_array();

    for (size_t i = 0; i < STATE_INTS; i++) {
        int64_t word = to_int(json_array_get(argument(state, "state"), i));

        json_array_append_new(words, json_integer(word & 0xffffffff));
    }
    return canonical(
        json_pack("{s:s, s:i, s:o, s:o}", "kind", "python_random", "version", 3, "state", words,
                  "gauss_next",
                  json_is_null(gauss) ? json_null() : json_string(argument_text(gauss, "bits"))),
        size_bytes);
}

static void restore(struct snap_stream *stream, const json_t *state)
{
    struct snap_error err = SNAP_ERROR_INIT;
    int64_t internal[STATE_INTS];
    size_t size;
    void *bytes;

    if (argument_int(state, "version") == 2) {
        const json_t *gauss = argument(state, "gauss_next");
        double value = json_is_null(gauss) ? 0.0 : to_double(gauss);

        for (size_t i = 0; i < STATE_INTS; i++) {
            internal[i] = to_int(json_array_get(argument(state, "state"), i));
        }
        must(snap_python_setstate(engine(stream), 2, internal,
                                  json_is_null(gauss) ? NULL : &value, &err),
             &err, "setstate");
        return;
    }
    bytes = expected(state, &size);
    must(snap_stream_decode(stream, bytes, size, &err), &err, "decode");
    free(bytes);
}

static snap_int128 to_int128(const json_t *value)
{
    char buffer[32];
    const char *digits = to_digits(value, buffer);
    size_t count;
    uint32_t *words = digits_to_words(digits, 10, &count);
    snap_int128 number = 0;

    while (count-- > 0) {
        number = number << 32 | words[count];
    }
    free(words);
    return digits[0] == '-' ? -number : number;
}

static void add_int128(struct result *result, snap_int128 value)
{
    snap_int128 size = value < 0 ? -value : value;
    uint32_t words[4];

    for (size_t i = 0; i < 4; i++) {
        words[i] = (uint32_t)(size >> (32 * i));
    }
    result_add_words(result, words, 4, value < 0);
}

static void call_getrandbits(struct snap_python_random *r, const json_t *args, size_t n,
                             struct result *result)
{
    uint64_t k = (uint64_t)argument_int(args, "k");
    size_t count = (size_t)(k / 32 + 1);
    uint32_t *words = allocate(count, sizeof *words);

    for (size_t i = 0; i < n; i++) {
        if (k <= 64) {
            uint64_t value = snap_python_getrandbits(r, (unsigned)k);

            words[0] = (uint32_t)value;
            result_add_words(result, (uint32_t[]){ words[0], (uint32_t)(value >> 32) }, 2, false);
        } else {
            words[count - 1] = 0;
            snap_python_getrandbits_words(r, k, words);
            result_add_words(result, words, count, false);
        }
    }
    free(words);
}

static void call_below(struct snap_python_random *r, const json_t *args, size_t n,
                       struct result *result)
{
    char buffer[32];
    size_t count;
    uint32_t *bound = digits_to_words(to_digits(argument(args, "below"), buffer), 10, &count);
    uint32_t *out = allocate(count, sizeof *out);

    for (size_t i = 0; i < n; i++) {
        if (count <= 2) {
            uint64_t whole = (count == 2 ? (uint64_t)bound[1] << 32 : 0) | bound[0];
            uint64_t value = snap_python_below(r, whole);

            out[0] = (uint32_t)value;
            if (count == 2) {
                out[1] = (uint32_t)(value >> 32);
            }
        } else {
            snap_python_below_words(r, bound, count, out);
        }
        result_add_words(result, out, count, false);
    }
    free(bound);
    free(out);
}

static void call_randrange(struct snap_python_random *r, const char *fn, const json_t *args,
                           size_t n, struct result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    snap_int128 start = 0;
    snap_int128 stop, value;
    snap_int128 step = 1;

    if (strcmp(fn, "randint") == 0) {
        start = to_int128(argument(args, "a"));
        stop = to_int128(argument(args, "b")) + 1;
    } else {
        const json_t *list = argument(args, "range");

        if (json_array_size(list) == 1) {
            stop = to_int128(json_array_get(list, 0));
        } else {
            start = to_int128(json_array_get(list, 0));
            stop = to_int128(json_array_get(list, 1));
        }
        if (json_array_size(list) == 3) {
            step = to_int128(json_array_get(list, 2));
        }
    }
    for (size_t i = 0; i < n; i++) {
        must(snap_python_randrange(r, start, stop, step, &value, &err), &err, fn);
        add_int128(result, value);
    }
}

static void call_sample(struct snap_python_random *r, const json_t *args, struct result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    uint64_t n = range_of(argument_text(args, "population"));
    size_t k = argument_size(args, "k", 0);
    uint64_t *out = allocate(k, sizeof *out);

    if (has_argument(args, "counts")) {
        uint64_t *counts = allocate((size_t)n, sizeof *counts);

        for (size_t i = 0; i < n; i++) {
            counts[i] = (uint64_t)to_int(json_array_get(argument(args, "counts"), i));
        }
        must(snap_python_sample_counts(r, counts, (size_t)n, k, out, &err), &err, "sample");
        free(counts);
    } else {
        must(snap_python_sample(r, n, k, out, &err), &err, "sample");
    }
    for (size_t i = 0; i < k; i++) {
        result_add(result, out[i]);
    }
    free(out);
}

static void call_choices(struct snap_python_random *r, const json_t *args, struct result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    uint64_t n = range_of(argument_text(args, "population"));
    size_t k = argument_size(args, "k", 0);
    uint64_t *out = allocate(k, sizeof *out);
    bool weighted = has_argument(args, "weights");

    if (weighted || has_argument(args, "cum_weights")) {
        size_t count;
        double *cum = to_doubles(argument(args, weighted ? "weights" : "cum_weights"), &count);

        for (size_t i = 1; weighted && i < count; i++) {
            cum[i] += cum[i - 1];
        }
        must(snap_python_choices_cumulative(r, cum, count, k, out, &err), &err, "choices");
        free(cum);
    } else {
        snap_python_choices(r, n, k, out);
    }
    for (size_t i = 0; i < k; i++) {
        result_add(result, out[i]);
    }
    free(out);
}

static void call_shuffle(struct snap_stream *stream, const json_t *args, struct result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    size_t n = (size_t)range_of(argument_text(args, "list"));
    uint32_t *items = allocate(n, sizeof *items);

    for (size_t i = 0; i < n; i++) {
        items[i] = (uint32_t)i;
    }
    must(snap_python_shuffle(stream, items, n, &err), &err, "shuffle");
    for (size_t i = 0; i < n; i++) {
        result_add(result, items[i]);
    }
    free(items);
}

/* One draw of a real-valued distribution; false when it is none. */
static bool draw_real(struct snap_python_random *r, const char *fn, const json_t *args,
                      double *value)
{
    double a = parameter(args, 0, 0.0);
    double b = parameter(args, 1, 1.0);
    double mode = parameter(args, 2, 0.0);

    if (strcmp(fn, "random") == 0) {
        *value = snap_python_random_double(r);
    } else if (strcmp(fn, "uniform") == 0) {
        *value = snap_python_uniform(r, a, b);
    } else if (strcmp(fn, "gauss") == 0) {
        *value = snap_python_gauss(r, a, b);
    } else if (strcmp(fn, "normalvariate") == 0) {
        *value = snap_python_normalvariate(r, a, b);
    } else if (strcmp(fn, "lognormvariate") == 0) {
        *value = snap_python_lognormvariate(r, a, b);
    } else if (strcmp(fn, "expovariate") == 0) {
        *value = snap_python_expovariate(r, a);
    } else if (strcmp(fn, "triangular") == 0) {
        bool has_mode = json_array_size(argument(args, "params")) > 2;

        *value = snap_python_triangular(r, a, b, has_mode ? &mode : NULL);
    } else if (strcmp(fn, "paretovariate") == 0) {
        *value = snap_python_paretovariate(r, a);
    } else if (strcmp(fn, "weibullvariate") == 0) {
        *value = snap_python_weibullvariate(r, a, b);
    } else if (strcmp(fn, "gammavariate") == 0) {
        *value = snap_python_gammavariate(r, a, b);
    } else if (strcmp(fn, "betavariate") == 0) {
        *value = snap_python_betavariate(r, a, b);
    } else if (strcmp(fn, "vonmisesvariate") == 0) {
        *value = snap_python_vonmisesvariate(r, a, b);
    } else {
        return false;
    }
    return true;
}

static bool call(struct snap_stream *stream, const char *fn, const json_t *args,
                 struct result *result)
{
    struct snap_python_random *r = engine(stream);
    size_t n = argument_size(args, "n", 1);
    double value;

    if (strcmp(fn, "getrandbits") == 0) {
        call_getrandbits(r, args, n, result);
    } else if (strcmp(fn, "_randbelow") == 0) {
        call_below(r, args, n, result);
    } else if (strcmp(fn, "randrange") == 0 || strcmp(fn, "randint") == 0) {
        call_randrange(r, fn, args, n, result);
    } else if (strcmp(fn, "choice") == 0) {
        for (size_t i = 0; i < n; i++) {
            result_add(result, snap_python_below(r, range_of(argument_text(args, "population"))));
        }
    } else if (strcmp(fn, "sample") == 0) {
        call_sample(r, args, result);
    } else if (strcmp(fn, "choices") == 0) {
        call_choices(r, args, result);
    } else if (strcmp(fn, "shuffle") == 0) {
        call_shuffle(stream, args, result);
    } else if (strcmp(fn, "randbytes") == 0) {
        size_t length = argument_size(args, "length", 0);
        unsigned char *bytes = allocate(length, 1);

        snap_python_randbytes(r, bytes, length);
        result_add_bytes(result, bytes, length);
        free(bytes);
    } else if (strcmp(fn, "stream_u32") == 0) {
        for (size_t i = 0; i < n; i++) {
            result_add(result, snap_python_getrandbits(r, 32));
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            if (!draw_real(r, fn, args, &value)) {
                return false;
            }
            result_add_double(result, value);
        }
    }
    return true;
}

const struct family python_family = {
    .name = "python_random",
    .kind = "python_random",
    .seed = seed,
    .restore = restore,
    .expected = expected,
    .call = call,
};
