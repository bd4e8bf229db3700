/* SPDX-License-Identifier: Apache-2.0 */
/* Generator: normals and exponentials. */
#include "config.h"

#include <math.h>
#include <snapstate/stream_draws.h>
#include <string.h>

#include "stream/generator.h"
#include "stream/numpy_ziggurat_tables.h"

/* ---- normal ---- */

static inline double flip(double x, uint64_t negative)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    bits ^= negative << 63;
    memcpy(&x, &bits, sizeof x);
    return x;
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

/* Between a layer and the curve, for a number that is not surely under it. */
static bool is_under_normal(struct snap_reader_u64 *r, unsigned layer, double x)
{
    const double *f = snap_ziggurat_normal_f;
    double y = (f[layer - 1] - f[layer]) * snap_reader_double(r) + f[layer];

    return y < exp(-0.5 * x * x);
}

static inline double normal_f64(struct snap_reader_u64 *r)
{
    for (;;) {
        uint64_t word = snap_reader_u64_next(r);
        unsigned layer = word & 0xff;
        uint64_t steps = word >> 9 & 0xfffffffffffffu;
        double x = flip((double)(int64_t)steps * snap_ziggurat_normal_w[layer], word >> 8 & 1);

        if (__builtin_expect(steps < snap_ziggurat_normal_k[layer], 1)) {
            return x;
        }
        if (layer == 0) {
            return normal_tail(r, steps >> 8 & 1);
        }
        if (is_under_normal(r, layer, x)) {
            return x;
        }
    }
}

static float normal_tail_f32(struct snap_reader_u32 *r, uint32_t negative)
{
    float x, y;

    do {
        x = -(float)SNAP_ZIGGURAT_NORMAL_INVERSE_R * log1pf(-snap_reader_float(r));
        y = -log1pf(-snap_reader_float(r));
    } while (!(y + y > x * x));
    x = (float)SNAP_ZIGGURAT_NORMAL_R + x;
    return negative ? -x : x;
}

static bool is_under_normal_f32(struct snap_reader_u32 *r, unsigned layer, float x)
{
    const float *f = snap_ziggurat_normal_f_f32;
    float y = (f[layer - 1] - f[layer]) * snap_reader_float(r) + f[layer];

    return (double)y < exp(-0.5 * (double)x * (double)x); /* in double, as there */
}

static inline float normal_f32(struct snap_reader_u32 *r)
{
    for (;;) {
        uint32_t word = snap_reader_u32_next(r);
        unsigned layer = word & 0xff;
        uint32_t steps = word >> 9;
        float x = (float)(int32_t)steps * snap_ziggurat_normal_w_f32[layer];

        x = word >> 8 & 1 ? -x : x;
        if (__builtin_expect(steps < snap_ziggurat_normal_k_f32[layer], 1)) {
            return x;
        }
        if (layer == 0) {
            return normal_tail_f32(r, steps >> 8 & 1);
        }
        if (is_under_normal_f32(r, layer, x)) {
            return x;
        }
    }
}

double snap_reader_normal_f64(struct snap_reader_u64 *r)
{
    return normal_f64(r);
}

float snap_reader_normal_f32(struct snap_reader_u32 *r)
{
    return normal_f32(r);
}

enum snap_status snap_generator_standard_normal_f64(struct snap_stream *stream, double *out,
                                                    size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "standard_normal", err);
    struct snap_reader_u64 r;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    snap_reader_u64_init(&r, g, n);
    for (size_t i = 0; i < n; i++) {
        r.left = n - i;
        out[i] = normal_f64(&r);
    }
    return SNAP_OK;
}

enum snap_status snap_generator_standard_normal_f32(struct snap_stream *stream, float *out,
                                                    size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "standard_normal", err);
    struct snap_reader_u32 r;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    snap_reader_u32_init(&r, g, n);
    for (size_t i = 0; i < n; i++) {
        r.left = n - i;
        out[i] = normal_f32(&r);
    }
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

/* ---- exponential ---- */

static inline double exponential_f64(struct snap_reader_u64 *r)
{
    const double *f = snap_ziggurat_exponential_f;

    for (;;) {
        uint64_t word = snap_reader_u64_next(r);
        unsigned layer = word >> 3 & 0xff;
        uint64_t steps = word >> 11;
        double x = (double)(int64_t)steps * snap_ziggurat_exponential_w[layer];

        if (__builtin_expect(steps < snap_ziggurat_exponential_k[layer], 1)) {
            return x;
        }
        if (layer == 0) {
            return SNAP_ZIGGURAT_EXPONENTIAL_R - log1p(-snap_reader_double(r));
        }
        if ((f[layer - 1] - f[layer]) * snap_reader_double(r) + f[layer] < exp(-x)) {
            return x;
        }
    }
}

static inline float exponential_f32(struct snap_reader_u32 *r)
{
    const float *f = snap_ziggurat_exponential_f_f32;

    for (;;) {
        uint32_t word = snap_reader_u32_next(r);
        unsigned layer = word >> 1 & 0xff;
        uint32_t steps = word >> 9;
        float x = (float)(int32_t)steps * snap_ziggurat_exponential_w_f32[layer];

        if (__builtin_expect(steps < snap_ziggurat_exponential_k_f32[layer], 1)) {
            return x;
        }
        if (layer == 0) {
            return (float)SNAP_ZIGGURAT_EXPONENTIAL_R - log1pf(-snap_reader_float(r));
        }
        if ((f[layer - 1] - f[layer]) * snap_reader_float(r) + f[layer] < expf(-x)) {
            return x;
        }
    }
}

double snap_reader_exponential_f64(struct snap_reader_u64 *r)
{
    return exponential_f64(r);
}

float snap_reader_exponential_f32(struct snap_reader_u32 *r)
{
    return exponential_f32(r);
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
    snap_reader_u64_init(&r, g, n);
    for (size_t i = 0; i < n; i++) {
        r.left = n - i;
        out[i] = method == SNAP_GENERATOR_INV ? -log1p(-snap_reader_double(&r))
                                              : exponential_f64(&r);
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
    snap_reader_u32_init(&r, g, n);
    for (size_t i = 0; i < n; i++) {
        r.left = n - i;
        out[i] = method == SNAP_GENERATOR_INV ? (float)-log1p(-(double)snap_reader_float(&r))
                                              : exponential_f32(&r);
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
