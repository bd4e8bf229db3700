/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products of plain matrices. */
#include "ops/cuda/cuda_gemm.h"

/* Element (row, k) is at row * k_total + k. */
struct rows_of_k {
    static constexpr bool K_FIRST = true;
    const float *from;
    size_t k_total;
    bool quads; /* every k that is a multiple of four is 16 bytes aligned */
    struct place {
        const float *row;
    };
    __device__ struct place at(size_t row) const
    {
        const struct place found = { from + row * k_total };
        return found;
    }
    __device__ void fetch(const struct place &place, size_t k, size_t end, float v[4]) const
    {
        if (quads && k + 4 <= end) {
            const float4 quad = *reinterpret_cast<const float4 *>(place.row + k);
            v[0] = quad.x;
            v[1] = quad.y;
            v[2] = quad.z;
            v[3] = quad.w;
            return;
        }
#pragma unroll
        for (unsigned q = 0; q < 4; q++) {
            v[q] = k + q < end ? place.row[k + q] : 0.0f;
        }
    }
};

/* Element (row, k) is at k * rows + row. */
struct columns_of_k {
    static constexpr bool K_FIRST = false;
    const float *from;
    size_t rows;
    struct place {
        const float *row;
    };
    __device__ struct place at(size_t row) const
    {
        const struct place found = { from + row };
        return found;
    }
    __device__ void fetch(const struct place &place, size_t k, size_t end, float v[4]) const
    {
#pragma unroll
        for (unsigned q = 0; q < 4; q++) {
            v[q] = k + q < end ? place.row[(k + q) * rows] : 0.0f;
        }
    }
};

static struct rows_of_k by_rows(const float *from, size_t k)
{
    const bool quads = k % 4 == 0 && reinterpret_cast<uintptr_t>(from) % 16 == 0;
    const struct rows_of_k operand = { from, k, quads };
    return operand;
}

extern "C" enum snap_status trn_cuda_matmul(struct trn_backend *backend,
                                            const struct trn_matmul *args, struct snap_error *err)
{
    struct trn_cuda_gemm g = trn_cuda_gemm();
    const struct columns_of_k a_turned = { args->a, args->m }, b_plain = { args->b, args->n };
    g.m = args->m;
    g.n = args->n;
    g.k = args->k;
    g.bias = args->bias;
    g.out = args->out;
    switch (args->transpose) {
    case TRN_NN:
        return trn_cuda_gemm_any(backend, "matmul", g, by_rows(args->a, args->k), b_plain, err);
    case TRN_NT:
        return trn_cuda_gemm_any(backend, "matmul", g, by_rows(args->a, args->k),
                                 by_rows(args->b, args->k), err);
    default:
        return trn_cuda_gemm_any(backend, "matmul", g, a_turned, b_plain, err);
    }
}
