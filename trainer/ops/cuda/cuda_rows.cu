/* SPDX-License-Identifier: Apache-2.0 */
/* What the profile cudnn-1 needs beside the libraries: biases, and the loss that follows from the
 * logarithms of a softmax. */
#include "ops/cuda/cuda_backend.h"
#include "ops/math_functions.h"

static __global__ void add_to_rows(size_t n, size_t columns, const float *bias, float *y)
{
    for (size_t i = trn_cuda_first(); i < n; i += trn_cuda_step()) {
        y[i] = __fadd_rn(y[i], bias[i % columns]);
    }
}

extern "C" enum snap_status trn_cuda_add_to_rows(struct trn_backend *backend, size_t rows,
                                                 size_t columns, const float *bias, float *y,
                                                 struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "bias", add_to_rows, rows * columns, err, rows * columns,
                                columns, bias, y);
}

static __global__ void loss_of_logs(struct trn_cross_entropy a, const float *logs)
{
    for (size_t row = trn_cuda_first(); row < a.rows; row += trn_cuda_step()) {
        const float *x = a.logits + row * a.classes;
        size_t best = 0;
        a.losses[row] = -logs[row * a.classes + (size_t)a.labels[row]];
        for (size_t j = 1; a.best && j < a.classes; j++) {
            best = x[j] > x[best] ? j : best;
        }
        if (a.best) {
            a.best[row] = (int32_t)best;
        }
    }
}

static __global__ void gradient_of_logs(struct trn_cross_entropy a, size_t n, const float *logs)
{
    for (size_t i = trn_cuda_first(); i < n; i += trn_cuda_step()) {
        const size_t row = i / a.classes;
        const float hit = i - row * a.classes == (size_t)a.labels[row] ? 1.0f : 0.0f;
        a.gradient[i] = __fmul_rn(__fsub_rn(trn_expf(logs[i]), hit), a.inverse_batch);
    }
}

extern "C" enum snap_status trn_cuda_loss_of_logs(struct trn_backend *backend,
                                                  const struct trn_cross_entropy *args,
                                                  const float *logs, struct snap_error *err)
{
    const size_t n = args->rows * args->classes;
    enum snap_status status = trn_cuda_launch_over(backend, "loss", loss_of_logs, args->rows, err,
                                                   *args, logs);
    if (status == SNAP_OK && args->gradient) {
        status = trn_cuda_launch_over(backend, "gradient of the loss", gradient_of_logs, n, err,
                                      *args, n, logs);
    }
    return status;
}
