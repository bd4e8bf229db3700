/* SPDX-License-Identifier: Apache-2.0 */
/* The first snapshots at or after a step that two run folders both have: where their ledgers say
 * that a step differs, and not in which tensor. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "diff/diff_internal.h"
#include "folder/run_folder.h"
#include "format/json_canonical.h"
#include "store/store_ops.h"

/* The first number from `from` on that both ascending lists have. */
static bool find_common(const uint64_t *left, size_t left_count, const uint64_t *right,
                        size_t right_count, uint64_t from, uint64_t *step)
{
    size_t i = 0;
    size_t k = 0;
    while (i < left_count && k < right_count) {
        if (left[i] < from || left[i] < right[k]) {
            i++;
        } else if (right[k] < left[i]) {
            k++;
        } else {
            *step = left[i];
            return true;
        }
    }
    return false;
}

static enum snap_status compare(struct snap_store *left, struct snap_store *right, uint64_t step,
                                struct snap_diff *diff, struct snap_error *err)
{
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    struct snap_archive *a = NULL;
    struct snap_archive *b = NULL;
    snap_snapshot_name("snapshots", step, name);
    enum snap_status status = snap_run_open_archive(left, name, &a, err);
    if (status == SNAP_OK)
        status = snap_run_open_archive(right, name, &b, err);
    if (status == SNAP_OK)
        status = snap_diff_two_archives(a, b, diff, err);
    snap_archive_close(a);
    snap_archive_close(b);
    return status;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

enum snap_status snap_diff_next_snapshots(const char *left, const char *right, uint64_t from,
                                          struct snap_diff *diff, json_t **described,
                                          struct snap_error *err)
{
    struct snap_store *stores[2] = { NULL, NULL };
    const char *paths[2] = { left, right };
    uint64_t *steps[2] = { NULL, NULL };
    size_t counts[2] = { 0, 0 };
    size_t before = snap_diff_count(diff);
    uint64_t step = 0;
    enum snap_status status = SNAP_OK;
    for (int i = 0; status == SNAP_OK && i < 2 && is_folder(paths[i]); i++) {
        status = snap_store_dir_open(paths[i], false, &stores[i], err);
        if (status == SNAP_OK)
            status = snap_snapshots_list(stores[i], &steps[i], &counts[i], err);
    }
    if (status == SNAP_OK &&
        find_common(steps[0], counts[0], steps[1], counts[1], from, &step)) {
        status = compare(stores[0], stores[1], step, diff, err);
        json_t *made = json_pack("{s:b, s:o}", "equal", snap_diff_count(diff) == before, "step",
                                 snap_json_u64(step));
        if (status == SNAP_OK && made == NULL)
            status = snap_error_set(err, SNAP_NO_MEMORY, "compare: out of memory");
        if (status == SNAP_OK)
            *described = made;
        else
            json_decref(made);
    }
    for (int i = 0; i < 2; i++) {
        free(steps[i]);
        snap_store_close(stores[i]);
    }
    return status;
}
