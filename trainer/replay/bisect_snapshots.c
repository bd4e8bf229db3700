/* SPDX-License-Identifier: Apache-2.0 */
/* Where the snapshots of two runs part, by halving. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/diff.h>

#include "process/run_paths.h"
#include "replay/bisect_parts.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "bisect: no memory for the snapshots");
}

enum snap_status trn_bisect_snapshot_path(const struct trn_bisect_search *search, int side,
                                          uint64_t step, char path[TRN_PATH_SIZE],
                                          struct snap_error *err)
{
    char name[TRN_SNAPSHOT_NAME_SIZE], folder[TRN_PATH_SIZE];
    trn_snapshot_name(step, name);
    enum snap_status status = trn_join_path(search->dirs[side], "snapshots", folder, err);
    return status == SNAP_OK ? trn_join_path(folder, name, path, err) : status;
}

static int by_number(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

struct steps {
    uint64_t *list; /* owned */
    size_t count;
};

/* By its name alone; one of another form is somebody else's. */
static enum snap_status add_step(void *arg, const char *name, const char *path,
                                 struct snap_error *err)
{
    struct steps *steps = arg;
    uint64_t step;
    (void)path;
    if (!trn_snapshot_step(name, &step))
        return SNAP_OK;
    uint64_t *grown = realloc(steps->list, (steps->count + 1) * sizeof(*grown));
    if (grown == NULL)
        return no_memory(err);
    steps->list = grown;
    grown[steps->count++] = step;
    return SNAP_OK;
}

/* The steps of a run's snapshots, ascending. */
static enum snap_status list_steps(const char *dir, struct steps *steps, struct snap_error *err)
{
    char folder[TRN_PATH_SIZE];
    enum snap_status status = trn_join_path(dir, "snapshots", folder, err);
    if (status == SNAP_OK)
        status = trn_each_archive(folder, add_step, steps, err);
    if (steps->count > 0)
        qsort(steps->list, steps->count, sizeof(*steps->list), by_number);
    return status;
}

static enum snap_status list_common(struct trn_bisect_search *search, struct snap_error *err)
{
    struct steps left = { NULL, 0 };
    struct steps right = { NULL, 0 };
    size_t k = 0;
    enum snap_status status = list_steps(search->dirs[0], &left, err);
    if (status == SNAP_OK)
        status = list_steps(search->dirs[1], &right, err);
    for (size_t i = 0; status == SNAP_OK && i < left.count; i++) {
        while (k < right.count && right.list[k] < left.list[i])
            k++;
        if (k < right.count && right.list[k] == left.list[i])
            left.list[search->result->common++] = left.list[i];
    }
    free(right.list);
    if (status == SNAP_OK)
        search->common = left.list;
    else
        free(left.list);
    return status;
}

static bool counts(const struct snap_member *member, bool whole)
{
    return member->in_state && (whole || strcmp(member->name, "state.json") != 0);
}

static bool same_content(const struct snap_archive *left, const struct snap_archive *right,
                         bool whole)
{
    size_t here = 0, there = 0;
    for (size_t i = 0; i < snap_archive_member_count(left); i++) {
        const struct snap_member *member = snap_archive_member(left, i);
        const struct snap_member *other = snap_archive_find(right, member->name);
        if (!counts(member, whole))
            continue;
        here++;
        if (other == NULL || !counts(other, whole) ||
            memcmp(member->sha256, other->sha256, sizeof(member->sha256)) != 0)
            return false;
    }
    for (size_t i = 0; i < snap_archive_member_count(right); i++)
        there += counts(snap_archive_member(right, i), whole);
    return here == there;
}

static enum snap_status compare_at(struct trn_bisect_search *search, uint64_t step, bool *equal,
                                   struct snap_error *err)
{
    struct snap_archive *archives[2] = { NULL, NULL };
    char path[TRN_PATH_SIZE];
    enum snap_status status = SNAP_OK;
    for (int side = 0; side < 2 && status == SNAP_OK; side++) {
        status = trn_bisect_snapshot_path(search, side, step, path, err);
        if (status == SNAP_OK)
            status = snap_archive_open(path, &archives[side], err);
    }
    if (status == SNAP_OK)
        *equal = same_content(archives[0], archives[1], search->same_config);
    search->result->opened++;
    snap_archive_close(archives[0]);
    snap_archive_close(archives[1]);
    return status;
}

/* What differs at `step`. */
static enum snap_status take_differences(struct trn_bisect_search *search, uint64_t step,
                                         struct snap_error *err)
{
    char left[TRN_PATH_SIZE], right[TRN_PATH_SIZE];
    struct snap_diff *diff = NULL;
    enum snap_status status = trn_bisect_snapshot_path(search, TRN_LEFT, step, left, err);
    if (status == SNAP_OK)
        status = trn_bisect_snapshot_path(search, TRN_RIGHT, step, right, err);
    if (status == SNAP_OK)
        status = snap_diff_archives(left, right, &diff, err);
    if (status != SNAP_OK && status != SNAP_DIFFERS)
        return status;
    json_t *document = json_loads(snap_diff_json(diff), 0, NULL);
    search->differences = json_incref(json_object_get(document, "differences"));
    json_decref(document);
    snap_diff_free(diff);
    return search->differences != NULL ? SNAP_OK : no_memory(err);
}

/* One that differs, for the end of the search: the first that the lines say should; if it does not,
 * the last, which of equal runs is the only one that is looked at. *high: none. States that part
 * can come together again: a word too many that would have been thrown away is such a case. */
static enum snap_status find_different(struct trn_bisect_search *search, size_t *high,
                                       struct snap_error *err)
{
    const struct trn_bisect_result *result = search->result;
    const size_t count = (size_t)result->common;
    size_t at = 0;
    bool equal = true;
    enum snap_status status = SNAP_OK;
    *high = count;
    while (at < count && result->has_line && search->common[at] < result->line.step)
        at++;
    if (result->has_line && at < count)
        status = compare_at(search, search->common[at], &equal, err);
    if (status == SNAP_OK && equal && count > 0) {
        at = count - 1;
        status = compare_at(search, search->common[at], &equal, err);
    }
    if (!equal)
        *high = at;
    return status;
}

enum snap_status trn_bisect_snapshots(struct trn_bisect_search *search, struct snap_error *err)
{
    struct trn_bisect_result *result = search->result;
    size_t low = 0, high = 0; /* those before low are equal, that at high is not */
    enum snap_status status = list_common(search, err);
    if (status == SNAP_OK)
        status = find_different(search, &high, err);
    if (high == result->common)
        low = high;
    while (status == SNAP_OK && low < high) {
        size_t middle = low + (high - low) / 2;
        bool equal = false;
        status = compare_at(search, search->common[middle], &equal, err);
        if (equal)
            low = middle + 1;
        else
            high = middle;
    }
    if (status != SNAP_OK)
        return status;
    search->equal_count = low;
    if (low > 0) {
        result->has_equal_snapshot = true;
        result->equal_snapshot = search->common[low - 1];
    }
    if (low < result->common) {
        result->has_different_snapshot = true;
        result->different_snapshot = search->common[low];
        status = take_differences(search, search->common[low], err);
    }
    return status;
}
