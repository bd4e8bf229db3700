/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshots of a training session: saves that go on behind it, what became of them, and their
 * certificates. */
#ifndef TRN_SESSION_SAVES_H
#define TRN_SESSION_SAVES_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "process/control_socket.h"
#include "process/progress.h"
#include "session/certify.h"
#include "session/tensorboard.h"
#include "session/training.h"
#include "trainer.h"

/* A training on its way to `last_step`; of train_session.c, for one call of trn_session_train. */
struct trn_session {
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
bool trn_session_leads(const struct trn_session *session);

/* A line of events.jsonl; `fields` is consumed, NULL: memory was out. What happened stays true when
 * it cannot be written down, and a full disk is found by the ledger. */
void trn_session_note(struct trn_session *session, const char *event, json_t *fields);

/* Save the state after the last step, while the training goes on; the save before is ended
 * first. */
enum snap_status trn_session_begin_save(struct trn_session *session, struct snap_error *err);
/* Wait for the save under way, and tell everybody who waits for it. SNAP_OK when there is none. */
enum snap_status trn_session_end_save(struct trn_session *session, struct snap_error *err);
/* The same, where a failure may be one that the training survives. */
enum snap_status trn_session_settle_save(struct trn_session *session, struct snap_error *err);
/* Save, and wait for it. */
enum snap_status trn_session_save(struct trn_session *session, struct snap_error *err);
/* A save that failed: does the training go on? It is warned of then. Where ranks agreed upon the
 * failure, all do. */
bool trn_session_goes_on(struct trn_session *session, enum snap_status status,
                         const struct snap_error *problem);

/* Take the certificates that are there. SNAP_DIFFERS: a snapshot was refuted, and the config says
 * to stop then. */
enum snap_status trn_session_certify(struct trn_session *session, enum trn_certify_mode mode,
                                     struct snap_error *err);
/* All that could be certified is: now the rules alone say what stays. */
enum snap_status trn_session_let_go_certified(struct trn_session *session,
                                              struct snap_error *err);

#endif
