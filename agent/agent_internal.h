/* SPDX-License-Identifier: Apache-2.0 */
/* The agent from the inside: one thread for each connection, which makes the save that comes on it
 * itself. All that they share is in one struct, under one lock. */
#ifndef AGN_AGENT_INTERNAL_H
#define AGN_AGENT_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include <snapstate/pool.h>

#include "serve.h"

/* Connections at a time: a hundred trainers, and who asks. */
#define AGN_CONNECTIONS_MOST 256
/* Runs that are remembered: the status of all, with paths of a usual length, fits in a message. */
#define AGN_RUNS_MOST 1024

enum agn_stage {
    AGN_STAGE_WAITING = 0, /* for room */
    AGN_STAGE_READY = 1,   /* it has room, and is to be handed over */
    AGN_STAGE_QUEUED = 2,  /* handed over */
    AGN_STAGE_SAVING = 3
};

/* A save from its offer to its answer; on the stack of its connection's thread. */
struct agn_job {
    struct agn_job *next;
    const char *dir;
    const char *file;
    uint64_t bytes; /* of memory that the trainer hands over */
    uint64_t copy_bytes; /* reserved for its copy */
    enum agn_stage stage;
    pid_t pid;
    int64_t since_ms; /* of the stage */
    const struct snap_handover *handover; /* while it is saved; else NULL */
    uint64_t archive_bytes;               /* about so many are to be written */
};

/* An archive in memory. */
struct agn_copy {
    struct agn_copy *next; /* older */
    char *dir;
    char hash[SNAP_HASH_TEXT_BYTES];
    uint64_t step;
    uint64_t bytes;
    int fd;
};

/* What is remembered of a run. */
struct agn_run {
    char *dir;
    pid_t pid; /* that came last */
    uint64_t saves;
    uint64_t failures;
    uint64_t step; /* of the last save */
    char hash[SNAP_HASH_TEXT_BYTES];
    uint64_t duration_ms;
    char problem[300]; /* of the last save; "": none */
};

struct agn_connection {
    struct agn_agent *agent;
    struct agn_connection *next;
    int fd;
    pid_t pid;
    uid_t uid;
};

struct agn_uploads;

struct agn_agent {
    const struct agn_options *options;
    struct agn_uploads *uploads; /* NULL: there is no store; it has a lock of its own */
    char root[PATH_MAX]; /* absolute, without links */
    int64_t began_ms;
    atomic_ullong pages; /* that were made for who asked by HTTP */
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    bool stopping;
    uint64_t limit; /* bytes of memory */
    uint64_t used;
    struct agn_job *jobs;    /* in the order in which they came */
    struct agn_copy *copies; /* the newest first */
    struct agn_run *runs;
    size_t run_count;
    struct snap_pool **pools; /* one for each save at a time; NULL: it is in use */
    unsigned pool_count;
    struct agn_connection *connections;
    size_t connection_count;
};

int64_t agn_clock_ms(void);
/* A condition whose waits end by that clock. To be destroyed. */
void agn_condition_init(pthread_cond_t *condition);
void agn_say(struct agn_agent *agent, const char *format, ...) SNAP_PRINTF(2, 3);

/* ---- jobs.c; `agent->lock` is not held by the caller ---- */

/* The job is at the end of the list, and waits for room. */
void agn_job_begin(struct agn_agent *agent, struct agn_job *job);
/* Wait for room, for `timeout_ms` at most. SNAP_OK: it is reserved; SNAP_BUSY: not yet;
 * SNAP_NO_MEMORY: there will never be, or the agent stops. */
enum snap_status agn_job_admit(struct agn_agent *agent, struct agn_job *job, int timeout_ms,
                               struct snap_error *err);
/* Wait until it may be saved, and by which threads; *keep_copy: there is room for a copy of it.
 * `handover` is borrowed until agn_job_saved. */
struct snap_pool *agn_job_start(struct agn_agent *agent, struct agn_job *job,
                                const struct snap_handover *handover, bool *keep_copy);
void agn_job_saved(struct agn_agent *agent, struct agn_job *job);
/* It is out of the list, and what it held is free. `pool` NULL: it never started. */
void agn_job_end(struct agn_agent *agent, struct agn_job *job, struct snap_pool *pool);
/* Wait until nothing of the run is under way that was handed over. */
void agn_jobs_settle(struct agn_agent *agent, const char *dir);

/* ---- copies.c ---- */

/* With the lock held: let the oldest copies go until `bytes` more fit. False: they never will. */
bool agn_copies_make_room(struct agn_agent *agent, uint64_t bytes);
/* `fd` is consumed; it replaces what was reserved for the job. */
void agn_copies_add(struct agn_agent *agent, struct agn_job *job, uint64_t step,
                    const char *hash, int fd, uint64_t bytes);
/* A descriptor of that archive, the caller's; -1: it is not in memory. */
int agn_copies_find(struct agn_agent *agent, const char *dir, const char *hash);
void agn_copies_release(struct agn_agent *agent);

/* ---- runs.c ---- */

void agn_runs_note_save(struct agn_agent *agent, const struct agn_job *job, uint64_t step,
                        const char *hash, uint64_t duration_ms);
void agn_runs_note_failure(struct agn_agent *agent, const struct agn_job *job,
                           const char *problem);
/* A run that this agent may serve: a folder under its own, of its own user. */
enum snap_status agn_runs_check(const struct agn_agent *agent, const char *dir,
                                struct snap_error *err);
const char *agn_stage_name(enum agn_stage stage);
/* With the lock held: a save, a run, as the status has them; a new reference. */
json_t *agn_job_value(const struct agn_job *job);
json_t *agn_run_value(const struct agn_agent *agent, const struct agn_run *run);
/* The answer to "status", to be freed; NULL when memory is out. */
char *agn_runs_status(struct agn_agent *agent);
void agn_runs_release(struct agn_agent *agent);

/* ---- connection.c ---- */

/* Answer all that is asked on it, until the other side goes. */
void agn_connection_serve(struct agn_connection *connection);

#endif
