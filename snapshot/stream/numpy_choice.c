/* SPDX-License-Identifier: Apache-2.0 */
/* RandomState.choice. */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stream/numpy_random_state.h"

#define OBJECT "stream numpy_random_state: choice: "

enum snap_status snap_numpy_choice(struct snap_numpy_random_state *r, uint64_t n, size_t size,
                                   uint64_t *out, struct snap_error *err)
{
    struct snap_numpy_pieces pieces = { 0, 0 };

    if (n == 0 || n > INT64_MAX) {
        return snap_error_set(err, SNAP_INVALID, OBJECT "the population is empty or past 2^63-1");
    }
    for (size_t i = 0; i < size; i++) {
        out[i] = snap_numpy_bounded(r, 64, n - 1, &pieces);
    }
    return SNAP_OK;
}

enum snap_status snap_numpy_choice_distinct(struct snap_numpy_random_state *r, size_t n,
                                            size_t size, uint64_t *out, struct snap_error *err)
{
    uint64_t *all;

    if (n == 0 || size > n) {
        return snap_error_set(err, SNAP_INVALID, OBJECT "more elements than the population has");
    }
    all = calloc(n, sizeof *all);
    if (all == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, OBJECT "no memory");
    }
    snap_numpy_permutation(r, all, n);
    memcpy(out, all, size * sizeof *out);
    free(all);
    return SNAP_OK;
}

/* cdf = cumsum(p); cdf /= cdf[-1]. */
static void cumulate(const double *p, size_t n, double *cdf)
{
    double sum = p[0];
    double last;

    cdf[0] = sum;
    for (size_t i = 1; i < n; i++) {
        sum += p[i];
        cdf[i] = sum;
    }
    last = cdf[n - 1];
    for (size_t i = 0; i < n; i++) {
        cdf[i] /= last;
    }
}

/* searchsorted(cdf, x, side="right"). */
static size_t look_up(const double *cdf, size_t n, double x)
{
    size_t low = 0;
    size_t high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (cdf[middle] <= x) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Rounds: as many doubles as elements are missing; what was found before has weight 0, and of the
 * new ones each is kept once, in the order in which they came. */
static void draw_distinct(struct snap_numpy_random_state *r, double *p, double *cdf, bool *taken,
                          size_t n, size_t size, uint64_t *out)
{
    size_t found = 0;

    while (found < size) {
        size_t before = found;
        size_t missing = size - found;

        for (size_t i = 0; i < before; i++) {
            p[out[i]] = 0.0;
        }
        cumulate(p, n, cdf);
        for (size_t i = 0; i < missing; i++) {
            size_t at = look_up(cdf, n, snap_mt19937_double(&r->mt));

            if (!taken[at]) {
                taken[at] = true;
                out[found++] = at;
            }
        }
    }
}

static enum snap_status check_weights(const double *p, size_t n, size_t size, bool replace,
                                      struct snap_error *err)
{
    double sum = 0.0;
    size_t positive = 0;

    for (size_t i = 0; i < n; i++) {
        if (!(p[i] >= 0.0) || isinf(p[i])) {
            return snap_error_set(err, SNAP_INVALID,
                                  OBJECT "weight %zu is negative or not finite", i);
        }
        sum += p[i];
        positive += p[i] > 0.0;
    }
    if (!(sum > 0.0) || isinf(sum)) {
        return snap_error_set(err, SNAP_INVALID, OBJECT "the weights have no positive, finite sum");
    }
    if (!replace && positive < size) {
        return snap_error_set(err, SNAP_INVALID,
                              OBJECT "%zu weights are not 0, fewer than the %zu elements wanted",
                              positive, size);
    }
    return SNAP_OK;
}

enum snap_status snap_numpy_choice_weighted(struct snap_numpy_random_state *r, const double *p,
                                            size_t n, size_t size, bool replace, uint64_t *out,
                                            struct snap_error *err)
{
    double *weights = NULL;
    double *cdf = NULL;
    bool *taken = NULL;
    enum snap_status status = check_weights(p, n, size, replace, err);

    if (status != SNAP_OK) {
        return status;
    }
    weights = calloc(n, sizeof *weights);
    cdf = calloc(n, sizeof *cdf);
    taken = calloc(n, sizeof *taken);
    if (weights == NULL || cdf == NULL || taken == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, OBJECT "no memory");
        goto out;
    }
    memcpy(weights, p, n * sizeof *weights);
    if (replace) {
        cumulate(weights, n, cdf);
        for (size_t i = 0; i < size; i++) {
            out[i] = look_up(cdf, n, snap_mt19937_double(&r->mt));
        }
    } else {
        draw_distinct(r, weights, cdf, taken, n, size, out);
    }
out:
    free(weights);
    free(cdf);
    free(taken);
    return status;
}
