/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of snapshots: for each new one a process of its own, which takes second place to the
 * training, restores it from the disk, makes the next step, and compares that with the line that
 * the run has written for it. One works at a time. */
#ifndef TRN_CERTIFY_H
#define TRN_CERTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

#include "session/training.h"

/* Snapshots that wait for their turn, at most: a training that saves faster than one step can be
 * made again leaves some out, and says so, instead of a queue that grows. */
#define TRN_CERTIFY_WAITING 16
/* With the one that is worked at, and one that is too many and is left out next. */
#define TRN_CERTIFY_MOST_WAITING (TRN_CERTIFY_WAITING + 2)

struct trn_certifier;

enum trn_certified {
    TRN_CERTIFIED,       /* the step came out as the run has it, bit for bit */
    TRN_REFUTED,         /* another line, or an archive that is not what it says */
    TRN_NOT_CERTIFIED    /* nothing is known */
};
const char *trn_certified_name(enum trn_certified outcome); /* "certified", "refuted", ... */

struct trn_certificate {
    enum trn_certified outcome;
    bool expected; /* not certified, and nothing is wrong: no step came after it, or a signal */
    uint64_t step; /* of the snapshot */
    char hash[SNAP_HASH_TEXT_BYTES];
    char why[1400]; /* "" when certified */
};

enum trn_certify_mode {
    TRN_CERTIFY_LOOK,   /* what is known now */
    TRN_CERTIFY_WAIT,   /* the training is over: wait for what can be certified */
    TRN_CERTIFY_ABANDON /* the training was stopped: the process is ended */
};

/* Of the snapshots of `training`, which is borrowed, in its run folder. SNAP_NO_MEMORY. */
enum snap_status trn_certifier_new(const struct trn_training *training,
                                   struct trn_certifier **certifier, struct snap_error *err);
/* A process under way is ended. NULL is fine. */
void trn_certifier_free(struct trn_certifier *certifier);

/* A snapshot is durable. */
void trn_certifier_add(struct trn_certifier *certifier, uint64_t step, const char *hash);

/* The steps of those that wait for a certificate, in `steps`, which has room for
 * TRN_CERTIFY_MOST_WAITING; how many. */
size_t trn_certifier_waiting(const struct trn_certifier *certifier, uint64_t *steps);

/* Start what can be started; `steps_done` lines are in the ledger. True: *certificate is the next
 * one that is known, and there may be more. LOOK returns at once; WAIT is cut short, and becomes
 * ABANDON, by a signal that asks the training to stop. */
bool trn_certifier_next(struct trn_certifier *certifier, uint64_t steps_done,
                        enum trn_certify_mode mode, struct trn_certificate *certificate);

#endif
