/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products of plain matrices. */
#include "ops/cuda/cuda_gemm.h"

typedef trn_cuda_operand<TRN_CUDA_K> by_k;
typedef trn_cuda_operand<TRN_CUDA_K_QUADS> by_k_quads;
typedef trn_cuda_operand<TRN_CUDA_ROWS> by_rows;
typedef trn_cuda_operand<TRN_CUDA_ROW_QUADS> by_row_quads;

extern "C" enum snap_status trn_cuda_matmul(struct trn_backend *backend,
                                            const struct trn_matmul *args, struct snap_error *err)
{
    static const char what[] = "matmul";
    const bool turned_a = args->transpose == TRN_TN, turned_b = args->transpose == TRN_NT;
    const size_t next_a = turned_a ? args->m : args->k, next_b = turned_b ? args->k : args->n;
    const struct trn_cuda_matrix a = trn_cuda_plain(args->a, next_a);
    const struct trn_cuda_matrix b = trn_cuda_plain(args->b, next_b);
    const bool quads = trn_cuda_in_quads(a, next_a) && trn_cuda_in_quads(b, next_b);
    struct trn_cuda_gemm g = trn_cuda_gemm();
    g.m = args->m;
    g.n = args->n;
    g.k = args->k;
    g.bias = args->bias;
    g.out = args->out;
    switch (args->transpose) {
    case TRN_NN:
        return quads ? trn_cuda_gemm_any(backend, what, g, by_k_quads{ a }, by_row_quads{ b }, err)
                     : trn_cuda_gemm_any(backend, what, g, by_k{ a }, by_rows{ b }, err);
    case TRN_NT:
        return quads ? trn_cuda_gemm_any(backend, what, g, by_k_quads{ a }, by_k_quads{ b }, err)
                     : trn_cuda_gemm_any(backend, what, g, by_k{ a }, by_k{ b }, err);
    default:
        return quads
                   ? trn_cuda_gemm_any(backend, what, g, by_row_quads{ a }, by_row_quads{ b }, err)
                   : trn_cuda_gemm_any(backend, what, g, by_rows{ a }, by_rows{ b }, err);
    }
}
