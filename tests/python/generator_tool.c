/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "generator_tool.h"

#include <inttypes.h>
#include <snapstate/stream_draws.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct snap_error err = SNAP_ERROR_INIT;

/* The largest answer: 200,000 numbers. */
static union {
    int64_t wide[200000];
    uint64_t words[200000];
    double reals[200000];
    uint64_t real_bits[200000];
    float singles[200000];
    uint32_t single_bits[200000];
    unsigned char bytes[200000];
} out;

static const char *field(char **fields, size_t count, size_t index)
{
    if (index >= count) {
        fprintf(stderr, "stream_tool: %s: a field is missing\n", fields[0]);
        exit(2);
    }
    return fields[index];
}

static double real(char **fields, size_t count, size_t index)
{
    return strtod(field(fields, count, index), NULL);
}

static uint64_t integer(char **fields, size_t count, size_t index)
{
    const char *text = field(fields, count, index);

    return text[0] == '-' ? (uint64_t)strtoll(text, NULL, 10) : strtoull(text, NULL, 10);
}

static void finish(enum snap_status status)
{
    if (status != SNAP_OK) {
        fprintf(stderr, "stream_tool: %s\n", err.text);
        exit(2);
    }
}

static void put_integers(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        printf(" %" PRId64, out.wide[i]);
    }
}

/* integers N DTYPE LOW RANGE */
static void integers(struct snap_stream *stream, char **fields, size_t count, size_t n)
{
    enum snap_dtype dtype;

    if (!snap_dtype_from_name(field(fields, count, 2), &dtype)) {
        finish(snap_error_set(&err, SNAP_INVALID, "no dtype %s", fields[2]));
    }
    finish(snap_generator_integers(stream, dtype, (int64_t)integer(fields, count, 3),
                                   integer(fields, count, 4), &out, n, &err));
    for (size_t i = 0; i < n; i++) {
        uint64_t value = 0;
        size_t width = snap_dtype_size_bytes(dtype);

        memcpy(&value, out.bytes + i * width, width);
        printf(" %" PRIu64, value); /* as an unsigned number of the same width */
    }
}

static bool draw_sequence(struct snap_stream *stream, char **fields, size_t count, size_t n)
{
    const char *fn = fields[0];

    if (strcmp(fn, "permutation") == 0) {
        finish(snap_generator_permutation(stream, out.wide, n, &err));
    } else if (strcmp(fn, "choice") == 0) {
        finish(snap_generator_choice(stream, integer(fields, count, 2), out.wide, n, &err));
    } else if (strcmp(fn, "choice_distinct") == 0) {
        finish(snap_generator_choice_distinct(stream, integer(fields, count, 2),
                                              integer(fields, count, 3) != 0, out.wide, n, &err));
    } else if (strcmp(fn, "permuted") == 0) {
        size_t columns = (size_t)integer(fields, count, 2);
        size_t rows = (size_t)integer(fields, count, 3);

        for (size_t i = 0; i < n; i++) {
            out.wide[i] = (int64_t)i;
        }
        finish(snap_generator_permuted(stream, out.wide, n / rows / columns, rows, columns, 8,
                                       &err));
    } else {
        return false;
    }
    put_integers(n);
    return true;
}

static bool draw_f32(struct snap_stream *stream, char **fields, size_t count, size_t n)
{
    const char *fn = fields[0];

    if (strcmp(fn, "random_f32") == 0) {
        finish(snap_generator_random_f32(stream, out.singles, n, &err));
    } else if (strcmp(fn, "standard_normal_f32") == 0) {
        finish(snap_generator_standard_normal_f32(stream, out.singles, n, &err));
    } else if (strcmp(fn, "standard_exponential_f32") == 0) {
        finish(snap_generator_standard_exponential_f32(stream, SNAP_GENERATOR_ZIG, out.singles, n,
                                                       &err));
    } else if (strcmp(fn, "inverse_exponential_f32") == 0) {
        finish(snap_generator_standard_exponential_f32(stream, SNAP_GENERATOR_INV, out.singles, n,
                                                       &err));
    } else if (strcmp(fn, "standard_gamma_f32") == 0) {
        finish(snap_generator_standard_gamma_f32(stream, real(fields, count, 2), out.singles, n,
                                                 &err));
    } else {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        printf(" %08" PRIx32, out.single_bits[i]);
    }
    return true;
}

static bool draw_f64(struct snap_stream *stream, char **fields, size_t count, size_t n)
{
    const char *fn = fields[0];

    if (strcmp(fn, "random") == 0) {
        finish(snap_generator_random_f64(stream, out.reals, n, &err));
    } else if (strcmp(fn, "standard_normal") == 0) {
        finish(snap_generator_standard_normal_f64(stream, out.reals, n, &err));
    } else if (strcmp(fn, "lognormal") == 0) {
        finish(snap_generator_lognormal(stream, real(fields, count, 2), real(fields, count, 3),
                                        out.reals, n, &err));
    } else if (strcmp(fn, "standard_exponential") == 0) {
        finish(snap_generator_standard_exponential_f64(stream, SNAP_GENERATOR_ZIG, out.reals, n,
                                                       &err));
    } else if (strcmp(fn, "inverse_exponential") == 0) {
        finish(snap_generator_standard_exponential_f64(stream, SNAP_GENERATOR_INV, out.reals, n,
                                                       &err));
    } else if (strcmp(fn, "gamma") == 0) {
        finish(snap_generator_gamma(stream, real(fields, count, 2), real(fields, count, 3),
                                    out.reals, n, &err));
    } else {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        printf(" %016" PRIx64, out.real_bits[i]);
    }
    return true;
}

bool generator_tool_draw(struct snap_stream *stream, char **fields, size_t count, size_t n)
{
    if (strcmp(fields[0], "integers") == 0) {
        integers(stream, fields, count, n);
        return true;
    }
    if (strcmp(fields[0], "random_raw") == 0) {
        finish(snap_generator_random_raw(stream, out.words, n, &err));
        for (size_t i = 0; i < n; i++) {
            printf(" %" PRIu64, out.words[i]);
        }
        return true;
    }
    return draw_sequence(stream, fields, count, n) || draw_f32(stream, fields, count, n) ||
           draw_f64(stream, fields, count, n);
}
