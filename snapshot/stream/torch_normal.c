/* SPDX-License-Identifier: Apache-2.0 */
/* normal_ and what is made of normals or of logarithms. */
#include "config.h"

#include <float.h>
#include <math.h>

#include "stream/torch_cpu.h"
#include "stream/torch_dtype.h"

#define OBJECT "stream torch_cpu: "
/* Elements that are transformed together; tensors of fewer take the way of single normals. */
#define BLOCK 16u
#define HALF_BLOCK 8u

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

/* log of avx_mathfun.h (after Cephes), for x in (0, 1], with the fused operations that the compiler
 * of torch's AVX2 kernels makes of it. */
static float log_avx2(float x)
{
    static const float p[] = {
        -1.1514610310e-1f, 1.1676998740e-1f,  -1.2420140846e-1f, 1.4249322787e-1f,
        -1.6668057665e-1f, 2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f,
    };
    int exponent;
    float m = frexpf(x < FLT_MIN ? FLT_MIN : x, &exponent);
    float y = 7.0376836292e-2f;
    float e, z;

    if (m < 0.707106781186547524f) {
        exponent--;
        x = (m - 1.0f) + m;
    } else {
        x = m - 1.0f;
    }
    e = (float)exponent;
    z = x * x;
    for (size_t i = 0; i < sizeof p / sizeof p[0]; i++) {
        y = fmaf(y, x, p[i]);
    }
    y = y * x;
    y = fmaf(y, z, e * -2.12194440e-4f);
    y = fmaf(-z, 0.5f, y);
    x = x + y;
    return fmaf(e, 0.693359375f, x);
}

/* sincos of the same file, for x >= 0. */
static void sincos_avx2(float x, float *sine, float *cosine)
{
    int j = ((int)(x * 1.27323954473516f) + 1) & ~1;
    float y = (float)j;
    float z, s, c;

    x = fmaf(y, -0.78515625f, x);
    x = fmaf(y, -2.4187564849853515625e-4f, x);
    x = fmaf(y, -3.77489497744594108e-8f, x);
    z = x * x;
    c = fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f);
    c = fmaf(c, z, 4.166664568298827e-2f);
    c = c * z;
    c = fmaf(c, z, -(z * 0.5f));
    c = c + 1.0f;
    s = fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f);
    s = fmaf(s, z, -1.6666654611e-1f);
    s = s * z;
    s = fmaf(s, x, x);
    if (j & 2) {
        float swap = s;

        s = c;
        c = swap;
    }
    *sine = j & 4 ? -s : s;
    *cosine = ~(j - 2) & 4 ? -c : c;
}

static void block_f32(float *d, float mean, float std)
{
    const float two_pi = (float)(2.0 * M_PI);

    for (size_t j = 0; j < HALF_BLOCK; j++) {
        float radius = sqrtf(-2.0f * log_avx2(1.0f - d[j]));
        float sine, cosine;

        sincos_avx2(two_pi * d[j + HALF_BLOCK], &sine, &cosine);
        d[j] = fmaf(radius * cosine, std, mean);
        d[j + HALF_BLOCK] = fmaf(radius * sine, std, mean);
    }
}

static void block_f64(double *d, double mean, double std)
{
    for (size_t j = 0; j < HALF_BLOCK; j++) {
        double radius = sqrt(-2.0 * log(1.0 - d[j]));
        double theta = 2.0 * M_PI * d[j + HALF_BLOCK];

        d[j] = fma(radius * cos(theta), std, mean);
        d[j + HALF_BLOCK] = fma(radius * sin(theta), std, mean);
    }
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

static void transform_block(enum snap_dtype dtype, unsigned char *at, double mean, double std)
{
    switch (dtype) {
    case SNAP_F16:
        block_f16((uint16_t *)at, snap_round_to_f16((float)mean), snap_round_to_f16((float)std));
        break;
    case SNAP_BF16:
        block_bf16((uint16_t *)at, snap_round_to_bf16((float)mean),
                   snap_round_to_bf16((float)std));
        break;
    case SNAP_F32:
        block_f32((float *)at, (float)mean, (float)std);
        break;
    default:
        block_f64((double *)at, mean, std);
        break;
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
    for (size_t i = 0; i + BLOCK <= n; i += BLOCK) {
        transform_block(dtype, bytes + i * width, mean, std);
    }
    if (n % BLOCK != 0) {
        unsigned char *last = bytes + (n - BLOCK) * width;

        status = snap_torch_uniform(t, dtype, 0.0, 1.0, last, BLOCK, err);
        if (status == SNAP_OK) {
            transform_block(dtype, last, mean, std);
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
