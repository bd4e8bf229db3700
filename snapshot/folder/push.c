/* SPDX-License-Identifier: Apache-2.0 */
/* An archive into a store: its bytes first, then `latest`. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folder/stored.h"
#include "folder/stored_run.h"
#include "format/archive_fill.h"

/* ---- latest ---- */

static enum snap_status other_run(const struct snap_store *store,
                                  const struct snap_stored_latest *latest, const char *run_id,
                                  struct snap_error *err)
{
    if (strcmp(latest->run_id, run_id) == 0)
        return SNAP_OK;
    return snap_error_set(err, SNAP_DIFFERS,
                          "%s: the store is of run %s, and the archive of run %s: give each run a "
                          "prefix of its own",
                          snap_store_where(store), latest->run_id, run_id);
}

/* A store of another run is left alone before anything is sent. *is_behind: its `latest` is none,
 * or an earlier one. */
static enum snap_status check_run(struct snap_store *store, const struct snap_archive *archive,
                                  bool *is_behind, struct snap_error *err)
{
    struct snap_stored_latest latest;
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_stored_latest_read(store, &latest, &cause);
    *is_behind = status != SNAP_OK || latest.step < snap_archive_step(archive);
    if (status == SNAP_OK)
        return other_run(store, &latest, snap_archive_run_id(archive), err);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK;
    if (err != NULL)
        *err = cause;
    return status;
}

struct move {
    const struct snap_store *store;
    struct snap_stored_latest next;
    bool moved;
};

/* Forward only. */
static enum snap_status decide(void *arg, const struct snap_buffer *old,
                               struct snap_buffer *content, bool *write, struct snap_error *err)
{
    struct move *move = arg;
    struct snap_stored_latest latest;
    enum snap_status status = SNAP_OK;
    *write = true;
    if (old != NULL) {
        status = snap_stored_latest_decode(old, snap_store_where(move->store), &latest, err);
        if (status == SNAP_OK)
            status = other_run(move->store, &latest, move->next.run_id, err);
        *write = status == SNAP_OK && latest.step < move->next.step;
        /* The answer to what was written may have been lost, and this is asked again. */
        if (status == SNAP_OK && move->moved && strcmp(latest.file, move->next.file) == 0)
            return SNAP_OK;
    }
    move->moved = *write;
    return *write ? snap_stored_latest_encode(&move->next, content, err) : status;
}

static enum snap_status move_latest(struct snap_store *store, const struct snap_archive *archive,
                                    struct snap_push_result *result, struct snap_error *err)
{
    struct move move = { .store = store, .next = { .step = snap_archive_step(archive) } };
    bool exclusive = true;
    snprintf(move.next.file, sizeof move.next.file, "%s", result->file);
    snprintf(move.next.run_id, sizeof move.next.run_id, "%s", snap_archive_run_id(archive));
    snprintf(move.next.snapshot_hash, sizeof move.next.snapshot_hash, "%s",
             result->snapshot_hash);
    enum snap_status status = snap_store_update(
        store, SNAP_STORED_LATEST, SNAP_MAX_STORED_LATEST_BYTES, decide, &move, &exclusive, err);
    result->latest_moved = move.moved;
    result->not_exclusive = result->not_exclusive || !exclusive;
    return status;
}

/* ---- the archive ---- */

/* Names say which bytes they stand for, and no store shows half an object: the size is enough. */
static enum snap_status look(struct snap_store *store, const char *file, uint64_t size,
                             bool *there, struct snap_error *err)
{
    struct snap_ranges *ranges = NULL;
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_store_open_ranges(store, file, &ranges, &cause);
    *there = status == SNAP_OK;
    if (status == SNAP_OK && ranges->size_bytes != size)
        status = snap_error_set(err, SNAP_DIFFERS,
                                "%s/%s: is there already, with %llu bytes, and the archive has "
                                "%llu: it is damaged; remove it and push again",
                                snap_store_where(store), file,
                                (unsigned long long)ranges->size_bytes, (unsigned long long)size);
    else if (status == SNAP_NOT_FOUND)
        status = SNAP_OK;
    else if (status != SNAP_OK && err != NULL)
        *err = cause;
    snap_ranges_close(ranges);
    return status;
}

static enum snap_status put(struct snap_store *store, const struct snap_archive *archive,
                            const struct snap_push_options *options,
                            struct snap_push_result *result, struct snap_error *err)
{
    struct snap_archive_plan *plan = NULL;
    struct snap_put_note note = { .was_there = false };
    const struct snap_put_options putting = { .mode = SNAP_PUT_CREATE,
                                              .pool = options->pool,
                                              .note = &note,
                                              .connections = options->connections,
                                              .part_bytes = options->part_bytes,
                                              .progress = options->progress,
                                              .arg = options->arg };
    enum snap_status status = snap_archive_again(archive, NULL, NULL, &plan, err);
    if (status != SNAP_OK)
        return status;
    result->bytes = snap_archive_plan_file_size(plan);
    status = look(store, result->file, result->bytes, &result->was_there, err);
    if (status == SNAP_OK && !result->was_there) {
        struct snap_content content = snap_archive_plan_content(plan);
        status = snap_store_put(store, result->file, &content, &putting, err);
        result->was_there = note.was_there;
        result->not_exclusive = note.not_exclusive;
        result->sent_bytes = note.sent_bytes;
        result->kept_bytes = note.kept_bytes;
    }
    snap_archive_plan_free(plan);
    return status;
}

/* ---- the run's other files ---- */

/* The run of the store, when it has a `latest`, and that of the folder's ledger must be one. */
static enum snap_status check_ledger_run(struct snap_store *to, const struct snap_stored_run *run,
                                         struct snap_error *err)
{
    struct snap_stored_latest latest;
    struct snap_error cause = SNAP_ERROR_INIT;
    char run_id[SNAP_RUN_ID_DIGITS + 1];
    enum snap_status status = snap_stored_latest_read(to, &latest, &cause);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK;
    if (status != SNAP_OK && err != NULL)
        *err = cause;
    if (status != SNAP_OK)
        return status;
    snap_stored_run_id(run, run_id);
    return run_id[0] != '\0' ? other_run(to, &latest, run_id, err) : SNAP_OK;
}

/* A run of a program of one's own has no config. Without a ledger nothing says whose config it is:
 * another one stays, and is told. */
static enum snap_status put_config(struct snap_store *to, const struct snap_stored_run *run,
                                   struct snap_error *err)
{
    const struct snap_put_options options = {
        .mode = run->ledger != NULL ? SNAP_PUT_REPLACE : SNAP_PUT_CREATE
    };
    if (run->config == NULL)
        return SNAP_OK;
    return snap_store_put_bytes(to, SNAP_CONFIG_FILE, run->config_text.data, run->config_text.size,
                                &options, err);
}

/* A ledger may be growing meanwhile. */
static enum snap_status put_run_files(const char *dir, struct snap_store *to,
                                      struct snap_push_run_result *result, struct snap_error *err)
{
    struct snap_stored_run run = SNAP_STORED_RUN_INIT;
    struct snap_store *from = NULL;
    bool exclusive = true;
    enum snap_status status = snap_store_dir_open(dir, false, &from, err);
    if (status == SNAP_OK)
        status = snap_stored_run_read(from, NULL, &run, err);
    if (status == SNAP_OK)
        status = check_ledger_run(to, &run, err);
    if (status == SNAP_OK && run.ledger != NULL)
        status = snap_stored_ledger_put(to, &run, &result->newer_there, &exclusive, err);
    if (status == SNAP_OK && !result->newer_there)
        status = put_config(to, &run, err);
    result->not_exclusive = !exclusive;
    snap_stored_run_release(&run);
    snap_store_close(from);
    return status;
}

enum snap_status snap_push(const char *path, const char *uri,
                           const struct snap_push_options *options,
                           struct snap_push_result *result, struct snap_error *err)
{
    struct snap_push_options none = SNAP_PUSH_OPTIONS_INIT;
    struct snap_push_result made = SNAP_PUSH_RESULT_INIT;
    struct snap_push_run_result beside = SNAP_PUSH_RUN_RESULT_INIT;
    struct snap_archive *archive = NULL;
    struct snap_store *store = NULL;
    bool is_behind = false;
    char name[SNAP_STORED_NAME_BYTES];
    if (options == NULL)
        options = &none;
    struct snap_stop stop = { .asked = NULL };
    if (path == NULL || uri == NULL || options->size_bytes != sizeof *options ||
        (result != NULL && result->size_bytes != sizeof *result))
        return snap_error_set(err, SNAP_INVALID,
                              "push: no archive or store, or options or a result that are not "
                              "SNAP_PUSH_OPTIONS_INIT and SNAP_PUSH_RESULT_INIT");
    stop = (struct snap_stop){ .asked = options->stopped, .arg = options->arg };
    enum snap_status status = snap_archive_open(path, &archive, err);
    if (status == SNAP_OK)
        status = snap_store_open(uri, true, &store, err);
    if (status == SNAP_OK)
        snap_store_heed(store, &stop);
    if (status == SNAP_OK)
        status = check_run(store, archive, &is_behind, err);
    if (status == SNAP_OK)
        status = snap_stored_name_make(archive, name, err);
    if (status == SNAP_OK) {
        snprintf(made.file, sizeof made.file, SNAP_STORED_FOLDER "/%.140s", name);
        snprintf(made.snapshot_hash, sizeof made.snapshot_hash, "%s",
                 snap_archive_snapshot_hash(archive));
        status = put(store, archive, options, &made, err);
    }
    if (status == SNAP_OK && options->run_dir != NULL && (is_behind || !made.was_there))
        status = put_run_files(options->run_dir, store, &beside, err);
    if (status == SNAP_OK && !options->keep_latest && snap_archive_absent_count(archive) == 0 &&
        strcmp(snap_archive_kind(archive), "snapshot") == 0)
        status = move_latest(store, archive, &made, err);
    if (status == SNAP_OK && result != NULL)
        *result = made;
    snap_store_close(store);
    snap_archive_close(archive);
    return status;
}

enum snap_status snap_push_run_files(const char *dir, const char *uri,
                                     struct snap_push_run_result *result, struct snap_error *err)
{
    struct snap_push_run_result made = SNAP_PUSH_RUN_RESULT_INIT;
    struct snap_store *to = NULL;
    if (dir == NULL || uri == NULL || (result != NULL && result->size_bytes != sizeof *result))
        return snap_error_set(err, SNAP_INVALID,
                              "push: no folder or no store, or a result that is not "
                              "SNAP_PUSH_RUN_RESULT_INIT");
    enum snap_status status = snap_store_open(uri, true, &to, err);
    if (status == SNAP_OK)
        status = put_run_files(dir, to, &made, err);
    if (status == SNAP_OK && result != NULL)
        *result = made;
    snap_store_close(to);
    return status;
}
