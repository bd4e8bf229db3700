/* SPDX-License-Identifier: Apache-2.0 */
/* The real-valued draws of random.Random, in the order of operations of CPython's Lib/random.py.
 * The papers are named there. */
#include "config.h"

#include <math.h>

#include "stream/python_random.h"

#define TWO_PI (2.0 * M_PI)

/* Keeps a compiler from folding log(4.0) and the like with its own arithmetic, which may differ
 * in the last bit from the libm that Python asks when it starts. */
static double at_run_time(double x)
{
    volatile double v = x;

    return v;
}

static double next(struct snap_python_random *r)
{
    return snap_mt19937_double(&r->mt);
}

double snap_python_uniform(struct snap_python_random *r, double a, double b)
{
    return a + (b - a) * next(r);
}

double snap_python_triangular(struct snap_python_random *r, double low, double high,
                              const double *mode)
{
    double u = next(r);
    double c = 0.5;

    if (mode != NULL) {
        if (high - low == 0.0) {
            return low;
        }
        c = (*mode - low) / (high - low);
    }
    if (u > c) {
        double swap = low;

        u = 1.0 - u;
        c = 1.0 - c;
        low = high;
        high = swap;
    }
    return low + (high - low) * sqrt(u * c);
}

double snap_python_gauss(struct snap_python_random *r, double mu, double sigma)
{
    double z;

    if (r->has_gauss_next) {
        z = r->gauss_next;
        r->has_gauss_next = false;
        r->gauss_next = 0.0;
    } else {
        double angle = next(r) * TWO_PI;
        double radius = sqrt(-2.0 * log(1.0 - next(r)));

        z = cos(angle) * radius;
        r->gauss_next = sin(angle) * radius;
        r->has_gauss_next = true;
    }
    return mu + z * sigma;
}

double snap_python_normalvariate(struct snap_python_random *r, double mu, double sigma)
{
    double magic = 4.0 * exp(at_run_time(-0.5)) / sqrt(2.0);

    for (;;) {
        double u1 = next(r);
        double u2 = 1.0 - next(r);
        double z = magic * (u1 - 0.5) / u2;

        if (z * z / 4.0 <= -log(u2)) {
            return mu + z * sigma;
        }
    }
}

double snap_python_lognormvariate(struct snap_python_random *r, double mu, double sigma)
{
    return exp(snap_python_normalvariate(r, mu, sigma));
}

double snap_python_expovariate(struct snap_python_random *r, double lambda)
{
    return -log(1.0 - next(r)) / lambda;
}

/* x % y of Python, for y > 0: the result has the sign of y. */
static double python_modulo(double x, double y)
{
    double m = fmod(x, y);

    if (m == 0.0) {
        return 0.0;
    }
    return m < 0.0 ? m + y : m;
}

double snap_python_vonmisesvariate(struct snap_python_random *r, double mu, double kappa)
{
    double s, rr, z, q, f;

    if (kappa <= 1e-6) {
        return TWO_PI * next(r);
    }
    s = 0.5 / kappa;
    rr = s + sqrt(1.0 + s * s);
    for (;;) {
        double u1 = next(r);
        double d, u2;

        z = cos(M_PI * u1);
        d = z / (rr + z);
        u2 = next(r);
        if (u2 < 1.0 - d * d || u2 <= (1.0 - d) * exp(d)) {
            break;
        }
    }
    q = 1.0 / rr;
    f = (q + z) / (1.0 + q * z);
    if (next(r) > 0.5) {
        return python_modulo(mu + acos(f), TWO_PI);
    }
    return python_modulo(mu - acos(f), TWO_PI);
}

/* Cheng, for alpha > 1. */
static double gamma_large(struct snap_python_random *r, double alpha, double beta)
{
    double ainv = sqrt(2.0 * alpha - 1.0);
    double b = alpha - log(at_run_time(4.0));
    double c = alpha + ainv;
    double magic = 1.0 + log(at_run_time(4.5));

    for (;;) {
        double u1 = next(r);
        double u2, v, x, z, rr;

        if (!(1e-7 < u1 && u1 < 0.9999999)) {
            continue;
        }
        u2 = 1.0 - next(r);
        v = log(u1 / (1.0 - u1)) / ainv;
        x = alpha * exp(v);
        z = u1 * u1 * u2;
        rr = b + c * v - x;
        if (rr + magic - 4.5 * z >= 0.0 || rr >= log(z)) {
            return x * beta;
        }
    }
}

/* Kennedy and Gentle's algorithm GS, for 0 < alpha < 1. */
static double gamma_small(struct snap_python_random *r, double alpha, double beta)
{
    for (;;) {
        double u = next(r);
        double b = (M_E + alpha) / M_E;
        double p = b * u;
        double x = p <= 1.0 ? pow(p, 1.0 / alpha) : -log((b - p) / alpha);
        double u1 = next(r);

        if (p > 1.0 ? u1 <= pow(x, alpha - 1.0) : u1 <= exp(-x)) {
            return x * beta;
        }
    }
}

double snap_python_gammavariate(struct snap_python_random *r, double alpha, double beta)
{
    if (!(alpha > 0.0) || !(beta > 0.0)) {
        return NAN;
    }
    if (alpha > 1.0) {
        return gamma_large(r, alpha, beta);
    }
    if (alpha == 1.0) {
        return -log(1.0 - next(r)) * beta;
    }
    return gamma_small(r, alpha, beta);
}

double snap_python_betavariate(struct snap_python_random *r, double alpha, double beta)
{
    double y = snap_python_gammavariate(r, alpha, 1.0);

    if (y == 0.0) {
        return 0.0;
    }
    return y / (y + snap_python_gammavariate(r, beta, 1.0));
}

double snap_python_paretovariate(struct snap_python_random *r, double alpha)
{
    double u = 1.0 - next(r);

    return pow(u, -1.0 / alpha);
}

double snap_python_weibullvariate(struct snap_python_random *r, double alpha, double beta)
{
    double u = 1.0 - next(r);

    return alpha * pow(-log(u), 1.0 / beta);
}
