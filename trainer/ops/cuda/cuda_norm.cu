/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation over the rows of a shard, in two passes. */
#include "ops/cuda/cuda_columns.h"

struct norm_terms {
    size_t count, columns; /* count = rows * columns */
    const float *x, *dy, *mean, *gamma, *beta;
    const float *rs, *s1, *s2, *slope; /* s1, s2: means of dy and of dy * xh; slope: gamma * rs */
};

static __global__ void scale_columns(size_t columns, float share, float *x)
{
    for (size_t j = trn_cuda_first(); j < columns; j += trn_cuda_step()) {
        x[j] = __fmul_rn(x[j], share);
    }
}

/* From the sum of squares in `var`. */
static __global__ void variances(size_t columns, float share, float unbiased_share, float *var,
                                 float *unbiased)
{
    for (size_t j = trn_cuda_first(); j < columns; j += trn_cuda_step()) {
        unbiased[j] = __fmul_rn(var[j], unbiased_share);
        var[j] = __fmul_rn(var[j], share);
    }
}

static __global__ void reciprocal_deviation(size_t columns, float eps, const float *var, float *rs)
{
    for (size_t j = trn_cuda_first(); j < columns; j += trn_cuda_step()) {
        rs[j] = __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(var[j], eps)));
    }
}

static __global__ void norm_forward(struct norm_terms t, float *y)
{
    for (size_t i = trn_cuda_first(); i < t.count; i += trn_cuda_step()) {
        const size_t j = i % t.columns;
        const float xh = __fmul_rn(__fsub_rn(t.x[i], t.mean[j]), t.rs[j]);
        y[i] = __fmaf_rn(xh, t.gamma[j], t.beta[j]);
    }
}

static __global__ void backward_columns(size_t columns, float share, const float *dbeta,
                                        const float *dgamma, const float *gamma, const float *rs,
                                        float *s1, float *s2, float *slope)
{
    for (size_t j = trn_cuda_first(); j < columns; j += trn_cuda_step()) {
        s1[j] = __fmul_rn(dbeta[j], share);
        s2[j] = __fmul_rn(dgamma[j], share);
        slope[j] = __fmul_rn(gamma[j], rs[j]);
    }
}

static __global__ void norm_backward(struct norm_terms t, float *dx)
{
    for (size_t i = trn_cuda_first(); i < t.count; i += trn_cuda_step()) {
        const size_t j = i % t.columns;
        const float xh = __fmul_rn(__fsub_rn(t.x[i], t.mean[j]), t.rs[j]);
        const float centred = __fsub_rn(t.dy[i], t.s1[j]);
        dx[i] = __fmul_rn(__fsub_rn(centred, __fmul_rn(xh, t.s2[j])), t.slope[j]);
    }
}

static __global__ void norm_running(size_t columns, float momentum, const float *value,
                                    float *running)
{
    for (size_t j = trn_cuda_first(); j < columns; j += trn_cuda_step()) {
        running[j] = __fmaf_rn(momentum, __fsub_rn(value[j], running[j]), running[j]);
    }
}

/* rows or columns as a float; exact to 2^24, then the nearest. */
static float reciprocal(size_t count)
{
    return 1.0f / (float)count;
}

extern "C" enum snap_status trn_cuda_norm_statistics(struct trn_backend *backend,
                                                     const struct trn_norm *norm, const float *x,
                                                     float *mean, float *var, float *unbiased,
                                                     struct snap_error *err)
{
    const float share = reciprocal(norm->rows);
    /* One row has no unbiased variance; its 0 is divided by 1. */
    const float unbiased_share = reciprocal(norm->rows > 1 ? norm->rows - 1 : 1);
    const size_t columns = norm->columns;
    struct trn_cuda_columns sum = trn_cuda_columns();
    void *scratch;
    enum snap_status status = trn_cuda_scratch(
        backend, trn_cuda_columns_scratch(norm->rows, columns), &scratch, err);
    sum.rows = norm->rows;
    sum.columns = columns;
    sum.x = x;
    sum.out = mean;
    if (status == SNAP_OK) {
        status = trn_cuda_columns_sum(backend, &sum, scratch, err);
    }
    if (status == SNAP_OK) {
        status = trn_cuda_launch_over(backend, "batchnorm", scale_columns, columns, err, columns,
                                      share, mean);
    }
    sum.mean = mean;
    sum.out = var;
    if (status == SNAP_OK) {
        status = trn_cuda_columns_sum(backend, &sum, scratch, err);
    }
    if (status == SNAP_OK) {
        status = trn_cuda_launch_over(backend, "batchnorm", variances, columns, err, columns, share,
                                      unbiased_share, var, unbiased);
    }
    return status;
}

static enum snap_status make_rs(struct trn_backend *backend, const struct trn_norm *norm,
                                const float *var, float *rs, struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "batchnorm", reciprocal_deviation, norm->columns, err,
                                norm->columns, norm->eps, var, rs);
}

extern "C" enum snap_status trn_cuda_norm_forward(struct trn_backend *backend,
                                                  const struct trn_norm *norm, const float *x,
                                                  const float *mean, const float *var,
                                                  const float *gamma, const float *beta, float *y,
                                                  struct snap_error *err)
{
    struct norm_terms terms = norm_terms();
    void *scratch;
    enum snap_status status =
        trn_cuda_scratch(backend, norm->columns * sizeof(float), &scratch, err);
    if (status == SNAP_OK) {
        status = make_rs(backend, norm, var, static_cast<float *>(scratch), err);
    }
    if (status != SNAP_OK) {
        return status;
    }
    terms.count = norm->rows * norm->columns;
    terms.columns = norm->columns;
    terms.x = x;
    terms.mean = mean;
    terms.gamma = gamma;
    terms.beta = beta;
    terms.rs = static_cast<float *>(scratch);
    return trn_cuda_launch_over(backend, "batchnorm", norm_forward, terms.count, err, terms, y);
}

extern "C" enum snap_status trn_cuda_norm_backward(struct trn_backend *backend,
                                                   const struct trn_norm *norm, const float *x,
                                                   const float *mean, const float *var,
                                                   const float *gamma, const float *dy,
                                                   float *dgamma, float *dbeta, float *dx,
                                                   struct snap_error *err)
{
    const size_t columns = norm->columns;
    struct trn_cuda_columns sum = trn_cuda_columns();
    struct norm_terms terms = norm_terms();
    float *rs, *s1, *s2, *slope;
    void *scratch;
    enum snap_status status = trn_cuda_scratch(
        backend, trn_cuda_columns_scratch(norm->rows, columns) + 4 * columns * sizeof(float),
        &scratch, err);
    if (status != SNAP_OK) {
        return status;
    }
    rs = static_cast<float *>(scratch);
    s1 = rs + columns;
    s2 = s1 + columns;
    slope = s2 + columns;
    status = make_rs(backend, norm, var, rs, err);
    sum.rows = norm->rows;
    sum.columns = columns;
    sum.x = dy;
    sum.out = dbeta;
    if (status == SNAP_OK) {
        status = trn_cuda_columns_sum(backend, &sum, slope + columns, err);
    }
    sum.x = x;
    sum.dy = dy;
    sum.mean = mean;
    sum.rs = rs;
    sum.out = dgamma;
    if (status == SNAP_OK) {
        status = trn_cuda_columns_sum(backend, &sum, slope + columns, err);
    }
    if (status != SNAP_OK || !dx) {
        return status;
    }
    status = trn_cuda_launch_over(backend, "batchnorm, backward", backward_columns, columns, err,
                                  columns, reciprocal(norm->rows), dbeta, dgamma, gamma, rs, s1,
                                  s2, slope);
    terms.count = norm->rows * columns;
    terms.columns = columns;
    terms.x = x;
    terms.dy = dy;
    terms.mean = mean;
    terms.rs = rs;
    terms.s1 = s1;
    terms.s2 = s2;
    terms.slope = slope;
    return status == SNAP_OK ? trn_cuda_launch_over(backend, "batchnorm, backward", norm_backward,
                                                    terms.count, err, terms, dx)
                             : status;
}

extern "C" enum snap_status trn_cuda_norm_running(struct trn_backend *backend, size_t columns,
                                                  float momentum, const float *value,
                                                  float *running, struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "batchnorm", norm_running, columns, err, columns,
                                momentum, value, running);
}
