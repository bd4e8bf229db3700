/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `snap sweep`: which seeds, their trainings as processes, and what came of them. */
#ifndef CMD_SWEEP_H
#define CMD_SWEEP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

/* Seeds of a sweep at most: each has a folder and, while it runs, a process. */
#define SWEEP_SEEDS_MOST 10000

struct sweep_seed {
    uint64_t seed;
    enum sweep_state {
        SWEEP_WAITING = 0, /* not started, or not yet */
        SWEEP_RUNNING = 1,
        SWEEP_DONE = 2,
        SWEEP_STOPPED = 3, /* by a signal, after a snapshot: another sweep goes on with it */
        SWEEP_FAILED = 4
    } state;
    bool was_done;       /* an earlier sweep had completed it */
    pid_t pid;           /* while it runs */
    int exit_code;       /* of its last process; 128 and a signal's number; 0 without a process */
    char dir[PATH_MAX];  /* SWEEP/seed-N */
    char log[PATH_MAX];  /* what its processes print, one after the other */
    uint64_t step;       /* steps that are done */
    char run_hash[SNAP_HASH_TEXT_BYTES]; /* "run1:..." after `step`; "": there is no ledger */
    char problem[1000];  /* why it failed; "" */
};

struct sweep {
    const char *config;
    const char *dir;
    unsigned jobs;       /* processes at a time */
    unsigned threads;    /* of each */
    unsigned confidence; /* percent */
    bool has_steps;
    uint64_t steps;
    bool quiet;          /* --json: print nothing meanwhile */
    int signal;          /* the one that stopped the sweep; 0 */
    struct sweep_seed *seeds; /* `count`, ascending; owned */
    size_t count;
};

const char *sweep_state_name(enum sweep_state state);

/* "0..9", "1,5,9", "0..3,7" into seeds, sorted, each once. SNAP_INVALID says what is expected.
 * *seeds is freed with free(). */
enum snap_status sweep_parse_seeds(const char *text, struct sweep_seed **seeds, size_t *count,
                                   struct snap_error *err);

/* Run what is not complete, until all is or a signal came. A seed that fails is told in its state,
 * and the others go on. Other statuses: nothing could be run. */
enum snap_status sweep_run(struct sweep *sweep, struct snap_error *err);

/* Read the ledgers of the seeds that are done, and write DIR/sweep.csv and DIR/sweep.json: a row
 * for each metric and step. *ends (an array; the caller's) is each metric at its last step, as in
 * cmd-sweep.schema.json. Without a seed that is done nothing is written and *ends is empty. */
enum snap_status sweep_summarize(const struct sweep *sweep, json_t **ends, struct snap_error *err);

#endif
