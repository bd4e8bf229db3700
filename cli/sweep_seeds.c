/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sweep.h"

const char *sweep_state_name(enum sweep_state state)
{
    static const char *const names[] = { "waiting", "running", "done", "stopped", "failed" };
    return names[state];
}

/* Digits at *text, which moves behind them; false: none, or a seed that no stream takes. */
static bool take_seed(const char **text, uint64_t *seed)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *seed = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0 && *seed <= UINT32_MAX; /* as numpy.random.seed takes */
}

static int by_seed(const void *left, const void *right)
{
    const struct sweep_seed *a = left, *b = right;
    return (a->seed > b->seed) - (a->seed < b->seed);
}

static enum snap_status add_range(uint64_t first, uint64_t last, struct sweep_seed **seeds,
                                  size_t *count, struct snap_error *err)
{
    struct sweep_seed *grown;
    if (last - first >= SWEEP_SEEDS_MOST - *count)
        return snap_error_set(err, SNAP_INVALID, "--seeds: more than %d", SWEEP_SEEDS_MOST);
    grown = reallocarray(*seeds, *count + (size_t)(last - first) + 1, sizeof *grown);
    if (grown == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "--seeds: no memory for them");
    *seeds = grown;
    for (uint64_t seed = first; seed <= last; seed++) {
        memset(&grown[*count], 0, sizeof *grown);
        grown[(*count)++].seed = seed;
    }
    return SNAP_OK;
}

enum snap_status sweep_parse_seeds(const char *text, struct sweep_seed **seeds, size_t *count,
                                   struct snap_error *err)
{
    struct sweep_seed *found = NULL;
    enum snap_status status = SNAP_OK;
    size_t made = 0, kept = 0;
    const char *at = text;

    do {
        uint64_t first, last;
        bool good = take_seed(&at, &first);
        last = first;
        if (good && strncmp(at, "..", 2) == 0) {
            at += 2;
            good = take_seed(&at, &last) && last >= first;
        }
        if (!good || (*at != ',' && *at != '\0'))
            status = snap_error_set(err, SNAP_INVALID,
                                    "--seeds: '%.200s' is not a list of seeds below 2^32, such as "
                                    "0..9 or 1,5,9", text);
        else
            status = add_range(first, last, &found, &made, err);
    } while (status == SNAP_OK && *at++ == ',');
    if (status != SNAP_OK) {
        free(found);
        return status;
    }
    qsort(found, made, sizeof *found, by_seed);
    for (size_t i = 0; i < made; i++)
        if (kept == 0 || found[kept - 1].seed != found[i].seed)
            found[kept++] = found[i];
    *seeds = found;
    *count = kept;
    return SNAP_OK;
}
