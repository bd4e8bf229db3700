/* SPDX-License-Identifier: Apache-2.0 */
/* The operators of portable-1 written from docs/determinism.md alone, as straight loops with
 * libm's fmaf and sqrtf, one output at a time. Slow, and the judge of the kernels. */
#ifndef OP_ORACLE_H
#define OP_ORACLE_H

#include "ops/ops.h"

float oracle_dot(const float *a, const float *b, size_t k);
float oracle_red(const float *x, const float *y, size_t n); /* y NULL: RED, else REDF */
float oracle_col(const float *x, size_t rows);              /* one column, packed */

void oracle_matmul(const struct trn_matmul *args);
void oracle_conv_forward(const struct trn_conv *c, const float *x, const float *w,
                         const float *bias, float *y);
void oracle_conv_data_gradient(const struct trn_conv *c, const float *dy, const float *w,
                               float *dx);
void oracle_conv_weight_gradient(const struct trn_conv *c, const float *dy, const float *x,
                                 float *dw);
void oracle_column_sum(const float *x, size_t rows, size_t columns, float *out);
void oracle_relu(size_t n, const float *x, float *y);
void oracle_relu_backward(size_t n, const float *x, const float *dy, float *dx);
void oracle_gelu(size_t n, const float *x, float *y);
void oracle_gelu_backward(size_t n, const float *x, const float *dy, float *dx);
void oracle_dropout(const struct trn_dropout *d, size_t n, const float *x, float *y);
void oracle_maxpool(const struct trn_conv *c, const float *x, float *y, int32_t *chosen);
void oracle_maxpool_backward(const struct trn_conv *c, const int32_t *chosen, const float *dy,
                             float *dx);
void oracle_avgpool(const struct trn_conv *c, const float *x, float *y);
void oracle_avgpool_backward(const struct trn_conv *c, const float *dy, float *dx);
void oracle_norm_statistics(const struct trn_norm *n, const float *x, float *mean, float *var,
                            float *unbiased);
void oracle_norm(const struct trn_norm *n, const float *x, const float *mean, const float *var,
                 const float *gamma, const float *beta, float *y);
void oracle_norm_backward(const struct trn_norm *n, const float *x, const float *mean,
                          const float *var, const float *gamma, const float *dy, float *dgamma,
                          float *dbeta, float *dx);
void oracle_layernorm(const struct trn_norm *n, const float *x, const float *gamma,
                      const float *beta, float *mean, float *rs, float *y);
void oracle_layernorm_backward(const struct trn_norm *n, const float *x, const float *gamma,
                               const float *dy, float *dgamma, float *dbeta, float *dx);
void oracle_embedding(const struct trn_embedding *e, const float *w, const float *x, float *y);
void oracle_embedding_backward(const struct trn_embedding *e, const float *dy, float *dw);
void oracle_attention(const struct trn_attention *a, const float *qkv, float *weights, float *y);
void oracle_attention_backward(const struct trn_attention *a, const float *qkv, const float *dy,
                               float *dqkv);
void oracle_cross_entropy(const struct trn_cross_entropy *args);
void oracle_sgd(const struct trn_sgd *args);
void oracle_adam(const struct trn_adam *args);

#endif
