/* SPDX-License-Identifier: Apache-2.0 */
/* What the functions on a store have in common. */
#ifndef SNAP_STORED_H
#define SNAP_STORED_H

#include <snapstate/store.h>

#include "folder/stored_name.h"
#include "store/store_ops.h"

/* What `latest` of a store says:
 * {"file":"archives/step-...","run":"16 hex digits","snapshot":"snap1:...","step":N} */
struct snap_stored_latest {
    char file[SNAP_STORED_NAME_BYTES];
    char run_id[17];
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
    uint64_t step;
};

enum snap_status snap_stored_latest_decode(const struct snap_buffer *text, const char *where,
                                           struct snap_stored_latest *latest,
                                           struct snap_error *err);
enum snap_status snap_stored_latest_encode(const struct snap_stored_latest *latest,
                                           struct snap_buffer *text, struct snap_error *err);
/* SNAP_NOT_FOUND: the store has none. */
enum snap_status snap_stored_latest_read(struct snap_store *store,
                                         struct snap_stored_latest *latest,
                                         struct snap_error *err);

/* snap_stored_list_read of an open store, without its uploads: for readers, who need not be allowed
 * to list them. */
enum snap_status snap_stored_list_archives(struct snap_store *store, struct snap_stored_list *list,
                                           struct snap_error *err);

#endif
