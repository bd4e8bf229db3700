/* SPDX-License-Identifier: Apache-2.0 */
/* RED and REDF of whole arrays: a warp makes one element of the next level. */
#include "ops/cuda/cuda_reduce.h"

#define WARPS 8u /* of a block */

template <typename Term>
static __global__ void reduce_level(Term term, size_t n, size_t chunks, float *out)
{
    const unsigned lane = threadIdx.x % TRN_CUDA_WARP;
    const size_t step = (size_t)gridDim.x * WARPS;
    for (size_t chunk = (size_t)blockIdx.x * WARPS + threadIdx.x / TRN_CUDA_WARP; chunk < chunks;
         chunk += step) {
        const size_t base = chunk * TRN_CUDA_RED_CHUNK;
        const size_t end = n - base < TRN_CUDA_RED_CHUNK ? n : base + TRN_CUDA_RED_CHUNK;
        float sum = 0.0f;
        for (size_t i = base + lane; i < end; i += TRN_CUDA_WARP) {
            sum = term.add(i, sum);
        }
        sum = trn_cuda_tree(sum);
        if (lane == 0) {
            out[chunk] = sum;
        }
    }
}

/* Nothing has one chunk, whose sum is +0. */
static size_t chunks_of(size_t n)
{
    return n == 0 ? 1 : (n - 1) / TRN_CUDA_RED_CHUNK + 1;
}

template <typename Term>
static enum snap_status level(struct trn_backend *backend, const Term &term, size_t n, float *out,
                              struct snap_error *err)
{
    const size_t chunks = chunks_of(n), blocks = (chunks - 1) / WARPS + 1;
    return trn_cuda_launch(
        backend, "reduce", reduce_level<Term>,
        dim3(blocks < TRN_CUDA_MAX_BLOCKS ? (unsigned)blocks : TRN_CUDA_MAX_BLOCKS),
        dim3(WARPS * TRN_CUDA_WARP), err, term, n, chunks, out);
}

template <typename Term>
static enum snap_status reduce_all(struct trn_backend *backend, const Term &first, size_t n,
                                   float *out, struct snap_error *err)
{
    const size_t below = chunks_of(n);
    float *from, *to;
    void *scratch;
    enum snap_status status;
    if (below == 1) {
        return level(backend, first, n, out, err);
    }
    status = trn_cuda_scratch(backend, (below + chunks_of(below)) * sizeof(float), &scratch, err);
    if (status != SNAP_OK) {
        return status;
    }
    from = static_cast<float *>(scratch);
    to = from + below;
    status = level(backend, first, n, from, err);
    for (n = below; status == SNAP_OK && n > 1; n = chunks_of(n)) {
        const struct trn_cuda_sum term = { from };
        float *next = chunks_of(n) == 1 ? out : to;
        status = level(backend, term, n, next, err);
        to = from;
        from = next;
    }
    return status;
}

extern "C" enum snap_status trn_cuda_reduce(struct trn_backend *backend, const float *x, size_t n,
                                            float *out, struct snap_error *err)
{
    const struct trn_cuda_sum term = { x };
    return reduce_all(backend, term, n, out, err);
}

extern "C" enum snap_status trn_cuda_reduce_product(struct trn_backend *backend, const float *x,
                                                    const float *y, size_t n, float *out,
                                                    struct snap_error *err)
{
    const struct trn_cuda_product term = { x, y };
    return reduce_all(backend, term, n, out, err);
}
