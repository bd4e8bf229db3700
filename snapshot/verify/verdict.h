/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a verdict. */
#ifndef SNAP_VERDICT_H
#define SNAP_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <snapstate/verify.h>

#include "core/buffer.h"
#include "format/archive_read.h"

/* Where a part stands. */
enum snap_standing {
    SNAP_STANDING_PROVEN = 1,
    SNAP_STANDING_TRUST = 2,
    SNAP_STANDING_ABSENT = 3
};

struct snap_verdict {
    enum snap_status worst;  /* of the checks */
    struct snap_error cause; /* of the first check that was as bad */
    json_t *checks;
    json_t *withheld;
    json_t *hashes; /* object; NULL: not known */
    json_t *parts;
    char kind[16]; /* "archive", "archives", "checkpoint", "listing", "run" */
    struct snap_buffer json;
    struct snap_buffer text;
};

enum snap_status snap_verdict_new(struct snap_verdict **verdict, struct snap_error *err);
/* A check that passed, or (`note`) something to know that is no failure. */
enum snap_status snap_verdict_ok(struct snap_verdict *verdict, bool note, struct snap_error *err,
                                 const char *check, const char *format, ...) SNAP_PRINTF(5, 6);
/* A check that failed, with its status and text. SNAP_IO, SNAP_INVALID, SNAP_NO_MEMORY and the like
 * are no verdict: they are returned, and the caller ends. */
enum snap_status snap_verdict_failed(struct snap_verdict *verdict, const char *check,
                                     enum snap_status status, const struct snap_error *cause,
                                     struct snap_error *err);
/* Say where a part stands. */
enum snap_status snap_verdict_part(struct snap_verdict *verdict, enum snap_standing standing,
                                   struct snap_error *err, const char *part, const char *format,
                                   ...) SNAP_PRINTF(5, 6);
/* Hashes of an archive, shown at the end. */
enum snap_status snap_verdict_hashes(struct snap_verdict *verdict,
                                     const struct snap_archive *archive, struct snap_error *err);
/* Make the two texts. `kind`: as in verify.h; `target`: its path. Returns the worst status,
 * with its text. */
enum snap_status snap_verdict_finish(struct snap_verdict *verdict, const char *kind,
                                     const char *target, struct snap_error *err);

/* The end of a verification that came to `status`: when it was a judgement, finish `made`, and give
 * it to the caller in *verdict (NULL: not wanted); else free it. Returns the status of all. */
enum snap_status snap_verdict_give(struct snap_verdict *made, enum snap_status status,
                                   const char *kind, const char *target,
                                   struct snap_verdict **verdict, struct snap_error *err);

/* ---- what the kinds share (verify_content.c) ---- */

/* Every digest, the second reader, the ledger's chain and the state digest of an archive that was
 * opened; withheld members are no failure here. *lines: of its ledger. *state_checked: its content
 * was compared with the ledger's state digest. */
enum snap_status snap_verify_content(const struct snap_archive *archive, struct snap_pool *pool,
                                     size_t *lines, bool *state_checked, struct snap_error *err);

/* ---- what the kinds share (verify_archive.c) ---- */

/* Tell every volume that is not there, under the check `check`: a failure when members of it are
 * absent and that is not `allowed`, else a note. */
enum snap_status snap_verify_volumes(struct snap_verdict *verdict, const char *check,
                                     const struct snap_archive *archive, bool allowed,
                                     struct snap_error *err);

/* "snap1:", "state1:" or "run1:" and 64 hex digits. */
enum snap_status snap_check_hash_text(const char *hash, struct snap_error *err);

#endif
