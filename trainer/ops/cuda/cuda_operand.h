/* SPDX-License-Identifier: Apache-2.0 */
/* The operands of a product (cuda_gemm.h). An operand is a struct with
 *
 *   struct share<TILE, STEP, BLOCK>        a thread's part in filling stages, of BLOCK threads:
 *                                          each has the elements of TILE rows (or columns) at STEP
 *                                          consecutive k, and element (row, k) is in place
 *                                          k * (TILE + TRN_CUDA_PAD) + row
 *   share(operand, first, k)               of the rows from `first` on, the first stage from k on
 *   begin<ALL>(operand, stage, rows, left) begins to read the part of the next stage. There are
 *                                          `rows` rows and `left` k: all, where ALL. +0 is what
 *                                          follows in k.
 *   end(stage)                             what was read is in the stage, or is once
 *                                          __pipeline_wait_prior has waited for it
 *
 * Rows past the last are something else in a stage: what comes of them is written nowhere. */
#ifndef TRN_CUDA_OPERAND_H
#define TRN_CUDA_OPERAND_H

#include <cuda_pipeline.h>

#include "ops/cuda/cuda_backend.h"

#define TRN_CUDA_PAD 4u /* floats; keeps rows apart in the banks, and 16 bytes aligned */

/* ---- matrices ---- */

/* What lies next to an element in memory: that of the next k or that of the next row. In QUADS of
 * either fours are 16 bytes aligned, and there are only whole ones. */
enum trn_cuda_next { TRN_CUDA_K, TRN_CUDA_K_QUADS, TRN_CUDA_ROWS, TRN_CUDA_ROW_QUADS };

/* Element (row, k) is at from + row * step + k (K) or from + row + k * step. Of several products at
 * once, that of number y = blockIdx.y is y / inner * outer_step + y % inner * inner_step further
 * on. */
struct trn_cuda_matrix {
    const float *from;
    size_t step;
    size_t inner, outer_step, inner_step;
};

static inline struct trn_cuda_matrix trn_cuda_plain(const float *from, size_t step)
{
    const struct trn_cuda_matrix matrix = { from, step, 1, 0, 0 };
    return matrix;
}

/* Whether the `count` elements next to each other come in quads. */
static inline bool trn_cuda_in_quads(const struct trn_cuda_matrix &m, size_t count)
{
    return (count | m.step | m.outer_step | m.inner_step) % 4 == 0 &&
           reinterpret_cast<uintptr_t>(m.from) % (4 * sizeof(float)) == 0;
}

template <enum trn_cuda_next NEXT> struct trn_cuda_operand {
    struct trn_cuda_matrix of;

    template <unsigned TILE, unsigned STEP, unsigned BLOCK> struct share {
        static constexpr bool BY_K = NEXT == TRN_CUDA_K || NEXT == TRN_CUDA_K_QUADS;
        static constexpr unsigned WIDE = NEXT == TRN_CUDA_K || NEXT == TRN_CUDA_ROWS ? 1 : 4;
        static constexpr unsigned ROW = TILE + TRN_CUDA_PAD;
        /* What the block reads at once is all rows, or more rows and few k. A piece is what a
         * thread has of it. */
        static constexpr unsigned FEW = 8, ALL_ROWS = BLOCK * WIDE / TILE;
        static constexpr unsigned KS = BY_K && ALL_ROWS < FEW ? FEW : ALL_ROWS;
        static constexpr unsigned ROWS = BLOCK * WIDE / KS;
        static constexpr unsigned PIECES = TILE / ROWS * (STEP / KS);
        static_assert(TILE % ROWS == 0 && STEP % KS == 0 && KS > 0, "pieces fill a stage");

        const char *at;
        float piece[NEXT == TRN_CUDA_ROW_QUADS ? 1 : PIECES][WIDE];

        static __device__ __forceinline__ unsigned row()
        {
            return BY_K ? threadIdx.x / (KS / WIDE) : threadIdx.x % (TILE / WIDE) * WIDE;
        }

        static __device__ __forceinline__ unsigned k()
        {
            return BY_K ? threadIdx.x % (KS / WIDE) * WIDE : threadIdx.x / (TILE / WIDE);
        }

        __device__ share(const trn_cuda_operand &m, size_t first, size_t begin)
        {
            const float *product = m.of.from + blockIdx.y / m.of.inner * m.of.outer_step +
                                   blockIdx.y % m.of.inner * m.of.inner_step;
            at = reinterpret_cast<const char *>(
                product + (BY_K ? (first + row()) * m.of.step + begin + k()
                                : first + row() + (begin + k()) * m.of.step));
        }

        static __device__ __forceinline__ float *place(float *stage, unsigned p)
        {
            const unsigned more_rows = p % (TILE / ROWS) * ROWS, more_k = p / (TILE / ROWS) * KS;
            return stage + (k() + more_k) * ROW + row() + more_rows;
        }

        template <bool ALL>
        __device__ __forceinline__ void begin(const trn_cuda_operand &m, float *stage,
                                              unsigned rows, unsigned left)
        {
            const char *from = at;
#pragma unroll
            for (unsigned p = 0; p < PIECES; p++) {
                const unsigned more_rows = p % (TILE / ROWS) * ROWS;
                const unsigned more_k = p / (TILE / ROWS) * KS;
                const bool there = ALL || (row() + more_rows < rows && k() + more_k < left);
                if (BY_K && more_rows == 0 && p > 0) {
                    from = at + more_k * sizeof(float);
                }
                if constexpr (NEXT == TRN_CUDA_ROW_QUADS) {
                    if (there) {
                        __pipeline_memcpy_async(place(stage, p), from, WIDE * sizeof(float));
                    } else {
                        *reinterpret_cast<float4 *>(place(stage, p)) = float4();
                    }
                } else if constexpr (NEXT == TRN_CUDA_K_QUADS) {
                    const float4 quad = there ? *reinterpret_cast<const float4 *>(from) : float4();
                    piece[p][0] = quad.x;
                    piece[p][1] = quad.y;
                    piece[p][2] = quad.z;
                    piece[p][3] = quad.w;
                } else {
                    piece[p][0] = there ? *reinterpret_cast<const float *>(from) : 0.0f;
                }
                from += (BY_K ? ROWS : KS) * sizeof(float) * m.of.step;
            }
            at += STEP * sizeof(float) * (BY_K ? 1 : m.of.step);
        }

        __device__ __forceinline__ void end(float *stage)
        {
            if constexpr (NEXT != TRN_CUDA_ROW_QUADS) {
#pragma unroll
                for (unsigned p = 0; p < PIECES; p++) {
#pragma unroll
                    for (unsigned i = 0; i < WIDE; i++) {
                        place(stage, p)[i * ROW] = piece[p][i];
                    }
                }
            }
        }
    };
};

/* ---- operands whose elements are found one after the other ---- */

/* OF is a struct with
 *   K_FIRST             true: neighbours in k are likely to be neighbours in memory, so a thread is
 *                       given some of a row; false: neighbouring threads get neighbouring rows
 *   WIDE                how many elements are found at once, 1 or 4
 *   struct place        where an element is
 *   at(row, k)          the place of that element, whether or not it is there
 *   next(place, v)      the elements there, and on to those at the next WIDE k's
 *   skip(place, count)  on by so many k's, a multiple of WIDE */
template <typename OF> struct trn_cuda_found {
    OF of;

    template <unsigned TILE, unsigned STEP, unsigned BLOCK> struct share {
        static constexpr unsigned COUNT = TILE * STEP / BLOCK;
        static_assert(COUNT > 0 && COUNT % OF::WIDE == 0 && BLOCK % TILE == 0,
                      "each thread copies some of one row");

        typename OF::place place;
        float piece[COUNT];

        static __device__ __forceinline__ unsigned row()
        {
            return OF::K_FIRST ? threadIdx.x / (STEP / COUNT) : threadIdx.x % TILE;
        }

        static __device__ __forceinline__ unsigned k()
        {
            return (OF::K_FIRST ? threadIdx.x % (STEP / COUNT) : threadIdx.x / TILE) * COUNT;
        }

        __device__ share(const trn_cuda_found &m, size_t first, size_t begin)
            : place(m.of.at(first + row(), begin + k())), piece{ 0.0f }
        {
        }

        template <bool ALL>
        __device__ __forceinline__ void begin(const trn_cuda_found &m, float *, unsigned rows,
                                              unsigned left)
        {
            if (!ALL && row() >= rows) {
                return;
            }
#pragma unroll
            for (unsigned q = 0; q < COUNT; q += OF::WIDE) {
                if (ALL || k() + q < left) {
                    m.of.next(place, &piece[q]);
                } else {
#pragma unroll
                    for (unsigned i = 0; i < OF::WIDE; i++) {
                        piece[q + i] = 0.0f;
                    }
                }
            }
            m.of.skip(place, STEP - COUNT);
        }

        __device__ __forceinline__ void end(float *stage)
        {
#pragma unroll
            for (unsigned q = 0; q < COUNT; q++) {
                stage[(k() + q) * (TILE + TRN_CUDA_PAD) + row()] = piece[q];
            }
        }
    };
};

#endif
