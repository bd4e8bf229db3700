/* SPDX-License-Identifier: Apache-2.0 */
/* DOT for all matrix products, by packed panels and a micro-tile of registers (K. Goto, R. van de
 * Geijn, Anatomy of High-Performance Matrix Multiplication, 2008). The depth of a block is TRN_KC,
 * so that a micro-tile's chains of fmaf from +0 are the partial sums of DOT, and are added to the
 * output in order. Tile sizes change no bit, because each output has one chain. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include "ops/cpu_pack.h"
#include "ops/vec.h"

/* Rows of a micro-tile: as many as leave registers for the columns. */
#if TRN_VEC_WIDTH == 16
#define MICRO_ROWS ((size_t)12)
#elif TRN_VEC_WIDTH == 8
#define MICRO_ROWS ((size_t)6)
#elif TRN_HAS_FMA
#define MICRO_ROWS ((size_t)8)
#else
#define MICRO_ROWS ((size_t)4)
#endif
#define TILE_ROWS ((size_t)192) /* a multiple of MICRO_ROWS; with TRN_KC half of a level 2 cache */
#define TASKS_PER_THREAD ((size_t)4)
#define SMALL ((size_t)32768)           /* products that are not worth waking a thread */
#define B_FLOATS ((size_t)1024 * 1024) /* of B that are packed at a time, or one chunk of k */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t parts(size_t count, size_t size)
{
    return (count + size - 1) / size;
}

/* How the output is split. A product has at least one chunk, so that K = 0 gives +0. */
struct plan {
    size_t row_tiles, tile_rows;
    size_t panels; /* of B, TRN_GEMM_WIDTH columns each */
    size_t column_tiles, tile_panels;
    size_t chunks, chunks_at_once;
};

static struct plan make_plan(const struct trn_backend *backend, const struct trn_gemm *g)
{
    struct plan p = { .panels = parts(g->n, TRN_GEMM_WIDTH) };
    const size_t tasks =
        g->m * g->n < SMALL && g->m * g->n * g->k < SMALL
            ? 1
            : snap_pool_threads(backend->pool) * TASKS_PER_THREAD;
    p.tile_rows = smaller(parts(parts(g->m, tasks), MICRO_ROWS) * MICRO_ROWS, TILE_ROWS);
    p.row_tiles = p.tile_rows ? parts(g->m, p.tile_rows) : 0;
    p.tile_panels =
        p.row_tiles ? parts(p.panels, parts(tasks, p.row_tiles)) : 0;
    p.column_tiles = p.tile_panels ? parts(p.panels, p.tile_panels) : 0;
    p.chunks = g->k ? parts(g->k, TRN_KC) : 1;
    p.chunks_at_once = B_FLOATS / (p.panels * TRN_GEMM_WIDTH * TRN_KC + 1);
    p.chunks_at_once = p.chunks_at_once ? smaller(p.chunks_at_once, p.chunks) : 1;
    return p;
}

struct job {
    const struct trn_gemm *gemm;
    struct plan plan;
    size_t chunk, chunks; /* those at work now */
    float *panels_b;      /* [chunk][panel][k][column] */
    float *panels_a;      /* TILE_ROWS * TRN_KC for each worker */
};

static size_t chunk_depth(const struct trn_gemm *g, size_t chunk)
{
    return smaller(TRN_KC, g->k - chunk * TRN_KC);
}

static float *panel_b(const struct job *job, size_t chunk, size_t panel)
{
    return job->panels_b +
           ((chunk - job->chunk) * job->plan.panels + panel) * TRN_GEMM_WIDTH * TRN_KC;
}

static void pack_task(void *arg, size_t index, unsigned worker)
{
    const struct job *job = arg;
    const struct trn_gemm *g = job->gemm;
    const size_t chunk = job->chunk + index / job->plan.panels, panel = index % job->plan.panels;
    const size_t first = panel * TRN_GEMM_WIDTH;
    (void)worker;
    g->pack_b(g->b, first, smaller(TRN_GEMM_WIDTH, g->n - first), chunk * TRN_KC,
              chunk_depth(g, chunk), TRN_GEMM_WIDTH, panel_b(job, chunk, panel));
}

/* Where a micro-tile's partial sums go. */
struct target {
    float *out; /* rows of `row` floats */
    size_t row, rows, columns;
    const float *bias;
    int first, last; /* chunk of the product */
};

/* Add partial sums to the outputs; the last chunk finishes them. */
static inline __attribute__((always_inline)) trn_vec merge(trn_vec part, const float *out,
                                                           const float *bias, int first, int last)
{
    if (!first) {
        part = trn_vec_load(out) + part;
    }
    if (last) {
        part = part + trn_vec_set(0.0f);
        if (bias) {
            part = (part + trn_vec_load(bias)) + trn_vec_set(0.0f);
        }
    }
    return part;
}

/* The same for less than a vector. */
static void merge_some(trn_vec part, float *out, const float *bias, size_t count, int first,
                       int last)
{
    float now[TRN_VEC_WIDTH] = { 0 }, add[TRN_VEC_WIDTH] = { 0 };
    for (size_t j = 0; j < count; j++) {
        now[j] = first ? 0.0f : out[j];
        add[j] = bias ? bias[j] : 0.0f;
    }
    trn_vec_store(now, merge(part, now, bias ? add : NULL, first, last));
    for (size_t j = 0; j < count; j++) {
        out[j] = now[j];
    }
}

/* rows x vecs vectors of outputs over `depth` k's; `rows` and `vecs` are constants where it is
 * called. a[k * rows + i], b[k * TRN_GEMM_WIDTH + j]. */
static inline __attribute__((always_inline)) void micro_tile(const size_t rows, const size_t vecs,
                                                             size_t depth, const float *a,
                                                             const float *b,
                                                             const struct target *t)
{
    trn_vec acc[MICRO_ROWS][2] = { { { 0 } } };
    for (size_t r = 0; r < t->rows; r++) {
        __builtin_prefetch(t->out + r * t->row, 1);
    }
    for (size_t k = 0; k < depth; k++) {
        trn_vec column[2];
#pragma GCC unroll 2
        for (size_t v = 0; v < vecs; v++) {
            column[v] = trn_vec_load(b + v * TRN_VEC_WIDTH);
        }
#pragma GCC unroll 12
        for (size_t r = 0; r < rows; r++) {
            const trn_vec x = trn_vec_set(a[r]);
#pragma GCC unroll 2
            for (size_t v = 0; v < vecs; v++) {
                acc[r][v] = trn_vec_fma(x, column[v], acc[r][v]);
            }
        }
        a += rows;
        b += TRN_GEMM_WIDTH;
    }
#pragma GCC unroll 12
    for (size_t r = 0; r < rows; r++) {
        if (r < t->rows) {
            float *out = t->out + r * t->row;
#pragma GCC unroll 2
            for (size_t v = 0; v < vecs; v++) {
                const size_t j = v * TRN_VEC_WIDTH;
                const float *bias = t->bias ? t->bias + j : NULL;
                if (j + TRN_VEC_WIDTH <= t->columns) {
                    trn_vec_store(out + j, merge(acc[r][v], out + j, bias, t->first, t->last));
                } else if (j < t->columns) {
                    merge_some(acc[r][v], out + j, bias, t->columns - j, t->first, t->last);
                }
            }
        }
    }
}

/* Rows of the panel for the next `left` rows of a tile: MICRO_ROWS, or less where that will do. */
static size_t panel_rows(size_t left)
{
    for (size_t rows = 1; rows < MICRO_ROWS; rows *= 2) {
        if (left <= rows) {
            return rows;
        }
    }
    return MICRO_ROWS;
}

static inline __attribute__((always_inline)) void micro_tile_of(size_t rows, const size_t vecs,
                                                                size_t depth, const float *a,
                                                                const float *b,
                                                                const struct target *t)
{
    if (rows == MICRO_ROWS) {
        micro_tile(MICRO_ROWS, vecs, depth, a, b, t);
    } else if (rows == 1) {
        micro_tile(1, vecs, depth, a, b, t);
    } else if (rows == 2) {
        micro_tile(2, vecs, depth, a, b, t);
    } else if (MICRO_ROWS > 4 && rows == 4) {
        micro_tile(smaller(4, MICRO_ROWS), vecs, depth, a, b, t);
    } else if (MICRO_ROWS > 8) {
        micro_tile(smaller(8, MICRO_ROWS), vecs, depth, a, b, t);
    }
}

/* One chunk of a tile: rows from `row` on, panels from `panel` on. */
static void tile_chunk(const struct job *job, size_t chunk, size_t row, size_t panel, float *packed)
{
    const struct trn_gemm *g = job->gemm;
    const size_t depth = chunk_depth(g, chunk);
    const size_t row_count = smaller(job->plan.tile_rows, g->m - row);
    const size_t end = smaller(panel + job->plan.tile_panels, job->plan.panels);
    for (size_t i = 0, rows; i < row_count; i += rows) {
        rows = panel_rows(row_count - i);
        g->pack_a(g->a, row + i, smaller(rows, row_count - i), chunk * TRN_KC, depth, rows,
                  packed + i * depth);
    }
    for (; panel < end; panel++) {
        const float *b = panel_b(job, chunk, panel);
        const size_t column = panel * TRN_GEMM_WIDTH;
        struct target t = { .row = g->n, .columns = smaller(TRN_GEMM_WIDTH, g->n - column),
                            .bias = g->bias ? g->bias + column : NULL, .first = chunk == 0,
                            .last = chunk + 1 == job->plan.chunks };
        for (size_t i = 0, rows; i < row_count; i += rows) {
            rows = panel_rows(row_count - i);
            t.rows = smaller(rows, row_count - i);
            t.out = g->out + (row + i) * g->n + column;
            if (t.columns > TRN_VEC_WIDTH) {
                micro_tile_of(rows, 2, depth, packed + i * depth, b, &t);
            } else {
                micro_tile_of(rows, 1, depth, packed + i * depth, b, &t);
            }
        }
    }
}

static void tile_task(void *arg, size_t index, unsigned worker)
{
    const struct job *job = arg;
    const size_t row = index % job->plan.row_tiles * job->plan.tile_rows;
    const size_t panel = index / job->plan.row_tiles * job->plan.tile_panels;
    for (size_t i = 0; i < job->chunks; i++) {
        tile_chunk(job, job->chunk + i, row, panel, job->panels_a + worker * TILE_ROWS * TRN_KC);
    }
}

size_t TRN_NAME(gemm_scratch)(const struct trn_backend *backend, const struct trn_gemm *gemm)
{
    const struct plan p = make_plan(backend, gemm);
    return snap_pool_threads(backend->pool) * TILE_ROWS * TRN_KC +
           p.chunks_at_once * p.panels * TRN_GEMM_WIDTH * TRN_KC;
}

void TRN_NAME(gemm)(struct trn_backend *backend, const struct trn_gemm *gemm, float *scratch)
{
    struct job job = { .gemm = gemm, .plan = make_plan(backend, gemm), .panels_a = scratch };
    job.panels_b = scratch + snap_pool_threads(backend->pool) * TILE_ROWS * TRN_KC;
    for (; job.chunk < job.plan.chunks; job.chunk += job.chunks) {
        job.chunks = smaller(job.plan.chunks_at_once, job.plan.chunks - job.chunk);
        snap_pool_run(backend->pool, job.chunks * job.plan.panels, pack_task, &job);
        snap_pool_run(backend->pool, job.plan.row_tiles * job.plan.column_tiles, tile_task, &job);
    }
}

/* A matrix in memory: element (i, k) is at i + k * row (columns) or i * row + k (rows). */
struct matrix {
    const float *data;
    size_t row;
};

static void pack_columns(const void *operand, size_t first, size_t count, size_t k0, size_t depth,
                         size_t width, float *out)
{
    const struct matrix *matrix = operand;
    const float *from = matrix->data + k0 * matrix->row + first;
    if (count == TRN_GEMM_WIDTH && width == TRN_GEMM_WIDTH) {
        for (size_t k = 0; k < depth; k++) {
            trn_pack_copy(from + k * matrix->row, TRN_GEMM_WIDTH, out + k * TRN_GEMM_WIDTH);
        }
        return;
    }
    for (size_t k = 0; k < depth; k++) {
        trn_pack_copy(from + k * matrix->row, count, out + k * width);
    }
    trn_pack_blank(count, depth, width, out);
}

static void pack_rows(const void *operand, size_t first, size_t count, size_t k0, size_t depth,
                      size_t width, float *out)
{
    const struct matrix *matrix = operand;
    const float *rows[TRN_PACK_MAX_WIDTH];
    for (size_t i = 0; i < count; i++) {
        rows[i] = matrix->data + (first + i) * matrix->row + k0;
    }
    trn_pack_rows(rows, count, depth, width, out);
    trn_pack_blank(count, depth, width, out);
}

enum snap_status TRN_NAME(matmul)(struct trn_backend *backend, const struct trn_matmul *args,
                                  struct snap_error *err)
{
    const int a_turned = args->transpose == TRN_TN, b_turned = args->transpose == TRN_NT;
    const struct matrix a = { args->a, a_turned ? args->m : args->k };
    const struct matrix b = { args->b, b_turned ? args->k : args->n };
    const struct trn_gemm gemm = {
        .m = args->m,
        .n = args->n,
        .k = args->k,
        .pack_a = a_turned ? pack_columns : pack_rows,
        .pack_b = b_turned ? pack_rows : pack_columns,
        .a = &a,
        .b = &b,
        .bias = args->bias,
        .out = args->out,
    };
    void *scratch;
    const enum snap_status status = trn_cpu_scratch(
        backend, TRN_NAME(gemm_scratch)(backend, &gemm) * sizeof(float), &scratch, err);
    if (status == SNAP_OK) {
        TRN_NAME(gemm)(backend, &gemm, scratch);
    }
    return status;
}
