/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of cuda_gemm.h. A block owns a tile of the output, each of its threads some outputs
 * of it. k runs in steps through stages of shared memory: one is read, the others are being filled.
 * A thread reads its operands of the next k while it multiplies those of the last, over the end of
 * a step too. After every TRN_CUDA_KC k's the partial sums leave the registers: they are added to
 * the output in order, or kept beside each other and added up by a second kernel. Neither changes a
 * bit. What lies past the end of k is +0 in both operands. */
#ifndef TRN_CUDA_GEMM_KERNEL_H
#define TRN_CUDA_GEMM_KERNEL_H

#include "ops/cuda/cuda_operand.h"

#define TRN_CUDA_KC ((size_t)512)

/* (rows, columns) outputs and what becomes of partial sums. Of several products at once, the one
 * of number y is that of blocks with blockIdx.y == y; operands look at it too. */
struct trn_cuda_gemm {
    size_t m, n, k;
    const float *bias; /* (n) or NULL */
    float *out;        /* (m, n) */
    float *parts;      /* (chunks, m, n) or NULL: chunks are added to `out` one after the other */
    size_t pitch;      /* floats from row to row of out; 0: n, and one product, which may use
                        * scratch memory */
    size_t products, inner; /* with a pitch: how many; product y is at out + y / inner * */
    size_t outer_step, inner_step; /* outer_step + y % inner * inner_step */
};

/* A tile of TILE_Y x TILE_X outputs, OUT_Y x OUT_X of them a thread's; STAGES of STEP k in shared
 * memory; so many registers that BLOCKS fit a multiprocessor. A warp has 4 x 8 of the threads. */
template <unsigned TILE_Y, unsigned TILE_X, unsigned OUT_Y, unsigned OUT_X, unsigned STEP,
          unsigned STAGES, unsigned BLOCKS>
struct trn_cuda_shape {
    static constexpr unsigned tile_y = TILE_Y, tile_x = TILE_X, out_y = OUT_Y, out_x = OUT_X;
    static constexpr unsigned step = STEP, stages = STAGES, blocks = BLOCKS;
    static constexpr unsigned side_y = TILE_Y / OUT_Y, side_x = TILE_X / OUT_X;
    static constexpr unsigned threads = side_y * side_x;

    static __device__ __forceinline__ unsigned x()
    {
        return threadIdx.x / TRN_CUDA_WARP % (side_x / 8) * 8 + threadIdx.x % 8;
    }

    static __device__ __forceinline__ unsigned y()
    {
        return threadIdx.x / TRN_CUDA_WARP / (side_x / 8) * 4 + threadIdx.x % TRN_CUDA_WARP / 8;
    }
};

/* The last words on an output: + 0, then the bias, + 0. */
static __device__ inline float trn_cuda_finish(float value, const float *bias, size_t column)
{
    value = __fadd_rn(value, 0.0f);
    return bias ? __fadd_rn(__fadd_rn(value, bias[column]), 0.0f) : value;
}

/* The outputs of a thread are quads of rows and columns. Threads that are neighbours have
 * neighbouring quads, for the sake of the banks of shared memory; the next quad of a thread comes
 * after those of all SIDE threads. */
template <unsigned SIDE>
static __device__ __forceinline__ unsigned trn_cuda_output(unsigned thread, unsigned i)
{
    return i / 4 * (4 * SIDE) + thread * 4 + i % 4;
}

/* What the outputs of a tile need to know, kept in shared memory and read as volatile: in registers
 * the compiler would keep an address for each output through the whole loop over k. */
struct trn_cuda_corner {
    size_t n;               /* floats from row to row */
    size_t first;           /* of the tile's first output */
    unsigned rows, columns; /* of the tile, as far as there are outputs */
};

/* Partial sums of one chunk leave the registers. */
template <typename SHAPE>
static __device__ __forceinline__ void
trn_cuda_flush(const struct trn_cuda_gemm &g, const volatile struct trn_cuda_corner *corner,
               size_t column0, size_t chunk, bool last, float acc[SHAPE::out_y][SHAPE::out_x])
{
    float *to = (g.parts ? g.parts + chunk * g.m * g.n : g.out) + corner->first;
    const bool add = !g.parts && chunk != 0, finish = !g.parts && last;
    const unsigned all_rows = corner->rows, all_columns = corner->columns;
    const size_t pitch = corner->n;
#pragma unroll
    for (unsigned first = 0; first < SHAPE::out_y; first += 4) {
        /* Four rows are read before one is written: a load would wait for each store before it. */
        float before[4][SHAPE::out_x];
#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            const unsigned row = trn_cuda_output<SHAPE::side_y>(SHAPE::y(), first + i);
#pragma unroll
            for (unsigned j = 0; j < SHAPE::out_x; j++) {
                const unsigned column = trn_cuda_output<SHAPE::side_x>(SHAPE::x(), j);
                before[i][j] = add && row < all_rows && column < all_columns
                                   ? to[row * pitch + column]
                                   : 0.0f;
            }
        }
#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            const unsigned row = trn_cuda_output<SHAPE::side_y>(SHAPE::y(), first + i);
#pragma unroll
            for (unsigned j = 0; j < SHAPE::out_x; j++) {
                const unsigned column = trn_cuda_output<SHAPE::side_x>(SHAPE::x(), j);
                float value = acc[first + i][j];
                acc[first + i][j] = 0.0f;
                if (row < all_rows && column < all_columns) {
                    value = add ? __fadd_rn(before[i][j], value) : value;
                    to[row * pitch + column] =
                        finish ? trn_cuda_finish(value, g.bias, column0 + column) : value;
                }
            }
        }
    }
}

/* Of one k, what a thread multiplies. */
template <typename SHAPE> struct trn_cuda_operands {
    float4 a[SHAPE::out_y / 4], b[SHAPE::out_x / 4];

    __device__ __forceinline__ void read(const float *row_a, const float *row_b)
    {
#pragma unroll
        for (unsigned q = 0; q < SHAPE::out_y / 4; q++) {
            a[q] = *reinterpret_cast<const float4 *>(
                &row_a[trn_cuda_output<SHAPE::side_y>(SHAPE::y(), 4 * q)]);
        }
#pragma unroll
        for (unsigned q = 0; q < SHAPE::out_x / 4; q++) {
            b[q] = *reinterpret_cast<const float4 *>(
                &row_b[trn_cuda_output<SHAPE::side_x>(SHAPE::x(), 4 * q)]);
        }
    }

    __device__ __forceinline__ void multiply(float acc[SHAPE::out_y][SHAPE::out_x]) const
    {
#pragma unroll
        for (unsigned i = 0; i < SHAPE::out_y; i++) {
            const float4 of = a[i / 4];
            const float x = i % 4 == 0 ? of.x : i % 4 == 1 ? of.y : i % 4 == 2 ? of.z : of.w;
#pragma unroll
            for (unsigned q = 0; q < SHAPE::out_x / 4; q++) {
                acc[i][4 * q + 0] = __fmaf_rn(x, b[q].x, acc[i][4 * q + 0]);
                acc[i][4 * q + 1] = __fmaf_rn(x, b[q].y, acc[i][4 * q + 1]);
                acc[i][4 * q + 2] = __fmaf_rn(x, b[q].z, acc[i][4 * q + 2]);
                acc[i][4 * q + 3] = __fmaf_rn(x, b[q].w, acc[i][4 * q + 3]);
            }
        }
    }
};

/* gridDim.z is 1, or with `parts` the number of chunks. */
template <typename SHAPE, typename A, typename B>
static __global__ void __launch_bounds__(SHAPE::threads, SHAPE::blocks)
    trn_cuda_gemm_tiles(struct trn_cuda_gemm g, A a, B b, size_t row_tiles)
{
    constexpr unsigned STEP = SHAPE::step, STAGES = SHAPE::stages;
    static_assert(TRN_CUDA_KC % STEP == 0 && STEP % 2 == 0 && STAGES >= 2,
                  "chunks end with a step, and operands take turns");
    __shared__ __align__(16) float stages_a[STAGES][STEP][SHAPE::tile_y + TRN_CUDA_PAD];
    __shared__ __align__(16) float stages_b[STAGES][STEP][SHAPE::tile_x + TRN_CUDA_PAD];
    __shared__ struct trn_cuda_corner corner;
    const size_t row0 = blockIdx.x % row_tiles * SHAPE::tile_y;
    const size_t column0 = blockIdx.x / row_tiles * SHAPE::tile_x;
    const size_t begin = (size_t)blockIdx.z * TRN_CUDA_KC;
    const size_t many = gridDim.z > 1 && g.k - begin > TRN_CUDA_KC ? TRN_CUDA_KC : g.k - begin;
    const unsigned whole_steps = (unsigned)(many / STEP), rest = (unsigned)(many % STEP);
    const unsigned steps = whole_steps + (rest != 0);
    const unsigned rows_a = g.m - row0 < SHAPE::tile_y ? (unsigned)(g.m - row0) : SHAPE::tile_y;
    const unsigned rows_b =
        g.n - column0 < SHAPE::tile_x ? (unsigned)(g.n - column0) : SHAPE::tile_x;
    typename A::template share<SHAPE::tile_y, STEP, SHAPE::threads> share_a(a, row0, begin);
    typename B::template share<SHAPE::tile_x, STEP, SHAPE::threads> share_b(b, column0, begin);
    struct trn_cuda_operands<SHAPE> operands[2];
    float acc[SHAPE::out_y][SHAPE::out_x] = { { 0.0f } };
    unsigned begun = 0, stage = 0;

    if (threadIdx.x == 0) {
        corner.n = g.pitch;
        corner.first = row0 * g.pitch + column0 + blockIdx.y / g.inner * g.outer_step +
                       blockIdx.y % g.inner * g.inner_step;
        corner.rows = rows_a;
        corner.columns = rows_b;
    }
    /* Begin to fill a stage with the next step. */
    const auto begin_step = [&](unsigned to) {
        if (begun < whole_steps && rows_a == SHAPE::tile_y && rows_b == SHAPE::tile_x) {
            share_a.template begin<true>(a, stages_a[to][0], SHAPE::tile_y, STEP);
            share_b.template begin<true>(b, stages_b[to][0], SHAPE::tile_x, STEP);
        } else if (begun < steps) {
            const unsigned left = begun < whole_steps ? STEP : rest;
            share_a.template begin<false>(a, stages_a[to][0], rows_a, left);
            share_b.template begin<false>(b, stages_b[to][0], rows_b, left);
        }
        begun++;
        __pipeline_commit(); /* where nothing is left, too: they are counted */
    };
    for (unsigned s = 0; s + 1 < STAGES; s++) {
        begin_step(s);
        share_a.end(stages_a[s][0]);
        share_b.end(stages_b[s][0]);
    }
    __pipeline_wait_prior(STAGES - 2);
    __syncthreads();
    operands[0].read(stages_a[0][0], stages_b[0][0]);
    for (unsigned step = 0; step < steps;) {
        const unsigned first = step;
        const unsigned chunk_end = steps - step < TRN_CUDA_KC / STEP
                                       ? steps : step + (unsigned)TRN_CUDA_KC / STEP;
#pragma unroll 1
        for (; step < chunk_end; step++) {
            const unsigned last = (stage + STAGES - 1) % STAGES; /* read by all, before a barrier */
            begin_step(last);
#pragma unroll
            for (unsigned k = 0; k < STEP; k++) {
                if (k == STEP - 1) { /* on to the next stage */
                    share_a.end(stages_a[last][0]);
                    share_b.end(stages_b[last][0]);
                    __pipeline_wait_prior(STAGES - 2);
                    __syncthreads();
                    stage = (stage + 1) % STAGES;
                }
                operands[(k + 1) % 2].read(stages_a[stage][(k + 1) % STEP],
                                           stages_b[stage][(k + 1) % STEP]);
                operands[k % 2].multiply(acc);
            }
        }
        trn_cuda_flush<SHAPE>(g, &corner, column0, blockIdx.z + first / (TRN_CUDA_KC / STEP),
                              step == steps, acc);
    }
}

/* Add up the chunks of each output, in order; of none the sum is +0. Many are read before the first
 * is added: each addition waits for the one before. */
static __global__ void trn_cuda_gemm_merge(struct trn_cuda_gemm g, size_t chunks)
{
    constexpr unsigned AHEAD = 32;
    const size_t count = g.m * g.n;
    for (size_t at = trn_cuda_first(); at < count; at += trn_cuda_step()) {
        const float *part = chunks == 0 ? NULL : g.parts + at;
        float value = chunks == 0 ? 0.0f : *part;
        size_t chunk = 1;
        for (; chunk + AHEAD <= chunks; chunk += AHEAD) {
            float next[AHEAD];
#pragma unroll
            for (unsigned i = 0; i < AHEAD; i++) {
                next[i] = part[(chunk + i) * count];
            }
#pragma unroll
            for (unsigned i = 0; i < AHEAD; i++) {
                value = __fadd_rn(value, next[i]);
            }
        }
        for (; chunk < chunks; chunk++) {
            value = __fadd_rn(value, part[chunk * count]);
        }
        g.out[at] = trn_cuda_finish(value, g.bias, g.bias ? at % g.n : 0);
    }
}

#endif
