/* SPDX-License-Identifier: Apache-2.0 */
/* Generator.choice (numpy/random/_generator.pyx). */
#include "config.h"

#include <snapstate/stream_draws.h>
#include <stdlib.h>
#include <string.h>

#include "stream/generator.h"
#include "stream/weighted_choice.h"

/* Populations up to this one are never shuffled as a whole. */
#define SMALL_POPULATION 10000u

static enum snap_status no_memory(const struct snap_bit_generator *g, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: choice: no memory", g->ops->what);
}

enum snap_status snap_generator_choice(struct snap_stream *stream, uint64_t population,
                                       int64_t *out, size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "choice", err);

    if (g == NULL) {
        return SNAP_INVALID;
    }
    if (population == 0 || population > INT64_MAX) {
        return snap_error_set(err, SNAP_INVALID,
                              "%s: choice: the population is empty or past 2^63-1", g->ops->what);
    }
    return snap_generator_integers(stream, SNAP_I64, 0, population - 1, out, n, err);
}

/* ---- distinct items ---- */

/* Fisher and Yates with Lemire's bounds, from the last item down to `first`. */
static void shuffle_tail(struct snap_bit_generator *g, int64_t *items, size_t count, size_t first)
{
    for (size_t i = count; i-- > first;) {
        size_t j = (size_t)snap_generator_bounded(g, i);
        int64_t item = items[j];

        items[j] = items[i];
        items[i] = item;
    }
}

static enum snap_status choose_by_shuffle(struct snap_bit_generator *g, size_t population,
                                          int64_t *out, size_t n, struct snap_error *err)
{
    int64_t *all = calloc(population, sizeof *all);

    if (all == NULL) {
        return no_memory(g, err);
    }
    for (size_t i = 0; i < population; i++) {
        all[i] = (int64_t)i;
    }
    shuffle_tail(g, all, population, population - n > 1 ? population - n : 1);
    memcpy(out, all + (population - n), n * sizeof *out);
    free(all);
    return SNAP_OK;
}

/* Put a number in the set; false when it is there. The set has a power of two of places, some of
 * them empty (-1). */
static bool add_to_set(int64_t *set, size_t mask, int64_t number)
{
    size_t place = (size_t)number & mask;

    for (; set[place] != -1; place = (place + 1) & mask) {
        if (set[place] == number) {
            return false;
        }
    }
    set[place] = number;
    return true;
}

/* Floyd's algorithm: for each j of the last n numbers one up to it, or j itself when that one is
 * taken. */
static enum snap_status choose_by_set(struct snap_bit_generator *g, uint64_t population,
                                      int64_t *out, size_t n, struct snap_error *err)
{
    size_t places = 2;
    int64_t *set;

    while (places / 2 < n && places <= SIZE_MAX / 2) {
        places *= 2;
    }
    set = places <= SIZE_MAX / sizeof *set ? malloc(places * sizeof *set) : NULL;
    if (set == NULL) {
        return no_memory(g, err);
    }
    memset(set, 0xff, places * sizeof *set); /* -1 */
    for (size_t i = 0; i < n; i++) {
        int64_t last = (int64_t)(population - n + i);
        int64_t number = (int64_t)snap_generator_bounded(g, (uint64_t)last);

        if (!add_to_set(set, places - 1, number)) {
            number = last;
            add_to_set(set, places - 1, number);
        }
        out[i] = number;
    }
    free(set);
    return SNAP_OK;
}

enum snap_status snap_generator_choice_distinct(struct snap_stream *stream, uint64_t population,
                                                bool shuffle, int64_t *out, size_t n,
                                                struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "choice", err);
    enum snap_status status;

    if (g == NULL) {
        return SNAP_INVALID;
    }
    if (n > population || population > INT64_MAX) {
        return snap_error_set(err, SNAP_INVALID,
                              "%s: choice: more items than the population has, or it is past "
                              "2^63-1",
                              g->ops->what);
    }
    if (population > SMALL_POPULATION && n > population / (shuffle ? 50 : 20)) {
        return choose_by_shuffle(g, (size_t)population, out, n, err);
    }
    status = choose_by_set(g, population, out, n, err);
    if (status == SNAP_OK && shuffle) {
        shuffle_tail(g, out, n, 1);
    }
    return status;
}

/* ---- weights ---- */

static void draw_doubles(void *arg, double *out, size_t n)
{
    snap_bit_generator_fill_f64(arg, out, n);
}

enum snap_status snap_generator_choice_weighted(struct snap_stream *stream, const double *p,
                                                size_t population, bool replace, int64_t *out,
                                                size_t n, struct snap_error *err)
{
    struct snap_bit_generator *g = snap_stream_bit_generator(stream, "choice", err);

    if (g == NULL) {
        return SNAP_INVALID;
    }
    return snap_weighted_choice(g->ops->what, p, population, replace, draw_doubles, g,
                                (uint64_t *)out, n, err);
}
