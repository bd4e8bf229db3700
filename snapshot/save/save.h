/* SPDX-License-Identifier: Apache-2.0 */
/* A save in two halves. The job is everything that the archive needs, taken at once by the run's
 * thread. Writing it looks at tensors and values, in the trainer's memory or in staging memory,
 * once, and may be another thread's: of the run it uses what does not change. */
#ifndef SNAP_SAVE_H
#define SNAP_SAVE_H

#include "format/manifest.h"
#include "run/run_internal.h"
#include "save/state_image.h"

struct snap_save_lead;

/* What of a run a job is written into: of an open run, or of one whose job was handed over. */
struct snap_save_place {
    struct snap_store *store; /* its lock is held */
    const char *dir;
    uint64_t thin;
    uint64_t volume_size;
    bool no_read_back;
    bool by_agent; /* the event says so */
    atomic_ullong *written; /* (optional) as of snap_write_options */
    /* (optional) The archive in memory too: what is written is what is in it. Empty where memory
     * cannot be had, or nothing was written because it was there. */
    struct snap_memory_copy *copy;
    const struct snap_staging *staging; /* (optional) What the job may lie in; of a run itself */
    struct snap_save_lead *lead;        /* (optional) The other ranks that write it too */
};

struct snap_save_job {
    char name[SNAP_SNAPSHOT_NAME_BYTES]; /* of the file, in the run folder */
    bool capsule;
    struct snap_state_image image;
    struct snap_manifest manifest; /* without members */
    struct snap_buffer environment;
    struct snap_buffer lines;                  /* ledger.jsonl */
    const struct snap_attachment *attachments; /* borrowed */
    size_t attachment_count;
    /* What the archive writer is given; names are the job's own: the inventory may change. */
    struct snap_write_member *members;
    size_t member_count;
    snap_member_name *names;
    enum snap_wanted request;   /* that it answers */
    struct snap_written before; /* as of the snapshot before */
    bool keep_latest;       /* `latest` names a later snapshot, and stays */
    struct snap_held held;  /* as of the run when it was taken */
    struct snap_pool *pool; /* the threads that write */
    uint64_t began_ms;
    bool lines_are_older; /* a snapshot of this very step was there: `lines` are from before it */
    bool behind;          /* written by another thread, */
    uint64_t stall_ms;    /* for which the caller was kept so long */
};

/* What became of it. */
struct snap_save_result {
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
    bool was_there;            /* the same state was saved already */
    struct snap_written after; /* that the next is compared with */
    /* What of staging memory is in it, for the next one; malloc'd, owned by the caller; NULL:
     * nothing is to be known of it. */
    struct snap_staged_digest *staged;
    size_t staged_count;
    char agent_trouble[1000];  /* why the agent did not save it; "": it did, or there is none */
    struct snap_prune_result pruned;
};

/* Take the state (save_job.c). `flags` as for snap_state_image_take. *job must be zeroed but for
 * its name and attachments; it is to be released whatever the answer. */
enum snap_status snap_save_job_take(struct snap_run *run, unsigned flags, struct snap_save_job *job,
                                    struct snap_error *err);
void snap_save_job_release(struct snap_save_job *job);

uint64_t snap_save_clock_ms(void);

/* Where a run saves by itself; borrowed from it. */
struct snap_save_place snap_run_save_place(const struct snap_run *run);

/* What comes before a job is written, by whomever: copies from a device end, the ledger is made
 * durable. */
enum snap_status snap_save_job_ready(struct snap_run *run, const struct snap_save_job *job,
                                     struct snap_error *err);
/* Digest, write, read back, publish (save.c). A file of that name with the same state and chain is
 * success; a damaged one is replaced, with an event; another state is SNAP_DIFFERS. */
enum snap_status snap_save_job_put(const struct snap_save_place *place,
                                   const struct snap_save_job *job,
                                   struct snap_save_result *result, struct snap_error *err);
/* The two in the run, by its own process; `is_ready`: the first was done. */
enum snap_status snap_save_job_write(struct snap_run *run, const struct snap_save_job *job,
                                     bool is_ready, struct snap_save_result *result,
                                     struct snap_error *err);

/* After a save, of whomever: what the run's rules do not keep goes. */
void snap_save_let_go(const struct snap_run *run, const struct snap_save_job *job,
                      struct snap_save_result *result);

/* ---- behind the training: save_behind.c ---- */

/* Write the job in a thread of its own, from staging memory. The run has none under way. The job's
 * content is taken over: *job is empty after SNAP_OK. On failure nothing has changed. */
enum snap_status snap_save_behind_start(struct snap_run *run, struct snap_save_job *job,
                                        struct snap_error *err);
/* The save under way has ended, or is waited for: true, its outcome in *result and *error (whose
 * status is SNAP_OK when all went well) and its job, to be released, in *job. False: none is under
 * way, or it is not waited for and has not ended. */
bool snap_save_behind_end(struct snap_run *run, bool wait, struct snap_save_job *job,
                          struct snap_save_result *result, struct snap_error *error);

/* What comes later in the device stream begins when the state has left the device. */
enum snap_status snap_save_behind_fence(struct snap_run *run, void *stream,
                                        struct snap_error *err);

/* The state that the job has is saved as `hash`: it is the next archive's parent (run_line.c). */
void snap_parent_link_saved(struct snap_run *run, const struct snap_save_job *job,
                            const unsigned char hash[SNAP_DIGEST_BYTES]);

/* ---- by the agent: agent_save.c ---- */

/* Hand the job, which is ready and in staging memory, to the run's agent, and wait until it is
 * saved: true, with the result. False: it is to be saved here; *trouble says why. */
bool snap_agent_save(struct snap_run *run, const struct snap_save_job *job,
                     struct snap_save_result *result, struct snap_error *trouble);
/* Let snapshots go by the run's rules, which it has, but for those that the job holds; by the
 * thread that saves (prune.c). */
void snap_prune_after_save(const struct snap_run *run, const struct snap_save_job *job,
                           struct snap_prune_result *result);
/* Copy the steps into *held, which is empty (prune.c). */
enum snap_status snap_held_fill(struct snap_held *held, const uint64_t *steps, size_t count,
                                struct snap_error *err);

/* Write down, where that is possible, why the agent did not make this save. */
void snap_agent_note_trouble(const struct snap_run *run, const struct snap_save_job *job,
                             const char *why);

/* When the save under way has ended, or `wait`: take over what became of it (capture.c). */
void snap_run_settle_saves(struct snap_run *run, bool wait);

#endif
