/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a backend of the profile cudnn-1, its table, errors. */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ops/cudnn/cudnn_library.h"

bool trn_cudnn_refuses(cudnnStatus_t result)
{
    const int kind = (int)result / 1000;
    return kind == CUDNN_STATUS_NOT_SUPPORTED / 1000 || kind == CUDNN_STATUS_BAD_PARAM / 1000;
}

enum snap_status trn_cudnn_check(const struct trn_backend *backend, cudnnStatus_t result,
                                 const char *what, struct snap_error *err)
{
    enum snap_status status = SNAP_IO;
    if (result == CUDNN_STATUS_SUCCESS) {
        return SNAP_OK;
    }
    if (trn_cudnn_refuses(result)) {
        status = SNAP_UNSUPPORTED;
    } else if (result == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
               result == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED) {
        status = SNAP_NO_MEMORY;
    }
    return snap_error_set(err, status, "device cuda:%d: cuDNN: %s: %s", backend->device.index,
                          what, trn_cudnn_of(backend)->calls.cudnnGetErrorString(result));
}

enum snap_status trn_cublas_check(const struct trn_backend *backend, cublasStatus_t result,
                                  const char *what, struct snap_error *err)
{
    enum snap_status status = SNAP_IO;
    if (result == CUBLAS_STATUS_SUCCESS) {
        return SNAP_OK;
    }
    if (result == CUBLAS_STATUS_NOT_SUPPORTED || result == CUBLAS_STATUS_ARCH_MISMATCH) {
        status = SNAP_UNSUPPORTED;
    } else if (result == CUBLAS_STATUS_ALLOC_FAILED) {
        status = SNAP_NO_MEMORY;
    }
    return snap_error_set(err, status, "device cuda:%d: cuBLAS: %s: %s", backend->device.index,
                          what, trn_cudnn_of(backend)->calls.cublasGetStatusString(result));
}

enum snap_status trn_cudnn_enter(struct trn_backend *backend, const char *what,
                                 const size_t *sizes, size_t count, struct snap_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (sizes[i] > INT_MAX) {
            return snap_error_set(err, SNAP_UNSUPPORTED,
                                  "device cuda:%d: %s: a size of %zu: the profile cudnn-1 takes "
                                  "sizes below 2^31", backend->device.index, what, sizes[i]);
        }
    }
    return trn_cuda_enter(backend, what, err);
}

static void close_backend(struct trn_backend *backend)
{
    struct trn_cudnn *library = trn_cudnn_of(backend);
    const struct trn_cudnn_calls *calls = &library->calls;
    /* Nothing that is wrong here can change what was computed before. */
    (void)trn_cuda_enter(backend, "close", NULL);
    trn_cudnn_dropout_free(backend);
    trn_cudnn_plans_free(library);
    if (library->x != NULL) {
        (void)calls->cudnnDestroyTensorDescriptor(library->x);
    }
    if (library->y != NULL) {
        (void)calls->cudnnDestroyTensorDescriptor(library->y);
    }
    if (library->parameters != NULL) {
        (void)calls->cudnnDestroyTensorDescriptor(library->parameters);
    }
    if (library->filter != NULL) {
        (void)calls->cudnnDestroyFilterDescriptor(library->filter);
    }
    if (library->convolution != NULL) {
        (void)calls->cudnnDestroyConvolutionDescriptor(library->convolution);
    }
    if (library->pooling != NULL) {
        (void)calls->cudnnDestroyPoolingDescriptor(library->pooling);
    }
    if (library->cudnn != NULL) {
        (void)calls->cudnnDestroy(library->cudnn);
    }
    trn_cublas_close(backend);
    json_decref(library->recorded);
    trn_cuda_close(backend);
    trn_cudnn_unload(&library->calls);
    free(library);
}

/* The portable table with these in their places. */
static void make_table(struct trn_ops *ops)
{
    ops->name = "cudnn";
    ops->profile = TRN_CUDNN_PROFILE;
    ops->close = close_backend;
    ops->plan_conv = trn_cudnn_plan_conv;
    ops->binding = trn_cudnn_binding;
    ops->seed_dropout = trn_cudnn_seed_dropout;
    ops->dropout_stream = &trn_cudnn_dropout_stream;
    ops->matmul = trn_cublas_matmul;
    ops->conv_forward = trn_cudnn_conv_forward;
    ops->conv_data_gradient = trn_cudnn_conv_data_gradient;
    ops->conv_weight_gradient = trn_cudnn_conv_weight_gradient;
    ops->dropout_forward = trn_cudnn_dropout_forward;
    ops->dropout_backward = trn_cudnn_dropout_backward;
    ops->maxpool_forward = trn_cudnn_maxpool_forward;
    ops->maxpool_backward = trn_cudnn_maxpool_backward;
    ops->avgpool_forward = trn_cudnn_avgpool_forward;
    ops->avgpool_backward = trn_cudnn_avgpool_backward;
    ops->norm_forward = trn_cudnn_norm_forward;
    ops->batchnorm_forward = trn_cudnn_batchnorm_forward;
    ops->batchnorm_backward = trn_cudnn_batchnorm_backward;
    ops->cross_entropy = trn_cudnn_cross_entropy;
}

static enum snap_status make_descriptors(struct trn_backend *backend, struct snap_error *err)
{
    struct trn_cudnn *library = trn_cudnn_of(backend);
    const struct trn_cudnn_calls *calls = &library->calls;
    cudnnStatus_t result = calls->cudnnCreate(&library->cudnn);
    if (result == CUDNN_STATUS_SUCCESS) {
        result = calls->cudnnSetStream(library->cudnn, backend->stream);
    }
    if (result == CUDNN_STATUS_SUCCESS) {
        result = calls->cudnnCreateTensorDescriptor(&library->x);
    }
    if (result == CUDNN_STATUS_SUCCESS) {
        result = calls->cudnnCreateTensorDescriptor(&library->y);
    }
    if (result == CUDNN_STATUS_SUCCESS) {
        result = calls->cudnnCreateTensorDescriptor(&library->parameters);
    }
    if (result == CUDNN_STATUS_SUCCESS) {
        result = calls->cudnnCreateFilterDescriptor(&library->filter);
    }
    if (result == CUDNN_STATUS_SUCCESS) {
        result = calls->cudnnCreateConvolutionDescriptor(&library->convolution);
    }
    if (result == CUDNN_STATUS_SUCCESS) {
        result = calls->cudnnCreatePoolingDescriptor(&library->pooling);
    }
    return trn_cudnn_check(backend, result, "start", err);
}

static enum snap_status read_recorded(struct trn_cudnn *library, const char *recorded,
                                      struct snap_error *err)
{
    library->recorded = json_loads(recorded, 0, NULL);
    if (!json_is_object(json_object_get(library->recorded, "algorithms"))) {
        return snap_error_set(err, SNAP_INVALID,
                              "profile cudnn-1: the run's binding names no algorithms: it was not "
                              "made under this profile");
    }
    return SNAP_OK;
}

enum snap_status trn_cudnn_backend_open(int index, const struct trn_cudnn_options *options,
                                        struct snap_pool *pool, struct trn_backend **backend,
                                        struct snap_error *err)
{
    struct trn_backend *opened = NULL;
    struct trn_cudnn *library = NULL;
    enum snap_status status = trn_cuda_backend_open(index, pool, &opened, err);
    if (status != SNAP_OK) {
        return status;
    }
    library = calloc(1, sizeof(*library));
    if (library == NULL) {
        trn_backend_close(opened);
        return snap_error_set(err, SNAP_NO_MEMORY, "device cuda:%d: out of host memory", index);
    }
    library->last_plan = &library->plans;
    library->tf32 = options->tf32;
    library->ops = *opened->ops;
    make_table(&library->ops);
    opened->ops = &library->ops;
    opened->library = library;
    status = trn_cudnn_load(&library->calls, err);
    if (status == SNAP_OK && options->recorded != NULL) {
        status = read_recorded(library, options->recorded, err);
    }
    if (status == SNAP_OK) {
        status = make_descriptors(opened, err);
    }
    if (status == SNAP_OK) {
        status = trn_cublas_open(opened, err);
    }
    if (status != SNAP_OK) {
        trn_backend_close(opened);
        return status;
    }
    *backend = opened;
    return SNAP_OK;
}
