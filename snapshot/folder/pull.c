/* SPDX-License-Identifier: Apache-2.0 */
/* Archives out of a store, into a run folder or a file. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folder/archive_put.h"
#include "folder/run_folder.h"
#include "folder/stored.h"
#include "folder/stored_run.h"
#include "format/archive_fill.h"
#include "ledger/ledger_line.h"

#define EVENTS "events.jsonl"

struct pull {
    const char *uri;
    const struct snap_pull_options *options;
    struct snap_store *from;
    struct snap_store *to; /* the run folder */
    struct snap_pull_result result;
    struct snap_stored_run local;   /* what the folder has of the run's files */
    struct snap_stored_run missing; /* and the store, where the folder has none */
    char run_id[17]; /* that all are of; "": of whatever the first is */
    /* The newest snapshot that is whole, for `latest`; "": none. */
    uint64_t newest_step;
    char newest_hash[SNAP_HASH_TEXT_BYTES];
};

/* ---- one archive ---- */

static enum snap_status open_stored(const struct pull *pull, const struct snap_stored *stored,
                                    struct snap_archive **archive, struct snap_error *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", snap_store_where(pull->from), stored->file) < 0)
        return snap_error_set(err, SNAP_NO_MEMORY, "pull: out of memory");
    enum snap_status status = snap_archive_open(path, archive, err);
    free(path);
    return status;
}

/* The run's files must lead to every archive that comes to be in the folder. */
static enum snap_status check_run_files(const struct pull *pull, const struct snap_archive *archive,
                                        struct snap_error *err)
{
    enum snap_status status =
        snap_stored_run_check(&pull->local, snap_store_where(pull->to), archive, err);
    return status == SNAP_OK ? snap_stored_run_check(&pull->missing, snap_store_where(pull->from),
                                                     archive, err)
                             : status;
}

/* The folder may have it: as it is, or with less in it. *archive stays NULL where it has none. */
static enum snap_status meet_local(struct pull *pull, const char *name,
                                   const struct snap_stored *stored, struct snap_archive **archive,
                                   struct snap_error *err)
{
    struct snap_archive *found = NULL;
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_run_open_archive(pull->to, name, &found, &cause);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK;
    if (status != SNAP_OK) {
        if (err != NULL)
            *err = cause;
        return status;
    }
    if (strcmp(snap_archive_snapshot_hash(found), stored->snapshot_hash) != 0)
        status = snap_error_set(err, SNAP_DIFFERS,
                                "%s/%s: is there already, and is %s; the store has %s",
                                snap_store_where(pull->to), name,
                                snap_archive_snapshot_hash(found), stored->snapshot_hash);
    if (status == SNAP_OK)
        status = check_run_files(pull, found, err);
    if (status == SNAP_OK)
        *archive = found;
    else
        snap_archive_close(found);
    return status;
}

/* A name is the writer's word: the archive must be what it says, and of the run that is pulled. */
static enum snap_status check_stored(struct pull *pull, const struct snap_stored *stored,
                                     const struct snap_archive *archive, struct snap_error *err)
{
    bool capsule = strcmp(snap_archive_kind(archive), "capsule") == 0;
    /* What it withholds nobody had; that it can be read from another beside it is luck. */
    bool partial = snap_archive_withheld_count(archive) > 0;
    const char *run_id = snap_archive_run_id(archive);
    if (snap_archive_step(archive) != stored->step || capsule != stored->capsule ||
        partial != stored->partial ||
        strcmp(snap_archive_snapshot_hash(archive), stored->snapshot_hash) != 0)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s/%s: its name is that of another archive: this is %s of step "
                              "%" PRIu64 ", %s",
                              snap_store_where(pull->from), stored->file,
                              partial ? "a part" : capsule ? "a capsule" : "a snapshot",
                              snap_archive_step(archive), snap_archive_snapshot_hash(archive));
    if (pull->run_id[0] == '\0')
        snprintf(pull->run_id, sizeof pull->run_id, "%s", run_id);
    if (strcmp(pull->run_id, run_id) != 0)
        return snap_error_set(err, SNAP_DIFFERS,
                              "%s/%s: is of run %s, and the others of run %s",
                              snap_store_where(pull->from), stored->file, run_id, pull->run_id);
    return SNAP_OK;
}

static void note_newest(struct pull *pull, const struct snap_archive *archive)
{
    uint64_t step = snap_archive_step(archive);
    if (strcmp(snap_archive_kind(archive), "snapshot") != 0 ||
        snap_archive_absent_count(archive) > 0 ||
        (pull->newest_hash[0] != '\0' && step < pull->newest_step))
        return;
    pull->newest_step = step;
    snprintf(pull->newest_hash, sizeof pull->newest_hash, "%s",
             snap_archive_snapshot_hash(archive));
}

/* What the local file has, and the stored one has not, is read from there. */
static enum snap_status merge(struct snap_archive *archive, struct snap_archive *local,
                              struct snap_error *err)
{
    snap_archive_fill_from(archive, local);
    for (size_t i = 0; i < snap_archive_member_count(local); i++)
        if (!snap_archive_member(local, i)->withheld &&
            snap_member_is_absent(snap_archive_member(archive, i)))
            return snap_error_set(err, SNAP_NO_MEMORY, "pull: %s: out of memory",
                                  snap_archive_member(local, i)->name);
    return SNAP_OK;
}

/* Write the stored archive, with what else the local one (NULL: none) has in its file. *there: that
 * brings nothing that the local one lacks. */
static enum snap_status put_archive(struct pull *pull, const char *name,
                                    struct snap_archive *archive, struct snap_archive *local,
                                    bool *there, struct snap_error *err)
{
    struct snap_error left_over = SNAP_ERROR_INIT;
    const struct snap_archive_put_options put = {
        .put = { .mode = local != NULL ? SNAP_PUT_REPLACE : SNAP_PUT_CREATE,
                 .pool = pull->options->pool },
        .left_over = &left_over
    };
    struct snap_archive_plan *plan = NULL;
    /* One snapshot hash: their members are in one order. */
    for (size_t i = 0; local != NULL && *there && i < snap_archive_member_count(local); i++)
        *there = !snap_member_is_absent(snap_archive_member(local, i)) ||
                 snap_member_is_absent(snap_archive_member(archive, i));
    if (*there)
        return SNAP_OK;
    enum snap_status status = local != NULL ? merge(archive, local, err) : SNAP_OK;
    if (status == SNAP_OK)
        status = snap_archive_again(archive, NULL, NULL, &plan, err);
    if (status == SNAP_OK)
        status = snap_archive_put(pull->to, name, plan, &put, err);
    if (status == SNAP_OK) {
        snap_left_over_note(pull->to, name, &left_over);
        pull->result.bytes += snap_archive_plan_file_size(plan);
    }
    snap_archive_plan_free(plan);
    return status;
}

static enum snap_status pull_one(struct pull *pull, const struct snap_stored *stored,
                                 struct snap_error *err)
{
    struct snap_archive *archive = NULL;
    struct snap_archive *local = NULL;
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    /* In a run folder a capsule has the number of the step that failed after it. */
    snap_snapshot_name(stored->capsule ? "capsules" : "snapshots", stored->step + stored->capsule,
                       name);
    enum snap_status status = meet_local(pull, name, stored, &local, err);
    bool there = local != NULL;
    if (status == SNAP_OK && !(there && snap_archive_absent_count(local) == 0)) {
        status = open_stored(pull, stored, &archive, err);
        if (status == SNAP_OK)
            status = check_stored(pull, stored, archive, err);
        if (status == SNAP_OK)
            status = check_run_files(pull, archive, err);
        if (status == SNAP_OK)
            status = put_archive(pull, name, archive, local, &there, err);
    }
    if (status == SNAP_OK) {
        pull->result.step = stored->step;
        pull->result.there += there;
        pull->result.pulled += !there;
        note_newest(pull, there ? local : archive);
    }
    snap_archive_close(archive);
    snap_archive_close(local);
    return status;
}

/* ---- the folder ---- */

/* The run that the folder is of; "": of none yet. */
static enum snap_status find_run(const struct pull *pull, char run_id[17], struct snap_error *err)
{
    struct snap_archive *archive = NULL;
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    uint64_t *steps = NULL;
    size_t count = 0;
    snap_stored_run_id(&pull->local, run_id);
    enum snap_status status = snap_snapshots_list(pull->to, &steps, &count, err);
    if (status == SNAP_OK && count > 0) {
        snap_snapshot_name("snapshots", steps[count - 1], name);
        status = snap_run_open_archive(pull->to, name, &archive, err);
        if (status == SNAP_OK)
            snprintf(run_id, 17, "%s", snap_archive_run_id(archive));
        snap_archive_close(archive);
    }
    free(steps);
    return status;
}

static enum snap_status check_run(struct pull *pull, const char *run_id, struct snap_error *err)
{
    char local[17];
    enum snap_status status = find_run(pull, local, err);
    if (status == SNAP_OK && local[0] != '\0' && run_id[0] != '\0' && strcmp(local, run_id) != 0)
        status = snap_error_set(err, SNAP_DIFFERS, "%s: is of run %s, and the store of run %s",
                                snap_store_where(pull->to), local, run_id);
    if (status == SNAP_OK)
        snprintf(pull->run_id, sizeof pull->run_id, "%.16s", local[0] != '\0' ? local : run_id);
    return status;
}

/* What the folder does not have, and the store does. */
static enum snap_status put_run_files(const struct pull *pull, struct snap_error *err)
{
    const struct snap_put_options create = { .mode = SNAP_PUT_CREATE };
    /* A ledger without a whole line may be there, of a run that was stopped in its first. */
    const struct snap_put_options replace = { .mode = SNAP_PUT_REPLACE };
    const struct snap_stored_run *run = &pull->missing;
    enum snap_status status = SNAP_OK;
    if (run->config != NULL)
        status = snap_store_put_bytes(pull->to, SNAP_CONFIG_FILE, run->config_text.data,
                                      run->config_text.size, &create, err);
    if (status == SNAP_OK && run->ledger != NULL)
        status = snap_store_put_bytes(pull->to, SNAP_LEDGER_FILE, run->ledger_text.data,
                                      run->ledger_text.size, &replace, err);
    return status;
}

/* Forward only, and last. */
static enum snap_status move_latest(const struct pull *pull, struct snap_error *err)
{
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    struct snap_archive *archive = NULL;
    struct snap_error cause = SNAP_ERROR_INIT;
    if (pull->newest_hash[0] == '\0')
        return SNAP_OK;
    enum snap_status status = snap_latest_open(pull->to, &archive, name, &cause);
    bool older = status == SNAP_NOT_FOUND ||
                 (status == SNAP_OK && snap_archive_step(archive) < pull->newest_step);
    snap_archive_close(archive);
    if (status != SNAP_OK && status != SNAP_NOT_FOUND) {
        if (err != NULL)
            *err = cause;
        return status;
    }
    if (!older)
        return SNAP_OK;
    snap_snapshot_name("snapshots", pull->newest_step, name);
    return snap_latest_write(pull->to, name, pull->newest_hash, err);
}

/* ---- which ---- */

static bool is_wanted(const struct snap_pull_options *options, const struct snap_stored *stored)
{
    if (options->all)
        return true;
    return options->has_step ? stored->step == options->step && !stored->capsule
                             : stored->is_latest;
}

static enum snap_status pull_wanted(struct pull *pull, const struct snap_stored_list *list,
                                    struct snap_error *err)
{
    size_t wanted = 0;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < list->count; i++) {
        if (!is_wanted(pull->options, &list->archives[i]))
            continue;
        wanted++;
        status = pull_one(pull, &list->archives[i], err);
    }
    if (status != SNAP_OK || wanted > 0)
        return status;
    if (pull->options->has_step)
        return snap_error_set(err, SNAP_NOT_FOUND, "%s: has no snapshot of step %" PRIu64,
                              pull->uri, pull->options->step);
    return snap_error_set(err, SNAP_NOT_FOUND, "%s: the store has no snapshot", pull->uri);
}

static enum snap_status pull_into(struct pull *pull, const struct snap_stored_list *list,
                                  struct snap_error *err)
{
    struct snap_store_lock *lock = NULL;
    enum snap_status status = snap_store_lock(pull->to, EVENTS, &lock, err);
    if (status != SNAP_OK)
        return status;
    status = snap_stored_run_read(pull->to, NULL, &pull->local, err);
    if (status == SNAP_OK)
        status = check_run(pull, list->run_id, err);
    if (status == SNAP_OK)
        status = snap_stored_run_read(pull->from, &pull->local, &pull->missing, err);
    if (status == SNAP_OK)
        status = pull_wanted(pull, list, err);
    if (status == SNAP_OK)
        status = put_run_files(pull, err);
    if (status == SNAP_OK)
        status = move_latest(pull, err);
    snap_store_unlock(pull->to, lock);
    return status;
}

enum snap_status snap_pull(const char *uri, const char *dir,
                           const struct snap_pull_options *options,
                           struct snap_pull_result *result, struct snap_error *err)
{
    struct snap_pull_options none = SNAP_PULL_OPTIONS_INIT;
    struct snap_stored_list list = SNAP_STORED_LIST_INIT;
    struct pull pull = { .uri = uri,
                         .options = options != NULL ? options : &none,
                         .result = SNAP_PULL_RESULT_INIT };
    if (uri == NULL || dir == NULL || pull.options->size_bytes != sizeof *options ||
        (result != NULL && result->size_bytes != sizeof *result) ||
        (pull.options->all && pull.options->has_step))
        return snap_error_set(err, SNAP_INVALID,
                              "pull: no store or folder, options or a result that are not "
                              "SNAP_PULL_OPTIONS_INIT and SNAP_PULL_RESULT_INIT, or a step and "
                              "all");
    enum snap_status status = snap_store_open(uri, false, &pull.from, err);
    if (status == SNAP_OK)
        status = snap_stored_list_archives(pull.from, &list, err);
    if (status == SNAP_OK && list.count == 0)
        status = snap_error_set(err, SNAP_NOT_FOUND, "%s: the store is empty", uri);
    if (status == SNAP_OK)
        status = snap_store_dir_open(dir, true, &pull.to, err);
    if (status == SNAP_OK)
        status = pull_into(&pull, &list, err);
    if (status == SNAP_OK && result != NULL)
        *result = pull.result;
    snap_stored_run_release(&pull.local);
    snap_stored_run_release(&pull.missing);
    snap_store_close(pull.to);
    snap_store_close(pull.from);
    snap_stored_list_release(&list);
    return status;
}

enum snap_status snap_pull_archive(const char *path, const char *output, struct snap_pool *pool,
                                   struct snap_error *err)
{
    const struct snap_archive_put_options put = { .put = { .mode = SNAP_PUT_CREATE,
                                                           .pool = pool } };
    struct snap_archive *archive = NULL;
    struct snap_archive_plan *plan = NULL;
    if (path == NULL || output == NULL)
        return snap_error_set(err, SNAP_INVALID, "pull: no archive or no file");
    enum snap_status status = snap_archive_open(path, &archive, err);
    if (status == SNAP_OK)
        status = snap_archive_again(archive, NULL, NULL, &plan, err);
    if (status == SNAP_OK)
        status = snap_archive_put_at(output, plan, &put, err);
    snap_archive_plan_free(plan);
    snap_archive_close(archive);
    return status;
}
