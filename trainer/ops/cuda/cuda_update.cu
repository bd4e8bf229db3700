/* SPDX-License-Identifier: Apache-2.0 */
/* The optimizers' updates. */
#include "ops/cuda/cuda_backend.h"

static __global__ void sgd_update(struct trn_sgd a)
{
    for (size_t i = trn_cuda_first(); i < a.count; i += trn_cuda_step()) {
        const float w = a.weight[i];
        const float g = __fmaf_rn(a.weight_decay, w, a.gradient[i]);
        float v = g;
        if (a.velocity) {
            v = __fmaf_rn(a.momentum, a.velocity[i], g);
            a.velocity[i] = v;
        }
        a.weight[i] = __fmaf_rn(-a.lr, v, w);
    }
}

static __global__ void adam_update(struct trn_adam a)
{
    for (size_t i = trn_cuda_first(); i < a.count; i += trn_cuda_step()) {
        float w = a.weight[i], g = a.gradient[i], m, v, divisor;
        if (a.decoupled) {
            w = __fmaf_rn(-a.decay, w, w);
        } else {
            g = __fmaf_rn(a.weight_decay, w, g);
        }
        m = __fmaf_rn(a.beta1, a.exp_avg[i], __fmul_rn(a.one_minus_beta1, g));
        v = __fmaf_rn(a.beta2, a.exp_avg_sq[i], __fmul_rn(__fmul_rn(a.one_minus_beta2, g), g));
        divisor = __fadd_rn(__fsqrt_rn(__fmul_rn(v, a.correction2)), a.eps);
        a.exp_avg[i] = m;
        a.exp_avg_sq[i] = v;
        a.weight[i] =
            __fsub_rn(w, __fdiv_rn(__fmul_rn(a.lr, __fmul_rn(m, a.correction1)), divisor));
    }
}

extern "C" enum snap_status trn_cuda_sgd(struct trn_backend *backend, const struct trn_sgd *args,
                                         struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "sgd", sgd_update, args->count, err, *args);
}

extern "C" enum snap_status trn_cuda_adam(struct trn_backend *backend, const struct trn_adam *args,
                                          struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "adam", adam_update, args->count, err, *args);
}
