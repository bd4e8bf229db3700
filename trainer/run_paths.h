/* SPDX-License-Identifier: Apache-2.0 */
/* Finding things in a run folder, for reading only: the library alone writes there. */
#ifndef TRN_RUN_PATHS_H
#define TRN_RUN_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

#include "trainer.h"

/* A folder, as opposed to an archive. SNAP_NOT_FOUND: nothing is there. */
enum snap_status trn_is_folder(const char *path, bool *folder, struct snap_error *err);

/* `dir` "/" `name` into `path`. SNAP_INVALID: too long. */
enum snap_status trn_join_path(const char *dir, const char *name, char path[TRN_PATH_SIZE],
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
