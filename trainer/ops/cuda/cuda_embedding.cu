/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a table by token, and the sum of gradients for each row of the table. */
#include "ops/cuda/cuda_backend.h"

#define HIT_BLOCK 1024u /* hits of one partial sum: part of the definition */
#define HIT_COL 128u    /* partial sums of one block of COL */
#define HIT_LEVELS 4    /* 1024 * 128^4 hits are more than memory holds */

static __device__ size_t token_of(const struct trn_embedding &e, size_t row)
{
    return e.tokens ? (size_t)e.tokens[row] : row % e.vocabulary;
}

static __global__ void embedding_forward(struct trn_embedding e, const float *w, const float *x,
                                         float *y)
{
    for (size_t i = trn_cuda_first(); i < e.rows * e.width; i += trn_cuda_step()) {
        const float value = w[token_of(e, i / e.width) * e.width + i % e.width];
        y[i] = x ? __fadd_rn(x[i], value) : value;
    }
}

/* One element of the table: it goes through the rows in order and adds those of its token. sums[0]
 * is of the hits under way, sums[l] of the blocks of level l - 1 that are whole. */
static __global__ void embedding_backward(struct trn_embedding e, const float *dy, float *dw)
{
    for (size_t i = trn_cuda_first(); i < e.vocabulary * e.width; i += trn_cuda_step()) {
        const size_t token = i / e.width, column = i % e.width;
        const size_t first = e.tokens ? 0 : token, step = e.tokens ? 1 : e.vocabulary;
        float sums[HIT_LEVELS + 1] = { 0.0f };
        unsigned counts[HIT_LEVELS + 1] = { 0 };
        for (size_t row = first; row < e.rows; row += step) {
            if (token_of(e, row) != token) {
                continue;
            }
#pragma unroll
            for (int level = 0; level < HIT_LEVELS; level++) {
                if (counts[level] == (level == 0 ? HIT_BLOCK : HIT_COL)) {
                    sums[level + 1] = __fadd_rn(sums[level + 1], sums[level]);
                    counts[level + 1]++;
                    sums[level] = 0.0f;
                    counts[level] = 0;
                }
            }
            sums[0] = __fadd_rn(sums[0], dy[row * e.width + column]);
            counts[0]++;
        }
#pragma unroll
        for (int level = 0; level < HIT_LEVELS; level++) {
            sums[level + 1] = __fadd_rn(sums[level + 1], sums[level]);
        }
        dw[i] = sums[HIT_LEVELS];
    }
}

extern "C" enum snap_status trn_cuda_embedding_forward(struct trn_backend *backend,
                                                       const struct trn_embedding *embedding,
                                                       const float *w, const float *x, float *y,
                                                       struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "embedding", embedding_forward,
                                embedding->rows * embedding->width, err, *embedding, w, x, y);
}

extern "C" enum snap_status trn_cuda_embedding_backward(struct trn_backend *backend,
                                                        const struct trn_embedding *embedding,
                                                        const float *dy, float *dw,
                                                        struct snap_error *err)
{
    return trn_cuda_launch_over(backend, "embedding, backward", embedding_backward,
                                embedding->vocabulary * embedding->width, err, *embedding, dy, dw);
}
