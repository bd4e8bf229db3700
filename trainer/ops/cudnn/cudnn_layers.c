/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling, batch normalisation and softmax by cuDNN. */
#include "config.h"

#include "ops/cudnn/cudnn_library.h"

static const float one = 1.0f, zero = 0.0f;

/* ---- pooling ---- */

static enum snap_status describe_pooling(struct trn_backend *backend, const struct trn_conv *c,
                                         cudnnPoolingMode_t mode, struct snap_error *err)
{
    struct trn_cudnn *l = trn_cudnn_of(backend);
    const struct trn_window *w = &c->window;
    const size_t sizes[] = { c->n, c->h, c->w, c->c, c->oh, c->ow };
    cudnnStatus_t result;
    enum snap_status status =
        trn_cudnn_enter(backend, "pooling", sizes, sizeof(sizes) / sizeof(sizes[0]), err);
    if (status != SNAP_OK) {
        return status;
    }
    /* The window is within the input, and so its numbers are. */
    result = l->calls.cudnnSetPooling2dDescriptor(
        l->pooling, mode, CUDNN_PROPAGATE_NAN, (int)w->kernel_h, (int)w->kernel_w,
        (int)w->padding_h, (int)w->padding_w, (int)w->stride_h, (int)w->stride_w);
    if (result == CUDNN_STATUS_SUCCESS) {
        result = l->calls.cudnnSetTensor4dDescriptor(l->x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT,
                                                     (int)c->n, (int)c->c, (int)c->h, (int)c->w);
    }
    if (result == CUDNN_STATUS_SUCCESS) {
        result = l->calls.cudnnSetTensor4dDescriptor(l->y, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT,
                                                     (int)c->n, (int)c->c, (int)c->oh, (int)c->ow);
    }
    return trn_cudnn_check(backend, result, "describe a pooling", err);
}

static enum snap_status pool(struct trn_backend *backend, const struct trn_conv *c,
                             cudnnPoolingMode_t mode, const float *x, float *y,
                             struct snap_error *err)
{
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    enum snap_status status = describe_pooling(backend, c, mode, err);
    if (status != SNAP_OK) {
        return status;
    }
    return trn_cudnn_check(backend,
                           l->calls.cudnnPoolingForward(l->cudnn, l->pooling, &one, l->x, x, &zero,
                                                        l->y, y),
                           "pooling", err);
}

static enum snap_status pool_back(struct trn_backend *backend, const struct trn_conv *c,
                                  cudnnPoolingMode_t mode, const float *x, const float *y,
                                  const float *dy, float *dx, struct snap_error *err)
{
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    enum snap_status status = describe_pooling(backend, c, mode, err);
    if (status != SNAP_OK) {
        return status;
    }
    return trn_cudnn_check(backend,
                           l->calls.cudnnPoolingBackward(l->cudnn, l->pooling, &one, l->y, y, l->y,
                                                         dy, l->x, x, &zero, l->x, dx),
                           "pooling, backward", err);
}

enum snap_status trn_cudnn_maxpool_forward(struct trn_backend *backend, const struct trn_conv *c,
                                           const float *x, float *y, int32_t *chosen,
                                           struct snap_error *err)
{
    (void)chosen;
    return pool(backend, c, CUDNN_POOLING_MAX_DETERMINISTIC, x, y, err);
}

enum snap_status trn_cudnn_maxpool_backward(struct trn_backend *backend, const struct trn_conv *c,
                                            const float *x, const float *y, const int32_t *chosen,
                                            const float *dy, float *dx, struct snap_error *err)
{
    (void)chosen;
    return pool_back(backend, c, CUDNN_POOLING_MAX_DETERMINISTIC, x, y, dy, dx, err);
}

enum snap_status trn_cudnn_avgpool_forward(struct trn_backend *backend, const struct trn_conv *c,
                                           const float *x, float *y, struct snap_error *err)
{
    return pool(backend, c, CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING, x, y, err);
}

enum snap_status trn_cudnn_avgpool_backward(struct trn_backend *backend, const struct trn_conv *c,
                                            const float *x, const float *y, const float *dy,
                                            float *dx, struct snap_error *err)
{
    return pool_back(backend, c, CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING, x, y, dy, dx, err);
}

/* ---- rows of vectors, as images of one pixel each ---- */

static enum snap_status describe_rows(struct trn_backend *backend, const char *what, size_t rows,
                                      size_t columns, struct snap_error *err)
{
    struct trn_cudnn *l = trn_cudnn_of(backend);
    const size_t sizes[] = { rows, columns };
    cudnnStatus_t result;
    enum snap_status status = trn_cudnn_enter(backend, what, sizes, 2, err);
    if (status != SNAP_OK) {
        return status;
    }
    result = l->calls.cudnnSetTensor4dDescriptor(l->x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT,
                                                 (int)rows, (int)columns, 1, 1);
    if (result == CUDNN_STATUS_SUCCESS) {
        result = l->calls.cudnnSetTensor4dDescriptor(
            l->parameters, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, (int)columns, 1, 1);
    }
    return trn_cudnn_check(backend, result, what, err);
}

/* SPATIAL and not SPATIAL_PERSISTENT: that may overflow, and says so only when it is asked. */
enum snap_status trn_cudnn_norm_forward(struct trn_backend *backend, const struct trn_norm *norm,
                                        const float *x, const float *mean, const float *var,
                                        const float *gamma, const float *beta, float *y,
                                        struct snap_error *err)
{
    static const char what[] = "batch normalisation";
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    enum snap_status status = describe_rows(backend, what, norm->rows, norm->columns, err);
    if (status != SNAP_OK) {
        return status;
    }
    return trn_cudnn_check(backend,
                           l->calls.cudnnBatchNormalizationForwardInference(
                               l->cudnn, CUDNN_BATCHNORM_SPATIAL, &one, &zero, l->x, x, l->x, y,
                               l->parameters, gamma, beta, mean, var, (double)norm->eps),
                           what, err);
}

enum snap_status trn_cudnn_batchnorm_forward(struct trn_backend *backend,
                                             const struct trn_batchnorm *b, struct snap_error *err)
{
    static const char what[] = "batch normalisation of a batch";
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    enum snap_status status = describe_rows(backend, what, b->norm.rows, b->norm.columns, err);
    if (status != SNAP_OK) {
        return status;
    }
    if (b->norm.rows < 2) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "device cuda:%d: %s: it has one row, of which there is no unbiased "
                              "variance: take \"last_batch\": \"drop\" or a larger batch",
                              backend->device.index, what);
    }
    return trn_cudnn_check(
        backend,
        l->calls.cudnnBatchNormalizationForwardTraining(
            l->cudnn, CUDNN_BATCHNORM_SPATIAL, &one, &zero, l->x, b->x, l->x, b->y, l->parameters,
            b->gamma, b->beta, (double)b->momentum, b->running_mean, b->running_var,
            (double)b->norm.eps, b->mean, b->rs),
        what, err);
}

enum snap_status trn_cudnn_batchnorm_backward(struct trn_backend *backend,
                                              const struct trn_batchnorm *b, const float *dy,
                                              float *dgamma, float *dbeta, float *dx,
                                              struct snap_error *err)
{
    static const char what[] = "batch normalisation, backward";
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    void *unwanted = NULL;
    enum snap_status status = describe_rows(backend, what, b->norm.rows, b->norm.columns, err);
    if (status == SNAP_OK && dx == NULL) { /* cuDNN writes it all the same */
        status = trn_cuda_scratch(backend, b->norm.rows * b->norm.columns * sizeof(float),
                                  &unwanted, err);
    }
    if (status != SNAP_OK) {
        return status;
    }
    return trn_cudnn_check(
        backend,
        l->calls.cudnnBatchNormalizationBackward(
            l->cudnn, CUDNN_BATCHNORM_SPATIAL, &one, &zero, &one, &zero, l->x, b->x, l->x, dy,
            l->x, dx != NULL ? (void *)dx : unwanted, l->parameters, b->gamma, dgamma, dbeta,
            (double)b->norm.eps, b->mean, b->rs),
        what, err);
}

/* The logarithms of the softmax by cuDNN; loss and gradient from them by a kernel of ours. */
enum snap_status trn_cudnn_cross_entropy(struct trn_backend *backend,
                                         const struct trn_cross_entropy *args,
                                         struct snap_error *err)
{
    static const char what[] = "softmax";
    const struct trn_cudnn *l = trn_cudnn_of(backend);
    void *logs = NULL;
    enum snap_status status;
    if (args->rows == 0) {
        return SNAP_OK;
    }
    status = describe_rows(backend, what, args->rows, args->classes, err);
    if (status == SNAP_OK) {
        status = trn_cuda_scratch(backend, args->rows * args->classes * sizeof(float), &logs, err);
    }
    if (status == SNAP_OK) {
        status = trn_cudnn_check(backend,
                                 l->calls.cudnnSoftmaxForward(
                                     l->cudnn, CUDNN_SOFTMAX_LOG, CUDNN_SOFTMAX_MODE_CHANNEL, &one,
                                     l->x, args->logits, &zero, l->x, logs),
                                 what, err);
    }
    if (status == SNAP_OK) {
        status = trn_cuda_loss_of_logs(backend, args, logs, err);
    }
    return status;
}
