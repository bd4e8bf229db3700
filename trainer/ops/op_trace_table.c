/* SPDX-License-Identifier: Apache-2.0 */
/* Every operator of ops.h as one that calls the true one and shows what it wrote. */
#include "config.h"

#include "ops/op_trace.h"

#define SHAPE(...)                                                  \
    sizeof((size_t[]){ __VA_ARGS__ }) / sizeof(size_t), { __VA_ARGS__ }
/* The first output of the operator `op`, and a later one of it. */
#define FIRST(op, name, data, ...) \
    (&(struct trn_op_output){ op, name, data, TRN_OP_F32, SHAPE(__VA_ARGS__), true, false })
#define LATER(op, name, data, ...) \
    (&(struct trn_op_output){ op, name, data, TRN_OP_F32, SHAPE(__VA_ARGS__), false, false })

#define OPS(backend) trn_op_trace_true_ops(backend)
#define SEE trn_op_trace_see

/* Floats only are copied within the backend's memory. */
static enum snap_status copy(struct trn_backend *b, void *to, const void *from, size_t size_bytes,
                             struct snap_error *err)
{
    const enum snap_status status = OPS(b)->copy(b, to, from, size_bytes, err);
    return SEE(b, status, FIRST("copy", "to", to, size_bytes / sizeof(float)), err);
}

static enum snap_status matmul(struct trn_backend *b, const struct trn_matmul *a,
                               struct snap_error *err)
{
    const enum snap_status status = OPS(b)->matmul(b, a, err);
    return SEE(b, status, FIRST("matmul", "out", a->out, a->m, a->n), err);
}

static enum snap_status conv_forward(struct trn_backend *b, const struct trn_conv *c,
                                     const float *x, const float *w, const float *bias, float *y,
                                     struct snap_error *err)
{
    const enum snap_status status = OPS(b)->conv_forward(b, c, x, w, bias, y, err);
    return SEE(b, status, FIRST("conv_forward", "y", y, c->n, c->oh, c->ow, c->oc), err);
}

static enum snap_status conv_data_gradient(struct trn_backend *b, const struct trn_conv *c,
                                           const float *dy, const float *w, float *dx,
                                           struct snap_error *err)
{
    const enum snap_status status = OPS(b)->conv_data_gradient(b, c, dy, w, dx, err);
    return SEE(b, status, FIRST("conv_data_gradient", "dx", dx, c->n, c->h, c->w, c->c), err);
}

static enum snap_status conv_weight_gradient(struct trn_backend *b, const struct trn_conv *c,
                                             const float *dy, const float *x, float *dw,
                                             struct snap_error *err)
{
    const enum snap_status status = OPS(b)->conv_weight_gradient(b, c, dy, x, dw, err);
    return SEE(b, status,
               FIRST("conv_weight_gradient", "dw", dw, c->oc, c->window.kernel_h,
                     c->window.kernel_w, c->c),
               err);
}

static enum snap_status reduce(struct trn_backend *b, const float *x, size_t n, float *out,
                               struct snap_error *err)
{
    const enum snap_status status = OPS(b)->reduce(b, x, n, out, err);
    return SEE(b, status, FIRST("reduce", "out", out, 1), err);
}

static enum snap_status reduce_product(struct trn_backend *b, const float *x, const float *y,
                                       size_t n, float *out, struct snap_error *err)
{
    const enum snap_status status = OPS(b)->reduce_product(b, x, y, n, out, err);
    return SEE(b, status, FIRST("reduce_product", "out", out, 1), err);
}

static enum snap_status column_sum(struct trn_backend *b, const float *x, size_t rows,
                                   size_t columns, float *out, struct snap_error *err)
{
    const enum snap_status status = OPS(b)->column_sum(b, x, rows, columns, out, err);
    return SEE(b, status, FIRST("column_sum", "out", out, columns), err);
}

static enum snap_status relu_forward(struct trn_backend *b, size_t n, const float *x, float *y,
                                     struct snap_error *err)
{
    const enum snap_status status = OPS(b)->relu_forward(b, n, x, y, err);
    return SEE(b, status, FIRST("relu_forward", "y", y, n), err);
}

static enum snap_status relu_backward(struct trn_backend *b, size_t n, const float *x,
                                      const float *dy, float *dx, struct snap_error *err)
{
    const enum snap_status status = OPS(b)->relu_backward(b, n, x, dy, dx, err);
    return SEE(b, status, FIRST("relu_backward", "dx", dx, n), err);
}

static enum snap_status gelu_forward(struct trn_backend *b, size_t n, const float *x, float *y,
                                     struct snap_error *err)
{
    const enum snap_status status = OPS(b)->gelu_forward(b, n, x, y, err);
    return SEE(b, status, FIRST("gelu_forward", "y", y, n), err);
}

static enum snap_status gelu_backward(struct trn_backend *b, size_t n, const float *x,
                                      const float *dy, float *dx, struct snap_error *err)
{
    const enum snap_status status = OPS(b)->gelu_backward(b, n, x, dy, dx, err);
    return SEE(b, status, FIRST("gelu_backward", "dx", dx, n), err);
}

static enum snap_status dropout_forward(struct trn_backend *b, const struct trn_dropout *d,
                                        size_t n, const float *x, float *y, uint8_t *mask,
                                        struct snap_error *err)
{
    const enum snap_status status = OPS(b)->dropout_forward(b, d, n, x, y, mask, err);
    return SEE(b, status, FIRST("dropout_forward", "y", y, n), err);
}

static enum snap_status dropout_backward(struct trn_backend *b, const struct trn_dropout *d,
                                         size_t n, const uint8_t *mask, const float *dy, float *dx,
                                         struct snap_error *err)
{
    const enum snap_status status = OPS(b)->dropout_backward(b, d, n, mask, dy, dx, err);
    return SEE(b, status, FIRST("dropout_backward", "dx", dx, n), err);
}

static enum snap_status maxpool_forward(struct trn_backend *b, const struct trn_conv *c,
                                        const float *x, float *y, int32_t *chosen,
                                        struct snap_error *err)
{
    const enum snap_status status = OPS(b)->maxpool_forward(b, c, x, y, chosen, err);
    return SEE(b, status, FIRST("maxpool_forward", "y", y, c->n, c->oh, c->ow, c->oc), err);
}

static enum snap_status maxpool_backward(struct trn_backend *b, const struct trn_conv *c,
                                         const float *x, const float *y, const int32_t *chosen,
                                         const float *dy, float *dx, struct snap_error *err)
{
    const enum snap_status status = OPS(b)->maxpool_backward(b, c, x, y, chosen, dy, dx, err);
    return SEE(b, status, FIRST("maxpool_backward", "dx", dx, c->n, c->h, c->w, c->c), err);
}

static enum snap_status avgpool_forward(struct trn_backend *b, const struct trn_conv *c,
                                        const float *x, float *y, struct snap_error *err)
{
    const enum snap_status status = OPS(b)->avgpool_forward(b, c, x, y, err);
    return SEE(b, status, FIRST("avgpool_forward", "y", y, c->n, c->oh, c->ow, c->oc), err);
}

static enum snap_status avgpool_backward(struct trn_backend *b, const struct trn_conv *c,
                                         const float *x, const float *y, const float *dy,
                                         float *dx, struct snap_error *err)
{
    const enum snap_status status = OPS(b)->avgpool_backward(b, c, x, y, dy, dx, err);
    return SEE(b, status, FIRST("avgpool_backward", "dx", dx, c->n, c->h, c->w, c->c), err);
}

static enum snap_status norm_statistics(struct trn_backend *b, const struct trn_norm *n,
                                        const float *x, float *mean, float *var, float *unbiased,
                                        struct snap_error *err)
{
    enum snap_status status = OPS(b)->norm_statistics(b, n, x, mean, var, unbiased, err);
    status = SEE(b, status, FIRST("norm_statistics", "mean", mean, n->columns), err);
    status = SEE(b, status, LATER("norm_statistics", "var", var, n->columns), err);
    return SEE(b, status, LATER("norm_statistics", "unbiased", unbiased, n->columns), err);
}

static enum snap_status norm_forward(struct trn_backend *b, const struct trn_norm *n,
                                     const float *x, const float *mean, const float *var,
                                     const float *gamma, const float *beta, float *y,
                                     struct snap_error *err)
{
    const enum snap_status status =
        OPS(b)->norm_forward(b, n, x, mean, var, gamma, beta, y, err);
    return SEE(b, status, FIRST("norm_forward", "y", y, n->rows, n->columns), err);
}

static enum snap_status norm_backward(struct trn_backend *b, const struct trn_norm *n,
                                      const float *x, const float *mean, const float *var,
                                      const float *gamma, const float *dy, float *dgamma,
                                      float *dbeta, float *dx, struct snap_error *err)
{
    enum snap_status status =
        OPS(b)->norm_backward(b, n, x, mean, var, gamma, dy, dgamma, dbeta, dx, err);
    status = SEE(b, status, FIRST("norm_backward", "dgamma", dgamma, n->columns), err);
    status = SEE(b, status, LATER("norm_backward", "dbeta", dbeta, n->columns), err);
    return SEE(b, status, LATER("norm_backward", "dx", dx, n->rows, n->columns), err);
}

static enum snap_status norm_running(struct trn_backend *b, size_t columns, float momentum,
                                     const float *value, float *running, struct snap_error *err)
{
    const enum snap_status status = OPS(b)->norm_running(b, columns, momentum, value, running, err);
    return SEE(b, status, FIRST("norm_running", "running", running, columns), err);
}

static enum snap_status batchnorm_forward(struct trn_backend *b, const struct trn_batchnorm *a,
                                          struct snap_error *err)
{
    static const char op[] = "batchnorm_forward";
    const size_t columns = a->norm.columns;
    enum snap_status status = OPS(b)->batchnorm_forward(b, a, err);
    status = SEE(b, status, FIRST(op, "running_mean", a->running_mean, columns), err);
    status = SEE(b, status, LATER(op, "running_var", a->running_var, columns), err);
    status = SEE(b, status, LATER(op, "mean", a->mean, columns), err);
    status = SEE(b, status, LATER(op, "rs", a->rs, columns), err);
    return SEE(b, status, LATER(op, "y", a->y, a->norm.rows, columns), err);
}

static enum snap_status batchnorm_backward(struct trn_backend *b, const struct trn_batchnorm *a,
                                           const float *dy, float *dgamma, float *dbeta, float *dx,
                                           struct snap_error *err)
{
    static const char op[] = "batchnorm_backward";
    const size_t columns = a->norm.columns;
    enum snap_status status = OPS(b)->batchnorm_backward(b, a, dy, dgamma, dbeta, dx, err);
    status = SEE(b, status, FIRST(op, "dgamma", dgamma, columns), err);
    status = SEE(b, status, LATER(op, "dbeta", dbeta, columns), err);
    return SEE(b, status, LATER(op, "dx", dx, a->norm.rows, columns), err);
}

static enum snap_status layernorm_forward(struct trn_backend *b, const struct trn_norm *n,
                                          const float *x, const float *gamma, const float *beta,
                                          float *mean, float *rs, float *y, struct snap_error *err)
{
    enum snap_status status = OPS(b)->layernorm_forward(b, n, x, gamma, beta, mean, rs, y, err);
    status = SEE(b, status, FIRST("layernorm_forward", "mean", mean, n->rows), err);
    status = SEE(b, status, LATER("layernorm_forward", "rs", rs, n->rows), err);
    return SEE(b, status, LATER("layernorm_forward", "y", y, n->rows, n->columns), err);
}

static enum snap_status layernorm_backward(struct trn_backend *b, const struct trn_norm *n,
                                           const float *x, const float *mean, const float *rs,
                                           const float *gamma, const float *dy, float *dgamma,
                                           float *dbeta, float *dx, struct snap_error *err)
{
    enum snap_status status =
        OPS(b)->layernorm_backward(b, n, x, mean, rs, gamma, dy, dgamma, dbeta, dx, err);
    status = SEE(b, status, FIRST("layernorm_backward", "dgamma", dgamma, n->columns), err);
    status = SEE(b, status, LATER("layernorm_backward", "dbeta", dbeta, n->columns), err);
    return SEE(b, status, LATER("layernorm_backward", "dx", dx, n->rows, n->columns), err);
}

static enum snap_status embedding_forward(struct trn_backend *b, const struct trn_embedding *e,
                                          const float *w, const float *x, float *y,
                                          struct snap_error *err)
{
    const enum snap_status status = OPS(b)->embedding_forward(b, e, w, x, y, err);
    return SEE(b, status, FIRST("embedding_forward", "y", y, e->rows, e->width), err);
}

static enum snap_status embedding_backward(struct trn_backend *b, const struct trn_embedding *e,
                                           const float *dy, float *dw, struct snap_error *err)
{
    const enum snap_status status = OPS(b)->embedding_backward(b, e, dy, dw, err);
    return SEE(b, status, FIRST("embedding_backward", "dw", dw, e->vocabulary, e->width), err);
}

static enum snap_status attention_forward(struct trn_backend *b, const struct trn_attention *a,
                                          const float *qkv, float *weights, float *y,
                                          struct snap_error *err)
{
    static const char op[] = "attention_forward";
    const size_t samples = a->samples, places = a->places;
    enum snap_status status = OPS(b)->attention_forward(b, a, qkv, weights, y, err);
    status = SEE(b, status, FIRST(op, "weights", weights, samples, a->heads, places, places), err);
    return SEE(b, status, LATER(op, "y", y, samples, places, a->heads, a->width), err);
}

static enum snap_status attention_backward(struct trn_backend *b, const struct trn_attention *a,
                                           const float *qkv, const float *weights,
                                           const float *dy, float *dqkv, struct snap_error *err)
{
    const enum snap_status status = OPS(b)->attention_backward(b, a, qkv, weights, dy, dqkv, err);
    return SEE(b, status,
               FIRST("attention_backward", "dqkv", dqkv, a->samples, a->places, 3, a->heads,
                     a->width),
               err);
}

static enum snap_status cross_entropy(struct trn_backend *b, const struct trn_cross_entropy *c,
                                      struct snap_error *err)
{
    static const char op[] = "cross_entropy";
    struct trn_op_output best = { op, "best", c->best, TRN_OP_I32, SHAPE(c->rows), false, false };
    enum snap_status status = OPS(b)->cross_entropy(b, c, err);
    status = SEE(b, status, FIRST(op, "losses", c->losses, c->rows), err);
    status = SEE(b, status, LATER(op, "gradient", c->gradient, c->rows, c->classes), err);
    return SEE(b, status, &best, err);
}

static enum snap_status add(struct trn_backend *b, size_t n, const float *x, float *sum,
                            struct snap_error *err)
{
    const enum snap_status status = OPS(b)->add(b, n, x, sum, err);
    return SEE(b, status, FIRST("add", "sum", sum, n), err);
}

static enum snap_status scale(struct trn_backend *b, size_t n, float factor, float *x,
                              struct snap_error *err)
{
    const enum snap_status status = OPS(b)->scale(b, n, factor, x, err);
    return SEE(b, status, FIRST("scale", "x", x, n), err);
}

static enum snap_status sgd(struct trn_backend *b, const struct trn_sgd *a, struct snap_error *err)
{
    enum snap_status status = OPS(b)->sgd(b, a, err);
    status = SEE(b, status, FIRST("sgd", "velocity", a->velocity, a->count), err);
    return SEE(b, status, LATER("sgd", "weight", a->weight, a->count), err);
}

static enum snap_status adam(struct trn_backend *b, const struct trn_adam *a,
                             struct snap_error *err)
{
    enum snap_status status = OPS(b)->adam(b, a, err);
    status = SEE(b, status, FIRST("adam", "exp_avg", a->exp_avg, a->count), err);
    status = SEE(b, status, LATER("adam", "exp_avg_sq", a->exp_avg_sq, a->count), err);
    return SEE(b, status, LATER("adam", "weight", a->weight, a->count), err);
}

/* first_nonfinite writes nothing. */
#define PUT(name) ops->name = ops->name ? name : NULL
void trn_op_trace_fill(struct trn_ops *ops)
{
    PUT(copy);
    PUT(matmul);
    PUT(conv_forward);
    PUT(conv_data_gradient);
    PUT(conv_weight_gradient);
    PUT(reduce);
    PUT(reduce_product);
    PUT(column_sum);
    PUT(relu_forward);
    PUT(relu_backward);
    PUT(gelu_forward);
    PUT(gelu_backward);
    PUT(dropout_forward);
    PUT(dropout_backward);
    PUT(maxpool_forward);
    PUT(maxpool_backward);
    PUT(avgpool_forward);
    PUT(avgpool_backward);
    PUT(norm_statistics);
    PUT(norm_forward);
    PUT(norm_backward);
    PUT(norm_running);
    PUT(batchnorm_forward);
    PUT(batchnorm_backward);
    PUT(layernorm_forward);
    PUT(layernorm_backward);
    PUT(embedding_forward);
    PUT(embedding_backward);
    PUT(attention_forward);
    PUT(attention_backward);
    PUT(cross_entropy);
    PUT(add);
    PUT(scale);
    PUT(sgd);
    PUT(adam);
}
