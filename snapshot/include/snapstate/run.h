/* SPDX-License-Identifier: Apache-2.0 */
/* A run: what an embedding trainer registers once, and calls at each step.
 *
 *     snap_run_open          the folder, its lock, the profile
 *     snap_run_add_*         the inventory: everything that decides the next step
 *     snap_run_restore       in place; SNAP_NOT_FOUND: a fresh run, go on with what is there
 *     for each step:
 *         snap_run_begin_step     streams as of before the step; after a restore, the alarm
 *         ... draw a batch, forward, backward ...
 *         snap_run_before_update  weights change only after this
 *         ... update ...
 *         snap_run_set_position   the place in the data
 *         snap_run_step           the ledger line
 *         snap_run_wanted         a save is due: snap_run_capture, snap_run_wait
 *     snap_run_close
 *
 * A run is used by one thread at a time; snap_run_request alone may be called from a signal handler
 * or another thread. */
#ifndef SNAPSTATE_RUN_H
#define SNAPSTATE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/device.h>
#include <snapstate/group.h>
#include <snapstate/ledger.h>
#include <snapstate/pool.h>
#include <snapstate/receipt.h>
#include <snapstate/status.h>
#include <snapstate/stream.h>
#include <snapstate/tree.h>

#ifdef __cplusplus
extern "C" {
#endif

struct snap_run;

struct snap_run_options {
    size_t size_bytes;   /* sizeof(struct snap_run_options) */
    /* The run folder, made when it is not there. NULL: nothing is written anywhere, for a replay
     * in memory; capture then answers SNAP_UNSUPPORTED. */
    const char *dir;
    /* Restore from this archive. With a `dir` that holds no run, the archive's state begins a new
     * run there, whose genesis line names the parent's chain. With the `dir` of the run that the
     * archive belongs to, the run goes on from it. NULL: from the snapshot that `latest` names. */
    const char *archive;
    /* `dir` must not hold a run yet: no line of a ledger, no snapshot, no `latest` (SNAP_INVALID
     * otherwise). */
    bool must_be_new;
    /* `dir` must hold a run, or the config of one that has not begun (SNAP_NOT_FOUND otherwise). */
    bool must_exist;
    /* "portable-1", "cudnn-1", "host-1", "torch-1" or "none" (the default when NULL). Under "none"
     * a restore reaches SNAP_TIER_STREAMS at most. */
    const char *profile;
    /* The facts that the profile's promise depends on: a JSON object without reals; NULL: {}. */
    const char *binding;
    /* What decides bits: JSON without reals, made canonical here; NULL: null. Kept in state.json
     * and in the genesis line; a restore under another text needs a new folder. */
    const char *training;
    /* The whole config, JSON without reals, written as config.json into a new folder. NULL:
     * {"training": ...}. */
    const char *config;
    /* The state digest stands in every line whose step is a multiple; 0: never. Must follow from
     * `training` (it decides bytes of the ledger). */
    uint64_t state_every;
    /* A save is wanted after every step that is a multiple; 0: on request only. */
    uint64_t every;
    /* Threads for digests: borrowed until close; NULL: the run makes its own. */
    struct snap_pool *pool;
    /* Bytes of staging memory at most; 0: as much as the state needs. A state that does not fit, or
     * for which the system has no memory, is saved before snap_run_capture returns. */
    uint64_t staging_bytes;
    /* Do not read a snapshot back from the disk before it is published. */
    bool no_read_back;
    /* Steps that were done before this run, by a training that had no ledger: the first step of the
     * run is the one after. Has no meaning when something is restored. */
    uint64_t first_step;
    /* The processes that make this training together, borrowed until close; NULL: one alone. Every
     * rank registers the same inventory, over memory of its own with the same content, and makes
     * the same calls with the same arguments; rank 0 has the folder, and `dir` of the others is not
     * looked at. Collective are open, restore, the first begin_step, wanted and capture; a failure
     * of one rank is the failure of all. */
    struct snap_group *group;
    /* At most so many thin snapshots after a whole one: their tensors that the whole one has are
     * left to it, and read from there. 0: every snapshot is whole. */
    uint64_t thin;
    /* Bytes of a file at most: a snapshot that would be larger is cut into one and volumes beside
     * it, of which each has one tensor member at least. No hash depends on it. 0: every snapshot is
     * one file. For snap_run_save_as, too. Not with several ranks: SNAP_UNSUPPORTED. A state that
     * would need more volumes than docs/format.md allows is refused before the first step. */
    uint64_t volume_size;
    /* The socket of the agent (snap serve) that saves for this run: it is handed the state, and
     * finishes the save also when this process is killed. "": none. NULL: what the environment's
     * SNAP_AGENT names, or else the socket .snap-agent.sock in the nearest folder above `dir`.
     * Where the agent does not answer, or fails, the run saves by itself:
     * snap_run_agent_trouble. Several ranks of a group save by themselves: for them NULL is "", and
     * a name is SNAP_UNSUPPORTED. */
    const char *agent;
    /* Are tensors in the memory of a device, when they are captured, first copied within it, so
     * that before_update waits for that alone and they leave it during the steps that follow?
     * "plenty": while the device has so much free memory that four times as much as the copy takes
     * stays free; "always": whenever it gives the memory; "never". Where they are not, and where
     * the memory is not to be had, they are copied to the host at once. The memory is given back
     * when the copy has left it. NULL: what the environment's SNAP_DEVICE_COPY names, or else
     * "plenty". Of another word: SNAP_INVALID. */
    const char *device_copy;
};
#define SNAP_RUN_OPTIONS_INIT { .size_bytes = sizeof(struct snap_run_options) }

/* Open a run: make or check the folder, take its lock. SNAP_BUSY: another process has it.
 * Owned by the caller until snap_run_close. */
enum snap_status snap_run_open(const struct snap_run_options *options, struct snap_run **run,
                               struct snap_error *err);

/* ---- the inventory: before the first snap_run_restore or snap_run_begin_step ---- */

struct snap_run_tensor {
    size_t size_bytes;       /* sizeof(struct snap_run_tensor) */
    const char *root;        /* "model", "optimizer": [A-Za-z0-9_][A-Za-z0-9._-]* */
    const char *name;        /* UTF-8, unique in its root; copied */
    void *data;              /* element 0, in the memory of `device`; borrowed until close */
    struct snap_device device; /* as snap_device_parse gives it */
    enum snap_dtype dtype;
    size_t ndim;
    const uint64_t *shape;   /* ndim elements; copied */
    const uint64_t *strides; /* in elements; NULL: C order */
    bool requires_grad;
    /* The forward pass changes it (running statistics): begin_step keeps a copy, for capsules. */
    bool changes_in_forward;
};
#define SNAP_RUN_TENSOR_INIT { .size_bytes = sizeof(struct snap_run_tensor) }

/* Register a tensor. Two tensors over the same memory are saved once and stay tied. Order of
 * registration is the parameter order. */
enum snap_status snap_run_add_tensor(struct snap_run *run, const struct snap_run_tensor *tensor,
                                     struct snap_error *err);

/* One allocation that holds `n` contiguous one-dimensional tensors, `counts[i]` elements of
 * `dtype` each, one after the other. */
enum snap_status snap_run_add_slab(struct snap_run *run, const char *root, void *base,
                                   struct snap_device device, enum snap_dtype dtype, size_t n,
                                   const char *const *names, const uint64_t *counts,
                                   struct snap_error *err);

/* Memory of a tensor of a tree. */
struct snap_tree_memory {
    void *data;              /* element 0, in host memory; borrowed until the tree is set again,
                              * dropped, or the run closed */
    bool changes_in_forward; /* as of struct snap_run_tensor */
};

/* Set the whole content of a root: for callers whose state changes its shape. `tree` is a node in
 * JSON as state.json has it (docs/format.md, 5.3; spaces and the order of keys are free), in which
 * the `storage` of a tensor is an index in `memory`, and its `offset` 0; `device` is what the
 * archive will say, wherever the memory is. Which tensors share memory is found out here.
 *
 * Can be called at any time and again: a save, a state digest, and a capsule are of the tree as set
 * last, plain values included, and of what its memory holds then. A restore fills the memory and
 * compares the plain values, which must be the archive's already. A root that is new comes after
 * the others. On failure the root is as it was. SNAP_INVALID: the text says what of the tree. */
enum snap_status snap_run_set_tree(struct snap_run *run, const char *root, const char *tree,
                                   const struct snap_tree_memory *memory, size_t count,
                                   struct snap_error *err);
/* Take a root that was set so out again. SNAP_NOT_FOUND: there is none. */
enum snap_status snap_run_drop_tree(struct snap_run *run, const char *root,
                                    struct snap_error *err);

/* A random stream, kept as rng/`name`. `kind` is a kind of <snapstate/stream.h> or "opaque". `ops`
 * and `arg` are borrowed until close; snap_stream_ops() serves every struct snap_stream. */
enum snap_status snap_run_add_stream(struct snap_run *run, const char *name, const char *kind,
                                     const struct snap_stream_ops *ops, void *arg,
                                     struct snap_error *err);

/* A stream of which every rank has one of its own, seeded by rank, where the one above is the same
 * on all: that of rank R is kept as rng/shard-RRR/`name`, three digits. A save compares: streams
 * that are to be the same and are not, and streams of two ranks that have one state, are
 * SNAP_DIFFERS, and nothing is saved. begin_step, step and capture are collective then.
 *
 * Restored on another number of ranks, the tier is SNAP_TIER_STREAMS, and by the rule
 * rank-streams-1 a rank that the archive has takes its own, and one that it does not have is
 * seeded anew, by a digest of the name, the rank, and the state of rank 0; the receipt says so for
 * each. A stream of kind "opaque" cannot be made so: then the tier is SNAP_TIER_WEIGHTS. */
enum snap_status snap_run_add_rank_stream(struct snap_run *run, const char *name, const char *kind,
                                          const struct snap_stream_ops *ops, void *arg,
                                          struct snap_error *err);

/* A plain value in the tree, read at capture and written at restore. */
enum snap_value_type {
    SNAP_VALUE_BOOL = 1,  /* bool */
    SNAP_VALUE_INT64 = 2, /* int64_t */
    SNAP_VALUE_DOUBLE = 3 /* double */
};
enum snap_status snap_run_add_scalar(struct snap_run *run, const char *root, const char *name,
                                     enum snap_value_type type, void *value,
                                     struct snap_error *err);

/* Bytes of the caller's, kept as extra/`name`; borrowed until close; their size may not change.
 * `in_state`: they decide the next step, so that the state hash covers them, and a restore writes
 * them back. Others are kept and hashed, and not written back. */
enum snap_status snap_run_add_value(struct snap_run *run, const char *name, bool in_state,
                                    void *data, size_t size_bytes, struct snap_error *err);

/* Something known to exist that is not captured: stands in the coverage statement. */
enum snap_status snap_run_add_not_captured(struct snap_run *run, const char *name,
                                           const char *reason, struct snap_error *err);

/* A data file, by the role that it has ("train_images"), its SHA-256 and size. */
enum snap_status snap_run_add_data_file(struct snap_run *run, const char *role,
                                        const unsigned char sha256[SNAP_DIGEST_BYTES],
                                        uint64_t file_size, struct snap_error *err);
/* SHA-256 and size of a file. */
enum snap_status snap_file_digest(const char *path, unsigned char sha256[SNAP_DIGEST_BYTES],
                                  uint64_t *file_size, struct snap_error *err);

/* ---- restore ---- */

/* Bring the state back, in place: all digests first, then into place with digests again, then read
 * back and compared. Once a run; after a refusal it can be called again with another `require`.
 *
 * In its own folder the run goes on from the archive: lines of the ledger that are lost are built
 * again from the snapshots, a torn last one is dropped, as are all from the first damaged one on
 * when that is after the archive's step (with an event), and later ones are expected again. That
 * needs the same training and profile (SNAP_INVALID: a new folder is needed), and tier exact
 * (SNAP_ABSENT), or under profile "none" tier streams; then later lines are not expected but taken
 * off the ledger, with an event. A run that was stopped after its first snapshot and before
 * `latest` goes on from that one. A new folder takes what the archive gives, at the tier required.
 *
 * SNAP_NOT_FOUND: there is no snapshot and never was one; memory is as before, and the run starts
 * at step 0. If a ledger is there, its lines are expected again; under profile "none" only the host
 * part of its genesis line is, and the other lines are taken off it, with an event.
 * SNAP_ABSENT: the tier that can be reached is below `require`, or a member needed is withheld;
 * nothing was changed. SNAP_CORRUPT: the archive, `latest` or the ledger is damaged. With this and
 * every other failure nothing was changed, unless the text says "unusable": then memory is not to
 * be trained on. *receipt (NULL: not wanted) is owned by the caller; also made with SNAP_ABSENT.
 * `stream` is a cudaStream_t, or NULL, the default one: tensors of a device are copied in its
 * order. Calls without a stream use the one that was given last. */
enum snap_status snap_run_restore(struct snap_run *run, enum snap_tier require, void *stream,
                                  struct snap_receipt **receipt, struct snap_error *err);

/* The archive that snap_run_restore would take: the path of options.archive, or of the snapshot
 * that `latest` names. For callers who have to look into it to register what it holds.
 * SNAP_NOT_FOUND: a fresh run; other answers as of snap_run_restore. `path` has room for
 * `path_size` bytes, NUL included. */
enum snap_status snap_run_source(struct snap_run *run, char *path, size_t path_size,
                                 struct snap_error *err);

/* The lines of `ledger` after the present step are expected: each must be equal, bit for bit, to
 * the line that the same step makes now. For replays; borrowed until close. The ledger must go
 * through the run's present chain head (SNAP_DIFFERS otherwise). */
enum snap_status snap_run_expect(struct snap_run *run, const struct snap_ledger *ledger,
                                 struct snap_error *err);

/* The same where the profile does not promise the floats: on another machine than the run's. Of
 * each line the host part must come again - order, samples, schedule, draws of the CPU streams -
 * and the host chain, which must go through the run's present one; how far the floats are from the
 * recorded ones is measured, and never an error. */
enum snap_status snap_run_expect_host(struct snap_run *run, const struct snap_ledger *ledger,
                                      struct snap_error *err);
/* What was measured of lines since; borrowed until close. */
const struct snap_float_deviation *snap_run_deviation(const struct snap_run *run);

/* Steps done so far (0 in a fresh run). */
uint64_t snap_run_steps_done(const struct snap_run *run);
/* The last step for which a line is expected; 0 when none is. */
uint64_t snap_run_expected_last(const struct snap_run *run);

/* ---- the place in the data ---- */

struct snap_position {
    size_t size_bytes;        /* sizeof(struct snap_position) */
    uint64_t epoch;           /* from 0 */
    uint64_t position;        /* samples of this epoch that were consumed */
    const char *order_stream; /* the stream that orders the epoch ("python"); NULL: no order */
    const void *order_start;  /* that stream's member bytes at the start of the epoch */
    size_t order_start_size;
    uint64_t order_samples;   /* samples in the order */
    unsigned char order_digest[SNAP_DIGEST_BYTES]; /* SHA-256 of the ids as little-endian u32 */
};
#define SNAP_POSITION_INIT { .size_bytes = sizeof(struct snap_position) }

/* Say where the run is in its data, after the step just made; copied. */
enum snap_status snap_run_set_position(struct snap_run *run, const struct snap_position *position,
                                       struct snap_error *err);
/* Where it is: as set last, or as restored. Pointers are borrowed until the next call on `run`. */
enum snap_status snap_run_position(const struct snap_run *run, struct snap_position *position,
                                   struct snap_error *err);
/* SHA-256 of `count` sample ids as little-endian u32: for order_digest and for records. */
enum snap_status snap_sample_digest(const uint32_t *ids, size_t count,
                                    unsigned char sha256[SNAP_DIGEST_BYTES],
                                    struct snap_error *err);
/* SHA-256 of bytes. */
enum snap_status snap_bytes_digest(const void *data, size_t size_bytes,
                                   unsigned char sha256[SNAP_DIGEST_BYTES],
                                   struct snap_error *err);

/* ---- the step ---- */

/* Call before anything of the step is drawn: the draws of a line are counted from here. The first
 * call of a fresh run writes the genesis line. The first call after a restore reads every stream
 * again: SNAP_DIFFERS names the one that moved, by how many draws, and the usual cause. Every call
 * keeps streams and changes_in_forward tensors as they are, for a capsule. */
enum snap_status snap_run_begin_step(struct snap_run *run, struct snap_error *err);

/* The step under way is to be made once more, after its forward or backward pass and before its
 * update: streams and changes_in_forward tensors are put back as begin_step found them (those of a
 * device by what comes later in `stream`), and so is the place in the data, if it was set since;
 * the step stays begun. SNAP_INVALID: none is, or before_update was called. On another failure
 * memory is not to be trained on. */
enum snap_status snap_run_repeat_step(struct snap_run *run, void *stream, struct snap_error *err);

/* Take back a begin_step after which there was no step to make: the data ended. What was drawn
 * since stands in no line. SNAP_INVALID: none was begun, or before_update was called. */
enum snap_status snap_run_cancel_step(struct snap_run *run, struct snap_error *err);

/* The fence: weights, moments and other tensors may change after it returns; those of a device by
 * what comes later in `stream` (a cudaStream_t; NULL: the default one), which waits until a save
 * that was captured has copied them, within the device where options.device_copy has it so. */
enum snap_status snap_run_before_update(struct snap_run *run, void *stream,
                                        struct snap_error *err);

enum snap_scalar_type {
    SNAP_SCALAR_F32 = 1, /* bits: the low 32 */
    SNAP_SCALAR_F64 = 2,
    SNAP_SCALAR_INT = 3 /* bits as uint64_t */
};
struct snap_scalar {
    const char *name; /* borrowed during the call */
    enum snap_scalar_type type;
    uint64_t bits;
};
/* For a float or double value, or an integer up to 2^53. */
struct snap_scalar snap_scalar_f32(const char *name, float value);
struct snap_scalar snap_scalar_f64(const char *name, double value);
struct snap_scalar snap_scalar_int(const char *name, uint64_t value);

/* What a tensor of a step was: for ledgers that are to name the first one that differs. */
enum snap_tensor_role {
    SNAP_TENSOR_OUTPUT = 1,   /* of a module or operation, in the forward pass */
    SNAP_TENSOR_GRADIENT = 2, /* of a parameter, before the update */
    SNAP_TENSOR_WEIGHT = 3    /* a parameter or buffer, as it was at that place of the step */
};
struct snap_tensor_digest {
    enum snap_tensor_role role;
    const char *name; /* UTF-8; borrowed during the call */
    unsigned char sha256[SNAP_DIGEST_BYTES];
};
/* The digest of a tensor's elements in C order (its tree hash: docs/format.md, 6), from host memory
 * in its strides (NULL: C order). Dtype and shape are not in it. */
enum snap_status snap_tensor_digest(const void *data, enum snap_dtype dtype, size_t ndim,
                                    const uint64_t *shape, const uint64_t *strides,
                                    unsigned char sha256[SNAP_DIGEST_BYTES],
                                    struct snap_error *err);

struct snap_step_record {
    size_t size_bytes; /* sizeof(struct snap_step_record) */
    uint64_t step;     /* the update just made: snap_run_steps_done() + 1 */
    uint64_t epoch;
    const unsigned char *sample_digest; /* of the batch's sample ids, or NULL */
    const unsigned char *batch_digest;  /* of the batch's bytes, or NULL */
    /* Host part: equal on any machine ("lr", bias corrections). */
    const struct snap_scalar *host_scalars;
    size_t host_scalar_count;
    /* Float part: as equal as the profile promises ("loss", "grad_norm"). */
    const struct snap_scalar *float_scalars;
    size_t float_scalar_count;
    bool skipped; /* no update was made (a GradScaler's decision) */
    /* In the order in which the step made them; none: the line has no such part. */
    const struct snap_tensor_digest *tensor_digests;
    size_t tensor_digest_count;
};
#define SNAP_STEP_RECORD_INIT { .size_bytes = sizeof(struct snap_step_record) }

/* Write the ledger line of the step. SNAP_DIFFERS: the line expected for it is another one; the
 * text names what differs first, and nothing was written. Errors of a save under way arrive
 * here. */
enum snap_status snap_run_step(struct snap_run *run, const struct snap_step_record *record,
                               struct snap_error *err);
/* The difference behind the last SNAP_DIFFERS of snap_run_step; NULL when there was none (or no
 * run). */
const struct snap_ledger_difference *snap_run_difference(const struct snap_run *run);

/* ---- saving ---- */

enum snap_wanted {
    SNAP_WANTED_NOTHING = 0,
    SNAP_WANTED_SAVE = 1,
    SNAP_WANTED_SAVE_AND_STOP = 2
};
/* Ask for a save after the step under way; a stronger request wins over a weaker one. Safe in a
 * signal handler and from any thread. */
void snap_run_request(struct snap_run *run, enum snap_wanted wanted);
/* What is wanted now, after the ledger line and before the next batch is drawn: by request, by
 * `every`, or because the lines since the last snapshot have come to 512 MiB: they are kept in
 * memory until the next, and an archive can hold no more than 1 GiB of them. A request is
 * taken back by the capture that answers it; one whose save failed has answered nothing, and a
 * stronger request that came in between stays. A plain one that came while a save is under way is
 * told when that has ended. */
enum snap_wanted snap_run_wanted(struct snap_run *run);

/* A save under way; owned by the run. */
struct snap_ticket;

/* Take the state after `step` (the last step done; 0 before the first) and save it as an archive:
 * it is copied into staging memory, and a thread of the run's own writes it from there while the
 * training goes on. What lies in a device's memory is copied behind what is in `stream` now, and
 * leaves the device while the next forward and backward pass go on, which must not change it but
 * where changes_in_forward says so. A capture while another save is under way waits for that one.
 * On return the caller's memory may change as before_update says. A snapshot of this step that is
 * there already and intact, with the same state and chain, is success; a damaged one is replaced,
 * with an event; another state is SNAP_DIFFERS. How the save itself went is told by snap_run_wait,
 * or else by the next snap_run_step, snap_run_capture or snap_run_close. *ticket (NULL: not wanted)
 * is owned by the run. */
enum snap_status snap_run_capture(struct snap_run *run, uint64_t step, void *stream,
                                  struct snap_ticket **ticket, struct snap_error *err);
/* Has the save ended, so that snap_run_wait answers at once? True also for no ticket. */
bool snap_run_ended(struct snap_run *run, const struct snap_ticket *ticket);
/* Wait until the snapshot is durable, read back and named by `latest` (which stays where it is when
 * it names a later one whose lines are expected again); its snapshot hash goes into `hash` (NULL:
 * not wanted). The ticket is used up, whatever the answer. NULL for a ticket: wait for a save under
 * way, if there is one; its failure is the answer when nobody was told. */
enum snap_status snap_run_wait(struct snap_run *run, struct snap_ticket *ticket,
                               char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err);

/* Can the state, of which all is registered, be cut as volume_size of the options says?
 * SNAP_INVALID: there would be more volumes than are allowed; the text has the sizes. A run with a
 * folder asks that by itself. */
enum snap_status snap_run_check_volumes(struct snap_run *run, struct snap_error *err);

/* Save the state as it is now, after the last step done, as an archive at `path`. For a run in
 * memory that restored nothing: it has kept its lines. What is at `path` is replaced, as a whole or
 * not at all, and a failure leaves it as it was. `hash` (NULL: not wanted) receives the snapshot
 * hash. SNAP_UNSUPPORTED for a run with a folder, or that was restored. */
enum snap_status snap_run_save_as(struct snap_run *run, const char *path,
                                  char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err);

/* The step of the last snapshot whose tensors and streams were those of the snapshot before it,
 * though steps lay between: what trains is not what was registered, or nothing trains. 0: there was
 * none. The snapshot is made all the same, with an event. */
uint64_t snap_run_stale_step(const struct snap_run *run);

/* Why the agent did not make the last save that has ended, so that the run made it by itself; ""
 * where it did, or where there is none. Borrowed until the next call on `run`. */
const char *snap_run_agent_trouble(const struct snap_run *run);

/* What a failed step leaves. */
struct snap_attachment {
    const char *name; /* extra/`name` */
    const void *data;
    size_t size_bytes;
};
struct snap_failure {
    size_t size_bytes;  /* sizeof(struct snap_failure) */
    uint64_t step;      /* the step that failed: snap_run_steps_done() + 1 */
    const char *what;   /* "loss", "gradient", "weight" */
    const char *name;   /* the tensor, "" for the loss */
    const char *value;  /* "nan", "+inf", "-inf" */
    uint64_t element;   /* its index, the first such one */
    const struct snap_attachment *attachments; /* the batch: "batch.samples", "batch.images" ... */
    size_t attachment_count;
};
#define SNAP_FAILURE_INIT { .size_bytes = sizeof(struct snap_failure) }

/* Save a capsule, capsules/step-N.snap.tar with the number of the step that failed: the state from
 * before that step, so after step N - 1 (streams, the place in the data and changes_in_forward
 * tensors as begin_step kept them, the rest as it is now, before the update) and the attachments.
 * `path` (`path_size` bytes; NULL: not wanted) receives the file's path. Call it instead of
 * before_update: SNAP_INVALID after it, when the state from before is gone. */
enum snap_status snap_run_capsule(struct snap_run *run, const struct snap_failure *failure,
                                  char *path, size_t path_size, struct snap_error *err);

/* ---- looking ---- */

/* The chain heads after the last line, as "run1:..." and as 64 hex digits of the host chain. */
enum snap_status snap_run_hash(const struct snap_run *run, char run_hash[SNAP_HASH_TEXT_BYTES],
                               char host_chain[SNAP_HASH_TEXT_BYTES], struct snap_error *err);
/* The state hash of the state as it is now ("state1:..."), nothing written. */
enum snap_status snap_run_state_hash(struct snap_run *run, char hash[SNAP_HASH_TEXT_BYTES],
                                     struct snap_error *err);
/* Compare the state as it is now with an archive's, member by member. SNAP_DIFFERS: `text` says
 * which stream, tensor or place in the data differs first (the error says it too). */
enum snap_status snap_run_compare(struct snap_run *run, const struct snap_archive *archive,
                                  char *text, size_t text_size, struct snap_error *err);
/* Add a line to events.jsonl: `event` a word, `fields` a JSON object without reals or NULL. */
enum snap_status snap_run_event(struct snap_run *run, const char *event, const char *fields,
                                struct snap_error *err);
/* The run folder, NULL when there is none; borrowed until close. */
const char *snap_run_dir(const struct snap_run *run);

/* In a child of fork(), which shares the lock with its parent: give up the child's share, so that
 * the folder is free when the parent is gone, and not only when its last child is. After it the run
 * is the parent's alone; nothing may be called with it in the child. NULL is fine. */
void snap_run_after_fork(struct snap_run *run);

/* Wait for a save under way, release the lock, free the run. The status of the last save that
 * nobody waited for comes back here. NULL is fine. */
enum snap_status snap_run_close(struct snap_run *run, struct snap_error *err);

#ifdef __cplusplus
}
#endif

#endif
