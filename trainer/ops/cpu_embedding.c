/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a table by token, and the sum of gradients for each row of the table. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include <string.h>

#define HIT_BLOCK ((size_t)1024) /* hits of one partial sum: part of the definition */
#define COL_BLOCK ((size_t)128)  /* partial sums of one block of COL */

struct job {
    const struct trn_embedding *embedding;
    const float *w, *x, *dy;
    float *out;
    const size_t *starts; /* (vocabulary + 1): where a token's rows begin in `rows` */
    const size_t *rows;   /* the rows by token, those of one token ascending */
    float *parts;         /* (most blocks of hits, width) for each worker */
    size_t parts_size;
};

static size_t token_of(const struct trn_embedding *e, size_t row)
{
    return e->tokens ? (size_t)e->tokens[row] : row % e->vocabulary;
}

static void forward_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const size_t width = job->embedding->width;
    (void)worker;
    for (size_t row = begin; row < end; row++) {
        const float *w = job->w + token_of(job->embedding, row) * width;
        float *y = job->out + row * width;
        if (!job->x) {
            memcpy(y, w, width * sizeof(float));
            continue;
        }
        for (size_t j = 0; j < width; j++) {
            y[j] = job->x[row * width + j] + w[j];
        }
    }
}

enum snap_status TRN_NAME(embedding_forward)(struct trn_backend *backend,
                                             const struct trn_embedding *embedding,
                                             const float *w, const float *x, float *y,
                                             struct snap_error *err)
{
    const struct job job = { .embedding = embedding, .w = w, .x = x, .out = y };
    (void)err;
    trn_cpu_split(backend, embedding->rows, TRN_GRAIN / (embedding->width + 1) + 1, forward_range,
                  &job);
    return SNAP_OK;
}

/* sum = sum + x */
static void add_row(size_t width, const float *x, float *sum)
{
    for (size_t j = 0; j < width; j++) {
        sum[j] = sum[j] + x[j];
    }
}

/* COL of `count` >= 1 rows, in place; the result is the first row. */
static void fold(float *parts, size_t count, size_t width)
{
    do {
        size_t blocks = 0;
        for (size_t i = 0; i < count; i++) {
            float *block = parts + (i / COL_BLOCK) * width;
            if (i % COL_BLOCK != 0) {
                add_row(width, parts + i * width, block);
                continue;
            }
            for (size_t j = 0; j < width; j++) {
                block[j] = 0.0f + parts[i * width + j];
            }
            blocks++;
        }
        count = blocks;
    } while (count > 1);
}

static void backward_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const size_t width = job->embedding->width;
    float *parts = job->parts + worker * job->parts_size;
    for (size_t token = begin; token < end; token++) {
        const size_t first = job->starts[token], hits = job->starts[token + 1] - first;
        const size_t blocks = (hits + HIT_BLOCK - 1) / HIT_BLOCK;
        float *out = job->out + token * width;
        memset(out, 0, width * sizeof(float));
        if (hits == 0) {
            continue;
        }
        memset(parts, 0, blocks * width * sizeof(float));
        for (size_t i = 0; i < hits; i++) {
            add_row(width, job->dy + job->rows[first + i] * width,
                    parts + i / HIT_BLOCK * width);
        }
        fold(parts, blocks, width);
        memcpy(out, parts, width * sizeof(float));
    }
}

/* A stable counting sort of the rows by their token. `starts` has vocabulary + 2 elements, of which
 * the last is only for the work. */
static void sort_rows(const struct trn_embedding *e, size_t *starts, size_t *rows)
{
    memset(starts, 0, (e->vocabulary + 2) * sizeof(*starts));
    for (size_t row = 0; row < e->rows; row++) {
        starts[token_of(e, row) + 2]++;
    }
    for (size_t token = 2; token < e->vocabulary + 2; token++) {
        starts[token] += starts[token - 1];
    }
    for (size_t row = 0; row < e->rows; row++) {
        rows[starts[token_of(e, row) + 1]++] = row;
    }
}

enum snap_status TRN_NAME(embedding_backward)(struct trn_backend *backend,
                                              const struct trn_embedding *embedding,
                                              const float *dy, float *dw, struct snap_error *err)
{
    const size_t vocabulary = embedding->vocabulary, width = embedding->width;
    struct job job = { .embedding = embedding, .dy = dy, .out = dw,
                       .parts_size = (embedding->rows / HIT_BLOCK + 1) * width };
    size_t *starts, *rows;
    void *scratch;
    const enum snap_status status = trn_cpu_scratch(
        backend,
        (vocabulary + 2 + embedding->rows) * sizeof(size_t) +
            snap_pool_threads(backend->pool) * job.parts_size * sizeof(float),
        &scratch, err);
    if (status != SNAP_OK) {
        return status;
    }
    starts = scratch;
    rows = starts + vocabulary + 2;
    sort_rows(embedding, starts, rows);
    job.starts = starts;
    job.rows = rows;
    job.parts = (float *)(void *)(rows + embedding->rows);
    trn_cpu_split(backend, vocabulary, 1, backward_range, &job);
    return SNAP_OK;
}
