/* SPDX-License-Identifier: Apache-2.0 */
/* Finding things in a run folder, for reading only: the library alone writes there. */
#ifndef TRN_RUN_PATHS_H
#define TRN_RUN_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

#include "trainer.h"

/* A folder, as opposed to an archive. SNAP_NOT_FOUND: nothing is there. */
enum snap_status trn_is_folder(const char *path, bool *folder, struct snap_error *err);

/* `dir` "/" `name` into `path`. SNAP_INVALID: too long. */
enum snap_status trn_join_path(const char *dir, const char *name, char path[TRN_PATH_SIZE],
                               struct snap_error *err);

/* What a run calls the snapshot of a step: "step-0000000100.snap.tar". */
#define TRN_SNAPSHOT_NAME_SIZE 64
void trn_snapshot_name(uint64_t step, char name[TRN_SNAPSHOT_NAME_SIZE]);
/* Its step; false for another name. */
bool trn_snapshot_step(const char *name, uint64_t *step);

/* Called with the name of a file that ends in ".snap.tar", and its path. */
typedef enum snap_status trn_visit_archive(void *arg, const char *name, const char *path,
                                           struct snap_error *err);
/* Visit those of a folder, in no order, until one visit fails; a folder that is not there has none.
 * SNAP_IO: it cannot be read. */
enum snap_status trn_each_archive(const char *folder, trn_visit_archive *visit, void *arg,
                                  struct snap_error *err);

/* The folder of the run in whose `snapshots` or `capsules` the archive lies, by its path alone;
 * false: it lies elsewhere. */
bool trn_run_of_archive(const char *archive, char dir[TRN_PATH_SIZE]);

/* The path of the archive that `latest` names. SNAP_NOT_FOUND: there is no `latest`. */
enum snap_status trn_latest_path(const char *dir, char path[TRN_PATH_SIZE],
                                 struct snap_error *err);

/* The same, and open it: it must have the hash that `latest` says (SNAP_CORRUPT). Owned by the
 * caller. */
enum snap_status trn_latest_open(const char *dir, char path[TRN_PATH_SIZE],
                                 struct snap_archive **archive, struct snap_error *err);

#endif
