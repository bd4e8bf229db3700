/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cudnn_device_test.h"
#include "ops/ops.h"

#define MOST 20000 /* elements of an operand */

/* Two backends of one device, and what they are told in turn. */
struct pair {
    struct snap_pool *pool;
    struct trn_backend *backends[2]; /* portable-1, cudnn-1 */
    struct trn_backend *backend;     /* the one whose turn it is */
    float host[MOST], found[2][3][MOST];
    void *a, *b, *bias, *out[3];
    uint64_t state;
};

static void must(enum snap_status status, const struct snap_error *err)
{
    if (status != SNAP_OK) {
        fail_msg("%s", err->text);
    }
}

static void open_pair(struct pair *pair)
{
    const struct trn_cudnn_options options = { .recorded = NULL };
    struct snap_error err = SNAP_ERROR_INIT;
    pair->state = 42;
    must(snap_pool_new(1, &pair->pool, &err), &err);
    must(trn_device_backend_open(0, pair->pool, &pair->backends[0], &err), &err);
    must(trn_cudnn_backend_open(0, &options, pair->pool, &pair->backends[1], &err), &err);
}

static void close_pair(struct pair *pair)
{
    trn_backend_close(pair->backends[0]);
    trn_backend_close(pair->backends[1]);
    snap_pool_free(pair->pool);
    free(pair);
}

/* Whole numbers from -4 to 4; or, `apart`, no two equal ones. */
static void *operand(struct pair *pair, size_t n, bool apart)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_backend *backend = pair->backend;
    void *memory = NULL;
    assert_true(n <= MOST);
    for (size_t i = 0; i < n; i++) {
        pair->state = pair->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        pair->host[i] = (float)(apart ? (int)(i * 7919 % 20011)
                                      : (int)(pair->state >> 40) % 9 - 4);
    }
    must(backend->ops->alloc(backend, n * sizeof(float), &memory, &err), &err);
    must(backend->ops->upload(backend, memory, pair->host, n * sizeof(float), &err), &err);
    return memory;
}

static void keep(struct pair *pair, int which, void *memory, size_t n)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_backend *backend = pair->backend;
    must(backend->ops->download(backend, pair->found[backend == pair->backends[1]][which], memory,
                                n * sizeof(float), &err), &err);
    backend->ops->release(backend, memory);
}

static void assert_equal(const struct pair *pair, int which, size_t n, const char *what, size_t i)
{
    const float *portable = pair->found[0][which], *library = pair->found[1][which];
    for (size_t at = 0; at < n; at++) {
        if (portable[at] != library[at]) {
            fail_msg("%s, case %zu: element %zu is %g by the library and %g by our kernel", what,
                     i, at, (double)library[at], (double)portable[at]);
        }
    }
}

static void products(struct pair *pair)
{
    static const size_t shapes[][3] = { { 1, 1, 1 },   { 3, 5, 7 },     { 33, 10, 128 },
                                        { 64, 64, 64 }, { 127, 65, 31 }, { 10, 128, 130 } };
    for (size_t i = 0; i < 3 * sizeof(shapes) / sizeof(shapes[0]); i++) {
        const size_t m = shapes[i / 3][0], n = shapes[i / 3][1], k = shapes[i / 3][2];
        for (int turn = 0; turn < 2; turn++) {
            struct snap_error err = SNAP_ERROR_INIT;
            pair->backend = pair->backends[turn];
            pair->state = i;
            void *a = operand(pair, m * k, false), *b = operand(pair, k * n, false);
            void *bias = operand(pair, n, false), *out = operand(pair, m * n, false);
            const struct trn_matmul product = { .transpose = (enum trn_transpose)(i % 3),
                                                .m = m, .n = n, .k = k, .a = a, .b = b,
                                                .bias = i % 2 == 0 ? bias : NULL, .out = out };
            must(pair->backend->ops->matmul(pair->backend, &product, &err), &err);
            keep(pair, 0, out, m * n);
            pair->backend->ops->release(pair->backend, a);
            pair->backend->ops->release(pair->backend, b);
            pair->backend->ops->release(pair->backend, bias);
        }
        assert_equal(pair, 0, m * n, "product", i);
    }
}

static size_t outputs(size_t size, size_t kernel, size_t stride, size_t padding)
{
    return (size + 2 * padding - kernel) / stride + 1;
}

/* n, h, w, c, oc, kernel, stride, padding; the first number of samples is what was planned. */
static struct trn_conv conv_of(const size_t s[8])
{
    const struct trn_conv conv = { s[0], s[1], s[2], s[3], outputs(s[1], s[5], s[6], s[7]),
                                   outputs(s[2], s[5], s[6], s[7]), s[4],
                                   { s[5], s[5], s[6], s[6], s[7], s[7] } };
    return conv;
}

static void convolve(struct pair *pair, const struct trn_conv *c)
{
    const struct trn_ops *ops = pair->backend->ops;
    const size_t in = c->n * c->h * c->w * c->c, out = c->n * c->oh * c->ow * c->oc;
    const size_t taps = c->oc * c->window.kernel_h * c->window.kernel_w * c->c;
    struct snap_error err = SNAP_ERROR_INIT;
    void *x = operand(pair, in, false), *w = operand(pair, taps, false);
    void *bias = operand(pair, c->oc, false), *dy = operand(pair, out, false);
    void *y = operand(pair, out, false), *dx = operand(pair, in, false);
    void *dw = operand(pair, taps, false);
    must(ops->conv_forward(pair->backend, c, x, w, bias, y, &err), &err);
    must(ops->conv_data_gradient(pair->backend, c, dy, w, dx, &err), &err);
    must(ops->conv_weight_gradient(pair->backend, c, dy, x, dw, &err), &err);
    keep(pair, 0, y, out);
    keep(pair, 1, dx, in);
    keep(pair, 2, dw, taps);
    ops->release(pair->backend, x);
    ops->release(pair->backend, w);
    ops->release(pair->backend, bias);
    ops->release(pair->backend, dy);
}

static void convolutions(struct pair *pair)
{
    static const size_t shapes[][8] = {
        { 2, 8, 8, 1, 4, 3, 1, 1 }, { 3, 7, 9, 5, 6, 3, 2, 1 }, { 4, 6, 6, 8, 8, 1, 1, 0 },
        { 1, 5, 5, 3, 2, 5, 1, 2 }, { 8, 8, 8, 16, 16, 3, 1, 1 },
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct trn_conv conv = conv_of(shapes[i]);
        struct snap_error err = SNAP_ERROR_INIT;
        char layer[20];
        snprintf(layer, sizeof(layer), "conv%zu", i);
        must(pair->backends[1]->ops->plan_conv(pair->backends[1], layer, &conv, true, &err), &err);
        for (size_t samples = conv.n; samples > 0; samples = samples / 2) {
            conv.n = samples;
            for (int turn = 0; turn < 2; turn++) {
                pair->backend = pair->backends[turn];
                pair->state = i;
                convolve(pair, &conv);
            }
            assert_equal(pair, 0, samples * conv.oh * conv.ow * conv.oc, "convolution", i);
            assert_equal(pair, 1, samples * conv.h * conv.w * conv.c, "gradient of the input", i);
            assert_equal(pair, 2, conv.oc * conv.window.kernel_h * conv.window.kernel_w * conv.c,
                         "gradient of the weight", i);
        }
    }
}

static void pool_both(struct pair *pair, const struct trn_conv *c, bool largest)
{
    const struct trn_ops *ops = pair->backend->ops;
    const size_t in = c->n * c->h * c->w * c->c, out = c->n * c->oh * c->ow * c->c;
    struct snap_error err = SNAP_ERROR_INIT;
    void *x = operand(pair, in, largest), *dy = operand(pair, out, false);
    void *y = operand(pair, out, false), *dx = operand(pair, in, false);
    void *chosen = operand(pair, out, false);
    if (largest) {
        must(ops->maxpool_forward(pair->backend, c, x, y, chosen, &err), &err);
        must(ops->maxpool_backward(pair->backend, c, x, y, chosen, dy, dx, &err), &err);
    } else {
        must(ops->avgpool_forward(pair->backend, c, x, y, &err), &err);
        must(ops->avgpool_backward(pair->backend, c, x, y, dy, dx, &err), &err);
    }
    keep(pair, 0, y, out);
    keep(pair, 1, dx, in);
    ops->release(pair->backend, x);
    ops->release(pair->backend, dy);
    ops->release(pair->backend, chosen);
}

static void poolings(struct pair *pair)
{
    static const size_t shapes[][8] = {
        { 2, 8, 8, 3, 3, 2, 2, 0 }, { 3, 7, 9, 4, 4, 4, 2, 1 }, { 2, 6, 6, 5, 5, 2, 1, 0 },
    };
    for (size_t i = 0; i < 2 * sizeof(shapes) / sizeof(shapes[0]); i++) {
        const struct trn_conv conv = conv_of(shapes[i / 2]);
        for (int turn = 0; turn < 2; turn++) {
            pair->backend = pair->backends[turn];
            pair->state = i;
            pool_both(pair, &conv, i % 2 == 0);
        }
        assert_equal(pair, 0, conv.n * conv.oh * conv.ow * conv.c, "pooling", i);
        assert_equal(pair, 1, conv.n * conv.h * conv.w * conv.c, "pooling, backward", i);
    }
}

void cudnn_test_operators(void)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    assert_non_null(pair);
    open_pair(pair);
    products(pair);
    convolutions(pair);
    poolings(pair);
    close_pair(pair);
}

/* A dropout of `n` ones: what it kept into `found`. */
static void draw(struct trn_backend *backend, void *memory, size_t n, float *found)
{
    const struct trn_dropout dropout = { .op = 3, .probability = 0.5f };
    struct snap_error err = SNAP_ERROR_INIT;
    for (size_t i = 0; i < n; i++) {
        found[i] = 1.0f;
    }
    must(backend->ops->upload(backend, memory, found, n * sizeof(float), &err), &err);
    must(backend->ops->dropout_forward(backend, &dropout, n, memory, memory, NULL, &err), &err);
    must(backend->ops->download(backend, found, memory, n * sizeof(float), &err), &err);
}

void cudnn_test_generator(void)
{
    const struct trn_cudnn_options options = { .recorded = NULL };
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_backend *backend = NULL;
    struct snap_pool *pool = NULL;
    float first[2][500], then[500];
    void *memory = NULL, *before = NULL, *after = NULL;
    size_t before_size = 0, after_size = 0;
    must(snap_pool_new(1, &pool, &err), &err);
    must(trn_cudnn_backend_open(0, &options, pool, &backend, &err), &err);
    must(backend->ops->seed_dropout(backend, 42, &err), &err);
    must(backend->ops->alloc(backend, sizeof(then), &memory, &err), &err);
    const struct snap_stream_ops *stream = backend->ops->dropout_stream;
    draw(backend, memory, 500, then);
    must(stream->get(backend, &before, &before_size, &err), &err);
    assert_true(before_size > 0);
    for (int turn = 0; turn < 2; turn++) {
        draw(backend, memory, 500, first[turn]);
        assert_memory_not_equal(first[turn], then, sizeof(then));
        must(stream->get(backend, &after, &after_size, &err), &err);
        assert_int_equal(after_size, before_size);
        assert_memory_not_equal(after, before, before_size);
        free(after);
        must(stream->set(backend, before, before_size, &err), &err);
        must(stream->get(backend, &after, &after_size, &err), &err);
        assert_memory_equal(after, before, before_size);
        free(after);
    }
    assert_memory_equal(first[0], first[1], sizeof(first[0]));
    assert_int_equal(stream->set(backend, before, before_size - 8, &err), SNAP_UNSUPPORTED);
    free(before);
    backend->ops->release(backend, memory);
    trn_backend_close(backend);
    snap_pool_free(pool);
}
