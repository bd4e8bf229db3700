/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that take one element at a time. */
#include "config.h"

#include "ops/cpu_kernels.h"

#include <snapstate/stream.h>

#include "ops/math_functions.h"
#include "ops/vec.h"

/* Loops take the job's pointers into locals that say what ops.h says, that inputs and outputs do
 * not overlap: only then do compilers vectorise them. */
struct job {
    const float *x, *dy;
    const uint8_t *mask;
    float *y;
    uint8_t *mask_out;
    float factor;
    const struct trn_dropout *dropout;
};

static void relu_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const float *restrict x = job->x;
    float *restrict y = job->y;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        y[i] = x[i] <= 0.0f ? 0.0f : x[i];
    }
}

enum snap_status TRN_NAME(relu_forward)(struct trn_backend *backend, size_t n, const float *x,
                                        float *y, struct snap_error *err)
{
    const struct job job = { .x = x, .y = y };
    (void)err;
    trn_cpu_split(backend, n, TRN_GRAIN, relu_range, &job);
    return SNAP_OK;
}

static void relu_backward_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const float *restrict x = job->x;
    const float *restrict dy = job->dy;
    float *restrict y = job->y;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        y[i] = x[i] > 0.0f ? dy[i] : 0.0f;
    }
}

enum snap_status TRN_NAME(relu_backward)(struct trn_backend *backend, size_t n, const float *x,
                                         const float *dy, float *dx, struct snap_error *err)
{
    const struct job job = { .x = x, .dy = dy, .y = dx };
    (void)err;
    trn_cpu_split(backend, n, TRN_GRAIN, relu_backward_range, &job);
    return SNAP_OK;
}

/* TANH(0.7978845608 (x + 0.044715 x^3)); c gets x^2. */
static inline float gelu_tanh(float x, float *c)
{
    *c = x * x;
    return trn_tanhf(0.7978845608f * trn_fmaf(0.044715f, *c * x, x));
}

static void gelu_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const float *restrict x = job->x;
    float *restrict y = job->y;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        float c;
        const float t = gelu_tanh(x[i], &c);
        const float h = 0.5f * x[i];
        y[i] = trn_fmaf(h, t, h);
    }
}

enum snap_status TRN_NAME(gelu_forward)(struct trn_backend *backend, size_t n, const float *x,
                                        float *y, struct snap_error *err)
{
    const struct job job = { .x = x, .y = y };
    (void)err;
    trn_cpu_split(backend, n, TRN_GRAIN, gelu_range, &job);
    return SNAP_OK;
}

static void gelu_backward_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const float *restrict from = job->x;
    const float *restrict dy = job->dy;
    float *restrict y = job->y;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const float x = from[i];
        float c;
        const float t = gelu_tanh(x, &c);
        const float slope = 0.7978845608f * trn_fmaf(0.134145f, c, 1.0f);
        const float s = trn_fmaf(-t, t, 1.0f);
        const float a = trn_fmaf(0.5f, t, 0.5f);
        const float e = (0.5f * x) * s;
        /* Where t is 1 or -1 the slope may have overflowed, and its factor is 0. */
        const float g = s == 0.0f ? a : trn_fmaf(e, slope, a);
        y[i] = dy[i] * g;
    }
}

enum snap_status TRN_NAME(gelu_backward)(struct trn_backend *backend, size_t n, const float *x,
                                         const float *dy, float *dx, struct snap_error *err)
{
    const struct job job = { .x = x, .dy = dy, .y = dx };
    (void)err;
    trn_cpu_split(backend, n, TRN_GRAIN, gelu_backward_range, &job);
    return SNAP_OK;
}

static void dropout_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const struct trn_dropout *d = job->dropout;
    const float *restrict x = job->x;
    const float scale = d->scale;
    uint8_t *restrict mask = job->mask_out;
    float *restrict y = job->y;
    uint32_t words[4];
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const uint64_t element = d->first + i;
        if (i == begin || (element & 3) == 0) {
            snap_philox_dropout_block(d->seed, element >> 2, d->op, d->counter, words);
        }
        mask[i] = words[element & 3] >= d->threshold;
    }
    for (size_t i = begin; i < end; i++) {
        y[i] = mask[i] ? x[i] * scale : 0.0f;
    }
}

enum snap_status TRN_NAME(dropout_forward)(struct trn_backend *backend,
                                           const struct trn_dropout *dropout, size_t n,
                                           const float *x, float *y, uint8_t *mask,
                                           struct snap_error *err)
{
    const struct job job = { .x = x, .y = y, .mask_out = mask, .dropout = dropout };
    (void)err;
    trn_cpu_split(backend, n, TRN_GRAIN / 4, dropout_range, &job);
    return SNAP_OK;
}

static void dropout_backward_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const float *restrict dy = job->dy;
    const uint8_t *restrict mask = job->mask;
    float *restrict y = job->y;
    const float factor = job->factor;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        y[i] = mask[i] ? dy[i] * factor : 0.0f;
    }
}

enum snap_status TRN_NAME(dropout_backward)(struct trn_backend *backend,
                                            const struct trn_dropout *dropout, size_t n,
                                            const uint8_t *mask, const float *dy, float *dx,
                                            struct snap_error *err)
{
    const struct job job = { .dy = dy, .y = dx, .mask = mask, .factor = dropout->scale };
    (void)err;
    trn_cpu_split(backend, n, TRN_GRAIN, dropout_backward_range, &job);
    return SNAP_OK;
}

static void add_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    const float *restrict x = job->x;
    float *restrict y = job->y;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        y[i] = y[i] + x[i];
    }
}

enum snap_status TRN_NAME(add)(struct trn_backend *backend, size_t n, const float *x, float *sum,
                               struct snap_error *err)
{
    const struct job job = { .x = x, .y = sum };
    (void)err;
    trn_cpu_split(backend, n, TRN_GRAIN, add_range, &job);
    return SNAP_OK;
}

static void scale_range(const void *arg, size_t begin, size_t end, unsigned worker)
{
    const struct job *job = arg;
    float *restrict y = job->y;
    const float factor = job->factor;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        y[i] = y[i] * factor;
    }
}

enum snap_status TRN_NAME(scale)(struct trn_backend *backend, size_t n, float factor, float *x,
                                 struct snap_error *err)
{
    const struct job job = { .y = x, .factor = factor };
    (void)err;
    trn_cpu_split(backend, n, TRN_GRAIN, scale_range, &job);
    return SNAP_OK;
}

struct search_job {
    const float *x;
    size_t n;
    size_t found[SNAP_POOL_MAX_THREADS]; /* of each piece; n: nothing */
};

/* Whether one of x[0..n-1] has all exponent bits set. */
static int any_nonfinite(const float *x, size_t n)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t magnitude = trn_bits_of_float(x[i]) & 0x7fffffffu;
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest >= 0x7f800000u;
}

static void search_piece(void *arg, size_t piece, unsigned worker)
{
    struct search_job *job = arg;
    const size_t size = job->n / SNAP_POOL_MAX_THREADS + 1;
    const size_t begin = piece * size < job->n ? piece * size : job->n;
    const size_t count = job->n - begin < size ? job->n - begin : size;
    size_t i = 0;
    (void)worker;
    job->found[piece] = job->n;
    if (any_nonfinite(job->x + begin, count)) {
        while (!any_nonfinite(job->x + begin + i, 1)) {
            i++;
        }
        job->found[piece] = begin + i;
    }
}

enum snap_status TRN_NAME(first_nonfinite)(struct trn_backend *backend, size_t n, const float *x,
                                           size_t *index, struct snap_error *err)
{
    struct search_job job = { .x = x, .n = n };
    const size_t size = n / SNAP_POOL_MAX_THREADS + 1;
    const size_t pieces = (n + size - 1) / size;
    (void)err;
    snap_pool_run(backend->pool, pieces, search_piece, &job);
    *index = n;
    for (size_t piece = pieces; piece-- > 0;) {
        if (job.found[piece] < n) {
            *index = job.found[piece];
        }
    }
    return SNAP_OK;
}
