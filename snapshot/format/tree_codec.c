/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "core/text.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "format/tree_codec.h"
#include "format/tree_node.h"

static json_t *encode_numbers(const uint64_t *numbers, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, snap_json_u64(numbers[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static enum snap_status encode_view(const struct snap_tensor_view *view, json_t **value,
                                    struct snap_error *err)
{
    if (snap_dtype_name(view->dtype) == NULL)
        return snap_error_set(err, SNAP_INVALID, "tree: a tensor of dtype %d: no such dtype",
                              (int)view->dtype);
    if (view->ndim > SNAP_MAX_DIMS)
        return snap_error_set(err, SNAP_INVALID, "tree: a tensor of %zu dimensions: at most %d",
                              view->ndim, SNAP_MAX_DIMS);
    json_t *object = json_object();
    enum snap_status status =
        snap_json_set(object, "device", json_string(view->on_device ? "cuda" : "cpu"), err);
    if (status == SNAP_OK)
        status = snap_json_set(object, "dtype", json_string(snap_dtype_name(view->dtype)), err);
    if (status == SNAP_OK && view->is_piece)
        status = snap_json_set(object, "global_offset",
                               encode_numbers(view->global_offset, view->ndim), err);
    if (status == SNAP_OK && view->is_piece)
        status = snap_json_set(object, "global_shape",
                               encode_numbers(view->global_shape, view->ndim), err);
    if (status == SNAP_OK)
        status = snap_json_set(object, "offset", snap_json_u64(view->offset), err);
    if (status == SNAP_OK)
        status = snap_json_set(object, "requires_grad", json_boolean(view->requires_grad), err);
    if (status == SNAP_OK)
        status = snap_json_set(object, "shape", encode_numbers(view->shape, view->ndim), err);
    if (status == SNAP_OK)
        status = snap_json_set(object, "storage", snap_json_u64(view->storage), err);
    if (status == SNAP_OK)
        status = snap_json_set(object, "strides", encode_numbers(view->strides, view->ndim), err);
    if (status == SNAP_OK)
        *value = object;
    else
        json_decref(object);
    return status;
}

static enum snap_status encode_text(const char *text, json_t **value, struct snap_error *err)
{
    if (!snap_utf8_is_valid(text, strlen(text)))
        return snap_error_set(err, SNAP_INVALID, "tree: the string \"%.80s\" is not UTF-8", text);
    *value = json_string_nocheck(text);
    if (*value == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "tree: out of memory");
    return SNAP_OK;
}

static json_t *encode_integer(const struct snap_node *node)
{
    if (node->as.integer.digits != NULL)
        return json_string_nocheck(node->as.integer.digits);
    if (!node->as.integer.negative)
        return snap_json_u64(node->as.integer.magnitude);
    return snap_json_i64((int64_t)(0 - node->as.integer.magnitude));
}

static json_t *encode_bytes(const struct snap_node *node)
{
    char *digits = malloc(2 * node->as.bytes.size_bytes + 1);
    if (digits == NULL)
        return NULL;
    snap_hex_encode(node->as.bytes.data, node->as.bytes.size_bytes, digits);
    json_t *value = json_string_nocheck(digits);
    free(digits);
    return value;
}

static enum snap_status encode_node(const struct snap_node *node, int depth, json_t **value,
                                    struct snap_error *err);

static enum snap_status encode_entry(const struct snap_entry *entry, int depth, json_t **value,
                                     struct snap_error *err)
{
    if (entry->key == NULL)
        return encode_node(entry->value, depth, value, err);
    json_t *key = NULL;
    json_t *item = NULL;
    enum snap_status status = SNAP_OK;
    if (entry->key[0] == 's')
        status = encode_text(entry->key + 1, &key, err);
    else
        key = json_integer(strtoll(entry->key + 1, NULL, 10));
    if (status == SNAP_OK)
        status = encode_node(entry->value, depth + 1, &item, err);
    if (status != SNAP_OK) {
        json_decref(key);
        return status;
    }
    *value = json_pack("[oo]", key, item);
    return *value != NULL ? SNAP_OK : snap_error_set(err, SNAP_NO_MEMORY, "tree: out of memory");
}

static enum snap_status encode_children(const struct snap_node *node, int depth, json_t **value,
                                        struct snap_error *err)
{
    json_t *array = json_array();
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; i < node->as.children.count && status == SNAP_OK; i++) {
        json_t *item = NULL;
        status = encode_entry(&node->as.children.entries[i], depth + 1, &item, err);
        if (status == SNAP_OK)
            status = snap_json_append(array, item, err);
    }
    if (status == SNAP_OK && array == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "tree: out of memory");
    if (status == SNAP_OK)
        *value = array;
    else
        json_decref(array);
    return status;
}

static enum snap_status encode_node(const struct snap_node *node, int depth, json_t **value,
                                    struct snap_error *err)
{
    const char *type = NULL;
    json_t *inner = NULL;
    enum snap_status status = SNAP_OK;
    if (depth >= SNAP_MAX_JSON_DEPTH)
        return snap_error_set(err, SNAP_INVALID, "tree: lists and maps are too deep in each other");
    switch (node->type) {
    case SNAP_NODE_NULL:
        type = "null";
        inner = json_null();
        break;
    case SNAP_NODE_BOOL:
        type = "bool";
        inner = json_boolean(node->as.boolean);
        break;
    case SNAP_NODE_INT:
        type = "int";
        inner = encode_integer(node);
        break;
    case SNAP_NODE_FLOAT: {
        char digits[17];
        type = "float";
        snap_hex_encode_u64(node->as.float_bits, digits);
        inner = json_string(digits);
        break;
    }
    case SNAP_NODE_STRING:
        type = "string";
        status = encode_text(node->as.string, &inner, err);
        break;
    case SNAP_NODE_BYTES:
        type = "bytes";
        inner = encode_bytes(node);
        break;
    case SNAP_NODE_LIST:
    case SNAP_NODE_MAP:
        type = node->type == SNAP_NODE_LIST ? "list" : "map";
        status = encode_children(node, depth + 1, &inner, err);
        break;
    case SNAP_NODE_TENSOR:
        type = "tensor";
        status = encode_view(node->as.view, &inner, err);
        break;
    }
    if (status != SNAP_OK)
        return status;
    json_t *object = json_object();
    status = snap_json_set(object, type, inner, err);
    if (status == SNAP_OK)
        *value = object;
    else
        json_decref(object);
    return status;
}

enum snap_status snap_node_encode(const struct snap_node *node, json_t **value,
                                  struct snap_error *err)
{
    return encode_node(node, 0, value, err);
}

static enum snap_status decode_numbers(const json_t *object, const char *key, size_t *count,
                                       uint64_t numbers[SNAP_MAX_DIMS], const char *what,
                                       struct snap_error *err)
{
    const json_t *array = NULL;
    enum snap_status status = snap_json_field(object, key, JSON_ARRAY, what, &array, err);
    if (status != SNAP_OK)
        return status;
    if (json_array_size(array) > SNAP_MAX_DIMS)
        return snap_error_set(err, SNAP_CORRUPT, "%s: \"%s\": %zu dimensions: at most %d", what,
                              key, json_array_size(array), SNAP_MAX_DIMS);
    *count = json_array_size(array);
    for (size_t i = 0; i < *count; i++)
        if (!snap_json_get_u64(json_array_get(array, i), &numbers[i]))
            return snap_error_set(err, SNAP_CORRUPT, "%s: \"%s\": expected integers from 0 on",
                                  what, key);
    return SNAP_OK;
}

static enum snap_status decode_view(const json_t *object, const char *what,
                                    struct snap_tensor_view *view, struct snap_error *err)
{
    const char *device = NULL;
    const char *dtype = NULL;
    const json_t *requires_grad = NULL;
    uint64_t storage = 0;
    size_t strides = 0;
    size_t global_shape = 0;
    size_t global_offset = 0;
    enum snap_status status = snap_json_check_keys(
        object,
        "device dtype global_offset? global_shape? offset requires_grad shape storage strides",
        what, err);
    if (status == SNAP_OK)
        status = snap_json_field_string(object, "device", what, &device, err);
    if (status == SNAP_OK)
        status = snap_json_field_string(object, "dtype", what, &dtype, err);
    if (status == SNAP_OK)
        status = snap_json_field(object, "requires_grad", JSON_TRUE, what, &requires_grad, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(object, "offset", what, &view->offset, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(object, "storage", what, &storage, err);
    if (status == SNAP_OK)
        status = decode_numbers(object, "shape", &view->ndim, view->shape, what, err);
    if (status == SNAP_OK)
        status = decode_numbers(object, "strides", &strides, view->strides, what, err);
    if (status != SNAP_OK)
        return status;
    view->is_piece = json_object_get(object, "global_shape") != NULL ||
                     json_object_get(object, "global_offset") != NULL;
    if (view->is_piece) {
        status = decode_numbers(object, "global_shape", &global_shape, view->global_shape, what,
                                err);
        if (status == SNAP_OK)
            status = decode_numbers(object, "global_offset", &global_offset, view->global_offset,
                                    what, err);
        if (status != SNAP_OK)
            return status;
    }
    view->on_device = strcmp(device, "cuda") == 0;
    view->requires_grad = json_is_true(requires_grad);
    view->storage = (uint32_t)storage;
    const char *fault = NULL;
    if (!view->on_device && strcmp(device, "cpu") != 0)
        fault = "\"device\": expected \"cpu\" or \"cuda\"";
    else if (!snap_dtype_from_name(dtype, &view->dtype))
        fault = "\"dtype\": no such dtype";
    else if (storage >= SNAP_MAX_STORAGES)
        fault = "\"storage\": past the most storages allowed";
    else if (strides != view->ndim ||
             (view->is_piece && (global_shape != view->ndim || global_offset != view->ndim)))
        fault = "shape, strides, global_shape and global_offset have different lengths";
    if (fault != NULL)
        return snap_error_set(err, SNAP_CORRUPT, "%s: a tensor: %s", what, fault);
    return SNAP_OK;
}

/* A decimal integer past 2^53 either way. */
static bool is_large_integer(const char *text)
{
    static const char limit[] = "9007199254740992";
    const char *digits = text + (text[0] == '-');
    size_t length = strlen(digits);
    if (length > SNAP_MAX_INTEGER_DIGITS || digits[0] == '0' ||
        strspn(digits, "0123456789") != length)
        return false;
    return length > strlen(limit) || (length == strlen(limit) && strcmp(digits, limit) > 0);
}

static struct snap_node *decode_integer(const json_t *inner, const char **fault)
{
    int64_t small;
    if (json_is_string(inner) && is_large_integer(json_string_value(inner)))
        return snap_node_new_digits(json_string_value(inner));
    if (json_is_integer(inner) && snap_json_get_i64(inner, &small))
        return snap_node_new_int(small);
    *fault = "\"int\": expected an integer, past 2^53 as a string";
    return NULL;
}

static struct snap_node *decode_bytes(const json_t *inner, const char **fault)
{
    const char *text = json_string_value(inner);
    size_t digits = json_string_length(inner);
    unsigned char *bytes = malloc(digits / 2 + 1);
    struct snap_node *node = NULL;
    if (bytes != NULL && !snap_hex_decode(text, digits, bytes))
        *fault = "\"bytes\": expected hex digits, two a byte";
    else if (bytes != NULL)
        node = snap_node_new_bytes(bytes, digits / 2);
    free(bytes);
    return node;
}

static enum snap_status decode_children(const json_t *array, bool map, const char *what,
                                        struct snap_node *parent, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; i < json_array_size(array) && status == SNAP_OK; i++) {
        const json_t *value = json_array_get(array, i);
        const json_t *key = NULL;
        if (map) {
            key = json_array_get(value, 0);
            if (json_array_size(value) != 2 || !(json_is_string(key) || json_is_integer(key)))
                return snap_error_set(err, SNAP_CORRUPT,
                                      "%s: a map: expected pairs of a key and a node", what);
            value = json_array_get(value, 1);
        }
        struct snap_node *item = NULL;
        status = snap_node_decode(value, what, &item, err);
        if (status != SNAP_OK)
            return status;
        struct snap_error cause = SNAP_ERROR_INIT;
        if (!map)
            status = snap_node_append(parent, item, &cause);
        else if (json_is_string(key))
            status = snap_node_set(parent, json_string_value(key), item, &cause);
        else
            status = snap_node_set_int_key(parent, json_integer_value(key), item, &cause);
        if (status == SNAP_INVALID) /* a key that is there twice */
            status = snap_error_set(err, SNAP_CORRUPT, "%s: %s", what, cause.text);
        else if (status != SNAP_OK)
            snap_error_set(err, status, "%s: %s", what, cause.text);
    }
    return status;
}

enum snap_status snap_node_decode(const json_t *value, const char *what, struct snap_node **node,
                                  struct snap_error *err)
{
    json_t *object = (json_t *)(uintptr_t)value; /* for the iterator, which changes nothing */
    if (!json_is_object(value) || json_object_size(value) != 1)
        return snap_error_set(err, SNAP_CORRUPT, "%s: expected a node, an object of one key", what);
    void *only = json_object_iter(object);
    const char *type = json_object_iter_key(only);
    const json_t *inner = json_object_iter_value(only);
    const char *fault = NULL;
    struct snap_node *made = NULL;
    uint64_t bits;
    double number;
    enum snap_status status = SNAP_OK;
    if (strcmp(type, "null") == 0 && json_is_null(inner)) {
        made = snap_node_new_null();
    } else if (strcmp(type, "bool") == 0 && json_is_boolean(inner)) {
        made = snap_node_new_bool(json_is_true(inner));
    } else if (strcmp(type, "int") == 0) {
        made = decode_integer(inner, &fault);
    } else if (strcmp(type, "float") == 0 && json_is_string(inner) &&
               snap_hex_decode_u64(json_string_value(inner), &bits)) {
        memcpy(&number, &bits, sizeof number);
        made = snap_node_new_float(number);
    } else if (strcmp(type, "string") == 0 && json_is_string(inner)) {
        made = snap_node_new_string(json_string_value(inner));
    } else if (strcmp(type, "bytes") == 0 && json_is_string(inner)) {
        made = decode_bytes(inner, &fault);
    } else if (strcmp(type, "list") == 0 && json_is_array(inner)) {
        made = snap_node_new_list();
        if (made != NULL)
            status = decode_children(inner, false, what, made, err);
    } else if (strcmp(type, "map") == 0 && json_is_array(inner)) {
        made = snap_node_new_map();
        if (made != NULL)
            status = decode_children(inner, true, what, made, err);
    } else if (strcmp(type, "tensor") == 0) {
        struct snap_tensor_view view = SNAP_TENSOR_VIEW_INIT;
        status = decode_view(inner, what, &view, err);
        if (status == SNAP_OK)
            made = snap_node_new_tensor(&view);
    } else {
        fault = "no node of this kind, or not with this value";
    }
    if (status == SNAP_OK && fault != NULL)
        status = snap_error_set(err, SNAP_CORRUPT, "%s: node \"%.80s\": %s", what, type, fault);
    else if (status == SNAP_OK && made == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", what);
    if (status != SNAP_OK) {
        snap_node_free(made);
        return status;
    }
    *node = made;
    return SNAP_OK;
}
