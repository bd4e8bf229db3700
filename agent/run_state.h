/* SPDX-License-Identifier: Apache-2.0 */
/* How a run stands, by what its folder says. Nothing is locked or written. */
#ifndef AGN_RUN_STATE_H
#define AGN_RUN_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <snapstate/archive.h>

enum agn_run_stage {
    AGN_RUN_NEW = 0,         /* it has not begun */
    AGN_RUN_TRAINING = 1,    /* the process that opened it last lives, and has not closed it */
    AGN_RUN_STOPPED = 2,     /* it was closed, and can be gone on with */
    AGN_RUN_DONE = 3,        /* the training said that it is done */
    AGN_RUN_INTERRUPTED = 4  /* its process is gone without a word */
};
const char *agn_run_stage_name(enum agn_run_stage stage);

struct agn_run_state {
    enum agn_run_stage stage;
    pid_t pid;          /* that opened it last; 0: not known */
    uint64_t step;      /* of the last whole line of the ledger */
    uint64_t last_step; /* the training is to end after it; 0: not known */
    char latest[64];    /* what `latest` says; "": there is none, or it is broken */
    char hash[SNAP_HASH_TEXT_BYTES];
};

/* What cannot be read is as if it were not there. */
void agn_run_state_read(const char *dir, struct agn_run_state *state);
/* Fill in `latest` and `hash` alone. */
void agn_run_latest_read(const char *dir, struct agn_run_state *state);
bool agn_run_is_training(const char *dir);

#endif
