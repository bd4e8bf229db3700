/* SPDX-License-Identifier: Apache-2.0 */
/* Checking a run folder after an accident, and rescuing what can be of a damaged archive. Both give
 * a verdict (<snapstate/verify.h>). */
#ifndef SNAPSTATE_FSCK_H
#define SNAPSTATE_FSCK_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/pool.h>
#include <snapstate/status.h>
#include <snapstate/verify.h>

#ifdef __cplusplus
extern "C" {
#endif

struct snap_fsck_options {
    size_t size_bytes;      /* sizeof(struct snap_fsck_options) */
    /* Take the run's lock (SNAP_BUSY: somebody trains in it), remove temporaries that a killed
     * save left, and let `latest`, when it is missing or broken, name the newest snapshot that is
     * intact, complete and on the ledger's chain; unless one could not be read, which may be the
     * newest. Nothing else is changed: a restore mends the ledger. */
    bool repair;
    struct snap_pool *pool; /* borrowed; NULL: one thread */
};
#define SNAP_FSCK_OPTIONS_INIT { .size_bytes = sizeof(struct snap_fsck_options) }

/* All that snap_verify_run checks, and temporaries, a run that was stopped before its first line or
 * between its first snapshot and `latest`, stubs, and thin archives. These are notes; only what a
 * restore could not go on from is a failure. Statuses and *verdict as of snap_verify_run. */
enum snap_status snap_fsck_run(const char *dir, const struct snap_fsck_options *options,
                               struct snap_verdict **verdict, struct snap_error *err);

struct snap_salvage_options {
    size_t size_bytes;        /* sizeof(struct snap_salvage_options) */
    const char *const *from;  /* archives to fill holes from, before those of the same folder */
    size_t from_count;
    /* The snapshot hash ("snap1:...") that the archive had. NULL: as its own SHA256SUMS says, or,
     * when that is lost, the events of the run that it lies in. */
    const char *expected;
    const char *output;       /* where to write what was rescued, must not be there; NULL: look */
    struct snap_pool *pool;   /* borrowed; NULL: one thread */
};
#define SNAP_SALVAGE_OPTIONS_INIT { .size_bytes = sizeof(struct snap_salvage_options) }

/* Look for the members of a truncated or damaged archive, block by block, and judge each: intact by
 * its digest, elsewhere (another archive has the bytes, by digest or by name), lost. The archive is
 * put together again when its snapshot hash comes out: SNAP_OK when it is complete, SNAP_ABSENT
 * when members that may be withheld are lost. Else SNAP_CORRUPT, and `output` receives a plain tar
 * of the members that are complete, which no reader takes for an archive. The damaged file is only
 * read. *verdict as of snap_verify_archive. */
enum snap_status snap_salvage(const char *path, const struct snap_salvage_options *options,
                              struct snap_verdict **verdict, struct snap_error *err);

#ifdef __cplusplus
}
#endif

#endif
