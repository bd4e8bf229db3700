/* SPDX-License-Identifier: Apache-2.0 */
/* Checking archives, run folders, published folders and listings against their own hashes and
 * against one from elsewhere. The JSON of a verdict:
 *
 *     {"checks":[{"check":"digests","result":"ok"|"note"|"failed","text":".."}...],
 *      "format":"snap-verdict-1",
 *      "hashes":null|{"run":"run1:..","snapshot":"snap1:..","state":"state1:..","step":N},
 *      "kind":"archive"|"archives"|"checkpoint"|"listing"|"run",
 *      "parts":[{"part":"content","standing":"proven"|"taken on trust"|"absent","text":".."}...],
 *      "status":"ok"|"differs"|"absent"|"corrupt"|"unsupported"|"not found",
 *      "withheld":["tensors/.."...]}
 *
 * All checks are made that can be, and "status" is the worst of them. Of a run folder "hashes" are
 * those of the snapshot that `latest` names. "parts" say how far the hash from elsewhere reaches:
 * what it proves, what is taken on trust, and what is absent. */
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
    const char *signers;    /* an allowed_signers file, for a published folder; NULL: none */
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

/* Check a run folder, or one that `snap publish` has made: config.json against the genesis line,
 * the ledger's chains, every snapshot and capsule as above and its chain heads against the
 * ledger's, parents, `latest`. `expected` may be the run hash of any step, or a snapshot's or
 * state's hash. Of a published folder also its list of files, the signature over that, and the
 * listings of snapshots that are not in it. SNAP_INVALID: the folder holds no run, or
 * options->only is set, which is for archives. */
enum snap_status snap_verify_run(const char *dir, const struct snap_verify_options *options,
                                 struct snap_verdict **verdict, struct snap_error *err);

/* Check several archives of one run: each as above, and that they belong together. Where parents
 * lead from one to the next, the walk goes back to the genesis. */
enum snap_status snap_verify_archives(const char *const *paths, size_t count,
                                      const struct snap_verify_options *options,
                                      struct snap_verdict **verdict, struct snap_error *err);

/* Check a listing alone, SHA256SUMS or STATE, or the folder that holds one: every member that lies
 * beside it, as in an unpacked archive or what `snap prove` writes, must have its digest. Members
 * that are not there are no failure. */
enum snap_status snap_verify_listing(const char *path, const struct snap_verify_options *options,
                                     struct snap_verdict **verdict, struct snap_error *err);

/* Check a checkpoint of several archives (docs/format.md, section 8.1): the index and every volume
 * as an archive, that each volume is the one whose hash the index has, and that they hold every
 * piece that it names. `expected` is a hash of the index. A volume that is not there is
 * SNAP_ABSENT. SNAP_INVALID: options->only is set. */
enum snap_status snap_verify_checkpoint(const char *dir, const struct snap_verify_options *options,
                                        struct snap_verdict **verdict, struct snap_error *err);

/* Say what a replay has shown of the execution: `outcome` SNAP_OK, and `text` is proven; else it
 * is a check that failed. `rest` (NULL: nothing) is what is still taken on trust. Texts are
 * copied. The two texts are made anew, and those got before are gone. */
enum snap_status snap_verdict_replayed(struct snap_verdict *verdict, enum snap_status outcome,
                                       const char *text, const char *rest, struct snap_error *err);

/* The same where the run's profile does not promise the floats on this machine, and `why` says so:
 * proven is `host`, what came of the host part; `floats`, how far the floats were away, is taken on
 * trust. The verdict is SNAP_ABSENT, whatever they were, and the answer is that too; *err is of
 * `why`. */
enum snap_status snap_verdict_host_replayed(struct snap_verdict *verdict, const char *why,
                                            const char *host, const char *floats,
                                            struct snap_error *err);

/* Canonical JSON (schema/verdict.schema.json), and lines for people. Borrowed until free. */
const char *snap_verdict_json(const struct snap_verdict *verdict);
const char *snap_verdict_text(const struct snap_verdict *verdict);
void snap_verdict_free(struct snap_verdict *verdict);

#ifdef __cplusplus
}
#endif

#endif
