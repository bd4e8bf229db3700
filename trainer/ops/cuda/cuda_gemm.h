/* SPDX-License-Identifier: Apache-2.0 */
/* DOT for all matrix products. A block of 16 x 16 threads owns a tile of the output, each thread
 * R x R outputs of it. k runs in steps through shared memory, of which there are two halves: one is
 * read while the next step is fetched into registers. After every TRN_KC k's the partial sums leave
 * the registers: they are added to the output in order, or, where there are few tiles and many
 * chunks, kept beside each other and added up by a second kernel. Neither changes a bit. What lies
 * past the end of k is +0 in both operands.
 *
 * An operand is a struct with
 *   K_FIRST           true: neighbours in k are neighbours in memory, so a thread fetches four of
 *                     them; false: neighbouring threads fetch neighbouring rows (or columns)
 *   struct place      what is known of a row (or column) before k is
 *   at(row)           the place; row < rows
 *   fetch(place, k, end, v)   the elements k..k+3, +0 from `end` on */
#ifndef TRN_CUDA_GEMM_H
#define TRN_CUDA_GEMM_H

#include "ops/cuda/cuda_backend.h"

#define TRN_CUDA_KC ((size_t)512)
#define TRN_CUDA_SIDE 16u /* threads along one side of a tile */
#define TRN_CUDA_PAD 4u   /* floats; keeps rows apart in the banks, and 16 bytes aligned */

/* Elements k..k+3 of those that lie `step` apart, +0 from `end` on. */
static __device__ inline void trn_cuda_fetch(const float *from, size_t step, size_t k, size_t end,
                                             float v[4])
{
#pragma unroll
    for (unsigned q = 0; q < 4; q++) {
        v[q] = k + q < end ? from[(k + q) * step] : 0.0f;
    }
}

/* Element (row, k) is at row * k_total + k. */
struct trn_cuda_rows_of_k {
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
        trn_cuda_fetch(place.row, 1, k, end, v);
    }
};

/* Element (row, k) is at k * rows + row. */
struct trn_cuda_columns_of_k {
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
        trn_cuda_fetch(place.row, rows, k, end, v);
    }
};

static inline struct trn_cuda_rows_of_k trn_cuda_by_rows(const float *from, size_t k)
{
    const bool quads = k % 4 == 0 && reinterpret_cast<uintptr_t>(from) % 16 == 0;
    const struct trn_cuda_rows_of_k operand = { from, k, quads };
    return operand;
}

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

static inline size_t trn_cuda_chunks(size_t k)
{
    return k / TRN_CUDA_KC + (k % TRN_CUDA_KC != 0);
}

/* The last words on an output: + 0, then the bias, + 0. */
static __device__ inline float trn_cuda_finish(float value, const float *bias, size_t column)
{
    value = __fadd_rn(value, 0.0f);
    return bias ? __fadd_rn(__fadd_rn(value, bias[column]), 0.0f) : value;
}

/* A thread's share of the fetching: one row, four k's of a step. */
template <unsigned TILE, unsigned STEP, bool K_FIRST> struct trn_cuda_share {
    unsigned row, k;
    __device__ trn_cuda_share(unsigned thread)
    {
        row = K_FIRST ? thread / (STEP / 4) : thread % TILE;
        k = K_FIRST ? thread % (STEP / 4) * 4 : thread / TILE * 4;
    }
};

/* R x R outputs of a thread are quads of rows and columns, 64 apart: threads that are neighbours
 * then read neighbouring quads of shared memory. */
template <unsigned R>
static __device__ inline unsigned trn_cuda_output(unsigned thread, unsigned i)
{
    return i / 4 * 64 + thread * 4 + i % 4;
}

/* What the outputs of a tile need to know, kept in shared memory and read as volatile: in registers
 * the compiler would keep 64 addresses through the whole loop over k. */
struct trn_cuda_corner {
    size_t n;               /* floats from row to row */
    size_t first;           /* of the tile's first output */
    unsigned rows, columns; /* of the tile, as far as there are outputs */
};

/* Partial sums of one chunk leave the registers. */
template <unsigned R>
static __device__ __forceinline__ void trn_cuda_flush(const struct trn_cuda_gemm &g,
                                                      const volatile struct trn_cuda_corner *corner,
                                                      size_t column0, size_t chunk, bool last,
                                                      float acc[R][R])
{
    const unsigned tx = threadIdx.x % TRN_CUDA_SIDE, ty = threadIdx.x / TRN_CUDA_SIDE;
    float *to = (g.parts ? g.parts + chunk * g.m * g.n : g.out) + corner->first;
    const bool add = !g.parts && chunk != 0, finish = !g.parts && last;
    const unsigned all_rows = corner->rows, all_columns = corner->columns;
    const size_t pitch = corner->n;
#pragma unroll
    for (unsigned first = 0; first < R; first += 4) {
        /* Four rows are read before one is written: a load would wait for each store before it. */
        float before[4][R];
#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            const unsigned row = trn_cuda_output<R>(ty, first + i);
#pragma unroll
            for (unsigned j = 0; j < R; j++) {
                const unsigned column = trn_cuda_output<R>(tx, j);
                before[i][j] = add && row < all_rows && column < all_columns
                                   ? to[row * pitch + column]
                                   : 0.0f;
            }
        }
#pragma unroll
        for (unsigned i = 0; i < 4; i++) {
            const unsigned row = trn_cuda_output<R>(ty, first + i);
#pragma unroll
            for (unsigned j = 0; j < R; j++) {
                const unsigned column = trn_cuda_output<R>(tx, j);
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

/* gridDim.z is 1, or with `parts` the number of chunks. */
template <unsigned R, typename A, typename B>
static __global__ void __launch_bounds__(256, R == 8 ? 2 : 4)
    trn_cuda_gemm_tiles(struct trn_cuda_gemm g, A a, B b, size_t row_tiles)
{
    constexpr unsigned TILE = TRN_CUDA_SIDE * R, STEP = 1024 / TILE, ROW = TILE + TRN_CUDA_PAD;
    __shared__ __align__(16) float shared_a[2][STEP][ROW];
    __shared__ __align__(16) float shared_b[2][STEP][ROW];
    __shared__ struct trn_cuda_corner corner;
    const trn_cuda_share<TILE, STEP, A::K_FIRST> share_a(threadIdx.x);
    const trn_cuda_share<TILE, STEP, B::K_FIRST> share_b(threadIdx.x);
    const unsigned tx = threadIdx.x % TRN_CUDA_SIDE, ty = threadIdx.x / TRN_CUDA_SIDE;
    const size_t row0 = blockIdx.x % row_tiles * TILE, column0 = blockIdx.x / row_tiles * TILE;
    const size_t begin = (size_t)blockIdx.z * TRN_CUDA_KC;
    const size_t end = gridDim.z > 1 && g.k - begin > TRN_CUDA_KC ? begin + TRN_CUDA_KC : g.k;
    const bool has_a = row0 + share_a.row < g.m, has_b = column0 + share_b.row < g.n;
    const typename A::place place_a = a.at(has_a ? row0 + share_a.row : row0);
    const typename B::place place_b = b.at(has_b ? column0 + share_b.row : column0);
    float next_a[4] = { 0.0f }, next_b[4] = { 0.0f };
    float acc[R][R] = { { 0.0f } };
    unsigned half = 0;

    if (threadIdx.x == 0) {
        corner.n = g.pitch;
        corner.first = row0 * g.pitch + column0 + blockIdx.y / g.inner * g.outer_step +
                       blockIdx.y % g.inner * g.inner_step;
        corner.rows = g.m - row0 < TILE ? (unsigned)(g.m - row0) : TILE;
        corner.columns = g.n - column0 < TILE ? (unsigned)(g.n - column0) : TILE;
    }
    if (has_a) {
        a.fetch(place_a, begin + share_a.k, end, next_a);
    }
    if (has_b) {
        b.fetch(place_b, begin + share_b.k, end, next_b);
    }
    for (size_t k0 = begin; k0 < end; k0 += STEP) {
#pragma unroll
        for (unsigned q = 0; q < 4; q++) {
            shared_a[half][share_a.k + q][share_a.row] = next_a[q];
            shared_b[half][share_b.k + q][share_b.row] = next_b[q];
        }
        __syncthreads();
        if (has_a && k0 + STEP < end) {
            a.fetch(place_a, k0 + STEP + share_a.k, end, next_a);
        }
        if (has_b && k0 + STEP < end) {
            b.fetch(place_b, k0 + STEP + share_b.k, end, next_b);
        }
#pragma unroll
        for (unsigned k = 0; k < STEP; k++) {
            float4 quad_a[R / 4], quad_b[R / 4];
#pragma unroll
            for (unsigned q = 0; q < R / 4; q++) {
                quad_a[q] = *reinterpret_cast<const float4 *>(
                    &shared_a[half][k][trn_cuda_output<R>(ty, 4 * q)]);
                quad_b[q] = *reinterpret_cast<const float4 *>(
                    &shared_b[half][k][trn_cuda_output<R>(tx, 4 * q)]);
            }
#pragma unroll
            for (unsigned i = 0; i < R; i++) {
                const float4 qa = quad_a[i / 4];
                const float x = i % 4 == 0 ? qa.x : i % 4 == 1 ? qa.y : i % 4 == 2 ? qa.z : qa.w;
#pragma unroll
                for (unsigned q = 0; q < R / 4; q++) {
                    acc[i][4 * q + 0] = __fmaf_rn(x, quad_b[q].x, acc[i][4 * q + 0]);
                    acc[i][4 * q + 1] = __fmaf_rn(x, quad_b[q].y, acc[i][4 * q + 1]);
                    acc[i][4 * q + 2] = __fmaf_rn(x, quad_b[q].z, acc[i][4 * q + 2]);
                    acc[i][4 * q + 3] = __fmaf_rn(x, quad_b[q].w, acc[i][4 * q + 3]);
                }
            }
        }
        half ^= 1; /* its other half was read before the barrier above */
        if ((k0 + STEP) % TRN_CUDA_KC == 0 || k0 + STEP >= end) {
            trn_cuda_flush<R>(g, &corner, column0, k0 / TRN_CUDA_KC, k0 + STEP >= end, acc);
        }
    }
}

/* Add up the chunks of each output, in order; of none the sum is +0. */
static __global__ void trn_cuda_gemm_merge(struct trn_cuda_gemm g, size_t chunks)
{
    for (size_t at = trn_cuda_first(); at < g.m * g.n; at += trn_cuda_step()) {
        float value = chunks == 0 ? 0.0f : g.parts[at];
        for (size_t chunk = 1; chunk < chunks; chunk++) {
            value = __fadd_rn(value, g.parts[chunk * g.m * g.n + at]);
        }
        g.out[at] = trn_cuda_finish(value, g.bias, at % g.n);
    }
}

/* Memory that chunks beside each other may take. */
#define TRN_CUDA_MAX_PARTS_BYTES ((size_t)64 << 20)

template <unsigned R, typename A, typename B>
static enum snap_status trn_cuda_gemm_run(struct trn_backend *backend, const char *what,
                                          struct trn_cuda_gemm g, const A &a, const B &b,
                                          struct snap_error *err)
{
    const struct trn_cuda *cuda = trn_cuda_of(backend);
    const size_t tile = TRN_CUDA_SIDE * R;
    const size_t row_tiles = (g.m - 1) / tile + 1, tiles = row_tiles * ((g.n - 1) / tile + 1);
    const size_t chunks = trn_cuda_chunks(g.k), parts_bytes = chunks * g.m * g.n * sizeof(float);
    const bool few =
        tiles < 2 * (size_t)cuda->processors && parts_bytes <= TRN_CUDA_MAX_PARTS_BYTES;
    enum snap_status status = SNAP_OK;
    const bool alone = g.pitch == 0; /* else its operands may lie in scratch memory */
    if (alone) {
        g.pitch = g.n;
        g.products = g.inner = 1;
    }
    if (alone && chunks > 1 && chunks <= TRN_CUDA_MAX_BLOCKS &&
        (cuda->ways.split > 0 || (cuda->ways.split == 0 && few))) {
        void *scratch;
        status = trn_cuda_scratch(backend, parts_bytes, &scratch, err);
        if (status != SNAP_OK) {
            return status;
        }
        g.parts = static_cast<float *>(scratch);
    }
    if (tiles > 0x7fffffffu || g.products > TRN_CUDA_MAX_BLOCKS) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "device cuda:%d: %s: %zu outputs of %zu x %zu are more than one "
                              "grid covers", cuda->device, what, g.products, g.m, g.n);
    }
    status = trn_cuda_launch(backend, what, trn_cuda_gemm_tiles<R, A, B>,
                             dim3((unsigned)tiles, (unsigned)g.products,
                                  g.parts ? (unsigned)chunks : 1),
                             dim3(256), err, g, a, b, row_tiles);
    if (status == SNAP_OK && g.parts) {
        status = trn_cuda_launch_over(backend, what, trn_cuda_gemm_merge, g.m * g.n, err, g,
                                      chunks);
    }
    return status;
}

/* Large tiles where they fill the device, else small ones. */
template <typename A, typename B>
static enum snap_status trn_cuda_gemm_any(struct trn_backend *backend, const char *what,
                                          const struct trn_cuda_gemm &g, const A &a, const B &b,
                                          struct snap_error *err)
{
    const struct trn_cuda *cuda = trn_cuda_of(backend);
    if (g.m == 0 || g.n == 0) {
        return SNAP_OK;
    }
    if (g.k == 0) {
        return trn_cuda_launch_over(backend, what, trn_cuda_gemm_merge, g.m * g.n, err, g,
                                    (size_t)0);
    }
    const size_t large = ((g.m - 1) / 128 + 1) * ((g.n - 1) / 128 + 1) *
                         (g.pitch == 0 ? 1 : g.products);
    if (cuda->ways.tile == 128 ||
        (cuda->ways.tile == 0 && g.m > 64 && g.n > 64 && large >= (size_t)cuda->processors)) {
        return trn_cuda_gemm_run<8>(backend, what, g, a, b, err);
    }
    return trn_cuda_gemm_run<4>(backend, what, g, a, b, err);
}

#endif
