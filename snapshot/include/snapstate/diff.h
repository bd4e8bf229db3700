/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two snapshots, or two ledgers. The JSON:
 *
 *     {"differences":[{"detail":{..}?,"kind":"..","name":"..","text":".."}...],
 *      "environment":[{"left":"..","name":"..","right":".."}...]?,"equal":true|false,
 *      "format":"snap-diff-1","left":SIDE,"of":"states"|"ledgers","right":SIDE,
 *      "snapshots":null|{"equal":true|false,"step":N}?,"steps_compared":N?}
 *
 * SIDE of states: {"run","snapshot","state","step"}; of ledgers: {"chain","first_step","last_step",
 * "lines"}. Details: of config, profile and binding {"left","right"}; of a stream {"words"} (from
 * left to right); of a tensor {"differing","dtype","elements","first","index","left","right"} and
 * for f16, bf16, f32, f64 {"max_ulp","nan_pairs"}, for integers {"max_difference"}; of a ledger
 * {"field","kind","left","right","step"}. "environment" (of states) is what env.json says
 * otherwise; it makes no states unequal. "snapshots" (of ledgers) are those by which tensors were
 * told where the ledgers have none; the differences that are not of kind "ledger" are theirs. */
#ifndef SNAPSTATE_DIFF_H
#define SNAPSTATE_DIFF_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

struct snap_diff;

/* Compare the states of two archives: config, profile and binding, place in the data, streams (with
 * the number of words between them), tensors (elements that differ, the largest difference in
 * ulp), extras. SNAP_OK: the states are equal. SNAP_DIFFERS: *diff lists what is not. *diff is
 * owned by the caller in both cases. */
enum snap_status snap_diff_archives(const char *left, const char *right, struct snap_diff **diff,
                                    struct snap_error *err);
/* Compare two ledgers, each a ledger.jsonl or a run folder: the first step and field; and the first
 * tensor that differs, where the ledgers hold digests of tensors; else, of two run folders, what
 * differs in the first snapshots from that step on that both have. */
enum snap_status snap_diff_ledgers(const char *left, const char *right, struct snap_diff **diff,
                                   struct snap_error *err);

struct snap_diff_entry {
    size_t size_bytes;
    /* "profile", "config", "data", "stream", "tensor", "value" (a plain one of the tree), "extra",
     * "ledger" */
    const char *kind;
    const char *name; /* the member, tensor, key or stream; "step 57", "genesis line" */
    const char *text; /* one line */
};
size_t snap_diff_count(const struct snap_diff *diff);
const struct snap_diff_entry *snap_diff_at(const struct snap_diff *diff, size_t index);
/* Canonical JSON (schema/diff.schema.json), and lines for people. Borrowed until free. */
const char *snap_diff_json(const struct snap_diff *diff);
const char *snap_diff_text(const struct snap_diff *diff);
void snap_diff_free(struct snap_diff *diff);

#ifdef __cplusplus
}
#endif

#endif
