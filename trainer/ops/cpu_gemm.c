/* SPDX-License-Identifier: Apache-2.0 */
/* DOT for all matrix products. A task owns a tile of the output and runs through k in chunks of
 * TRN_KC: each chunk's partial sums are chains of fmaf from +0 in a micro-tile of registers, and
 * are added to the output in order. Tile sizes change no bit, because each output has one chain. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include <string.h>

#include "ops/vec.h"

#define MICRO_ROWS ((size_t)6)
#define TILE_ROWS ((size_t)192) /* a multiple of MICRO_ROWS */
#define TILE_COLUMNS ((size_t)64) /* a multiple of TRN_GEMM_WIDTH */

#define PANEL_A (TILE_ROWS * TRN_KC)
#define PANEL_B (TILE_COLUMNS * TRN_KC)

struct job {
    const struct trn_gemm *gemm;
    size_t row_tiles;
    float *scratch; /* PANEL_A + PANEL_B floats for each worker */
};

/* The partial sums of MICRO_ROWS x TRN_GEMM_WIDTH outputs over `depth` k's. */
static inline __attribute__((always_inline)) void micro_tile(
    size_t depth, const float *const rows[MICRO_ROWS], size_t a_column, const float *b,
    trn_vec sums[MICRO_ROWS][2])
{
    trn_vec acc[MICRO_ROWS][2] = { { { 0 } } };
    for (size_t k = 0; k < depth; k++) {
        const trn_vec b0 = trn_vec_load(b + k * TRN_GEMM_WIDTH);
        const trn_vec b1 = trn_vec_load(b + k * TRN_GEMM_WIDTH + TRN_VEC_WIDTH);
#pragma GCC unroll 6
        for (size_t i = 0; i < MICRO_ROWS; i++) {
            const trn_vec a = trn_vec_set(rows[i][k * a_column]);
            acc[i][0] = trn_vec_fma(a, b0, acc[i][0]);
            acc[i][1] = trn_vec_fma(a, b1, acc[i][1]);
        }
    }
#pragma GCC unroll 6
    for (size_t i = 0; i < MICRO_ROWS; i++) {
        sums[i][0] = acc[i][0];
        sums[i][1] = acc[i][1];
    }
}

/* Add partial sums to `count` outputs of one row; the last chunk finishes them. */
static void merge_row(const trn_vec sums[2], size_t count, int first, int last, const float *bias,
                      float *out)
{
    float part[2 * TRN_VEC_WIDTH];
    trn_vec_store(part, sums[0]);
    trn_vec_store(part + TRN_VEC_WIDTH, sums[1]);
    if (!first) {
        for (size_t j = 0; j < count; j++) {
            part[j] = out[j] + part[j];
        }
    }
    if (last) {
        for (size_t j = 0; j < count; j++) {
            part[j] = part[j] + 0.0f;
        }
        if (bias) {
            for (size_t j = 0; j < count; j++) {
                part[j] = (part[j] + bias[j]) + 0.0f;
            }
        }
    }
    memcpy(out, part, count * sizeof(float));
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void tile_task(void *arg, size_t index, unsigned worker)
{
    const struct job *job = arg;
    const struct trn_gemm *g = job->gemm;
    const size_t first_row = index % job->row_tiles * TILE_ROWS;
    const size_t first_column = index / job->row_tiles * TILE_COLUMNS;
    const size_t row_count = smaller(TILE_ROWS, g->m - first_row);
    const size_t column_count = smaller(TILE_COLUMNS, g->n - first_column);
    float *panel_a = job->scratch + worker * (PANEL_A + PANEL_B);
    float *panel_b = panel_a + PANEL_A;
    size_t k0 = 0;
    do {
        const size_t depth = smaller(TRN_KC, g->k - k0);
        const int first = k0 == 0, last = k0 + depth == g->k;
        const float *a = panel_a;
        size_t a_row = TRN_KC, a_column = 1;
        if (g->read_a) {
            g->read_a(g->operand, first_row, row_count, k0, depth, panel_a);
        } else {
            a = g->a + first_row * g->a_row + k0 * g->a_column;
            a_row = g->a_row;
            a_column = g->a_column;
        }
        for (size_t j = 0; j < column_count; j += TRN_GEMM_WIDTH) {
            const size_t columns = smaller(TRN_GEMM_WIDTH, column_count - j);
            float *b = panel_b + j * TRN_KC;
            g->read_b(g->operand, first_column + j, columns, k0, depth, b);
            for (size_t i = 0; i < row_count; i += MICRO_ROWS) {
                const size_t rows = smaller(MICRO_ROWS, row_count - i);
                const float *row[MICRO_ROWS];
                trn_vec sums[MICRO_ROWS][2];
                /* Rows past the end do the last row's work again; nobody looks at it. */
                for (size_t r = 0; r < MICRO_ROWS; r++) {
                    row[r] = a + (i + smaller(r, rows - 1)) * a_row;
                }
                if (a_column == 1) {
                    micro_tile(depth, row, 1, b, sums);
                } else {
                    micro_tile(depth, row, a_column, b, sums);
                }
                for (size_t r = 0; r < rows; r++) {
                    merge_row(sums[r], columns, first, last,
                              g->bias ? g->bias + first_column + j : NULL,
                              g->out + (first_row + i + r) * g->n + first_column + j);
                }
            }
        }
        k0 += depth;
    } while (k0 < g->k);
}

enum snap_status TRN_NAME(gemm)(struct trn_backend *backend, const struct trn_gemm *gemm,
                                struct snap_error *err)
{
    struct job job = { gemm, (gemm->m + TILE_ROWS - 1) / TILE_ROWS, NULL };
    const size_t column_tiles = (gemm->n + TILE_COLUMNS - 1) / TILE_COLUMNS;
    void *scratch;
    const enum snap_status status =
        trn_cpu_scratch(backend, snap_pool_threads(backend->pool) *
                                     ((PANEL_A + PANEL_B) * sizeof(float)), &scratch, err);
    if (status != SNAP_OK) {
        return status;
    }
    job.scratch = scratch;
    snap_pool_run(backend->pool, job.row_tiles * column_tiles, tile_task, &job);
    return SNAP_OK;
}

/* B(k, j) = b[k * n + j] */
static void read_rows(const void *operand, size_t first, size_t count, size_t k0, size_t depth,
                      float *out)
{
    const struct trn_matmul *args = operand;
    const float *from = args->b + k0 * args->n + first;
    for (size_t k = 0; k < depth; k++) {
        for (size_t j = 0; j < count; j++) {
            out[k * TRN_GEMM_WIDTH + j] = from[k * args->n + j];
        }
        for (size_t j = count; j < TRN_GEMM_WIDTH; j++) {
            out[k * TRN_GEMM_WIDTH + j] = 0.0f;
        }
    }
}

/* B(k, j) = b[j * k_total + k] */
static void read_transposed(const void *operand, size_t first, size_t count, size_t k0,
                            size_t depth, float *out)
{
    const struct trn_matmul *args = operand;
    for (size_t j = 0; j < count; j++) {
        const float *from = args->b + (first + j) * args->k + k0;
        for (size_t k = 0; k < depth; k++) {
            out[k * TRN_GEMM_WIDTH + j] = from[k];
        }
    }
    for (size_t j = count; j < TRN_GEMM_WIDTH; j++) {
        for (size_t k = 0; k < depth; k++) {
            out[k * TRN_GEMM_WIDTH + j] = 0.0f;
        }
    }
}

enum snap_status TRN_NAME(matmul)(struct trn_backend *backend, const struct trn_matmul *args,
                                  struct snap_error *err)
{
    const struct trn_gemm gemm = {
        .m = args->m,
        .n = args->n,
        .k = args->k,
        .operand = args,
        .a = args->a,
        .a_row = args->transpose == TRN_TN ? 1 : args->k,
        .a_column = args->transpose == TRN_TN ? args->m : 1,
        .read_b = args->transpose == TRN_NT ? read_transposed : read_rows,
        .bias = args->bias,
        .out = args->out,
    };
    return TRN_NAME(gemm)(backend, &gemm, err);
}
