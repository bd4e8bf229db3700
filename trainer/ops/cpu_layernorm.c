/* SPDX-License-Identifier: Apache-2.0 */
/* Layer normalisation: each row by its own mean and variance, in two passes. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include "ops/vec.h"

struct job {
    const struct trn_norm *norm;
    float share; /* 1 / columns */
    const float *x, *gamma, *beta, *dy;
    float *mean, *rs;        /* forward */
    const float *kept_mean, *kept_rs; /* backward: the same as forward left them */
    float *out;
    float *products; /* backward: dy * xh (rows, columns) */
    float *rows;     /* backward: a row of xh for each worker */
};

static float reciprocal(size_t count)
{
    return 1.0f / (float)count;
}

static size_t grain(size_t columns)
{
    return TRN_GRAIN / 4 / (columns + 1) + 1;
}

static void forward_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const size_t n = job->norm->columns;
    (void)worker;
    for (size_t row = begin; row < end; row++) {
        const float *x = job->x + row * n;
        float *y = job->out + row * n; /* x - mean at first */
        const float mean = TRN_NAME(reduce_serial)(x, NULL, n) * job->share;
        float var, rs;
        for (size_t j = 0; j < n; j++) {
            y[j] = x[j] - mean;
        }
        var = TRN_NAME(reduce_serial)(y, y, n) * job->share;
        rs = 1.0f / trn_sqrtf(var + job->norm->eps);
        for (size_t j = 0; j < n; j++) {
            y[j] = trn_fmaf(y[j] * rs, job->gamma[j], job->beta[j]);
        }
        job->mean[row] = mean;
        job->rs[row] = rs;
    }
}

enum snap_status TRN_NAME(layernorm_forward)(struct trn_backend *backend,
                                             const struct trn_norm *norm, const float *x,
                                             const float *gamma, const float *beta, float *mean,
                                             float *rs, float *y, struct snap_error *err)
{
    const struct job job = { .norm = norm, .share = reciprocal(norm->columns), .x = x,
                             .gamma = gamma, .beta = beta, .mean = mean, .rs = rs, .out = y };
    (void)err;
    trn_cpu_split(backend, norm->rows, grain(norm->columns), forward_range, &job);
    return SNAP_OK;
}

static void backward_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const size_t n = job->norm->columns;
    float *xh = job->rows + worker * n;
    for (size_t row = begin; row < end; row++) {
        const float *x = job->x + row * n, *dy = job->dy + row * n;
        const float mean = job->kept_mean[row], rs = job->kept_rs[row];
        float *product = job->products + row * n;
        for (size_t j = 0; j < n; j++) {
            xh[j] = (x[j] - mean) * rs;
            product[j] = dy[j] * xh[j];
        }
        if (job->out) {
            float *dx = job->out + row * n; /* dy * gamma at first */
            float s1, s2;
            for (size_t j = 0; j < n; j++) {
                dx[j] = dy[j] * job->gamma[j];
            }
            s1 = TRN_NAME(reduce_serial)(dx, NULL, n) * job->share;
            s2 = TRN_NAME(reduce_serial)(dx, xh, n) * job->share;
            for (size_t j = 0; j < n; j++) {
                dx[j] = ((dx[j] - s1) - xh[j] * s2) * rs;
            }
        }
    }
}

enum snap_status TRN_NAME(layernorm_backward)(struct trn_backend *backend,
                                              const struct trn_norm *norm, const float *x,
                                              const float *mean, const float *rs,
                                              const float *gamma, const float *dy, float *dgamma,
                                              float *dbeta, float *dx, struct snap_error *err)
{
    const size_t columns = norm->columns, count = norm->rows * columns;
    const size_t threads = snap_pool_threads(backend->pool);
    struct job job = { .norm = norm, .share = reciprocal(columns), .x = x, .gamma = gamma,
                       .dy = dy, .kept_mean = mean, .kept_rs = rs, .out = dx };
    struct trn_columns sum = { .term = TRN_COL_PLAIN, .rows = norm->rows, .columns = columns,
                               .x = dy, .out = dbeta };
    float *for_columns;
    void *scratch;
    const enum snap_status status = trn_cpu_scratch(
        backend,
        (count + threads * columns) * sizeof(float) +
            TRN_NAME(columns_scratch)(norm->rows, columns),
        &scratch, err);
    if (status != SNAP_OK) {
        return status;
    }
    job.products = scratch;
    job.rows = job.products + count;
    for_columns = job.rows + threads * columns;
    trn_cpu_split(backend, norm->rows, grain(columns), backward_range, &job);
    TRN_NAME(columns)(backend, &sum, for_columns);
    sum.x = job.products;
    sum.out = dgamma;
    TRN_NAME(columns)(backend, &sum, for_columns);
    return SNAP_OK;
}
