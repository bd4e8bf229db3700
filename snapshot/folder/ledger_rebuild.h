/* SPDX-License-Identifier: Apache-2.0 */
/* A ledger and the archives whose lines it has. */
#ifndef SNAP_LEDGER_REBUILD_H
#define SNAP_LEDGER_REBUILD_H

#include <stdbool.h>

#include <snapstate/archive.h>
#include <snapstate/ledger.h>

#include "core/buffer.h"
#include "store/store_ops.h"

/* Does the ledger have the archive's heads at its step? */
bool snap_ledger_goes_through(const struct snap_ledger *ledger,
                              const struct snap_archive *archive);
/* Lines from the genesis line to the step of `archive`, gathered from it and its ancestors in
 * `store`, and from `known` (NULL: nothing is known) where that has the older ones. */
enum snap_status snap_ledger_gather(struct snap_store *store, const struct snap_archive *archive,
                                    const struct snap_ledger *known, struct snap_buffer *text,
                                    struct snap_error *err);
/* A ledger that cannot be read, or does not go through `archive`: what in it differs first from the
 * lines in the archives. Returns `status`, with the text of `cause` when that cannot be told. */
enum snap_status snap_ledger_explain(struct snap_store *store, const struct snap_archive *archive,
                                     const char *path, enum snap_status status,
                                     const struct snap_error *cause, struct snap_error *err);

#endif
