/* SPDX-License-Identifier: Apache-2.0 */
/* A run folder: config, ledger, every snapshot and capsule, `latest`. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folder/ledger_rebuild.h"
#include "folder/run_folder.h"
#include "format/archive_fill.h"
#include "format/json_canonical.h"
#include "format/limits.h"
#include "ledger/ledger_line.h"
#include "verify/evidence.h"
#include "verify/verdict.h"
#include "verify/verify_folder.h"
#include "verify/verify_published.h"

/* What is known of the folder while it is gone through. */
struct folder {
    struct snap_store *store;
    const struct snap_verify_options *options;
    struct snap_verdict *verdict;
    struct snap_ledger *ledger;  /* NULL: cannot be read */
    struct snap_archive *newest; /* the last snapshot that is intact */
    char *ledger_path;
    json_t *hashes; /* of all intact archives, as keys */
    bool expected_found;
    struct snap_folder_findings *findings; /* NULL: not wanted, and stubs are no matter of course */
    struct snap_evidence evidence; /* archives */
    struct snap_evidence listings; /* of a published folder */
};

/* ---- config and ledger ---- */

static enum snap_status check_config(struct folder *folder, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_error cause = SNAP_ERROR_INIT;
    json_t *config = NULL;
    json_t *genesis = NULL;
    enum snap_status status =
        snap_store_read(folder->store, "config.json", SNAP_MAX_CONFIG_BYTES, &text, &cause);
    if (status == SNAP_OK)
        status = snap_json_decode(text.data == NULL ? (void *)"" : text.data, text.size,
                                  "config.json", &config, &cause);
    if (status == SNAP_OK && folder->ledger != NULL)
        status = snap_ledger_document(folder->ledger, 0, &genesis, &cause);
    if (status == SNAP_OK && genesis != NULL) {
        json_t *training = json_object_get(config, "training");
        json_t *there = json_object_get(json_object_get(genesis, "host"), "training");
        if (!json_equal(training == NULL ? json_null() : training, there))
            status = snap_error_set(&cause, SNAP_CORRUPT,
                                    "the training part of config.json is not "
                                    "the one of the genesis line");
    }
    if (status == SNAP_NOT_FOUND && folder->findings != NULL && folder->ledger == NULL &&
        folder->newest == NULL)
        status = snap_verdict_ok(folder->verdict, true, err, "config.json",
                                 "not there yet: the run was stopped before it began");
    else if (status == SNAP_OK)
        status = snap_verdict_ok(folder->verdict, false, err, "config.json",
                                 genesis == NULL ? "canonical"
                                                 : "its training part is the genesis "
                                                   "line's");
    else
        status = snap_verdict_failed(folder->verdict, "config.json", status, &cause, err);
    json_decref(config);
    json_decref(genesis);
    snap_buffer_release(&text);
    return status;
}

static enum snap_status check_ledger(struct folder *folder, size_t snapshots,
                                     struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_error told = SNAP_ERROR_INIT;
    uint64_t torn = 0;
    enum snap_status status = snap_ledger_open(folder->ledger_path, &folder->ledger, &torn, &cause);
    if (status == SNAP_OK && snap_ledger_line_count(folder->ledger) == 0) {
        snap_ledger_free(folder->ledger);
        folder->ledger = NULL;
        status = snap_error_set(&cause, SNAP_NOT_FOUND, "has no whole line");
    }
    if (status == SNAP_CORRUPT && folder->newest != NULL) {
        snap_ledger_explain(folder->store, folder->newest, folder->ledger_path, status, &cause,
                            &told);
        return snap_verdict_failed(folder->verdict, "ledger", status, &told, err);
    }
    if (status == SNAP_NOT_FOUND && snapshots == 0 && folder->findings != NULL)
        return snap_verdict_ok(folder->verdict, true, err, "ledger",
                               "no whole line yet: the run was stopped before its first");
    if (status == SNAP_NOT_FOUND) {
        snap_error_set(&told, SNAP_CORRUPT, "%s; a restore builds it again from the snapshots",
                       cause.text);
        return snap_verdict_failed(folder->verdict, "ledger", SNAP_CORRUPT, &told, err);
    }
    if (status != SNAP_OK)
        return snap_verdict_failed(folder->verdict, "ledger", status, &cause, err);
    size_t count = snap_ledger_line_count(folder->ledger);
    status = snap_verdict_ok(folder->verdict, false, err, "ledger",
                             "%zu lines, the chain is whole "
                             "and ends at run1:%s (step %" PRIu64 ")",
                             count, snap_ledger_chain(folder->ledger, count - 1),
                             snap_ledger_last_step(folder->ledger));
    if (status == SNAP_OK && torn > 0)
        status = snap_verdict_ok(
            folder->verdict, true, err, "ledger",
            "a torn last line of %" PRIu64 " bytes, which the next restore drops", torn);
    return status;
}

/* ---- archives ---- */

static enum snap_status compare_ledger(const struct folder *folder,
                                       const struct snap_archive *archive, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_chain_heads heads;
    uint64_t step = snap_archive_step(archive);
    size_t index;
    if (folder->ledger == NULL)
        return SNAP_OK; /* that it cannot be read was told */
    if (!snap_ledger_find(folder->ledger, step, &index))
        return snap_error_set(err, SNAP_CORRUPT,
                              "the ledger ends before step %" PRIu64 "; a restore "
                              "builds it again",
                              step);
    snap_ledger_heads(folder->ledger, index, &heads);
    if (memcmp(&heads, &snap_archive_manifest(archive)->after, sizeof heads) == 0)
        return SNAP_OK;
    snap_error_set(&cause, SNAP_CORRUPT, "its chain is not the ledger's");
    return snap_ledger_explain(folder->store, archive, folder->ledger_path, SNAP_CORRUPT, &cause,
                               err);
}

static void meet_expected(struct folder *folder, const struct snap_archive *archive)
{
    const char *expected = folder->options->expected;
    if (expected != NULL && (strcmp(expected, snap_archive_snapshot_hash(archive)) == 0 ||
                             strcmp(expected, snap_archive_state_hash(archive)) == 0 ||
                             strcmp(expected, snap_archive_run_hash(archive)) == 0))
        folder->expected_found = true;
}

static enum snap_status judge_archive(const struct folder *folder,
                                      const struct snap_archive *archive, bool capsule,
                                      uint64_t step, size_t *lines, bool *state_checked,
                                      struct snap_error *err)
{
    const struct snap_manifest *manifest = snap_archive_manifest(archive);
    uint64_t named = manifest->step + (capsule ? 1 : 0); /* a capsule is named by the failed step */
    if (manifest->capsule != capsule || named != step)
        return snap_error_set(err, SNAP_CORRUPT, "holds a %s of step %" PRIu64,
                              snap_archive_kind(archive), manifest->step);
    enum snap_status status =
        snap_verify_content(archive, folder->options->pool, lines, state_checked, err);
    if (status == SNAP_OK)
        status = compare_ledger(folder, archive, err);
    return status;
}

static enum snap_status note_archive(struct folder *folder, const struct snap_archive *archive,
                                     const char *name, size_t lines, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    const char *parent = snap_archive_parent(archive);
    size_t withheld = snap_archive_withheld_count(archive);
    size_t absent = snap_archive_absent_count(archive);
    size_t fillers;
    const char *const *filled_by = snap_archive_filled_by(archive, &fillers);
    meet_expected(folder, archive);
    enum snap_status status = snap_verdict_ok(folder->verdict, false, err, name,
                                              "%zu members, %zu "
                                              "ledger lines, %s",
                                              snap_archive_member_count(archive) - withheld, lines,
                                              snap_archive_snapshot_hash(archive));
    if (status == SNAP_OK &&
        json_object_set_new(folder->hashes, snap_archive_snapshot_hash(archive), json_null()) != 0)
        status = snap_error_set(err, SNAP_NO_MEMORY, "verify: out of memory");
    if (status == SNAP_OK && parent != NULL && json_object_get(folder->hashes, parent) == NULL &&
        snap_evidence_find(&folder->listings, parent) == NULL)
        status = snap_verdict_ok(folder->verdict, true, err, name,
                                 "its parent %s is not in the "
                                 "folder",
                                 parent);
    if (status == SNAP_OK && withheld > absent)
        status = snap_verdict_ok(folder->verdict, true, err, name,
                                 "%zu members are read from %s", withheld - absent, filled_by[0]);
    if (status == SNAP_OK)
        status = snap_verify_volumes(folder->verdict, name, archive,
                                     folder->options->allow_withheld, err);
    if (status == SNAP_OK && folder->findings != NULL && snap_archive_is_stub(archive))
        return snap_verdict_ok(folder->verdict, true, err, name,
                               "a stub: %zu members were pruned", absent);
    if (status == SNAP_OK && absent > 0 && folder->options->allow_withheld)
        return snap_verdict_ok(folder->verdict, true, err, name, "%zu members are withheld",
                               absent);
    if (status == SNAP_OK && absent > 0) {
        snap_error_set(&cause, SNAP_ABSENT, "%s: %zu members are withheld", name, absent);
        status = snap_verdict_failed(folder->verdict, name, SNAP_ABSENT, &cause, err);
    }
    return status;
}

/* The newest snapshot that is whole, for whoever mends `latest`. */
static void note_whole(struct folder *folder, const struct snap_archive *archive, const char *name)
{
    struct snap_folder_findings *findings = folder->findings;
    if (findings == NULL || snap_archive_manifest(archive)->capsule ||
        snap_archive_absent_count(archive) > 0 || folder->ledger == NULL)
        return;
    snprintf(findings->newest, sizeof findings->newest, "%s", name);
    snprintf(findings->newest_hash, sizeof findings->newest_hash, "%s",
             snap_archive_snapshot_hash(archive));
}

static enum snap_status check_archive(struct folder *folder, const char *where, uint64_t step,
                                      struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_archive *archive = NULL;
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    size_t lines = 0;
    bool state_checked = false;
    bool capsule = strcmp(where, "capsules") == 0;
    snap_snapshot_name(where, step, name);
    enum snap_status status = snap_run_open_archive(folder->store, name, &archive, &cause);
    if (status == SNAP_OK)
        status = judge_archive(folder, archive, capsule, step, &lines, &state_checked, &cause);
    if (status != SNAP_OK && strstr(cause.text, name) == NULL)
        snap_error_set(&cause, status, "%s: %s", name, cause.text);
    if (status == SNAP_OK)
        note_whole(folder, archive, name);
    else if (folder->findings != NULL && !capsule && status != SNAP_CORRUPT)
        folder->findings->unreadable = true;
    if (status != SNAP_OK) {
        status = snap_verdict_failed(folder->verdict, name, status, &cause, err);
    } else {
        status = note_archive(folder, archive, name, lines, err);
        if (status == SNAP_OK && !capsule)
            status = snap_evidence_add_archive(&folder->evidence, archive, lines, state_checked,
                                               err);
    }
    snap_archive_close(archive);
    return status;
}

static enum snap_status check_archives(struct folder *folder, const char *where,
                                       struct snap_error *err)
{
    uint64_t *steps = NULL;
    size_t count = 0;
    enum snap_status status = snap_archives_list(folder->store, where, &steps, &count, err);
    for (size_t i = 0; status == SNAP_OK && i < count; i++)
        status = check_archive(folder, where, steps[i], err);
    free(steps);
    return status;
}

/* The last snapshot that can be opened: what a damaged ledger is compared with. */
static enum snap_status find_newest(struct folder *folder, size_t *count, struct snap_error *err)
{
    uint64_t *steps = NULL;
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    enum snap_status status = snap_snapshots_list(folder->store, &steps, count, err);
    for (size_t i = *count; status == SNAP_OK && folder->newest == NULL && i-- > 0;) {
        snap_snapshot_name("snapshots", steps[i], name);
        /* What is wrong with one that cannot be opened is told where it is checked. */
        snap_run_open_archive(folder->store, name, &folder->newest, NULL);
    }
    free(steps);
    return status;
}

/* ---- latest, expected ---- */

/* The only snapshot is the first that the run made, as a restore without `latest` wants it. */
static bool is_first(const struct folder *folder)
{
    const struct snap_archive *archive = folder->newest;
    const struct snap_manifest *manifest = archive == NULL ? NULL : snap_archive_manifest(archive);
    return manifest != NULL && !manifest->has_parent && !manifest->has_before &&
           snap_archive_withheld_count(archive) == 0 && folder->ledger != NULL &&
           snap_ledger_goes_through(folder->ledger, archive);
}

static enum snap_status check_latest(struct folder *folder, size_t snapshots,
                                     struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_archive *archive = NULL;
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    enum snap_status status = snap_latest_open(folder->store, &archive, name, &cause);
    if (status == SNAP_OK) {
        status = snap_verdict_hashes(folder->verdict, archive, err);
        if (status == SNAP_OK)
            status = snap_verdict_ok(folder->verdict, false, err, "latest", "names %s", name);
        snap_archive_close(archive);
        return status;
    }
    if (status == SNAP_NOT_FOUND && snapshots == 0)
        return snap_verdict_ok(folder->verdict, true, err, "latest", "no snapshot was made yet");
    if (status == SNAP_NOT_FOUND && snapshots == 1 && is_first(folder))
        return snap_verdict_ok(folder->verdict, true, err, "latest",
                               "not there yet: the run was stopped after its first snapshot, and a "
                               "restore goes on from that one");
    if (folder->findings != NULL && (status == SNAP_NOT_FOUND || status == SNAP_CORRUPT))
        folder->findings->latest_is_broken = true;
    if (status == SNAP_NOT_FOUND)
        status = snap_error_set(&cause, SNAP_CORRUPT,
                                "%s/latest: is missing, and there are "
                                "snapshots: go on from one of them by snap restore",
                                snap_store_path(folder->store));
    return snap_verdict_failed(folder->verdict, "latest", status, &cause, err);
}

static enum snap_status check_expected(struct folder *folder, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    const char *expected = folder->options->expected;
    if (expected == NULL)
        return SNAP_OK;
    bool run_hash = strncmp(expected, "run1:", 5) == 0;
    for (size_t i = 0;
         run_hash && folder->ledger != NULL && i < snap_ledger_line_count(folder->ledger); i++) {
        if (strcmp(snap_ledger_chain(folder->ledger, i), expected + 5) == 0)
            return snap_verdict_ok(folder->verdict, false, err, "expected hash",
                                   "is the run's at "
                                   "step %" PRIu64,
                                   snap_ledger_first_step(folder->ledger) + i);
    }
    if (folder->expected_found)
        return snap_verdict_ok(folder->verdict, false, err, "expected hash", "is in the folder");
    snap_error_set(&cause, SNAP_DIFFERS, "%s is not in the folder", expected);
    return snap_verdict_failed(folder->verdict, "expected hash", SNAP_DIFFERS, &cause, err);
}

/* What only a listing tells of counts as well. */
static enum snap_status gather_listings(struct folder *folder, struct snap_error *err)
{
    const char *expected = folder->options->expected;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < folder->listings.count; i++) {
        const struct snap_evidence_node *node = &folder->listings.nodes[i];
        if (expected != NULL && (strcmp(expected, node->snapshot) == 0 ||
                                 strcmp(expected, node->state) == 0))
            folder->expected_found = true;
        if (snap_evidence_find(&folder->evidence, node->snapshot) == NULL)
            status = snap_evidence_add(&folder->evidence, node, err);
    }
    return status;
}

static enum snap_status verify(struct folder *folder, const char *dir, struct snap_error *err)
{
    size_t count = 0;
    bool has_ledger = false;
    enum snap_status status = find_newest(folder, &count, err);
    if (status == SNAP_OK)
        status = snap_store_exists(folder->store, SNAP_LEDGER_FILE, &has_ledger, err);
    if (status == SNAP_OK && !has_ledger && count == 0 && folder->findings == NULL)
        return snap_error_set(err, SNAP_INVALID, "%s: holds no run", dir);
    if (status == SNAP_OK)
        status = snap_published_check(folder->store, folder->options, folder->verdict, err);
    if (status == SNAP_OK)
        status = check_ledger(folder, count, err);
    if (status == SNAP_OK)
        status = check_config(folder, err);
    if (status == SNAP_OK)
        status = snap_published_listings(folder->store, folder->ledger, folder->verdict,
                                         &folder->listings, err);
    if (status == SNAP_OK)
        status = check_archives(folder, "snapshots", err);
    if (status == SNAP_OK)
        status = check_archives(folder, "capsules", err);
    if (status == SNAP_OK)
        status = check_latest(folder, count, err);
    if (status == SNAP_OK)
        status = gather_listings(folder, err);
    if (status == SNAP_OK)
        status = check_expected(folder, err);
    folder->evidence.ledger = folder->ledger;
    if (status == SNAP_OK)
        status =
            snap_evidence_judge(&folder->evidence, folder->options->expected, folder->verdict, err);
    return status;
}

enum snap_status snap_verify_folder(struct snap_store *store, const char *dir,
                                    const struct snap_verify_options *options,
                                    struct snap_folder_findings *findings,
                                    struct snap_verdict *verdict, struct snap_error *err)
{
    struct folder folder = {
        .store = store, .options = options, .findings = findings, .verdict = verdict
    };
    size_t path_bytes = strlen(dir) + sizeof "/" SNAP_LEDGER_FILE;
    enum snap_status status = SNAP_OK;
    folder.hashes = json_object();
    folder.ledger_path = malloc(path_bytes);
    if (folder.hashes == NULL || folder.ledger_path == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "verify: out of memory");
    if (status == SNAP_OK) {
        snprintf(folder.ledger_path, path_bytes, "%s/" SNAP_LEDGER_FILE, dir);
        status = verify(&folder, dir, err);
    }
    snap_evidence_release(&folder.evidence);
    snap_evidence_release(&folder.listings);
    snap_archive_close(folder.newest);
    snap_ledger_free(folder.ledger);
    json_decref(folder.hashes);
    free(folder.ledger_path);
    return status;
}

enum snap_status snap_verify_run(const char *dir, const struct snap_verify_options *options,
                                 struct snap_verdict **verdict, struct snap_error *err)
{
    struct snap_verify_options none = SNAP_VERIFY_OPTIONS_INIT;
    struct snap_store *store = NULL;
    struct snap_verdict *made = NULL;
    if (options == NULL)
        options = &none;
    if (dir == NULL || options->size_bytes != sizeof *options || options->only != NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "verify: no folder, options that are not "
                              "SNAP_VERIFY_OPTIONS_INIT, or a member named for a folder");
    enum snap_status status = SNAP_OK;
    if (options->expected != NULL)
        status = snap_check_hash_text(options->expected, err);
    if (status == SNAP_OK)
        status = snap_store_dir_open(dir, false, &store, err);
    if (status == SNAP_NOT_FOUND)
        status = snap_error_set(err, SNAP_IO, "%s: no such folder", dir);
    if (status == SNAP_OK)
        status = snap_verdict_new(&made, err);
    if (status == SNAP_OK)
        status = snap_verify_folder(store, dir, options, NULL, made, err);
    status = snap_verdict_give(made, status, "run", dir, verdict, err);
    snap_store_close(store);
    return status;
}
