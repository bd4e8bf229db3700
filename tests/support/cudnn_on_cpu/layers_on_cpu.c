/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling, softmax, batch normalisation and dropout. */
#include "cudnn_on_cpu_internal.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

cudnnStatus_t cudnnCreatePoolingDescriptor(cudnnPoolingDescriptor_t *desc)
{
    return cudnn_on_cpu_make(desc, sizeof(**desc));
}

cudnnStatus_t cudnnDestroyPoolingDescriptor(cudnnPoolingDescriptor_t desc)
{
    return cudnn_on_cpu_drop(desc);
}

cudnnStatus_t cudnnSetPooling2dDescriptor(cudnnPoolingDescriptor_t desc, cudnnPoolingMode_t mode,
                                          cudnnNanPropagation_t nan, int kernel_h, int kernel_w,
                                          int pad_h, int pad_w, int stride_h, int stride_w)
{
    if (nan != CUDNN_PROPAGATE_NAN) {
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    *desc = (struct cudnn_on_cpu_window){ .pad_h = pad_h,
                                          .pad_w = pad_w,
                                          .stride_h = stride_h,
                                          .stride_w = stride_w,
                                          .kernel_h = kernel_h,
                                          .kernel_w = kernel_w,
                                          .mode = mode };
    return ANSWER;
}

/* The taps of output `out` that are within the image, last ones first; how many. */
static int taps_of(const struct cudnn_on_cpu_window *p, const struct cudnn_on_cpu_tensor *x,
                   const struct cudnn_on_cpu_tensor *y, size_t out, size_t taps[256])
{
    const size_t c = out % (size_t)y->c, pixel = out / (size_t)y->c;
    const int ow = (int)(pixel % (size_t)y->w), oh = (int)(pixel / (size_t)y->w % (size_t)y->h);
    const size_t n = pixel / (size_t)(y->w * y->h);
    int count = 0;
    for (int tap = p->kernel_h * p->kernel_w - 1; tap >= 0; tap--) {
        const int h = oh * p->stride_h - p->pad_h + tap / p->kernel_w;
        const int w = ow * p->stride_w - p->pad_w + tap % p->kernel_w;
        if (h >= 0 && h < x->h && w >= 0 && w < x->w && count < 256) {
            taps[count++] = ((n * (size_t)x->h + (size_t)h) * (size_t)x->w + (size_t)w) *
                                (size_t)x->c + c;
        }
    }
    return count;
}

cudnnStatus_t cudnnPoolingForward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t pooling,
                                  const void *alpha, const cudnnTensorDescriptor_t x_desc,
                                  const void *x, const void *beta,
                                  const cudnnTensorDescriptor_t y_desc, void *y)
{
    const float *in = x;
    float *out = y;
    (void)handle, (void)alpha, (void)beta;
    for (size_t i = 0; i < cudnn_on_cpu_count(y_desc); i++) {
        size_t taps[256];
        const int count = taps_of(pooling, x_desc, y_desc, i, taps);
        float best = count > 0 ? in[taps[0]] : 0.0f, sum = 0.0f;
        for (int t = 0; t < count; t++) {
            best = in[taps[t]] >= best ? in[taps[t]] : best;
            sum += in[taps[t]];
        }
        out[i] = pooling->mode == CUDNN_POOLING_MAX_DETERMINISTIC
                     ? best : sum / (float)(pooling->kernel_h * pooling->kernel_w);
    }
    return ANSWER;
}

cudnnStatus_t cudnnPoolingBackward(cudnnHandle_t handle, const cudnnPoolingDescriptor_t pooling,
                                   const void *alpha, const cudnnTensorDescriptor_t y_desc,
                                   const void *y, const cudnnTensorDescriptor_t dy_desc,
                                   const void *dy, const cudnnTensorDescriptor_t x_desc,
                                   const void *x, const void *beta,
                                   const cudnnTensorDescriptor_t dx_desc, void *dx)
{
    const float *in = x, *best = y, *slopes = dy;
    float *out = dx;
    (void)handle, (void)alpha, (void)beta, (void)dy_desc;
    memset(dx, 0, cudnn_on_cpu_count(dx_desc) * sizeof(float));
    for (size_t i = 0; i < cudnn_on_cpu_count(y_desc); i++) {
        size_t taps[256];
        const int count = taps_of(pooling, x_desc, y_desc, i, taps);
        for (int t = 0; t < count; t++) {
            if (pooling->mode != CUDNN_POOLING_MAX_DETERMINISTIC) {
                out[taps[t]] += slopes[i] / (float)(pooling->kernel_h * pooling->kernel_w);
            } else if (in[taps[t]] == best[i]) {
                out[taps[t]] += slopes[i];
                break;
            }
        }
    }
    return ANSWER;
}

cudnnStatus_t cudnnSoftmaxForward(cudnnHandle_t handle, cudnnSoftmaxAlgorithm_t algorithm,
                                  cudnnSoftmaxMode_t mode, const void *alpha,
                                  const cudnnTensorDescriptor_t x_desc, const void *x,
                                  const void *beta, const cudnnTensorDescriptor_t y_desc, void *y)
{
    const size_t classes = (size_t)x_desc->c;
    (void)handle, (void)algorithm, (void)mode, (void)alpha, (void)beta, (void)y_desc;
    for (size_t row = 0; row < cudnn_on_cpu_count(x_desc) / classes; row++) {
        const float *in = (const float *)x + row * classes;
        float *out = (float *)y + row * classes;
        double sum = 0.0, most = in[0];
        for (size_t j = 1; j < classes; j++) {
            most = in[j] > most ? in[j] : most;
        }
        for (size_t j = 0; j < classes; j++) {
            sum += exp(in[j] - most);
        }
        for (size_t j = 0; j < classes; j++) {
            out[j] = (float)(in[j] - most - log(sum));
        }
    }
    return ANSWER;
}

/* ---- batch normalisation ---- */

cudnnStatus_t cudnnBatchNormalizationForwardTraining(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void *alpha, const void *beta,
    const cudnnTensorDescriptor_t x_desc, const void *x, const cudnnTensorDescriptor_t y_desc,
    void *y, const cudnnTensorDescriptor_t parameters, const void *scale, const void *bias,
    double factor, void *running_mean, void *running_var, double epsilon, void *mean, void *rs)
{
    const size_t columns = (size_t)parameters->c, rows = cudnn_on_cpu_count(x_desc) / columns;
    const float *in = x;
    (void)handle, (void)mode, (void)alpha, (void)beta, (void)y_desc;
    for (size_t c = 0; c < columns; c++) {
        double sum = 0.0, squares = 0.0;
        for (size_t r = rows; r-- > 0;) {
            sum += in[r * columns + c];
        }
        sum /= (double)rows;
        for (size_t r = rows; r-- > 0;) {
            squares += (in[r * columns + c] - sum) * (in[r * columns + c] - sum);
        }
        ((float *)mean)[c] = (float)sum;
        ((float *)rs)[c] = (float)(1.0 / sqrt(squares / (double)rows + epsilon));
        for (size_t r = 0; r < rows; r++) {
            ((float *)y)[r * columns + c] =
                (in[r * columns + c] - ((float *)mean)[c]) * ((float *)rs)[c] *
                    ((const float *)scale)[c] + ((const float *)bias)[c];
        }
        if (running_mean != NULL) {
            float *m = (float *)running_mean + c, *v = (float *)running_var + c;
            *m = (float)((1.0 - factor) * *m + factor * sum);
            *v = (float)((1.0 - factor) * *v + factor * squares / (double)(rows - 1));
        }
    }
    return ANSWER;
}

cudnnStatus_t cudnnBatchNormalizationForwardInference(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void *alpha, const void *beta,
    const cudnnTensorDescriptor_t x_desc, const void *x, const cudnnTensorDescriptor_t y_desc,
    void *y, const cudnnTensorDescriptor_t parameters, const void *scale, const void *bias,
    const void *mean, const void *var, double epsilon)
{
    const size_t columns = (size_t)parameters->c;
    (void)handle, (void)mode, (void)alpha, (void)beta, (void)y_desc;
    for (size_t i = 0; i < cudnn_on_cpu_count(x_desc); i++) {
        const size_t c = i % columns;
        const double rs = 1.0 / sqrt(((const float *)var)[c] + epsilon);
        ((float *)y)[i] = (float)((((const float *)x)[i] - ((const float *)mean)[c]) * rs *
                                      ((const float *)scale)[c] + ((const float *)bias)[c]);
    }
    return ANSWER;
}

cudnnStatus_t cudnnBatchNormalizationBackward(
    cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void *alpha, const void *beta,
    const void *parameter_alpha, const void *parameter_beta, const cudnnTensorDescriptor_t x_desc,
    const void *x, const cudnnTensorDescriptor_t dy_desc, const void *dy,
    const cudnnTensorDescriptor_t dx_desc, void *dx, const cudnnTensorDescriptor_t parameters,
    const void *scale, void *dscale, void *dbias, double epsilon, const void *mean,
    const void *rs)
{
    const size_t columns = (size_t)parameters->c, rows = cudnn_on_cpu_count(x_desc) / columns;
    (void)handle, (void)mode, (void)alpha, (void)beta, (void)parameter_alpha;
    (void)parameter_beta, (void)dy_desc, (void)dx_desc, (void)epsilon;
    for (size_t c = 0; c < columns; c++) {
        const double m = ((const float *)mean)[c], r = ((const float *)rs)[c];
        double sum = 0.0, product = 0.0;
        for (size_t i = rows; i-- > 0;) {
            const double slope = ((const float *)dy)[i * columns + c];
            sum += slope;
            product += slope * (((const float *)x)[i * columns + c] - m) * r;
        }
        for (size_t i = 0; i < rows; i++) {
            const double slope = ((const float *)dy)[i * columns + c];
            const double normal = (((const float *)x)[i * columns + c] - m) * r;
            ((float *)dx)[i * columns + c] =
                (float)((slope - (sum + normal * product) / (double)rows) * r *
                        ((const float *)scale)[c]);
        }
        ((float *)dscale)[c] = (float)product;
        ((float *)dbias)[c] = (float)sum;
    }
    return ANSWER;
}

/* ---- dropout: a generator of 64 bits a state, dealt to the elements in turn ---- */

struct cudnn_on_cpu_dropout {
    float probability;
    uint64_t *states;
    unsigned long long seed;
};

cudnnStatus_t cudnnCreateDropoutDescriptor(cudnnDropoutDescriptor_t *desc)
{
    return cudnn_on_cpu_make(desc, sizeof(**desc));
}

cudnnStatus_t cudnnDestroyDropoutDescriptor(cudnnDropoutDescriptor_t desc)
{
    return cudnn_on_cpu_drop(desc);
}

cudnnStatus_t cudnnDropoutGetStatesSize(cudnnHandle_t handle, size_t *bytes)
{
    (void)handle;
    *bytes = cudnn_on_cpu.states * sizeof(uint64_t);
    return ANSWER;
}

cudnnStatus_t cudnnDropoutGetReserveSpaceSize(cudnnTensorDescriptor_t x, size_t *bytes)
{
    *bytes = (cudnn_on_cpu_count(x) + 7) / 8;
    return ANSWER;
}

cudnnStatus_t cudnnRestoreDropoutDescriptor(cudnnDropoutDescriptor_t desc, cudnnHandle_t handle,
                                            float dropout, void *states, size_t states_bytes,
                                            unsigned long long seed)
{
    (void)handle;
    if (states_bytes < cudnn_on_cpu.states * sizeof(uint64_t)) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    cudnn_on_cpu.restored++;
    *desc = (struct cudnn_on_cpu_dropout){ dropout, states, seed };
    return ANSWER;
}

cudnnStatus_t cudnnSetDropoutDescriptor(cudnnDropoutDescriptor_t desc, cudnnHandle_t handle,
                                        float dropout, void *states, size_t states_bytes,
                                        unsigned long long seed)
{
    const cudnnStatus_t status =
        cudnnRestoreDropoutDescriptor(desc, handle, dropout, states, states_bytes, seed);
    if (status != CUDNN_STATUS_SUCCESS) {
        return status;
    }
    cudnn_on_cpu.restored--;
    cudnn_on_cpu.seeded++;
    for (size_t i = 0; i < cudnn_on_cpu.states; i++) {
        desc->states[i] = (seed + i) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    }
    return status;
}

cudnnStatus_t cudnnGetDropoutDescriptor(cudnnDropoutDescriptor_t desc, cudnnHandle_t handle,
                                        float *dropout, void **states, unsigned long long *seed)
{
    (void)handle;
    *dropout = desc->probability;
    *states = desc->states;
    *seed = desc->seed;
    return ANSWER;
}

static void apply(const struct cudnn_on_cpu_dropout *desc, size_t n, const float *x, float *y,
                  const unsigned char *kept)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = kept[i / 8] >> i % 8 & 1 ? x[i] / (1.0f - desc->probability) : 0.0f;
    }
}

cudnnStatus_t cudnnDropoutForward(cudnnHandle_t handle, const cudnnDropoutDescriptor_t desc,
                                  const cudnnTensorDescriptor_t x_desc, const void *x,
                                  const cudnnTensorDescriptor_t y_desc, void *y, void *reserve,
                                  size_t reserve_bytes)
{
    const size_t n = cudnn_on_cpu_count(x_desc);
    unsigned char *kept = reserve;
    (void)handle, (void)y_desc;
    if (reserve_bytes < (n + 7) / 8) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    memset(reserve, 0, reserve_bytes);
    for (size_t i = 0; i < n; i++) {
        uint64_t *state = &desc->states[i % cudnn_on_cpu.states];
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        if ((float)(*state >> 40) * 0x1p-24f >= desc->probability) {
            kept[i / 8] = (unsigned char)(kept[i / 8] | 1u << i % 8);
        }
    }
    apply(desc, n, x, y, kept);
    return ANSWER;
}

cudnnStatus_t cudnnDropoutBackward(cudnnHandle_t handle, const cudnnDropoutDescriptor_t desc,
                                   const cudnnTensorDescriptor_t dy_desc, const void *dy,
                                   const cudnnTensorDescriptor_t dx_desc, void *dx, void *reserve,
                                   size_t reserve_bytes)
{
    const size_t n = cudnn_on_cpu_count(dy_desc);
    (void)handle, (void)dx_desc;
    if (reserve_bytes < (n + 7) / 8) {
        return CUDNN_STATUS_BAD_PARAM;
    }
    apply(desc, n, dy, dx, reserve);
    return ANSWER;
}
