/* SPDX-License-Identifier: Apache-2.0 */
/* The profile cudnn-1: what the files of this folder share. A backend of it is a backend of
 * trainer/ops/cuda with another table, whose `library` is a struct trn_cudnn. */
#ifndef TRN_CUDNN_LIBRARY_H
#define TRN_CUDNN_LIBRARY_H

#include <cublas_v2.h>
#include <cudnn.h>
#include <jansson.h>

#include "ops/cuda/cuda_kernels.h"

#define TRN_CUDNN_PROFILE "cudnn-1"

/* The functions that are called, and no others: none that tries algorithms out. */
#define TRN_CUDNN_FUNCTIONS(X)                                                                     \
    X(cudnnGetVersion) X(cudnnGetCudartVersion) X(cudnnGetErrorString)                             \
    X(cudnnCreate) X(cudnnDestroy) X(cudnnSetStream)                                               \
    X(cudnnCreateTensorDescriptor) X(cudnnDestroyTensorDescriptor) X(cudnnSetTensor4dDescriptor)   \
    X(cudnnCreateFilterDescriptor) X(cudnnDestroyFilterDescriptor) X(cudnnSetFilter4dDescriptor)   \
    X(cudnnCreateConvolutionDescriptor) X(cudnnDestroyConvolutionDescriptor)                       \
    X(cudnnSetConvolution2dDescriptor) X(cudnnSetConvolutionMathType)                              \
    X(cudnnGetConvolutionForwardWorkspaceSize) X(cudnnGetConvolutionBackwardDataWorkspaceSize)     \
    X(cudnnGetConvolutionBackwardFilterWorkspaceSize)                                              \
    X(cudnnConvolutionForward) X(cudnnConvolutionBackwardData) X(cudnnConvolutionBackwardFilter)   \
    X(cudnnCreatePoolingDescriptor) X(cudnnDestroyPoolingDescriptor)                               \
    X(cudnnSetPooling2dDescriptor) X(cudnnPoolingForward) X(cudnnPoolingBackward)                  \
    X(cudnnSoftmaxForward)                                                                         \
    X(cudnnBatchNormalizationForwardTraining) X(cudnnBatchNormalizationForwardInference)           \
    X(cudnnBatchNormalizationBackward)                                                             \
    X(cudnnCreateDropoutDescriptor) X(cudnnDestroyDropoutDescriptor)                               \
    X(cudnnDropoutGetStatesSize) X(cudnnDropoutGetReserveSpaceSize) X(cudnnSetDropoutDescriptor)   \
    X(cudnnGetDropoutDescriptor) X(cudnnRestoreDropoutDescriptor)                                  \
    X(cudnnDropoutForward) X(cudnnDropoutBackward)
#define TRN_CUBLAS_FUNCTIONS(X)                                                                    \
    X(cublasCreate_v2) X(cublasDestroy_v2) X(cublasSetStream_v2) X(cublasSetWorkspace_v2)          \
    X(cublasSetMathMode) X(cublasSetAtomicsMode) X(cublasGetVersion_v2) X(cublasSgemm_v2)          \
    X(cublasGetStatusString)

/* Each function as its header declares it. */
struct trn_cudnn_calls {
#define TRN_CUDNN_MEMBER(name) __typeof__(&name) name;
    TRN_CUDNN_FUNCTIONS(TRN_CUDNN_MEMBER)
    TRN_CUBLAS_FUNCTIONS(TRN_CUDNN_MEMBER)
#undef TRN_CUDNN_MEMBER
    void *cudnn, *cublas; /* of dlopen */
};

enum trn_cudnn_pass { TRN_FORWARD, TRN_DATA_GRADIENT, TRN_WEIGHT_GRADIENT, TRN_CONV_PASSES };

/* How the convolution of one layer is done; made by plan_conv. */
struct trn_cudnn_plan {
    char *layer;
    struct trn_conv conv;                  /* with the most samples */
    int algorithm[TRN_CONV_PASSES];        /* of cuDNN's enumeration for that pass; -1: not done */
    size_t workspace_bytes[TRN_CONV_PASSES]; /* for the most samples */
    struct trn_cudnn_use *uses;            /* what other numbers of samples need */
    struct trn_cudnn_plan *next;
};

/* Memory that a dropout keeps from its forward to its backward pass, by the layer's number. */
struct trn_cudnn_reserve {
    void *memory;
    size_t size_bytes;
};

/* Owned by the backend. All calls are on its stream. */
struct trn_cudnn {
    struct trn_ops ops; /* those of portable-1 where there is no other */
    struct trn_cudnn_calls calls;
    bool tf32;
    cudnnHandle_t cudnn;
    cudnnTensorDescriptor_t x, y, parameters; /* set anew by each operator */
    cudnnFilterDescriptor_t filter;
    cudnnConvolutionDescriptor_t convolution;
    cudnnPoolingDescriptor_t pooling;
    cudnnDropoutDescriptor_t dropout;
    cublasHandle_t cublas;
    void *cublas_workspace; /* TRN_CUBLAS_WORKSPACE_BYTES */
    struct trn_cudnn_plan *plans, **last_plan;
    struct trn_cudnn_reserve *reserves;
    size_t reserve_count;
    void *states;        /* of the dropout's generator; NULL: there is none */
    size_t states_bytes; /* 0 likewise */
    unsigned long long seed;
    json_t *recorded; /* binding of the run that goes on; NULL: a new run */
};

/* What NVIDIA recommends for compute capability 9.0, and more than it does for others. */
#define TRN_CUBLAS_WORKSPACE_BYTES ((size_t)32 << 20)

static inline struct trn_cudnn *trn_cudnn_of(const struct trn_backend *backend)
{
    return backend->library;
}

/* SNAP_OK, or the error of a call that did not succeed. SNAP_UNSUPPORTED: the library has no such
 * operation; SNAP_NO_MEMORY; else SNAP_IO. */
enum snap_status trn_cudnn_check(const struct trn_backend *backend, cudnnStatus_t result,
                                 const char *what, struct snap_error *err);
enum snap_status trn_cublas_check(const struct trn_backend *backend, cublasStatus_t result,
                                  const char *what, struct snap_error *err);
/* Is that answer "there is no such operation", and not a failure? */
bool trn_cudnn_refuses(cudnnStatus_t result);

/* Make the device current and see that each size, `count` of them, is one that the libraries take:
 * below 2^31 (SNAP_UNSUPPORTED). */
enum snap_status trn_cudnn_enter(struct trn_backend *backend, const char *what,
                                 const size_t *sizes, size_t count, struct snap_error *err);

/* ---- cudnn_load.c ---- */

/* Load both libraries: in the folders of SNAP_CUDA_LIBRARY_PATH, joined with ':', then where the
 * system looks. SNAP_UNSUPPORTED names the one that is missing, and why. */
enum snap_status trn_cudnn_load(struct trn_cudnn_calls *calls, struct snap_error *err);
void trn_cudnn_unload(struct trn_cudnn_calls *calls); /* a zeroed struct is fine */

/* ---- cudnn_binding.c ---- */

enum snap_status trn_cudnn_binding(struct trn_backend *, char **json, struct snap_error *);

/* ---- cudnn_conv.c ---- */

enum snap_status trn_cudnn_plan_conv(struct trn_backend *, const char *layer,
                                     const struct trn_conv *, bool wants_dx, struct snap_error *);
/* {"conv1": {"forward": {"algorithm": ..., "workspace_bytes": ...}, ...}, ...}; NULL: no memory. */
json_t *trn_cudnn_plans_json(const struct trn_cudnn *library);
void trn_cudnn_plans_free(struct trn_cudnn *library);
enum snap_status trn_cudnn_conv_forward(struct trn_backend *, const struct trn_conv *,
                                        const float *x, const float *w, const float *bias,
                                        float *y, struct snap_error *);
enum snap_status trn_cudnn_conv_data_gradient(struct trn_backend *, const struct trn_conv *,
                                              const float *dy, const float *w, float *dx,
                                              struct snap_error *);
enum snap_status trn_cudnn_conv_weight_gradient(struct trn_backend *, const struct trn_conv *,
                                                const float *dy, const float *x, float *dw,
                                                struct snap_error *);

/* ---- cudnn_layers.c ---- */

enum snap_status trn_cudnn_maxpool_forward(struct trn_backend *, const struct trn_conv *,
                                           const float *x, float *y, int32_t *chosen,
                                           struct snap_error *);
enum snap_status trn_cudnn_maxpool_backward(struct trn_backend *, const struct trn_conv *,
                                            const float *x, const float *y, const int32_t *chosen,
                                            const float *dy, float *dx, struct snap_error *);
enum snap_status trn_cudnn_avgpool_forward(struct trn_backend *, const struct trn_conv *,
                                           const float *x, float *y, struct snap_error *);
enum snap_status trn_cudnn_avgpool_backward(struct trn_backend *, const struct trn_conv *,
                                            const float *x, const float *y, const float *dy,
                                            float *dx, struct snap_error *);
enum snap_status trn_cudnn_norm_forward(struct trn_backend *, const struct trn_norm *,
                                        const float *x, const float *mean, const float *var,
                                        const float *gamma, const float *beta, float *y,
                                        struct snap_error *);
enum snap_status trn_cudnn_batchnorm_forward(struct trn_backend *, const struct trn_batchnorm *,
                                             struct snap_error *);
enum snap_status trn_cudnn_batchnorm_backward(struct trn_backend *, const struct trn_batchnorm *,
                                              const float *dy, float *dgamma, float *dbeta,
                                              float *dx, struct snap_error *);
enum snap_status trn_cudnn_cross_entropy(struct trn_backend *, const struct trn_cross_entropy *,
                                         struct snap_error *);

/* ---- cudnn_dropout.c ---- */

extern const struct snap_stream_ops trn_cudnn_dropout_stream;
enum snap_status trn_cudnn_seed_dropout(struct trn_backend *, uint64_t seed, struct snap_error *);
void trn_cudnn_dropout_free(struct trn_backend *);
enum snap_status trn_cudnn_dropout_forward(struct trn_backend *, const struct trn_dropout *,
                                           size_t n, const float *x, float *y, uint8_t *mask,
                                           struct snap_error *);
enum snap_status trn_cudnn_dropout_backward(struct trn_backend *, const struct trn_dropout *,
                                            size_t n, const uint8_t *mask, const float *dy,
                                            float *dx, struct snap_error *);

/* ---- cublas_matmul.c ---- */

/* A handle on the backend's stream, with its own workspace, pedantic, without atomics. */
enum snap_status trn_cublas_open(struct trn_backend *, struct snap_error *);
void trn_cublas_close(struct trn_backend *);
enum snap_status trn_cublas_matmul(struct trn_backend *, const struct trn_matmul *,
                                   struct snap_error *);

#endif
