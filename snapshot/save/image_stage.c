/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>

#include "core/array.h"
#include "device/device_ops.h"
#include "format/member_name.h"
#include "save/device_mirror.h"
#include "save/image_stage.h"

enum snap_status snap_stager_begin(struct snap_stager *stager, struct snap_error *err)
{
    const struct snap_inventory *inventory = &stager->run->inventory;
    size_t most = inventory->value_count;
    for (size_t i = 0; i < inventory->storage_count; i++)
        most += inventory->storages[i].part_count;
    stager->copies = calloc(most + 1, sizeof *stager->copies);
    if (stager->copies == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "staging: copy: out of memory");
    stager->next = stager->run->staging.base;
    return SNAP_OK;
}

bool snap_stager_is_on(const struct snap_stager *stager)
{
    return stager->next != NULL;
}

uint64_t snap_state_image_staging_bytes(const struct snap_inventory *inventory)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < inventory->storage_count; i++)
        bytes += snap_staging_padded(inventory->storages[i].size);
    for (size_t i = 0; i < inventory->value_count; i++)
        bytes += snap_staging_padded(inventory->values[i].size);
    return bytes;
}

/* The next place; what is known of it stays. */
static void *next_place(struct snap_stager *stager, uint64_t size)
{
    void *place = stager->next;
    stager->next += snap_staging_padded(size);
    return place;
}

void *snap_stage_room(struct snap_stager *stager, uint64_t size)
{
    void *place = next_place(stager, size);
    snap_staging_forget(&stager->run->staging, place, (size_t)size);
    return place;
}

void snap_stage_value(struct snap_stager *stager, struct snap_image_piece *piece, const void *from,
                      uint64_t size)
{
    void *place = snap_stage_room(stager, size);
    stager->copies[stager->count++] =
        (struct snap_copy){ .to = place, .from = from, .size_bytes = (size_t)size };
    *piece = (struct snap_image_piece){ .data = place, .size = size };
}

void snap_stage_storage(struct snap_stager *stager, const struct snap_inventory_storage *storage,
                        struct snap_image_piece *piece)
{
    unsigned char *place = next_place(stager, storage->size);
    const unsigned char *from = storage->base;
    *piece = (struct snap_image_piece){ .data = place, .size = storage->size };
    for (size_t part = 0; part < storage->part_count; part++) {
        struct snap_staging *staging = &stager->run->staging;
        size_t size = snap_storage_part_bytes(storage->size, part);
        struct snap_staged_digest *digest = snap_staging_find(staging, place, size);
        if (digest == NULL) /* nothing, or parts that lay otherwise */
            snap_staging_forget(staging, place, size);
        stager->copies[stager->count++] =
            (struct snap_copy){ .to = place,
                                .from = from,
                                .size_bytes = size,
                                .digest = digest };
        place += size;
        from = size > 0 ? from + size : from; /* a storage of no bytes has no memory */
    }
}

/* All that snap_stage_device is called for on that device. */
static struct snap_device_room room_for(const struct snap_run *run, struct snap_device device)
{
    struct snap_device_room room = { .first = run->device_first };
    for (size_t i = 0; i < run->inventory.storage_count; i++) {
        const struct snap_inventory_storage *storage = &run->inventory.storages[i];
        if (snap_storage_is_whole_on_device(storage) &&
            storage->mirror.device.index == device.index)
            room.size_bytes += (size_t)(storage->size + SNAP_DEVICE_ALIGN - 1) /
                               SNAP_DEVICE_ALIGN * SNAP_DEVICE_ALIGN;
    }
    return room;
}

/* The copies from that device, begun when there are none. */
static enum snap_status device_copies(struct snap_stager *stager, struct snap_device device,
                                      struct snap_image_copies **copies, struct snap_error *err)
{
    struct snap_state_image *image = stager->image;
    for (size_t i = 0; i < image->copies_count; i++)
        if (image->copies[i].device.index == device.index) {
            *copies = &image->copies[i];
            return SNAP_OK;
        }
    void *grown = snap_array_grow(image->copies, image->copies_count, sizeof *image->copies);
    if (grown == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "staging: copies from a device: out of memory");
    image->copies = grown;
    struct snap_image_copies made = { .device = device };
    enum snap_status status = snap_device_find(device, &made.ops, err);
    const struct snap_device_room room = room_for(stager->run, device);
    if (status == SNAP_OK)
        status = made.ops->copies_new(device.index, &room, stager->run->device_stream, &made.copies,
                                      err);
    if (status != SNAP_OK)
        return status;
    *copies = &image->copies[image->copies_count];
    image->copies[image->copies_count++] = made;
    return SNAP_OK;
}

enum snap_status snap_stage_device(struct snap_stager *stager,
                                   const struct snap_inventory_storage *storage,
                                   struct snap_image_piece *piece, struct snap_error *err)
{
    const struct snap_mirror *mirror = &storage->mirror;
    struct snap_image_copies *copies = NULL;
    enum snap_status status = device_copies(stager, mirror->device, &copies, err);
    if (status != SNAP_OK)
        return status;
    void *place = snap_stage_room(stager, storage->size);
    *piece = (struct snap_image_piece){ .data = place, .size = storage->size };
    return copies->ops->copies_add(copies->copies, place, mirror->memory, (size_t)storage->size,
                                   mirror->changes_in_forward, err);
}

static enum snap_status close_copies(struct snap_state_image *image, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < image->copies_count; i++)
        status = image->copies[i].ops->copies_close(image->copies[i].copies, err);
    return status;
}

enum snap_status snap_state_image_fence(const struct snap_state_image *image, void *stream,
                                        struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < image->copies_count; i++)
        status = image->copies[i].ops->copies_fence(image->copies[i].copies, stream, err);
    return status;
}

enum snap_status snap_state_image_wait(const struct snap_state_image *image, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < image->copies_count; i++)
        status = image->copies[i].ops->copies_wait(image->copies[i].copies, err);
    return status;
}

enum snap_status snap_stager_end(struct snap_stager *stager, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (stager->count > 0)
        status = snap_copy_all(stager->run->pool, stager->copies, stager->count, err);
    return status == SNAP_OK ? close_copies(stager->image, err) : status;
}
