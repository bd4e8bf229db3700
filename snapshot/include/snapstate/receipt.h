/* SPDX-License-Identifier: Apache-2.0 */
/* A receipt: what a restore really did, component by component. Its JSON:
 *
 *     {"components":[{"action":"restored"|"kept"|"missing","digests":["64 hex"...]?,
 *                     "kind":"tensor"|"scalar"|"tree"|"stream"|"value"|"position",
 *                     "name":"model/conv1.weight","why":".."?}...],
 *      "format":"snap-receipt-1","profile":"..","reasons":[".."...],"required":TIER,
 *      "restored":true|false,"run_id":"16 hex","snapshot":"snap1:..","state":"state1:..","step":N,
 *      "tier":TIER}
 *
 * A component is "restored" (its digests are of the memory, read back: a line of SHA256SUMS for
 * each part; of a scalar, of its 8 bytes; at tier weights, of the tensor's elements in C order),
 * "kept" (registered, and left as it was) or "missing" (in the archive, and not registered). "tier"
 * is what archive and program reach together; when it is below "required", or the run's own folder
 * needs more, "restored" is false and nothing was changed. "reasons": why it is not exact. */
#ifndef SNAPSTATE_RECEIPT_H
#define SNAPSTATE_RECEIPT_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How much is promised of the next step. More is larger. */
enum snap_tier {
    SNAP_TIER_NONE = 0,    /* nothing was restored */
    SNAP_TIER_WEIGHTS = 1, /* every tensor registered in root "model", and nothing else */
    SNAP_TIER_STREAMS = 2, /* everything: tensors, streams, values and the place in the data */
    SNAP_TIER_EXACT = 3    /* and profile, binding and training config hold: the next step is equal,
                            * bit for bit */
};
const char *snap_tier_name(enum snap_tier tier); /* "exact", "streams", "weights", "none" */

struct snap_receipt;

/* What can be reached; see "tier" above. */
enum snap_tier snap_receipt_tier(const struct snap_receipt *receipt);
uint64_t snap_receipt_step(const struct snap_receipt *receipt);
/* "snap1:..." and "state1:..." of what was restored; borrowed until free. */
const char *snap_receipt_snapshot_hash(const struct snap_receipt *receipt);
const char *snap_receipt_state_hash(const struct snap_receipt *receipt);
/* The whole receipt as canonical JSON (schema/receipt.schema.json); borrowed until free. */
const char *snap_receipt_json(const struct snap_receipt *receipt);
/* A table for people: component, kind, what was done, digest; then the tier and, when it is not
 * exact, why. Borrowed until free. */
const char *snap_receipt_table(const struct snap_receipt *receipt);
void snap_receipt_free(struct snap_receipt *receipt);

#ifdef __cplusplus
}
#endif

#endif
