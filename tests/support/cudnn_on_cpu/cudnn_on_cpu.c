/* SPDX-License-Identifier: Apache-2.0 */
/* Handles, descriptors and convolutions. */
#include "cudnn_on_cpu_internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct cudnn_on_cpu cudnn_on_cpu = { .version = 91900,
                                     .runtime = 13000,
                                     .cublas_version = 130100,
                                     .states = 67,
                                     .workspace = 40 };

bool cudnn_on_cpu_fails(void)
{
    return ++cudnn_on_cpu.calls == cudnn_on_cpu.fail_at;
}

float cudnn_on_cpu_tf32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    bits &= 0xffffe000u;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

size_t cudnnGetVersion(void)
{
    return cudnn_on_cpu.version;
}

size_t cudnnGetCudartVersion(void)
{
    return cudnn_on_cpu.runtime;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    switch (status) {
    case CUDNN_STATUS_SUCCESS:
        return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_BAD_PARAM:
        return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
        return "CUDNN_STATUS_NOT_SUPPORTED";
    default:
        return "CUDNN_STATUS_EXECUTION_FAILED";
    }
}

cudnnStatus_t cudnn_on_cpu_make(void *object, size_t size)
{
    void *made = cudnn_on_cpu_fails() ? NULL : calloc(1, size);
    if (made == NULL) {
        return CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
    }
    cudnn_on_cpu.held++;
    memcpy(object, &made, sizeof(made));
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnn_on_cpu_drop(void *object)
{
    cudnn_on_cpu.held--;
    free(object);
    return CUDNN_STATUS_SUCCESS;
}

struct cudnn_on_cpu_handle {
    cudaStream_t stream;
};

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    return cudnn_on_cpu_make(handle, sizeof(**handle));
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    return cudnn_on_cpu_drop(handle);
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return ANSWER;
}

static cudnnStatus_t set_tensor(cudnnTensorDescriptor_t desc, cudnnTensorFormat_t format, int n,
                                int c, int h, int w)
{
    if (n < 1 || c < 1 || h < 1 || w < 1) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    if (format != CUDNN_TENSOR_NHWC) {
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    *desc = (struct cudnn_on_cpu_tensor){ n, h, w, c };
    return ANSWER;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *desc)
{
    return cudnn_on_cpu_make(desc, sizeof(**desc));
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t desc)
{
    return cudnn_on_cpu_drop(desc);
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t desc, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w)
{
    (void)type;
    return set_tensor(desc, format, n, c, h, w);
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *desc)
{
    return cudnn_on_cpu_make(desc, sizeof(**desc));
}

cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t desc)
{
    return cudnn_on_cpu_drop(desc);
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t desc, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w)
{
    (void)type;
    return set_tensor(desc, format, k, c, h, w);
}

/* ---- convolutions ---- */

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *desc)
{
    return cudnn_on_cpu_make(desc, sizeof(**desc)); /* with CUDNN_DEFAULT_MATH */
}

cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t desc)
{
    return cudnn_on_cpu_drop(desc);
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t desc, int pad_h,
                                              int pad_w, int stride_h, int stride_w,
                                              int dilation_h, int dilation_w,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t type)
{
    (void)type;
    if (dilation_h != 1 || dilation_w != 1 || mode != CUDNN_CROSS_CORRELATION) {
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    *desc = (struct cudnn_on_cpu_window){ .pad_h = pad_h,
                                          .pad_w = pad_w,
                                          .stride_h = stride_h,
                                          .stride_w = stride_w };
    return ANSWER;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t desc, cudnnMathType_t math)
{
    desc->math = math;
    return ANSWER;
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnFilterDescriptor_t w,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t y,
    cudnnConvolutionFwdAlgo_t algorithm, size_t *bytes)
{
    const bool precomputed = algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    (void)handle, (void)w, (void)conv, (void)y;
    cudnn_on_cpu.asked_precomputed += precomputed;
    cudnn_on_cpu.asked_implicit += !precomputed;
    if (precomputed ? cudnn_on_cpu.no_precomputed : cudnn_on_cpu.no_implicit) {
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    *bytes = precomputed ? cudnn_on_cpu.workspace * (size_t)x->n : 0;
    return ANSWER;
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    cudnnHandle_t handle, const cudnnFilterDescriptor_t w, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnTensorDescriptor_t dx,
    cudnnConvolutionBwdDataAlgo_t algorithm, size_t *bytes)
{
    (void)handle, (void)w, (void)conv, (void)dy, (void)algorithm;
    *bytes = 2 * cudnn_on_cpu.workspace * (size_t)dx->n;
    return cudnn_on_cpu.no_data_gradient ? CUDNN_STATUS_NOT_SUPPORTED : ANSWER;
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t x, const cudnnTensorDescriptor_t dy,
    const cudnnConvolutionDescriptor_t conv, const cudnnFilterDescriptor_t dw,
    cudnnConvolutionBwdFilterAlgo_t algorithm, size_t *bytes)
{
    (void)handle, (void)dw, (void)conv, (void)dy, (void)algorithm;
    *bytes = 3 * cudnn_on_cpu.workspace * (size_t)x->n;
    return ANSWER;
}

/* The workspace that was asked for must be there, and is used. */
static bool spoil(void *workspace, size_t bytes, size_t needed)
{
    if (bytes < needed || (needed > 0 && workspace == NULL)) {
        return false;
    }
    if (needed > 0) {
        memset(workspace, 0x5a, needed);
    }
    return true;
}

/* What each tap of a convolution does with the three numbers that it joins. */
typedef void tap_visit(void *arg, size_t x, size_t w, size_t y);

static void each_tap(const struct cudnn_on_cpu_tensor *x, const struct cudnn_on_cpu_tensor *w,
                     const struct cudnn_on_cpu_window *conv, const struct cudnn_on_cpu_tensor *y,
                     bool backwards, tap_visit *visit, void *arg)
{
    const size_t taps = (size_t)(w->h * w->w * w->c);
    const size_t outputs = (size_t)y->n * (size_t)(y->h * y->w * y->c);
    for (size_t out = 0; out < outputs; out++) {
        const size_t pixel = out / (size_t)y->c;
        const int oc = (int)(out % (size_t)y->c), ow = (int)(pixel % (size_t)y->w);
        const int oh = (int)(pixel / (size_t)y->w % (size_t)y->h);
        const size_t n = pixel / (size_t)(y->w * y->h);
        for (size_t t = 0; t < taps; t++) {
            const size_t tap = backwards ? taps - 1 - t : t;
            const int c = (int)(tap % (size_t)w->c), s = (int)(tap / (size_t)w->c % (size_t)w->w);
            const int r = (int)(tap / (size_t)(w->c * w->w));
            const int h = oh * conv->stride_h - conv->pad_h + r;
            const int column = ow * conv->stride_w - conv->pad_w + s;
            if (h >= 0 && h < x->h && column >= 0 && column < x->w) {
                visit(arg, ((n * (size_t)x->h + (size_t)h) * (size_t)x->w + (size_t)column) *
                               (size_t)x->c + (size_t)c,
                      (size_t)oc * taps + tap, out);
            }
        }
    }
}

struct join {
    const float *x, *w, *y; /* one is NULL, and gets the sums */
    float *out;
    bool tf32;
};

static float operand(const struct join *join, float value)
{
    return join->tf32 ? cudnn_on_cpu_tf32(value) : value;
}

static void join_tap(void *arg, size_t x, size_t w, size_t y)
{
    const struct join *join = arg;
    if (join->y == NULL) {
        join->out[y] += operand(join, join->x[x]) * operand(join, join->w[w]);
    } else if (join->x == NULL) {
        join->out[x] += operand(join, join->y[y]) * operand(join, join->w[w]);
    } else {
        join->out[w] += operand(join, join->x[x]) * operand(join, join->y[y]);
    }
}

static cudnnStatus_t convolve(struct join join, const struct cudnn_on_cpu_tensor *x,
                              const struct cudnn_on_cpu_tensor *w,
                              const struct cudnn_on_cpu_window *conv,
                              const struct cudnn_on_cpu_tensor *y, bool backwards,
                              const struct cudnn_on_cpu_tensor *result)
{
    join.tf32 = conv->math == CUDNN_DEFAULT_MATH;
    cudnn_on_cpu.tf32 += join.tf32;
    memset(join.out, 0, cudnn_on_cpu_count(result) * sizeof(float));
    each_tap(x, w, conv, y, backwards, join_tap, &join);
    return ANSWER;
}

cudnnStatus_t cudnnConvolutionForward(
    cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t x_desc, const void *x,
    const cudnnFilterDescriptor_t w_desc, const void *w, const cudnnConvolutionDescriptor_t conv,
    cudnnConvolutionFwdAlgo_t algorithm, void *workspace, size_t workspace_bytes, const void *beta,
    const cudnnTensorDescriptor_t y_desc, void *y)
{
    const bool precomputed = algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
    const struct join join = { .x = x, .w = w, .out = y };
    (void)handle, (void)alpha, (void)beta;
    if (!spoil(workspace, workspace_bytes,
               precomputed ? cudnn_on_cpu.workspace * (size_t)x_desc->n : 0)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    return convolve(join, x_desc, w_desc, conv, y_desc, !precomputed, y_desc);
}

cudnnStatus_t cudnnConvolutionBackwardData(
    cudnnHandle_t handle, const void *alpha, const cudnnFilterDescriptor_t w_desc, const void *w,
    const cudnnTensorDescriptor_t dy_desc, const void *dy, const cudnnConvolutionDescriptor_t conv,
    cudnnConvolutionBwdDataAlgo_t algorithm, void *workspace, size_t workspace_bytes,
    const void *beta, const cudnnTensorDescriptor_t dx_desc, void *dx)
{
    const struct join join = { .w = w, .y = dy, .out = dx };
    (void)handle, (void)alpha, (void)beta, (void)algorithm;
    if (!spoil(workspace, workspace_bytes, 2 * cudnn_on_cpu.workspace * (size_t)dx_desc->n)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    return convolve(join, dx_desc, w_desc, conv, dy_desc, true, dx_desc);
}

cudnnStatus_t cudnnConvolutionBackwardFilter(
    cudnnHandle_t handle, const void *alpha, const cudnnTensorDescriptor_t x_desc, const void *x,
    const cudnnTensorDescriptor_t dy_desc, const void *dy, const cudnnConvolutionDescriptor_t conv,
    cudnnConvolutionBwdFilterAlgo_t algorithm, void *workspace, size_t workspace_bytes,
    const void *beta, const cudnnFilterDescriptor_t dw_desc, void *dw)
{
    const struct join join = { .x = x, .y = dy, .out = dw };
    (void)handle, (void)alpha, (void)beta, (void)algorithm;
    if (!spoil(workspace, workspace_bytes, 3 * cudnn_on_cpu.workspace * (size_t)x_desc->n)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    return convolve(join, x_desc, dw_desc, conv, dy_desc, false, dw_desc);
}
