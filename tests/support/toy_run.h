/* SPDX-License-Identifier: Apache-2.0 */
/* A training small enough to be run thousands of times, with one of everything that a run can hold:
 * tied, strided, empty and scalar tensors of several dtypes, streams of four kinds and an opaque
 * one, plain values, bytes, and a place in shuffled data. */
#ifndef TESTS_SUPPORT_TOY_RUN_H
#define TESTS_SUPPORT_TOY_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/snapstate.h>

#define TOY_SAMPLES 12
#define TOY_BATCH 4
#define TOY_TRAINING "{\"ledger\":{\"state_every\":1},\"lr\":\"0.05\",\"seed\":42}"

struct toy {
    float weight[6];        /* model/weight, 2 by 3; model/head is its transpose, tied */
    float stats[8];         /* model/norm.stats: every second element, so with gaps */
    int64_t running[3];     /* model/norm.running: the forward pass changes it */
    uint8_t frozen;         /* model/frozen: a bool without dimensions */
    double momentum[6];     /* optimizer/momentum, 2 by 3 */
    uint16_t half[4];       /* optimizer/half, bf16 */
    float empty[1];         /* optimizer/empty, 0 by 4 */
    bool warm;              /* scheduler/warm */
    int64_t seen;           /* scheduler/seen */
    double scale;           /* scheduler/scale */
    unsigned char cache[5]; /* extra/cache, in the state */
    char note[8];           /* extra/note, not in the state */

    struct snap_stream *python; /* orders */
    struct snap_stream *numpy;  /* jitters */
    struct snap_stream *host;   /* initialises */
    struct snap_stream *device; /* counts */
    uint64_t xorshift;          /* opaque: rng/shard-000/own */

    uint32_t order[TOY_SAMPLES];
    struct snap_position position;
    void *order_start; /* owned */

    /* Knobs for tests, all off at first. */
    float bend;          /* added to the loss: another arithmetic */
    bool skip_registers; /* leave optimizer/momentum out of the inventory */
    const char *profile; /* "portable-1" */
    const char *binding;
    const char *training;
    uint64_t every;
    uint64_t state_every; /* 1 */
    uint64_t staging_bytes;
    uint64_t thin;
    uint64_t volume_size;
    struct snap_pool *pool;
    bool read_back; /* snapshots are read back from the disk */
};

void toy_init(struct toy *toy);
void toy_release(struct toy *toy);

/* Open a run on `dir` and `archive` (either may be NULL) and register everything. */
enum snap_status toy_open(struct toy *toy, const char *dir, const char *archive,
                          struct snap_run **run, struct snap_error *err);
enum snap_status toy_register(struct toy *toy, struct snap_run *run, struct snap_error *err);
/* Restore at tier exact, and make the order of the epoch again. */
enum snap_status toy_restore(struct toy *toy, struct snap_run *run, struct snap_receipt **receipt,
                             struct snap_error *err);
/* The order again from the run's position. */
enum snap_status toy_take_position(struct toy *toy, struct snap_run *run, struct snap_error *err);
/* One step of training; a save when one is wanted. */
enum snap_status toy_step(struct toy *toy, struct snap_run *run, struct snap_error *err);
/* The parts of a step. */
enum snap_status toy_forward(struct toy *toy, struct snap_run *run, struct snap_error *err);
enum snap_status toy_update(struct toy *toy, struct snap_run *run, struct snap_error *err);
enum snap_status toy_save(struct snap_run *run, char hash[SNAP_HASH_TEXT_BYTES],
                          struct snap_error *err);
/* Steps until `steps` are done. */
enum snap_status toy_train(struct toy *toy, struct snap_run *run, uint64_t steps,
                           struct snap_error *err);

/* Train in `dir` until `steps` are done, from wherever its run stands, and close. */
enum snap_status toy_train_in(const char *dir, uint64_t every, uint64_t steps,
                              struct snap_error *err);

/* SHA-256 of everything that the toy is: memory and streams. */
void toy_digest(const struct toy *toy, unsigned char digest[SNAP_DIGEST_BYTES]);

/* Write the archive `from` again as `to`, with a member withheld (NULL: none), and with something
 * else in its manifest. */
enum toy_forgery { TOY_FORGE_NOTHING, TOY_FORGE_HEAD, TOY_FORGE_RUN_ID };
void toy_rewrite(const char *from, const char *to, const char *withheld,
                 enum toy_forgery forgery);

/* ---- folders for tests ---- */

/* A new folder under TMPDIR; the returned path is the caller's to free after toy_remove. */
char *toy_folder(void);
void toy_remove(const char *dir);
/* "DIR/NAME", in one of 64 buffers that are used again in turn. */
const char *toy_path(const char *dir, const char *name);
/* "DIR/snapshots/step-0000000STEP.snap.tar", likewise. */
const char *toy_snapshot(const char *dir, unsigned step);
/* A file's bytes, terminated, to be freed; NULL when it is not there. */
char *toy_read(const char *path, size_t *size);
void toy_write(const char *path, const void *data, size_t size);
void toy_copy(const char *from, const char *to);
bool toy_same_files(const char *left, const char *right);

#endif
