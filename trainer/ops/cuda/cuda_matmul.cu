/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products of plain matrices. */
#include "ops/cuda/cuda_gemm.h"

extern "C" enum snap_status trn_cuda_matmul(struct trn_backend *backend,
                                            const struct trn_matmul *args, struct snap_error *err)
{
    struct trn_cuda_gemm g = trn_cuda_gemm();
    const struct trn_cuda_columns_of_k a_turned = { args->a, args->m };
    const struct trn_cuda_columns_of_k b_plain = { args->b, args->n };
    g.m = args->m;
    g.n = args->n;
    g.k = args->k;
    g.bias = args->bias;
    g.out = args->out;
    switch (args->transpose) {
    case TRN_NN:
        return trn_cuda_gemm_any(backend, "matmul", g, trn_cuda_by_rows(args->a, args->k),
                                 b_plain, err);
    case TRN_NT:
        return trn_cuda_gemm_any(backend, "matmul", g, trn_cuda_by_rows(args->a, args->k),
                                 trn_cuda_by_rows(args->b, args->k), err);
    default:
        return trn_cuda_gemm_any(backend, "matmul", g, a_turned, b_plain, err);
    }
}
