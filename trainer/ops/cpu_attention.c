/* SPDX-License-Identifier: Apache-2.0 */
/* Causal self-attention. A task owns one head of one sample, so its outputs are its own; products
 * are DOT, over the places up to the last that any row of a block of rows looks at. Places beyond
 * that have weight +0 and change no sum. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include <string.h>

#include "ops/math_functions.h"
#include "ops/vec.h"

#define BLOCK_ROWS ((size_t)32)
#define TILE_ROWS 4

/* out(i, j) = DOT of a(i, k) and b(k, j) over begin <= k < end; `begin` is a multiple of TRN_KC,
 * and what comes before it is +0 in a. A total that begins with +0 never is -0, so that DOT's last
 * + 0.0f has nothing to do. */
struct product {
    size_t rows, columns, begin, end;
    const float *a;
    size_t a_row, a_column; /* distances in memory */
    const float *b;
    size_t b_row;
    float *out;
    size_t out_row;
};

/* `rows` x `vectors` outputs from (i, j) on; both are constants where it is called. */
static inline __attribute__((always_inline)) void tile(const struct product *p, size_t i, size_t j,
                                                       int rows, int vectors)
{
    trn_vec total[TILE_ROWS][2] = { { { 0 } } };
    const float *a = p->a + i * p->a_row;
    for (size_t from = p->begin; from < p->end; from += TRN_KC) {
        const size_t to = p->end - from < TRN_KC ? p->end : from + TRN_KC;
        trn_vec part[TILE_ROWS][2] = { { { 0 } } };
        for (size_t k = from; k < to; k++) {
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++) {
                const trn_vec b = trn_vec_load(p->b + k * p->b_row + j + (size_t)v * TRN_VEC_WIDTH);
#pragma GCC unroll 4
                for (int r = 0; r < rows; r++) {
                    const trn_vec x = trn_vec_set(a[(size_t)r * p->a_row + k * p->a_column]);
                    part[r][v] = trn_vec_fma(x, b, part[r][v]);
                }
            }
        }
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++) {
                total[r][v] = total[r][v] + part[r][v];
            }
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            trn_vec_store(p->out + (i + (size_t)r) * p->out_row + j + (size_t)v * TRN_VEC_WIDTH,
                          total[r][v]);
        }
    }
}

/* One output, where no vector fits. */
static void single(const struct product *p, size_t i, size_t j)
{
    float total = 0.0f;
    for (size_t from = p->begin; from < p->end; from += TRN_KC) {
        const size_t to = p->end - from < TRN_KC ? p->end : from + TRN_KC;
        float part = 0.0f;
        for (size_t k = from; k < to; k++) {
            part = trn_fmaf(p->a[i * p->a_row + k * p->a_column], p->b[k * p->b_row + j], part);
        }
        total = total + part;
    }
    p->out[i * p->out_row + j] = total;
}

static void multiply(const struct product *p)
{
    size_t i = 0;
    while (i < p->rows) {
        const int whole = p->rows - i >= TILE_ROWS;
        size_t j = 0;
        for (; j + 2 * TRN_VEC_WIDTH <= p->columns; j += 2 * TRN_VEC_WIDTH) {
            if (whole) {
                tile(p, i, j, TILE_ROWS, 2);
            } else {
                tile(p, i, j, 1, 2);
            }
        }
        for (; j + TRN_VEC_WIDTH <= p->columns; j += TRN_VEC_WIDTH) {
            if (whole) {
                tile(p, i, j, TILE_ROWS, 1);
            } else {
                tile(p, i, j, 1, 1);
            }
        }
        for (; j < p->columns; j++) {
            for (size_t r = 0; r < (whole ? TILE_ROWS : 1); r++) {
                single(p, i + r, j);
            }
        }
        i += whole ? TILE_ROWS : 1;
    }
}

struct job {
    const struct trn_attention *attention;
    const float *qkv, *kept, *dy; /* kept: the weights, backwards */
    float *weights, *y, *dqkv;
    float *scratch; /* `scratch_size` floats for each worker */
    size_t scratch_size;
};

/* One head of one sample. */
struct head {
    size_t places, width;
    size_t padded;         /* places, up to whole tiles */
    size_t step, out_step; /* from one place to the next in qkv, and in y */
    const float *q, *k, *v, *dy;
    float *dq, *dk, *dv, *y;
    const float *kept;
    float *weights;
    float *turned; /* (width, padded): keys or values, place by place beside each other */
    float *block;  /* (BLOCK_ROWS, padded) */
    float *slopes; /* (places, places), backwards: gradients of the products */
};

static size_t padded_places(const struct trn_attention *a)
{
    return (a->places + TRN_GEMM_WIDTH - 1) / TRN_GEMM_WIDTH * TRN_GEMM_WIDTH;
}

static struct head head_of(const struct job *job, size_t index, unsigned worker)
{
    const struct trn_attention *a = job->attention;
    const size_t sample = index / a->heads, number = index % a->heads;
    const size_t wide = a->heads * a->width;
    const size_t in = sample * a->places * 3 * wide + number * a->width;
    const size_t out = sample * a->places * wide + number * a->width;
    const size_t square = index * a->places * a->places;
    struct head h = { .places = a->places, .width = a->width, .padded = padded_places(a),
                      .step = 3 * wide, .out_step = wide };
    h.q = job->qkv + in;
    h.k = h.q + wide;
    h.v = h.k + wide;
    h.turned = job->scratch + worker * job->scratch_size;
    h.block = h.turned + h.width * h.padded;
    if (job->dqkv) {
        h.slopes = h.block + BLOCK_ROWS * h.padded;
        h.dq = job->dqkv + in;
        h.dk = h.dq + wide;
        h.dv = h.dk + wide;
        h.dy = job->dy + out;
        h.kept = job->kept + square;
    } else {
        h.y = job->y + out;
        h.weights = job->weights + square;
    }
    return h;
}

/* turned(d, i) = rows(i, d), +0 past the last place. */
static void turn(const struct head *h, const float *rows)
{
    for (size_t d = 0; d < h->width; d++) {
        float *to = h->turned + d * h->padded;
        for (size_t i = 0; i < h->places; i++) {
            to[i] = rows[i * h->step + d];
        }
        memset(to + h->places, 0, (h->padded - h->places) * sizeof(float));
    }
}

/* block = products of `rows` rows of `a`, from `first` on, with what was turned, before place
 * `end`. */
static void multiply_turned(const struct head *h, const float *a, size_t a_row, size_t first,
                            size_t rows, size_t end)
{
    const size_t columns = (end + TRN_GEMM_WIDTH - 1) / TRN_GEMM_WIDTH * TRN_GEMM_WIDTH;
    const struct product product = { .rows = rows, .columns = columns, .end = h->width,
                                     .a = a + first * a_row, .a_row = a_row, .a_column = 1,
                                     .b = h->turned, .b_row = h->padded, .out = h->block,
                                     .out_row = h->padded };
    multiply(&product);
}

/* weights(first .. first + rows) times `b`, a row for each place. */
static void multiply_weights(const struct head *h, const float *weights, size_t first, size_t rows,
                             const float *b, size_t b_row, float *out, size_t out_row)
{
    const struct product product = { .rows = rows, .columns = h->width, .end = first + rows,
                                     .a = weights + first * h->places, .a_row = h->places,
                                     .a_column = 1, .b = b, .b_row = b_row,
                                     .out = out + first * out_row, .out_row = out_row };
    multiply(&product);
}

/* The same with the weights' columns for rows. */
static void multiply_columns(const struct head *h, const float *weights, const float *b,
                             size_t b_row, float *out)
{
    for (size_t first = 0; first < h->places; first += BLOCK_ROWS) {
        const size_t rest = h->places - first;
        const struct product product = { .rows = rest < BLOCK_ROWS ? rest : BLOCK_ROWS,
                                         .columns = h->width, .begin = first / TRN_KC * TRN_KC,
                                         .end = h->places, .a = weights + first, .a_row = 1,
                                         .a_column = h->places, .b = b, .b_row = b_row,
                                         .out = out + first * h->step, .out_row = h->step };
        multiply(&product);
    }
}

/* The softmax of s[0..n-1], times `scale` first. */
static void softmax(float *s, size_t n, float scale, float *p)
{
    float m, r;
    for (size_t j = 0; j < n; j++) {
        s[j] = s[j] * scale;
    }
    m = s[0];
    for (size_t j = 1; j < n; j++) {
        m = s[j] > m ? s[j] : m;
    }
    for (size_t j = 0; j < n; j++) {
        s[j] = trn_expf(s[j] - m);
    }
    r = 1.0f / TRN_NAME(reduce_serial)(s, NULL, n);
    for (size_t j = 0; j < n; j++) {
        p[j] = s[j] * r;
    }
}

static void forward_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    for (size_t index = begin; index < end; index++) {
        const struct head h = head_of(job, index, worker);
        turn(&h, h.k);
        for (size_t first = 0; first < h.places; first += BLOCK_ROWS) {
            const size_t rest = h.places - first, rows = rest < BLOCK_ROWS ? rest : BLOCK_ROWS;
            multiply_turned(&h, h.q, h.step, first, rows, first + rows);
            for (size_t r = 0; r < rows; r++) {
                float *p = h.weights + (first + r) * h.places;
                const size_t seen = first + r + 1;
                softmax(h.block + r * h.padded, seen, job->attention->scale, p);
                memset(p + seen, 0, (h.places - seen) * sizeof(float));
            }
            multiply_weights(&h, h.weights, first, rows, h.v, h.step, h.y, h.out_step);
        }
    }
}

/* Gradients of the products from those of the weights. */
static void softmax_backward(const float *p, const float *dp, size_t n, float scale, float *ds)
{
    const float t = TRN_NAME(reduce_serial)(p, dp, n);
    for (size_t j = 0; j < n; j++) {
        ds[j] = (p[j] * (dp[j] - t)) * scale;
    }
}

static void backward_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    for (size_t index = begin; index < end; index++) {
        const struct head h = head_of(job, index, worker);
        turn(&h, h.v);
        for (size_t first = 0; first < h.places; first += BLOCK_ROWS) {
            const size_t rest = h.places - first, rows = rest < BLOCK_ROWS ? rest : BLOCK_ROWS;
            multiply_turned(&h, h.dy, h.out_step, first, rows, first + rows);
            for (size_t r = 0; r < rows; r++) {
                const size_t row = (first + r) * h.places, seen = first + r + 1;
                softmax_backward(h.kept + row, h.block + r * h.padded, seen,
                                 job->attention->scale, h.slopes + row);
                memset(h.slopes + row + seen, 0, (h.places - seen) * sizeof(float));
            }
            multiply_weights(&h, h.slopes, first, rows, h.k, h.step, h.dq, h.step);
        }
        multiply_columns(&h, h.slopes, h.q, h.step, h.dk);
        multiply_columns(&h, h.kept, h.dy, h.out_step, h.dv);
    }
}

static enum snap_status run(struct trn_backend *backend, struct job *job, trn_range_task *task,
                            size_t scratch_size, struct snap_error *err)
{
    void *scratch;
    const enum snap_status status = trn_cpu_scratch(
        backend, snap_pool_threads(backend->pool) * scratch_size * sizeof(float), &scratch, err);
    if (status != SNAP_OK) {
        return status;
    }
    job->scratch = scratch;
    job->scratch_size = scratch_size;
    trn_cpu_split(backend, job->attention->samples * job->attention->heads, 1, task, job);
    return SNAP_OK;
}

enum snap_status TRN_NAME(attention_forward)(struct trn_backend *backend,
                                             const struct trn_attention *attention,
                                             const float *qkv, float *weights, float *y,
                                             struct snap_error *err)
{
    struct job job = { .attention = attention, .qkv = qkv, .weights = weights, .y = y };
    return run(backend, &job, forward_range,
               (attention->width + BLOCK_ROWS) * padded_places(attention), err);
}

enum snap_status TRN_NAME(attention_backward)(struct trn_backend *backend,
                                              const struct trn_attention *attention,
                                              const float *qkv, const float *weights,
                                              const float *dy, float *dqkv,
                                              struct snap_error *err)
{
    struct job job = { .attention = attention, .qkv = qkv, .kept = weights, .dy = dy,
                       .dqkv = dqkv };
    return run(backend, &job, backward_range,
               (attention->width + BLOCK_ROWS) * padded_places(attention) +
                   attention->places * attention->places,
               err);
}
