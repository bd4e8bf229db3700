/* SPDX-License-Identifier: Apache-2.0 */
/* Generator: normals, by the ziggurat.
 *
 * Nearly every word is a number by itself: its layer, its sign, and how many steps of the layer's
 * width. The loops below take these from a reader's block, and leave what else there is to the
 * functions that take a reader. */
#include "config.h"

#include <math.h>
#include <snapstate/stream_draws.h>
#include <string.h>

#include "stream/generator.h"
#include "stream/numpy_ziggurat_tables.h"

static inline double flip(double x, uint64_t negative)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    bits ^= negative << 63;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float flip_f32(float x, uint32_t negative)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    bits ^= negative << 31;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The number of a word; false when it is not surely under the curve. */
static inline bool normal_word(uint64_t word, double *x)
{
    unsigned layer = word & 0xff;
    uint64_t steps = word >> 9 & 0xfffffffffffffu;

    *x = flip((double)(int64_t)steps * snap_ziggurat_normal_w[layer], word >> 8 & 1);
    return steps < snap_ziggurat_normal_k[layer];
}

static inline bool normal_word_f32(uint32_t word, float *x)
{
    unsigned layer = word & 0xff;
    uint32_t steps = word >> 9;

    *x = flip_f32((float)(int32_t)steps * snap_ziggurat_normal_w_f32[layer], word >> 8 & 1);
    return steps < snap_ziggurat_normal_k_f32[layer];
}

/* Past the last layer. `negative` is a bit of its own, not the sign of the layers. */
static double normal_tail(struct snap_reader_u64 *r, uint64_t negative)
{
    double x, y;

    do {
        x = -SNAP_ZIGGURAT_NORMAL_INVERSE_R * log1p(-snap_reader_double(r));
        y = -log1p(-snap_reader_double(r));
    } while (!(y + y > x * x));
    return flip(SNAP_ZIGGURAT_NORMAL_R + x, negative);
}

static float normal_tail_f32(struct snap_reader_u32 *r, uint32_t negative)
{
    float x, y;

    do {
        x = -(float)SNAP_ZIGGURAT_NORMAL_INVERSE_R * log1pf(-snap_reader_float(r));
        y = -log1pf(-snap_reader_float(r));
    } while (!(y + y > x * x));
    return flip_f32((float)SNAP_ZIGGURAT_NORMAL_R + x, negative);
}

/* Decide about a word that was not decided by itself, and x, its number; false: it is refused. */
static bool settle_normal(struct snap_reader_u64 *r, uint64_t word, double *x)
{
    const double *f = snap_ziggurat_normal_f;
    unsigned layer = word & 0xff;

    if (layer == 0) {
        *x = normal_tail(r, word >> 17 & 1);
        return true;
    }
    return (f[layer - 1] - f[layer]) * snap_reader_double(r) + f[layer] < exp(-0.5 * *x * *x);
}

static bool settle_normal_f32(struct snap_reader_u32 *r, uint32_t word, float *x)
{
    const float *f = snap_ziggurat_normal_f_f32;
    unsigned layer = word & 0xff;
    float y;

    if (layer == 0) {
        *x = normal_tail_f32(r, word >> 17 & 1);
        return true;
    }
    y = (f[layer - 1] - f[layer]) * snap_reader_float(r) + f[layer];
    return (double)y < exp(-0.5 * (double)*x * (double)*x); /* in double, as there */
}

double snap_reader_normal_f64(struct snap_reader_u64 *r)
{
    for (;;) {
        uint64_t word = snap_reader_u64_next(r);
        double x;

        if (normal_word(word, &x) || settle_normal(r, word, &x)) {
            return x;
        }
    }
}

float snap_reader_normal_f32(struct snap_reader_u32 *r)
{
    for (;;) {
        uint32_t word = snap_reader_u32_next(r);
        float x;

        if (normal_word_f32(word, &x) || settle_normal_f32(r, word, &x)) {
            return x;
        }
    }
}

void snap_generator_fill_normal_f64(struct snap_bit_generator *g, double *out, size_t n)
{
    struct snap_reader_u64 r;
    size_t i = 0;

    snap_reader_u64_init(&r, g, n);
    while (i < n) {
        uint64_t word;
        size_t at;
        double x;

        for (at = r.at; at < r.count && normal_word(r.block[at], &out[i]); at++) {
            i++;
        }
        r.at = at;
        r.left = n - i;
        if (r.left > 0) {
            word = snap_reader_u64_next(&r);
            if (normal_word(word, &x) || settle_normal(&r, word, &x)) {
                out[i++] = x;
            }
        }
    }
}

void snap_generator_fill_normal_f32(struct snap_bit_generator *g, float *out, size_t n)
{
    struct snap_reader_u32 r;
    size_t i = 0;

    snap_reader_u32_init(&r, g, n);
    while (i < n) {
        uint32_t word;
        size_t at;
        float x;

        for (at = r.at; at < r.count && normal_word_f32(r.block[at], &out[i]); at++) {
            i++;
        }
        r.at = at;
        r.left = n - i;
        if (r.left > 0) {
            word = snap_reader_u32_next(&r);
            if (normal_word_f32(word, &x) || settle_normal_f32(&r, word, &x)) {
                out[i++] = x;
            }
        }
    }
}

enum snap_status snap_generator_standard_normal_f64(struct snap_stream *stream, double *out,
                                                    size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "standard_normal", err);

    if (g == NULL) {
        return SNAP_INVALID;
    }
    snap_generator_fill_normal_f64(g, out, n);
    return SNAP_OK;
}

enum snap_status snap_generator_standard_normal_f32(struct snap_stream *stream, float *out,
                                                    size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "standard_normal", err);

    if (g == NULL) {
        return SNAP_INVALID;
    }
    snap_generator_fill_normal_f32(g, out, n);
    return SNAP_OK;
}

/* loc + scale * z for n numbers; `draw` names the call. */
static enum snap_status normals(struct snap_stream *stream, const char *draw, double loc,
                                double scale, double *out, size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, draw, err);
    enum snap_status status;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    if (signbit(scale) && !isnan(scale)) {
        return snap_error_set(err, SNAP_INVALID, "%s: %s: the scale is negative", g->ops->what,
                              draw);
    }
    status = snap_generator_standard_normal_f64(stream, out, n, err);
    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        out[i] = loc + scale * out[i];
    }
    return status;
}

enum snap_status snap_generator_normal(struct snap_stream *stream, double loc, double scale,
                                       double *out, size_t n, struct snap_error *err)
{
    return normals(stream, "normal", loc, scale, out, n, err);
}

enum snap_status snap_generator_lognormal(struct snap_stream *stream, double mean, double sigma,
                                          double *out, size_t n, struct snap_error *err)
{
    enum snap_status status = normals(stream, "lognormal", mean, sigma, out, n, err);

    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        out[i] = exp(out[i]);
    }
    return status;
}
