/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>

#include "device/device_ops.h"
#include "digest/tree_digest.h"
#include "save/device_digest.h"
#include "save/device_mirror.h"

/* One for each device on which digests were made. */
struct snap_run_digester {
    struct snap_device device;
    const struct snap_device_ops *ops;
    struct snap_device_digester *digester;
};

static bool same_device(struct snap_device left, struct snap_device right)
{
    return left.kind == right.kind && left.index == right.index;
}

/* The device's digester, made when it is first asked for. *found NULL: it makes no digests. */
static enum snap_status find(struct snap_run *run, struct snap_device device,
                             struct snap_run_digester **found, struct snap_error *err)
{
    const struct snap_device_ops *ops;
    *found = NULL;
    for (size_t i = 0; i < run->digester_count; i++) {
        if (same_device(run->digesters[i].device, device)) {
            *found = &run->digesters[i];
            return SNAP_OK;
        }
    }
    enum snap_status status = snap_device_find(device, &ops, err);
    if (status != SNAP_OK || ops->digester_new == NULL)
        return status;
    struct snap_run_digester *grown =
        realloc(run->digesters, (run->digester_count + 1) * sizeof *grown);
    if (grown == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "state digest: out of memory");
    run->digesters = grown;
    struct snap_run_digester *made = &grown[run->digester_count];
    *made = (struct snap_run_digester){ .device = device, .ops = ops };
    status = ops->digester_new(device.index, &made->digester, err);
    if (status != SNAP_OK)
        return status;
    run->digester_count++;
    *found = made;
    return SNAP_OK;
}

/* All storages on that device at once; `pieces` has room for them. */
static enum snap_status digest_device(struct snap_run *run, struct snap_device device,
                                      struct snap_device_piece *pieces,
                                      struct snap_state_image *image, struct snap_error *err)
{
    const struct snap_inventory *inventory = &run->inventory;
    struct snap_run_digester *digester;
    const unsigned char *leaves = NULL;
    size_t count = 0;
    enum snap_status status = find(run, device, &digester, err);
    if (status != SNAP_OK || digester == NULL)
        return status;
    for (size_t i = 0; i < inventory->storage_count; i++) {
        const struct snap_mirror *mirror = &inventory->storages[i].mirror;
        if (snap_storage_is_whole_on_device(&inventory->storages[i]) &&
            same_device(mirror->device, device))
            pieces[count++] = (struct snap_device_piece){ mirror->memory, mirror->bytes };
    }
    status = digester->ops->digest_leaves(digester->digester, pieces, count, run->device_stream,
                                          &leaves, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->storage_count; i++) {
        const struct snap_mirror *mirror = &inventory->storages[i].mirror;
        if (snap_storage_is_whole_on_device(&inventory->storages[i]) &&
            same_device(mirror->device, device)) {
            image->storages[i].size = mirror->bytes;
            image->storages[i].leaves = leaves;
            leaves += snap_tree_leaf_count(mirror->bytes) * SNAP_DIGEST_BYTES;
        }
    }
    return status;
}

enum snap_status snap_device_digest_leaves(struct snap_run *run, struct snap_state_image *image,
                                           struct snap_error *err)
{
    const struct snap_inventory *inventory = &run->inventory;
    struct snap_device_piece *pieces = NULL;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->storage_count; i++) {
        const struct snap_inventory_storage *storage = &inventory->storages[i];
        if (!snap_storage_is_whole_on_device(storage) || image->storages[i].leaves != NULL)
            continue;
        if (pieces == NULL)
            pieces = calloc(inventory->storage_count, sizeof *pieces);
        status = pieces == NULL
                     ? snap_error_set(err, SNAP_NO_MEMORY, "state digest: out of memory")
                     : digest_device(run, storage->mirror.device, pieces, image, err);
    }
    free(pieces);
    return status;
}

void snap_device_digests_release(struct snap_run *run)
{
    for (size_t i = 0; i < run->digester_count; i++)
        run->digesters[i].ops->digester_free(run->digesters[i].digester);
    free(run->digesters);
    run->digesters = NULL;
    run->digester_count = 0;
}
