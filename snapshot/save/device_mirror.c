/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <sys/mman.h>

#include "device/device_ops.h"
#include "save/device_mirror.h"

bool snap_storage_is_mirrored(const struct snap_inventory_storage *storage)
{
    return storage->mirror.bytes > 0;
}

bool snap_storage_is_whole_on_device(const struct snap_inventory_storage *storage)
{
    return snap_storage_is_mirrored(storage) && !storage->packed;
}

static enum snap_status make(struct snap_inventory *inventory, size_t index,
                             struct snap_error *err)
{
    struct snap_inventory_storage *storage = &inventory->storages[index];
    const struct snap_inventory_tensor *first = &inventory->tensors[storage->tensor];
    struct snap_mirror *mirror = &storage->mirror;
    if (first->device.kind == SNAP_DEVICE_CPU || storage->size == 0)
        return SNAP_OK;
    /* A packed one has gaps: the mirror covers all that its elements lie in. */
    size_t bytes = (size_t)(storage->packed ? first->extent_bytes : storage->size);
    void *host = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (host == MAP_FAILED)
        return snap_error_set(err, SNAP_NO_MEMORY,
                              "tensor %s/%s: %zu bytes of host memory beside the device's: out of "
                              "memory",
                              inventory->roots[first->root].name, first->name, bytes);
    *mirror = (struct snap_mirror){ .host = host,
                                    .memory = storage->packed ? first->memory : storage->base,
                                    .bytes = bytes,
                                    .device = first->device };
    if (!storage->packed)
        storage->base = mirror->host;
    return SNAP_OK;
}

enum snap_status snap_mirrors_make(struct snap_inventory *inventory, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->storage_count; i++)
        status = make(inventory, i, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->tensor_count; i++) {
        struct snap_inventory_tensor *tensor = &inventory->tensors[i];
        struct snap_mirror *mirror = &inventory->storages[tensor->storage].mirror;
        if (mirror->bytes == 0)
            continue;
        tensor->data = mirror->host + (tensor->memory - mirror->memory);
        mirror->changes_in_forward = mirror->changes_in_forward || tensor->changes_in_forward;
    }
    return status;
}

void snap_mirrors_release(struct snap_inventory *inventory)
{
    for (size_t i = 0; inventory->storages != NULL && i < inventory->storage_count; i++) {
        struct snap_mirror *mirror = &inventory->storages[i].mirror;
        if (mirror->bytes > 0)
            munmap(mirror->host, mirror->bytes);
        *mirror = (struct snap_mirror){ .bytes = 0 };
    }
    for (size_t i = 0; i < inventory->tensor_count; i++)
        inventory->tensors[i].data = inventory->tensors[i].memory;
}

enum snap_status snap_mirror_fetch(const struct snap_run *run, size_t storage,
                                   struct snap_error *err)
{
    const struct snap_mirror *mirror = &run->inventory.storages[storage].mirror;
    const struct snap_device_ops *ops;
    if (mirror->bytes == 0)
        return SNAP_OK;
    enum snap_status status = snap_device_find(mirror->device, &ops, err);
    if (status != SNAP_OK)
        return status;
    return ops->to_host(mirror->device.index, mirror->host, mirror->memory, mirror->bytes,
                        run->device_stream, err);
}

enum snap_status snap_mirror_store(const struct snap_run *run, size_t storage,
                                   struct snap_error *err)
{
    const struct snap_mirror *mirror = &run->inventory.storages[storage].mirror;
    const struct snap_device_ops *ops;
    if (mirror->bytes == 0)
        return SNAP_OK;
    enum snap_status status = snap_device_find(mirror->device, &ops, err);
    if (status != SNAP_OK)
        return status;
    return ops->to_device(mirror->device.index, mirror->memory, mirror->host, mirror->bytes,
                          run->device_stream, err);
}

enum snap_status snap_mirrors_fetch(const struct snap_run *run, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < run->inventory.storage_count; i++)
        status = snap_mirror_fetch(run, i, err);
    return status;
}

enum snap_status snap_mirrors_store(const struct snap_run *run, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < run->inventory.storage_count; i++)
        status = snap_mirror_store(run, i, err);
    return status;
}
