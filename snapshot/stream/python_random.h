/* SPDX-License-Identifier: Apache-2.0 */
/* CPython's random.Random (Lib/random.py, Modules/_randommodule.c), versions 3.9 to 3.13: seeding,
 * state and every draw. Draws of python_distributions.c call libm and equal Python's on the same
 * machine; the others are equal everywhere. */
#ifndef SNAP_STREAM_PYTHON_RANDOM_H
#define SNAP_STREAM_PYTHON_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "stream/mt19937.h"

/* Python's integers have no end; ranges and steps of this width are enough for every use. */
__extension__ typedef __int128 snap_int128;

struct snap_python_random {
    struct snap_mt19937 mt;
    bool has_gauss_next;
    double gauss_next; /* standard: gauss() scales it when it is taken */
};

/* ---- seed(a, version): python_seed.c. All of them forget the cached normal. ---- */

/* An integer: the words of |a|, least significant first, at least one, no leading zeros. */
void snap_python_seed_words(struct snap_python_random *r, const uint32_t *words, size_t count);
void snap_python_seed_uint(struct snap_python_random *r, uint64_t seed);
/* A float. SNAP_INVALID for NaN, which Python hashes by address. */
enum snap_status snap_python_seed_double(struct snap_python_random *r, double seed,
                                         struct snap_error *err);
/* str (as UTF-8), bytes or bytearray, version 2. */
enum snap_status snap_python_seed_bytes(struct snap_python_random *r, const void *data,
                                        size_t size_bytes, struct snap_error *err);
/* str as code points, or bytes one by one, version 1. */
void snap_python_seed_version_1(struct snap_python_random *r, const uint32_t *characters,
                                size_t count);

/* setstate((version, internal, gauss_next)), version 3 or 2 (whose words may be negative);
 * gauss_next may be NULL. SNAP_INVALID for a state that Python refuses; nothing is set then. */
enum snap_status snap_python_setstate(struct snap_python_random *r, int version,
                                      const int64_t internal[SNAP_MT19937_WORDS + 1],
                                      const double *gauss_next, struct snap_error *err);

/* ---- integers and sequences: python_random.c ---- */

double snap_python_random_double(struct snap_python_random *r);
/* 0 <= k <= 64; k = 0 draws nothing. */
uint64_t snap_python_getrandbits(struct snap_python_random *r, unsigned k);
/* Any k: ceil(k/32) words, least significant first. */
void snap_python_getrandbits_words(struct snap_python_random *r, uint64_t k, uint32_t *words);
void snap_python_randbytes(struct snap_python_random *r, void *out, size_t size_bytes);
/* _randbelow(n); n = 0 gives 0 and draws nothing. */
uint64_t snap_python_below(struct snap_python_random *r, uint64_t n);
/* The same for n of `count` words, least significant first, the last not 0. */
void snap_python_below_words(struct snap_python_random *r, const uint32_t *n, size_t count,
                             uint32_t *out);
/* randrange(start, stop, step); randint(a, b) is randrange(a, b + 1). SNAP_INVALID when the range
 * is empty or step is 0, SNAP_UNSUPPORTED when it spans more than 2^126. */
enum snap_status snap_python_randrange(struct snap_python_random *r, snap_int128 start,
                                       snap_int128 stop, snap_int128 step, snap_int128 *out,
                                       struct snap_error *err);
/* shuffle(items). */
void snap_python_shuffle_items(struct snap_python_random *r, uint32_t *items, size_t n);

/* sample(range(n), k), and with counts of n kinds. SNAP_INVALID when k is too large. */
enum snap_status snap_python_sample(struct snap_python_random *r, uint64_t n, size_t k,
                                    uint64_t *out, struct snap_error *err);
enum snap_status snap_python_sample_counts(struct snap_python_random *r, const uint64_t *counts,
                                           size_t n, size_t k, uint64_t *out,
                                           struct snap_error *err);
/* choices(range(n), k=k). */
void snap_python_choices(struct snap_python_random *r, uint64_t n, size_t k, uint64_t *out);
/* choices(range(n), cum_weights=cum, k=k). SNAP_INVALID unless the total is positive and finite. */
enum snap_status snap_python_choices_cumulative(struct snap_python_random *r, const double *cum,
                                                size_t n, size_t k, uint64_t *out,
                                                struct snap_error *err);

/* ---- floats: python_distributions.c ---- */

double snap_python_uniform(struct snap_python_random *r, double a, double b);
double snap_python_triangular(struct snap_python_random *r, double low, double high,
                              const double *mode);
double snap_python_gauss(struct snap_python_random *r, double mu, double sigma);
double snap_python_normalvariate(struct snap_python_random *r, double mu, double sigma);
double snap_python_lognormvariate(struct snap_python_random *r, double mu, double sigma);
double snap_python_expovariate(struct snap_python_random *r, double lambda);
double snap_python_vonmisesvariate(struct snap_python_random *r, double mu, double kappa);
/* alpha and beta must be positive: NaN otherwise, where Python raises. */
double snap_python_gammavariate(struct snap_python_random *r, double alpha, double beta);
double snap_python_betavariate(struct snap_python_random *r, double alpha, double beta);
double snap_python_paretovariate(struct snap_python_random *r, double alpha);
double snap_python_weibullvariate(struct snap_python_random *r, double alpha, double beta);

#endif
