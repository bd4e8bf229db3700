/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "session/train_session.h"

#include <string.h>

#include "process/signals.h"
#include "session/failure.h"
#include "session/session_saves.h"
#include "session/train_loop.h"

static enum snap_status agree(const struct trn_session *s, enum snap_status status,
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

/* Signals and clients ask; the run adds what is due by its interval. */
static enum snap_wanted take_requests(struct trn_session *s)
{
    struct snap_run *run = s->training->run;
    if (trn_signals_take_save()) {
        trn_session_note(s, "signal", json_pack("{s:s}", "signal", trn_signal_name(SIGUSR1)));
        snap_run_request(run, SNAP_WANTED_SAVE);
    }
    if (s->control != NULL && trn_control_poll(s->control))
        snap_run_request(run, SNAP_WANTED_SAVE);
    int number = trn_signals_stop();
    if (number != 0 && s->result->signal == 0) {
        s->result->signal = number;
        trn_session_note(s, "signal", json_pack("{s:s}", "signal", trn_signal_name(number)));
        snap_run_request(run, SNAP_WANTED_SAVE_AND_STOP);
    }
    return snap_run_wanted(run);
}

/* The signal that stops the training may have come to another rank alone. */
static enum snap_status share_signal(struct trn_session *s, struct snap_error *err)
{
    int64_t number = s->result->signal;
    enum snap_status status = snap_group_max(s->training->group, &number, 1, err);
    if (status == SNAP_OK && s->result->signal == 0 && number != 0)
        trn_session_note(s, "signal", json_pack("{s:s}", "signal", trn_signal_name((int)number)));
    s->result->signal = (int)number;
    return status;
}

static void take_step(struct trn_session *s, const struct trn_step *step, double seconds)
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
static enum snap_status fail(struct trn_session *s, const struct trn_step *step,
                             struct snap_error *err)
{
    s->result->stop = TRN_STOP_NONFINITE;
    trn_failure_describe(step, &s->result->failure);
    enum snap_status status =
        trn_session_leads(s) ? trn_failure_capsule(s->training, step, &s->result->failure, err)
                             : SNAP_OK;
    return status == SNAP_OK ? SNAP_NONFINITE : status;
}

/* A step on every rank, and what became of it on all. */
static enum snap_status make_step(struct trn_session *s, struct trn_step *step,
                                  struct snap_error *err)
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
static enum snap_status answer(struct trn_session *s, enum snap_wanted wanted,
                               struct snap_error *err)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    enum snap_status status = SNAP_OK;
    if (wanted == SNAP_WANTED_SAVE_AND_STOP)
        status = trn_session_save(s, &problem);
    else if (wanted == SNAP_WANTED_SAVE)
        status = trn_session_begin_save(s, &problem);
    else if (snap_run_ended(s->training->run, s->saving))
        status = trn_session_end_save(s, &problem);
    if (wanted != SNAP_WANTED_NOTHING)
        status = agree(s, status, &problem);
    if (status == SNAP_OK && wanted == SNAP_WANTED_SAVE_AND_STOP &&
        snap_run_steps_done(s->training->run) < s->last_step) {
        s->result->stop = TRN_STOP_SIGNAL;
        return share_signal(s, err);
    }
    if (status == SNAP_OK || trn_session_goes_on(s, status, &problem))
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
static enum snap_status look_at_certificates(struct trn_session *s, struct snap_error *err)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    enum snap_status status = trn_session_certify(s, TRN_CERTIFY_LOOK, &problem);
    if (status != SNAP_OK && snap_group_world(s->training->group) > 1) {
        s->late = problem;
        return SNAP_OK;
    }
    if (status != SNAP_OK && err != NULL)
        *err = problem;
    return status;
}

static enum snap_status train(struct trn_session *s, struct snap_error *err)
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
static enum snap_status finish(struct trn_session *s, struct snap_error *err)
{
    struct snap_run *run = s->training->run;
    struct trn_step step;
    enum snap_status status = trn_session_settle_save(s, err);
    if (status == SNAP_OK && s->late.status != SNAP_OK) {
        status = s->late.status;
        if (err != NULL)
            *err = s->late;
    }
    status = agree(s, status, err);
    /* Rank 0 knows what was saved. */
    int64_t unsaved =
        trn_session_leads(s) && (!s->saved || s->result->snapshot_step != snap_run_steps_done(run));
    if (status == SNAP_OK)
        status = snap_group_max(s->training->group, &unsaved, 1, err);
    if (status == SNAP_OK && unsaved)
        status = agree(s, trn_session_save(s, err), err);
    if (status == SNAP_OK)
        status = snap_run_begin_step(run, err);
    if (status == SNAP_OK) {
        status = trn_check_weights(s->training, &step, err);
        if (status == SNAP_NONFINITE)
            status = fail(s, &step, err);
    }
    return agree(s, status, err);
}

static enum snap_status begin(struct trn_session *s, struct snap_error *err)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    uint64_t done = snap_run_steps_done(s->training->run);
    bool show = s->listener != NULL && s->training->config.progress;
    const struct trn_dataset *test = &s->training->data.test;
    trn_session_note(s, "train",
                     json_pack("{s:I,s:I,s:I}", "held_out",
                               (json_int_t)(test->samples * test->labels_size), "last_step",
                               (json_int_t)s->last_step, "step", (json_int_t)done));
    /* A file system without sockets can still hold a run; `snap save` then finds nobody. */
    if (trn_session_leads(s) &&
        trn_control_open(snap_run_dir(s->training->run), &s->control, &problem) != SNAP_OK)
        trn_session_note(s, "control", json_pack("{s:s}", "problem", problem.text));
    if (trn_session_leads(s))
        trn_tensorboard_begin(&s->board, s->training);
    else
        s->board = (struct trn_tensorboard){ .training = s->training };
    trn_progress_begin(&s->progress, show ? s->listener->progress : NULL, done, s->last_step);
    enum snap_status status = SNAP_OK;
    if (s->training->config.certify && trn_session_leads(s))
        status = trn_certifier_new(s->training, &s->certifier, err);
    return agree(s, status, err);
}

enum snap_status trn_session_train(struct trn_training *t, uint64_t last_step,
                                   const struct trn_listener *listener, struct trn_result *result,
                                   struct snap_error *err)
{
    struct trn_session s = { .training = t,
                             .listener = listener,
                             .result = result,
                             .last_step = last_step,
                             .late = SNAP_ERROR_INIT };
    double began = trn_clock_seconds();

    result->total_steps = t->total_steps;
    enum snap_status status = begin(&s, err);
    if (status == SNAP_OK && t->config.has_keep && trn_session_leads(&s))
        status = snap_run_set_keep(t->run, &t->config.keep, err);
    if (status == SNAP_OK)
        status = train(&s, err);
    if (status == SNAP_OK && result->stop == TRN_STOP_DONE)
        status = finish(&s, err);
    /* A training that failed: what became of the save before. */
    enum snap_status saved = trn_session_end_save(&s, status == SNAP_OK ? err : NULL);
    if (status == SNAP_OK)
        status = saved;
    bool waits = (status == SNAP_OK || status == SNAP_NONFINITE) &&
                 result->stop != TRN_STOP_SIGNAL;
    enum snap_status certified =
        trn_session_certify(&s, waits ? TRN_CERTIFY_WAIT : TRN_CERTIFY_ABANDON,
                            status == SNAP_OK ? err : NULL);
    if (status == SNAP_OK)
        status = certified;
    if (status == SNAP_OK && waits)
        status = trn_session_let_go_certified(&s, err);
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
    trn_session_note(
        &s, "end",
        json_pack("{s:s,s:s,s:I}", "reason",
                  status == SNAP_OK || status == SNAP_NONFINITE ? trn_stop_name(result->stop)
                                                                : "error",
                  "status", snap_status_name(status), "step", (json_int_t)result->step));
    return status;
}
