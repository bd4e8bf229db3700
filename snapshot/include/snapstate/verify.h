/* SPDX-License-Identifier: Apache-2.0 */
/* Checking archives and run folders against their own hashes and against one from elsewhere. The
 * JSON of a verdict:
 *
 *     {"checks":[{"check":"digests","result":"ok"|"note"|"failed","text":".."}...],
 *      "format":"snap-verdict-1",
 *      "hashes":null|{"run":"run1:..","snapshot":"snap1:..","state":"state1:..","step":N},
 *      "kind":"archive"|"run","status":"ok"|"differs"|"absent"|"corrupt"|"unsupported"|"not found",
 *      "withheld":["tensors/.."...]}
 *
 * All checks are made that can be, and "status" is the worst of them. Of a run folder "hashes" are
 * those of the snapshot that `latest` names. */
#ifndef SNAPSTATE_VERIFY_H
#define SNAPSTATE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/pool.h>
#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct snap_verify_options {
    size_t size_bytes;      /* sizeof(struct snap_verify_options) */
    const char *only;       /* check this member's content alone; NULL: all */
    const char *expected;   /* "snap1:...", "state1:...", "run1:..."; NULL: none */
    bool allow_withheld;    /* absent members are no failure */
    struct snap_pool *pool; /* borrowed; NULL: one thread */
};
#define SNAP_VERIFY_OPTIONS_INIT { .size_bytes = sizeof(struct snap_verify_options) }

/* What was checked, and found. */
struct snap_verdict;

/* Check an archive: structure, every digest, the second reader, listings, the ledger lines inside
 * and their chain, and that its state is the one whose digest the last line holds. *verdict (NULL:
 * not wanted) is made on every status but SNAP_IO, SNAP_INVALID and SNAP_NO_MEMORY, and is owned by
 * the caller. SNAP_DIFFERS: intact, but `expected` is another hash. SNAP_ABSENT: intact, members
 * withheld. SNAP_NOT_FOUND: no member named `only`. */
enum snap_status snap_verify_archive(const char *path, const struct snap_verify_options *options,
                                     struct snap_verdict **verdict, struct snap_error *err);

/* Check a run folder: config.json against the genesis line, the ledger's chains, every snapshot and
 * capsule as above and its chain heads against the ledger's, parents, `latest`. `expected` may be
 * the run hash of any step, or a snapshot's or state's hash. SNAP_INVALID: the folder holds no run,
 * or options->only is set, which is for archives. */
enum snap_status snap_verify_run(const char *dir, const struct snap_verify_options *options,
                                 struct snap_verdict **verdict, struct snap_error *err);

/* Canonical JSON (schema/verdict.schema.json), and lines for people. Borrowed until free. */
const char *snap_verdict_json(const struct snap_verdict *verdict);
const char *snap_verdict_text(const struct snap_verdict *verdict);
void snap_verdict_free(struct snap_verdict *verdict);

#ifdef __cplusplus
}
#endif

#endif
