/* SPDX-License-Identifier: Apache-2.0 */
/* The real-valued draws of RandomState, in the order of operations of NumPy's
 * src/legacy/legacy-distributions.c and src/distributions/distributions.c. */
#include "config.h"

#include <math.h>

#include "stream/numpy_random_state.h"

#define BLOCK 256u /* points on the stack at once */

static double next(struct snap_numpy_random_state *r)
{
    return snap_mt19937_double(&r->mt);
}

/* Of a point inside the unit circle, not its centre: what both coordinates are multiplied by. */
static double polar_factor(double r2)
{
    return sqrt(-2.0 * log(r2) / r2);
}

static double take_kept(struct snap_numpy_random_state *r)
{
    double kept = r->gauss;

    r->has_gauss = false;
    r->gauss = 0.0;
    return kept;
}

static void keep(struct snap_numpy_random_state *r, double normal)
{
    r->has_gauss = true;
    r->gauss = normal;
}

/* Marsaglia's polar method: the second coordinate is returned, the first one kept. */
double snap_numpy_standard_normal(struct snap_numpy_random_state *r)
{
    double x1, x2, r2, f;

    if (r->has_gauss) {
        return take_kept(r);
    }
    do {
        x1 = 2.0 * next(r) - 1.0;
        x2 = 2.0 * next(r) - 1.0;
        r2 = x1 * x1 + x2 * x2;
    } while (r2 >= 1.0 || r2 == 0.0);
    f = polar_factor(r2);
    keep(r, f * x1);
    return f * x2;
}

/* No more points are made at once than pairs of normals are left, so all are used. A point outside
 * the circle is written over by the next one. */
void snap_numpy_standard_normals(struct snap_numpy_random_state *r, double *out, size_t n)
{
    double points[2 * BLOCK];
    double squares[BLOCK];
    size_t i = 0;

    if (n > 0 && r->has_gauss) {
        out[i++] = take_kept(r);
    }
    while (i < n) {
        size_t pairs = (n - i + 1) / 2;
        size_t count = pairs < BLOCK ? pairs : BLOCK;
        size_t inside = 0;

        snap_mt19937_fill_double(&r->mt, points, 2 * count);
        for (size_t p = 0; p < count; p++) {
            double x1 = 2.0 * points[2 * p] - 1.0;
            double x2 = 2.0 * points[2 * p + 1] - 1.0;
            double r2 = x1 * x1 + x2 * x2;

            points[2 * inside] = x1;
            points[2 * inside + 1] = x2;
            squares[inside] = r2;
            inside += (r2 < 1.0) & (r2 != 0.0);
        }
        for (size_t p = 0; p < inside; p++) {
            double f = polar_factor(squares[p]);

            out[i++] = f * points[2 * p + 1];
            if (i < n) {
                out[i++] = f * points[2 * p];
            } else {
                keep(r, f * points[2 * p]);
            }
        }
    }
}

double snap_numpy_normal(struct snap_numpy_random_state *r, double loc, double scale)
{
    return loc + scale * snap_numpy_standard_normal(r);
}

double snap_numpy_lognormal(struct snap_numpy_random_state *r, double mean, double sigma)
{
    return exp(snap_numpy_normal(r, mean, sigma));
}

double snap_numpy_standard_exponential(struct snap_numpy_random_state *r)
{
    return -log(1.0 - next(r));
}

double snap_numpy_exponential(struct snap_numpy_random_state *r, double scale)
{
    return scale * snap_numpy_standard_exponential(r);
}

/* 0 < shape < 1. */
static double gamma_small(struct snap_numpy_random_state *r, double shape)
{
    for (;;) {
        double u = next(r);
        double v = snap_numpy_standard_exponential(r);
        double x, y;

        if (u <= 1.0 - shape) {
            x = pow(u, 1.0 / shape);
            if (x <= v) {
                return x;
            }
        } else {
            y = -log((1.0 - u) / shape);
            x = pow(1.0 - shape + shape * y, 1.0 / shape);
            if (x <= v + y) {
                return x;
            }
        }
    }
}

/* Marsaglia and Tsang, shape > 1. */
static double gamma_large(struct snap_numpy_random_state *r, double shape)
{
    double b = shape - 1.0 / 3.0;
    double c = 1.0 / sqrt(9.0 * b);

    for (;;) {
        double x, v, u;

        do {
            x = snap_numpy_standard_normal(r);
            v = 1.0 + c * x;
        } while (v <= 0.0);
        v = v * v * v;
        u = next(r);
        if (u < 1.0 - 0.0331 * (x * x) * (x * x)) {
            return b * v;
        }
        if (log(u) < 0.5 * x * x + b * (1.0 - v + log(v))) {
            return b * v;
        }
    }
}

double snap_numpy_standard_gamma(struct snap_numpy_random_state *r, double shape)
{
    if (shape == 1.0) {
        return snap_numpy_standard_exponential(r);
    }
    if (shape == 0.0) {
        return 0.0;
    }
    if (!(shape > 0.0)) {
        return NAN; /* NumPy raises */
    }
    return shape < 1.0 ? gamma_small(r, shape) : gamma_large(r, shape);
}

double snap_numpy_gamma(struct snap_numpy_random_state *r, double shape, double scale)
{
    return scale * snap_numpy_standard_gamma(r, shape);
}

double snap_numpy_chisquare(struct snap_numpy_random_state *r, double df)
{
    return 2.0 * snap_numpy_standard_gamma(r, df / 2.0);
}

/* Johnk's method for a, b <= 1. */
static double beta_small(struct snap_numpy_random_state *r, double a, double b)
{
    for (;;) {
        double u = next(r);
        double v = next(r);
        double x = pow(u, 1.0 / a);
        double y = pow(v, 1.0 / b);

        if (x + y <= 1.0) {
            double log_x, log_y, log_m;

            if (x + y > 0.0) {
                return x / (x + y);
            }
            /* Both have become 0: the ratio is found from their logarithms. */
            log_x = log(u) / a;
            log_y = log(v) / b;
            log_m = log_x > log_y ? log_x : log_y;
            log_x -= log_m;
            log_y -= log_m;
            return exp(log_x - log(exp(log_x) + exp(log_y)));
        }
    }
}

double snap_numpy_beta(struct snap_numpy_random_state *r, double a, double b)
{
    double ga, gb;

    if (!(a > 0.0) || !(b > 0.0)) {
        return NAN; /* NumPy raises */
    }
    if (a <= 1.0 && b <= 1.0) {
        return beta_small(r, a, b);
    }
    ga = snap_numpy_standard_gamma(r, a);
    gb = snap_numpy_standard_gamma(r, b);
    return ga / (ga + gb);
}

double snap_numpy_laplace(struct snap_numpy_random_state *r, double loc, double scale)
{
    double u;

    do {
        u = next(r);
    } while (u == 0.0);
    if (u >= 0.5) {
        return loc - scale * log(2.0 - u - u);
    }
    return loc + scale * log(u + u);
}

double snap_numpy_triangular(struct snap_numpy_random_state *r, double left, double mode,
                             double right)
{
    double base = right - left;
    double left_base = mode - left;
    double ratio = left_base / base;
    double left_product = left_base * base;
    double right_product = (right - mode) * base;
    double u = next(r);

    if (u <= ratio) {
        return left + sqrt(u * left_product);
    }
    return right - sqrt((1.0 - u) * right_product);
}
