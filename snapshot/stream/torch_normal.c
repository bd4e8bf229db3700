/* SPDX-License-Identifier: Apache-2.0 */
/* normal_ and what is made of normals or of logarithms. */
#include "config.h"

#include <math.h>

#include "stream/torch_cpu.h"
#include "stream/torch_dtype.h"
#include "stream/torch_lanes.h"

#define OBJECT "stream torch_cpu: "
/* Tensors of fewer elements take the way of single normals. */
#define BLOCK SNAP_TORCH_BLOCK
#define HALF_BLOCK SNAP_TORCH_HALF_BLOCK

/* ---- single normals ---- */

/* log(1 - u), as the release writes it. */
static double log_of_rest(const struct snap_torch_cpu *t, double u)
{
    return t->version >= SNAP_TORCH_2_0 ? log1p(-u) : log(1.0 - u);
}

double snap_torch_normal_double(struct snap_torch_cpu *t, double mean, double std)
{
    double z;

    if (t->has_normal) {
        z = t->normal;
        t->has_normal = false;
        t->normal = 0.0;
    } else {
        double u1 = snap_torch_double(t);
        double u2 = snap_torch_double(t);
        double r = sqrt(-2.0 * log_of_rest(t, u2));
        double theta = 2.0 * M_PI * u1;

        t->normal = r * sin(theta);
        t->has_normal = true;
        z = r * cos(theta);
    }
    return fma(z, std, mean);
}

/* ---- blocks of 16 ---- */

static void block_f64(double *d, double mean, double std)
{
    for (size_t j = 0; j < HALF_BLOCK; j++) {
        double radius = sqrt(-2.0 * log(1.0 - d[j]));
        double theta = 2.0 * M_PI * d[j + HALF_BLOCK];

        d[j] = radius * cos(theta);
        d[j + HALF_BLOCK] = radius * sin(theta);
    }
    snap_torch_scale_f64(d, BLOCK, std, mean);
}

/* Half turns into float in every expression, and back only when it is assigned. */
static void block_f16(uint16_t *d, float mean, float std)
{
    for (size_t j = 0; j < HALF_BLOCK; j++) {
        float u1 = snap_round_to_f16(1.0f - snap_f16_to_float(d[j]));
        float u2 = snap_f16_to_float(d[j + HALF_BLOCK]);
        float radius = snap_round_to_f16(sqrtf(-2.0f * logf(u1)));
        float theta = snap_round_to_f16((float)(2.0 * M_PI * (double)u2));

        d[j] = snap_f16_from_float(fmaf(radius * cosf(theta), std, mean));
        d[j + HALF_BLOCK] = snap_f16_from_float(fmaf(radius * sinf(theta), std, mean));
    }
}

/* Every operation on two bfloat16 numbers is rounded to bfloat16. */
static uint16_t scale_bf16(float radius, float turn, float mean, float std)
{
    float z = snap_round_to_bf16(radius * snap_round_to_bf16(turn));

    return snap_bf16_from_float(snap_round_to_bf16(z * std) + mean);
}

static void block_bf16(uint16_t *d, float mean, float std)
{
    for (size_t j = 0; j < HALF_BLOCK; j++) {
        float u1 = snap_round_to_bf16(1.0f - snap_bf16_to_float(d[j]));
        float u2 = snap_bf16_to_float(d[j + HALF_BLOCK]);
        float squared = snap_round_to_bf16(-2.0f * snap_round_to_bf16(logf(u1)));
        float radius = snap_round_to_bf16(sqrtf(squared));
        float theta = snap_round_to_bf16((float)(2.0 * M_PI * (double)u2));

        d[j] = scale_bf16(radius, cosf(theta), mean, std);
        d[j + HALF_BLOCK] = scale_bf16(radius, sinf(theta), mean, std);
    }
}

static void transform_blocks(enum snap_dtype dtype, void *at, size_t blocks, double mean,
                             double std)
{
    if (dtype == SNAP_F32) {
        snap_torch_normals_f32(at, blocks, (float)mean, (float)std);
        return;
    }
    for (size_t i = 0; i < blocks; i++) {
        if (dtype == SNAP_F16) {
            block_f16((uint16_t *)at + i * BLOCK, snap_round_to_f16((float)mean),
                      snap_round_to_f16((float)std));
        } else if (dtype == SNAP_BF16) {
            block_bf16((uint16_t *)at + i * BLOCK, snap_round_to_bf16((float)mean),
                       snap_round_to_bf16((float)std));
        } else {
            block_f64((double *)at + i * BLOCK, mean, std);
        }
    }
}

/* Uniforms for the whole tensor first; then full blocks; a rest makes the last 16 elements take
 * fresh uniforms and be transformed again. */
static enum snap_status fill_blocks(struct snap_torch_cpu *t, enum snap_dtype dtype, double mean,
                                    double std, void *out, size_t n, struct snap_error *err)
{
    size_t width = snap_dtype_size_bytes(dtype);
    unsigned char *bytes = out;
    enum snap_status status = snap_torch_uniform(t, dtype, 0.0, 1.0, out, n, err);

    if (status != SNAP_OK) {
        return status;
    }
    transform_blocks(dtype, out, n / BLOCK, mean, std);
    if (n % BLOCK != 0) {
        unsigned char *last = bytes + (n - BLOCK) * width;

        status = snap_torch_uniform(t, dtype, 0.0, 1.0, last, BLOCK, err);
        if (status == SNAP_OK) {
            transform_blocks(dtype, last, 1, mean, std);
        }
    }
    return status;
}

static enum snap_status check_type(enum snap_dtype dtype, const char *fill, struct snap_error *err)
{
    if (!snap_torch_is_float(dtype)) {
        return snap_error_set(err, SNAP_UNSUPPORTED, OBJECT "%s: only for floating types", fill);
    }
    return SNAP_OK;
}

enum snap_status snap_torch_normal(struct snap_torch_cpu *t, enum snap_dtype dtype, double mean,
                                   double std, bool contiguous, void *out, size_t n,
                                   struct snap_error *err)
{
    enum snap_status status = check_type(dtype, "normal_", err);

    if (status != SNAP_OK) {
        return status;
    }
    if (!(std >= 0.0)) {
        return snap_error_set(err, SNAP_INVALID, OBJECT "normal_: std is negative");
    }
    if (contiguous && n >= BLOCK) {
        return fill_blocks(t, dtype, mean, std, out, n, err);
    }
    for (size_t i = 0; i < n; i++) {
        snap_torch_store_double(dtype, out, i, snap_torch_normal_double(t, mean, std));
    }
    return SNAP_OK;
}

enum snap_status snap_torch_normal_tensors(struct snap_torch_cpu *t, const float *mean,
                                           const float *std, float *out, size_t n,
                                           struct snap_error *err)
{
    enum snap_status status = snap_torch_normal(t, SNAP_F32, 0.0, 1.0, true, out, n, err);

    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        out[i] = out[i] * std[i] + mean[i];
    }
    return status;
}

/* ---- one double each, rounded at the end ---- */

enum snap_status snap_torch_log_normal(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                       double mean, double std, void *out, size_t n,
                                       struct snap_error *err)
{
    enum snap_status status = check_type(dtype, "log_normal_", err);

    if (status == SNAP_OK && !(std > 0.0)) {
        status = snap_error_set(err, SNAP_INVALID, OBJECT "log_normal_: std is not positive");
    }
    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        snap_torch_store_double(dtype, out, i, exp(snap_torch_normal_double(t, mean, std)));
    }
    return status;
}

enum snap_status snap_torch_exponential(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                        double lambda, void *out, size_t n, struct snap_error *err)
{
    enum snap_status status = check_type(dtype, "exponential_", err);

    if (status == SNAP_OK && !(lambda > 0.0)) {
        status = snap_error_set(err, SNAP_INVALID, OBJECT "exponential_: lambda is not positive");
    }
    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        double u = snap_torch_double(t);

        snap_torch_store_double(dtype, out, i, -1.0 / lambda * log_of_rest(t, u));
    }
    return status;
}

enum snap_status snap_torch_geometric(struct snap_torch_cpu *t, enum snap_dtype dtype, double p,
                                      void *out, size_t n, struct snap_error *err)
{
    if (!snap_torch_is_fillable(dtype) || dtype == SNAP_BOOL) {
        return snap_error_set(err, SNAP_UNSUPPORTED, OBJECT "geometric_: not for this type");
    }
    if (!(p > 0.0 && p < 1.0)) {
        return snap_error_set(err, SNAP_INVALID, OBJECT "geometric_: p is not inside 0 to 1");
    }
    for (size_t i = 0; i < n; i++) {
        double u = snap_torch_double(t);

        snap_torch_store_double(dtype, out, i, ceil(log(u) / log_of_rest(t, p)));
    }
    return SNAP_OK;
}

enum snap_status snap_torch_cauchy(struct snap_torch_cpu *t, enum snap_dtype dtype, double median,
                                   double sigma, void *out, size_t n, struct snap_error *err)
{
    enum snap_status status = check_type(dtype, "cauchy_", err);

    if (status == SNAP_OK && !(sigma > 0.0)) {
        status = snap_error_set(err, SNAP_INVALID, OBJECT "cauchy_: sigma is not positive");
    }
    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        double turn = tan(M_PI * (snap_torch_double(t) - 0.5));

        snap_torch_store_double(dtype, out, i, fma(sigma, turn, median));
    }
    return status;
}
