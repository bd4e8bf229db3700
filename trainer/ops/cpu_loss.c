/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax cross-entropy, a row at a time. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include "ops/math_functions.h"

struct job {
    const struct trn_cross_entropy *args;
    float *rows; /* `classes` floats for each worker */
};

static void loss_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const struct trn_cross_entropy *a = job->args;
    float *e = job->rows + worker * a->classes;
    for (size_t row = begin; row < end; row++) {
        const float *x = a->logits + row * a->classes;
        const size_t label = (size_t)a->labels[row];
        size_t best = 0;
        float m = x[0], sum;
        for (size_t j = 1; j < a->classes; j++) {
            if (x[j] > m) {
                m = x[j];
                best = j;
            }
        }
        for (size_t j = 0; j < a->classes; j++) {
            e[j] = trn_expf(x[j] - m);
        }
        sum = TRN_NAME(reduce_serial)(e, NULL, a->classes);
        a->losses[row] = trn_logf(sum) - (x[label] - m);
        if (a->best) {
            a->best[row] = (int32_t)best;
        }
        if (a->gradient) {
            const float r = 1.0f / sum;
            float *dx = a->gradient + row * a->classes;
            for (size_t j = 0; j < a->classes; j++) {
                dx[j] = (e[j] * r - (j == label ? 1.0f : 0.0f)) * a->inverse_batch;
            }
        }
    }
}

enum snap_status TRN_NAME(cross_entropy)(struct trn_backend *backend,
                                         const struct trn_cross_entropy *args,
                                         struct snap_error *err)
{
    struct job job = { args, NULL };
    void *scratch;
    const enum snap_status status = trn_cpu_scratch(
        backend, snap_pool_threads(backend->pool) * (args->classes * sizeof(float)), &scratch,
        err);
    if (status != SNAP_OK) {
        return status;
    }
    job.rows = scratch;
    trn_cpu_split(backend, args->rows, TRN_GRAIN / 16 / (args->classes + 1) + 1, loss_range, &job);
    return SNAP_OK;
}
