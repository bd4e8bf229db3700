/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "session/session_saves.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "process/run_paths.h"

bool trn_session_leads(const struct trn_session *s)
{
    return snap_group_rank(s->training->group) == 0;
}

void trn_session_note(struct trn_session *s, const char *event, json_t *fields)
{
    char *text = fields != NULL ? json_dumps(fields, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(fields);
    (void)snap_run_event(s->training->run, event, text, NULL);
    free(text);
}

/* Say it to whoever listens. */
static void warn(struct trn_session *s, const char *format, ...) SNAP_PRINTF(2, 3);
static void warn(struct trn_session *s, const char *format, ...)
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
static bool survives(const struct trn_session *s, enum snap_status status)
{
    return s->training->config.go_on && trn_save_can_fail(status);
}

/* By the rules others were to be let go, and `status` is what came of it. */
static enum snap_status take_pruned(struct trn_session *s, enum snap_status status,
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
static enum snap_status after_save(struct trn_session *s, struct snap_error *err)
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
static void tell_agent_trouble(struct trn_session *s)
{
    const char *trouble = snap_run_agent_trouble(s->training->run);
    bool failed = trouble[0] != '\0';
    if (failed && !s->agent_failed)
        warn(s, "the agent did not save step %" PRIu64 ", and the training saves by itself: %s",
             s->saving_step, trouble);
    s->agent_failed = failed;
}

enum snap_status trn_session_end_save(struct trn_session *s, struct snap_error *err)
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
    if (!trn_session_leads(s)) {
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

bool trn_session_goes_on(struct trn_session *s, enum snap_status status,
                         const struct snap_error *problem)
{
    if (!survives(s, status))
        return false;
    snap_group_go_on(s->training->group);
    warn(s, "NO SNAPSHOT after step %" PRIu64 ", and the training goes on without: %s",
         s->saving_step, problem->text);
    return true;
}

enum snap_status trn_session_settle_save(struct trn_session *s, struct snap_error *err)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    enum snap_status status = trn_session_end_save(s, &problem);
    if (status == SNAP_OK || trn_session_goes_on(s, status, &problem))
        return SNAP_OK;
    if (err != NULL)
        *err = problem;
    return status;
}

/* What waits for a certificate stays, and so does the snapshot that is about to be made. */
static enum snap_status hold_uncertified(struct trn_session *s, struct snap_error *err)
{
    uint64_t steps[TRN_CERTIFY_MOST_WAITING + 1];
    if (s->certifier == NULL)
        return SNAP_OK;
    size_t count = trn_certifier_waiting(s->certifier, steps);
    steps[count++] = s->saving_step;
    return snap_run_hold(s->training->run, steps, count, err);
}

enum snap_status trn_session_let_go_certified(struct trn_session *s, struct snap_error *err)
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

enum snap_status trn_session_begin_save(struct trn_session *s, struct snap_error *err)
{
    struct snap_run *run = s->training->run;
    struct snap_error problem = SNAP_ERROR_INIT;
    enum snap_status status = trn_session_settle_save(s, err);
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

enum snap_status trn_session_save(struct trn_session *s, struct snap_error *err)
{
    enum snap_status status = trn_session_begin_save(s, err);
    return status == SNAP_OK ? trn_session_end_save(s, err) : status;
}

/* A line of events.jsonl, and a word to whoever listens. */
static void tell_certificate(struct trn_session *s, const struct trn_certificate *certificate)
{
    json_t *fields = json_pack("{s:s,s:s,s:I}", "hash", certificate->hash, "outcome",
                               trn_certified_name(certificate->outcome), "step",
                               (json_int_t)certificate->step);
    if (fields != NULL && certificate->why[0] != '\0')
        json_object_set_new(fields, "why", json_string(certificate->why)); /* else without it */
    trn_session_note(s, "certify", fields);
    if (certificate->outcome == TRN_NOT_CERTIFIED && !certificate->expected)
        warn(s, "the snapshot of step %" PRIu64 " is not certified: %s", certificate->step,
             certificate->why);
    if (certificate->outcome == TRN_CERTIFIED && s->listener != NULL &&
        s->listener->certified != NULL) {
        trn_progress_end(&s->progress);
        s->listener->certified(s->listener->arg, certificate->step);
    }
}

enum snap_status trn_session_certify(struct trn_session *s, enum trn_certify_mode mode,
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
