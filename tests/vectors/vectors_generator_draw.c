/* SPDX-License-Identifier: Apache-2.0 */
/* The draws of numpy_generator.json, through the public header. */
#include "config.h"

#include <snapstate/stream_draws.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

static struct snap_error err = SNAP_ERROR_INIT;

static bool is_float32(const json_t *args)
{
    return has_argument(args, "dtype") && strcmp(argument_text(args, "dtype"), "float32") == 0;
}

/* ---- integers ---- */

static enum snap_dtype dtype_of(const char *name)
{
    static const struct {
        const char *name;
        enum snap_dtype dtype;
    } types[] = {
        { "bool", SNAP_BOOL },   { "uint8", SNAP_U8 },   { "int8", SNAP_I8 },
        { "uint16", SNAP_U16 },  { "int16", SNAP_I16 },  { "uint32", SNAP_U32 },
        { "int32", SNAP_I32 },   { "uint64", SNAP_U64 }, { "int64", SNAP_I64 },
    };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, name) == 0) {
            return types[i].dtype;
        }
    }
    fail("unknown dtype %s", name);
}

static void add_integers(struct result *result, enum snap_dtype dtype, const void *values,
                         size_t count)
{
    result->is_unsigned = dtype == SNAP_U64;
    for (size_t i = 0; i < count; i++) {
        switch (dtype) {
        case SNAP_U16:
            result_add(result, ((const uint16_t *)values)[i]);
            break;
        case SNAP_U32:
            result_add(result, ((const uint32_t *)values)[i]);
            break;
        default:
            result_add_tensor(result, dtype, (const char *)values +
                                                 i * snap_dtype_size_bytes(dtype), 1);
            break;
        }
    }
}

static bool draw_integers(struct snap_stream *stream, const char *fn, const json_t *args,
                          struct result *result)
{
    enum snap_dtype dtype = dtype_of(argument_text(args, "dtype"));
    const json_t *low = argument(args, "low");
    const json_t *high = argument(args, "high");
    bool scalar = strcmp(fn, "integers_scalar") == 0;
    bool lists = json_is_array(low);
    bool endpoint = has_argument(args, "endpoint") && json_is_true(argument(args, "endpoint"));
    size_t n = lists ? json_array_size(low) : argument_size(args, scalar ? "n" : "size", 1);
    int64_t *lows = allocate(n, sizeof *lows);
    uint64_t *ranges = allocate(n, sizeof *ranges);
    unsigned char *out = allocate(n, sizeof(uint64_t));

    for (size_t i = 0; i < n; i++) {
        lows[i] = to_int(lists ? json_array_get(low, i) : low);
        ranges[i] = (uint64_t)to_int(lists ? json_array_get(high, i) : high) - (uint64_t)lows[i] -
                    (endpoint ? 0 : 1);
    }
    if (lists) {
        must(snap_generator_integers_each(stream, dtype, lows, ranges, out, n, &err), &err, fn);
    } else if (scalar) {
        for (size_t i = 0; i < n; i++) {
            must(snap_generator_integers(stream, dtype, lows[i], ranges[i],
                                         out + i * snap_dtype_size_bytes(dtype), 1, &err),
                 &err, fn);
        }
    } else if (n > 0) {
        must(snap_generator_integers(stream, dtype, lows[0], ranges[0], out, n, &err), &err, fn);
    }
    add_integers(result, dtype, out, n);
    free(lows);
    free(ranges);
    free(out);
    return true;
}

/* ---- sequences ---- */

static void add_all(struct result *result, const int64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        result_add_int(result, values[i]);
    }
}

/* "arange(rows)" has columns 0, "arange(n).reshape(rows,columns)" both. */
static void shape_of(const json_t *args, size_t *rows, size_t *columns)
{
    const char *x = has_argument(args, "x") ? argument_text(args, "x") : NULL;
    const char *shape = x != NULL ? strstr(x, "reshape(") : NULL;

    *rows = (size_t)(x == NULL       ? (uint64_t)parameter(args, 0, 0.0)
                     : shape != NULL ? range_of(shape)
                                     : range_of(x));
    *columns = shape != NULL ? strtoul(strchr(shape, ',') + 1, NULL, 10) : 0;
}

/* One line of items, in the size that the container has. */
static void shuffle_line(struct snap_stream *stream, const json_t *args, size_t n,
                         struct result *result)
{
    const char *container = has_argument(args, "container") ? argument_text(args, "container")
                                                            : "array";
    uint16_t *narrow = allocate(n, sizeof *narrow);
    int64_t *wide = allocate(n, sizeof *wide);
    bool is_narrow = strcmp(container, "array-u16") == 0;

    for (size_t i = 0; i < n; i++) {
        narrow[i] = (uint16_t)i;
        wide[i] = (int64_t)i;
    }
    must(is_narrow ? snap_generator_shuffle(stream, narrow, n, sizeof *narrow, &err)
                   : snap_generator_shuffle(stream, wide, n, sizeof *wide, &err),
         &err, "shuffle");
    for (size_t i = 0; i < n; i++) {
        result_add_int(result, is_narrow ? narrow[i] : wide[i]);
    }
    free(narrow);
    free(wide);
}

/* The slices of an axis in a permuted order: shuffle(x, axis) and permutation(x, axis). */
static void permute_slices(struct snap_stream *stream, size_t rows, size_t columns, bool of_rows,
                           struct result *result)
{
    size_t n = of_rows ? rows : columns;
    int64_t *order = allocate(n, sizeof *order);

    must(snap_generator_permutation(stream, order, n, &err), &err, "permutation");
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            result_add_int(result, of_rows ? order[r] * (int64_t)columns + (int64_t)c
                                           : (int64_t)(r * columns) + order[c]);
        }
    }
    free(order);
}

static bool draw_permutation(struct snap_stream *stream, const char *fn, const json_t *args,
                             struct result *result)
{
    bool in_place = strcmp(fn, "permutation") != 0;
    int64_t axis = has_argument(args, "axis") ? argument_int(args, "axis") : -1;
    size_t rows, columns;
    int64_t *items;

    shape_of(args, &rows, &columns);
    if (columns == 0) {
        if (in_place) {
            shuffle_line(stream, args, rows, result);
        } else {
            items = allocate(rows, sizeof *items);
            must(snap_generator_permutation(stream, items, rows, &err), &err, fn);
            add_all(result, items, rows);
            free(items);
        }
        return true;
    }
    if (strcmp(fn, "permuted") != 0 && !(in_place && axis == 0)) {
        permute_slices(stream, rows, columns, axis == 0, result);
        return true;
    }
    items = allocate(rows * columns, sizeof *items);
    for (size_t i = 0; i < rows * columns; i++) {
        items[i] = (int64_t)i;
    }
    if (strcmp(fn, "shuffle") == 0) {
        must(snap_generator_shuffle(stream, items, rows, columns * sizeof *items, &err), &err, fn);
    } else {
        size_t outer = axis == 1 ? rows : 1;
        size_t n = axis == 1 ? columns : axis == 0 ? rows : rows * columns;
        size_t inner = axis == 0 ? columns : 1;

        must(snap_generator_permuted(stream, items, outer, n, inner, sizeof *items, &err), &err,
             fn);
    }
    add_all(result, items, rows * columns);
    free(items);
    return true;
}

static bool draw_choice(struct snap_stream *stream, const json_t *args, struct result *result)
{
    uint64_t population = (uint64_t)argument_int(args, "a");
    size_t n = argument_size(args, "size", 1);
    bool replace = json_is_true(argument(args, "replace"));
    bool shuffle = json_is_true(argument(args, "shuffle"));
    int64_t *out = allocate(n, sizeof *out);
    enum snap_status status;

    if (has_argument(args, "p")) {
        size_t count;
        double *p = to_doubles(argument(args, "p"), &count);

        status = snap_generator_choice_weighted(stream, p, count, replace, out, n, &err);
        free(p);
    } else if (replace) {
        status = snap_generator_choice(stream, population, out, n, &err);
    } else {
        status = snap_generator_choice_distinct(stream, population, shuffle, out, n, &err);
    }
    must(status, &err, "choice");
    add_all(result, out, n);
    free(out);
    return true;
}

/* ---- words and reals ---- */

static bool draw_words(struct snap_stream *stream, const char *fn, const json_t *args,
                       struct result *result)
{
    if (strcmp(fn, "bytes") == 0) {
        size_t length = argument_size(args, "length", 0);
        unsigned char *bytes = allocate(length, 1);

        must(snap_generator_bytes(stream, bytes, length, &err), &err, fn);
        result_add_bytes(result, bytes, length);
        free(bytes);
    } else {
        bool digested = strcmp(fn, "stream_u64") == 0;
        size_t n = argument_size(args, digested ? "n" : "size", 1);
        uint64_t *out = allocate(n, sizeof *out);

        must(snap_generator_random_raw(stream, out, n, &err), &err, fn);
        result->is_unsigned = true;
        for (size_t i = 0; i < n; i++) {
            result_add(result, out[i]);
        }
        free(out);
    }
    return true;
}

static enum snap_generator_method method_of(const json_t *args)
{
    return has_argument(args, "method") && strcmp(argument_text(args, "method"), "inv") == 0
               ? SNAP_GENERATOR_INV
               : SNAP_GENERATOR_ZIG;
}

static bool fill_f32(struct snap_stream *stream, const char *fn, const json_t *args, float *out,
                     size_t n)
{
    enum snap_status status;

    if (strcmp(fn, "random") == 0) {
        status = snap_generator_random_f32(stream, out, n, &err);
    } else if (strcmp(fn, "standard_normal") == 0) {
        status = snap_generator_standard_normal_f32(stream, out, n, &err);
    } else if (strcmp(fn, "standard_exponential") == 0) {
        status = snap_generator_standard_exponential_f32(stream, method_of(args), out, n, &err);
    } else if (strcmp(fn, "standard_gamma") == 0) {
        status = snap_generator_standard_gamma_f32(stream, parameter(args, 0, 0.0), out, n, &err);
    } else {
        return false;
    }
    must(status, &err, fn);
    return true;
}

static bool fill_f64(struct snap_stream *stream, const char *fn, const json_t *args, double *out,
                     size_t n)
{
    double a = parameter(args, 0, 0.0);
    double b = parameter(args, 1, 1.0);
    enum snap_status status;

    if (strcmp(fn, "random") == 0) {
        status = snap_generator_random_f64(stream, out, n, &err);
    } else if (strcmp(fn, "uniform") == 0) {
        status = snap_generator_uniform(stream, a, b, out, n, &err);
    } else if (strcmp(fn, "standard_normal") == 0) {
        status = snap_generator_standard_normal_f64(stream, out, n, &err);
    } else if (strcmp(fn, "normal") == 0) {
        status = snap_generator_normal(stream, a, b, out, n, &err);
    } else if (strcmp(fn, "lognormal") == 0) {
        status = snap_generator_lognormal(stream, a, b, out, n, &err);
    } else if (strcmp(fn, "standard_exponential") == 0) {
        status = snap_generator_standard_exponential_f64(stream, method_of(args), out, n, &err);
    } else if (strcmp(fn, "exponential") == 0) {
        status = snap_generator_exponential(stream, a, out, n, &err);
    } else if (strcmp(fn, "standard_gamma") == 0) {
        status = snap_generator_standard_gamma_f64(stream, a, out, n, &err);
    } else if (strcmp(fn, "gamma") == 0) {
        status = snap_generator_gamma(stream, a, b, out, n, &err);
    } else {
        return false;
    }
    must(status, &err, fn);
    return true;
}

static bool draw_reals(struct snap_stream *stream, const char *fn, const json_t *args,
                       struct result *result)
{
    bool narrow = is_float32(args);
    size_t n = argument_size(args, "size", 1);
    double *doubles = allocate(n, sizeof *doubles);
    float *floats = allocate(n, sizeof *floats);
    bool known = narrow ? fill_f32(stream, fn, args, floats, n)
                        : fill_f64(stream, fn, args, doubles, n);

    if (known) {
        result_add_tensor(result, narrow ? SNAP_F32 : SNAP_F64,
                          narrow ? (const void *)floats : doubles, n);
    }
    free(doubles);
    free(floats);
    return known;
}

bool generator_draw(struct snap_stream *stream, const char *fn, const json_t *args,
                    struct result *result)
{
    if (strncmp(fn, "integers", 8) == 0) {
        return draw_integers(stream, fn, args, result);
    }
    if (strcmp(fn, "shuffle") == 0 || strncmp(fn, "permut", 6) == 0) {
        return draw_permutation(stream, fn, args, result);
    }
    if (strcmp(fn, "choice") == 0) {
        return draw_choice(stream, args, result);
    }
    if (strcmp(fn, "bytes") == 0 || strcmp(fn, "random_raw") == 0 ||
        strcmp(fn, "stream_u64") == 0) {
        return draw_words(stream, fn, args, result);
    }
    return draw_reals(stream, fn, args, result);
}
