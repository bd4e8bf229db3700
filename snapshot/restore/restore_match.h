/* SPDX-License-Identifier: Apache-2.0 */
/* What the files restore_match*.c share. Each part adds its components to the receipt, and lowers
 * the tier, with the reason, where archive and inventory differ: that is no failure. */
#ifndef SNAP_RESTORE_MATCH_H
#define SNAP_RESTORE_MATCH_H

#include "restore/restore.h"

/* ---- restore_match.c ---- */

/* Add a component that is "kept" until it is restored; *index: its place in the receipt. */
enum snap_status snap_restore_add_component(struct snap_restore *restore, const char *kind,
                                            const char *name, size_t *index,
                                            struct snap_error *err);
/* Add one that is in the archive and not registered. */
enum snap_status snap_restore_add_missing(struct snap_restore *restore, const char *kind,
                                          const char *name, struct snap_error *err);

/* ---- restore_match_tree.c ---- */

/* Each entry of the inventory, then what of the archive nobody asked for. Fills leaves, views and
 * scalars, and the components of tensors, scalars and trees. */
enum snap_status snap_restore_match_tree(struct snap_restore *restore, struct snap_error *err);

/* ---- restore_match_promise.c ---- */

/* Profile, training config, binding, the document as a whole, and the share of root model. After
 * all the parts: it looks at the tier that they left. */
enum snap_status snap_restore_match_promise(struct snap_restore *restore, struct snap_error *err);

#endif
