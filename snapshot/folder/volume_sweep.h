/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that no archive names. */
#ifndef SNAP_VOLUME_SWEEP_H
#define SNAP_VOLUME_SWEEP_H

#include <stdbool.h>

#include <snapstate/status.h>

#include "store/store_ops.h"

/* Volumes in `folder` ("": the store itself) that no archive "*.snap.tar" there names: what a save
 * left that was stopped before its archive had its name, or a rewrite before it could remove the
 * old ones. Those of an archive of that stem that is damaged stay: they may be rescued. All stay
 * when one cannot be read, for a reason that is not its content. `stem`: only volumes of it; NULL:
 * all. `visit` (NULL: none) is called with the name of each, and it is removed if `remove`: nobody
 * else may be writing volumes of that stem there. A status other than SNAP_OK ends it and is
 * returned. */
enum snap_status snap_volumes_sweep(struct snap_store *store, const char *folder, const char *stem,
                                    bool remove,
                                    enum snap_status (*visit)(void *arg, const char *name,
                                                              struct snap_error *err),
                                    void *arg, struct snap_error *err);

#endif
