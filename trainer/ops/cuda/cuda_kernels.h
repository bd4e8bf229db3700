/* SPDX-License-Identifier: Apache-2.0 */
/* The operators of portable-1 on a CUDA device, as the table in cuda_table.c names them; ops.h says
 * what each does. All work of a backend is on one stream, in order: an operator returns when its
 * kernels are queued, and an error of the device may be told by a later call. */
#ifndef TRN_CUDA_KERNELS_H
#define TRN_CUDA_KERNELS_H

#ifdef __cplusplus
extern "C" {
#endif

#include "ops/ops.h"

/* ---- cuda_table.c: the backend, with its table, after the small hash ---- */

enum snap_status trn_cuda_backend_open(int index, struct snap_pool *pool,
                                       struct trn_backend **backend, struct snap_error *err);

/* ---- cuda_backend.cu ---- */

/* Open device `index` for the operators of `ops`. SNAP_UNSUPPORTED: no such device,
 * no driver, or a device that these kernels were not built for. */
enum snap_status trn_cuda_open(int index, const struct trn_ops *ops, struct snap_pool *pool,
                               struct trn_backend **backend, struct snap_error *err);
void trn_cuda_close(struct trn_backend *backend);

/* Make its device current for this thread. `what` names the operator in an error. */
enum snap_status trn_cuda_enter(struct trn_backend *backend, const char *what,
                                struct snap_error *err);

/* Device memory for the operator that runs, valid until the next call; contents undefined. */
enum snap_status trn_cuda_scratch(struct trn_backend *backend, size_t size_bytes, void **memory,
                                  struct snap_error *err);

/* Which of the equal ways something is computed in; for tests, which go through all. */
struct trn_cuda_ways {
    unsigned tile; /* 0: chosen by size; 32, 64 or 128 rows and columns of a thread block */
    int split;     /* chunks of k; 0: chosen by size; 1: beside each other, -1: in turn */
    bool wide;     /* pooling counts in size_t, whatever the size */
};
void trn_cuda_choose(struct trn_backend *backend, const struct trn_cuda_ways *ways);

/* ---- cuda_memory.cu ---- */

enum snap_status trn_cuda_alloc(struct trn_backend *, size_t size_bytes, void **memory,
                                struct snap_error *);
void trn_cuda_release(struct trn_backend *, void *memory);
enum snap_status trn_cuda_upload(struct trn_backend *, void *to, const void *host,
                                 size_t size_bytes, struct snap_error *);
enum snap_status trn_cuda_download(struct trn_backend *, void *host, const void *from,
                                   size_t size_bytes, struct snap_error *);

enum snap_status trn_cuda_copy(struct trn_backend *, void *to, const void *from, size_t size_bytes,
                               struct snap_error *);

/* ---- cuda_matmul.cu and cuda_conv.cu ---- */

enum snap_status trn_cuda_matmul(struct trn_backend *, const struct trn_matmul *,
                                 struct snap_error *);
enum snap_status trn_cuda_conv_forward(struct trn_backend *, const struct trn_conv *,
                                       const float *x, const float *w, const float *bias, float *y,
                                       struct snap_error *);
enum snap_status trn_cuda_conv_data_gradient(struct trn_backend *, const struct trn_conv *,
                                             const float *dy, const float *w, float *dx,
                                             struct snap_error *);
enum snap_status trn_cuda_conv_weight_gradient(struct trn_backend *, const struct trn_conv *,
                                               const float *dy, const float *x, float *dw,
                                               struct snap_error *);

/* ---- cuda_reduce.cu and cuda_columns.cu ---- */

enum snap_status trn_cuda_reduce(struct trn_backend *, const float *x, size_t n, float *out,
                                 struct snap_error *);
enum snap_status trn_cuda_reduce_product(struct trn_backend *, const float *x, const float *y,
                                         size_t n, float *out, struct snap_error *);
enum snap_status trn_cuda_column_sum(struct trn_backend *, const float *x, size_t rows,
                                     size_t columns, float *out, struct snap_error *);

/* ---- cuda_elementwise.cu and cuda_dropout.cu ---- */

enum snap_status trn_cuda_relu_forward(struct trn_backend *, size_t n, const float *x, float *y,
                                       struct snap_error *);
enum snap_status trn_cuda_relu_backward(struct trn_backend *, size_t n, const float *x,
                                        const float *dy, float *dx, struct snap_error *);
enum snap_status trn_cuda_gelu_forward(struct trn_backend *, size_t n, const float *x, float *y,
                                       struct snap_error *);
enum snap_status trn_cuda_gelu_backward(struct trn_backend *, size_t n, const float *x,
                                        const float *dy, float *dx, struct snap_error *);
enum snap_status trn_cuda_add(struct trn_backend *, size_t n, const float *x, float *sum,
                              struct snap_error *);
enum snap_status trn_cuda_scale(struct trn_backend *, size_t n, float factor, float *x,
                                struct snap_error *);
enum snap_status trn_cuda_first_nonfinite(struct trn_backend *, size_t n, const float *x,
                                          size_t *index, struct snap_error *);
enum snap_status trn_cuda_dropout_forward(struct trn_backend *, const struct trn_dropout *,
                                          size_t n, const float *x, float *y, uint8_t *mask,
                                          struct snap_error *);
enum snap_status trn_cuda_dropout_backward(struct trn_backend *, const struct trn_dropout *,
                                           size_t n, const uint8_t *mask, const float *dy,
                                           float *dx, struct snap_error *);

/* ---- cuda_pooling.cu ---- */

enum snap_status trn_cuda_maxpool_forward(struct trn_backend *, const struct trn_conv *,
                                          const float *x, float *y, int32_t *chosen,
                                          struct snap_error *);
enum snap_status trn_cuda_maxpool_backward(struct trn_backend *, const struct trn_conv *,
                                           const float *x, const float *y, const int32_t *chosen,
                                           const float *dy, float *dx, struct snap_error *);
enum snap_status trn_cuda_avgpool_forward(struct trn_backend *, const struct trn_conv *,
                                          const float *x, float *y, struct snap_error *);
enum snap_status trn_cuda_avgpool_backward(struct trn_backend *, const struct trn_conv *,
                                           const float *x, const float *y, const float *dy,
                                           float *dx, struct snap_error *);

/* ---- cuda_norm.cu ---- */

enum snap_status trn_cuda_norm_statistics(struct trn_backend *, const struct trn_norm *,
                                          const float *x, float *mean, float *var,
                                          float *unbiased, struct snap_error *);
enum snap_status trn_cuda_norm_forward(struct trn_backend *, const struct trn_norm *,
                                       const float *x, const float *mean, const float *var,
                                       const float *gamma, const float *beta, float *y,
                                       struct snap_error *);
enum snap_status trn_cuda_norm_backward(struct trn_backend *, const struct trn_norm *,
                                        const float *x, const float *mean, const float *var,
                                        const float *gamma, const float *dy, float *dgamma,
                                        float *dbeta, float *dx, struct snap_error *);
enum snap_status trn_cuda_norm_running(struct trn_backend *, size_t columns, float momentum,
                                       const float *value, float *running, struct snap_error *);

/* ---- cuda_layernorm.cu, cuda_embedding.cu and cuda_attention.cu ---- */

enum snap_status trn_cuda_layernorm_forward(struct trn_backend *, const struct trn_norm *,
                                            const float *x, const float *gamma, const float *beta,
                                            float *mean, float *rs, float *y, struct snap_error *);
enum snap_status trn_cuda_layernorm_backward(struct trn_backend *, const struct trn_norm *,
                                             const float *x, const float *mean, const float *rs,
                                             const float *gamma, const float *dy, float *dgamma,
                                             float *dbeta, float *dx, struct snap_error *);
enum snap_status trn_cuda_embedding_forward(struct trn_backend *, const struct trn_embedding *,
                                            const float *w, const float *x, float *y,
                                            struct snap_error *);
enum snap_status trn_cuda_embedding_backward(struct trn_backend *, const struct trn_embedding *,
                                             const float *dy, float *dw, struct snap_error *);
enum snap_status trn_cuda_attention_forward(struct trn_backend *, const struct trn_attention *,
                                            const float *qkv, float *weights, float *y,
                                            struct snap_error *);
enum snap_status trn_cuda_attention_backward(struct trn_backend *, const struct trn_attention *,
                                             const float *qkv, const float *weights,
                                             const float *dy, float *dqkv, struct snap_error *);

/* ---- cuda_loss.cu and cuda_update.cu ---- */

enum snap_status trn_cuda_cross_entropy(struct trn_backend *, const struct trn_cross_entropy *,
                                        struct snap_error *);
enum snap_status trn_cuda_sgd(struct trn_backend *, const struct trn_sgd *, struct snap_error *);
enum snap_status trn_cuda_adam(struct trn_backend *, const struct trn_adam *, struct snap_error *);

/* ---- cuda_rows.cu: for the profile cudnn-1 ---- */

/* y (rows, columns) = y + bias (columns). */
enum snap_status trn_cuda_add_to_rows(struct trn_backend *, size_t rows, size_t columns,
                                      const float *bias, float *y, struct snap_error *);
/* The cross-entropy, where `logs` (rows, classes) are the logarithms of the softmax. */
enum snap_status trn_cuda_loss_of_logs(struct trn_backend *, const struct trn_cross_entropy *,
                                       const float *logs, struct snap_error *);

#ifdef __cplusplus
}
#endif

#endif
