/* SPDX-License-Identifier: Apache-2.0 */
/* What a path or URI given on the command line is, before anything is done with it. */
#ifndef CMD_TARGET_H
#define CMD_TARGET_H

#include <snapstate/archive.h>
#include <snapstate/status.h>

/* Bits, so that a command can say which of them it takes. */
enum cmd_target {
    /* A file that does not look like one of the others: an archive, or what the reader of archives
     * will refuse. */
    CMD_TARGET_ARCHIVE = 1,
    CMD_TARGET_RUN = 2,
    CMD_TARGET_LEDGER = 4,
    CMD_TARGET_CONFIG = 8,
    /* SHA256SUMS or STATE of an archive: the file, or a folder with it: an unpacked archive, or
     * what `snap prove` writes. */
    CMD_TARGET_LISTING = 16,
    /* A folder or s3://... that `snap push` fills. */
    CMD_TARGET_STORE = 32,
    /* A folder with the index of a checkpoint of several archives. */
    CMD_TARGET_CHECKPOINT = 64
};
/* What an archive can be found through. */
#define CMD_TARGET_ANY_ARCHIVE (CMD_TARGET_RUN | CMD_TARGET_ARCHIVE | CMD_TARGET_STORE)

/* Find out what `path` is; `wanted` are the kinds that the command takes, ORed. SNAP_INVALID: it is
 * another kind; SNAP_NOT_FOUND: there is nothing, or a folder without a run; the text says what
 * was found there, and what would do. */
enum snap_status cmd_target_find(const char *path, unsigned wanted, enum cmd_target *found,
                                 struct snap_error *err);

/* Open an archive, or the one that the `latest` of a run or store names (whose hash is then
 * compared with what `latest` says). Owned by the caller. `path` (PATH_MAX bytes) receives the
 * archive's path or URI. */
enum snap_status cmd_target_open(const char *target, enum cmd_target kind, char *path,
                                 struct snap_archive **archive, struct snap_error *err);

#endif
