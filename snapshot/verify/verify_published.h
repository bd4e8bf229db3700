/* SPDX-License-Identifier: Apache-2.0 */
/* What a folder that `snap publish` has made has more than a run folder: a list of its files, a
 * signature over that, and the listings of its snapshots. Of another folder these say nothing. */
#ifndef SNAP_VERIFY_PUBLISHED_H
#define SNAP_VERIFY_PUBLISHED_H

#include <snapstate/ledger.h>

#include "store/store_ops.h"
#include "verify/evidence.h"

/* The names of a published folder (docs/papers.md). */
#define SNAP_PUBLISHED_FILES "SHA256SUMS"
#define SNAP_PUBLISHED_SIGNATURE "SHA256SUMS.sig"
#define SNAP_PUBLISHED_LISTINGS "listings"

/* Every file of the list has its digest, no archive is outside of it, and the signature is good. */
enum snap_status snap_published_check(struct snap_store *store,
                                      const struct snap_verify_options *options,
                                      struct snap_verdict *verdict, struct snap_error *err);

/* Read all listings into `evidence`; each must be on the chain of `ledger` (NULL: it cannot be
 * read, and that was told). */
enum snap_status snap_published_listings(struct snap_store *store,
                                         const struct snap_ledger *ledger,
                                         struct snap_verdict *verdict,
                                         struct snap_evidence *evidence, struct snap_error *err);

#endif
