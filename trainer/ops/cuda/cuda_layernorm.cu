/* SPDX-License-Identifier: Apache-2.0 */
/* Layer normalisation: a warp for each row, in two passes. A lane comes back to the elements that
 * it left itself, which are those of its place in RED. */
#include "ops/cuda/cuda_columns.h"
#include "ops/cuda/cuda_reduce.h"

#define ROWS_AT_ONCE 4u /* warps of a block */

struct layernorm_terms {
    size_t rows, columns;
    float share, eps; /* share: 1 / columns */
    const float *x, *dy, *gamma, *beta;
    const float *kept_mean, *kept_rs; /* (rows), backwards */
    float *mean, *rs;                 /* (rows), forwards */
    float *out;                       /* y, or dx, which may be NULL */
    float *products;                  /* backwards: dy * xh (rows, columns) */
};

static __global__ void layernorm_forward(struct layernorm_terms t)
{
    const unsigned lane = threadIdx.x % TRN_CUDA_WARP;
    const size_t step = (size_t)gridDim.x * ROWS_AT_ONCE;
    for (size_t row = (size_t)blockIdx.x * ROWS_AT_ONCE + threadIdx.x / TRN_CUDA_WARP;
         row < t.rows; row += step) {
        float *y = t.out + row * t.columns;
        const struct trn_cuda_sum sum = { t.x + row * t.columns };
        const struct trn_cuda_product squares = { y, y };
        const float mean = __fmul_rn(trn_cuda_row_reduce(sum, t.columns), t.share);
        for (size_t j = lane; j < t.columns; j += TRN_CUDA_WARP) {
            y[j] = __fsub_rn(sum.x[j], mean);
        }
        const float var = __fmul_rn(trn_cuda_row_reduce(squares, t.columns), t.share);
        const float rs = __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(var, t.eps)));
        for (size_t j = lane; j < t.columns; j += TRN_CUDA_WARP) {
            y[j] = __fmaf_rn(__fmul_rn(y[j], rs), t.gamma[j], t.beta[j]);
        }
        if (lane == 0) {
            t.mean[row] = mean;
            t.rs[row] = rs;
        }
    }
}

/* REDF of dy * gamma, which stands in dx, and xh. */
struct layernorm_slope {
    const float *dx, *x;
    float mean, rs;
    __device__ float add(size_t i, float sum) const
    {
        return __fmaf_rn(dx[i], __fmul_rn(__fsub_rn(x[i], mean), rs), sum);
    }
};

static __global__ void layernorm_backward(struct layernorm_terms t)
{
    const unsigned lane = threadIdx.x % TRN_CUDA_WARP;
    const size_t step = (size_t)gridDim.x * ROWS_AT_ONCE;
    for (size_t row = (size_t)blockIdx.x * ROWS_AT_ONCE + threadIdx.x / TRN_CUDA_WARP;
         row < t.rows; row += step) {
        const float *x = t.x + row * t.columns, *dy = t.dy + row * t.columns;
        const float mean = t.kept_mean[row], rs = t.kept_rs[row];
        float *dx = t.out ? t.out + row * t.columns : NULL;
        for (size_t j = lane; j < t.columns; j += TRN_CUDA_WARP) {
            const float xh = __fmul_rn(__fsub_rn(x[j], mean), rs);
            t.products[row * t.columns + j] = __fmul_rn(dy[j], xh);
            if (dx) {
                dx[j] = __fmul_rn(dy[j], t.gamma[j]);
            }
        }
        if (dx) {
            const struct trn_cuda_sum sum = { dx };
            const struct layernorm_slope slope = { dx, x, mean, rs };
            const float s1 = __fmul_rn(trn_cuda_row_reduce(sum, t.columns), t.share);
            const float s2 = __fmul_rn(trn_cuda_row_reduce(slope, t.columns), t.share);
            for (size_t j = lane; j < t.columns; j += TRN_CUDA_WARP) {
                const float xh = __fmul_rn(__fsub_rn(x[j], mean), rs);
                dx[j] = __fmul_rn(__fsub_rn(__fsub_rn(dx[j], s1), __fmul_rn(xh, s2)), rs);
            }
        }
    }
}

static struct layernorm_terms layernorm_terms_of(const struct trn_norm *norm, const float *x,
                                                 const float *gamma, float *out)
{
    struct layernorm_terms terms = layernorm_terms();
    terms.rows = norm->rows;
    terms.columns = norm->columns;
    terms.share = 1.0f / (float)norm->columns;
    terms.eps = norm->eps;
    terms.x = x;
    terms.gamma = gamma;
    terms.out = out;
    return terms;
}

static enum snap_status over_rows(struct trn_backend *backend, const char *what,
                                  void (*kernel)(struct layernorm_terms),
                                  const struct layernorm_terms &terms, struct snap_error *err)
{
    const size_t blocks = terms.rows / ROWS_AT_ONCE + (terms.rows % ROWS_AT_ONCE != 0);
    if (blocks == 0) {
        return SNAP_OK;
    }
    return trn_cuda_launch(
        backend, what, kernel,
        dim3(blocks < TRN_CUDA_MAX_BLOCKS ? (unsigned)blocks : TRN_CUDA_MAX_BLOCKS),
        dim3(ROWS_AT_ONCE * TRN_CUDA_WARP), err, terms);
}

extern "C" enum snap_status trn_cuda_layernorm_forward(struct trn_backend *backend,
                                                       const struct trn_norm *norm, const float *x,
                                                       const float *gamma, const float *beta,
                                                       float *mean, float *rs, float *y,
                                                       struct snap_error *err)
{
    struct layernorm_terms terms = layernorm_terms_of(norm, x, gamma, y);
    terms.beta = beta;
    terms.mean = mean;
    terms.rs = rs;
    return over_rows(backend, "layernorm", layernorm_forward, terms, err);
}

extern "C" enum snap_status trn_cuda_layernorm_backward(struct trn_backend *backend,
                                                        const struct trn_norm *norm,
                                                        const float *x, const float *mean,
                                                        const float *rs, const float *gamma,
                                                        const float *dy, float *dgamma,
                                                        float *dbeta, float *dx,
                                                        struct snap_error *err)
{
    const size_t count = norm->rows * norm->columns;
    struct layernorm_terms terms = layernorm_terms_of(norm, x, gamma, dx);
    struct trn_cuda_columns sum = trn_cuda_columns();
    void *scratch;
    enum snap_status status = trn_cuda_scratch(
        backend, count * sizeof(float) + trn_cuda_columns_scratch(norm->rows, norm->columns),
        &scratch, err);
    if (status != SNAP_OK) {
        return status;
    }
    terms.dy = dy;
    terms.kept_mean = mean;
    terms.kept_rs = rs;
    terms.products = static_cast<float *>(scratch);
    status = over_rows(backend, "layernorm, backward", layernorm_backward, terms, err);
    sum.rows = norm->rows;
    sum.columns = norm->columns;
    sum.x = dy;
    sum.out = dbeta;
    if (status == SNAP_OK) {
        status = trn_cuda_columns_sum(backend, &sum, terms.products + count, err);
    }
    sum.x = terms.products;
    sum.out = dgamma;
    return status == SNAP_OK
               ? trn_cuda_columns_sum(backend, &sum, terms.products + count, err)
               : status;
}
