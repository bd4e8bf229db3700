/* SPDX-License-Identifier: Apache-2.0 */
/* The public comparisons: two archives, two ledgers, a run and an archive. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "diff/diff_internal.h"
#include "format/json_canonical.h"

/* The state hashes differ, and nothing that was compared does: the trees differ in what is no leaf
 * (order, requires_grad, places in storages). */
static enum snap_status note_shape(const char *left_hash, const char *right_hash,
                                   struct snap_diff *diff, struct snap_error *err)
{
    if (strcmp(left_hash, right_hash) == 0 || snap_diff_count(diff) > 0)
        return SNAP_OK;
    return snap_diff_add(diff, err, "tensor", "state.json", NULL,
                         "state.json: equal values, in a "
                         "tree of another shape (order, requires_grad, shared storages)");
}

static json_t *describe_archive(const struct snap_archive *archive)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "run", snap_archive_run_hash(archive), "snapshot",
                     snap_archive_snapshot_hash(archive), "state", snap_archive_state_hash(archive),
                     "step", snap_json_u64(snap_archive_step(archive)));
}

static enum snap_status differs(const struct snap_diff *diff, struct snap_error *err)
{
    size_t count = snap_diff_count(diff);
    if (count == 0)
        return SNAP_OK;
    return snap_error_set(err, SNAP_DIFFERS, "%zu difference%s; the first: %.800s", count,
                          count == 1 ? "" : "s", snap_diff_at(diff, 0)->text);
}

static bool is_answer(enum snap_status status)
{
    return status == SNAP_OK || status == SNAP_DIFFERS;
}

enum snap_status snap_diff_two_archives(const struct snap_archive *left,
                                        const struct snap_archive *right, struct snap_diff *diff,
                                        struct snap_error *err)
{
    struct snap_side a = SNAP_SIDE_INIT;
    struct snap_side b = SNAP_SIDE_INIT;
    enum snap_status status = snap_side_of_archive(left, &a, err);
    if (status == SNAP_OK)
        status = snap_side_of_archive(right, &b, err);
    if (status == SNAP_OK)
        status = snap_diff_sides(&a, &b, diff, err);
    if (status == SNAP_OK)
        status = note_shape(snap_archive_state_hash(left), snap_archive_state_hash(right), diff,
                            err);
    snap_side_release(&a);
    snap_side_release(&b);
    return status;
}

enum snap_status snap_diff_archives(const char *left, const char *right, struct snap_diff **diff,
                                    struct snap_error *err)
{
    struct snap_archive *a = NULL;
    struct snap_archive *b = NULL;
    json_t *environment = NULL;
    struct snap_diff *made = NULL;
    if (left == NULL || right == NULL || diff == NULL)
        return snap_error_set(err, SNAP_INVALID, "diff: no paths, or no place for the result");
    enum snap_status status = snap_archive_open(left, &a, err);
    if (status == SNAP_OK)
        status = snap_archive_open(right, &b, err);
    if (status == SNAP_OK)
        status = snap_diff_new(&made, err);
    if (status == SNAP_OK)
        status = snap_diff_two_archives(a, b, made, err);
    if (status == SNAP_OK)
        status = snap_diff_environments(a, b, &environment, err);
    if (status == SNAP_OK)
        status = snap_diff_finish(made,
                                  json_pack("{s:o, s:o, s:o, s:s}", "environment", environment,
                                            "left", describe_archive(a), "right",
                                            describe_archive(b), "of", "states"),
                                  "the states are equal", err);
    if (status == SNAP_OK)
        status = differs(made, err);
    if (is_answer(status)) {
        *diff = made;
        made = NULL;
    }
    snap_diff_free(made);
    snap_archive_close(a);
    snap_archive_close(b);
    return status;
}

/* ---- ledgers ---- */

static enum snap_status open_lines(const char *path, struct snap_ledger **ledger,
                                   struct snap_error *err)
{
    enum snap_status status = snap_ledger_open(path, ledger, NULL, err);
    if (status == SNAP_OK && snap_ledger_line_count(*ledger) == 0) {
        snap_ledger_free(*ledger);
        *ledger = NULL;
        status = snap_error_set(err, SNAP_CORRUPT, "%s: has no whole line", path);
    }
    return status;
}

/* A file, or the ledger of a run folder. */
static enum snap_status open_ledger(const char *path, struct snap_ledger **ledger,
                                    struct snap_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return snap_error_set_os(err, errno == ENOENT ? SNAP_NOT_FOUND : SNAP_IO, errno,
                                 "%s: look at it", path);
    if (!S_ISDIR(info.st_mode))
        return open_lines(path, ledger, err);
    size_t size = strlen(path) + sizeof "/" SNAP_LEDGER_FILE;
    char *inside = malloc(size);
    if (inside == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "diff: out of memory");
    snprintf(inside, size, "%s/" SNAP_LEDGER_FILE, path);
    enum snap_status status = open_lines(inside, ledger, err);
    free(inside);
    return status;
}

static json_t *describe_ledger(const struct snap_ledger *ledger)
{
    size_t count = snap_ledger_line_count(ledger);
    return json_pack("{s:s, s:o, s:o, s:o}", "chain", snap_ledger_chain(ledger, count - 1),
                     "first_step", snap_json_u64(snap_ledger_first_step(ledger)), "last_step",
                     snap_json_u64(snap_ledger_last_step(ledger)), "lines", snap_json_u64(count));
}

static enum snap_status note_line(const struct snap_ledger_difference *found,
                                  struct snap_diff *diff, struct snap_error *err)
{
    char name[40] = "genesis line";
    bool genesis =
        strcmp(found->kind, "genesis") == 0 || strncmp(found->field, "host.data", 9) == 0;
    if (!genesis)
        snprintf(name, sizeof name, "step %" PRIu64, found->step);
    json_t *detail =
        json_pack("{s:s, s:s, s:s, s:o, s:s}", "field", found->field, "kind", found->kind, "left",
                  found->left, "step", snap_json_u64(found->step), "right", found->right);
    return snap_diff_add(diff, err, "ledger", name, detail, "%s: %s: %s: %s and %s", name,
                         found->kind, found->field, found->left, found->right);
}

/* Where a path is compared, and its ledger. */
struct ledger_side {
    const char *path;
    struct snap_ledger *ledger;
};

/* The first difference; where that is no tensor's, the first tensor that differs, by the ledgers if
 * they have tensors, else by the next snapshots. */
static enum snap_status note_ledgers(const struct ledger_side *left,
                                     const struct ledger_side *right, uint64_t *compared,
                                     json_t **snapshots, struct snap_diff *diff,
                                     struct snap_error *err)
{
    const struct snap_ledger *a = left->ledger;
    const struct snap_ledger *b = right->ledger;
    static const char tensors[] = "float.tensors:";
    struct snap_ledger_difference found = SNAP_LEDGER_DIFFERENCE_INIT;
    enum snap_status status = snap_ledger_compare(a, b, compared, &found, err);
    if (status != SNAP_DIFFERS)
        return status;
    status = note_line(&found, diff, err);
    if (status != SNAP_OK || strncmp(found.field, tensors, strlen(tensors)) == 0)
        return status;
    uint64_t step = found.step;
    status = snap_ledger_compare_tensors(a, b, step, &found, err);
    if (status == SNAP_DIFFERS)
        return note_line(&found, diff, err);
    if (status != SNAP_OK)
        return status;
    return snap_diff_next_snapshots(left->path, right->path, step, diff, snapshots, err);
}

enum snap_status snap_diff_ledgers(const char *left, const char *right, struct snap_diff **diff,
                                   struct snap_error *err)
{
    struct ledger_side a = { left, NULL };
    struct ledger_side b = { right, NULL };
    struct snap_diff *made = NULL;
    json_t *snapshots = NULL;
    uint64_t compared = 0;
    char equal[200];
    if (left == NULL || right == NULL || diff == NULL)
        return snap_error_set(err, SNAP_INVALID, "diff: no paths, or no place for the result");
    enum snap_status status = open_ledger(left, &a.ledger, err);
    if (status == SNAP_OK)
        status = open_ledger(right, &b.ledger, err);
    if (status == SNAP_OK)
        status = snap_diff_new(&made, err);
    if (status == SNAP_OK)
        status = note_ledgers(&a, &b, &compared, &snapshots, made, err);
    if (status == SNAP_OK) {
        snprintf(equal, sizeof equal,
                 "the ledgers are equal over %" PRIu64 " steps (the left one "
                 "ends at step %" PRIu64 ", the right one at step %" PRIu64 ")",
                 compared, snap_ledger_last_step(a.ledger), snap_ledger_last_step(b.ledger));
        status = snap_diff_finish(
            made,
            json_pack("{s:o, s:s, s:o, s:o, s:o}", "left", describe_ledger(a.ledger), "of",
                      "ledgers", "right", describe_ledger(b.ledger), "snapshots",
                      snapshots == NULL ? json_null() : json_incref(snapshots), "steps_compared",
                      snap_json_u64(compared)),
            equal, err);
    }
    if (status == SNAP_OK)
        status = differs(made, err);
    if (is_answer(status)) {
        *diff = made;
        made = NULL;
    }
    snap_diff_free(made);
    json_decref(snapshots);
    snap_ledger_free(a.ledger);
    snap_ledger_free(b.ledger);
    return status;
}

/* ---- a run and an archive ---- */

enum snap_status snap_run_compare(struct snap_run *run, const struct snap_archive *archive,
                                  char *text, size_t text_size, struct snap_error *err)
{
    struct snap_side there = SNAP_SIDE_INIT;
    struct snap_side here = SNAP_SIDE_INIT;
    struct snap_diff *made = NULL;
    char hash[SNAP_HASH_TEXT_BYTES];
    if (run == NULL || archive == NULL || (text == NULL && text_size > 0))
        return snap_error_set(err, SNAP_INVALID,
                              "compare: no run or archive, or no place for the "
                              "text");
    enum snap_status status = snap_run_state_hash(run, hash, err);
    if (status != SNAP_OK || strcmp(hash, snap_archive_state_hash(archive)) == 0)
        return status;
    status = snap_diff_new(&made, err);
    if (status == SNAP_OK)
        status = snap_side_of_archive(archive, &there, err);
    if (status == SNAP_OK)
        status = snap_side_of_run(run, &here, err);
    if (status == SNAP_OK)
        status = snap_diff_sides(&there, &here, made, err);
    if (status == SNAP_OK)
        status = note_shape(snap_archive_state_hash(archive), hash, made, err);
    if (status == SNAP_OK) {
        if (text_size > 0)
            snprintf(text, text_size, "%s", snap_diff_at(made, 0)->text);
        status = snap_error_set(err, SNAP_DIFFERS, "step %" PRIu64 ": archive and run: %.800s",
                                snap_archive_step(archive), snap_diff_at(made, 0)->text);
    }
    snap_diff_free(made);
    snap_side_release(&there);
    snap_side_release(&here);
    return status;
}
