/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "train_session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "certify.h"
#include "control_socket.h"
#include "failure.h"
#include "progress.h"
#include "run_paths.h"
#include "signals.h"
#include "tensorboard.h"
#include "train_loop.h"

struct session {
    struct trn_training *training;
    const struct trn_listener *listener;
    struct trn_result *result;
    struct trn_control *control; /* NULL: none could be made */
    struct trn_progress progress;
    struct trn_tensorboard board;
    struct trn_certifier *certifier; /* NULL: none is asked for */
    uint64_t last_step;
    bool saved;                  /* at result->snapshot_step */
    struct snap_ticket *saving;  /* the save under way; NULL: none is */
    uint64_t saving_step;
    uint64_t stale_step; /* of the last alarm that was told */
    /* A save of rank 0 that failed behind a step: the others are told after the next. */
    struct snap_error late;
    bool agent_failed;   /* the last save: it was told */
};

/* Rank 0 has the folder, and the listener. */
static bool leads(const struct session *s)
{
    return snap_group_rank(s->training->group) == 0;
}

static enum snap_status agree(const struct session *s, enum snap_status status,
                              struct snap_error *err)
{
    return snap_group_agree(s->training->group, status, err);
}

uint64_t trn_session_last_step(const struct trn_training *t, bool has_steps, uint64_t steps)
{
    uint64_t last = t->total_steps;
    if (!has_steps && t->config.has_steps)
        steps = t->config.steps;
    if ((has_steps || t->config.has_steps) && steps < last)
        last = steps;
    return last;
}

enum snap_status trn_session_hashes(struct trn_training *t, struct trn_result *result,
                                    struct snap_error *err)
{
    enum snap_status status = snap_run_hash(t->run, result->run_hash, result->host_chain, err);
    if (status != SNAP_OK)
        return status;
    return snap_run_state_hash(t->run, result->state_hash, err);
}

/* A line of events.jsonl. What happened stays true when it cannot be written down, and a full
 * disk is found by the ledger. */
static void note(struct session *s, const char *event, json_t *fields)
{
    char *text = fields != NULL ? json_dumps(fields, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(fields);
    (void)snap_run_event(s->training->run, event, text, NULL);
    free(text);
}

/* Say it to whoever listens. */
static void warn(struct session *s, const char *format, ...) SNAP_PRINTF(2, 3);
static void warn(struct session *s, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    if (s->listener == NULL || s->listener->warned == NULL)
        return;
    trn_progress_end(&s->progress);
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    s->listener->warned(s->listener->arg, text);
}

/* What the disk or the memory did to a snapshot; every snapshot before is as it was. */
static bool survives(const struct session *s, enum snap_status status)
{
    return s->training->config.go_on && trn_save_can_fail(status);
}

/* By the rules others were to be let go, and `status` is what came of it. */
static enum snap_status take_pruned(struct session *s, enum snap_status status,
                                    const struct snap_error *problem, struct snap_error *err)
{
    if (status != SNAP_OK && survives(s, status)) {
        warn(s, "no snapshot was let go after step %" PRIu64 ", and the training goes on: %s",
             s->saving_step, problem->text);
        return SNAP_OK;
    }
    if (status != SNAP_OK && err != NULL)
        *err = *problem;
    return status;
}

/* A snapshot is there and durable, and others were let go: say what there is to say. */
static enum snap_status after_save(struct session *s, struct snap_error *err)
{
    struct trn_training *t = s->training;
    struct snap_error problem = SNAP_ERROR_INIT;
    uint64_t stale = snap_run_stale_step(t->run);
    if (stale != s->stale_step)
        warn(s,
             "snapshot of step %" PRIu64 ": weights, optimizer and streams are those of the one "
             "before: nothing trains, or what trains is not what is saved",
             stale);
    s->stale_step = stale;
    enum snap_status status = snap_run_pruned(t->run, NULL, &problem);
    return take_pruned(s, status, &problem, err);
}

/* The agent did not make the save that has ended: say so once, until it is well again. */
static void tell_agent_trouble(struct session *s)
{
    const char *trouble = snap_run_agent_trouble(s->training->run);
    bool failed = trouble[0] != '\0';
    if (failed && !s->agent_failed)
        warn(s, "the agent did not save step %" PRIu64 ", and the training saves by itself: %s",
             s->saving_step, trouble);
    s->agent_failed = failed;
}

/* Wait for the save under way, and tell everybody who waits for it. */
static enum snap_status end_save(struct session *s, struct snap_error *err)
{
    struct trn_training *t = s->training;
    struct trn_result *result = s->result;
    struct snap_ticket *ticket = s->saving;
    struct snap_error problem = SNAP_ERROR_INIT;
    char name[64];
    if (ticket == NULL)
        return SNAP_OK;
    s->saving = NULL;
    trn_progress_end(&s->progress);
    enum snap_status status = snap_run_wait(t->run, ticket, result->snapshot_hash, &problem);
    tell_agent_trouble(s);
    /* Not by `latest`, which may name a later snapshot of the same lines. */
    snprintf(name, sizeof(name), "snapshots/step-%010" PRIu64 ".snap.tar", s->saving_step);
    if (!leads(s)) {
        /* Rank 0 has the same outcome, and tells it. */
        s->saved = status == SNAP_OK;
        result->snapshot_step = s->saving_step;
        return SNAP_OK;
    }
    if (status == SNAP_OK)
        status = trn_join_path(snap_run_dir(t->run), name, result->snapshot_path, &problem);
    if (status != SNAP_OK) {
        if (s->control != NULL)
            trn_control_failed(s->control, problem.text);
        if (err != NULL)
            *err = problem;
        return status;
    }
    result->snapshot_step = s->saving_step;
    s->saved = true;
    trn_tensorboard_saved(&s->board, s->saving_step, result->snapshot_hash,
                          result->snapshot_path);
    if (s->control != NULL)
        trn_control_saved(s->control, s->saving_step, result->snapshot_hash);
    if (s->listener != NULL && s->listener->saved != NULL)
        s->listener->saved(s->listener->arg, s->saving_step, result->snapshot_hash,
                           result->snapshot_path);
    if (s->certifier != NULL)
        trn_certifier_add(s->certifier, s->saving_step, result->snapshot_hash);
    return after_save(s, err);
}

/* A save that failed: does the training go on? Where ranks agreed upon the failure, all do. */
static bool goes_on(struct session *s, enum snap_status status, const struct snap_error *problem)
{
    if (!survives(s, status))
        return false;
    snap_group_go_on(s->training->group);
    warn(s, "NO SNAPSHOT after step %" PRIu64 ", and the training goes on without: %s",
         s->saving_step, problem->text);
    return true;
}

/* The same, where a failure may be one that the training survives. */
static enum snap_status settle_save(struct session *s, struct snap_error *err)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    enum snap_status status = end_save(s, &problem);
    if (status == SNAP_OK || goes_on(s, status, &problem))
        return SNAP_OK;
    if (err != NULL)
        *err = problem;
    return status;
}

/* What waits for a certificate stays, and so does the snapshot that is about to be made. */
static enum snap_status hold_uncertified(struct session *s, struct snap_error *err)
{
    uint64_t steps[TRN_CERTIFY_MOST_WAITING + 1];
    if (s->certifier == NULL)
        return SNAP_OK;
    size_t count = trn_certifier_waiting(s->certifier, steps);
    steps[count++] = s->saving_step;
    return snap_run_hold(s->training->run, steps, count, err);
}

/* All that could be certified is: now the rules alone say what stays. */
static enum snap_status let_go_certified(struct session *s, struct snap_error *err)
{
    struct snap_run *run = s->training->run;
    struct snap_error problem = SNAP_ERROR_INIT;
    if (s->certifier == NULL || !s->training->config.has_keep)
        return SNAP_OK;
    enum snap_status status = snap_run_hold(run, NULL, 0, &problem);
    if (status == SNAP_OK)
        status = snap_run_prune(run, &problem);
    return take_pruned(s, status, &problem, err);
}

/* Save the state after the last step, while the training goes on. */
static enum snap_status begin_save(struct session *s, struct snap_error *err)
{
    struct snap_run *run = s->training->run;
    struct snap_error problem = SNAP_ERROR_INIT;
    enum snap_status status = settle_save(s, err);
    if (status != SNAP_OK)
        return status;
    if (s->control != NULL)
        trn_control_saving(s->control);
    s->saving_step = snap_run_steps_done(run);
    status = hold_uncertified(s, &problem);
    if (status == SNAP_OK)
        status = snap_run_capture(run, s->saving_step, s->training->backend->stream, &s->saving,
                                  &problem);
    if (status != SNAP_OK && s->control != NULL)
        trn_control_failed(s->control, problem.text);
    if (status != SNAP_OK && err != NULL)
        *err = problem;
    return status;
}

static enum snap_status save(struct session *s, struct snap_error *err)
{
    enum snap_status status = begin_save(s, err);
    return status == SNAP_OK ? end_save(s, err) : status;
}

/* A line of events.jsonl, and a word to whoever listens. */
static void tell_certificate(struct session *s, const struct trn_certificate *certificate)
{
    json_t *fields = json_pack("{s:s,s:s,s:I}", "hash", certificate->hash, "outcome",
                               trn_certified_name(certificate->outcome), "step",
                               (json_int_t)certificate->step);
    if (fields != NULL && certificate->why[0] != '\0')
        json_object_set_new(fields, "why", json_string(certificate->why)); /* else without it */
    note(s, "certify", fields);
    if (certificate->outcome == TRN_NOT_CERTIFIED && !certificate->expected)
        warn(s, "the snapshot of step %" PRIu64 " is not certified: %s", certificate->step,
             certificate->why);
    if (certificate->outcome == TRN_CERTIFIED && s->listener != NULL &&
        s->listener->certified != NULL) {
        trn_progress_end(&s->progress);
        s->listener->certified(s->listener->arg, certificate->step);
    }
}

/* Take the certificates that are there. SNAP_DIFFERS: a snapshot was refuted, and the config says
 * to stop then. */
static enum snap_status certify(struct session *s, enum trn_certify_mode mode,
                                struct snap_error *err)
{
    struct trn_certificate certificate;
    uint64_t done = snap_run_steps_done(s->training->run);
    enum snap_status status = SNAP_OK;
    while (s->certifier != NULL &&
           trn_certifier_next(s->certifier, done, mode, &certificate)) {
        tell_certificate(s, &certificate);
        if (certificate.outcome != TRN_REFUTED)
            continue;
        if (s->training->config.go_on_refuted)
            warn(s, "SNAPSHOT REFUTED: that of step %" PRIu64 " does not lead to the run's next "
                    "step, and the training goes on: %s",
                 certificate.step, certificate.why);
        else if (status == SNAP_OK)
            status = snap_error_set(err, SNAP_DIFFERS,
                                    "the snapshot of step %" PRIu64 " does not lead to the run's "
                                    "next step: %s",
                                    certificate.step, certificate.why);
    }
    return status;
}

/* Signals and clients ask; the run adds what is due by its interval. */
static enum snap_wanted take_requests(struct session *s)
{
    struct snap_run *run = s->training->run;
    if (trn_signals_take_save()) {
        note(s, "signal", json_pack("{s:s}", "signal", trn_signal_name(SIGUSR1)));
        snap_run_request(run, SNAP_WANTED_SAVE);
    }
    if (s->control != NULL && trn_control_poll(s->control))
        snap_run_request(run, SNAP_WANTED_SAVE);
    int number = trn_signals_stop();
    if (number != 0 && s->result->signal == 0) {
        s->result->signal = number;
        note(s, "signal", json_pack("{s:s}", "signal", trn_signal_name(number)));
        snap_run_request(run, SNAP_WANTED_SAVE_AND_STOP);
    }
    return snap_run_wanted(run);
}

/* The signal that stops the training may have come to another rank alone. */
static enum snap_status share_signal(struct session *s, struct snap_error *err)
{
    int64_t number = s->result->signal;
    enum snap_status status = snap_group_max(s->training->group, &number, 1, err);
    if (status == SNAP_OK && s->result->signal == 0 && number != 0)
        note(s, "signal", json_pack("{s:s}", "signal", trn_signal_name((int)number)));
    s->result->signal = (int)number;
    return status;
}

static void take_step(struct session *s, const struct trn_step *step, double seconds)
{
    struct trn_result *result = s->result;
    const struct trn_listener *listener = s->listener;
    result->has_loss = true;
    result->loss = step->loss;
    trn_progress_step(&s->progress, step->step, step->epoch, step->loss, step->samples);
    trn_tensorboard_step(&s->board, step, seconds);
    if (!step->evaluated)
        return;
    result->has_evaluation = true;
    result->evaluation_step = step->step;
    result->evaluation_loss = step->evaluation_loss;
    result->evaluation_correct = step->evaluation_correct;
    result->evaluation_samples = s->training->data.test.samples *
                                 s->training->data.test.labels_size;
    if (listener != NULL && listener->evaluated != NULL) {
        trn_progress_end(&s->progress);
        listener->evaluated(listener->arg, step->epoch, step->step, step->evaluation_loss,
                            step->evaluation_correct, result->evaluation_samples);
    }
}

/* NaN or Inf: keep all of the step in a capsule. The status stays, unless the capsule fails. */
static enum snap_status fail(struct session *s, const struct trn_step *step, struct snap_error *err)
{
    s->result->stop = TRN_STOP_NONFINITE;
    trn_failure_describe(step, &s->result->failure);
    enum snap_status status =
        leads(s) ? trn_failure_capsule(s->training, step, &s->result->failure, err) : SNAP_OK;
    return status == SNAP_OK ? SNAP_NONFINITE : status;
}

/* A step on every rank, and what became of it on all. */
static enum snap_status make_step(struct session *s, struct trn_step *step, struct snap_error *err)
{
    enum snap_status status = trn_train_step(s->training, step, err);
    if (status == SNAP_OK && s->late.status != SNAP_OK) {
        status = s->late.status;
        if (err != NULL)
            *err = s->late;
    }
    return agree(s, status, err);
}

/* What is wanted after a step. A failure here is one that the training does not survive. */
static enum snap_status answer(struct session *s, enum snap_wanted wanted, struct snap_error *err)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    enum snap_status status = SNAP_OK;
    if (wanted == SNAP_WANTED_SAVE_AND_STOP)
        status = save(s, &problem);
    else if (wanted == SNAP_WANTED_SAVE)
        status = begin_save(s, &problem);
    else if (snap_run_ended(s->training->run, s->saving))
        status = end_save(s, &problem);
    if (wanted != SNAP_WANTED_NOTHING)
        status = agree(s, status, &problem);
    if (status == SNAP_OK && wanted == SNAP_WANTED_SAVE_AND_STOP &&
        snap_run_steps_done(s->training->run) < s->last_step) {
        s->result->stop = TRN_STOP_SIGNAL;
        return share_signal(s, err);
    }
    if (status == SNAP_OK || goes_on(s, status, &problem))
        return SNAP_OK;
    if (wanted == SNAP_WANTED_NOTHING && snap_group_world(s->training->group) > 1) {
        s->late = problem;
        return SNAP_OK;
    }
    if (err != NULL)
        *err = problem;
    return status;
}

/* After a step; the other ranks learn of a refutation after the next. */
static enum snap_status look_at_certificates(struct session *s, struct snap_error *err)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    enum snap_status status = certify(s, TRN_CERTIFY_LOOK, &problem);
    if (status != SNAP_OK && snap_group_world(s->training->group) > 1) {
        s->late = problem;
        return SNAP_OK;
    }
    if (status != SNAP_OK && err != NULL)
        *err = problem;
    return status;
}

static enum snap_status train(struct session *s, struct snap_error *err)
{
    struct snap_run *run = s->training->run;
    struct trn_step step;
    while (s->result->stop == TRN_STOP_DONE && snap_run_steps_done(run) < s->last_step) {
        double began = trn_clock_seconds();
        enum snap_status status = make_step(s, &step, err);
        if (status == SNAP_NONFINITE)
            return fail(s, &step, err);
        if (status != SNAP_OK)
            return status;
        take_step(s, &step, trn_clock_seconds() - began);
        status = answer(s, take_requests(s), err);
        if (status != SNAP_OK)
            return status;
        if (s->result->stop == TRN_STOP_DONE)
            status = look_at_certificates(s, err);
        if (status != SNAP_OK)
            return status;
    }
    return SNAP_OK;
}

/* The last update has no next step that would look at what it left. */
static enum snap_status finish(struct session *s, struct snap_error *err)
{
    struct snap_run *run = s->training->run;
    struct trn_step step;
    enum snap_status status = settle_save(s, err);
    if (status == SNAP_OK && s->late.status != SNAP_OK) {
        status = s->late.status;
        if (err != NULL)
            *err = s->late;
    }
    status = agree(s, status, err);
    /* Rank 0 knows what was saved. */
    int64_t unsaved =
        leads(s) && (!s->saved || s->result->snapshot_step != snap_run_steps_done(run));
    if (status == SNAP_OK)
        status = snap_group_max(s->training->group, &unsaved, 1, err);
    if (status == SNAP_OK && unsaved)
        status = agree(s, save(s, err), err);
    if (status == SNAP_OK)
        status = snap_run_begin_step(run, err);
    if (status == SNAP_OK) {
        status = trn_check_weights(s->training, &step, err);
        if (status == SNAP_NONFINITE)
            status = fail(s, &step, err);
    }
    return agree(s, status, err);
}

static enum snap_status begin(struct session *s, struct snap_error *err)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    uint64_t done = snap_run_steps_done(s->training->run);
    bool show = s->listener != NULL && s->training->config.progress;
    const struct trn_dataset *test = &s->training->data.test;
    note(s, "train", json_pack("{s:I,s:I,s:I}", "held_out",
                               (json_int_t)(test->samples * test->labels_size), "last_step",
                               (json_int_t)s->last_step, "step", (json_int_t)done));
    /* A file system without sockets can still hold a run; `snap save` then finds nobody. */
    if (leads(s) &&
        trn_control_open(snap_run_dir(s->training->run), &s->control, &problem) != SNAP_OK)
        note(s, "control", json_pack("{s:s}", "problem", problem.text));
    if (leads(s))
        trn_tensorboard_begin(&s->board, s->training);
    else
        s->board = (struct trn_tensorboard){ .training = s->training };
    trn_progress_begin(&s->progress, show ? s->listener->progress : NULL, done, s->last_step);
    enum snap_status status = SNAP_OK;
    if (s->training->config.certify && leads(s))
        status = trn_certifier_new(s->training, &s->certifier, err);
    return agree(s, status, err);
}

enum snap_status trn_session_train(struct trn_training *t, uint64_t last_step,
                                   const struct trn_listener *listener, struct trn_result *result,
                                   struct snap_error *err)
{
    struct session s = { .training = t,
                         .listener = listener,
                         .result = result,
                         .last_step = last_step,
                         .late = SNAP_ERROR_INIT };
    double began = trn_clock_seconds();

    result->total_steps = t->total_steps;
    enum snap_status status = begin(&s, err);
    if (status == SNAP_OK && t->config.has_keep && leads(&s))
        status = snap_run_set_keep(t->run, &t->config.keep, err);
    if (status == SNAP_OK)
        status = train(&s, err);
    if (status == SNAP_OK && result->stop == TRN_STOP_DONE)
        status = finish(&s, err);
    /* A training that failed: what became of the save before. */
    enum snap_status saved = end_save(&s, status == SNAP_OK ? err : NULL);
    if (status == SNAP_OK)
        status = saved;
    bool waits = (status == SNAP_OK || status == SNAP_NONFINITE) &&
                 result->stop != TRN_STOP_SIGNAL;
    enum snap_status certified = certify(&s, waits ? TRN_CERTIFY_WAIT : TRN_CERTIFY_ABANDON,
                                         status == SNAP_OK ? err : NULL);
    if (status == SNAP_OK)
        status = certified;
    if (status == SNAP_OK && waits)
        status = let_go_certified(&s, err);
    trn_certifier_free(s.certifier);
    trn_progress_end(&s.progress);
    trn_tensorboard_end(&s.board);
    if (status == SNAP_OK && s.control != NULL && trn_control_poll(s.control)) {
        trn_control_saving(s.control); /* the state of the last step is saved */
        trn_control_saved(s.control, result->snapshot_step, result->snapshot_hash);
    }
    trn_control_close(s.control);

    result->seconds = trn_clock_seconds() - began;
    result->step = snap_run_steps_done(t->run);
    const struct snap_ledger_difference *difference = snap_run_difference(t->run);
    if (status == SNAP_DIFFERS && difference != NULL) {
        result->has_difference = true;
        result->difference = *difference;
    }
    if (status == SNAP_OK)
        status = trn_session_hashes(t, result, err);
    else /* the chain of what was done before */
        (void)snap_run_hash(t->run, result->run_hash, result->host_chain, NULL);
    note(&s, "end",
         json_pack("{s:s,s:s,s:I}", "reason",
                   status == SNAP_OK || status == SNAP_NONFINITE ? trn_stop_name(result->stop)
                                                                 : "error",
                   "status", snap_status_name(status), "step", (json_int_t)result->step));
    return status;
}
