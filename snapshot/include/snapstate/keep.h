/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a run's snapshots: thin archives, whole ones again, and stubs of those that no
 * rule keeps. Every file is replaced as a whole or not at all, by one that has the same snapshot
 * hash; a reader that has the old one open goes on reading it. */
#ifndef SNAPSTATE_KEEP_H
#define SNAPSTATE_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/pool.h>
#include <snapstate/run.h>
#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct snap_thin_options {
    size_t size_bytes;      /* sizeof(struct snap_thin_options) */
    /* Withhold the tensors that this archive has in its own file; it is read through first. In
     * place it must lie in the same folder, where readers look for them. */
    const char *base;
    /* Withhold the tensors of this root ("optimizer"), the streams ("rng") or the extras ("extra").
     * They are gone from the file, so that `output` must be given. */
    const char *drop;
    const char *output;     /* must not be there; NULL: in place */
    struct snap_pool *pool; /* borrowed; NULL: one thread */
    /* (optional) Set when the archive was written, and volumes of the one before could not be
     * removed: why. Nothing names them any more. */
    struct snap_error *left_over;
};
#define SNAP_THIN_OPTIONS_INIT { .size_bytes = sizeof(struct snap_thin_options) }

/* Leave members out of an archive: what `base` has, or what `drop` names. A thin archive needs no
 * other thin archive: only members that the base has itself are withheld, so that a chain has one
 * link. *withheld, *bytes (NULL: not wanted): members left out, and their size. SNAP_NOT_FOUND:
 * there is nothing to withhold; nothing was written. SNAP_CORRUPT: one of the two is damaged. */
enum snap_status snap_thin(const char *path, const struct snap_thin_options *options,
                           size_t *withheld, uint64_t *bytes, struct snap_error *err);

struct snap_pack_options {
    size_t size_bytes;      /* sizeof(struct snap_pack_options) */
    const char *base;       /* to take members from, before the files of the same folder; NULL */
    const char *output;     /* must not be there; NULL: in place */
    struct snap_pool *pool; /* borrowed; NULL: one thread */
    /* Bytes of a file: a larger archive is cut into one and volumes beside it. 0: one file. */
    uint64_t volume_size;
    struct snap_error *left_over; /* (optional) as of snap_thin_options */
};
#define SNAP_PACK_OPTIONS_INIT { .size_bytes = sizeof(struct snap_pack_options) }

/* Make an archive whole again: every withheld member is taken from another archive by its digest,
 * and volumes are joined, or made. SNAP_ABSENT names the first member that nobody has; nothing was
 * written. An archive that is so already is success, and is written to `output` alone. Volumes are
 * not made where somebody trains (SNAP_BUSY). *taken, *volumes (NULL: not wanted): members put
 * back, and volumes that it has now. */
enum snap_status snap_pack(const char *path, const struct snap_pack_options *options, size_t *taken,
                           size_t *volumes, struct snap_error *err);

/* Which snapshots of a run stay. One that no rule keeps becomes a stub: its tensors, streams and
 * extras go, its hashes and ledger lines stay. Kept in any case: the one that `latest` names, later
 * ones, those that are damaged, and those that a thin one which is kept needs. */
struct snap_keep {
    size_t size_bytes;     /* sizeof(struct snap_keep) */
    uint64_t last;         /* the last so many; 0: no such rule */
    uint64_t every;        /* those whose step is a multiple; 0: no such rule */
    /* The one with the least (or, with best_is_most, the largest) value of this number in the
     * ledger line of its step ("eval_loss", "loss"); of equal ones the earliest. NULL: no such
     * rule. Snapshots whose line does not have it do not count. */
    const char *best;
    bool best_is_most;
    const uint64_t *steps; /* named ones; borrowed */
    size_t step_count;
};
#define SNAP_KEEP_INIT { .size_bytes = sizeof(struct snap_keep) }

/* What became of one snapshot. */
struct snap_pruned {
    uint64_t step;
    bool pruned;      /* now a stub, or would be one */
    bool was_stub;
    uint64_t bytes;   /* given back to the disk */
    const char *why;  /* it is kept: "latest", "later", "held", "last", "every", "best", "named",
                       * "needed", "damaged"; NULL: it is not. Static */
};

/* Apply the rules to a run folder, under its lock (SNAP_BUSY: somebody trains in it). The snapshot
 * that `latest` names is read through first: SNAP_CORRUPT, SNAP_ABSENT or SNAP_NOT_FOUND, and
 * nothing is pruned, when it is not whole. `dry_run`: only tell. *pruned is freed with free(). */
enum snap_status snap_prune_run(const char *dir, const struct snap_keep *keep, bool dry_run,
                                struct snap_pool *pool, struct snap_pruned **pruned, size_t *count,
                                struct snap_error *err);
/* The same in an open run with a folder, from now on after each save: by the thread that saves, so
 * behind the training where the save is. `keep` is borrowed until the run is closed or has other
 * rules; NULL: none. SNAP_INVALID. */
enum snap_status snap_run_set_keep(struct snap_run *run, const struct snap_keep *keep,
                                   struct snap_error *err);
/* Snapshots of these steps stay too, until the next call names others: somebody is to read them
 * yet. `steps` is copied. A save that is under way goes by what was held when it began.
 * SNAP_INVALID; SNAP_NO_MEMORY, and those held before are held still. */
enum snap_status snap_run_hold(struct snap_run *run, const uint64_t *steps, size_t count,
                               struct snap_error *err);
/* Let go now what the run's rules do not keep; a save under way is waited for. SNAP_OK when it has
 * no rules. Other statuses are those of snap_prune_run. */
enum snap_status snap_run_prune(struct snap_run *run, struct snap_error *err);
/* What became of the rules after the last save that has ended (snap_run_wait, snap_run_ended): why
 * no more snapshots were let go; the save itself is durable all the same. SNAP_OK when there was no
 * save. *freed (NULL: not wanted) is what the disk got back. */
enum snap_status snap_run_pruned(const struct snap_run *run, uint64_t *freed,
                                 struct snap_error *err);

#ifdef __cplusplus
}
#endif

#endif
