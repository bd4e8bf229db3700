/* SPDX-License-Identifier: Apache-2.0 */
/* What the cpu_*.c files share. Each of them is compiled once for every instruction set, with
 * TRN_ISA naming it; all names that leave a file go through TRN_NAME. Only ops_registry.c and
 * cpu_memory.c are compiled once. */
#ifndef TRN_CPU_KERNELS_H
#define TRN_CPU_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "ops/ops.h"

/* ---- The same for all instruction sets: cpu_memory.c ---- */

/* Do elements begin <= i < end of something that is split over its outputs. */
typedef void trn_range_task(const void *arg, size_t begin, size_t end, unsigned worker);

/* Call `task` for pieces of 0..n-1 of `grain` elements (the last may be shorter) on the pool. */
void trn_cpu_split(struct trn_backend *backend, size_t n, size_t grain, trn_range_task *task,
                   const void *arg);

/* Memory for the operator that runs, valid until the next call; contents undefined. */
enum snap_status trn_cpu_scratch(struct trn_backend *backend, size_t size_bytes, void **memory,
                                 struct snap_error *err);

enum snap_status trn_cpu_alloc(struct trn_backend *backend, size_t size_bytes, void **memory,
                               struct snap_error *err);
void trn_cpu_release(struct trn_backend *backend, void *memory);
enum snap_status trn_cpu_copy(struct trn_backend *backend, void *to, const void *from,
                              size_t size_bytes, struct snap_error *err);

/* Run operators, of any backend, whose results show contraction, flushed subnormals, another
 * rounding mode or a wrong fused multiply-add, and compare with kept bits. SNAP_UNSUPPORTED when
 * they differ. */
enum snap_status trn_backend_canary(struct trn_backend *backend, struct snap_error *err);

/* Elements of one piece of an elementwise operator: enough to pay for waking a thread. */
#define TRN_GRAIN ((size_t)16384)

#ifdef TRN_ISA

#define TRN_PASTE_(a, b, c) a##_##b##_##c
#define TRN_PASTE(a, b, c) TRN_PASTE_(a, b, c)
#define TRN_NAME(name) TRN_PASTE(trn, TRN_ISA, name)

/* ---- cpu_gemm.c ---- */

/* Fill out[k * width + i] with element (first + i, k0 + k) of an operand, for i < count <= width
 * and k < depth; elements with i >= count become +0. */
typedef void trn_pack(const void *operand, size_t first, size_t count, size_t k0, size_t depth,
                      size_t width, float *out);

/* out(i, j) = DOT over k of A(i, k) * B(k, j), then bias, for operands that are read through
 * functions: of A by rows, of B by columns. */
struct trn_gemm {
    size_t m, n, k;
    trn_pack *pack_a, *pack_b;
    const void *a, *b; /* passed to them */
    const float *bias; /* (n) or NULL */
    float *out;        /* (m, n) */
};

#define TRN_KC ((size_t)512)       /* k's of one partial sum: part of the definition of DOT */
#define TRN_GEMM_WIDTH ((size_t)(2 * TRN_VEC_WIDTH)) /* columns of a micro-tile */

/* Floats of scratch that TRN_NAME(gemm) wants, and the product with that scratch, which is aligned
 * to 64 bytes. */
size_t TRN_NAME(gemm_scratch)(const struct trn_backend *backend, const struct trn_gemm *gemm);
void TRN_NAME(gemm)(struct trn_backend *backend, const struct trn_gemm *gemm, float *scratch);
enum snap_status TRN_NAME(matmul)(struct trn_backend *backend, const struct trn_matmul *args,
                                  struct snap_error *err);

/* ---- cpu_conv.c ---- */

enum snap_status TRN_NAME(conv_forward)(struct trn_backend *, const struct trn_conv *,
                                        const float *x, const float *w, const float *bias,
                                        float *y, struct snap_error *);
enum snap_status TRN_NAME(conv_data_gradient)(struct trn_backend *, const struct trn_conv *,
                                              const float *dy, const float *w, float *dx,
                                              struct snap_error *);
enum snap_status TRN_NAME(conv_weight_gradient)(struct trn_backend *, const struct trn_conv *,
                                                const float *dy, const float *x, float *dw,
                                                struct snap_error *);

/* ---- cpu_reduce.c ---- */

/* RED and REDF (y not NULL) on one thread. */
float TRN_NAME(reduce_serial)(const float *x, const float *y, size_t n);
enum snap_status TRN_NAME(reduce)(struct trn_backend *, const float *x, size_t n, float *out,
                                  struct snap_error *);
enum snap_status TRN_NAME(reduce_product)(struct trn_backend *, const float *x, const float *y,
                                          size_t n, float *out, struct snap_error *);

/* What COL adds up: x, or (x - mean)^2, or dy * ((x - mean) * rs). */
struct trn_columns {
    enum { TRN_COL_PLAIN, TRN_COL_SQUARE, TRN_COL_NORMALISED } term;
    size_t rows, columns;
    const float *x, *dy;    /* (rows, columns) */
    const float *mean, *rs; /* (columns) */
    float *out;             /* (columns) */
};

/* Bytes of scratch that TRN_NAME(columns) wants, and the sum itself with that scratch. */
size_t TRN_NAME(columns_scratch)(size_t rows, size_t columns);
void TRN_NAME(columns)(struct trn_backend *, const struct trn_columns *, void *scratch);
enum snap_status TRN_NAME(column_sum)(struct trn_backend *, const float *x, size_t rows,
                                      size_t columns, float *out, struct snap_error *);

/* ---- cpu_elementwise.c ---- */

enum snap_status TRN_NAME(relu_forward)(struct trn_backend *, size_t n, const float *x, float *y,
                                        struct snap_error *);
enum snap_status TRN_NAME(relu_backward)(struct trn_backend *, size_t n, const float *x,
                                         const float *dy, float *dx, struct snap_error *);
enum snap_status TRN_NAME(gelu_forward)(struct trn_backend *, size_t n, const float *x, float *y,
                                        struct snap_error *);
enum snap_status TRN_NAME(gelu_backward)(struct trn_backend *, size_t n, const float *x,
                                         const float *dy, float *dx, struct snap_error *);
enum snap_status TRN_NAME(dropout_forward)(struct trn_backend *, const struct trn_dropout *,
                                           size_t n, const float *x, float *y, uint8_t *mask,
                                           struct snap_error *);
enum snap_status TRN_NAME(dropout_backward)(struct trn_backend *, const struct trn_dropout *,
                                            size_t n, const uint8_t *mask, const float *dy,
                                            float *dx, struct snap_error *);
enum snap_status TRN_NAME(add)(struct trn_backend *, size_t n, const float *x, float *sum,
                               struct snap_error *);
enum snap_status TRN_NAME(scale)(struct trn_backend *, size_t n, float factor, float *x,
                                 struct snap_error *);
enum snap_status TRN_NAME(first_nonfinite)(struct trn_backend *, size_t n, const float *x,
                                           size_t *index, struct snap_error *);

/* ---- cpu_pooling.c ---- */

enum snap_status TRN_NAME(maxpool_forward)(struct trn_backend *, const struct trn_conv *,
                                           const float *x, float *y, int32_t *chosen,
                                           struct snap_error *);
enum snap_status TRN_NAME(maxpool_backward)(struct trn_backend *, const struct trn_conv *,
                                            const float *x, const float *y, const int32_t *chosen,
                                            const float *dy, float *dx, struct snap_error *);
enum snap_status TRN_NAME(avgpool_forward)(struct trn_backend *, const struct trn_conv *,
                                           const float *x, float *y, struct snap_error *);
enum snap_status TRN_NAME(avgpool_backward)(struct trn_backend *, const struct trn_conv *,
                                            const float *x, const float *y, const float *dy,
                                            float *dx, struct snap_error *);

/* ---- cpu_norm.c ---- */

enum snap_status TRN_NAME(norm_statistics)(struct trn_backend *, const struct trn_norm *,
                                           const float *x, float *mean, float *var,
                                           float *unbiased, struct snap_error *);
enum snap_status TRN_NAME(norm_forward)(struct trn_backend *, const struct trn_norm *,
                                        const float *x, const float *mean, const float *var,
                                        const float *gamma, const float *beta, float *y,
                                        struct snap_error *);
enum snap_status TRN_NAME(norm_backward)(struct trn_backend *, const struct trn_norm *,
                                         const float *x, const float *mean, const float *var,
                                         const float *gamma, const float *dy, float *dgamma,
                                         float *dbeta, float *dx, struct snap_error *);
enum snap_status TRN_NAME(norm_running)(struct trn_backend *, size_t columns, float momentum,
                                        const float *value, float *running, struct snap_error *);

/* ---- cpu_layernorm.c, cpu_embedding.c, cpu_attention.c ---- */

enum snap_status TRN_NAME(layernorm_forward)(struct trn_backend *, const struct trn_norm *,
                                             const float *x, const float *gamma,
                                             const float *beta, float *mean, float *rs, float *y,
                                             struct snap_error *);
enum snap_status TRN_NAME(layernorm_backward)(struct trn_backend *, const struct trn_norm *,
                                              const float *x, const float *mean, const float *rs,
                                              const float *gamma, const float *dy, float *dgamma,
                                              float *dbeta, float *dx, struct snap_error *);
enum snap_status TRN_NAME(embedding_forward)(struct trn_backend *, const struct trn_embedding *,
                                             const float *w, const float *x, float *y,
                                             struct snap_error *);
enum snap_status TRN_NAME(embedding_backward)(struct trn_backend *, const struct trn_embedding *,
                                              const float *dy, float *dw, struct snap_error *);
enum snap_status TRN_NAME(attention_forward)(struct trn_backend *, const struct trn_attention *,
                                             const float *qkv, float *weights, float *y,
                                             struct snap_error *);
enum snap_status TRN_NAME(attention_backward)(struct trn_backend *, const struct trn_attention *,
                                              const float *qkv, const float *weights,
                                              const float *dy, float *dqkv, struct snap_error *);

/* ---- cpu_loss.c and cpu_update.c ---- */

enum snap_status TRN_NAME(cross_entropy)(struct trn_backend *, const struct trn_cross_entropy *,
                                         struct snap_error *);
enum snap_status TRN_NAME(sgd)(struct trn_backend *, const struct trn_sgd *, struct snap_error *);
enum snap_status TRN_NAME(adam)(struct trn_backend *, const struct trn_adam *,
                                struct snap_error *);

/* ---- cpu_table.c ---- */

extern const struct trn_ops TRN_NAME(ops);

#endif

#endif
