/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/weighted_choice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* What a choice works with. */
struct space {
    double *p; /* the weights; of what was found they become 0 */
    double *cdf;
    double *drawn; /* as many as are wanted */
    bool *taken;
};

/* Rounds: as many doubles as elements are missing; what was found before has weight 0, and of the
 * new ones each is kept once, in the order in which they came. */
static void draw_distinct(const struct space *s, size_t n, snap_draw_doubles *draw, void *arg,
                          uint64_t *out, size_t size)
{
    size_t found = 0;

    while (found < size) {
        size_t before = found;
        size_t missing = size - found;

        for (size_t i = 0; i < before; i++) {
            s->p[out[i]] = 0.0;
        }
        cumulate(s->p, n, s->cdf);
        draw(arg, s->drawn, missing);
        for (size_t i = 0; i < missing; i++) {
            size_t at = look_up(s->cdf, n, s->drawn[i]);

            if (!s->taken[at]) {
                s->taken[at] = true;
                out[found++] = at;
            }
        }
    }
}

static enum snap_status check_weights(const char *what, const double *p, size_t n, bool replace,
                                      size_t size, struct snap_error *err)
{
    double sum = 0.0;
    size_t positive = 0;

    for (size_t i = 0; i < n; i++) {
        if (!(p[i] >= 0.0) || isinf(p[i])) {
            return snap_error_set(err, SNAP_INVALID,
                                  "%s: choice: weight %zu is negative or not finite", what, i);
        }
        sum += p[i];
        positive += p[i] > 0.0;
    }
    if (!(sum > 0.0) || isinf(sum)) {
        return snap_error_set(err, SNAP_INVALID,
                              "%s: choice: the weights have no positive, finite sum", what);
    }
    if (!replace && positive < size) {
        return snap_error_set(err, SNAP_INVALID,
                              "%s: choice: %zu weights are not 0, fewer than the %zu elements "
                              "wanted",
                              what, positive, size);
    }
    return SNAP_OK;
}

enum snap_status snap_weighted_choice(const char *what, const double *p, size_t n, bool replace,
                                      snap_draw_doubles *draw, void *arg, uint64_t *out,
                                      size_t size, struct snap_error *err)
{
    struct space s = { NULL, NULL, NULL, NULL };
    enum snap_status status = check_weights(what, p, n, replace, size, err);

    if (status != SNAP_OK) {
        return status;
    }
    s.p = calloc(n, sizeof *s.p);
    s.cdf = calloc(n, sizeof *s.cdf);
    s.drawn = calloc(size > 0 ? size : 1, sizeof *s.drawn);
    s.taken = calloc(n, sizeof *s.taken);
    if (s.p == NULL || s.cdf == NULL || s.drawn == NULL || s.taken == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: choice: no memory", what);
        goto out;
    }
    memcpy(s.p, p, n * sizeof *s.p);
    if (replace) {
        cumulate(s.p, n, s.cdf);
        draw(arg, s.drawn, size);
        for (size_t i = 0; i < size; i++) {
            out[i] = look_up(s.cdf, n, s.drawn[i]);
        }
    } else {
        draw_distinct(&s, n, draw, arg, out, size);
    }
out:
    free(s.p);
    free(s.cdf);
    free(s.drawn);
    free(s.taken);
    return status;
}
