/* SPDX-License-Identifier: Apache-2.0 */
/* COL: a thread sums one block of rows of one column; the sums are the rows of the next level. */
#include "ops/cuda/cuda_columns.h"

#define COL_BLOCK ((size_t)128)

static size_t blocks_of(size_t rows)
{
    return rows == 0 ? 1 : (rows - 1) / COL_BLOCK + 1;
}

static __device__ float plain(const struct trn_cuda_columns &c, size_t at, size_t, float sum)
{
    return __fadd_rn(sum, c.x[at]);
}

static __device__ float square(const struct trn_cuda_columns &c, size_t at, size_t column,
                               float sum)
{
    const float d = __fsub_rn(c.x[at], c.mean[column]);
    return __fadd_rn(sum, __fmul_rn(d, d));
}

static __device__ float normalised(const struct trn_cuda_columns &c, size_t at, size_t column,
                                   float sum)
{
    const float xh = __fmul_rn(__fsub_rn(c.x[at], c.mean[column]), c.rs[column]);
    return __fadd_rn(sum, __fmul_rn(c.dy[at], xh));
}

template <float (*Add)(const struct trn_cuda_columns &, size_t, size_t, float)>
static __global__ void column_level(struct trn_cuda_columns c, size_t items)
{
    for (size_t item = trn_cuda_first(); item < items; item += trn_cuda_step()) {
        const size_t column = item % c.columns, row = item / c.columns * COL_BLOCK;
        const size_t end = c.rows - row < COL_BLOCK ? c.rows : row + COL_BLOCK;
        float sum = 0.0f;
        for (size_t r = row; r < end; r++) {
            sum = Add(c, r * c.columns + column, column, sum);
        }
        c.out[item] = sum;
    }
}

static enum snap_status level(struct trn_backend *backend, const struct trn_cuda_columns &c,
                              struct snap_error *err)
{
    const size_t items = blocks_of(c.rows) * c.columns;
    if (c.rs) {
        return trn_cuda_launch_over(backend, "column sum", column_level<normalised>, items, err, c,
                                    items);
    }
    if (c.mean) {
        return trn_cuda_launch_over(backend, "column sum", column_level<square>, items, err, c,
                                    items);
    }
    return trn_cuda_launch_over(backend, "column sum", column_level<plain>, items, err, c, items);
}

size_t trn_cuda_columns_scratch(size_t rows, size_t columns)
{
    const size_t below = blocks_of(rows);
    return (below + blocks_of(below)) * columns * sizeof(float);
}

enum snap_status trn_cuda_columns_sum(struct trn_backend *backend,
                                  const struct trn_cuda_columns *columns, void *scratch,
                                  struct snap_error *err)
{
    struct trn_cuda_columns c = *columns;
    float *part = static_cast<float *>(scratch);
    float *other = part + blocks_of(c.rows) * c.columns;
    enum snap_status status = SNAP_OK;
    for (size_t blocks = blocks_of(c.rows); status == SNAP_OK; blocks = blocks_of(c.rows)) {
        c.out = blocks == 1 ? columns->out : part;
        status = level(backend, c, err);
        if (blocks == 1) {
            break;
        }
        c.rows = blocks;
        c.x = part;
        c.mean = c.rs = NULL;
        part = other;
        other = const_cast<float *>(c.x);
    }
    return status;
}

extern "C" enum snap_status trn_cuda_column_sum(struct trn_backend *backend, const float *x,
                                                size_t rows, size_t columns, float *out,
                                                struct snap_error *err)
{
    struct trn_cuda_columns c = trn_cuda_columns();
    void *scratch;
    const enum snap_status status =
        trn_cuda_scratch(backend, trn_cuda_columns_scratch(rows, columns), &scratch, err);
    c.rows = rows;
    c.columns = columns;
    c.x = x;
    c.out = out;
    return status == SNAP_OK ? trn_cuda_columns_sum(backend, &c, scratch, err) : status;
}
