/* SPDX-License-Identifier: Apache-2.0 */
/* RandomState.choice. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "stream/numpy_random_state.h"
#include "stream/weighted_choice.h"

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

static void draw_doubles(void *arg, double *out, size_t n)
{
    struct snap_numpy_random_state *r = arg;

    snap_mt19937_fill_double(&r->mt, out, n);
}

enum snap_status snap_numpy_choice_weighted(struct snap_numpy_random_state *r, const double *p,
                                            size_t n, size_t size, bool replace, uint64_t *out,
                                            struct snap_error *err)
{
    return snap_weighted_choice("stream numpy_random_state", p, n, replace, draw_doubles, r, out,
                                size, err);
}
