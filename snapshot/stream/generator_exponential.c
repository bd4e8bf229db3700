/* SPDX-License-Identifier: Apache-2.0 */
/* Generator: exponentials, by the ziggurat, in the manner of generator_normal.c, or by the inverse
 * of the distribution function. */
#include "config.h"

#include <math.h>
#include <snapstate/stream_draws.h>

#include "stream/generator.h"
#include "stream/numpy_ziggurat_tables.h"

static inline bool exponential_word(uint64_t word, double *x)
{
    unsigned layer = word >> 3 & 0xff;
    uint64_t steps = word >> 11;

    *x = (double)(int64_t)steps * snap_ziggurat_exponential_w[layer];
    return steps < snap_ziggurat_exponential_k[layer];
}

static inline bool exponential_word_f32(uint32_t word, float *x)
{
    unsigned layer = word >> 1 & 0xff;
    uint32_t steps = word >> 9;

    *x = (float)(int32_t)steps * snap_ziggurat_exponential_w_f32[layer];
    return steps < snap_ziggurat_exponential_k_f32[layer];
}

static bool settle_exponential(struct snap_reader_u64 *r, uint64_t word, double *x)
{
    const double *f = snap_ziggurat_exponential_f;
    unsigned layer = word >> 3 & 0xff;

    if (layer == 0) {
        *x = SNAP_ZIGGURAT_EXPONENTIAL_R - log1p(-snap_reader_double(r));
        return true;
    }
    return (f[layer - 1] - f[layer]) * snap_reader_double(r) + f[layer] < exp(-*x);
}

static bool settle_exponential_f32(struct snap_reader_u32 *r, uint32_t word, float *x)
{
    const float *f = snap_ziggurat_exponential_f_f32;
    unsigned layer = word >> 1 & 0xff;

    if (layer == 0) {
        *x = (float)SNAP_ZIGGURAT_EXPONENTIAL_R - log1pf(-snap_reader_float(r));
        return true;
    }
    return (f[layer - 1] - f[layer]) * snap_reader_float(r) + f[layer] < expf(-*x);
}

double snap_reader_exponential_f64(struct snap_reader_u64 *r)
{
    for (;;) {
        uint64_t word = snap_reader_u64_next(r);
        double x;

        if (exponential_word(word, &x) || settle_exponential(r, word, &x)) {
            return x;
        }
    }
}

float snap_reader_exponential_f32(struct snap_reader_u32 *r)
{
    for (;;) {
        uint32_t word = snap_reader_u32_next(r);
        float x;

        if (exponential_word_f32(word, &x) || settle_exponential_f32(r, word, &x)) {
            return x;
        }
    }
}

void snap_generator_fill_exponential_f64(struct snap_bit_generator *g, double *out, size_t n)
{
    struct snap_reader_u64 r;
    size_t i = 0;

    snap_reader_u64_init(&r, g, n);
    while (i < n) {
        uint64_t word;
        size_t at;
        double x;

        for (at = r.at; at < r.count && exponential_word(r.block[at], &out[i]); at++) {
            i++;
        }
        r.at = at;
        r.left = n - i;
        if (r.left > 0) {
            word = snap_reader_u64_next(&r);
            if (exponential_word(word, &x) || settle_exponential(&r, word, &x)) {
                out[i++] = x;
            }
        }
    }
}

void snap_generator_fill_exponential_f32(struct snap_bit_generator *g, float *out, size_t n)
{
    struct snap_reader_u32 r;
    size_t i = 0;

    snap_reader_u32_init(&r, g, n);
    while (i < n) {
        uint32_t word;
        size_t at;
        float x;

        for (at = r.at; at < r.count && exponential_word_f32(r.block[at], &out[i]); at++) {
            i++;
        }
        r.at = at;
        r.left = n - i;
        if (r.left > 0) {
            word = snap_reader_u32_next(&r);
            if (exponential_word_f32(word, &x) || settle_exponential_f32(&r, word, &x)) {
                out[i++] = x;
            }
        }
    }
}

enum snap_status snap_generator_standard_exponential_f64(struct snap_stream *stream,
                                                         enum snap_generator_method method,
                                                         double *out, size_t n,
                                                         struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "standard_exponential", err);
    struct snap_reader_u64 r;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    if (method == SNAP_GENERATOR_ZIG) {
        snap_generator_fill_exponential_f64(g, out, n);
        return SNAP_OK;
    }
    snap_reader_u64_init(&r, g, n);
    for (size_t i = 0; i < n; i++) {
        r.left = n - i;
        out[i] = -log1p(-snap_reader_double(&r));
    }
    return SNAP_OK;
}

enum snap_status snap_generator_standard_exponential_f32(struct snap_stream *stream,
                                                         enum snap_generator_method method,
                                                         float *out, size_t n,
                                                         struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "standard_exponential", err);
    struct snap_reader_u32 r;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    if (method == SNAP_GENERATOR_ZIG) {
        snap_generator_fill_exponential_f32(g, out, n);
        return SNAP_OK;
    }
    snap_reader_u32_init(&r, g, n);
    for (size_t i = 0; i < n; i++) {
        r.left = n - i;
        out[i] = (float)-log1p(-(double)snap_reader_float(&r));
    }
    return SNAP_OK;
}

enum snap_status snap_generator_exponential(struct snap_stream *stream, double scale, double *out,
                                            size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "exponential", err);
    enum snap_status status;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    if (signbit(scale) && !isnan(scale)) {
        return snap_error_set(err, SNAP_INVALID, "%s: exponential: the scale is negative",
                              g->ops->what);
    }
    status = snap_generator_standard_exponential_f64(stream, SNAP_GENERATOR_ZIG, out, n, err);
    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        out[i] = scale * out[i];
    }
    return status;
}
