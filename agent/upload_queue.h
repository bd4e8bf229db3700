/* SPDX-License-Identifier: Apache-2.0 */
/* Which snapshots of which runs wait for their upload, and how those before went. Every function
 * here wants the lock held. */
#ifndef AGN_UPLOAD_QUEUE_H
#define AGN_UPLOAD_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "uploads.h"

/* What is to be written into a run's events: so much of it, when nobody lets us. */
#define AGN_OWED_MOST 16u

struct agn_upload {
    struct agn_upload *next; /* older */
    uint64_t step;
    char file[64];
    bool resumed; /* from before the agent began: it may be in the store */
    bool under_way;
};

/* Trouble that is not in the run's events yet. */
struct agn_owed {
    struct agn_owed *next; /* later */
    uint64_t step;
    char file[64];
    char why[1000];
};

struct agn_upload_run {
    struct agn_upload_run *next; /* whose turn is later */
    char *dir;
    char *store; /* of this run */
    struct agn_upload *waiting; /* the last one that came first */
    unsigned waiting_count;
    uint64_t done;
    uint64_t failed;  /* tries */
    uint64_t dropped; /* snapshots that are not tried again */
    uint64_t bytes;   /* sent */
    uint64_t step;    /* of the last one in the store */
    char hash[SNAP_HASH_TEXT_BYTES]; /* its; "": none yet */
    char problem[300];               /* of the last try; "": none */
    enum snap_status problem_status;
    unsigned tries; /* that failed, one after the other */
    int64_t due_ms; /* the next one */
    struct agn_owed *owed;
    bool noting; /* its lock is taken, to write that down */
    int64_t quiet_until_ms; /* it is not, before */
};

struct agn_uploads {
    struct agn_agent *agent;
    char *store; /* without a slash at its end */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool stopping;
    struct agn_upload_run *runs; /* in turn */
    size_t run_count;
    struct agn_upload_run *active; /* whose snapshot is under way; NULL: none is */
    int64_t active_since_ms;
    /* Without the lock: of the one under way, and when it is to be given up; 0: not yet. */
    atomic_ullong sent_bytes;
    atomic_ullong total_bytes;
    atomic_llong give_up_ms;
};

/* The run's entry, made when it is not there; NULL: memory is out, or there is no more room. */
struct agn_upload_run *agn_upload_run_find(struct agn_uploads *uploads, const char *dir, bool make);
/* At the front; *dropped is the file that had to go for it, "" where none had to. False: memory is
 * out. */
bool agn_upload_push(struct agn_upload_run *run, const char *file, uint64_t step, bool resumed,
                     struct agn_upload *dropped);
void agn_upload_remove(struct agn_upload_run *run, struct agn_upload *upload);
/* The run that is next, and goes to the end of the turns; NULL: none is due, and *due_ms is when
 * one will be (-1: none waits). */
struct agn_upload_run *agn_upload_next(struct agn_uploads *uploads, int64_t now_ms,
                                       int64_t *due_ms);
/* Without memory, or with many owed already, it is not written down. */
void agn_upload_owe(struct agn_upload_run *run, const struct agn_upload *upload, const char *why);
/* As it is written down; borrowed from both. */
struct snap_upload_trouble agn_owed_trouble(const struct agn_upload_run *run,
                                            const struct agn_owed *owed);
void agn_uploads_release(struct agn_uploads *uploads);

/* ---- upload_worker.c; without the lock ---- */

/* The thread: until it is to stop, and nothing is due or there is no more time. */
void *agn_upload_work(void *uploads);
/* A snapshot will not be uploaded by this agent, whatever comes: say so, and owe it to the run. */
void agn_upload_give_up(struct agn_uploads *uploads, struct agn_upload_run *run,
                        const struct agn_upload *upload, const char *why);
/* Write what is owed to a run into its events, if its lock is free. */
void agn_upload_pay(struct agn_uploads *uploads, struct agn_upload_run *run);

#endif
