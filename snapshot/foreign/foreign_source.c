/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "format/limits.h"
#include "format/tree_codec.h"
#include "foreign/foreign_limits.h"
#include "foreign/foreign_source.h"

/* Keys of `blocks`: torch's are digits. */
#define BLOCK_KEY_BYTES 128

enum snap_status snap_foreign_source_init(struct snap_foreign_source *source, const char *name,
                                          struct snap_torch_file *torch,
                                          struct snap_foreign_state *state, struct snap_error *err)
{
    *source = (struct snap_foreign_source) {
        .name = name,
        .torch = torch,
        .state = state,
        .blocks = json_object(),
        .streams_before = state->stream_count,
        .rank = -1
    };
    if (source->blocks == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", name);
    return SNAP_OK;
}

void snap_foreign_source_release(struct snap_foreign_source *source)
{
    json_decref(source->blocks);
    source->blocks = NULL;
}

bool snap_foreign_is_tensor(const struct snap_pickle_value *value)
{
    return snap_torch_is_tensor(value) || snap_numpy_is_array(value);
}

const char *snap_foreign_tensor_location(const struct snap_foreign_tensor *tensor, size_t *size)
{
    const struct snap_pickle_value *location = NULL;
    if (tensor->storage != NULL)
        location = snap_pickle_item(tensor->storage->as.id, 3);
    *size = location != NULL ? location->as.bytes.size : 0;
    return location != NULL ? (const char *)location->as.bytes.data : "";
}

static enum snap_status no_memory(const struct snap_foreign_source *source, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", source->name);
}

/* The block of that key; NULL when it is not in memory yet. */
static unsigned char *find_block(const struct snap_foreign_source *source, const char *key)
{
    const json_t *index = json_object_get(source->blocks, key);
    return index != NULL ? source->state->blocks[json_integer_value(index)] : NULL;
}

/* `block` is consumed. */
static enum snap_status keep_block(struct snap_foreign_source *source, const char *key,
                                   unsigned char *block, struct snap_error *err)
{
    enum snap_status status = snap_foreign_state_add_block(source->state, block, err);
    if (status == SNAP_OK &&
        json_object_set_new_nocheck(source->blocks, key,
                                    json_integer((json_int_t)source->state->block_count - 1)) != 0)
        status = no_memory(source, err);
    return status;
}

static enum snap_status load_storage(struct snap_foreign_source *source,
                                     const struct snap_foreign_tensor *tensor, const char *what,
                                     uint64_t *size, unsigned char **block, struct snap_error *err)
{
    struct snap_torch_storage storage;
    char key[BLOCK_KEY_BYTES];
    enum snap_status status = snap_torch_storage(tensor->storage, what, &storage, err);
    if (status != SNAP_OK)
        return status;
    if (storage.location_size == 4 && memcmp(storage.location, "meta", 4) == 0)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: a tensor on the device meta: it has no "
                              "elements",
                              what);
    if (source->torch == NULL || storage.key_size > BLOCK_KEY_BYTES - 32)
        return snap_error_set(err, SNAP_CORRUPT, "%s: a storage that is not in the file", what);
    /* One storage is named with one size; the size is part of the key, so that a lie is not taken
     * for the block of another. */
    snprintf(key, sizeof key, "%.*s %" PRIu64, (int)storage.key_size, storage.key,
             storage.size_bytes);
    *size = storage.size_bytes;
    *block = find_block(source, key);
    if (*block != NULL)
        return SNAP_OK;
    status = snap_torch_file_load(source->torch, &storage, block, err);
    if (status != SNAP_OK)
        return status;
    source->storages++;
    return keep_block(source, key, *block, err);
}

static enum snap_status load_array(struct snap_foreign_source *source,
                                   const struct snap_foreign_tensor *tensor,
                                   const struct snap_pickle_value *value, unsigned char **block,
                                   struct snap_error *err)
{
    char key[BLOCK_KEY_BYTES];
    /* An array that is used twice stays one. */
    snprintf(key, sizeof key, "byte %" PRIu32, value->at);
    *block = find_block(source, key);
    if (*block != NULL)
        return SNAP_OK;
    *block = malloc(tensor->data_bytes > 0 ? (size_t)tensor->data_bytes : 1);
    if (*block == NULL)
        return no_memory(source, err);
    if (tensor->data_bytes > 0)
        memcpy(*block, tensor->data, (size_t)tensor->data_bytes);
    if (tensor->big_endian)
        snap_foreign_swap(*block, (size_t)tensor->data_bytes, tensor->dtype);
    return keep_block(source, key, *block, err);
}

/* The view must lie in its bytes; and one that uses bytes many times must not become large, for an
 * archive holds its elements. */
static enum snap_status check_view(const struct snap_foreign_tensor *tensor, uint64_t size,
                                   const char *what, struct snap_error *err)
{
    struct snap_tensor_view view = SNAP_TENSOR_VIEW_INIT;
    view.dtype = tensor->dtype;
    view.ndim = tensor->ndim;
    view.offset = tensor->offset;
    memcpy(view.shape, tensor->shape, sizeof view.shape);
    memcpy(view.strides, tensor->strides, sizeof view.strides);
    enum snap_status status = snap_view_check(&view, size, what, SNAP_CORRUPT, err);
    if (status != SNAP_OK)
        return status;
    uint64_t bytes = snap_view_elements(&view) * snap_dtype_size_bytes(view.dtype);
    if (bytes > size && bytes > SNAP_MAX_REPEATED_BYTES)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: a tensor that repeats its elements (expand) to %" PRIu64
                              " bytes: at most %u are written out; save x.clone() of it",
                              what, bytes, SNAP_MAX_REPEATED_BYTES);
    return SNAP_OK;
}

enum snap_status snap_foreign_source_load(struct snap_foreign_source *source,
                                          const struct snap_pickle_value *value, const char *what,
                                          struct snap_foreign_tensor *tensor,
                                          unsigned char **element, struct snap_error *err)
{
    unsigned char *block = NULL;
    uint64_t size = 0;
    enum snap_status status;
    if (snap_torch_is_tensor(value))
        status = snap_torch_tensor(value, what, tensor, err);
    else if (snap_numpy_is_array(value))
        status = snap_numpy_array(value, what, tensor, err);
    else if (snap_numpy_is_scalar(value))
        status = snap_numpy_scalar(value, what, tensor, err);
    else
        status = snap_error_set(err, SNAP_CORRUPT, "%s: it is no tensor", what);
    if (status == SNAP_OK && tensor->storage != NULL) {
        status = load_storage(source, tensor, what, &size, &block, err);
    } else if (status == SNAP_OK) {
        size = tensor->data_bytes;
        status = load_array(source, tensor, value, &block, err);
    }
    if (status == SNAP_OK)
        status = check_view(tensor, size, what, err);
    if (status == SNAP_OK)
        *element = block + tensor->offset * snap_dtype_size_bytes(tensor->dtype);
    return status;
}
