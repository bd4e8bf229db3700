/* SPDX-License-Identifier: Apache-2.0 */
/* The optimizers' updates. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include "ops/vec.h"

static void sgd_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct trn_sgd a = *(const struct trn_sgd *)arg;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const float w = a.weight[i];
        const float g = trn_fmaf(a.weight_decay, w, a.gradient[i]);
        float v = g;
        if (a.velocity) {
            v = trn_fmaf(a.momentum, a.velocity[i], g);
            a.velocity[i] = v;
        }
        a.weight[i] = trn_fmaf(-a.lr, v, w);
    }
}

enum snap_status TRN_NAME(sgd)(struct trn_backend *backend, const struct trn_sgd *args,
                               struct snap_error *err)
{
    (void)err;
    trn_cpu_split(backend, args->count, TRN_GRAIN, sgd_range, args);
    return SNAP_OK;
}

static void adam_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct trn_adam a = *(const struct trn_adam *)arg;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        float w = a.weight[i], g = a.gradient[i], m, v, divisor;
        if (a.decoupled) {
            w = trn_fmaf(-a.decay, w, w);
        } else {
            g = trn_fmaf(a.weight_decay, w, g);
        }
        m = trn_fmaf(a.beta1, a.exp_avg[i], a.one_minus_beta1 * g);
        v = trn_fmaf(a.beta2, a.exp_avg_sq[i], (a.one_minus_beta2 * g) * g);
        divisor = trn_sqrtf(v * a.correction2) + a.eps;
        a.exp_avg[i] = m;
        a.exp_avg_sq[i] = v;
        a.weight[i] = w - (a.lr * (m * a.correction1)) / divisor;
    }
}

enum snap_status TRN_NAME(adam)(struct trn_backend *backend, const struct trn_adam *args,
                                struct snap_error *err)
{
    (void)err;
    trn_cpu_split(backend, args->count, TRN_GRAIN / 4, adam_range, args);
    return SNAP_OK;
}
