/* SPDX-License-Identifier: Apache-2.0 */
/* A run from the inside, for the files that implement <snapstate/run.h>. */
#ifndef SNAP_RUN_INTERNAL_H
#define SNAP_RUN_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/keep.h>
#include <snapstate/run.h>

#include "core/buffer.h"
#include "device/device_ops.h"
#include "folder/run_folder.h"
#include "format/archive_read.h"
#include "format/data_json.h"
#include "format/manifest.h"
#include "ledger/ledger_line.h"
#include "run/inventory.h"
#include "save/staging.h"
#include "store/store_ops.h"

/* What the next snapshot's manifest says of the one before: everything as of the last snapshot,
 * with the lines since. */
struct snap_parent_link {
    bool has_parent;
    unsigned char parent[SNAP_DIGEST_BYTES]; /* its snapshot hash */
    bool has_before;
    struct snap_chain_heads before; /* the heads at it */
    struct snap_buffer lines;       /* ledger lines after it */
    /* A snapshot of the present step exists: it becomes the parent when the next line is added,
     * so that a second save of this step is the same file again. */
    bool has_latest;
    unsigned char latest[SNAP_DIGEST_BYTES];
};

/* Lines that are expected: the next one is `next`. */
struct snap_expectation {
    const struct snap_ledger *ledger; /* NULL: nothing is expected */
    size_t next;
    bool host; /* of each line the host part alone */
};

/* The last whole snapshot that this process wrote, and so read back. */
struct snap_thin_base {
    char name[SNAP_SNAPSHOT_NAME_BYTES]; /* "": none */
    char hash[SNAP_HASH_TEXT_BYTES];
    uint64_t followers; /* thin ones made since */
};

/* What a step changes: tensors and streams. */
struct snap_moving {
    bool known;
    uint64_t step;
    unsigned char digest[SNAP_DIGEST_BYTES];
};

/* What the next snapshot is compared with: a save takes it, and gives the next one back. */
struct snap_written {
    struct snap_thin_base base; /* of thin snapshots */
    struct snap_moving moving;  /* as of the last snapshot that this process wrote */
    uint64_t stale_step;        /* of the last that found nothing moved; 0: there was none */
};

/* What became of pruning after a save. */
struct snap_prune_result {
    struct snap_error error; /* its status is SNAP_OK when all went well */
    uint64_t freed;          /* bytes */
};

/* Steps whose snapshots stay whatever the rules say. */
struct snap_held {
    uint64_t *steps; /* owned */
    size_t count;
};

struct snap_run {
    /* What it was opened with. */
    char *archive_path; /* NULL: by `latest` */
    char *profile;
    json_t *binding;
    json_t *training; /* NULL: null */
    uint64_t state_every;
    uint64_t every;
    uint64_t staging_bytes;
    enum snap_device_first device_first;
    bool no_read_back;
    uint64_t volume_size;
    uint64_t first_step;
    struct snap_group *group; /* NULL: alone */
    bool heads_shared;        /* every rank has the heads of rank 0 */
    struct snap_rank_streams *rank_streams; /* rank_streams.c's; NULL: there are none */
    struct snap_pool *pool;
    struct snap_pool *own_pool; /* the same when the run made it */

    /* The folder; store NULL when there is none. */
    char *dir;
    struct snap_store *store;
    struct snap_store_lock *lock;
    int dirfd;
    char *ledger_path;
    bool has_run;       /* it held a run when it was opened: lines, snapshots or `latest` */
    bool has_snapshots; /* when it was opened */
    struct snap_ledger_file ledger_file;

    struct snap_inventory inventory;
    struct snap_data_doc data;      /* the place in the data, now */
    struct snap_buffer data_before; /* its document as begin_step found it */

    /* Progress. */
    bool restore_called;
    bool begun;    /* the heads are those of a line; before, no line was made or restored */
    bool in_step;  /* between begin_step and step */
    bool updating; /* before_update was called in this step */
    bool alarm;    /* streams must still be as restored */
    uint64_t steps_done;
    struct snap_chain_heads heads;
    char run_id[SNAP_RUN_ID_DIGITS + 1];
    json_t *genesis_parent; /* host.parent of the genesis line to be made; NULL: null */
    struct snap_parent_link link;

    /* Expected lines: of the run's own ledger, and given by the caller. */
    struct snap_ledger *own_ledger;
    struct snap_expectation own;
    struct snap_expectation given;
    bool has_difference;
    struct snap_ledger_difference difference;
    struct snap_float_deviation deviation; /* of lines of which the host part alone is expected */

    void *device_stream; /* the one that the caller named last */
    struct snap_run_digester *digesters; /* device_digest.c's */
    size_t digester_count;

    /* Saving. */
    atomic_int requested; /* enum snap_wanted; set by signal handlers */
    int answered;         /* what snap_run_wanted said last */
    bool captured;        /* captured_step is the last step saved, or being saved */
    uint64_t captured_step;
    struct snap_ticket *tickets;
    uint64_t thin;
    struct snap_written written;
    const struct snap_keep *keep;    /* which snapshots stay, after each save; NULL: all */
    struct snap_held held;           /* and these */
    struct snap_prune_result pruned; /* after the last save */
    struct snap_staging staging;
    struct snap_save_behind *saving;   /* the save under way; NULL: none is */
    struct snap_ticket *saving_ticket; /* its ticket */
    struct snap_pool *save_pool;       /* its threads; NULL: there was none yet */
    char *agent;                       /* the socket of who saves for it; NULL: nobody does */
    char agent_trouble[1000];          /* why it did not make the last save; "": it did */
};

/* ---- events: run_event.c ---- */

/* Add an event. `fields` is an object, consumed in any case; NULL: memory was out when it was made.
 * A run without folder writes nothing. */
enum snap_status snap_run_add_event(struct snap_run *run, const char *event, json_t *fields,
                                    struct snap_error *err);

/* Would a snapshot of the state, which is frozen, have more volumes than are allowed?
 * SNAP_INVALID, with the sizes (run_volumes.c). */
enum snap_status snap_volumes_check(const struct snap_run *run, struct snap_error *err);

/* ---- ledger: run_ledger.c, run_line.c, run_expect.c ---- */

/* What of the ledger's file stays, and what goes. */
struct snap_ledger_mend {
    uint64_t size;  /* bytes of the lines that stay */
    uint64_t past;  /* bytes after them, which go */
    json_t *events; /* an array of the fields of "ledger" events that tell it; NULL: none */
};
void snap_ledger_mend_release(struct snap_ledger_mend *mend);
/* `fields` is consumed; NULL: memory was out when it was made. */
enum snap_status snap_ledger_mend_tell(struct snap_ledger_mend *mend, json_t *fields,
                                       struct snap_error *err);
/* The lines from `keep` on go too, with an event. */
enum snap_status snap_ledger_mend_drop(struct snap_ledger_mend *mend,
                                       const struct snap_ledger *ledger, size_t keep,
                                       struct snap_error *err);
/* Read the run's own ledger. *ledger NULL: there is none, or it has no whole line. `mend` (NULL:
 * not wanted) must be zeroed. */
enum snap_status snap_run_ledger_read(struct snap_run *run, struct snap_ledger **ledger,
                                      struct snap_ledger_mend *mend, struct snap_error *err);
/* The ledger that goes through `archive`: the run's own, or built from the archives in the folder
 * where lines are lost (then it is written), as far as the newest of them. Damage after the
 * archive's step takes the lines from there on. SNAP_INVALID: the archive is of another run. */
enum snap_status snap_run_ledger_reach(struct snap_run *run, const struct snap_archive *archive,
                                       struct snap_ledger **ledger, struct snap_ledger_mend *mend,
                                       struct snap_error *err);
/* Open the ledger for appending. Nothing is cut off yet. */
enum snap_status snap_run_ledger_start(struct snap_run *run, const struct snap_ledger_mend *mend,
                                       struct snap_error *err);
/* Cut off what goes, and tell it in events. */
enum snap_status snap_run_ledger_mend(struct snap_run *run, const struct snap_ledger_mend *mend,
                                      struct snap_error *err);
/* The run has its genesis line after SNAP_OK: make and write, or compare it, once. `status` is how
 * it went so far, with its text in `err`: the other ranks are told. */
enum snap_status snap_run_begin(struct snap_run *run, enum snap_status status,
                                struct snap_error *err);
/* Compare a line just made with what is expected, or add it to the ledger; then the run's heads are
 * `heads`. `line` is of step `step`, or a genesis line. */
enum snap_status snap_run_line(struct snap_run *run, const struct snap_buffer *line, bool genesis,
                               uint64_t step, const struct snap_chain_heads *heads,
                               struct snap_error *err);

/* Is a line expected, and is it this one? *met tells whether one was expected. SNAP_DIFFERS:
 * run->difference says what differs. */
enum snap_status snap_run_meet(struct snap_run *run, const struct snap_expectation *expectation,
                               const struct snap_buffer *line, bool genesis, uint64_t step,
                               bool *met, struct snap_error *err);
/* The host part of a line must be the one expected; its floats are added to *deviation. */
enum snap_status snap_run_meet_host(struct snap_run *run, const char *expected, const char *made,
                                    bool genesis, uint64_t step,
                                    struct snap_float_deviation *deviation, struct snap_error *err);

/* ---- several ranks: run_group.c ---- */

/* Is it of a rank other than 0, which has the state and no folder? */
bool snap_run_follows(const struct snap_run *run);
/* After the heads of a run are known on each rank, or `status` says why not: the run id and heads
 * of rank 0 are those of all. SNAP_DIFFERS: a rank came to others. Once a run. */
enum snap_status snap_run_share_heads(struct snap_run *run, enum snap_status status,
                                      struct snap_error *err);

/* What is asked for, and what stands against it. */
struct snap_asked {
    int32_t wanted; /* enum snap_wanted, the strongest request of any rank */
    bool saving;    /* a save is under way */
    bool saved;     /* the present step is saved */
    bool full;      /* the lines since the last snapshot are many */
};
/* The strongest request, also as this rank's own, and the rest as rank 0 has it. */
void snap_run_share_asked(struct snap_run *run, struct snap_asked *asked);
/* ---- the agent: agent_fetch.c ---- */

/* Wait until the agent has nothing of this run under way: a training that was killed has left it a
 * save. Without an answer nothing is under way. */
void snap_agent_settle(const struct snap_run *run);
/* The archive of that hash, `name` in the run's folder, from the agent's memory, whole, and such
 * that nobody can change it. SNAP_NOT_FOUND: it has none, or there is no agent. */
enum snap_status snap_agent_fetch(const struct snap_run *run, const char *name, const char *hash,
                                  struct snap_archive **archive, struct snap_error *err);

/* ---- small things: run_open.c, run_inventory.c ---- */

/* Everything is registered; sizes against the staging limit. */
enum snap_status snap_run_freeze(struct snap_run *run, struct snap_error *err);
/* After a restore, until the first step: every stream must be as it was left. SNAP_DIFFERS names
 * the one that moved. */
enum snap_status snap_run_check_alarm(struct snap_run *run, struct snap_error *err);
/* Names the run in messages: its folder, or "run in memory". */
const char *snap_run_label(const struct snap_run *run);
void snap_parent_link_release(struct snap_parent_link *link);

/* The first failure of a save that nobody was told. One under way is not waited for. */
enum snap_status snap_run_check_saves(struct snap_run *run, struct snap_error *err);
void snap_run_free_tickets(struct snap_run *run);

#endif
