/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that take one element at a time. */
#include "ops/cuda/cuda_backend.h"
#include "ops/math_functions.h"

static __global__ void relu_forward(size_t n, const float *x, float *y)
{
    for (size_t i = trn_cuda_first(); i < n; i += trn_cuda_step()) {
        y[i] = x[i] <= 0.0f ? 0.0f : x[i];
    }
}

static __global__ void relu_backward(size_t n, const float *x, const float *dy, float *dx)
{
    for (size_t i = trn_cuda_first(); i < n; i += trn_cuda_step()) {
        dx[i] = x[i] > 0.0f ? dy[i] : 0.0f;
    }
}

/* TANH(0.7978845608 (x + 0.044715 x^3)); c gets x^2. */
static __device__ float gelu_tanh(float x, float *c)
{
    *c = __fmul_rn(x, x);
    return trn_tanhf(__fmul_rn(0.7978845608f, __fmaf_rn(0.044715f, __fmul_rn(*c, x), x)));
}

static __global__ void gelu_forward(size_t n, const float *x, float *y)
{
    for (size_t i = trn_cuda_first(); i < n; i += trn_cuda_step()) {
        float c;
        const float t = gelu_tanh(x[i], &c);
        const float h = __fmul_rn(0.5f, x[i]);
        y[i] = __fmaf_rn(h, t, h);
    }
}

static __global__ void gelu_backward(size_t n, const float *x, const float *dy, float *dx)
{
    for (size_t i = trn_cuda_first(); i < n; i += trn_cuda_step()) {
        float c;
        const float t = gelu_tanh(x[i], &c);
        const float slope = __fmul_rn(0.7978845608f, __fmaf_rn(0.134145f, c, 1.0f));
        const float s = __fmaf_rn(-t, t, 1.0f);
        const float a = __fmaf_rn(0.5f, t, 0.5f);
        const float e = __fmul_rn(__fmul_rn(0.5f, x[i]), s);
        /* Where t is 1 or -1 the slope may have overflowed, and its factor is 0. */
        const float g = s == 0.0f ? a : __fmaf_rn(e, slope, a);
        dx[i] = __fmul_rn(dy[i], g);
    }
}

static __global__ void add_to(size_t n, const float *x, float *sum)
{
    for (size_t i = trn_cuda_first(); i < n; i += trn_cuda_step()) {
        sum[i] = __fadd_rn(sum[i], x[i]);
    }
}

static __global__ void scale_by(size_t n, float factor, float *x)
{
    for (size_t i = trn_cuda_first(); i < n; i += trn_cuda_step()) {
        x[i] = __fmul_rn(x[i], factor);
    }
}

/* The least index, whichever thread comes first: the only atomic operation of all kernels. */
static __global__ void find_nonfinite(size_t n, const float *x, unsigned long long *found)
{
    for (size_t i = trn_cuda_first(); i < n; i += trn_cuda_step()) {
        if ((trn_bits_of_float(x[i]) & 0x7f800000u) == 0x7f800000u) {
            atomicMin(found, (unsigned long long)i);
        }
    }
}

extern "C" enum snap_status trn_cuda_relu_forward(struct trn_backend *backend, size_t n,
                                                  const float *x, float *y, struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "relu", relu_forward, n, err, n, x, y);
}

extern "C" enum snap_status trn_cuda_relu_backward(struct trn_backend *backend, size_t n,
                                                   const float *x, const float *dy, float *dx,
                                                   struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "relu, backward", relu_backward, n, err, n, x, dy, dx);
}

extern "C" enum snap_status trn_cuda_gelu_forward(struct trn_backend *backend, size_t n,
                                                  const float *x, float *y, struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "gelu", gelu_forward, n, err, n, x, y);
}

extern "C" enum snap_status trn_cuda_gelu_backward(struct trn_backend *backend, size_t n,
                                                   const float *x, const float *dy, float *dx,
                                                   struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "gelu, backward", gelu_backward, n, err, n, x, dy, dx);
}

extern "C" enum snap_status trn_cuda_add(struct trn_backend *backend, size_t n, const float *x,
                                         float *sum, struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "add", add_to, n, err, n, x, sum);
}

extern "C" enum snap_status trn_cuda_scale(struct trn_backend *backend, size_t n, float factor,
                                           float *x, struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "scale", scale_by, n, err, n, factor, x);
}

extern "C" enum snap_status trn_cuda_first_nonfinite(struct trn_backend *backend, size_t n,
                                                     const float *x, size_t *index,
                                                     struct snap_error *err)
{
    unsigned long long found = n;
    void *word;
    enum snap_status status = trn_cuda_scratch(backend, sizeof(found), &word, err);
    if (status == SNAP_OK) {
        status = trn_cuda_upload(backend, word, &found, sizeof(found), err);
    }
    if (status == SNAP_OK) {
        status = trn_cuda_launch_over(backend, "search for NaN and Inf", find_nonfinite, n, err, n,
                                      x, static_cast<unsigned long long *>(word));
    }
    if (status == SNAP_OK) {
        status = trn_cuda_download(backend, &found, word, sizeof(found), err);
    }
    if (status == SNAP_OK) {
        *index = (size_t)found;
    }
    return status;
}
