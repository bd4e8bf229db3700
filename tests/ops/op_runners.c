/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "op_runners.h"

#include <stdlib.h>
#include <string.h>

#include "op_oracle.h"

void *(*op_memory_new)(size_t size_bytes) = malloc;
void (*op_memory_free)(void *memory) = free;

static void *zeroed(size_t size_bytes)
{
    void *memory = op_memory_new(size_bytes);
    if (memory) {
        memset(memory, 0, size_bytes);
    }
    return memory;
}

/* A buffer of `count` operands. */
static float *operand(size_t count, uint64_t *state, enum op_flavour flavour)
{
    float *values = zeroed((count + 1) * sizeof(float));
    if (!values) {
        abort();
    }
    op_fill(values, count, state, flavour);
    return values;
}

static float *blank(size_t count)
{
    float *values = op_memory_new((count + 1) * sizeof(float));
    if (!values) {
        abort();
    }
    memset(values, 0xa5, (count + 1) * sizeof(float));
    return values;
}

static void put(struct op_words *words, const void *from, size_t count)
{
    if (words->count + count > words->capacity) {
        words->capacity = 2 * (words->count + count);
        words->words = realloc(words->words, words->capacity * sizeof(uint32_t));
        if (!words->words) {
            abort();
        }
    }
    if (count != 0) {
        memcpy(words->words + words->count, from, count * sizeof(uint32_t));
    }
    words->count += count;
}

static void must(enum snap_status status)
{
    if (status != SNAP_OK) {
        abort();
    }
}

static enum op_flavour flavour(const struct op_case *c)
{
    return (enum op_flavour)(c->seed % OP_FLAVOURS);
}

static void run_matmul(const struct op_case *c, struct trn_backend *backend, struct op_words *words)
{
    uint64_t state = c->seed;
    const size_t m = c->d[1], n = c->d[2], k = c->d[3];
    float *a = operand(m * k, &state, flavour(c)), *b = operand(k * n, &state, flavour(c));
    float *bias = operand(n, &state, flavour(c)), *out = blank(m * n);
    const struct trn_matmul args = { (enum trn_transpose)c->d[0], m, n, k, a, b,
                                     c->d[4] ? bias : NULL, out };
    if (backend) {
        must(backend->ops->matmul(backend, &args, NULL));
    } else {
        oracle_matmul(&args);
    }
    put(words, out, m * n);
    op_memory_free(a);
    op_memory_free(b);
    op_memory_free(bias);
    op_memory_free(out);
}

/* d: n h w c oc kernel_h kernel_w stride_h stride_w padding_h padding_w */
static struct trn_conv conv_of(const struct op_case *c)
{
    struct trn_conv conv = { .n = c->d[0], .h = c->d[1], .w = c->d[2], .c = c->d[3],
                             .oc = c->d[4] };
    conv.window = (struct trn_window){ c->d[5], c->d[6], c->d[7], c->d[8], c->d[9], c->d[10] };
    conv.oh = (conv.h + 2 * c->d[9] - c->d[5]) / c->d[7] + 1;
    conv.ow = (conv.w + 2 * c->d[10] - c->d[6]) / c->d[8] + 1;
    return conv;
}

static void run_conv(const struct op_case *c, struct trn_backend *backend, struct op_words *words)
{
    uint64_t state = c->seed;
    const struct trn_conv v = conv_of(c);
    const size_t in = v.n * v.h * v.w * v.c, out = v.n * v.oh * v.ow * v.oc;
    const size_t filter = v.oc * v.window.kernel_h * v.window.kernel_w * v.c;
    float *x = operand(in, &state, flavour(c)), *w = operand(filter, &state, flavour(c));
    float *bias = operand(v.oc, &state, flavour(c)), *dy = operand(out, &state, flavour(c));
    float *y = blank(out), *dx = blank(in), *dw = blank(filter);
    if (backend) {
        must(backend->ops->conv_forward(backend, &v, x, w, bias, y, NULL));
        must(backend->ops->conv_data_gradient(backend, &v, dy, w, dx, NULL));
        must(backend->ops->conv_weight_gradient(backend, &v, dy, x, dw, NULL));
    } else {
        oracle_conv_forward(&v, x, w, bias, y);
        oracle_conv_data_gradient(&v, dy, w, dx);
        oracle_conv_weight_gradient(&v, dy, x, dw);
    }
    put(words, y, out);
    put(words, dx, in);
    put(words, dw, filter);
    op_memory_free(x);
    op_memory_free(w);
    op_memory_free(bias);
    op_memory_free(dy);
    op_memory_free(y);
    op_memory_free(dx);
    op_memory_free(dw);
}

static void run_pool(const struct op_case *c, struct trn_backend *backend, struct op_words *words)
{
    uint64_t state = c->seed;
    const struct trn_conv v = conv_of(c);
    const size_t in = v.n * v.h * v.w * v.c, out = v.n * v.oh * v.ow * v.oc;
    float *x = operand(in, &state, flavour(c)), *dy = operand(out, &state, flavour(c));
    float *y = blank(out), *dx = blank(in), *mean = blank(out), *dmean = blank(in);
    int32_t *chosen = zeroed((out + 1) * sizeof(int32_t));
    if (!chosen) {
        abort();
    }
    /* Equal neighbours, so that the first of equals shows. */
    for (size_t i = 2 * v.c; i < in; i += 5) {
        x[i] = x[i - v.c];
    }
    if (backend) {
        must(backend->ops->maxpool_forward(backend, &v, x, y, chosen, NULL));
        must(backend->ops->maxpool_backward(backend, &v, x, y, chosen, dy, dx, NULL));
        must(backend->ops->avgpool_forward(backend, &v, x, mean, NULL));
        must(backend->ops->avgpool_backward(backend, &v, x, mean, dy, dmean, NULL));
    } else {
        oracle_maxpool(&v, x, y, chosen);
        oracle_maxpool_backward(&v, chosen, dy, dx);
        oracle_avgpool(&v, x, mean);
        oracle_avgpool_backward(&v, dy, dmean);
    }
    put(words, y, out);
    put(words, chosen, out);
    put(words, dx, in);
    put(words, mean, out);
    put(words, dmean, in);
    op_memory_free(x);
    op_memory_free(dy);
    op_memory_free(y);
    op_memory_free(dx);
    op_memory_free(mean);
    op_memory_free(dmean);
    op_memory_free(chosen);
}

static void run_reduce(const struct op_case *c, struct trn_backend *backend, struct op_words *words)
{
    uint64_t state = c->seed;
    const size_t n = c->d[0];
    float *x = operand(n, &state, flavour(c)), *y = operand(n, &state, flavour(c));
    float *sums = blank(2);
    if (backend) {
        must(backend->ops->reduce(backend, x, n, &sums[0], NULL));
        must(backend->ops->reduce_product(backend, x, y, n, &sums[1], NULL));
    } else {
        sums[0] = oracle_red(x, NULL, n);
        sums[1] = oracle_red(x, y, n);
    }
    put(words, sums, 2);
    op_memory_free(sums);
    op_memory_free(x);
    op_memory_free(y);
}

static void run_columns(const struct op_case *c, struct trn_backend *backend,
                        struct op_words *words)
{
    uint64_t state = c->seed;
    const size_t rows = c->d[0], columns = c->d[1];
    float *x = operand(rows * columns, &state, flavour(c)), *out = blank(columns);
    if (backend) {
        must(backend->ops->column_sum(backend, x, rows, columns, out, NULL));
    } else {
        oracle_column_sum(x, rows, columns, out);
    }
    put(words, out, columns);
    op_memory_free(x);
    op_memory_free(out);
}

static void run_norm(const struct op_case *c, struct trn_backend *backend, struct op_words *words)
{
    uint64_t state = c->seed;
    const struct trn_norm norm = { c->d[0], c->d[1], 1e-5f };
    const size_t count = norm.rows * norm.columns, k = norm.columns;
    float *x = operand(count, &state, flavour(c)), *dy = operand(count, &state, OP_PLAIN);
    float *gamma = operand(k, &state, OP_PLAIN), *beta = operand(k, &state, OP_PLAIN);
    float *mean = blank(k), *var = blank(k), *unbiased = blank(k), *y = blank(count);
    float *dgamma = blank(k), *dbeta = blank(k), *dx = blank(count);
    float *const outputs[] = { mean, var, unbiased, dgamma, dbeta };
    if (backend) {
        must(backend->ops->norm_statistics(backend, &norm, x, mean, var, unbiased, NULL));
        must(backend->ops->norm_forward(backend, &norm, x, mean, var, gamma, beta, y, NULL));
        must(backend->ops->norm_backward(backend, &norm, x, mean, var, gamma, dy, dgamma, dbeta,
                                         dx, NULL));
    } else {
        oracle_norm_statistics(&norm, x, mean, var, unbiased);
        oracle_norm(&norm, x, mean, var, gamma, beta, y);
        oracle_norm_backward(&norm, x, mean, var, gamma, dy, dgamma, dbeta, dx);
    }
    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
        put(words, outputs[i], k);
        op_memory_free(outputs[i]);
    }
    put(words, y, count);
    put(words, dx, count);
    op_memory_free(x);
    op_memory_free(dy);
    op_memory_free(gamma);
    op_memory_free(beta);
    op_memory_free(y);
    op_memory_free(dx);
}

static void run_layernorm(const struct op_case *c, struct trn_backend *backend,
                          struct op_words *words)
{
    uint64_t state = c->seed;
    const struct trn_norm norm = { c->d[0], c->d[1], 1e-5f };
    const size_t count = norm.rows * norm.columns, k = norm.columns;
    float *x = operand(count, &state, flavour(c)), *dy = operand(count, &state, OP_PLAIN);
    float *gamma = operand(k, &state, OP_PLAIN), *beta = operand(k, &state, OP_PLAIN);
    float *mean = blank(norm.rows), *rs = blank(norm.rows), *y = blank(count);
    float *dgamma = blank(k), *dbeta = blank(k), *dx = blank(count);
    if (backend) {
        must(backend->ops->layernorm_forward(backend, &norm, x, gamma, beta, mean, rs, y, NULL));
        must(backend->ops->layernorm_backward(backend, &norm, x, mean, rs, gamma, dy, dgamma,
                                              dbeta, dx, NULL));
    } else {
        oracle_layernorm(&norm, x, gamma, beta, mean, rs, y);
        oracle_layernorm_backward(&norm, x, gamma, dy, dgamma, dbeta, dx);
    }
    put(words, mean, norm.rows);
    put(words, rs, norm.rows);
    put(words, y, count);
    put(words, dgamma, k);
    put(words, dbeta, k);
    put(words, dx, count);
    op_memory_free(x);
    op_memory_free(dy);
    op_memory_free(gamma);
    op_memory_free(beta);
    op_memory_free(mean);
    op_memory_free(rs);
    op_memory_free(y);
    op_memory_free(dgamma);
    op_memory_free(dbeta);
    op_memory_free(dx);
}

/* d: rows, vocabulary, width, and whether tokens are given or follow from the row. */
static void run_embedding(const struct op_case *c, struct trn_backend *backend,
                          struct op_words *words)
{
    uint64_t state = c->seed;
    const size_t rows = c->d[0], vocabulary = c->d[1], width = c->d[2];
    float *w = operand(vocabulary * width, &state, flavour(c));
    float *x = operand(rows * width, &state, flavour(c));
    float *dy = operand(rows * width, &state, flavour(c));
    float *tokens = blank(rows), *y = blank(rows * width), *dw = blank(vocabulary * width);
    const struct trn_embedding e = { rows, vocabulary, width, c->d[3] ? tokens : NULL };
    for (size_t i = 0; i < rows; i++) {
        tokens[i] = (float)(op_next_word(&state) % vocabulary);
    }
    if (backend) {
        must(backend->ops->embedding_forward(backend, &e, w, c->d[3] ? NULL : x, y, NULL));
        must(backend->ops->embedding_backward(backend, &e, dy, dw, NULL));
    } else {
        oracle_embedding(&e, w, c->d[3] ? NULL : x, y);
        oracle_embedding_backward(&e, dy, dw);
    }
    put(words, y, rows * width);
    put(words, dw, vocabulary * width);
    op_memory_free(w);
    op_memory_free(x);
    op_memory_free(dy);
    op_memory_free(tokens);
    op_memory_free(y);
    op_memory_free(dw);
}

/* d: samples, places, heads, width of a head. */
static void run_attention(const struct op_case *c, struct trn_backend *backend,
                          struct op_words *words)
{
    uint64_t state = c->seed;
    const struct trn_attention a = { c->d[0], c->d[1], c->d[2], c->d[3], 0.35355338f };
    const size_t out = a.samples * a.places * a.heads * a.width;
    const size_t pairs = a.samples * a.heads * a.places * a.places;
    float *qkv = operand(3 * out, &state, flavour(c)), *dy = operand(out, &state, flavour(c));
    float *weights = blank(pairs), *y = blank(out), *dqkv = blank(3 * out);
    if (backend) {
        must(backend->ops->attention_forward(backend, &a, qkv, weights, y, NULL));
        must(backend->ops->attention_backward(backend, &a, qkv, weights, dy, dqkv, NULL));
    } else {
        oracle_attention(&a, qkv, weights, y);
        oracle_attention_backward(&a, qkv, dy, dqkv);
    }
    put(words, weights, pairs);
    put(words, y, out);
    put(words, dqkv, 3 * out);
    op_memory_free(qkv);
    op_memory_free(dy);
    op_memory_free(weights);
    op_memory_free(y);
    op_memory_free(dqkv);
}

static void run_activation(const struct op_case *c, struct trn_backend *backend,
                           struct op_words *words)
{
    uint64_t state = c->seed;
    const size_t n = c->d[0];
    float *x = operand(n, &state, flavour(c)), *dy = operand(n, &state, flavour(c));
    float *out[4];
    for (int i = 0; i < 4; i++) {
        out[i] = blank(n);
    }
    if (backend) {
        must(backend->ops->relu_forward(backend, n, x, out[0], NULL));
        must(backend->ops->relu_backward(backend, n, x, dy, out[1], NULL));
        must(backend->ops->gelu_forward(backend, n, x, out[2], NULL));
        must(backend->ops->gelu_backward(backend, n, x, dy, out[3], NULL));
    } else {
        oracle_relu(n, x, out[0]);
        oracle_relu_backward(n, x, dy, out[1]);
        oracle_gelu(n, x, out[2]);
        oracle_gelu_backward(n, x, dy, out[3]);
    }
    for (int i = 0; i < 4; i++) {
        put(words, out[i], n);
        op_memory_free(out[i]);
    }
    op_memory_free(x);
    op_memory_free(dy);
}

static void run_dropout(const struct op_case *c, struct trn_backend *backend,
                        struct op_words *words)
{
    uint64_t state = c->seed;
    const size_t n = c->d[0];
    const struct trn_dropout dropout = { c->d[1],          UINT64_C(0x123456789abcdef) + c->seed,
                                         (uint32_t)c->d[2], 3,
                                         UINT32_C(1) << 30, 0x1.555556p0f, 0.25f };
    float *x = operand(n, &state, flavour(c)), *y = blank(n), *dx = blank(n);
    uint8_t *mask = zeroed((n + 1) * 1);
    if (!mask) {
        abort();
    }
    if (backend) {
        must(backend->ops->dropout_forward(backend, &dropout, n, x, y, mask, NULL));
        must(backend->ops->dropout_backward(backend, &dropout, n, mask, x, dx, NULL));
    } else {
        oracle_dropout(&dropout, n, x, y);
        oracle_dropout(&dropout, n, x, dx);
    }
    put(words, y, n);
    put(words, dx, n);
    op_memory_free(x);
    op_memory_free(y);
    op_memory_free(dx);
    op_memory_free(mask);
}

static void run_cross_entropy(const struct op_case *c, struct trn_backend *backend,
                              struct op_words *words)
{
    uint64_t state = c->seed;
    const size_t rows = c->d[0], classes = c->d[1];
    float *logits = operand(rows * classes, &state, OP_PLAIN), *losses = blank(rows);
    float *gradient = blank(rows * classes);
    int32_t *labels = zeroed((2 * rows + 1) * sizeof(int32_t));
    if (!labels) {
        abort();
    }
    for (size_t i = 0; i < rows; i++) {
        labels[i] = (int32_t)(op_next_word(&state) % classes);
    }
    if (classes > 2 && rows > 0) {
        logits[classes - 1] = logits[1] = 9.0f; /* two largest: the first counts */
    }
    const struct trn_cross_entropy args = { rows, classes, logits, labels, 1.0f / 7.0f, losses,
                                            gradient, labels + rows };
    if (backend) {
        must(backend->ops->cross_entropy(backend, &args, NULL));
    } else {
        oracle_cross_entropy(&args);
    }
    put(words, losses, rows);
    put(words, gradient, rows * classes);
    put(words, labels + rows, rows);
    op_memory_free(logits);
    op_memory_free(losses);
    op_memory_free(gradient);
    op_memory_free(labels);
}

/* d: count, and which: 0 sgd without momentum, 1 with, 2 adam, 3 adamw */
static void run_update(const struct op_case *c, struct trn_backend *backend, struct op_words *words)
{
    uint64_t state = c->seed;
    const size_t n = c->d[0];
    float *weight = operand(n, &state, flavour(c)), *gradient = operand(n, &state, flavour(c));
    float *m = operand(n, &state, flavour(c)), *v = operand(n, &state, flavour(c));
    const struct trn_sgd sgd = { n, 0.05f, 0.9f, 1e-4f, gradient, c->d[1] ? m : NULL, weight };
    const struct trn_adam adam = {
        .count = n, .lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.999f, .one_minus_beta1 = 0.1f,
        .one_minus_beta2 = 0.001f, .correction1 = 3.6900369f, .correction2 = 333.66700f,
        .eps = 1e-8f, .weight_decay = 1e-4f, .decay = 1e-5f, .decoupled = c->d[1] == 3,
        .gradient = gradient, .exp_avg = m, .exp_avg_sq = v, .weight = weight,
    };
    for (size_t i = 0; i < n; i++) {
        v[i] = v[i] < 0.0f ? -v[i] : v[i];
    }
    if (c->d[1] < 2) {
        if (backend) {
            must(backend->ops->sgd(backend, &sgd, NULL));
        } else {
            oracle_sgd(&sgd);
        }
    } else if (backend) {
        must(backend->ops->adam(backend, &adam, NULL));
    } else {
        oracle_adam(&adam);
    }
    put(words, weight, n);
    put(words, m, n);
    put(words, v, n);
    op_memory_free(weight);
    op_memory_free(gradient);
    op_memory_free(m);
    op_memory_free(v);
}

static const struct op_kind kinds[] = {
    { "matmul", "transpose m n k bias", run_matmul },
    { "conv", "n h w c oc kernel_h kernel_w stride_h stride_w padding_h padding_w", run_conv },
    { "pool", "n h w c oc kernel_h kernel_w stride_h stride_w padding_h padding_w", run_pool },
    { "reduce", "n", run_reduce },
    { "columns", "rows columns", run_columns },
    { "norm", "rows columns", run_norm },
    { "layernorm", "rows columns", run_layernorm },
    { "embedding", "rows vocabulary width tokens", run_embedding },
    { "attention", "samples places heads width", run_attention },
    { "activation", "n", run_activation },
    { "dropout", "n first counter", run_dropout },
    { "cross_entropy", "rows classes", run_cross_entropy },
    { "update", "n which", run_update },
};

const struct op_kind *op_kind_find(const char *name)
{
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        if (strcmp(kinds[k].name, name) == 0) {
            return &kinds[k];
        }
    }
    abort();
}
