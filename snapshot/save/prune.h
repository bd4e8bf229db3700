/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SNAP_PRUNE_H
#define SNAP_PRUNE_H

#include <snapstate/keep.h>

#include "run/run_internal.h"
#include "store/store_ops.h"

/* snap_prune_run in a folder whose lock the caller holds, and into which nobody saves. What is held
 * stays too. */
enum snap_status snap_prune_locked(struct snap_store *store, const struct snap_keep *keep,
                                   const struct snap_held *held, struct snap_pool *pool,
                                   struct snap_error *err);

#endif
