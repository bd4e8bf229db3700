/* SPDX-License-Identifier: Apache-2.0 */
/* Generator: gammas, of ziggurat normals and exponentials. */
#include "config.h"

#include <math.h>
#include <snapstate/stream_draws.h>

#include "stream/generator.h"

/* 0 < shape < 1. */
static double small_f64(struct snap_reader_u64 *r, double shape)
{
    for (;;) {
        double u = snap_reader_double(r);
        double v = snap_reader_exponential_f64(r);
        double x, y;

        if (u <= 1.0 - shape) {
            x = pow(u, 1.0 / shape);
            if (x <= v) {
                return x;
            }
        } else {
            y = -log((1.0 - u) / shape);
            x = pow(1.0 - shape + shape * y, 1.0 / shape);
            if (x <= v + y) {
                return x;
            }
        }
    }
}

/* Marsaglia and Tsang, shape > 1. */
static double large_f64(struct snap_reader_u64 *r, double shape)
{
    double b = shape - 1.0 / 3.0;
    double c = 1.0 / sqrt(9.0 * b);

    for (;;) {
        double x, v, u;

        do {
            x = snap_reader_normal_f64(r);
            v = 1.0 + c * x;
        } while (v <= 0.0);
        v = v * v * v;
        u = snap_reader_double(r);
        if (u < 1.0 - 0.0331 * (x * x) * (x * x)) {
            return b * v;
        }
        if (log(u) < 0.5 * x * x + b * (1.0 - v + log(v))) {
            return b * v;
        }
    }
}

static float small_f32(struct snap_reader_u32 *r, float shape)
{
    for (;;) {
        float u = snap_reader_float(r);
        float v = snap_reader_exponential_f32(r);
        float x, y;

        if (u <= 1.0f - shape) {
            x = powf(u, 1.0f / shape);
            if (x <= v) {
                return x;
            }
        } else {
            y = -logf((1.0f - u) / shape);
            x = powf(1.0f - shape + shape * y, 1.0f / shape);
            if (x <= v + y) {
                return x;
            }
        }
    }
}

static float large_f32(struct snap_reader_u32 *r, float shape)
{
    float b = shape - 1.0f / 3.0f;
    float c = 1.0f / sqrtf(9.0f * b);

    for (;;) {
        float x, v, u;

        do {
            x = snap_reader_normal_f32(r);
            v = 1.0f + c * x;
        } while (v <= 0.0f);
        v = v * v * v;
        u = snap_reader_float(r);
        if (u < 1.0f - 0.0331f * (x * x) * (x * x)) {
            return b * v;
        }
        if (logf(u) < 0.5f * x * x + b * (1.0f - v + logf(v))) {
            return b * v;
        }
    }
}

static enum snap_status check_parameter(const struct snap_bit_generator *g, const char *draw,
                                        const char *name, double value, struct snap_error *err)
{
    if (signbit(value) || isnan(value)) {
        return snap_error_set(err, SNAP_INVALID, "%s: %s: the %s is negative or no number",
                              g->ops->what, draw, name);
    }
    return SNAP_OK;
}

enum snap_status snap_generator_standard_gamma_f64(struct snap_stream *stream, double shape,
                                                   double *out, size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "standard_gamma", err);
    struct snap_reader_u64 r;
    enum snap_status status;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    status = check_parameter(g, "standard_gamma", "shape", shape, err);
    if (status != SNAP_OK) {
        return status;
    }
    snap_reader_u64_init(&r, g, n);
    for (size_t i = 0; i < n; i++) {
        r.left = n - i;
        out[i] = shape == 0.0   ? 0.0
                 : shape == 1.0 ? snap_reader_exponential_f64(&r)
                 : shape < 1.0  ? small_f64(&r, shape)
                                : large_f64(&r, shape);
    }
    return SNAP_OK;
}

enum snap_status snap_generator_standard_gamma_f32(struct snap_stream *stream, double shape,
                                                   float *out, size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "standard_gamma", err);
    float a = (float)shape;
    struct snap_reader_u32 r;
    enum snap_status status;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    status = check_parameter(g, "standard_gamma", "shape", shape, err);
    if (status != SNAP_OK) {
        return status;
    }
    snap_reader_u32_init(&r, g, n);
    for (size_t i = 0; i < n; i++) {
        r.left = n - i;
        out[i] = a == 0.0f   ? 0.0f
                 : a == 1.0f ? snap_reader_exponential_f32(&r)
                 : a < 1.0f  ? small_f32(&r, a)
                             : large_f32(&r, a);
    }
    return SNAP_OK;
}

enum snap_status snap_generator_gamma(struct snap_stream *stream, double shape, double scale,
                                      double *out, size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "gamma", err);
    enum snap_status status;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    status = check_parameter(g, "gamma", "scale", scale, err);
    if (status == SNAP_OK) {
        status = snap_generator_standard_gamma_f64(stream, shape, out, n, err);
    }
    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        out[i] = scale * out[i];
    }
    return status;
}
