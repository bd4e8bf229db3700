/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle's operators over sequences. Attention takes whole rows, with +0 where it is masked. */
#include "config.h"

#include "op_oracle.h"

#include <math.h>
#include <stdlib.h>

#include "ops/math_functions.h"

#define EACH(i, n) for (size_t i = 0; i < (n); i++)

static float *floats(size_t n)
{
    float *memory = calloc(n + 1, sizeof(float));
    if (!memory) {
        abort();
    }
    return memory;
}

void oracle_layernorm(const struct trn_norm *n, const float *x, const float *gamma,
                      const float *beta, float *mean, float *rs, float *y)
{
    const float share = 1.0f / (float)n->columns;
    float *d = floats(n->columns);
    EACH(i, n->rows) {
        float var, deviation;
        mean[i] = oracle_red(x + i * n->columns, NULL, n->columns) * share;
        EACH(j, n->columns) {
            d[j] = x[i * n->columns + j] - mean[i];
        }
        var = oracle_red(d, d, n->columns) * share;
        deviation = sqrtf(var + n->eps);
        rs[i] = 1.0f / deviation;
        EACH(j, n->columns) {
            const float xh = d[j] * rs[i];
            y[i * n->columns + j] = fmaf(xh, gamma[j], beta[j]);
        }
    }
    free(d);
}

void oracle_layernorm_backward(const struct trn_norm *n, const float *x, const float *gamma,
                               const float *dy, float *dgamma, float *dbeta, float *dx)
{
    const size_t rows = n->rows, columns = n->columns;
    const float share = 1.0f / (float)columns;
    float *mean = floats(rows), *rs = floats(rows), *y = floats(rows * columns);
    float *xh = floats(rows * columns), *a = floats(columns), *column = floats(rows);
    oracle_layernorm(n, x, gamma, gamma, mean, rs, y);
    EACH(i, rows) {
        float s1, s2;
        EACH(j, columns) {
            const float d = x[i * columns + j] - mean[i];
            xh[i * columns + j] = d * rs[i];
            a[j] = dy[i * columns + j] * gamma[j];
        }
        s1 = oracle_red(a, NULL, columns) * share;
        s2 = oracle_red(a, xh + i * columns, columns) * share;
        EACH(j, columns) {
            const float t = a[j] - s1;
            const float u = xh[i * columns + j] * s2;
            dx[i * columns + j] = (t - u) * rs[i];
        }
    }
    EACH(j, columns) {
        EACH(i, rows) {
            column[i] = dy[i * columns + j];
        }
        dbeta[j] = oracle_col(column, rows);
        EACH(i, rows) {
            column[i] = dy[i * columns + j] * xh[i * columns + j];
        }
        dgamma[j] = oracle_col(column, rows);
    }
    free(mean);
    free(rs);
    free(y);
    free(xh);
    free(a);
    free(column);
}

static size_t token_of(const struct trn_embedding *e, size_t row)
{
    return e->tokens ? (size_t)e->tokens[row] : row % e->vocabulary;
}

void oracle_embedding(const struct trn_embedding *e, const float *w, const float *x, float *y)
{
    EACH(i, e->rows) EACH(j, e->width) {
        const float v = w[token_of(e, i) * e->width + j];
        y[i * e->width + j] = x ? x[i * e->width + j] + v : v;
    }
}

void oracle_embedding_backward(const struct trn_embedding *e, const float *dy, float *dw)
{
    float *parts = floats(e->rows / 1024 + 1);
    EACH(v, e->vocabulary) EACH(j, e->width) {
        size_t hits = 0, blocks;
        EACH(i, e->rows) {
            if (token_of(e, i) != v) {
                continue;
            }
            if (hits % 1024 == 0) {
                parts[hits / 1024] = 0.0f;
            }
            parts[hits / 1024] = parts[hits / 1024] + dy[i * e->width + j];
            hits++;
        }
        blocks = (hits + 1023) / 1024;
        dw[v * e->width + j] = oracle_col(parts, blocks);
    }
    free(parts);
}

/* Element d of the query (which 0), key (1) or value (2). */
static size_t at(const struct trn_attention *a, size_t sample, size_t place, size_t which,
                 size_t head, size_t d)
{
    return (((sample * a->places + place) * 3 + which) * a->heads + head) * a->width + d;
}

/* The whole vector of one place. */
static void place_vector(const struct trn_attention *a, const float *qkv, size_t sample,
                         size_t place, size_t which, size_t head, float *out)
{
    EACH(d, a->width) {
        out[d] = qkv[at(a, sample, place, which, head, d)];
    }
}

void oracle_attention(const struct trn_attention *a, const float *qkv, float *weights, float *y)
{
    const size_t T = a->places;
    float *q = floats(a->width), *k = floats(a->width), *s = floats(T), *v = floats(T);
    EACH(b, a->samples) EACH(h, a->heads) EACH(i, T) {
        float *p = weights + ((b * a->heads + h) * T + i) * T;
        float m, r;
        place_vector(a, qkv, b, i, 0, h, q);
        EACH(j, i + 1) {
            place_vector(a, qkv, b, j, 1, h, k);
            s[j] = oracle_dot(q, k, a->width) * a->scale;
        }
        m = s[0];
        EACH(j, i + 1) {
            m = s[j] > m ? s[j] : m;
        }
        EACH(j, T) {
            const float d = s[j] - m;
            s[j] = j <= i ? trn_expf(d) : 0.0f;
        }
        r = 1.0f / oracle_red(s, NULL, T);
        EACH(j, T) {
            p[j] = s[j] * r;
        }
        EACH(d, a->width) {
            EACH(j, T) {
                v[j] = qkv[at(a, b, j, 2, h, d)];
            }
            y[((b * T + i) * a->heads + h) * a->width + d] = oracle_dot(p, v, T);
        }
    }
    free(q);
    free(k);
    free(s);
    free(v);
}

/* out(row, d) = DOT over all places of m(row, place), or of m(place, row), and x(place, d). */
static void backward_product(const struct trn_attention *a, const float *m, int turned,
                             const float *x, size_t step, float *out)
{
    const size_t T = a->places;
    float *left = floats(T), *right = floats(T);
    EACH(row, T) EACH(d, a->width) {
        EACH(place, T) {
            left[place] = turned ? m[place * T + row] : m[row * T + place];
            right[place] = x[place * step + d];
        }
        out[row * 3 * a->heads * a->width + d] = oracle_dot(left, right, T);
    }
    free(left);
    free(right);
}

void oracle_attention_backward(const struct trn_attention *a, const float *qkv, const float *dy,
                               float *dqkv)
{
    const size_t T = a->places, wide = a->heads * a->width;
    float *weights = floats(a->samples * a->heads * T * T), *y = floats(a->samples * T * wide);
    float *v = floats(a->width), *dp = floats(T), *ds = floats(T * T);
    oracle_attention(a, qkv, weights, y);
    EACH(b, a->samples) EACH(h, a->heads) {
        const float *p = weights + (b * a->heads + h) * T * T;
        const float *dout = dy + b * T * wide + h * a->width;
        EACH(i, T) {
            float t;
            EACH(j, T) {
                place_vector(a, qkv, b, j, 2, h, v);
                dp[j] = j <= i ? oracle_dot(dout + i * wide, v, a->width) : 0.0f;
            }
            t = oracle_red(p + i * T, dp, T);
            EACH(j, T) {
                const float slope = p[i * T + j] * (dp[j] - t);
                ds[i * T + j] = j <= i ? slope * a->scale : 0.0f;
            }
        }
        backward_product(a, ds, 0, qkv + at(a, b, 0, 1, h, 0), 3 * wide,
                         dqkv + at(a, b, 0, 0, h, 0));
        backward_product(a, ds, 1, qkv + at(a, b, 0, 0, h, 0), 3 * wide,
                         dqkv + at(a, b, 0, 1, h, 0));
        backward_product(a, p, 1, dout, wide, dqkv + at(a, b, 0, 2, h, 0));
    }
    free(weights);
    free(y);
    free(v);
    free(dp);
    free(ds);
}
