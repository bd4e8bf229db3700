/* SPDX-License-Identifier: Apache-2.0 */
/* The second pass of a restore, and the reading back. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "digest/sha256.h"
#include "format/archive_read.h"
#include "format/archive_write.h"
#include "format/json_canonical.h"
#include "format/member_name.h"
#include "format/tree_codec.h"
#include "restore/restore.h"
#include "save/device_mirror.h"
#include "save/state_image.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "restore: out of memory");
}

enum snap_status snap_restore_unusable(const struct snap_error *cause, struct snap_error *err)
{
    return snap_error_set(err, cause->status,
                          "%.700s; memory is unusable: the restore had begun to change it",
                          cause->text);
}

/* Set every stream; when one refuses, those before it are put back. */
static enum snap_status place_streams(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = SNAP_OK;
    size_t done = 0;
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++) {
        const struct snap_inventory_stream *stream = &inventory->streams[i];
        status =
            stream->ops->get(stream->arg, &restore->old_streams[i], &restore->old_sizes[i], &cause);
    }
    for (; status == SNAP_OK && done < inventory->stream_count; done += status == SNAP_OK) {
        const struct snap_inventory_stream *stream = &inventory->streams[done];
        status = stream->ops->set(stream->arg, restore->streams[done], restore->stream_sizes[done],
                                  &cause);
    }
    if (status == SNAP_OK)
        return SNAP_OK;
    if (cause.text[0] == '\0')
        snap_error_set(&cause, status, "stream %s: get or set: failed and did not say why",
                       done < inventory->stream_count ? inventory->streams[done].name : "");
    cause.status = status;
    while (done-- > 0) {
        const struct snap_inventory_stream *stream = &inventory->streams[done];
        if (stream->ops->set(stream->arg, restore->old_streams[done], restore->old_sizes[done],
                             NULL) != SNAP_OK)
            return snap_restore_unusable(&cause, err);
    }
    if (err != NULL)
        *err = cause;
    return status;
}

/* A packed storage: its elements to their places. */
static enum snap_status place_packed(struct snap_restore *restore, size_t index,
                                     struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    const struct snap_inventory_storage *storage = &inventory->storages[index];
    const struct snap_inventory_tensor *tensor = &inventory->tensors[storage->tensor];
    unsigned char *packed = malloc(storage->size > 0 ? (size_t)storage->size : 1);
    if (packed == NULL)
        return no_memory(err);
    enum snap_status status = snap_archive_read_storage(restore->archive, index, packed, err);
    if (status == SNAP_OK) /* what lies between its elements stays */
        status = snap_mirror_fetch(restore->run, index, err);
    if (status == SNAP_OK)
        snap_scatter(tensor->data, packed, snap_dtype_size_bytes(tensor->dtype), tensor->ndim,
                     tensor->shape, tensor->strides);
    free(packed);
    return status;
}

/* At tiers exact and streams storages are the same on both sides, index by index. */
static enum snap_status place_storages(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    size_t capacity = snap_archive_member_count(restore->archive);
    const struct snap_member **members = calloc(capacity + 1, sizeof *members);
    void **places = calloc(capacity + 1, sizeof *places);
    size_t wanted = 0;
    enum snap_status status = SNAP_OK;
    if (members == NULL || places == NULL)
        status = no_memory(err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->storage_count; i++) {
        const struct snap_inventory_storage *storage =
            &inventory->storages[inventory->storage_order[i]];
        size_t first;
        size_t count;
        if (storage->packed || storage->size == 0)
            continue;
        status = snap_archive_storage_members(restore->archive, inventory->storage_order[i], &first,
                                              &count, err);
        unsigned char *place = storage->base;
        for (size_t part = 0; status == SNAP_OK && part < count; part++) {
            members[wanted] = snap_archive_member(restore->archive, first + part);
            places[wanted++] = place;
            place += snap_storage_part_bytes(storage->size, part);
        }
    }
    if (status == SNAP_OK)
        status = snap_archive_read_members(restore->archive, members, places, wanted,
                                           restore->run->pool, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->storage_count; i++)
        if (inventory->storages[i].packed)
            status = place_packed(restore, i, err);
    if (status == SNAP_OK)
        status = snap_mirrors_store(restore->run, err);
    free(members);
    free(places);
    return status;
}

/* The place in the data; the files are the same. */
static enum snap_status place_position(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_data_doc *there = snap_archive_data_doc(restore->archive);
    struct snap_position position = SNAP_POSITION_INIT;
    position.epoch = there->epoch;
    position.position = there->position;
    if (there->order_stream != NULL) {
        position.order_stream = there->order_stream;
        position.order_start = there->order_start;
        position.order_start_size = there->order_start_size;
        position.order_samples = there->order_samples;
        memcpy(position.order_digest, there->order_digest, SNAP_DIGEST_BYTES);
    }
    return snap_run_set_position(restore->run, &position, err);
}

static void place_small(struct snap_restore *restore)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    for (size_t i = 0; i < inventory->scalar_count; i++)
        snap_inventory_scalar_set(&inventory->scalars[i], restore->scalars[i]);
    for (size_t i = 0; i < inventory->value_count; i++)
        if (restore->values[i] != NULL && inventory->values[i].size > 0)
            memcpy(inventory->values[i].data, restore->values[i], inventory->values[i].size);
}

/* ---- reading back ---- */

static enum snap_status not_set(const char *name, struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT,
                          "%s: read back after the restore: it is not what was "
                          "set",
                          name);
}

/* A member of the image must have the archive's digest; the receipt's component gets it. */
static enum snap_status compare_member(struct snap_restore *restore, const char *name,
                                       const unsigned char sha256[SNAP_DIGEST_BYTES],
                                       size_t component, struct snap_error *err)
{
    const struct snap_member *member = snap_archive_find(restore->archive, name);
    if (member == NULL || memcmp(member->sha256, sha256, SNAP_DIGEST_BYTES) != 0)
        return not_set(name, err);
    if (component == SIZE_MAX)
        return SNAP_OK;
    return snap_receipt_restored(restore->receipt, component, sha256, err);
}

/* A stream of the image, which may be one that the archive does not have. */
static enum snap_status compare_stream(struct snap_restore *restore, size_t index,
                                       const unsigned char sha256[SNAP_DIGEST_BYTES],
                                       struct snap_error *err)
{
    const char *name = restore->run->inventory.streams[index].member;
    size_t component = restore->stream_components[index];
    unsigned char made[SNAP_DIGEST_BYTES];
    if (!restore->made_streams[index])
        return compare_member(restore, name, sha256, component, err);
    enum snap_status status =
        snap_sha256(restore->streams[index], restore->stream_sizes[index], made, err);
    if (status != SNAP_OK)
        return status;
    return memcmp(made, sha256, sizeof made) == 0
               ? snap_receipt_restored(restore->receipt, component, sha256, err)
               : not_set(name, err);
}

static enum snap_status tell_tensors(struct snap_restore *restore,
                                     const struct snap_write_member *members, size_t count,
                                     struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->tensor_count; i++) {
        const struct snap_inventory_storage *storage =
            &inventory->storages[inventory->tensors[i].storage];
        for (size_t part = 0; status == SNAP_OK && part < storage->part_count; part++) {
            const char *name = storage->part_names[part];
            status =
                compare_member(restore, name, snap_write_member_find(members, count, name)->sha256,
                               restore->tensor_components[i], err);
        }
    }
    return status;
}

/* Scalars stand in state.json: compare them bit by bit; their digest is of their 8 bytes. */
static enum snap_status tell_scalars(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    unsigned char digest[SNAP_DIGEST_BYTES];
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->scalar_count; i++) {
        uint64_t bits = snap_inventory_scalar_bits(&inventory->scalars[i]);
        if (bits != restore->scalars[i])
            return not_set(inventory->scalars[i].name, err);
        status = snap_sha256(&bits, sizeof bits, digest, err);
        if (status == SNAP_OK)
            status =
                snap_receipt_restored(restore->receipt, restore->scalar_components[i], digest, err);
    }
    return status;
}

/* Plain values of trees were compared with the archive's; their digest is of the root's node. */
static enum snap_status tell_trees(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    enum snap_status status = SNAP_OK;
    for (size_t r = 0; status == SNAP_OK && r < inventory->root_count; r++) {
        struct snap_buffer text = SNAP_BUFFER_INIT;
        unsigned char digest[SNAP_DIGEST_BYTES];
        json_t *value = NULL;
        if (inventory->roots[r].tree == NULL)
            continue;
        status = snap_node_encode(inventory->doc.roots[r].node, &value, err);
        if (status == SNAP_OK)
            status = snap_json_encode(value, &text, err);
        if (status == SNAP_OK)
            status = snap_sha256(text.data, text.size, digest, err);
        if (status == SNAP_OK)
            status =
                snap_receipt_restored(restore->receipt, restore->tree_components[r], digest, err);
        json_decref(value);
        snap_buffer_release(&text);
    }
    return status;
}

/* Storages were digested where they lie, when they had been read there, and nothing but packed ones
 * was written after: those digests stand. Packed ones are gathered again, and those of a device
 * were copied back from it. */
static void know_storages(const struct snap_restore *restore, struct snap_write_member *members)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    size_t at = 2 + inventory->stream_count; /* state.json, data.json and the streams */
    for (size_t i = 0; i < inventory->storage_count; i++) {
        const struct snap_inventory_storage *storage = &inventory->storages[i];
        for (size_t part = 0; part < storage->part_count; part++, at++) {
            struct snap_write_member *made = &members[at];
            const struct snap_member *member = snap_archive_find(restore->archive, made->name);
            if (member == NULL || storage->packed || storage->size == 0 ||
                snap_storage_is_mirrored(storage))
                continue;
            memcpy(made->sha256, member->sha256, SNAP_DIGEST_BYTES);
            made->digest_known = true;
        }
    }
}

static enum snap_status read_back(struct snap_restore *restore, struct snap_error *err)
{
    struct snap_run *run = restore->run;
    struct snap_inventory *inventory = &run->inventory;
    struct snap_state_image image = SNAP_STATE_IMAGE_INIT;
    struct snap_write_member *members = NULL;
    unsigned char state[SNAP_DIGEST_BYTES];
    size_t count = 0;
    enum snap_status status = snap_state_image_take(run, 0, &image, err);
    if (status == SNAP_OK)
        status = snap_state_image_members(run, &image, 0, &members, &count, err);
    if (status == SNAP_OK)
        know_storages(restore, members);
    if (status == SNAP_OK)
        status = snap_archive_state_digest(members, count, run->pool, state, err);
    if (status == SNAP_OK)
        status = tell_tensors(restore, members, count, err);
    if (status == SNAP_OK)
        status = tell_scalars(restore, err);
    if (status == SNAP_OK)
        status = tell_trees(restore, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++) {
        const char *name = inventory->streams[i].member;
        status = compare_stream(restore, i, snap_write_member_find(members, count, name)->sha256,
                                err);
    }
    for (size_t i = 0; status == SNAP_OK && i < inventory->value_count; i++) {
        const char *name = inventory->values[i].member;
        if (inventory->values[i].in_state)
            status =
                compare_member(restore, name, snap_write_member_find(members, count, name)->sha256,
                               restore->value_components[i], err);
    }
    if (status == SNAP_OK)
        status = compare_member(restore, "data.json",
                                snap_write_member_find(members, count, "data.json")->sha256,
                                restore->position_component, err);
    /* What the alarm of the first begin_step compares with. */
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++) {
        free(inventory->streams[i].restored);
        inventory->streams[i].restored = image.streams[i].owned;
        inventory->streams[i].restored_size = (size_t)image.streams[i].size;
        image.streams[i].owned = NULL;
    }
    snap_state_image_release(&image);
    free(members);
    return status;
}

/* ---- tier weights ---- */

/* One tensor from the archive's view of a storage to the strides that it has here, and back. */
static enum snap_status place_weight(struct snap_restore *restore, size_t index,
                                     struct snap_error *err)
{
    const struct snap_inventory_tensor *tensor = &restore->run->inventory.tensors[index];
    const struct snap_tensor_view *view = restore->views[index];
    size_t element_bytes = snap_dtype_size_bytes(tensor->dtype);
    size_t bytes = (size_t)tensor->elements * element_bytes;
    unsigned char wanted[SNAP_DIGEST_BYTES];
    unsigned char got[SNAP_DIGEST_BYTES];
    uint64_t size = 0;
    snap_archive_storage_name(restore->archive, view->storage, &size);
    unsigned char *storage = malloc(size > 0 ? (size_t)size : 1);
    unsigned char *packed = malloc(bytes > 0 ? bytes : 1);
    enum snap_status status = SNAP_OK;
    if (storage == NULL || packed == NULL)
        status = no_memory(err);
    if (status == SNAP_OK)
        status = snap_archive_read_storage(restore->archive, view->storage, storage, err);
    if (status == SNAP_OK) {
        snap_gather(packed, storage + view->offset * element_bytes, element_bytes, view->ndim,
                    view->shape, view->strides);
        status = snap_sha256(packed, bytes, wanted, err);
    }
    if (status == SNAP_OK)
        status = snap_mirror_fetch(restore->run, tensor->storage, err);
    if (status == SNAP_OK) {
        snap_scatter(tensor->data, packed, element_bytes, tensor->ndim, tensor->shape,
                     tensor->strides);
        status = snap_mirror_store(restore->run, tensor->storage, err);
    }
    if (status == SNAP_OK)
        status = snap_mirror_fetch(restore->run, tensor->storage, err);
    if (status == SNAP_OK) {
        snap_gather(packed, tensor->data, element_bytes, tensor->ndim, tensor->shape,
                    tensor->strides);
        status = snap_sha256(packed, bytes, got, err);
    }
    if (status == SNAP_OK && memcmp(wanted, got, sizeof got) != 0)
        status = not_set(tensor->name, err);
    if (status == SNAP_OK)
        status =
            snap_receipt_restored(restore->receipt, restore->tensor_components[index], got, err);
    free(storage);
    free(packed);
    return status;
}

static enum snap_status place_weights(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->tensor_count; i++) {
        const char *root = inventory->roots[inventory->tensors[i].root].name;
        if (restore->views[i] != NULL && strcmp(root, "model") == 0)
            status = place_weight(restore, i, err);
    }
    return status;
}

enum snap_status snap_restore_place(struct snap_restore *restore, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status;
    if (restore->receipt->tier == SNAP_TIER_WEIGHTS) {
        status = place_weights(restore, &cause);
    } else {
        status = place_streams(restore, err);
        if (status != SNAP_OK)
            return status;
        status = place_position(restore, &cause);
        if (status == SNAP_OK) {
            place_small(restore);
            status = place_storages(restore, &cause); /* the last: see know_storages */
        }
        if (status == SNAP_OK)
            status = read_back(restore, &cause);
    }
    return status == SNAP_OK ? SNAP_OK : snap_restore_unusable(&cause, err);
}

void snap_restore_release(struct snap_restore *restore)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    for (size_t i = 0; i < inventory->stream_count; i++) {
        if (restore->streams != NULL)
            free(restore->streams[i]);
        if (restore->old_streams != NULL)
            free(restore->old_streams[i]);
    }
    for (size_t i = 0; restore->values != NULL && i < inventory->value_count; i++)
        free(restore->values[i]);
    free(restore->streams);
    free(restore->stream_sizes);
    free(restore->old_streams);
    free(restore->old_sizes);
    free(restore->values);
    snap_leaves_release(&restore->leaves);
    free(restore->views);
    free(restore->tensor_components);
    free(restore->scalars);
    free(restore->scalar_components);
    free(restore->tree_components);
    free(restore->stream_components);
    free(restore->made_streams);
    free(restore->value_components);
    snap_receipt_free(restore->receipt);
    snap_archive_close(restore->archive);
}
