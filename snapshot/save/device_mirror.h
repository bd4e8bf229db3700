/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in a device's memory have a mirror in host memory, through which all else sees them: a
 * storage's `base`, and `data` of its tensors, lie in it. It holds nothing until it is fetched, and
 * what is written to it reaches the device when it is stored. Its pages are the system's until they
 * are used. */
#ifndef SNAP_DEVICE_MIRROR_H
#define SNAP_DEVICE_MIRROR_H

#include "run/run_internal.h"

/* Make the mirrors of all storages in the memory of devices. The storages are made, and tensors'
 * `data` is their `memory`. */
enum snap_status snap_mirrors_make(struct snap_inventory *inventory, struct snap_error *err);
/* Undo that; storages without one are left alone. */
void snap_mirrors_release(struct snap_inventory *inventory);

bool snap_storage_is_mirrored(const struct snap_inventory_storage *storage);
/* Mirrored, and its bytes are those of the device as they lie there: of a packed one the elements
 * lie apart, and are gathered on the host. */
bool snap_storage_is_whole_on_device(const struct snap_inventory_storage *storage);
/* From the device into the mirror of a storage, after what is in the run's device stream; nothing
 * when it has none. */
enum snap_status snap_mirror_fetch(const struct snap_run *run, size_t storage,
                                   struct snap_error *err);
enum snap_status snap_mirrors_fetch(const struct snap_run *run, struct snap_error *err);
/* The other way. */
enum snap_status snap_mirror_store(const struct snap_run *run, size_t storage,
                                   struct snap_error *err);
enum snap_status snap_mirrors_store(const struct snap_run *run, struct snap_error *err);

#endif
