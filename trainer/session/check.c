/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/ledger.h>

#include "process/run_paths.h"
#include "session/room.h"
#include "session/train_session.h"
#include "session/training.h"
#include "trainer.h"

struct target {
    char archive[TRN_PATH_SIZE]; /* "": none */
    char config[TRN_PATH_SIZE];  /* "": none */
    char dir[TRN_PATH_SIZE];     /* where snapshots will go */
    struct trn_expected_files expected;
};

/* A run folder: its latest archive, and the data that its ledger names when there is none. */
static enum snap_status look_at_run(const struct trn_check_options *options, struct target *target,
                                    struct snap_error *err)
{
    char path[TRN_PATH_SIZE];
    struct snap_archive *latest = NULL;
    struct snap_ledger *ledger = NULL;
    enum snap_status status = trn_join_path(options->target, "config.json", target->config, err);
    if (status == SNAP_OK)
        status = trn_join_path(options->target, "ledger.jsonl", path, err);
    if (status != SNAP_OK)
        return status;
    snprintf(target->dir, sizeof(target->dir), "%s", options->target);
    status = trn_latest_open(options->target, target->archive, &latest, err);
    snap_archive_close(latest);
    if (status != SNAP_NOT_FOUND)
        return status;
    status = snap_ledger_open(path, &ledger, NULL, err);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK;
    if (status == SNAP_OK)
        status = trn_expected_from_genesis(snap_ledger_line(ledger, 0, NULL), &target->expected,
                                           err);
    snap_ledger_free(ledger);
    return status;
}

/* A config is JSON, an archive is not. */
static bool is_config(const char *path)
{
    int first = EOF;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    do
        first = getc(file);
    while (first == ' ' || first == '\t' || first == '\n' || first == '\r');
    fclose(file); /* only read from: nothing to lose */
    return first == '{';
}

static enum snap_status find_target(const struct trn_check_options *options,
                                    struct target *target, struct trn_check *check,
                                    struct snap_error *err)
{
    bool folder;
    char run[TRN_PATH_SIZE];
    *target = (struct target){ .expected = TRN_EXPECTED_FILES_INIT };
    snprintf(target->dir, sizeof(target->dir), "%s", options->dir != NULL ? options->dir : ".");
    enum snap_status status = trn_is_folder(options->target, &folder, err);
    if (status != SNAP_OK)
        return status;
    if (folder) {
        check->target_kind = "run";
        return look_at_run(options, target, err);
    }
    if (is_config(options->target)) {
        check->target_kind = "config";
        snprintf(target->config, sizeof(target->config), "%s", options->target);
        return SNAP_OK;
    }
    check->target_kind = "archive";
    snprintf(target->archive, sizeof(target->archive), "%s", options->target);
    if (trn_run_of_archive(options->target, run))
        return trn_join_path(run, "config.json", target->config, err);
    return SNAP_OK;
}

static enum snap_status load_config(struct target *target, const struct trn_check *check,
                                    struct trn_config *config, struct snap_error *err)
{
    struct snap_archive *archive = NULL;
    enum snap_status status = SNAP_OK;
    if (target->archive[0] != '\0') {
        status = snap_archive_open(target->archive, &archive, err);
        if (status == SNAP_OK)
            status = trn_expected_from_archive(archive, &target->expected, err);
    }
    if (status == SNAP_OK && strcmp(check->target_kind, "archive") != 0)
        status = trn_config_load(target->config, NULL, config, err);
    else if (status == SNAP_OK && snap_archive_training(archive) == NULL)
        status = snap_error_set(err, SNAP_UNSUPPORTED,
                                "check %s: it holds no training config: it was not made by this "
                                "trainer",
                                target->archive);
    else if (status == SNAP_OK)
        status = trn_config_of_archive(snap_archive_training(archive),
                                       target->config[0] != '\0' ? target->config : NULL, config,
                                       err);
    snap_archive_close(archive);
    return status;
}

/* Each file by itself, so that all problems are told at once. */
static bool check_files(const struct trn_check_options *options, const struct target *target,
                        const struct trn_config *config, struct trn_check *check)
{
    bool good = true;
    for (size_t role = 0; role < TRN_ROLES; role++) {
        const struct trn_expected_file *expected = &target->expected.files[role];
        struct trn_check_file *file = &check->files[check->file_count];
        struct snap_error problem = SNAP_ERROR_INIT;
        unsigned char sha256[SNAP_DIGEST_BYTES];
        uint64_t file_size;
        char *path = NULL;
        *file = (struct trn_check_file){ .role = trn_role_names[role] };
        if (expected->known)
            trn_digest_text(expected->sha256, file->expected);
        enum snap_status status = trn_data_find(config, &target->expected, options->data_dir,
                                                (enum trn_role_index)role, &path, &problem);
        if (status == SNAP_OK && path != NULL)
            status = snap_file_digest(path, sha256, &file_size, &problem);
        if (status == SNAP_OK && path != NULL) {
            snprintf(file->path, sizeof(file->path), "%s", path);
            trn_digest_text(sha256, file->sha256);
        }
        if (status != SNAP_OK) {
            good = false;
            snprintf(file->problem, sizeof(file->problem), "%.*s",
                     (int)sizeof(file->problem) - 1, problem.text);
        }
        if (status != SNAP_OK || path != NULL)
            check->file_count++;
        free(path);
    }
    return good;
}

/* Of all its files; 0: it cannot be opened. */
static uint64_t archive_bytes(const char *path)
{
    struct snap_archive *archive = NULL;
    uint64_t bytes = 0;
    uint64_t size;
    if (snap_archive_open(path, &archive, NULL) != SNAP_OK)
        return 0;
    for (size_t i = 0; snap_archive_file(archive, i, &size, NULL) != NULL; i++)
        bytes += size;
    snap_archive_close(archive);
    return bytes;
}

static void check_space(const struct trn_training *t, const struct target *target,
                        struct trn_check *check)
{
    struct trn_room room;
    uint64_t written = target->archive[0] != '\0' ? archive_bytes(target->archive) : 0;
    check->total_steps = trn_session_last_step(t, false, 0);
    trn_room_look(t, target->dir, check->step, check->total_steps, written, &room);
    check->every = room.every;
    check->snapshots = room.snapshots;
    check->snapshot_bytes = room.snapshot_bytes;
    check->bytes_needed = room.bytes_needed;
    check->has_space = room.has_free;
    check->bytes_free = room.bytes_free;
    check->enough_space = room.has_free && room.bytes_needed <= room.bytes_free;
}

/* Restore in memory, and see how far it goes. */
static enum snap_status check_restore(struct trn_training *t, const struct target *target,
                                      struct trn_check *check, struct snap_error *err)
{
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct snap_receipt *receipt = NULL;
    struct snap_error problem = SNAP_ERROR_INIT;
    opening.archive = target->archive;
    enum snap_status status = trn_training_open_run(t, &opening, err);
    if (status != SNAP_OK)
        return status;
    status = trn_training_restore(t, SNAP_TIER_EXACT, &receipt, &problem);
    if (receipt != NULL) {
        check->tier = snap_receipt_tier(receipt);
        check->step = snap_receipt_step(receipt);
    }
    if (status == SNAP_ABSENT) {
        snprintf(check->why, sizeof(check->why), "%s", problem.text);
        status = SNAP_OK;
    } else if (status != SNAP_OK && err != NULL) {
        *err = problem;
    }
    snap_receipt_free(receipt);
    return status;
}

/* Without its data, or on a machine that does not keep the profile, nothing can be trained. */
static enum snap_status nothing_possible(struct trn_check *check, const char *why)
{
    check->tier = SNAP_TIER_NONE;
    snprintf(check->why, sizeof(check->why), "%s", why);
    return SNAP_OK;
}

static enum snap_status check_training(const struct trn_check_options *options,
                                       const struct target *target, struct trn_config *config,
                                       struct trn_check *check, struct snap_error *err)
{
    struct trn_training_options making = { .expected = &target->expected,
                                           .data_dir = options->data_dir };
    struct trn_training *training = NULL;
    struct snap_error problem = SNAP_ERROR_INIT;
    if (!check_files(options, target, config, check)) {
        trn_config_release(config);
        for (size_t i = 0; i < check->file_count; i++)
            if (check->files[i].problem[0] != '\0')
                return nothing_possible(check, check->files[i].problem);
    }
    enum snap_status status = trn_training_new(config, &making, &training, &problem);
    if (status == SNAP_UNSUPPORTED)
        return nothing_possible(check, problem.text);
    if (status != SNAP_OK) {
        if (err != NULL)
            *err = problem;
        return status;
    }
    check->tier = SNAP_TIER_EXACT;
    if (target->archive[0] != '\0')
        status = check_restore(training, target, check, err);
    if (status == SNAP_OK)
        status = trn_training_check_volumes(training, err);
    if (status == SNAP_OK)
        check_space(training, target, check);
    if (status == SNAP_OK)
        status = trn_training_free(training, err);
    else
        trn_training_free(training, NULL); /* in memory; the first error is the one to tell */
    return status;
}

enum snap_status trn_check(const struct trn_check_options *options, struct trn_check *check,
                           struct snap_error *err)
{
    struct target target;
    struct trn_config config;
    enum snap_status status = find_target(options, &target, check, err);
    if (status == SNAP_OK)
        status = load_config(&target, check, &config, err);
    if (status == SNAP_OK)
        status = check_training(options, &target, &config, check, err);
    trn_expected_release(&target.expected);
    if (status != SNAP_OK)
        return status;
    if (check->tier == SNAP_TIER_NONE)
        return snap_error_set(err, SNAP_ABSENT, "check %s: it cannot be trained here: %.800s",
                              options->target, check->why);
    if (check->tier != SNAP_TIER_EXACT)
        return snap_error_set(err, SNAP_ABSENT, "check %s: only tier %s is possible here: %.800s",
                              options->target, snap_tier_name(check->tier), check->why);
    if (check->has_space && !check->enough_space)
        return snap_error_set(err, SNAP_ABSENT,
                              "check %s: %llu bytes are needed in %s and %llu are free",
                              options->target, (unsigned long long)check->bytes_needed, target.dir,
                              (unsigned long long)check->bytes_free);
    return SNAP_OK;
}
