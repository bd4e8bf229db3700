/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation over the rows of a shard, in two passes. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include "ops/vec.h"

struct job {
    size_t columns;
    const float *x, *mean, *rs, *gamma, *beta, *dy;
    const float *s1, *s2, *slope; /* backwards: mean of dy, of dy * xh, and gamma * rs */
    float *out;
};

/* rows or columns as a float; exact to 2^24, then the nearest. */
static float reciprocal(size_t count)
{
    return 1.0f / (float)count;
}

static size_t grain(size_t columns)
{
    return TRN_GRAIN / (columns + 1) + 1;
}

enum snap_status TRN_NAME(norm_statistics)(struct trn_backend *backend, const struct trn_norm *norm,
                                           const float *x, float *mean, float *var,
                                           float *unbiased, struct snap_error *err)
{
    const float share = reciprocal(norm->rows);
    /* One row has no unbiased variance; its 0 is divided by 1. */
    const float unbiased_share = reciprocal(norm->rows > 1 ? norm->rows - 1 : 1);
    struct trn_columns sum = { .term = TRN_COL_PLAIN, .rows = norm->rows,
                               .columns = norm->columns, .x = x, .out = mean };
    void *scratch;
    const enum snap_status status = trn_cpu_scratch(
        backend, TRN_NAME(columns_scratch)(norm->rows, norm->columns), &scratch, err);
    if (status != SNAP_OK) {
        return status;
    }
    TRN_NAME(columns)(backend, &sum, scratch);
    for (size_t j = 0; j < norm->columns; j++) {
        mean[j] = mean[j] * share;
    }
    sum.term = TRN_COL_SQUARE;
    sum.mean = mean;
    sum.out = var;
    TRN_NAME(columns)(backend, &sum, scratch);
    for (size_t j = 0; j < norm->columns; j++) {
        unbiased[j] = var[j] * unbiased_share;
        var[j] = var[j] * share;
    }
    return SNAP_OK;
}

static void forward_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const float *restrict mean = job->mean, *restrict rs = job->rs;
    const float *restrict gamma = job->gamma, *restrict beta = job->beta;
    const size_t columns = job->columns;
    (void)worker;
    for (size_t row = begin; row < end; row++) {
        const float *restrict x = job->x + row * columns;
        float *restrict y = job->out + row * columns;
        for (size_t j = 0; j < columns; j++) {
            y[j] = trn_fmaf((x[j] - mean[j]) * rs[j], gamma[j], beta[j]);
        }
    }
}

static void reciprocal_deviation(const struct trn_norm *norm, const float *var, float *rs)
{
    for (size_t j = 0; j < norm->columns; j++) {
        rs[j] = 1.0f / trn_sqrtf(var[j] + norm->eps);
    }
}

enum snap_status TRN_NAME(norm_forward)(struct trn_backend *backend, const struct trn_norm *norm,
                                        const float *x, const float *mean, const float *var,
                                        const float *gamma, const float *beta, float *y,
                                        struct snap_error *err)
{
    struct job job = { .columns = norm->columns, .x = x, .mean = mean, .gamma = gamma,
                       .beta = beta, .out = y };
    void *scratch;
    const enum snap_status status =
        trn_cpu_scratch(backend, norm->columns * sizeof(float), &scratch, err);
    if (status != SNAP_OK) {
        return status;
    }
    reciprocal_deviation(norm, var, scratch);
    job.rs = scratch;
    trn_cpu_split(backend, norm->rows, grain(norm->columns), forward_range, &job);
    return SNAP_OK;
}

static void backward_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const float *restrict mean = job->mean, *restrict rs = job->rs;
    const float *restrict s1 = job->s1, *restrict s2 = job->s2, *restrict slope = job->slope;
    const size_t columns = job->columns;
    (void)worker;
    for (size_t row = begin; row < end; row++) {
        const float *restrict x = job->x + row * columns, *restrict dy = job->dy + row * columns;
        float *restrict dx = job->out + row * columns;
        for (size_t j = 0; j < columns; j++) {
            const float xh = (x[j] - mean[j]) * rs[j];
            dx[j] = ((dy[j] - s1[j]) - xh * s2[j]) * slope[j];
        }
    }
}

enum snap_status TRN_NAME(norm_backward)(struct trn_backend *backend, const struct trn_norm *norm,
                                         const float *x, const float *mean, const float *var,
                                         const float *gamma, const float *dy, float *dgamma,
                                         float *dbeta, float *dx, struct snap_error *err)
{
    const size_t columns = norm->columns;
    const float share = reciprocal(norm->rows);
    struct trn_columns sum = { .term = TRN_COL_PLAIN, .rows = norm->rows, .columns = columns,
                               .x = dy, .out = dbeta };
    float *rs, *s1, *s2, *slope;
    void *scratch;
    const enum snap_status status = trn_cpu_scratch(
        backend,
        TRN_NAME(columns_scratch)(norm->rows, columns) + 4 * columns * sizeof(float), &scratch,
        err);
    if (status != SNAP_OK) {
        return status;
    }
    rs = scratch;
    s1 = rs + columns;
    s2 = s1 + columns;
    slope = s2 + columns;
    reciprocal_deviation(norm, var, rs);
    TRN_NAME(columns)(backend, &sum, slope + columns);
    sum = (struct trn_columns){ .term = TRN_COL_NORMALISED, .rows = norm->rows,
                                .columns = columns, .x = x, .dy = dy, .mean = mean, .rs = rs,
                                .out = dgamma };
    TRN_NAME(columns)(backend, &sum, slope + columns);
    if (dx) {
        const struct job job = { .columns = columns, .x = x, .mean = mean, .rs = rs, .dy = dy,
                                 .s1 = s1, .s2 = s2, .slope = slope, .out = dx };
        for (size_t j = 0; j < columns; j++) {
            s1[j] = dbeta[j] * share;
            s2[j] = dgamma[j] * share;
            slope[j] = gamma[j] * rs[j];
        }
        trn_cpu_split(backend, norm->rows, grain(columns), backward_range, &job);
    }
    return SNAP_OK;
}

enum snap_status TRN_NAME(norm_running)(struct trn_backend *backend, size_t columns,
                                        float momentum, const float *value, float *running,
                                        struct snap_error *err)
{
    (void)backend;
    (void)err;
    for (size_t j = 0; j < columns; j++) {
        running[j] = trn_fmaf(momentum, value[j] - running[j], running[j]);
    }
    return SNAP_OK;
}
