/* SPDX-License-Identifier: Apache-2.0 */
/* RED, REDF and COL. Both definitions are trees of fixed shape, level upon level of 1024 elements
 * or 128 rows, so any part of a tree that is complete below one node may be done on its own. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include "ops/vec.h"

#define RED_CHUNK ((size_t)1024)
#define RED_LANES ((size_t)32)
#define RED_VECS (RED_LANES / TRN_VEC_WIDTH)
#define COL_BLOCK ((size_t)128)
#define COL_SLICE ((size_t)64) /* columns a task does at a time */
#define COL_LEVELS 10          /* 128^10 is past any size_t that memory could back */

/* One chunk, n <= RED_CHUNK. */
static float chunk(const float *x, const float *y, size_t n)
{
    trn_vec sums[RED_VECS] = { { 0 } };
    float lanes[RED_LANES];
    size_t i = 0;
    for (; i + RED_LANES <= n; i += RED_LANES) {
        for (size_t v = 0; v < RED_VECS; v++) {
            const trn_vec a = trn_vec_load(x + i + v * TRN_VEC_WIDTH);
            sums[v] = y ? trn_vec_fma(a, trn_vec_load(y + i + v * TRN_VEC_WIDTH), sums[v])
                        : sums[v] + a;
        }
    }
    for (size_t v = 0; v < RED_VECS; v++) {
        trn_vec_store(lanes + v * TRN_VEC_WIDTH, sums[v]);
    }
    for (size_t l = 0; i + l < n; l++) {
        lanes[l] = y ? trn_fmaf(x[i + l], y[i + l], lanes[l]) : lanes[l] + x[i + l];
    }
    for (size_t half = RED_LANES / 2; half > 0; half /= 2) {
        for (size_t l = 0; l < half; l++) {
            lanes[l] = lanes[l] + lanes[l + half];
        }
    }
    return lanes[0];
}

/* The elements below one node of the top level of a tree over n > RED_CHUNK elements. */
static size_t below_node(size_t n)
{
    size_t below = RED_CHUNK;
    while ((n - 1) / below >= RED_CHUNK) {
        below *= RED_CHUNK;
    }
    return below;
}

float TRN_NAME(reduce_serial)(const float *x, const float *y, size_t n)
{
    float parts[RED_CHUNK];
    size_t below, count;
    if (n <= RED_CHUNK) {
        return chunk(x, y, n);
    }
    below = below_node(n);
    count = (n - 1) / below + 1;
    for (size_t i = 0; i < count; i++) {
        const size_t size = i + 1 < count ? below : n - i * below;
        parts[i] = TRN_NAME(reduce_serial)(x + i * below, y ? y + i * below : NULL, size);
    }
    return chunk(parts, NULL, count);
}

struct reduce_job {
    const float *x, *y;
    size_t n, below;
    float *parts;
};

static void reduce_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct reduce_job *job = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const size_t first = i * job->below;
        const size_t size = job->n - first < job->below ? job->n - first : job->below;
        job->parts[i] =
            TRN_NAME(reduce_serial)(job->x + first, job->y ? job->y + first : NULL, size);
    }
}

static void reduce_parallel(struct trn_backend *backend, const float *x, const float *y, size_t n,
                            float *out)
{
    float parts[RED_CHUNK] = { 0 };
    struct reduce_job job = { x, y, n, RED_CHUNK, parts };
    size_t count;
    if (n > RED_CHUNK) {
        job.below = below_node(n);
    }
    count = n / job.below + (n % job.below != 0);
    trn_cpu_split(backend, count, job.below > RED_CHUNK ? 1 : 16, reduce_range, &job);
    *out = chunk(parts, NULL, count);
}

enum snap_status TRN_NAME(reduce)(struct trn_backend *backend, const float *x, size_t n,
                                  float *out, struct snap_error *err)
{
    (void)err;
    reduce_parallel(backend, x, NULL, n, out);
    return SNAP_OK;
}

enum snap_status TRN_NAME(reduce_product)(struct trn_backend *backend, const float *x,
                                          const float *y, size_t n, float *out,
                                          struct snap_error *err)
{
    (void)err;
    reduce_parallel(backend, x, y, n, out);
    return SNAP_OK;
}

/* The term of row `at / columns`, for a vector or a float: T is the type, LOAD reads one. */
#define TERM(T, LOAD)                                                                              \
    const T x = LOAD(c->x + at);                                                                   \
    if (term == TRN_COL_PLAIN) {                                                                   \
        return x;                                                                                  \
    }                                                                                              \
    const T d = x - LOAD(c->mean + column);                                                        \
    return term == TRN_COL_SQUARE ? d * d : LOAD(c->dy + at) * (d * LOAD(c->rs + column))

static inline float float_load(const float *from)
{
    return *from;
}

static inline __attribute__((always_inline)) trn_vec vector_term(const struct trn_columns *c,
                                                                 const int term, size_t at,
                                                                 size_t column)
{
    TERM(trn_vec, trn_vec_load);
}

static inline __attribute__((always_inline)) float float_term(const struct trn_columns *c,
                                                              const int term, size_t at,
                                                              size_t column)
{
    TERM(float, float_load);
}

/* `vecs` vectors of sums of a block, in registers; `term` and `vecs` are constants where it is
 * called. */
static inline __attribute__((always_inline)) void block_vectors(const struct trn_columns *c,
                                                                const int term, const size_t vecs,
                                                                size_t row, size_t rows,
                                                                size_t column, float *sums)
{
    trn_vec acc[4] = { { 0 } };
    for (size_t i = row; i < row + rows; i++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < vecs; v++) {
            const size_t j = column + v * TRN_VEC_WIDTH;
            acc[v] = acc[v] + vector_term(c, term, i * c->columns + j, j);
        }
    }
#pragma GCC unroll 4
    for (size_t v = 0; v < vecs; v++) {
        trn_vec_store(sums + v * TRN_VEC_WIDTH, acc[v]);
    }
}

/* The sums of one block, from +0. */
static inline __attribute__((always_inline)) void block_of(const struct trn_columns *c,
                                                           const int term, size_t row, size_t rows,
                                                           size_t first, size_t count, float *sums)
{
    size_t j = 0;
    for (; j + 4 * TRN_VEC_WIDTH <= count; j += 4 * TRN_VEC_WIDTH) {
        block_vectors(c, term, 4, row, rows, first + j, sums + j);
    }
    for (; j + TRN_VEC_WIDTH <= count; j += TRN_VEC_WIDTH) {
        block_vectors(c, term, 1, row, rows, first + j, sums + j);
    }
    for (; j < count; j++) {
        float sum = 0.0f;
        for (size_t i = row; i < row + rows; i++) {
            sum = sum + float_term(c, term, i * c->columns + first + j, first + j);
        }
        sums[j] = sum;
    }
}

static void block(const struct trn_columns *c, size_t row, size_t rows, size_t first, size_t count,
                  float *sums)
{
    if (c->term == TRN_COL_PLAIN) {
        block_of(c, TRN_COL_PLAIN, row, rows, first, count, sums);
    } else if (c->term == TRN_COL_SQUARE) {
        block_of(c, TRN_COL_SQUARE, row, rows, first, count, sums);
    } else {
        block_of(c, TRN_COL_NORMALISED, row, rows, first, count, sums);
    }
}

/* COL of rows [begin, end), columns [first, first + count): as an odometer, level l holding the sum
 * of fewer than 128 finished blocks of level l - 1. */
static void column_tree(const struct trn_columns *c, size_t begin, size_t end, size_t first,
                        size_t count, float *out)
{
    float sums[COL_LEVELS][COL_SLICE] = { { 0 } };
    size_t filled[COL_LEVELS] = { 0 };
    size_t top = 0;
    for (size_t row = begin, rows; row < end; row += rows) {
        size_t level = 0;
        rows = end - row < COL_BLOCK ? end - row : COL_BLOCK;
        filled[0] = rows;
        block(c, row, rows, first, count, sums[0]);
        /* A full level is handed up only when more is to come: the last node stays where it is. */
        while (filled[level] == COL_BLOCK && row + rows < end) {
            for (size_t j = 0; j < count; j++) {
                sums[level + 1][j] = sums[level + 1][j] + sums[level][j];
                sums[level][j] = 0.0f;
            }
            filled[level] = 0;
            filled[++level]++;
            top = level > top ? level : top;
        }
    }
    for (size_t level = 0; level < top; level++) {
        if (filled[level] != 0) {
            for (size_t j = 0; j < count; j++) {
                sums[level + 1][j] = sums[level + 1][j] + sums[level][j];
            }
            filled[level + 1]++;
        }
    }
    for (size_t j = 0; j < count; j++) {
        out[j] = sums[top][j];
    }
}

struct column_job {
    const struct trn_columns *columns;
    size_t below, slices; /* rows below a node of the top level; slices of the columns */
    float *parts;         /* (nodes, columns) */
};

static void column_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct column_job *job = arg;
    const struct trn_columns *c = job->columns;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const size_t node = i / job->slices, first = i % job->slices * COL_SLICE;
        const size_t count = c->columns - first < COL_SLICE ? c->columns - first : COL_SLICE;
        const size_t row = node * job->below;
        const size_t rows = c->rows - row < job->below ? c->rows - row : job->below;
        column_tree(c, row, row + rows, first, count, job->parts + node * c->columns + first);
    }
}

static size_t rows_below_node(size_t rows)
{
    size_t below = COL_BLOCK;
    while (rows > 0 && (rows - 1) / below >= COL_BLOCK) {
        below *= COL_BLOCK;
    }
    return below;
}

size_t TRN_NAME(columns_scratch)(size_t rows, size_t columns)
{
    const size_t below = rows_below_node(rows);
    return (rows / below + 1) * columns * sizeof(float);
}

void TRN_NAME(columns)(struct trn_backend *backend, const struct trn_columns *c, void *scratch)
{
    struct column_job job = { c, rows_below_node(c->rows),
                              (c->columns + COL_SLICE - 1) / COL_SLICE, scratch };
    const size_t nodes = c->rows / job.below + (c->rows % job.below != 0);
    struct trn_columns top = { .term = TRN_COL_PLAIN, .rows = nodes, .columns = c->columns,
                               .x = scratch, .out = c->out };
    trn_cpu_split(backend, nodes * job.slices, 1, column_range, &job);
    job = (struct column_job){ &top, COL_BLOCK, job.slices, c->out };
    trn_cpu_split(backend, job.slices, 16, column_range, &job);
}

enum snap_status TRN_NAME(column_sum)(struct trn_backend *backend, const float *x, size_t rows,
                                      size_t columns, float *out, struct snap_error *err)
{
    const struct trn_columns c = { .term = TRN_COL_PLAIN, .rows = rows, .columns = columns,
                                   .x = x, .out = out };
    void *scratch;
    const enum snap_status status =
        trn_cpu_scratch(backend, TRN_NAME(columns_scratch)(rows, columns), &scratch, err);
    if (status == SNAP_OK) {
        TRN_NAME(columns)(backend, &c, scratch);
    }
    return status;
}
