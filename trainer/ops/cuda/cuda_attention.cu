/* SPDX-License-Identifier: Apache-2.0 */
/* Causal self-attention: products of all heads at once, and a warp for each row of a softmax. Later
 * places have weight +0 in the products, as the definition says. */
#include "ops/cuda/cuda_gemm.h"
#include "ops/cuda/cuda_reduce.h"
#include "ops/math_functions.h"

#define ROWS_OF_A_BLOCK 4u /* warps */

/* Part 0, 1 or 2 (query, key, value) of qkv; y or dy; a square of places for each head. */
static struct trn_cuda_matrix part_of(const struct trn_attention *a, const float *qkv, size_t part)
{
    const size_t wide = a->heads * a->width;
    const struct trn_cuda_matrix found = { qkv + part * wide, 3 * wide, a->heads,
                                           a->places * 3 * wide, a->width };
    return found;
}

static struct trn_cuda_matrix output_of(const struct trn_attention *a, const float *y)
{
    const size_t wide = a->heads * a->width;
    const struct trn_cuda_matrix found = { y, wide, a->heads, a->places * wide, a->width };
    return found;
}

static struct trn_cuda_matrix square_of(const struct trn_attention *a, const float *weights)
{
    const size_t square = a->places * a->places;
    const struct trn_cuda_matrix found = { weights, a->places, a->heads, a->heads * square,
                                           square };
    return found;
}

/* How a product takes a matrix of each head: whose rows are k, or whose columns are. */
enum head_use { ROWS_ARE_K, COLUMNS_ARE_K };

template <enum head_use USE, bool QUADS> struct head_operand {
    static constexpr enum trn_cuda_next next =
        USE == COLUMNS_ARE_K ? (QUADS ? TRN_CUDA_K_QUADS : TRN_CUDA_K)
                             : (QUADS ? TRN_CUDA_ROW_QUADS : TRN_CUDA_ROWS);
    typedef trn_cuda_operand<next> type;
};

/* out = the products of all heads, (places, n) each, over k. `out` is written where `to` says. */
template <enum head_use LEFT, enum head_use RIGHT>
static enum snap_status multiply(struct trn_backend *backend, const struct trn_attention *a,
                                 const char *what, const struct trn_cuda_matrix &left,
                                 const struct trn_cuda_matrix &right, size_t n, size_t k,
                                 const struct trn_cuda_matrix &to, float *out,
                                 struct snap_error *err)
{
    const bool quads = trn_cuda_in_quads(left, LEFT == COLUMNS_ARE_K ? k : a->places) &&
                       trn_cuda_in_quads(right, RIGHT == COLUMNS_ARE_K ? k : n);
    struct trn_cuda_gemm g = trn_cuda_gemm();
    g.m = a->places;
    g.n = n;
    g.k = k;
    g.out = out;
    g.pitch = to.step;
    g.products = a->samples * a->heads;
    g.inner = to.inner;
    g.outer_step = to.outer_step;
    g.inner_step = to.inner_step;
    if (g.products == 0) {
        return SNAP_OK;
    }
    if (quads) {
        return trn_cuda_gemm_any(backend, what, g, typename head_operand<LEFT, true>::type{ left },
                                 typename head_operand<RIGHT, true>::type{ right }, err);
    }
    return trn_cuda_gemm_any(backend, what, g, typename head_operand<LEFT, false>::type{ left },
                             typename head_operand<RIGHT, false>::type{ right }, err);
}

/* EXP(s - m), kept in its place. */
struct attention_exponential {
    float *s;
    float m;
    __device__ float add(size_t i, float sum) const
    {
        s[i] = trn_expf(__fsub_rn(s[i], m));
        return __fadd_rn(sum, s[i]);
    }
};

/* Row i looks at the first i % places + 1 elements; a lane comes back to those it left. */
static __global__ void attention_softmax(size_t rows, size_t places, float scale, float *weights)
{
    const unsigned lane = threadIdx.x % TRN_CUDA_WARP;
    const size_t step = (size_t)gridDim.x * ROWS_OF_A_BLOCK;
    for (size_t row = (size_t)blockIdx.x * ROWS_OF_A_BLOCK + threadIdx.x / TRN_CUDA_WARP;
         row < rows; row += step) {
        const size_t seen = row % places + 1;
        float *s = weights + row * places;
        float m = __fmul_rn(s[0], scale);
        __syncwarp(); /* all have read s[0] before its lane changes it */
        for (size_t j = lane; j < seen; j += TRN_CUDA_WARP) {
            s[j] = __fmul_rn(s[j], scale);
            m = s[j] > m ? s[j] : m;
        }
        for (unsigned half = TRN_CUDA_WARP / 2; half > 0; half /= 2) {
            const float other = __shfl_xor_sync(TRN_CUDA_ALL_LANES, m, (int)half);
            m = other > m ? other : m;
        }
        const struct attention_exponential term = { s, m };
        const float r = __fdiv_rn(1.0f, trn_cuda_row_reduce(term, seen));
        for (size_t j = lane; j < places; j += TRN_CUDA_WARP) {
            s[j] = j < seen ? __fmul_rn(s[j], r) : 0.0f;
        }
    }
}

/* Gradients of the products, in place of those of the weights. */
static __global__ void attention_slopes(size_t rows, size_t places, float scale,
                                        const float *weights, float *slopes)
{
    const unsigned lane = threadIdx.x % TRN_CUDA_WARP;
    const size_t step = (size_t)gridDim.x * ROWS_OF_A_BLOCK;
    for (size_t row = (size_t)blockIdx.x * ROWS_OF_A_BLOCK + threadIdx.x / TRN_CUDA_WARP;
         row < rows; row += step) {
        const size_t seen = row % places + 1;
        const float *p = weights + row * places;
        float *dp = slopes + row * places;
        const struct trn_cuda_product term = { p, dp };
        const float t = trn_cuda_row_reduce(term, seen);
        for (size_t j = lane; j < places; j += TRN_CUDA_WARP) {
            dp[j] = j < seen ? __fmul_rn(__fmul_rn(p[j], __fsub_rn(dp[j], t)), scale) : 0.0f;
        }
    }
}

static dim3 row_blocks(size_t rows)
{
    const size_t blocks = rows / ROWS_OF_A_BLOCK + (rows % ROWS_OF_A_BLOCK != 0);
    return dim3(blocks < TRN_CUDA_MAX_BLOCKS ? (unsigned)blocks : TRN_CUDA_MAX_BLOCKS);
}

extern "C" enum snap_status trn_cuda_attention_forward(struct trn_backend *backend,
                                                       const struct trn_attention *a,
                                                       const float *qkv, float *weights, float *y,
                                                       struct snap_error *err)
{
    static const char what[] = "attention";
    const size_t rows = a->samples * a->heads * a->places;
    const struct trn_cuda_matrix q = part_of(a, qkv, 0), k = part_of(a, qkv, 1);
    const struct trn_cuda_matrix v = part_of(a, qkv, 2), p = square_of(a, weights);
    enum snap_status status;
    if (rows == 0) {
        return SNAP_OK;
    }
    status = multiply<COLUMNS_ARE_K, COLUMNS_ARE_K>(backend, a, what, q, k, a->places, a->width, p,
                                                    weights, err);
    if (status == SNAP_OK) {
        status = trn_cuda_launch(backend, what, attention_softmax, row_blocks(rows),
                                 dim3(ROWS_OF_A_BLOCK * TRN_CUDA_WARP), err, rows, a->places,
                                 a->scale, weights);
    }
    if (status == SNAP_OK) {
        status = multiply<COLUMNS_ARE_K, ROWS_ARE_K>(backend, a, what, p, v, a->width, a->places,
                                                     output_of(a, y), y, err);
    }
    return status;
}

extern "C" enum snap_status trn_cuda_attention_backward(struct trn_backend *backend,
                                                        const struct trn_attention *a,
                                                        const float *qkv, const float *weights,
                                                        const float *dy, float *dqkv,
                                                        struct snap_error *err)
{
    static const char what[] = "attention, backward";
    const size_t rows = a->samples * a->heads * a->places, wide = a->heads * a->width;
    const struct trn_cuda_matrix q = part_of(a, qkv, 0), k = part_of(a, qkv, 1);
    const struct trn_cuda_matrix v = part_of(a, qkv, 2), p = square_of(a, weights);
    const struct trn_cuda_matrix gradient = output_of(a, dy);
    void *scratch;
    enum snap_status status;
    if (rows == 0) {
        return SNAP_OK;
    }
    status = trn_cuda_scratch(backend, rows * a->places * sizeof(float), &scratch, err);
    if (status != SNAP_OK) {
        return status;
    }
    float *slopes = static_cast<float *>(scratch);
    const struct trn_cuda_matrix ds = square_of(a, slopes);
    status = multiply<COLUMNS_ARE_K, COLUMNS_ARE_K>(backend, a, what, gradient, v, a->places,
                                                    a->width, ds, slopes, err);
    if (status == SNAP_OK) {
        status = trn_cuda_launch(backend, what, attention_slopes, row_blocks(rows),
                                 dim3(ROWS_OF_A_BLOCK * TRN_CUDA_WARP), err, rows, a->places,
                                 a->scale, weights, slopes);
    }
    if (status == SNAP_OK) { /* dq */
        status = multiply<COLUMNS_ARE_K, ROWS_ARE_K>(backend, a, what, ds, k, a->width, a->places,
                                                     q, dqkv, err);
    }
    if (status == SNAP_OK) { /* dk */
        status = multiply<ROWS_ARE_K, ROWS_ARE_K>(backend, a, what, ds, q, a->width, a->places, q,
                                                  dqkv + wide, err);
    }
    if (status == SNAP_OK) { /* dv */
        status = multiply<ROWS_ARE_K, ROWS_ARE_K>(backend, a, what, p, gradient, a->width,
                                                  a->places, q, dqkv + 2 * wide, err);
    }
    return status;
}
