/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer as a command sees it: train, restore and train on, replay, ask a live run for a
 * save, look whether all of that is possible. Nothing here prints, except the progress line on a
 * terminal that the caller gives. One call at a time in a process: signals are handled while
 * trn_run and trn_restore train. */
#ifndef TRN_TRAINER_H
#define TRN_TRAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <snapstate/archive.h>
#include <snapstate/group.h>
#include <snapstate/ledger.h>
#include <snapstate/receipt.h>
#include <snapstate/status.h>

/* Longest path kept in a result, with its terminator. */
#define TRN_PATH_SIZE 4096

/* One output of an operation of a step. */
struct trn_operation {
    uint64_t index;  /* of the operation in the step, from 0; its outputs have one */
    char op[32];     /* "conv_forward", as in trainer/ops/ops.h */
    char output[16]; /* the argument that it wrote: "y" */
    char phase[16];  /* "batch", "forward", "loss", "backward", "norm", "clip", "update" */
    char name[112];  /* the layer; of norm, clip and update the parameter; "": neither */
    unsigned shard;
    const char *dtype; /* "f32", "i32"; static */
    unsigned rank;
    uint64_t shape[5];      /* the first `rank` */
    double least, largest;  /* of the finite elements; 0 where there is none */
    uint64_t nonfinite;     /* elements that are NaN or infinite */
    uint64_t first_nonfinite; /* index of the first, where there is one */
    unsigned char sha256[SNAP_DIGEST_BYTES]; /* of the elements, little-endian */
};

/* What a capsule says of an operation. */
enum trn_recorded {
    TRN_RECORDED_NOTHING, /* it has no list, or it ends before; or there was another one before */
    TRN_RECORDED_EQUAL,   /* the same digest */
    TRN_RECORDED_OTHER    /* another digest, or another operation */
};

/* What a caller may want to hear while a training goes on. Every member is optional. */
struct trn_listener {
    void *arg;
    /* A restore is done, and no step has been made yet. Borrowed during the call. */
    void (*restored)(void *arg, const struct snap_receipt *receipt);
    /* The held-out data was evaluated after `step`, which ended `epoch` (from 0). */
    void (*evaluated)(void *arg, uint64_t epoch, uint64_t step, float loss, uint64_t correct,
                      uint64_t samples);
    /* A snapshot is durable. */
    void (*saved)(void *arg, uint64_t step, const char *snapshot_hash, const char *path);
    /* The snapshot after `step` was restored by another process, and gave the next ledger line. */
    void (*certified)(void *arg, uint64_t step);
    /* An operation of the failed step of a capsule, which is made again. */
    void (*operation)(void *arg, const struct trn_operation *operation, enum trn_recorded recorded);
    /* Something went wrong that the training survives: a save that failed or a snapshot that was
     * refuted, where the config says to go on; snapshots that do not change. */
    void (*warned)(void *arg, const char *text);
    /* Steps, speed and time left are shown here, in one line that is written over, if it is a
     * terminal. NULL: nowhere. */
    FILE *progress;
};

enum trn_stop {
    TRN_STOP_DONE = 0,     /* all steps were made */
    TRN_STOP_SIGNAL = 1,   /* by a signal, after a durable snapshot: exit 75 */
    TRN_STOP_NONFINITE = 2, /* NaN or Inf; the step was not made: exit 7, see `failure` */
    TRN_STOP_ERROR = 3 /* what the status and the error say */
    /* A second signal stops at once: the process ends by that signal, and nothing is returned. */
};
const char *trn_stop_name(enum trn_stop stop); /* "done", "signal", "nonfinite", "error" */

/* The first NaN or Inf, and the capsule that was made of it. */
struct trn_failure {
    uint64_t step;               /* the step that failed */
    char where[128];             /* "loss", "gradient of conv1.weight", "conv1.weight" */
    const char *value;           /* "nan", "+inf", "-inf"; static */
    uint64_t element;            /* its index */
    char capsule[TRN_PATH_SIZE]; /* "" when none could be made in memory (a replay) */
};

/* How a training went. Initialise with TRN_RESULT_INIT; release after any status. */
struct trn_result {
    enum trn_stop stop;
    int signal;                              /* its number, for TRN_STOP_SIGNAL */
    char dir[TRN_PATH_SIZE];                 /* the run folder */
    uint64_t first_step;                     /* steps that were done before this call */
    uint64_t step;                           /* steps that are done now */
    uint64_t total_steps;                    /* where the training would have ended by itself */
    char run_hash[SNAP_HASH_TEXT_BYTES];     /* "run1:..." after `step` */
    char host_chain[SNAP_HASH_TEXT_BYTES];   /* 64 hex digits */
    char state_hash[SNAP_HASH_TEXT_BYTES];   /* "state1:..." after `step` */
    char snapshot_hash[SNAP_HASH_TEXT_BYTES]; /* "snap1:..." of the last snapshot; "": none */
    uint64_t snapshot_step;
    char snapshot_path[TRN_PATH_SIZE];
    bool has_loss; /* a step was made */
    float loss;    /* of the last one */
    bool has_evaluation;
    uint64_t evaluation_step;
    float evaluation_loss;
    uint64_t evaluation_correct;
    uint64_t evaluation_samples;
    double seconds;               /* spent in steps */
    struct snap_receipt *receipt; /* of the restore; NULL: there was none */
    struct trn_failure failure;   /* for TRN_STOP_NONFINITE */
    /* A repeated step that came out otherwise (status SNAP_DIFFERS). */
    bool has_difference;
    struct snap_ledger_difference difference;
};
#define TRN_RESULT_INIT { .stop = TRN_STOP_DONE }
void trn_result_release(struct trn_result *result);

/* ---- run CONFIG --dir DIR ---- */

struct trn_run_options {
    const char *config;  /* a file */
    const char *dir;     /* the run folder, not there yet or empty */
    bool has_steps;
    uint64_t steps;      /* stop after this step (counted from the start of the run) */
    unsigned threads;    /* 0: as the config says */
    bool has_seed;
    uint64_t seed;       /* instead of training.seed and training.seeds */
    const char *device;  /* "cpu", "cuda:N"; NULL: as the config says */
    const struct trn_listener *listener; /* NULL: nobody listens */
    struct snap_group *group; /* the ranks that train together: each makes the same call, and rank 0
                               * has the folder and the listener; NULL: this process alone */
};
#define TRN_RUN_OPTIONS_INIT { .config = NULL }

/* Start a run in a new folder and train to the end. SNAP_OK with result->stop; SNAP_NONFINITE
 * with result->stop and result->failure, when a NaN ended it; other statuses are errors.
 * SNAP_BUSY: another process trains there; SNAP_INVALID: the config (the text names the key), or
 * the folder holds a run already. */
enum snap_status trn_run(const struct trn_run_options *options, struct trn_result *result,
                         struct snap_error *err);

/* ---- restore RUN|ARCHIVE ---- */

struct trn_restore_options {
    const char *target;   /* a run folder or an archive */
    const char *dir;      /* the folder to go on in: a new one, or the run that the archive is of;
                           * NULL: the run folder given as target (an archive needs one) */
    const char *data_dir; /* look for the data files here, by digest; NULL: where the config says */
    bool has_steps;
    uint64_t steps;       /* stop after this step (counted from the start of the run) */
    unsigned threads;     /* 0: as the config says */
    const char *device;
    enum snap_tier require; /* SNAP_TIER_EXACT unless the user says less */
    bool dry_run;         /* restore in memory, make the receipt, and leave everything as it is */
    const struct trn_listener *listener;
    struct snap_group *group; /* as in a run */
};
#define TRN_RESTORE_OPTIONS_INIT { .require = SNAP_TIER_EXACT }

/* Restore and train on. As trn_run; also SNAP_ABSENT (the tier is below `require`;
 * result->receipt says why), SNAP_CORRUPT, SNAP_DIFFERS (a repeated step came out otherwise:
 * result->difference; or a data file is another one: the text names it), SNAP_NOT_FOUND (no such
 * run). */
enum snap_status trn_restore(const struct trn_restore_options *options, struct trn_result *result,
                             struct snap_error *err);

/* ---- replay ARCHIVE ---- */

struct trn_replay_options {
    const char *archive;    /* a snapshot or a capsule; NULL: from the state before the first step,
                             * made from the config and data of the run in folder `ledger` */
    bool has_to_step;
    uint64_t to_step;       /* the last step to repeat; else: to_archive's, or the last expected */
    const char *to_archive; /* compare with this archive's state at its step; NULL: none */
    const char *ledger;     /* a ledger.jsonl, or a run folder; NULL: what lies beside the
                             * archive */
    const char *exec;       /* a shell command that trains instead of this trainer; NULL: none */
    bool step_by_step;      /* the archive must be a capsule, and no other program trains, so that
                             * listener->operation hears something (SNAP_INVALID otherwise) */
    bool host_part;         /* of each line compare the host part alone, and measure the floats:
                             * for a profile that does not promise them on this machine. Whole
                             * states are not compared, and no hash is told */
    const char *data_dir;   /* as in a restore */
    unsigned threads;       /* 0: as many as processors */
    const char *device;
    const struct trn_listener *listener;
};
#define TRN_REPLAY_OPTIONS_INIT { .archive = NULL }

struct trn_replay_result {
    bool capsule;            /* the archive is a capsule */
    uint64_t first_step;     /* the archive's step */
    uint64_t step;           /* the last step that was repeated */
    uint64_t lines_compared; /* ledger lines that were expected and came */
    uint64_t states_compared; /* archives whose state was compared in whole */
    char expected_from[TRN_PATH_SIZE]; /* where the expectation came from */
    char run_hash[SNAP_HASH_TEXT_BYTES];
    char state_hash[SNAP_HASH_TEXT_BYTES];
    /* Of a capsule: what the failed step gave this time, and whether it is what the capsule
     * says. */
    bool reproduced;
    struct trn_failure failure;          /* recorded in the capsule */
    struct trn_failure repeated_failure; /* value NULL: the step did not fail */
    uint64_t operations; /* outputs of operations that were seen in the step */
    uint64_t recorded;   /* of these, that the capsule has a digest of */
    bool has_nonfinite;
    struct trn_operation nonfinite; /* the first that is not finite */
    bool has_other;
    struct trn_operation other; /* the first that is not as recorded */
    /* SNAP_DIFFERS: the first step that came out otherwise, and what in it. */
    bool has_difference;
    struct snap_ledger_difference difference; /* kind "state": found in an archive */
    char first_member[256]; /* first stream, batch or tensor that differs; "": unknown */
    struct snap_float_deviation deviation; /* where the host part alone was compared */
};
#define TRN_REPLAY_RESULT_INIT { .capsule = false, .deviation = SNAP_FLOAT_DEVIATION_INIT }

/* Train again in memory from `archive`, and compare every step. SNAP_OK: all equal (of a capsule:
 * reproduced). SNAP_DIFFERS: *result says what differs first. SNAP_NOT_FOUND: nothing to compare
 * with (nothing was run). Other statuses as trn_restore. Nothing is written. */
enum snap_status trn_replay(const struct trn_replay_options *options,
                            struct trn_replay_result *result, struct snap_error *err);

/* ---- verify RUN --replay K ---- */

/* Bytes of a challenge that is drawn here. */
#define TRN_CHALLENGE_BYTES 16
#define TRN_CHALLENGE_TEXT_BYTES 129 /* 2 to 64 bytes in hex, and a terminator */

struct trn_stretches_options {
    const char *dir;       /* a run folder, or a published one */
    uint64_t count;        /* stretches to make again; more than there are: all */
    const char *challenge; /* 4 to 128 hex digits that choose them; NULL: drawn here */
    const char *exec;      /* as in a replay: then only stretches that begin at an archive */
    const char *data_dir;  /* as in a restore */
    unsigned threads;
    const char *device;
    const struct trn_listener *listener;
};
#define TRN_STRETCHES_OPTIONS_INIT { .dir = NULL }

/* From one state that is here, or that can be made from config, seeds and data (step 0), to the
 * next. */
struct trn_stretch {
    uint64_t first; /* the step of that state */
    uint64_t last;
    char archive[TRN_PATH_SIZE]; /* ""; step 0 */
    bool chosen;
    bool equal; /* it was made again, and all of it was equal */
    bool host_equal; /* the host part alone was made again, and was equal */
};

struct trn_stretches_result {
    char challenge[TRN_CHALLENGE_TEXT_BYTES];
    bool drawn; /* here: nobody could know it before */
    struct trn_stretch *stretches; /* by step; owned */
    size_t count;
    size_t replayed; /* of the chosen ones, equal or not */
    uint64_t steps;  /* made again, and equal */
    bool host_part;  /* the profile does not promise the floats on this machine: of every stretch
                      * the host part alone was made again */
    char why[1000];  /* why; "" else */
    struct snap_float_deviation deviation; /* of all of them */
    struct trn_replay_result last; /* of the last one that was made again */
};
#define TRN_STRETCHES_RESULT_INIT \
    { .count = 0, .deviation = SNAP_FLOAT_DEVIATION_INIT, .last = TRN_REPLAY_RESULT_INIT }
void trn_stretches_result_release(struct trn_stretches_result *result);

/* Choose stretches of a run and make them again, each compared with the ledger and with the states
 * that are here. Which are chosen follows from the challenge and the numbers of the steps alone:
 * no content that an author could try again and again has a say in it. Where the state can not be
 * restored at tier exact on this machine, the host part alone is made again. SNAP_DIFFERS:
 * result->last says what; SNAP_NOT_FOUND: there is nothing to start from. Other statuses as
 * trn_replay. */
enum snap_status trn_replay_stretches(const struct trn_stretches_options *options,
                                      struct trn_stretches_result *result,
                                      struct snap_error *err);

/* ---- bisect A B ---- */

struct trn_bisect_options {
    const char *left;  /* a run folder */
    const char *right; /* another */
    bool no_replay;    /* look at what was recorded alone */
    const char *data_dir; /* as in a restore */
    unsigned threads;
    const char *device;
    const struct trn_listener *listener;
};
#define TRN_BISECT_OPTIONS_INIT { .left = NULL }

/* A key of the genesis lines that differs: "training.seeds.numpy", "binding.threads". */
struct trn_bisect_key {
    char name[160];
    char left[120]; /* the value as text; "absent" */
    char right[120];
};

/* Steps that were made again: first + 1 to last. */
struct trn_bisect_stretch {
    bool of_right; /* from the right run's state and config */
    uint64_t first, last;
    char archive[TRN_PATH_SIZE]; /* ""; from the state before the first step */
    uint64_t reproduced; /* the last of them that is what the run's own ledger says */
};

/* What an operator wrote, in the first place where two executions differ. */
struct trn_bisect_output {
    bool made;       /* false: this side had no more operators */
    size_t index;    /* of the operator in the step, from 0 */
    char op[32];     /* "conv_forward" */
    char output[24]; /* "y" */
    char phase[12];  /* "forward" */
    char name[112];  /* of the layer or parameter; "": neither */
    unsigned shard;
    char shape[64];  /* "[13, 7, 6, 6]" */
    double least, largest; /* of the finite elements */
    uint64_t nonfinite;
    char sha256[65];
};

/* What was found. Initialise with TRN_BISECT_RESULT_INIT; release after any status. */
struct trn_bisect_result {
    /* What came first: "equal", "config", "environment", "data", "stream", "weights", "optimizer",
     * "operation" (equal inputs, and another result), "record" (a ledger line alone), "unknown";
     * static. */
    const char *kind;
    char first[1200]; /* a sentence about it; "" when equal */
    char own[600]; /* which run's ledger is not what its own state makes; "": none that is known */

    uint64_t left_last, right_last; /* the last steps of the ledgers */
    struct trn_bisect_key *keys;    /* of the genesis lines; owned */
    size_t key_count;

    uint64_t steps_compared;
    bool has_line; /* the first line after the genesis line that differs */
    struct snap_ledger_difference line;

    uint64_t common;  /* snapshots that both have */
    uint64_t opened;  /* of these, looked at */
    bool has_equal_snapshot, has_different_snapshot;
    uint64_t equal_snapshot;     /* step of the last one whose content is equal */
    uint64_t different_snapshot; /* step of the first one whose content is not */
    char state_difference[1000]; /* the first stream, tensor, .. of the latter; "" */

    char stream[64]; /* for kind "stream": its name */
    bool has_distance;
    int64_t distance; /* words by which the right one is ahead */

    struct trn_bisect_stretch stretches[2];
    size_t stretch_count;
    uint64_t steps_repeated;
    char not_replayed[1000]; /* why nothing was made again; "" */

    bool has_operation;
    uint64_t operation_step;
    struct trn_bisect_output left_output, right_output;
};
#define TRN_BISECT_RESULT_INIT { .kind = "equal" }
void trn_bisect_result_release(struct trn_bisect_result *result);

/* Find where two runs part: the first snapshot by halving, the first ledger line, and by making the
 * stretch between again, two at most, which of the runs the state before does not make, or the
 * first operator whose results differ. SNAP_OK: they are equal over what both have. SNAP_DIFFERS:
 * *result says where and what. Nothing is written. Other statuses: the records cannot be read. */
enum snap_status trn_bisect(const struct trn_bisect_options *options,
                            struct trn_bisect_result *result, struct snap_error *err);

/* ---- save RUN ---- */

struct trn_saved {
    uint64_t step;
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
};

/* Ask the live run in `run_dir` for a save and wait until it is durable. SNAP_NOT_FOUND: no process
 * trains there. SNAP_IO: the time is over (timeout_ms; 0: wait for ever), or the save failed (the
 * text is the run's own). */
enum snap_status trn_save_request(const char *run_dir, unsigned timeout_ms,
                                  struct trn_saved *saved, struct snap_error *err);

/* ---- check CONFIG|RUN|ARCHIVE ---- */

#define TRN_DATA_FILES 5 /* train_images, train_labels, test_images, test_labels, text */

struct trn_check_file {
    const char *role;         /* static */
    char path[TRN_PATH_SIZE]; /* where it was found; "": not found */
    char expected[65];        /* hex digest that a run or archive asks for; "": any (a config) */
    char sha256[65];          /* hex digest of the file found */
    char problem[512];        /* "": none */
};

struct trn_check {
    const char *target_kind;  /* "config", "run", "archive"; static */
    enum snap_tier tier;      /* the most that is possible here; none: it cannot be trained */
    char why[1000];           /* why not more; "" when exact */
    size_t file_count;
    struct trn_check_file files[TRN_DATA_FILES];
    uint64_t step;            /* steps done; 0 for a config */
    uint64_t total_steps;
    uint64_t every;           /* 0: a snapshot at the end only */
    uint64_t snapshot_bytes;  /* size of one archive: of the last one, or computed */
    uint64_t snapshots;       /* how many are still to come */
    bool has_space;           /* the two below are known */
    uint64_t bytes_needed;    /* saturates */
    uint64_t bytes_free;      /* in the file system of the run folder (of a config: of `dir`) */
    bool enough_space;
};
#define TRN_CHECK_INIT { .target_kind = "" }

struct trn_check_options {
    const char *target;
    const char *dir;      /* where a config's run, or a restored archive, would write (a run folder
                           * is its own); NULL: the working directory */
    const char *data_dir;
};
#define TRN_CHECK_OPTIONS_INIT { .target = NULL }

/* Say what is possible, without training and without writing. SNAP_OK: *check is filled, and the
 * tier is exact, every file was found and the disk is large enough; SNAP_ABSENT: filled, and one
 * of these is not so. Other statuses: nothing could be said. */
enum snap_status trn_check(const struct trn_check_options *options, struct trn_check *check,
                           struct snap_error *err);

#endif
