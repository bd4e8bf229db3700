/* SPDX-License-Identifier: Apache-2.0 */
/* snap_run_restore: into which run, at which tier; then the run goes on from the archive. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "format/archive_fill.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "restore/restore.h"

/* Where the restored run stands. */
enum origin {
    ORIGIN_OWN,   /* its folder holds the archive's run, and goes on with it */
    ORIGIN_NEW,   /* its folder begins a run whose parent is the archive's */
    ORIGIN_MEMORY /* no folder: the archive's run goes on, and nothing is written */
};

/* ---- into which run ---- */

/* Does the folder's ledger, without any snapshot, begin from this very archive? Then a restore that
 * was stopped before its first snapshot is made again. */
static enum snap_status begins_from(struct snap_run *run, const struct snap_archive *archive,
                                    bool *begins, struct snap_error *err)
{
    struct snap_ledger *ledger = NULL;
    json_t *genesis = NULL;
    *begins = false;
    if (run->has_snapshots)
        return SNAP_OK;
    /* A ledger that cannot be read is for snap_run_ledger_reach to explain. */
    if (snap_run_ledger_read(run, &ledger, NULL, NULL) != SNAP_OK || ledger == NULL)
        return SNAP_OK;
    enum snap_status status = snap_ledger_document(ledger, 0, &genesis, err);
    if (status == SNAP_OK) {
        const json_t *parent = json_object_get(json_object_get(genesis, "host"), "parent");
        const char *hash = json_string_value(json_object_get(parent, "snapshot"));
        *begins = hash != NULL && strcmp(hash, snap_archive_snapshot_hash(archive)) == 0;
    }
    json_decref(genesis);
    snap_ledger_free(ledger);
    return status;
}

static enum snap_status find_origin(struct snap_run *run, const struct snap_archive *archive,
                                    enum origin *origin, struct snap_error *err)
{
    bool begins;
    *origin = ORIGIN_MEMORY;
    if (run->store == NULL)
        return SNAP_OK;
    *origin = ORIGIN_NEW;
    if (!run->has_run)
        return SNAP_OK;
    enum snap_status status = begins_from(run, archive, &begins, err);
    if (status == SNAP_OK && !begins)
        *origin = ORIGIN_OWN;
    return status;
}

/* A run goes on in its own folder under its own config. */
static enum snap_status check_config(const struct snap_run *run, const struct snap_archive *archive,
                                     struct snap_error *err)
{
    const struct snap_state_doc *doc = snap_archive_state_doc(archive);
    if (!snap_same_training(doc->training, run->training))
        return snap_error_set(err, SNAP_INVALID,
                              "%s: its run has another training config: a restore "
                              "under another training needs a new folder",
                              run->dir);
    if (strcmp(doc->profile, run->profile) != 0)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: its run has profile %s, not %s: a restore under "
                              "another profile needs a new folder",
                              run->dir, doc->profile, run->profile);
    return SNAP_OK;
}

/* And so that the lines of its ledger come again. */
static enum snap_status check_own_tier(const struct snap_run *run,
                                       const struct snap_receipt *receipt, struct snap_error *err)
{
    enum snap_tier needed = strcmp(run->profile, "none") == 0 ? SNAP_TIER_STREAMS : SNAP_TIER_EXACT;
    if (receipt->tier < needed)
        return snap_error_set(err, SNAP_ABSENT,
                              "%s: only tier %s is possible (%.300s), and a run goes "
                              "on in its own folder at tier %s: restore it into a new folder",
                              run->dir, snap_tier_name(receipt->tier),
                              json_string_value(json_array_get(receipt->reasons, 0)),
                              snap_tier_name(needed));
    return SNAP_OK;
}

static enum snap_status check_tier(const struct snap_receipt *receipt, enum snap_tier require,
                                   struct snap_error *err)
{
    if (receipt->tier >= require && receipt->tier > SNAP_TIER_NONE)
        return SNAP_OK;
    size_t more = json_array_size(receipt->reasons) - 1;
    char others[40] = "";
    if (more > 0)
        snprintf(others, sizeof others, ", and %zu more reasons", more);
    return snap_error_set(err, SNAP_ABSENT,
                          "restore: only tier %s is possible, and %s is required: "
                          "%.500s%s; nothing was changed",
                          snap_tier_name(receipt->tier), snap_tier_name(require),
                          json_string_value(json_array_get(receipt->reasons, 0)), others);
}

/* ---- the ledger of its own folder ---- */

/* Under profile none nothing says that later lines come again: they are taken off the ledger, and
 * the event keeps their last chain. Snapshots of those lines would be met again, and so must not
 * be there. */
static enum snap_status drop_expectation(struct snap_run *run, struct snap_ledger *ledger,
                                         size_t keep, struct snap_ledger_mend *mend,
                                         struct snap_error *err)
{
    size_t count = snap_ledger_line_count(ledger);
    uint64_t *steps = NULL;
    size_t step_count = 0;
    uint64_t last = snap_ledger_first_step(ledger) + keep - 1;
    if (keep == count)
        return SNAP_OK;
    enum snap_status status = snap_snapshots_list(run->store, &steps, &step_count, err);
    if (status == SNAP_OK && step_count > 0 && steps[step_count - 1] > last)
        status =
            snap_error_set(err, SNAP_INVALID,
                           "%s/snapshots: has one of step %" PRIu64 ", later "
                           "than the step %" PRIu64 " restored, and profile none does not promise "
                           "that it comes again: restore that one, or into a new folder",
                           run->dir, steps[step_count - 1], last);
    free(steps);
    if (status != SNAP_OK)
        return status;
    return snap_ledger_mend_drop(mend, ledger, keep, err);
}

/* Make the ledger ready to go on after the archive's step. Memory is not touched, and nothing is
 * cut off yet. */
static enum snap_status prepare_ledger(struct snap_run *run, const struct snap_archive *archive,
                                       struct snap_ledger_mend *mend, struct snap_error *err)
{
    struct snap_ledger *ledger = NULL;
    size_t index = 0;
    enum snap_status status = snap_run_ledger_reach(run, archive, &ledger, mend, err);
    if (status != SNAP_OK)
        return status;
    snap_ledger_find(ledger, snap_archive_step(archive), &index); /* it goes through the archive */
    bool expected = strcmp(run->profile, "none") != 0;
    if (!expected)
        status = drop_expectation(run, ledger, index + 1, mend, err);
    if (status == SNAP_OK)
        status = snap_run_ledger_start(run, mend, err);
    if (status != SNAP_OK || !expected || index + 1 == snap_ledger_line_count(ledger)) {
        snap_ledger_free(ledger);
        return status;
    }
    run->own_ledger = ledger;
    run->own = (struct snap_expectation){ ledger, index + 1, false };
    return SNAP_OK;
}

static void undo_ledger(struct snap_run *run)
{
    snap_ledger_file_close(&run->ledger_file, NULL); /* nothing was written through it */
    snap_ledger_free(run->own_ledger);
    run->own_ledger = NULL;
    run->own = (struct snap_expectation){ NULL, 0, false };
}

/* ---- going on ---- */

static enum snap_status make_parent(const struct snap_archive *archive, json_t **parent,
                                    struct snap_error *err)
{
    const struct snap_chain_heads *heads = &snap_archive_manifest(archive)->after;
    *parent = json_pack("{s:o, s:o, s:s, s:o}", "chain", snap_json_digest(NULL, heads->run),
                        "host_chain", snap_json_digest(NULL, heads->host), "snapshot",
                        snap_archive_snapshot_hash(archive), "step",
                        snap_json_u64(snap_archive_step(archive)));
    return *parent != NULL ? SNAP_OK
                           : snap_error_set(err, SNAP_NO_MEMORY, "restore: out of memory");
}

/* What the next snapshot's manifest says of the one before: as the archive says it, until a line is
 * added. */
static enum snap_status make_link(const struct snap_archive *archive, struct snap_parent_link *link,
                                  struct snap_error *err)
{
    const struct snap_manifest *manifest = snap_archive_manifest(archive);
    const struct snap_member *member = snap_archive_find(archive, SNAP_LEDGER_FILE);
    unsigned char hash[SNAP_DIGEST_BYTES];
    void *text = NULL;
    enum snap_status status = SNAP_OK;
    snap_hex_decode(snap_archive_snapshot_hash(archive) + strlen("snap1:"), 2 * SNAP_DIGEST_BYTES,
                    hash);
    if (snap_member_is_absent(member)) {
        /* The lines are not here: the archive itself is the parent. */
        link->has_parent = true;
        memcpy(link->parent, hash, sizeof hash);
        link->has_before = true;
        link->before = manifest->after;
        return SNAP_OK;
    }
    link->has_parent = manifest->has_parent;
    memcpy(link->parent, manifest->parent, sizeof link->parent);
    link->has_before = manifest->has_before;
    link->before = manifest->before;
    link->has_latest = !manifest->capsule;
    memcpy(link->latest, hash, sizeof hash);
    status = snap_archive_read_alloc(archive, member, SNAP_MAX_LEDGER_BYTES, &text, err);
    if (status == SNAP_OK)
        status = snap_buffer_append(&link->lines, text, (size_t)member->data_size, err);
    free(text);
    return status;
}

/* The run stands where the archive stood. Nothing here can fail. */
static void go_on(struct snap_run *run, const struct snap_archive *archive, enum origin origin,
                  json_t *parent, struct snap_parent_link *link)
{
    const struct snap_manifest *manifest = snap_archive_manifest(archive);
    run->restore_called = true;
    run->steps_done = manifest->step;
    run->alarm = true;
    if (origin == ORIGIN_NEW) {
        json_decref(run->genesis_parent);
        run->genesis_parent = parent;
        return;
    }
    run->begun = true;
    run->heads = manifest->after;
    memcpy(run->run_id, manifest->run_id, sizeof run->run_id);
    if (origin == ORIGIN_OWN) {
        snap_parent_link_release(&run->link);
        run->link = *link;
        *link = (struct snap_parent_link){ .lines = SNAP_BUFFER_INIT };
        run->captured = !manifest->capsule;
        run->captured_step = manifest->step;
    }
}

static enum snap_status restored_event(const struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_receipt *receipt = restore->receipt;
    json_t *fields = json_pack("{s:s, s:o, s:s}", "hash", receipt->snapshot_hash, "step",
                               snap_json_u64(receipt->step), "tier", snap_tier_name(receipt->tier));
    enum snap_status status = SNAP_OK;
    if (restore->from_memory)
        status = snap_json_set(fields, "memory", json_true(), err);
    if (status != SNAP_OK) {
        json_decref(fields);
        return status;
    }
    return snap_run_add_event(restore->run, "restore", fields, err);
}

/* Change memory, and say so: receipt and events. The ledger is cut only now: as long as memory can
 * refuse, every line stays. */
static enum snap_status change_memory(struct snap_restore *restore, enum snap_tier require,
                                      const struct snap_ledger_mend *mend, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    restore->touched = true;
    enum snap_status status = snap_restore_place(restore, err);
    if (status != SNAP_OK)
        return status;
    status = snap_receipt_finish(restore->receipt, require, true, restore->archive, &cause);
    if (status == SNAP_OK)
        status = snap_run_ledger_mend(restore->run, mend, &cause);
    if (status == SNAP_OK)
        status = restored_event(restore, &cause);
    return status == SNAP_OK ? SNAP_OK : snap_restore_unusable(&cause, err);
}

/* Everything after the match. */
static enum snap_status carry_out(struct snap_restore *restore, enum origin origin,
                                  enum snap_tier require, struct snap_error *err)
{
    struct snap_run *run = restore->run;
    struct snap_parent_link link = { .lines = SNAP_BUFFER_INIT };
    struct snap_ledger_mend mend = { 0, 0, NULL };
    json_t *parent = NULL;
    enum snap_status status = snap_restore_read(restore, err);
    if (status == SNAP_OK && origin == ORIGIN_NEW)
        status = make_parent(restore->archive, &parent, err);
    if (status == SNAP_OK && origin == ORIGIN_OWN)
        status = make_link(restore->archive, &link, err);
    if (status == SNAP_OK && origin == ORIGIN_OWN)
        status = prepare_ledger(run, restore->archive, &mend, err);
    if (status == SNAP_OK) {
        status = change_memory(restore, require, &mend, err);
        if (status == SNAP_OK) {
            go_on(run, restore->archive, origin, parent, &link);
            parent = NULL;
        } else {
            undo_ledger(run);
        }
    }
    json_decref(parent);
    snap_ledger_mend_release(&mend);
    snap_parent_link_release(&link);
    return status;
}

static enum snap_status check_call(const struct snap_run *run, enum snap_tier require,
                                   struct snap_error *err)
{
    if (run == NULL || require < SNAP_TIER_WEIGHTS || require > SNAP_TIER_EXACT)
        return snap_error_set(err, SNAP_INVALID,
                              "restore: no run, or a tier that cannot be "
                              "required");
    if (run->begun || run->restore_called)
        return snap_error_set(err, SNAP_INVALID,
                              "restore: the run has begun or was restored "
                              "already");
    return SNAP_OK;
}

/* From memory or from a file; *restore is to be released. *refused: there is a receipt of what
 * could be reached. */
static enum snap_status restore_once(struct snap_restore *restore, enum snap_tier require,
                                     bool *refused, struct snap_error *err)
{
    struct snap_run *run = restore->run;
    enum origin origin = ORIGIN_MEMORY;
    bool matched = false;
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    enum snap_status status = SNAP_OK;
    if (restore->archive == NULL)
        status = snap_restore_find(run, &restore->archive, name, err);
    if (status == SNAP_NOT_FOUND)
        run->restore_called = true;
    if (status == SNAP_OK)
        status = snap_receipt_new(restore->archive, &restore->receipt, err);
    if (status == SNAP_OK)
        status = find_origin(run, restore->archive, &origin, err);
    if (status == SNAP_OK) {
        status = snap_restore_match(restore, err);
        matched = status == SNAP_OK;
    }
    if (status == SNAP_OK && origin == ORIGIN_OWN)
        status = check_config(run, restore->archive, err);
    if (status == SNAP_OK)
        status = check_tier(restore->receipt, require, err);
    if (status == SNAP_OK && origin == ORIGIN_OWN)
        status = check_own_tier(run, restore->receipt, err);
    /* A receipt of what could be reached; when it cannot be made, the refusal is told anyway. */
    *refused = matched && status == SNAP_ABSENT &&
               snap_receipt_finish(restore->receipt, require, false, restore->archive, NULL) ==
                   SNAP_OK;
    return status == SNAP_OK ? carry_out(restore, origin, require, err) : status;
}

enum snap_status snap_restore_here(struct snap_run *run, enum snap_tier require,
                                   struct snap_receipt **receipt, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_run_freeze(run, err);
    if (status != SNAP_OK)
        return status;
    struct snap_restore restore = { .run = run };
    bool refused = false;
    restore.from_memory = snap_restore_find_in_memory(run, &restore.archive);
    status = restore_once(&restore, require, &refused, &cause);
    if (restore.from_memory && status != SNAP_OK && status != SNAP_ABSENT) {
        /* Whatever was wrong there: what is on the disk counts. */
        bool touched = restore.touched;
        snap_restore_release(&restore);
        restore = (struct snap_restore){ .run = run };
        status = restore_once(&restore, require, &refused, &cause);
        if (status != SNAP_OK && touched && !restore.touched) {
            struct snap_error before = cause;
            snap_restore_unusable(&before, &cause);
        }
    }
    if (status != SNAP_OK && err != NULL)
        *err = cause;
    if (receipt != NULL && (status == SNAP_OK || refused)) {
        *receipt = restore.receipt;
        restore.receipt = NULL;
    }
    snap_restore_release(&restore);
    return status;
}

enum snap_status snap_run_restore(struct snap_run *run, enum snap_tier require, void *stream,
                                  struct snap_receipt **receipt, struct snap_error *err)
{
    enum snap_status status = check_call(run, require, err);
    if (status != SNAP_OK)
        return status;
    run->device_stream = stream;
    return snap_group_world(run->group) > 1 ? snap_restore_together(run, require, receipt, err)
                                            : snap_restore_here(run, require, receipt, err);
}
