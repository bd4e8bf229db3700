/* SPDX-License-Identifier: Apache-2.0 */
/* Looking into a run folder: `latest`, and the files of snapshots and capsules. */
#ifndef CMD_RUN_FILES_H
#define CMD_RUN_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

struct cmd_snapshot_file {
    char name[64]; /* "snapshots/step-0000000100.snap.tar" */
    uint64_t step;
    bool capsule;
};

/* The files of both folders, by step, snapshots before capsules. *files is freed with free(). Files
 * with other names are left out: an unfinished save, or something of the user's. */
enum snap_status cmd_run_files(const char *dir, struct cmd_snapshot_file **files, size_t *count,
                               struct snap_error *err);

struct cmd_latest {
    char file[64]; /* relative to the run folder */
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
};

/* What `latest` says. SNAP_NOT_FOUND: the run has no snapshot yet; SNAP_CORRUPT: `latest` is
 * missing beside snapshots, or is not what this program writes. The text says what to do. */
enum snap_status cmd_run_latest(const char *dir, struct cmd_latest *latest,
                                struct snap_error *err);

/* DIR/NAME in `path` (PATH_MAX bytes). SNAP_INVALID: too long. */
enum snap_status cmd_path_join(const char *dir, const char *name, char *path,
                               struct snap_error *err);

#endif
