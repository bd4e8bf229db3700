/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy's legacy numpy.random.RandomState over MT19937 (numpy/random/mtrand.pyx), the same in every
 * release since 1.17. Draws of numpy_distributions.c call libm and equal NumPy's on the same
 * machine; random_sample, uniform, integers, shuffles and choices are equal everywhere. */
#ifndef SNAP_STREAM_NUMPY_RANDOM_STATE_H
#define SNAP_STREAM_NUMPY_RANDOM_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "stream/mt19937.h"

struct snap_numpy_random_state {
    struct snap_mt19937 mt;
    bool has_gauss;
    double gauss; /* kept even when has_gauss is false: set_state may leave any value there */
};

/* seed(n). */
void snap_numpy_seed_uint(struct snap_numpy_random_state *r, uint32_t seed);
/* seed([...]), at least one word. */
void snap_numpy_seed_words(struct snap_numpy_random_state *r, const uint32_t *words, size_t count);
/* RandomState(MT19937(SeedSequence(entropy))): the position is 623, so the first word out is the
 * last of the seeded block. */
void snap_numpy_seed_sequence(struct snap_numpy_random_state *r, const uint32_t *entropy,
                              size_t count);

/* ---- integers and sequences: numpy_random_state.c ---- */

/* What is left of a word that is given out in pieces of 1, 8 or 16 bits, low first. It lives for
 * one call of the library: start each call with { 0, 0 }. */
struct snap_numpy_pieces {
    uint32_t word;
    unsigned left;
};

/* One number of randint: 0 <= result <= range, for an element type of `width` = 1 (bool), 8, 16, 32
 * or 64 bits. Masked rejection; range 0 draws nothing. */
uint64_t snap_numpy_bounded(struct snap_numpy_random_state *r, unsigned width, uint64_t range,
                            struct snap_numpy_pieces *pieces);
/* randint(low, high, n, dtype=int64). SNAP_INVALID unless low < high. */
enum snap_status snap_numpy_randint_int64(struct snap_numpy_random_state *r, int64_t low,
                                          int64_t high, int64_t *out, size_t n,
                                          struct snap_error *err);
/* random_interval(max), of shuffle: 0 <= result <= max. */
uint64_t snap_numpy_interval(struct snap_numpy_random_state *r, uint64_t max);
int64_t snap_numpy_tomaxint(struct snap_numpy_random_state *r);
/* bytes(n). n = 0 draws one word, as there. */
void snap_numpy_bytes(struct snap_numpy_random_state *r, void *out, size_t size_bytes);
double snap_numpy_random_double(struct snap_numpy_random_state *r);
double snap_numpy_uniform(struct snap_numpy_random_state *r, double low, double high);
/* shuffle(x): of a list, an array, or the rows of an array of more dimensions. */
void snap_numpy_shuffle(struct snap_numpy_random_state *r, uint64_t *items, size_t n);
/* permutation(n). */
void snap_numpy_permutation(struct snap_numpy_random_state *r, uint64_t *out, size_t n);

/* choice(n, size), replace=True, p=None. SNAP_INVALID when n is 0 or past 2^63-1. */
enum snap_status snap_numpy_choice(struct snap_numpy_random_state *r, uint64_t n, size_t size,
                                   uint64_t *out, struct snap_error *err);
/* choice(n, size, replace=False): the whole population is shuffled. */
enum snap_status snap_numpy_choice_distinct(struct snap_numpy_random_state *r, size_t n,
                                            size_t size, uint64_t *out, struct snap_error *err);
/* choice(n, size, replace, p). SNAP_INVALID when p has a negative entry, no positive sum, or, for
 * distinct elements, fewer than `size` that are not 0. */
enum snap_status snap_numpy_choice_weighted(struct snap_numpy_random_state *r, const double *p,
                                            size_t n, size_t size, bool replace, uint64_t *out,
                                            struct snap_error *err);

/* ---- floats: numpy_distributions.c ---- */

double snap_numpy_standard_normal(struct snap_numpy_random_state *r);
/* The same n times. */
void snap_numpy_standard_normals(struct snap_numpy_random_state *r, double *out, size_t n);
double snap_numpy_normal(struct snap_numpy_random_state *r, double loc, double scale);
double snap_numpy_lognormal(struct snap_numpy_random_state *r, double mean, double sigma);
double snap_numpy_standard_exponential(struct snap_numpy_random_state *r);
double snap_numpy_exponential(struct snap_numpy_random_state *r, double scale);
double snap_numpy_standard_gamma(struct snap_numpy_random_state *r, double shape);
double snap_numpy_gamma(struct snap_numpy_random_state *r, double shape, double scale);
double snap_numpy_chisquare(struct snap_numpy_random_state *r, double df);
double snap_numpy_beta(struct snap_numpy_random_state *r, double a, double b);
double snap_numpy_laplace(struct snap_numpy_random_state *r, double loc, double scale);
double snap_numpy_triangular(struct snap_numpy_random_state *r, double left, double mode,
                             double right);

#endif
