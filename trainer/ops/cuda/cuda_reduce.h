/* SPDX-License-Identifier: Apache-2.0 */
/* RED by one warp: a lane of the definition is a lane of the warp. */
#ifndef TRN_CUDA_REDUCE_H
#define TRN_CUDA_REDUCE_H

#include "ops/cuda/cuda_backend.h"

#define TRN_CUDA_ALL_LANES 0xffffffffu
#define TRN_CUDA_RED_CHUNK ((size_t)1024)

/* The halving tree over the lanes of a warp; lane 0 has the result, the others something. */
static __device__ inline float trn_cuda_tree(float sum)
{
    for (unsigned half = TRN_CUDA_WARP / 2; half > 0; half /= 2) {
        sum = __fadd_rn(sum, __shfl_down_sync(TRN_CUDA_ALL_LANES, sum, half));
    }
    return sum;
}

/* RED of x, and REDF of x and y, one element on top of a sum. */
struct trn_cuda_sum {
    const float *x;
    __device__ float add(size_t i, float sum) const
    {
        return __fadd_rn(sum, x[i]);
    }
};

struct trn_cuda_product {
    const float *x, *y;
    __device__ float add(size_t i, float sum) const
    {
        return __fmaf_rn(x[i], y[i], sum);
    }
};

/* RED over 0 <= i < n of what `term` adds, in every lane; n <= 2^30. Called by whole warps. A
 * finished chunk of level l is one element of level l + 1: it is added by the lane that has its
 * place there. */
template <typename Term> static __device__ float trn_cuda_row_reduce(const Term &term, size_t n)
{
    const unsigned lane = threadIdx.x % TRN_CUDA_WARP;
    float second = 0.0f, third = 0.0f, sum = 0.0f;
    size_t chunk = 0;
    for (size_t base = 0; base < n; base += TRN_CUDA_RED_CHUNK, chunk++) {
        const size_t end = n - base < TRN_CUDA_RED_CHUNK ? n : base + TRN_CUDA_RED_CHUNK;
        sum = 0.0f;
        for (size_t i = base + lane; i < end; i += TRN_CUDA_WARP) {
            sum = term.add(i, sum);
        }
        if (n <= TRN_CUDA_RED_CHUNK) {
            break;
        }
        if (chunk != 0 && chunk % TRN_CUDA_RED_CHUNK == 0) {
            const float full =
                __shfl_sync(TRN_CUDA_ALL_LANES, trn_cuda_tree(second), 0);
            if ((chunk / TRN_CUDA_RED_CHUNK - 1) % TRN_CUDA_WARP == lane) {
                third = __fadd_rn(third, full);
            }
            second = 0.0f;
        }
        sum = __shfl_sync(TRN_CUDA_ALL_LANES, trn_cuda_tree(sum), 0);
        if (chunk % TRN_CUDA_WARP == lane) {
            second = __fadd_rn(second, sum);
        }
    }
    if (n > TRN_CUDA_RED_CHUNK) {
        sum = second;
    }
    if (n > TRN_CUDA_RED_CHUNK * TRN_CUDA_RED_CHUNK) {
        sum = __shfl_sync(TRN_CUDA_ALL_LANES, trn_cuda_tree(second), 0);
        if ((chunk - 1) / TRN_CUDA_RED_CHUNK % TRN_CUDA_WARP == lane) {
            third = __fadd_rn(third, sum);
        }
        sum = third;
    }
    return __shfl_sync(TRN_CUDA_ALL_LANES, trn_cuda_tree(sum), 0);
}

#endif
