/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "device/device_ops.h"
#include "digest/member_digest.h"
#include "digest/sha256.h"
#include "digest/tree_digest.h"
#include "format/listing.h"
#include "format/member_name.h"
#include "save/device_digest.h"
#include "save/device_mirror.h"
#include "save/image_stage.h"
#include "save/state_image.h"

static enum snap_status no_memory(uint64_t bytes, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "state: copy %llu bytes of it: out of memory",
                          (unsigned long long)bytes);
}

static void release_pieces(struct snap_image_piece *pieces, size_t count)
{
    for (size_t i = 0; pieces != NULL && i < count; i++)
        free(pieces[i].owned);
    free(pieces);
}

void snap_state_image_release(struct snap_state_image *image)
{
    snap_buffer_release(&image->state_json);
    snap_buffer_release(&image->data_json);
    release_pieces(image->streams, image->stream_count);
    for (size_t i = 0; i < image->copies_count; i++)
        image->copies[i].ops->copies_free(image->copies[i].copies);
    free(image->copies);
    release_pieces(image->storages, image->storage_count);
    release_pieces(image->values, image->value_count);
    *image = (struct snap_state_image)SNAP_STATE_IMAGE_INIT;
}

static enum snap_status own_piece(struct snap_image_piece *piece, uint64_t size,
                                  struct snap_error *err)
{
    piece->owned = malloc(size > 0 ? (size_t)size : 1);
    if (piece->owned == NULL)
        return no_memory(size, err);
    piece->data = piece->owned;
    piece->size = size;
    return SNAP_OK;
}

static enum snap_status copy_piece(struct snap_image_piece *piece, const void *data, uint64_t size,
                                   struct snap_error *err)
{
    enum snap_status status = own_piece(piece, size, err);
    if (status == SNAP_OK && size > 0)
        memcpy(piece->owned, data, (size_t)size);
    return status;
}

enum snap_status snap_stream_form_check(const struct snap_inventory_stream *stream,
                                        const void *bytes, size_t size, struct snap_error *err)
{
    struct snap_stream *probe = NULL;
    void *again = NULL;
    size_t again_size = 0;
    enum snap_status status = snap_stream_new(stream->kind, &probe, err);
    if (status == SNAP_OK)
        status = snap_stream_decode(probe, bytes, size, err);
    if (status == SNAP_OK)
        status = snap_stream_encode(probe, &again, &again_size, err);
    if (status == SNAP_OK && (again_size != size || memcmp(again, bytes, size) != 0))
        status = snap_error_set(err, SNAP_UNSUPPORTED, "stream %s: its bytes are an old form of %s",
                                stream->name, stream->kind);
    free(again);
    snap_stream_free(probe);
    return status;
}

/* The same of what a stream's get() gave: the caller's mistake, told before it is saved. */
static enum snap_status check_given(const struct snap_inventory_stream *stream, const void *bytes,
                                    size_t size, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_stream_form_check(stream, bytes, size, &cause);
    if (status == SNAP_OK || status == SNAP_NO_MEMORY) {
        if (status != SNAP_OK && err != NULL)
            *err = cause;
        return status;
    }
    return snap_error_set(err, SNAP_INVALID,
                          "stream %s: get: its bytes are no state of kind %s that a restore "
                          "takes: %.600s",
                          stream->name, stream->kind, cause.text);
}

/* A stream's bytes as its owner gives them now; with `check`, a restore must be able to read
 * them. */
static enum snap_status get_stream(const struct snap_inventory_stream *stream, bool check,
                                   struct snap_image_piece *piece, struct snap_error *err)
{
    size_t size = 0;
    enum snap_status status = stream->ops->get(stream->arg, &piece->owned, &size, err);
    if (status != SNAP_OK)
        return status;
    piece->data = piece->owned;
    piece->size = size;
    if (size > SNAP_MAX_STREAM_BYTES)
        return snap_error_set(err, SNAP_INVALID, "stream %s: its state has %zu bytes, more than %u",
                              stream->name, size, SNAP_MAX_STREAM_BYTES);
    return check ? check_given(stream, piece->data, size, err) : SNAP_OK;
}

enum snap_status snap_streams_check(const struct snap_inventory *inventory, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++) {
        struct snap_image_piece piece = { .owned = NULL };
        status = get_stream(&inventory->streams[i], true, &piece, err);
        free(piece.owned);
    }
    return status;
}

/* Put the elements that begin_step kept over those of a copied storage. */
static void restore_before(const struct snap_inventory_tensor *tensor, unsigned char *storage,
                           bool packed)
{
    size_t element_bytes = snap_dtype_size_bytes(tensor->dtype);
    if (packed)
        memcpy(storage, tensor->before, (size_t)tensor->elements * element_bytes);
    else
        snap_scatter(storage + tensor->offset * element_bytes, tensor->before, element_bytes,
                     tensor->ndim, tensor->shape, tensor->strides);
}

static enum snap_status take_storage(const struct snap_inventory *inventory, size_t index,
                                     bool changed, struct snap_stager *stager,
                                     struct snap_image_piece *piece, struct snap_error *err)
{
    const struct snap_inventory_storage *storage = &inventory->storages[index];
    const struct snap_inventory_tensor *tensor = &inventory->tensors[storage->tensor];
    enum snap_status status = SNAP_OK;
    if (piece->leaves != NULL)
        return SNAP_OK;
    if (snap_stager_is_on(stager) && snap_storage_is_whole_on_device(storage))
        return snap_stage_device(stager, storage, piece, err);
    status = snap_mirror_fetch(stager->run, index, err);
    if (status != SNAP_OK)
        return status;
    if (storage->packed) {
        void *place = snap_stager_is_on(stager) ? snap_stage_room(stager, storage->size) : NULL;
        if (place == NULL) {
            status = own_piece(piece, storage->size, err);
            place = piece->owned;
        }
        piece->data = place;
        piece->size = storage->size;
        if (status == SNAP_OK)
            snap_gather(place, tensor->data, snap_dtype_size_bytes(tensor->dtype), tensor->ndim,
                        tensor->shape, tensor->strides);
    } else if (changed) {
        status = copy_piece(piece, storage->base, storage->size, err);
    } else if (snap_stager_is_on(stager)) {
        snap_stage_storage(stager, storage, piece);
    } else {
        piece->data = storage->base;
        piece->size = storage->size;
    }
    return status;
}

static enum snap_status take_storages(const struct snap_inventory *inventory, unsigned flags,
                                      struct snap_stager *stager, struct snap_state_image *image,
                                      struct snap_error *err)
{
    bool before = (flags & SNAP_IMAGE_BEFORE_STEP) != 0;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->storage_count; i++)
        status = take_storage(inventory, i, before, stager, &image->storages[i], err);
    for (size_t i = 0; status == SNAP_OK && before && i < inventory->tensor_count; i++) {
        const struct snap_inventory_tensor *tensor = &inventory->tensors[i];
        if (tensor->before != NULL)
            restore_before(tensor, image->storages[tensor->storage].owned,
                           inventory->storages[tensor->storage].packed);
    }
    return status;
}

static enum snap_status take_streams(const struct snap_inventory *inventory, unsigned flags,
                                     struct snap_state_image *image, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++) {
        const struct snap_inventory_stream *stream = &inventory->streams[i];
        if ((flags & SNAP_IMAGE_BEFORE_STEP) != 0)
            status = copy_piece(&image->streams[i], stream->before, stream->before_size, err);
        else
            status =
                get_stream(stream, (flags & SNAP_IMAGE_FOR_SAVE) != 0, &image->streams[i], err);
    }
    return status;
}

static void take_values(const struct snap_inventory *inventory, struct snap_stager *stager,
                        struct snap_state_image *image)
{
    for (size_t i = 0; i < inventory->value_count; i++) {
        const struct snap_inventory_value *value = &inventory->values[i];
        if (snap_stager_is_on(stager)) {
            snap_stage_value(stager, &image->values[i], value->data, value->size);
        } else {
            image->values[i].data = value->data;
            image->values[i].size = value->size;
        }
    }
}

static enum snap_status new_pieces(size_t count, struct snap_image_piece **pieces,
                                   size_t *piece_count, struct snap_error *err)
{
    *pieces = calloc(count + 1, sizeof **pieces);
    if (*pieces == NULL)
        return no_memory(count * sizeof **pieces, err);
    *piece_count = count;
    return SNAP_OK;
}

static enum snap_status take_state_json(struct snap_run *run, struct snap_state_image *image,
                                        struct snap_error *err)
{
    struct snap_state_doc doc = SNAP_STATE_DOC_INIT;
    enum snap_status status = snap_inventory_state_doc(&run->inventory, run->profile, run->binding,
                                                       run->training, NULL, &doc, err);
    if (status == SNAP_OK)
        status = snap_state_doc_encode(&doc, &image->state_json, err);
    snap_state_doc_release(&doc);
    return status;
}

enum snap_status snap_state_image_take(struct snap_run *run, unsigned flags,
                                       struct snap_state_image *image, struct snap_error *err)
{
    const struct snap_inventory *inventory = &run->inventory;
    bool whole = (flags & SNAP_IMAGE_FOR_DIGEST) == 0;
    struct snap_stager stager = { .run = run, .image = image };
    enum snap_status status =
        new_pieces(inventory->stream_count, &image->streams, &image->stream_count, err);
    if (status == SNAP_OK)
        status = new_pieces(inventory->storage_count, &image->storages, &image->storage_count, err);
    if (status == SNAP_OK)
        status = new_pieces(inventory->value_count, &image->values, &image->value_count, err);
    if (status == SNAP_OK)
        status = take_streams(inventory, flags, image, err);
    if (status == SNAP_OK && (flags & SNAP_IMAGE_STAGED) != 0)
        status = snap_stager_begin(&stager, err);
    if (status == SNAP_OK && flags == SNAP_IMAGE_FOR_DIGEST)
        status = snap_device_digest_leaves(run, image, err);
    if (status == SNAP_OK)
        status = take_storages(inventory, flags, &stager, image, err);
    if (status == SNAP_OK && (flags & SNAP_IMAGE_BEFORE_STEP) != 0)
        status = snap_buffer_append(&image->data_json, run->data_before.data, run->data_before.size,
                                    err);
    else if (status == SNAP_OK)
        status = snap_data_doc_encode(&run->data, &image->data_json, err);
    if (status == SNAP_OK && whole)
        take_values(inventory, &stager, image);
    if (status == SNAP_OK)
        status = snap_stager_end(&stager, err);
    free(stager.copies);
    if (status == SNAP_OK && whole)
        status = take_state_json(run, image, err);
    if (status != SNAP_OK)
        snap_state_image_release(image);
    return status;
}

static size_t storage_members(const struct snap_inventory_storage *storage,
                              const struct snap_image_piece *piece,
                              struct snap_write_member *members)
{
    const unsigned char *data = piece->data;
    for (size_t part = 0; part < storage->part_count; part++) {
        size_t size = snap_storage_part_bytes(storage->size, part);
        members[part] = (struct snap_write_member){ .name = storage->part_names[part],
                                                    .data = data,
                                                    .size = size };
        data = data == NULL ? NULL : data + size;
    }
    return storage->part_count;
}

enum snap_status snap_state_image_members(const struct snap_run *run,
                                          const struct snap_state_image *image, size_t spare,
                                          struct snap_write_member **members, size_t *count,
                                          struct snap_error *err)
{
    const struct snap_inventory *inventory = &run->inventory;
    size_t capacity = 2 + image->stream_count + image->value_count + spare;
    for (size_t i = 0; i < image->storage_count; i++)
        capacity += inventory->storages[i].part_count;
    struct snap_write_member *made = calloc(capacity, sizeof *made);
    if (made == NULL)
        return no_memory(capacity * sizeof *made, err);
    size_t at = 0;
    made[at++] = (struct snap_write_member){ .name = "state.json",
                                             .data = image->state_json.data,
                                             .size = image->state_json.size };
    made[at++] = (struct snap_write_member){ .name = "data.json",
                                             .data = image->data_json.data,
                                             .size = image->data_json.size };
    for (size_t i = 0; i < image->stream_count; i++)
        made[at++] = (struct snap_write_member){ .name = inventory->streams[i].member,
                                                 .data = image->streams[i].data,
                                                 .size = image->streams[i].size };
    for (size_t i = 0; i < image->storage_count; i++)
        at += storage_members(&inventory->storages[i], &image->storages[i], made + at);
    for (size_t i = 0; i < image->value_count; i++)
        made[at++] = (struct snap_write_member){ .name = inventory->values[i].member,
                                                 .data = image->values[i].data,
                                                 .size = image->values[i].size,
                                                 .in_state = inventory->values[i].in_state };
    *members = made;
    *count = at;
    return SNAP_OK;
}

const struct snap_write_member *snap_write_member_find(const struct snap_write_member *members,
                                                       size_t count, const char *name)
{
    for (size_t low = 0, high = count; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = snap_member_compare(members[middle].name, name);
        if (order == 0)
            return &members[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

enum snap_status snap_state_image_digest(const struct snap_run *run,
                                         const struct snap_state_image *image,
                                         unsigned char digest[SNAP_DIGEST_BYTES],
                                         struct snap_error *err)
{
    const struct snap_inventory *inventory = &run->inventory;
    size_t storages = image->storage_count;
    size_t streams = image->stream_count;
    struct snap_digest_item *items = calloc(storages + streams + 1, sizeof *items);
    struct snap_listing_line *lines = calloc(storages + streams + 1, sizeof *lines);
    unsigned char data_digest[SNAP_DIGEST_BYTES];
    enum snap_status status = SNAP_OK;
    if (items == NULL || lines == NULL)
        status = no_memory((storages + streams) * sizeof *lines, err);
    for (size_t i = 0; status == SNAP_OK && i < storages; i++) {
        const struct snap_image_piece *piece = &image->storages[inventory->storage_order[i]];
        items[i].data = piece->data;
        items[i].size_bytes = (size_t)piece->size;
        items[i].leaves = piece->leaves;
    }
    for (size_t i = 0; status == SNAP_OK && i < streams; i++) {
        const struct snap_image_piece *piece = &image->streams[inventory->stream_order[i]];
        items[storages + i].data = piece->data;
        items[storages + i].size_bytes = (size_t)piece->size;
    }
    if (status == SNAP_OK)
        status = snap_tree_hashes(run->pool, items, storages, err);
    if (status == SNAP_OK)
        status = snap_member_digests(run->pool, items + storages, streams, err);
    if (status == SNAP_OK)
        status = snap_sha256(image->data_json.data, image->data_json.size, data_digest, err);
    for (size_t i = 0; status == SNAP_OK && i < storages + streams; i++) {
        memcpy(lines[i].sha256, items[i].sha256, SNAP_DIGEST_BYTES);
        lines[i].name = i < storages
                            ? inventory->storages[inventory->storage_order[i]].member
                            : inventory->streams[inventory->stream_order[i - storages]].member;
    }
    if (status == SNAP_OK)
        status =
            snap_state_digest(lines, storages, lines + storages, streams, data_digest, digest, err);
    free(items);
    free(lines);
    return status;
}

enum snap_status snap_run_state_digest(struct snap_run *run,
                                       unsigned char digest[SNAP_DIGEST_BYTES],
                                       struct snap_error *err)
{
    struct snap_state_image image = SNAP_STATE_IMAGE_INIT;
    enum snap_status status = snap_state_image_take(run, SNAP_IMAGE_FOR_DIGEST, &image, err);
    if (status == SNAP_OK)
        status = snap_state_image_digest(run, &image, digest, err);
    snap_state_image_release(&image);
    return status;
}
