/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "op_oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/stream.h>

#include "ops/math_functions.h"

static float *floats(size_t n)
{
    float *memory = calloc(n + 1, sizeof(float));
    if (!memory) {
        abort();
    }
    return memory;
}

float oracle_dot(const float *a, const float *b, size_t k)
{
    float total = 0.0f;
    for (size_t from = 0; from < k; from += 512) {
        float p = 0.0f;
        for (size_t i = from; i < k && i < from + 512; i++) {
            p = fmaf(a[i], b[i], p);
        }
        total = total + p;
    }
    return total + 0.0f;
}

static float red_chunk(const float *x, const float *y, size_t n)
{
    float lane[32] = { 0 };
    for (size_t l = 0; l < 32; l++) {
        for (size_t i = l; i < n; i += 32) {
            lane[l] = y ? fmaf(x[i], y[i], lane[l]) : lane[l] + x[i];
        }
    }
    for (size_t half = 16; half >= 1; half /= 2) {
        for (size_t l = 0; l < half; l++) {
            lane[l] = lane[l] + lane[l + half];
        }
    }
    return lane[0];
}

float oracle_red(const float *x, const float *y, size_t n)
{
    const size_t chunks = (n + 1023) / 1024;
    float *results, total;
    if (chunks <= 1) {
        return red_chunk(x, y, n);
    }
    results = floats(chunks);
    for (size_t i = 0; i < chunks; i++) {
        const size_t size = n - i * 1024 < 1024 ? n - i * 1024 : 1024;
        results[i] = red_chunk(x + i * 1024, y ? y + i * 1024 : NULL, size);
    }
    total = oracle_red(results, NULL, chunks);
    free(results);
    return total;
}

float oracle_col(const float *x, size_t rows)
{
    const size_t blocks = (rows + 127) / 128;
    float *results = floats(blocks), total;
    for (size_t i = 0; i < rows; i++) {
        results[i / 128] = results[i / 128] + x[i];
    }
    total = blocks > 1 ? oracle_col(results, blocks) : results[0];
    free(results);
    return total;
}

void oracle_matmul(const struct trn_matmul *m)
{
    float *a = floats(m->k), *b = floats(m->k);
    for (size_t i = 0; i < m->m; i++) {
        for (size_t j = 0; j < m->n; j++) {
            float v;
            for (size_t k = 0; k < m->k; k++) {
                a[k] = m->transpose == TRN_TN ? m->a[k * m->m + i] : m->a[i * m->k + k];
                b[k] = m->transpose == TRN_NT ? m->b[j * m->k + k] : m->b[k * m->n + j];
            }
            v = oracle_dot(a, b, m->k);
            m->out[i * m->n + j] = m->bias ? (v + m->bias[j]) + 0.0f : v;
        }
    }
    free(a);
    free(b);
}

/* The index of the input under tap (r, s) of output (n, oh, ow), channel 0; -1 in the padding. */
static long input_at(const struct trn_conv *c, size_t n, size_t oh, size_t ow, size_t r, size_t s)
{
    const long y = (long)(oh * c->window.stride_h + r) - (long)c->window.padding_h;
    const long x = (long)(ow * c->window.stride_w + s) - (long)c->window.padding_w;
    if (y < 0 || x < 0 || y >= (long)c->h || x >= (long)c->w) {
        return -1;
    }
    return (((long)n * (long)c->h + y) * (long)c->w + x) * (long)c->c;
}

#define EACH(i, n) for (size_t i = 0; i < (n); i++)

static size_t output_at(const struct trn_conv *c, size_t n, size_t oh, size_t ow)
{
    return ((n * c->oh + oh) * c->ow + ow) * c->oc;
}

void oracle_conv_forward(const struct trn_conv *c, const float *x, const float *w,
                         const float *bias, float *y)
{
    const size_t K = c->window.kernel_h * c->window.kernel_w * c->c;
    float *taps = floats(K);
    EACH(n, c->n) EACH(oh, c->oh) EACH(ow, c->ow) {
        size_t k = 0;
        EACH(r, c->window.kernel_h) EACH(s, c->window.kernel_w) EACH(i, c->c) {
            const long at = input_at(c, n, oh, ow, r, s);
            taps[k++] = at < 0 ? 0.0f : x[(size_t)at + i];
        }
        EACH(oc, c->oc) {
            const float v = oracle_dot(taps, w + oc * K, K);
            y[output_at(c, n, oh, ow) + oc] = bias ? (v + bias[oc]) + 0.0f : v;
        }
    }
    free(taps);
}

void oracle_conv_data_gradient(const struct trn_conv *c, const float *dy, const float *w, float *dx)
{
    const size_t R = c->window.kernel_h, S = c->window.kernel_w;
    float *a = floats(R * S * c->oc), *b = floats(R * S * c->oc);
    EACH(n, c->n) EACH(h, c->h) EACH(x, c->w) EACH(i, c->c) {
        const long pixel = (long)(((n * c->h + h) * c->w + x) * c->c);
        size_t k = 0;
        EACH(r, R) EACH(s, S) {
            long window = -1;
            EACH(oh, c->oh) EACH(ow, c->ow) {
                if (input_at(c, n, oh, ow, r, s) == pixel) {
                    window = (long)output_at(c, n, oh, ow);
                }
            }
            EACH(oc, c->oc) {
                a[k] = window < 0 ? 0.0f : dy[(size_t)window + oc];
                b[k++] = w[((oc * R + r) * S + s) * c->c + i];
            }
        }
        dx[(size_t)pixel + i] = oracle_dot(a, b, k);
    }
    free(a);
    free(b);
}

void oracle_conv_weight_gradient(const struct trn_conv *c, const float *dy, const float *x,
                                 float *dw)
{
    const size_t R = c->window.kernel_h, S = c->window.kernel_w;
    float *a = floats(c->n * c->oh * c->ow), *b = floats(c->n * c->oh * c->ow);
    EACH(oc, c->oc) EACH(r, R) EACH(s, S) EACH(i, c->c) {
        size_t k = 0;
        EACH(n, c->n) EACH(oh, c->oh) EACH(ow, c->ow) {
            const long at = input_at(c, n, oh, ow, r, s);
            a[k] = dy[output_at(c, n, oh, ow) + oc];
            b[k++] = at < 0 ? 0.0f : x[(size_t)at + i];
        }
        dw[((oc * R + r) * S + s) * c->c + i] = oracle_dot(a, b, k);
    }
    free(a);
    free(b);
}

void oracle_column_sum(const float *x, size_t rows, size_t columns, float *out)
{
    float *column = floats(rows);
    EACH(j, columns) {
        EACH(i, rows) {
            column[i] = x[i * columns + j];
        }
        out[j] = oracle_col(column, rows);
    }
    free(column);
}

void oracle_relu(size_t n, const float *x, float *y)
{
    EACH(i, n) {
        y[i] = x[i] <= 0.0f ? 0.0f : x[i];
    }
}

void oracle_relu_backward(size_t n, const float *x, const float *dy, float *dx)
{
    EACH(i, n) {
        dx[i] = x[i] > 0.0f ? dy[i] : 0.0f;
    }
}

void oracle_gelu(size_t n, const float *x, float *y)
{
    EACH(i, n) {
        float c = x[i] * x[i], u, t, h;
        c = c * x[i];
        u = fmaf(0.044715f, c, x[i]);
        t = trn_tanhf(0.7978845608f * u);
        h = 0.5f * x[i];
        y[i] = fmaf(h, t, h);
    }
}

void oracle_gelu_backward(size_t n, const float *x, const float *dy, float *dx)
{
    EACH(i, n) {
        const float c2 = x[i] * x[i], c3 = c2 * x[i];
        const float t = trn_tanhf(0.7978845608f * fmaf(0.044715f, c3, x[i]));
        const float q = fmaf(0.134145f, c2, 1.0f);
        const float slope = 0.7978845608f * q;
        const float s = fmaf(-t, t, 1.0f);
        const float a = fmaf(0.5f, t, 0.5f);
        const float h = 0.5f * x[i];
        const float e = h * s;
        dx[i] = dy[i] * (s == 0.0f ? a : fmaf(e, slope, a));
    }
}

void oracle_dropout(const struct trn_dropout *d, size_t n, const float *x, float *y)
{
    EACH(i, n) {
        uint32_t words[4];
        snap_philox_dropout_block(d->seed, (d->first + i) / 4, d->op, d->counter, words);
        y[i] = words[(d->first + i) % 4] >= d->threshold ? x[i] * d->scale : 0.0f;
    }
}

void oracle_maxpool(const struct trn_conv *c, const float *x, float *y, int32_t *chosen)
{
    EACH(n, c->n) EACH(oh, c->oh) EACH(ow, c->ow) EACH(i, c->c) {
        const size_t out = output_at(c, n, oh, ow) + i;
        int found = 0;
        EACH(r, c->window.kernel_h) EACH(s, c->window.kernel_w) {
            const long at = input_at(c, n, oh, ow, r, s);
            if (at < 0) {
                continue;
            }
            if (!found || x[(size_t)at + i] > y[out] || isnan(x[(size_t)at + i])) {
                y[out] = x[(size_t)at + i];
                chosen[out] = (int32_t)((size_t)at / c->c - n * c->h * c->w);
                found = 1;
            }
        }
    }
}

void oracle_maxpool_backward(const struct trn_conv *c, const int32_t *chosen, const float *dy,
                             float *dx)
{
    EACH(n, c->n) EACH(p, c->h * c->w) EACH(i, c->c) {
        float sum = 0.0f;
        EACH(oh, c->oh) EACH(ow, c->ow) {
            const size_t out = output_at(c, n, oh, ow) + i;
            if (chosen[out] == (int32_t)p) {
                sum = sum + dy[out];
            }
        }
        dx[(n * c->h * c->w + p) * c->c + i] = sum;
    }
}

void oracle_avgpool(const struct trn_conv *c, const float *x, float *y)
{
    const float share = 1.0f / (float)(c->window.kernel_h * c->window.kernel_w);
    EACH(n, c->n) EACH(oh, c->oh) EACH(ow, c->ow) EACH(i, c->c) {
        float sum = 0.0f;
        EACH(r, c->window.kernel_h) EACH(s, c->window.kernel_w) {
            const long at = input_at(c, n, oh, ow, r, s);
            sum = at < 0 ? sum : sum + x[(size_t)at + i];
        }
        y[output_at(c, n, oh, ow) + i] = sum * share;
    }
}

void oracle_avgpool_backward(const struct trn_conv *c, const float *dy, float *dx)
{
    const float share = 1.0f / (float)(c->window.kernel_h * c->window.kernel_w);
    EACH(n, c->n) EACH(h, c->h) EACH(x, c->w) EACH(i, c->c) {
        const size_t pixel = ((n * c->h + h) * c->w + x) * c->c;
        float sum = 0.0f;
        EACH(oh, c->oh) EACH(ow, c->ow) {
            EACH(r, c->window.kernel_h) EACH(s, c->window.kernel_w) {
                if (input_at(c, n, oh, ow, r, s) == (long)pixel) {
                    sum = sum + dy[output_at(c, n, oh, ow) + i];
                }
            }
        }
        dx[pixel + i] = sum * share;
    }
}

void oracle_norm_statistics(const struct trn_norm *norm, const float *x, float *mean, float *var,
                            float *unbiased)
{
    const float share = 1.0f / (float)norm->rows;
    float *column = floats(norm->rows);
    EACH(j, norm->columns) {
        float squares;
        EACH(i, norm->rows) {
            column[i] = x[i * norm->columns + j];
        }
        mean[j] = oracle_col(column, norm->rows) * share;
        EACH(i, norm->rows) {
            const float d = column[i] - mean[j];
            column[i] = d * d;
        }
        squares = oracle_col(column, norm->rows);
        var[j] = squares * share;
        unbiased[j] = squares * (1.0f / (float)(norm->rows > 1 ? norm->rows - 1 : 1));
    }
    free(column);
}

void oracle_norm(const struct trn_norm *norm, const float *x, const float *mean, const float *var,
                 const float *gamma, const float *beta, float *y)
{
    EACH(i, norm->rows) EACH(j, norm->columns) {
        const float rs = 1.0f / sqrtf(var[j] + norm->eps);
        const float d = x[i * norm->columns + j] - mean[j];
        const float xh = d * rs;
        y[i * norm->columns + j] = fmaf(xh, gamma[j], beta[j]);
    }
}

void oracle_norm_backward(const struct trn_norm *norm, const float *x, const float *mean,
                          const float *var, const float *gamma, const float *dy, float *dgamma,
                          float *dbeta, float *dx)
{
    const float share = 1.0f / (float)norm->rows;
    float *column = floats(norm->rows);
    EACH(j, norm->columns) {
        const float rs = 1.0f / sqrtf(var[j] + norm->eps);
        const float slope = gamma[j] * rs;
        float s1, s2;
        EACH(i, norm->rows) {
            column[i] = dy[i * norm->columns + j];
        }
        dbeta[j] = oracle_col(column, norm->rows);
        EACH(i, norm->rows) {
            const float d = x[i * norm->columns + j] - mean[j];
            const float xh = d * rs;
            column[i] = dy[i * norm->columns + j] * xh;
        }
        dgamma[j] = oracle_col(column, norm->rows);
        s1 = dbeta[j] * share;
        s2 = dgamma[j] * share;
        EACH(i, norm->rows) {
            const float d = x[i * norm->columns + j] - mean[j];
            const float xh = d * rs;
            const float t = dy[i * norm->columns + j] - s1;
            const float u = xh * s2;
            dx[i * norm->columns + j] = (t - u) * slope;
        }
    }
    free(column);
}

void oracle_cross_entropy(const struct trn_cross_entropy *a)
{
    float *e = floats(a->classes);
    EACH(row, a->rows) {
        const float *x = a->logits + row * a->classes;
        const size_t label = (size_t)a->labels[row];
        size_t best = 0;
        float sum, r;
        EACH(j, a->classes) {
            best = x[j] > x[best] ? j : best;
        }
        EACH(j, a->classes) {
            const float d = x[j] - x[best];
            e[j] = trn_expf(d);
        }
        sum = oracle_red(e, NULL, a->classes);
        r = 1.0f / sum;
        a->best[row] = (int32_t)best;
        a->losses[row] = trn_logf(sum) - (x[label] - x[best]);
        EACH(j, a->classes) {
            const float p = e[j] * r;
            const float d = j == label ? p - 1.0f : p;
            a->gradient[row * a->classes + j] = d * a->inverse_batch;
        }
    }
    free(e);
}

void oracle_sgd(const struct trn_sgd *a)
{
    EACH(i, a->count) {
        const float g = fmaf(a->weight_decay, a->weight[i], a->gradient[i]);
        float v = g;
        if (a->velocity) {
            v = a->velocity[i] = fmaf(a->momentum, a->velocity[i], g);
        }
        a->weight[i] = fmaf(-a->lr, v, a->weight[i]);
    }
}

void oracle_adam(const struct trn_adam *a)
{
    EACH(i, a->count) {
        float w = a->weight[i], g = a->gradient[i], scaled, square, den;
        if (a->decoupled) {
            w = fmaf(-a->decay, w, w);
        } else {
            g = fmaf(a->weight_decay, w, g);
        }
        scaled = a->one_minus_beta1 * g;
        a->exp_avg[i] = fmaf(a->beta1, a->exp_avg[i], scaled);
        scaled = a->one_minus_beta2 * g;
        square = scaled * g;
        a->exp_avg_sq[i] = fmaf(a->beta2, a->exp_avg_sq[i], square);
        den = sqrtf(a->exp_avg_sq[i] * a->correction2) + a->eps;
        a->weight[i] = w - (a->lr * (a->exp_avg[i] * a->correction1)) / den;
    }
}
