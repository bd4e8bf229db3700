/* SPDX-License-Identifier: Apache-2.0 */
/* How many volumes a snapshot of a run's state would have. */
#include "config.h"

#include <inttypes.h>

#include "format/member_name.h"
#include "format/volumes.h"
#include "run/run_internal.h"

/* Share the parts of all storages out, in the order of the file. */
static size_t count_volumes(const struct snap_inventory *inventory, uint64_t volume_size)
{
    struct snap_volume_filling filling = { .volume_size = volume_size };
    for (size_t i = 0; i < inventory->storage_count; i++) {
        const struct snap_inventory_storage *storage =
            &inventory->storages[inventory->storage_order[i]];
        for (size_t part = 0; part < storage->part_count; part++)
            snap_volume_fill(&filling, snap_storage_part_bytes(storage->size, part));
    }
    return filling.count;
}

/* The smallest size that gives no more volumes than are allowed: a larger one never gives more. */
static uint64_t least_size(const struct snap_inventory *inventory, uint64_t too_small)
{
    uint64_t enough = too_small;
    while (count_volumes(inventory, enough) > SNAP_MAX_VOLUMES && enough <= UINT64_MAX / 2)
        enough *= 2;
    while (enough - too_small > 1) {
        uint64_t middle = too_small + (enough - too_small) / 2;
        if (count_volumes(inventory, middle) > SNAP_MAX_VOLUMES)
            too_small = middle;
        else
            enough = middle;
    }
    return enough;
}

enum snap_status snap_volumes_check(const struct snap_run *run, struct snap_error *err)
{
    const struct snap_inventory *inventory = &run->inventory;
    uint64_t volume_size = run->volume_size;
    size_t count = volume_size > 0 ? count_volumes(inventory, volume_size) : 0;
    uint64_t bytes = 0;
    if (count <= SNAP_MAX_VOLUMES)
        return SNAP_OK;
    for (size_t i = 0; i < inventory->storage_count; i++)
        bytes += inventory->storages[i].size;
    return snap_error_set(err, SNAP_INVALID,
                          "volume_size: %" PRIu64 ": the tensors of this state have %" PRIu64
                          " bytes, and volumes of that size would be %zu, and at most %u are "
                          "allowed: from %" PRIu64 " on they fit",
                          volume_size, bytes, count, SNAP_MAX_VOLUMES,
                          least_size(inventory, volume_size));
}

enum snap_status snap_run_check_volumes(struct snap_run *run, struct snap_error *err)
{
    if (run == NULL)
        return snap_error_set(err, SNAP_INVALID, "volumes: check: no run");
    enum snap_status status = snap_run_freeze(run, err);
    return status == SNAP_OK ? snap_volumes_check(run, err) : status;
}
