/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/bytes.h"
#include "foreign/foreign_limits.h"
#include "foreign/safetensors.h"

static const struct {
    const char *text;
    enum snap_dtype dtype;
} dtypes[] = {
    { "BOOL", SNAP_BOOL },       { "U8", SNAP_U8 },
    { "I8", SNAP_I8 },           { "U16", SNAP_U16 },
    { "I16", SNAP_I16 },         { "U32", SNAP_U32 },
    { "I32", SNAP_I32 },         { "U64", SNAP_U64 },
    { "I64", SNAP_I64 },         { "F16", SNAP_F16 },
    { "BF16", SNAP_BF16 },       { "F32", SNAP_F32 },
    { "F64", SNAP_F64 },         { "F8_E4M3", SNAP_F8_E4M3FN },
    { "F8_E5M2", SNAP_F8_E5M2 }, { "F8_E8M0", SNAP_F8_E8M0FNU },
    { "C64", SNAP_C64 },
};

const char *snap_safetensors_dtype(enum snap_dtype dtype)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (dtypes[i].dtype == dtype)
            return dtypes[i].text;
    return NULL;
}

static enum snap_status corrupt(const char *what, const char *name, const char *text,
                                struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT, "%s: its header: %.200s: %s", what, name, text);
}

static enum snap_status no_memory(const char *what, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", what);
}

bool snap_safetensors_is(const unsigned char *data, size_t size_bytes)
{
    return size_bytes >= 9 && data[8] == '{' && snap_get_u64(data) > 1 &&
           snap_get_u64(data) <= SNAP_MAX_SAFETENSORS_HEADER_BYTES;
}

void snap_safetensors_release(struct snap_safetensors *file)
{
    for (size_t i = 0; i < file->count; i++)
        free(file->tensors[i].name);
    for (size_t i = 0; i < file->key_count; i++) {
        free(file->keys[i]);
        free(file->texts[i]);
    }
    free(file->tensors);
    free(file->keys);
    free(file->texts);
    *file = (struct snap_safetensors)SNAP_SAFETENSORS_INIT;
}

static bool get_number(const json_t *value, uint64_t *number)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static enum snap_status read_dtype(const json_t *entry, const char *what, const char *name,
                                   enum snap_dtype *dtype, struct snap_error *err)
{
    const char *text = json_string_value(json_object_get(entry, "dtype"));
    if (text == NULL)
        return corrupt(what, name, "no dtype", err);
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(dtypes[i].text, text) == 0) {
            *dtype = dtypes[i].dtype;
            return SNAP_OK;
        }
    }
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "%s: %.200s: dtype %.40s: an archive has none such", what, name, text);
}

static enum snap_status read_shape(const json_t *entry, const char *what, const char *name,
                                   struct snap_foreign_tensor *tensor, struct snap_error *err)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape))
        return corrupt(what, name, "no shape", err);
    if (json_array_size(shape) > SNAP_MAX_DIMS)
        return snap_error_set(err, SNAP_UNSUPPORTED, "%s: %.200s: more than %d dimensions", what,
                              name, SNAP_MAX_DIMS);
    tensor->ndim = json_array_size(shape);
    for (size_t i = 0; i < tensor->ndim; i++)
        if (!get_number(json_array_get(shape, i), &tensor->shape[i]))
            return corrupt(what, name, "a dimension that is no number", err);
    return SNAP_OK;
}

/* One tensor; its offset still counts from the end of the header. */
static enum snap_status read_tensor(const json_t *entry, const char *what, const char *name,
                                    struct snap_safetensor *made, struct snap_error *err)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    uint64_t elements;
    uint64_t bytes;
    uint64_t end;
    if (!json_is_object(entry) || json_object_size(entry) != 3)
        return corrupt(what, name, "no object of dtype, shape and data_offsets", err);
    enum snap_status status = read_dtype(entry, what, name, &made->tensor.dtype, err);
    if (status == SNAP_OK)
        status = read_shape(entry, what, name, &made->tensor, err);
    if (status != SNAP_OK)
        return status;
    if (json_array_size(offsets) != 2 || !get_number(json_array_get(offsets, 0), &made->offset) ||
        !get_number(json_array_get(offsets, 1), &end) || end < made->offset)
        return corrupt(what, name, "no data_offsets", err);
    made->size_bytes = end - made->offset;
    if (!snap_foreign_tensor_elements(&made->tensor, &elements) ||
        !snap_mul_u64(elements, snap_dtype_size_bytes(made->tensor.dtype), &bytes) ||
        bytes != made->size_bytes)
        return corrupt(what, name, "its shape and data_offsets do not agree", err);
    snap_foreign_tensor_order(&made->tensor, false);
    made->name = strdup(name);
    return made->name != NULL ? SNAP_OK : no_memory(what, err);
}

static enum snap_status read_metadata(const json_t *metadata, const char *what,
                                      struct snap_safetensors *file, struct snap_error *err)
{
    json_t *object = (json_t *)(uintptr_t)metadata; /* for the iterator, which changes nothing */
    size_t size = json_object_size(metadata);
    if (!json_is_object(metadata))
        return corrupt(what, "__metadata__", "no object", err);
    file->keys = calloc(size + 1, sizeof *file->keys);
    file->texts = calloc(size + 1, sizeof *file->texts);
    if (file->keys == NULL || file->texts == NULL)
        return no_memory(what, err);
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const char *text = json_string_value(json_object_iter_value(at));
        if (text == NULL)
            return corrupt(what, "__metadata__", "a value that is no string", err);
        size_t index = file->key_count++;
        file->keys[index] = strdup(json_object_iter_key(at));
        file->texts[index] = strdup(text);
        if (file->keys[index] == NULL || file->texts[index] == NULL)
            return no_memory(what, err);
    }
    return SNAP_OK;
}

static int compare_offsets(const void *left, const void *right)
{
    const struct snap_safetensor *a = left;
    const struct snap_safetensor *b = right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->size_bytes != b->size_bytes)
        return a->size_bytes < b->size_bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The tensors must fill the rest of the file, each byte once. */
static enum snap_status check_places(struct snap_safetensors *file, uint64_t start,
                                     uint64_t file_size, const char *what, struct snap_error *err)
{
    uint64_t at = 0;
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_offsets);
    for (size_t i = 0; i < file->count; i++) {
        struct snap_safetensor *tensor = &file->tensors[i];
        if (tensor->offset != at)
            return corrupt(what, tensor->name, "there is a gap before it, or it overlaps", err);
        at += tensor->size_bytes;
        tensor->offset += start;
    }
    if (at != file_size - start)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: its header says %" PRIu64 " bytes of tensors, and the file has "
                              "%" PRIu64,
                              what, at, file_size - start);
    return SNAP_OK;
}

static enum snap_status read_header(const json_t *header, const char *what,
                                    struct snap_safetensors *file, struct snap_error *err)
{
    json_t *object = (json_t *)(uintptr_t)header; /* for the iterator, which changes nothing */
    enum snap_status status = SNAP_OK;
    file->tensors = calloc(json_object_size(header) + 1, sizeof *file->tensors);
    if (file->tensors == NULL)
        return no_memory(what, err);
    for (void *at = json_object_iter(object); status == SNAP_OK && at != NULL;
         at = json_object_iter_next(object, at)) {
        const char *name = json_object_iter_key(at);
        if (strcmp(name, "__metadata__") == 0)
            status = read_metadata(json_object_iter_value(at), what, file, err);
        else
            status = read_tensor(json_object_iter_value(at), what, name,
                                 &file->tensors[file->count], err);
        if (status == SNAP_OK && strcmp(name, "__metadata__") != 0)
            file->count++;
    }
    return status;
}

enum snap_status snap_safetensors_read(const struct snap_foreign_input *input,
                                       struct snap_safetensors *file, struct snap_error *err)
{
    unsigned char before[8];
    unsigned char *text = NULL;
    json_error_t problem;
    enum snap_status status = snap_foreign_input_read(input, 0, before, sizeof before, err);
    if (status != SNAP_OK)
        return status;
    uint64_t length = snap_get_u64(before);
    if (length > SNAP_MAX_SAFETENSORS_HEADER_BYTES)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: a header of %" PRIu64 " bytes: the format allows %u",
                              input->name, length, SNAP_MAX_SAFETENSORS_HEADER_BYTES);
    if (length > input->size - sizeof before)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: a header of %" PRIu64 " bytes, and the file has %" PRIu64
                              " more: it is cut off",
                              input->name, length, input->size - sizeof before);
    status = snap_foreign_input_load(input, sizeof before, length, &text, err);
    if (status != SNAP_OK)
        return status;
    json_t *header =
        json_loadb((const char *)text, (size_t)length, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(header))
        status = snap_error_set(err, SNAP_CORRUPT, "%s: its header is no object of JSON: %.200s",
                                input->name, header == NULL ? problem.text : "another value");
    if (status == SNAP_OK)
        status = read_header(header, input->name, file, err);
    if (status == SNAP_OK)
        status = check_places(file, sizeof before + length, input->size, input->name, err);
    if (status != SNAP_OK)
        snap_safetensors_release(file);
    json_decref(header);
    free(text);
    return status;
}
