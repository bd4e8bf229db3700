/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax cross-entropy, a warp for each row. */
#include "ops/cuda/cuda_reduce.h"
#include "ops/math_functions.h"

#define ROW_WARPS 4u /* of a block */
#define NOWHERE (~(size_t)0)

/* The largest element so far and the first place it has. */
struct row_maximum {
    float value;
    size_t place; /* NOWHERE: nothing yet */
};

static __device__ struct row_maximum larger(struct row_maximum a, struct row_maximum b)
{
    if (b.place == NOWHERE || (a.place != NOWHERE && a.value > b.value)) {
        return a;
    }
    if (a.place == NOWHERE || b.value > a.value) {
        return b;
    }
    return a.place < b.place ? a : b;
}

/* In every lane, what a scan from the first element finds that takes an element for larger only if
 * it compares so: a NaN is passed over, but for one at the start, where the scan stays. */
static __device__ struct row_maximum row_maximum_of(const float *x, size_t n)
{
    const unsigned lane = threadIdx.x % TRN_CUDA_WARP;
    struct row_maximum found = { 0.0f, NOWHERE };
    for (size_t j = lane; j < n; j += TRN_CUDA_WARP) {
        if (found.place == NOWHERE ? x[j] == x[j] : x[j] > found.value) {
            found.value = x[j];
            found.place = j;
        }
    }
    for (unsigned half = TRN_CUDA_WARP / 2; half > 0; half /= 2) {
        struct row_maximum other;
        other.value = __shfl_xor_sync(TRN_CUDA_ALL_LANES, found.value, (int)half);
        other.place = (size_t)__shfl_xor_sync(TRN_CUDA_ALL_LANES,
                                              (unsigned long long)found.place, (int)half);
        found = larger(found, other);
    }
    if (x[0] != x[0]) {
        found.value = x[0];
        found.place = 0;
    }
    return found;
}

/* EXP(x - m), kept in `e` where that is wanted. */
struct exponential {
    const float *x;
    float m;
    float *e;
    __device__ float add(size_t i, float sum) const
    {
        const float value = trn_expf(__fsub_rn(x[i], m));
        if (e) {
            e[i] = value;
        }
        return __fadd_rn(sum, value);
    }
};

static __global__ void cross_entropy(struct trn_cross_entropy a)
{
    const unsigned lane = threadIdx.x % TRN_CUDA_WARP;
    const size_t step = (size_t)gridDim.x * ROW_WARPS;
    for (size_t row = (size_t)blockIdx.x * ROW_WARPS + threadIdx.x / TRN_CUDA_WARP; row < a.rows;
         row += step) {
        const float *x = a.logits + row * a.classes;
        float *dx = a.gradient ? a.gradient + row * a.classes : NULL;
        const size_t label = (size_t)a.labels[row];
        const struct row_maximum best = row_maximum_of(x, a.classes);
        const struct exponential term = { x, best.value, dx };
        const float sum = trn_cuda_row_reduce(term, a.classes);
        if (lane == 0) {
            a.losses[row] = __fsub_rn(trn_logf(sum), __fsub_rn(x[label], best.value));
            if (a.best) {
                a.best[row] = (int32_t)best.place;
            }
        }
        if (dx) {
            const float r = __fdiv_rn(1.0f, sum);
            /* A lane finds the elements here that it left there. */
            for (size_t j = lane; j < a.classes; j += TRN_CUDA_WARP) {
                const float p = __fmul_rn(dx[j], r);
                dx[j] = __fmul_rn(__fsub_rn(p, j == label ? 1.0f : 0.0f), a.inverse_batch);
            }
        }
    }
}

extern "C" enum snap_status trn_cuda_cross_entropy(struct trn_backend *backend,
                                                   const struct trn_cross_entropy *args,
                                                   struct snap_error *err)
{
    const size_t blocks = args->rows / ROW_WARPS + (args->rows % ROW_WARPS != 0);
    if (blocks == 0) {
        return SNAP_OK;
    }
    return trn_cuda_launch(
        backend, "cross-entropy", cross_entropy,
        dim3(blocks < TRN_CUDA_MAX_BLOCKS ? (unsigned)blocks : TRN_CUDA_MAX_BLOCKS),
        dim3(ROW_WARPS * TRN_CUDA_WARP), err, *args);
}
