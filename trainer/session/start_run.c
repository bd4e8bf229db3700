/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <snapstate/ledger.h>

#include "process/run_paths.h"
#include "process/signals.h"
#include "session/room.h"
#include "session/train_session.h"
#include "session/training.h"
#include "trainer.h"

const char *trn_stop_name(enum trn_stop stop)
{
    static const char *const names[] = { "done", "signal", "nonfinite", "error" };
    return names[stop];
}

void trn_result_release(struct trn_result *result)
{
    snap_receipt_free(result->receipt);
    *result = (struct trn_result)TRN_RESULT_INIT;
}

/* Free the training; an error of its run counts when there was none before. */
static enum snap_status close_training(struct trn_training *training, enum snap_status status,
                                       struct snap_error *err)
{
    if (status == SNAP_OK)
        return trn_training_free(training, err);
    trn_training_free(training, NULL); /* the first error is the one to tell */
    return status;
}

/* A training whose next snapshots have no room is not started, unless it goes on without any. */
static enum snap_status check_room(const struct trn_training *training, const char *dir,
                                   uint64_t done, uint64_t last,
                                   const struct trn_listener *listener, struct snap_error *err)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    if (snap_group_rank(training->group) != 0)
        return SNAP_OK; /* rank 0 writes */
    enum snap_status status = trn_room_check(training, dir, done, last, &problem);
    if (status != SNAP_OK && training->config.go_on) {
        if (listener != NULL && listener->warned != NULL)
            listener->warned(listener->arg, problem.text);
        return SNAP_OK;
    }
    if (status != SNAP_OK && err != NULL)
        *err = problem;
    return status;
}

static enum snap_status run(const struct trn_run_options *options, struct trn_result *result,
                            struct snap_error *err)
{
    struct trn_training_options making = { .threads = options->threads,
                                           .device = options->device,
                                           .group = options->group };
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct trn_training *training = NULL;
    struct trn_config config;

    enum snap_status status = trn_config_load(
        options->config, options->has_seed ? &options->seed : NULL, &config, err);
    if (status == SNAP_OK)
        status = trn_training_new(&config, &making, &training, err);
    uint64_t last = 0;
    if (status == SNAP_OK) {
        snprintf(result->dir, sizeof(result->dir), "%s", options->dir);
        last = trn_session_last_step(training, options->has_steps, options->steps);
        status = check_room(training, options->dir, 0, last, options->listener, err);
    }
    if (status == SNAP_OK)
        status = trn_training_check_volumes(training, err);
    status = snap_group_agree(options->group, status, err);
    if (training == NULL)
        return status;
    opening.dir = options->dir;
    opening.must_be_new = true;
    if (status == SNAP_OK)
        status = trn_training_open_run(training, &opening, err);
    if (status == SNAP_OK)
        status = trn_session_train(training, last, options->listener, result, err);
    return close_training(training, status, err);
}

/* What ended without being done, asked to stop or not finite ended by its error. */
static enum snap_status note_error(struct trn_result *result, enum snap_status status)
{
    if (status != SNAP_OK && status != SNAP_NONFINITE)
        result->stop = TRN_STOP_ERROR;
    return status;
}

/* Signals are taken from the start, while data are read and a state is restored too: a request
 * that comes so early is answered after the first step. */
enum snap_status trn_run(const struct trn_run_options *options, struct trn_result *result,
                         struct snap_error *err)
{
    struct trn_signals signals;
    trn_signals_install(&signals);
    enum snap_status status = note_error(result, run(options, result, err));
    trn_signals_remove(&signals);
    return status;
}

/* What a restore starts from. */
struct source {
    bool is_folder;              /* target is a run folder */
    const char *dir;             /* go on in this folder; NULL: in memory */
    const char *archive;         /* NULL: the one that `latest` names in `dir` */
    char latest[TRN_PATH_SIZE];
    char config[TRN_PATH_SIZE];  /* where the config, or its `running` part, is read; "": nowhere */
};

/* *archive is the open source->archive, owned by the caller; NULL when the library finds it. */
static enum snap_status find_source(const struct trn_restore_options *options,
                                    struct source *source, struct snap_archive **archive,
                                    struct snap_error *err)
{
    char run[TRN_PATH_SIZE];
    *source = (struct source){ .dir = options->dir };
    enum snap_status status = trn_is_folder(options->target, &source->is_folder, err);
    if (status != SNAP_OK)
        return status;
    if (source->is_folder) {
        if (source->dir == NULL)
            source->dir = options->target;
        if (options->dir != NULL || options->dry_run) {
            status = trn_latest_open(options->target, source->latest, archive, err);
            source->archive = source->latest;
        }
        if (status == SNAP_OK)
            status = trn_join_path(options->target, "config.json", source->config, err);
    } else {
        bool there = false;
        source->archive = options->target;
        status = snap_archive_open(options->target, archive, err);
        if (status == SNAP_OK && options->dir != NULL)
            status = trn_join_path(options->dir, "config.json", source->config, err);
        if (status == SNAP_OK && options->dir != NULL)
            there = trn_is_folder(source->config, &(bool){ false }, NULL) == SNAP_OK;
        if (status == SNAP_OK && !there && trn_run_of_archive(options->target, run))
            status = trn_join_path(run, "config.json", source->config, err);
    }
    if (options->dry_run)
        source->dir = NULL;
    return status;
}

/* The data that the run was trained on: by the archive, else by the ledger of the folder. */
static enum snap_status find_expected(const struct source *source,
                                      const struct snap_archive *archive,
                                      struct trn_expected_files *expected, struct snap_error *err)
{
    char path[TRN_PATH_SIZE];
    struct snap_ledger *ledger = NULL;
    struct snap_archive *latest = NULL;
    struct snap_error problem = SNAP_ERROR_INIT;
    *expected = (struct trn_expected_files)TRN_EXPECTED_FILES_INIT;
    if (archive != NULL)
        return trn_expected_from_archive(archive, expected, err);
    enum snap_status status = trn_join_path(source->dir, "ledger.jsonl", path, err);
    if (status != SNAP_OK)
        return status;
    status = snap_ledger_open(path, &ledger, NULL, &problem);
    if (status == SNAP_OK) {
        status = trn_expected_from_genesis(snap_ledger_line(ledger, 0, NULL), expected, err);
        snap_ledger_free(ledger);
        return status;
    }
    if (status != SNAP_NOT_FOUND) {
        if (err != NULL)
            *err = problem;
        return status;
    }
    /* The ledger is lost; the library makes it again from archives. */
    if (trn_latest_open(source->dir, path, &latest, NULL) != SNAP_OK)
        return SNAP_OK; /* nothing was ever trained there, or the restore will say what is wrong */
    status = trn_expected_from_archive(latest, expected, err);
    snap_archive_close(latest);
    return status;
}

static enum snap_status load_config(const struct source *source,
                                    const struct snap_archive *archive, struct trn_config *config,
                                    struct snap_error *err)
{
    if (source->is_folder)
        return trn_config_load(source->config, NULL, config, err);
    const char *training = snap_archive_training(archive);
    if (training == NULL)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "restore %s: it holds no training config: it was not made by this "
                              "trainer",
                              source->archive);
    return trn_config_of_archive(training, source->config[0] != '\0' ? source->config : NULL,
                                 config, err);
}

/* What was restored, for the result. */
static enum snap_status tell_restored(const struct source *source, struct trn_result *result,
                                      struct snap_error *err)
{
    result->snapshot_step = snap_receipt_step(result->receipt);
    snprintf(result->snapshot_hash, sizeof(result->snapshot_hash), "%s",
             snap_receipt_snapshot_hash(result->receipt));
    if (source->archive == NULL)
        return trn_latest_path(source->dir, result->snapshot_path, err);
    snprintf(result->snapshot_path, sizeof(result->snapshot_path), "%s", source->archive);
    return SNAP_OK;
}

static enum snap_status train_on(struct trn_training *training, const struct source *source,
                                 const struct trn_restore_options *options,
                                 struct trn_result *result, struct snap_error *err)
{
    const struct trn_listener *listener = options->listener;
    enum snap_status status =
        trn_training_restore(training, options->require, &result->receipt, err);
    if (status != SNAP_OK && status != SNAP_NOT_FOUND)
        return status;
    if (status == SNAP_NOT_FOUND && options->dry_run)
        return status;
    result->first_step = snap_run_steps_done(training->run);
    result->step = result->first_step;
    result->total_steps = training->total_steps;
    if (result->receipt != NULL) {
        status = tell_restored(source, result, err);
        if (status != SNAP_OK)
            return status;
        if (listener != NULL && listener->restored != NULL)
            listener->restored(listener->arg, result->receipt);
    }
    if (options->dry_run)
        return trn_session_hashes(training, result, err);
    uint64_t last = trn_session_last_step(training, options->has_steps, options->steps);
    status = check_room(training, source->dir, result->first_step, last, listener, err);
    status = snap_group_agree(training->group, status, err);
    if (status != SNAP_OK)
        return status;
    return trn_session_train(training, last, listener, result, err);
}

static enum snap_status restore(const struct trn_restore_options *options,
                                struct trn_result *result, struct snap_error *err)
{
    struct trn_training_options making = { .data_dir = options->data_dir,
                                           .threads = options->threads,
                                           .device = options->device,
                                           .group = options->group };
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct trn_expected_files expected = TRN_EXPECTED_FILES_INIT;
    struct snap_archive *archive = NULL;
    struct trn_training *training = NULL;
    struct trn_config config;
    struct source source;

    enum snap_status status = find_source(options, &source, &archive, err);
    if (status == SNAP_OK && source.dir == NULL && !options->dry_run)
        status = snap_error_set(err, SNAP_INVALID,
                                "restore %s: an archive alone: name the folder of the new run, or "
                                "of the run that it is of, with --dir",
                                options->target);
    if (status == SNAP_OK)
        status = find_expected(&source, archive, &expected, err);
    if (status == SNAP_OK)
        status = load_config(&source, archive, &config, err);
    snap_archive_close(archive);
    making.expected = &expected;
    if (status == SNAP_OK)
        status = trn_training_new(&config, &making, &training, err);
    trn_expected_release(&expected);
    status = snap_group_agree(options->group, status, err);
    if (training == NULL)
        return status;
    opening.dir = source.dir;
    opening.archive = source.archive;
    opening.must_exist = source.dir != NULL && source.archive == NULL;
    snprintf(result->dir, sizeof(result->dir), "%s", source.dir != NULL ? source.dir : "");
    if (status == SNAP_OK)
        status = trn_training_open_run(training, &opening, err);
    if (status == SNAP_OK)
        status = train_on(training, &source, options, result, err);
    return close_training(training, status, err);
}

enum snap_status trn_restore(const struct trn_restore_options *options, struct trn_result *result,
                             struct snap_error *err)
{
    struct trn_signals signals;
    if (options->dry_run) /* nothing is trained that could be saved */
        return note_error(result, restore(options, result, err));
    trn_signals_install(&signals);
    enum snap_status status = note_error(result, restore(options, result, err));
    trn_signals_remove(&signals);
    return status;
}
