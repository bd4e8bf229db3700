/* SPDX-License-Identifier: Apache-2.0 */
/* torch.nn.init and what the modules do with it when they are made (torch/nn/init.py,
 * torch/nn/modules). Every bound is computed in doubles, as Python does. */
#include "config.h"

#include <math.h>

#include "stream/torch_cpu.h"

double snap_torch_gain_leaky_relu(double slope)
{
    return sqrt(2.0 / (1.0 + pow(slope, 2.0)));
}

enum snap_status snap_torch_kaiming_uniform(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                            double fan, double gain, void *out, size_t n,
                                            struct snap_error *err)
{
    double std = gain / sqrt(fan);
    double bound = sqrt(3.0) * std;

    return snap_torch_uniform(t, dtype, -bound, bound, out, n, err);
}

enum snap_status snap_torch_kaiming_normal(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                           double fan, double gain, void *out, size_t n,
                                           struct snap_error *err)
{
    return snap_torch_normal(t, dtype, 0.0, gain / sqrt(fan), true, out, n, err);
}

static double xavier_std(double fan_in, double fan_out, double gain)
{
    return gain * sqrt(2.0 / (fan_in + fan_out));
}

enum snap_status snap_torch_xavier_uniform(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                           double fan_in, double fan_out, double gain, void *out,
                                           size_t n, struct snap_error *err)
{
    double bound = sqrt(3.0) * xavier_std(fan_in, fan_out, gain);

    return snap_torch_uniform(t, dtype, -bound, bound, out, n, err);
}

enum snap_status snap_torch_xavier_normal(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                          double fan_in, double fan_out, double gain, void *out,
                                          size_t n, struct snap_error *err)
{
    return snap_torch_normal(t, dtype, 0.0, xavier_std(fan_in, fan_out, gain), true, out, n, err);
}

/* erfinv_ on float32: a rational approximation and two steps of Newton's method (calc_erfinv of
 * ATen/native/Math.h), with the fused operations of the AVX2 build. |y| < 1. */
static float erfinv_avx2(float y)
{
    const float slope = 2.0f / (float)sqrt(M_PI);
    float size = fabsf(y);
    float x, z, numerator, denominator;

    if (size <= 0.7f) {
        z = y * y;
        numerator = fmaf(fmaf(fmaf(-0.140543331f, z, 0.914624893f), z, -1.645349621f), z,
                         0.886226899f);
        denominator = fmaf(fmaf(fmaf(fmaf(0.012229801f, z, -0.329097515f), z, 1.442710462f), z,
                                -2.118377725f),
                           z, 1.0f);
        x = y * numerator / denominator;
    } else {
        z = sqrtf(-logf((1.0f - size) / 2.0f));
        numerator = fmaf(fmaf(fmaf(1.641345311f, z, 3.429567803f), z, -1.624906493f), z,
                         -1.970840454f);
        denominator = fmaf(fmaf(1.637067800f, z, 3.543889200f), z, 1.0f);
        x = copysignf(numerator, y) / denominator;
    }
    x = x - (erff(x) - y) / (slope * expf(-x * x));
    return x - (erff(x) - y) / (slope * expf(-x * x));
}

static double normal_cdf(double x)
{
    return (1.0 + erf(x / sqrt(2.0))) / 2.0;
}

enum snap_status snap_torch_trunc_normal(struct snap_torch_cpu *t, double mean, double std,
                                         double least, double most, float *out, size_t n,
                                         struct snap_error *err)
{
    double low = normal_cdf((least - mean) / std);
    double high = normal_cdf((most - mean) / std);
    float scale = (float)(std * sqrt(2.0));
    enum snap_status status =
        snap_torch_uniform(t, SNAP_F32, 2.0 * low - 1.0, 2.0 * high - 1.0, out, n, err);

    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        float x = erfinv_avx2(out[i]) * scale + (float)mean;

        out[i] = fminf(fmaxf(x, (float)least), (float)most);
    }
    return status;
}

enum snap_status snap_torch_init_linear(struct snap_torch_cpu *t, size_t outputs, size_t fan_in,
                                        float *weight, float *bias, struct snap_error *err)
{
    double gain = snap_torch_gain_leaky_relu(sqrt(5.0));
    double bound;
    enum snap_status status;

    if (fan_in == 0) {
        return snap_error_set(err, SNAP_INVALID, "stream torch_cpu: Linear: no inputs");
    }
    status = snap_torch_kaiming_uniform(t, SNAP_F32, (double)fan_in, gain, weight,
                                        outputs * fan_in, err);
    if (status != SNAP_OK || bias == NULL) {
        return status;
    }
    bound = 1.0 / sqrt((double)fan_in);
    return snap_torch_uniform(t, SNAP_F32, -bound, bound, bias, outputs, err);
}
