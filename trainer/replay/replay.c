/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "process/progress.h"
#include "process/run_paths.h"
#include "replay/expectation.h"
#include "replay/replay_capsule.h"
#include "replay/replay_exec.h"
#include "replay/replay_open.h"
#include "session/failure.h"
#include "session/train_loop.h"
#include "session/training.h"
#include "trainer.h"

void trn_replay_differs(struct trn_replay_result *result, uint64_t step, const char *kind,
                        const char *field, const char *left, const char *right)
{
    struct snap_ledger_difference *difference = &result->difference;
    *difference = (struct snap_ledger_difference)SNAP_LEDGER_DIFFERENCE_INIT;
    difference->step = step;
    snprintf(difference->kind, sizeof(difference->kind), "%.15s", kind);
    snprintf(difference->field, sizeof(difference->field), "%.159s", field);
    snprintf(difference->left, sizeof(difference->left), "%.159s", left);
    snprintf(difference->right, sizeof(difference->right), "%.159s", right);
    result->has_difference = true;
}

/* The chain of an archive of the same run holds every line up to it, also those that are not at
 * hand. */
static enum snap_status compare_chain(const struct snap_run *run,
                                      const struct snap_archive *archive,
                                      struct trn_replay_result *result, struct snap_error *err)
{
    char run_hash[SNAP_HASH_TEXT_BYTES];
    char host_chain[SNAP_HASH_TEXT_BYTES];
    enum snap_status status = snap_run_hash(run, run_hash, host_chain, err);
    if (status != SNAP_OK || strcmp(run_hash, snap_archive_run_hash(archive)) == 0)
        return status;
    snprintf(result->first_member, sizeof(result->first_member), "run hash");
    return snap_error_set(err, SNAP_DIFFERS,
                          "step %llu: the state is equal, but an earlier ledger line is not: the "
                          "run hash is %s here and %s in the archive",
                          (unsigned long long)snap_archive_step(archive), run_hash,
                          snap_archive_run_hash(archive));
}

/* The state as it is now against the archive of this step. `run_id`: of the run replayed. */
static enum snap_status compare_state(struct trn_training *t, const char *run_id, const char *path,
                                      struct trn_replay_result *result, struct snap_error *err)
{
    struct snap_archive *archive = NULL;
    char text[sizeof(result->first_member)];
    enum snap_status status = snap_archive_open(path, &archive, err);
    if (status != SNAP_OK)
        return status;
    /* Equal listings say nothing of an archive whose content is not what it lists. */
    status = snap_archive_check(archive, t->pool, err);
    if (status == SNAP_OK)
        status = snap_run_compare(t->run, archive, text, sizeof(text), err);
    if (status == SNAP_DIFFERS)
        memcpy(result->first_member, text, sizeof(text));
    else if (status == SNAP_OK && strcmp(snap_archive_run_id(archive), run_id) == 0)
        status = compare_chain(t->run, archive, result, err);
    snap_archive_close(archive);
    return status;
}

/* A step that the record has, and that ends on NaN or Inf here. */
static enum snap_status step_failed(const struct trn_step *step, struct trn_replay_result *result,
                                    struct snap_error *err)
{
    const char *where = step->nonfinite.where;
    const char *kind = strcmp(where, "loss") == 0             ? "loss"
                       : strncmp(where, "gradient", 8) == 0 ? "gradient"
                                                              : "state";
    trn_replay_differs(result, step->step, kind, where, "finite", step->nonfinite.class_name);
    snprintf(result->first_member, sizeof(result->first_member), "%s", where);
    return snap_error_set(err, SNAP_DIFFERS,
                          "replay: step %llu: %s is %s here; the run made this step",
                          (unsigned long long)step->step, where, step->nonfinite.class_name);
}

/* The ledger's line was another one. An archive of the same step can say more than the line. */
static void line_differs(struct trn_training *t, const struct trn_expectation *expectation,
                         const char *run_id, uint64_t step, struct trn_replay_result *result)
{
    const struct snap_ledger_difference *difference = snap_run_difference(t->run);
    const char *path = trn_expectation_archive(expectation, step);
    if (difference == NULL)
        return;
    result->difference = *difference;
    result->has_difference = true;
    if (path == NULL || compare_state(t, run_id, path, result, NULL) != SNAP_DIFFERS)
        snprintf(result->first_member, sizeof(result->first_member), "%s", difference->field);
}

static enum snap_status repeat_step(struct trn_training *t,
                                    const struct trn_expectation *expectation, const char *run_id,
                                    struct trn_step *step, struct trn_replay_result *result,
                                    struct snap_error *err)
{
    uint64_t number = snap_run_steps_done(t->run) + 1;
    bool expected = number <= snap_run_expected_last(t->run);
    enum snap_status status = trn_train_step(t, step, err);
    if (status == SNAP_NONFINITE)
        return step_failed(step, result, err);
    if (status == SNAP_DIFFERS)
        line_differs(t, expectation, run_id, number, result);
    if (status != SNAP_OK)
        return status;
    result->step = number;
    if (expected)
        result->lines_compared++;
    const char *path = trn_expectation_archive(expectation, number);
    if (path == NULL || t->given.host_part)
        return SNAP_OK;
    status = compare_state(t, run_id, path, result, err);
    if (status == SNAP_DIFFERS)
        trn_replay_differs(result, number, "state", result->first_member, path, "this replay");
    if (status == SNAP_OK)
        result->states_compared++;
    return status;
}

/* Until where; with nothing to compare up to there, nothing is run. */
static enum snap_status find_last(const struct trn_replay_options *options,
                                  uint64_t from, const struct trn_expectation *expectation,
                                  uint64_t *last, struct snap_error *err)
{
    const char *what = options->archive != NULL ? options->archive : options->ledger;
    uint64_t known = trn_expectation_last(expectation, from);
    *last = known;
    if (options->has_to_step)
        *last = options->to_step;
    else if (options->to_archive != NULL)
        for (size_t i = 0; i < expectation->archive_count; i++)
            if (strcmp(expectation->archives[i].path, options->to_archive) == 0)
                *last = expectation->archives[i].step;
    if (known == from)
        return snap_error_set(err, SNAP_NOT_FOUND,
                              "replay %s: nothing to compare with: no ledger goes past step %llu, "
                              "and no later archive of this run lies beside it: name one with "
                              "--ledger or --to",
                              what, (unsigned long long)from);
    if (*last <= from)
        return snap_error_set(err, SNAP_INVALID,
                              "replay %s: it is of step %llu: expected a later step to go to",
                              what, (unsigned long long)from);
    if (*last > known)
        return snap_error_set(err, SNAP_NOT_FOUND,
                              "replay %s: nothing to compare with after step %llu",
                              what, (unsigned long long)known);
    return SNAP_OK;
}

static enum snap_status replay_steps(struct trn_training *t,
                                     const struct trn_replay_options *options,
                                     const struct trn_expectation *expectation,
                                     const char *run_id, uint64_t last,
                                     struct trn_replay_result *result, struct snap_error *err)
{
    const struct trn_listener *listener = options->listener;
    struct trn_progress progress;
    struct trn_step step;
    char host_chain[SNAP_HASH_TEXT_BYTES];
    enum snap_status status = SNAP_OK;
    if (expectation->ledger != NULL)
        status = (options->host_part ? snap_run_expect_host : snap_run_expect)(
            t->run, expectation->ledger, err);
    trn_progress_begin(&progress, listener != NULL ? listener->progress : NULL, result->first_step,
                       last);
    while (status == SNAP_OK && snap_run_steps_done(t->run) < last) {
        status = repeat_step(t, expectation, run_id, &step, result, err);
        if (status == SNAP_OK)
            trn_progress_step(&progress, step.step, step.epoch, step.loss, step.samples);
    }
    trn_progress_end(&progress);
    result->deviation = *snap_run_deviation(t->run);
    if (options->host_part)
        return status;
    if (status == SNAP_OK)
        status = snap_run_hash(t->run, result->run_hash, host_chain, err);
    if (status == SNAP_OK)
        status = snap_run_state_hash(t->run, result->state_hash, err);
    return status;
}

/* Its profiles are the trainer's own. */
static bool is_of_this_trainer(const struct snap_archive *archive)
{
    const char *profile = snap_archive_profile(archive);
    return strcmp(profile, "portable-1") == 0 || strcmp(profile, "cudnn-1") == 0;
}

static enum snap_status not_of_this_trainer(const char *path, const struct snap_archive *archive,
                                            struct snap_error *err)
{
    struct trn_failure failure = { .value = NULL };
    if (strcmp(snap_archive_kind(archive), "capsule") != 0 ||
        trn_failure_read(archive, &failure, NULL) != SNAP_OK)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "replay %s: it was not made by this trainer: have its program train, "
                              "with --exec", path);
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "replay %s: step %llu of another trainer, where %s is %s at element "
                          "%llu: have its program make it again, with --exec",
                          path, (unsigned long long)failure.step, failure.where, failure.value,
                          (unsigned long long)failure.element);
}

/* The config of the archive, and where its data may lie. */
static enum snap_status load_config(const struct trn_replay_options *options,
                                    const struct snap_archive *archive, struct trn_config *config,
                                    struct snap_error *err)
{
    char dir[TRN_PATH_SIZE];
    char path[TRN_PATH_SIZE];
    bool folder = false;
    const char *training = snap_archive_training(archive);
    const char *running = NULL;
    if (training == NULL || !is_of_this_trainer(archive))
        return not_of_this_trainer(options->archive, archive, err);
    if (options->ledger != NULL && trn_is_folder(options->ledger, &folder, NULL) == SNAP_OK &&
        folder)
        snprintf(dir, sizeof(dir), "%s", options->ledger);
    else
        folder = trn_run_of_archive(options->archive, dir);
    if (folder) {
        enum snap_status status = trn_join_path(dir, "config.json", path, err);
        if (status != SNAP_OK)
            return status;
        running = path;
    }
    return trn_config_of_archive(training, running, config, err);
}

enum snap_status trn_replay_open(const struct trn_replay_options *options,
                                 const struct snap_archive *archive,
                                 struct trn_training **training, struct snap_error *err)
{
    struct trn_training_options making = { .data_dir = options->data_dir,
                                           .threads = options->threads,
                                           .device = options->device,
                                           .host_part = options->host_part };
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct trn_expected_files expected = TRN_EXPECTED_FILES_INIT;
    struct trn_config config;
    enum snap_status status = trn_expected_from_archive(archive, &expected, err);
    if (status == SNAP_OK)
        status = load_config(options, archive, &config, err);
    making.expected = &expected;
    if (status == SNAP_OK)
        status = trn_training_new(&config, &making, training, err);
    trn_expected_release(&expected);
    if (status != SNAP_OK)
        return status;
    opening.archive = options->archive;
    status = trn_training_open_run(*training, &opening, err);
    if (status == SNAP_OK)
        status = trn_training_restore(
            *training, options->host_part ? SNAP_TIER_STREAMS : SNAP_TIER_EXACT, NULL, err);
    return status;
}

/* The state before the first step is made again: the first line of the ledger says from what. */
enum snap_status trn_replay_open_first(const struct trn_replay_options *options,
                                       const struct snap_ledger *ledger,
                                       struct trn_training **training, struct snap_error *err)
{
    struct trn_training_options making = { .data_dir = options->data_dir,
                                           .threads = options->threads,
                                           .device = options->device,
                                           .host_part = options->host_part };
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct trn_expected_files expected = TRN_EXPECTED_FILES_INIT;
    struct trn_config config;
    char running[TRN_PATH_SIZE];
    const char *line = snap_ledger_line(ledger, 0, NULL);
    json_t *genesis = json_loads(line, 0, NULL);
    json_t *first = json_object_get(json_object_get(genesis, "host"), "training");
    char *text = first != NULL ? json_dumps(first, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(genesis);
    if (text == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "replay: no memory for the config");
    enum snap_status status = trn_expected_from_genesis(line, &expected, err);
    if (status == SNAP_OK)
        status = trn_join_path(options->ledger, "config.json", running, err);
    if (status == SNAP_OK)
        status = trn_config_of_archive(text, running, &config, err);
    free(text);
    making.expected = &expected;
    if (status == SNAP_OK)
        status = trn_training_new(&config, &making, training, err);
    trn_expected_release(&expected);
    if (status == SNAP_OK)
        status = trn_training_open_run(*training, &opening, err);
    return status;
}

static enum snap_status replay_first(const struct trn_replay_options *options,
                                     struct trn_replay_result *result, struct snap_error *err)
{
    struct trn_expectation expectation = { .from = "" };
    struct trn_training *training = NULL;
    char run_id[17];
    uint64_t last = 0;
    enum snap_status status = trn_expectation_find(options, NULL, &expectation, err);
    if (status == SNAP_OK)
        status = find_last(options, 0, &expectation, &last, err);
    snprintf(result->expected_from, sizeof(result->expected_from), "%s", expectation.from);
    if (status == SNAP_OK)
        status = trn_replay_open_first(options, expectation.ledger, &training, err);
    if (status == SNAP_OK) {
        snprintf(run_id, sizeof(run_id), "%.16s", snap_ledger_chain(expectation.ledger, 0));
        status = replay_steps(training, options, &expectation, run_id, last, result, err);
    }
    if (status == SNAP_OK)
        status = trn_training_free(training, err);
    else
        trn_training_free(training, NULL); /* in memory; the first error is the one to tell */
    trn_expectation_release(&expectation);
    return status;
}

enum snap_status trn_replay(const struct trn_replay_options *options,
                            struct trn_replay_result *result, struct snap_error *err)
{
    struct trn_expectation expectation = { .from = "" };
    struct trn_training *training = NULL;
    struct snap_archive *archive = NULL;
    uint64_t last = 0;

    if (options->archive == NULL)
        return replay_first(options, result, err);
    enum snap_status status = snap_archive_open(options->archive, &archive, err);
    if (status != SNAP_OK)
        return status;
    result->capsule = strcmp(snap_archive_kind(archive), "capsule") == 0;
    result->first_step = snap_archive_step(archive);
    result->step = result->first_step;
    if (options->step_by_step && (!result->capsule || options->exec != NULL)) {
        status = snap_error_set(err, SNAP_INVALID,
                                "replay %s: --step-by-step is for a capsule that this trainer "
                                "replays: %s",
                                options->archive,
                                result->capsule ? "a program of --exec knows its own operations"
                                                : "this is a snapshot");
        snap_archive_close(archive);
        return status;
    }
    if (!result->capsule) {
        status = trn_expectation_find(options, archive, &expectation, err);
        if (status == SNAP_OK)
            status = find_last(options, result->first_step, &expectation, &last, err);
        snprintf(result->expected_from, sizeof(result->expected_from), "%s", expectation.from);
    }
    if (status == SNAP_OK && options->exec != NULL) {
        if (result->capsule)
            status = trn_failure_read(archive, &result->failure, err);
        if (status == SNAP_OK)
            status = trn_replay_exec(options, &expectation,
                                     result->capsule ? result->first_step + 1 : last, result, err);
        trn_expectation_release(&expectation);
        snap_archive_close(archive);
        return status;
    }
    if (status == SNAP_OK)
        status = trn_replay_open(options, archive, &training, err);
    if (status == SNAP_OK)
        status = result->capsule
                     ? trn_replay_capsule(training, archive, options->listener, result, err)
                     : replay_steps(training, options, &expectation, snap_archive_run_id(archive),
                                    last, result, err);
    if (status == SNAP_OK)
        status = trn_training_free(training, err);
    else
        trn_training_free(training, NULL); /* in memory; the first error is the one to tell */
    trn_expectation_release(&expectation);
    snap_archive_close(archive);
    return status;
}
