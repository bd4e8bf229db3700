/* SPDX-License-Identifier: Apache-2.0 */
/* The leaves of a tree: numbers, text, bytes, tensors, and the objects that have a form. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/hex.h"
#include "core/text.h"
#include "format/json_canonical.h"
#include "format/limits.h"
#include "foreign/foreign_streams.h"
#include "foreign/foreign_tree.h"
#include "foreign/foreign_tree_parts.h"
#include "foreign/pickle_names.h"

json_t *snap_foreign_bytes_node(const unsigned char *data, size_t size)
{
    char *digits = malloc(2 * size + 1);
    if (digits == NULL)
        return NULL;
    snap_hex_encode(data, size, digits);
    json_t *node = json_pack("{s:s}", "bytes", digits);
    free(digits);
    return node;
}

json_t *snap_foreign_float_node(double number)
{
    char digits[17];
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    snap_hex_encode_u64(bits, digits);
    return json_pack("{s:s}", "float", digits);
}

enum snap_status snap_foreign_encode_integer(struct snap_foreign_tree *tree,
                                             const struct snap_pickle_value *value, json_t **node,
                                             struct snap_error *err)
{
    int64_t small;
    struct snap_buffer digits = SNAP_BUFFER_INIT;
    struct snap_error cause = SNAP_ERROR_INIT;
    if (snap_pickle_get_i64(value, &small))
        return snap_foreign_wrap(tree, "int", snap_json_i64(small), node, err);
    enum snap_status status = snap_pickle_digits(value, SNAP_MAX_INTEGER_DIGITS, &digits, &cause);
    if (status == SNAP_OK)
        status = snap_foreign_wrap(tree, "int", json_string_nocheck((const char *)digits.data),
                                   node, err);
    else
        status = snap_foreign_leave_out_with(tree, status, &cause, node, err);
    snap_buffer_release(&digits);
    return status;
}

/* Can the format hold it as a string? */
bool snap_foreign_is_plain(const struct snap_pickle_value *text)
{
    const char *data = (const char *)text->as.bytes.data;
    size_t size = text->as.bytes.size;
    return memchr(data, '\0', size) == NULL && snap_utf8_is_valid(data, size);
}

enum snap_status snap_foreign_encode_text(struct snap_foreign_tree *tree,
                                          const struct snap_pickle_value *value, json_t **node,
                                          struct snap_error *err)
{
    const unsigned char *data = value->as.bytes.data;
    size_t size = value->as.bytes.size;
    if (snap_foreign_is_plain(value))
        return snap_foreign_wrap(tree, "string", json_stringn_nocheck((const char *)data, size),
                                 node, err);
    return snap_foreign_wrap_tagged(tree, "~text", snap_foreign_bytes_node(data, size), node, err);
}

/* ---- tensors ---- */

static json_t *numbers(const uint64_t *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, snap_json_u64(values[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

json_t *snap_foreign_tensor_node(const struct snap_foreign_tensor *tensor, bool on_device,
                                 size_t index)
{
    return json_pack("{s:{s:s, s:s, s:i, s:b, s:o, s:I, s:o}}", "tensor", "device",
                     on_device ? "cuda" : "cpu", "dtype", snap_dtype_name(tensor->dtype), "offset",
                     0, "requires_grad", tensor->requires_grad, "shape",
                     numbers(tensor->shape, tensor->ndim), "storage", (json_int_t)index, "strides",
                     numbers(tensor->strides, tensor->ndim));
}

static enum snap_status encode_tensor(struct snap_foreign_tree *tree,
                                      const struct snap_pickle_value *value, json_t **node,
                                      struct snap_error *err)
{
    struct snap_foreign_tensor tensor;
    struct snap_error cause = SNAP_ERROR_INIT;
    unsigned char *element = NULL;
    char place[400];
    size_t location_size;
    snap_foreign_place_text(tree, place, sizeof place);
    enum snap_status status =
        snap_foreign_source_load(tree->source, value, place, &tensor, &element, &cause);
    if (status != SNAP_OK)
        return snap_foreign_leave_out_with(tree, status, &cause, node, err);
    void **moved = snap_array_grow(tree->memory, tree->memory_count, sizeof *moved);
    if (moved == NULL)
        return snap_foreign_tree_memory(tree, err);
    tree->memory = moved;
    tree->memory[tree->memory_count] = element;
    const char *location = snap_foreign_tensor_location(&tensor, &location_size);
    bool cuda = location_size >= 4 && memcmp(location, "cuda", 4) == 0;
    json_t *made = snap_foreign_tensor_node(&tensor, cuda, tree->memory_count);
    if (made == NULL)
        return snap_foreign_tree_memory(tree, err);
    tree->memory_count++;
    *node = made;
    return tensor.is_array ? snap_foreign_wrap_tagged(tree, "~array", made, node, err) : SNAP_OK;
}

static enum snap_status encode_scalar(struct snap_foreign_tree *tree,
                                      const struct snap_pickle_value *value, json_t **node,
                                      struct snap_error *err)
{
    struct snap_foreign_tensor tensor;
    struct snap_error cause = SNAP_ERROR_INIT;
    unsigned char bytes[16];
    char place[400];
    snap_foreign_place_text(tree, place, sizeof place);
    enum snap_status status = snap_numpy_scalar(value, place, &tensor, &cause);
    if (status != SNAP_OK)
        return snap_foreign_leave_out_with(tree, status, &cause, node, err);
    memcpy(bytes, tensor.data, (size_t)tensor.data_bytes);
    if (tensor.big_endian)
        snap_foreign_swap(bytes, (size_t)tensor.data_bytes, tensor.dtype);
    json_t *inner = json_pack("{s:[{s:s}, o]}", "list", "string", snap_dtype_name(tensor.dtype),
                              snap_foreign_bytes_node(bytes, (size_t)tensor.data_bytes));
    return snap_foreign_wrap_tagged(tree, "~scalar", inner, node, err);
}

/* ---- objects ---- */

static enum snap_status encode_string_of(struct snap_foreign_tree *tree, const char *tag,
                                         const char *text, json_t **node, struct snap_error *err)
{
    return snap_foreign_wrap_tagged(tree, tag, json_pack("{s:s}", "string", text), node, err);
}

/* device("cuda", 0) is "cuda:0". */
static enum snap_status encode_device(struct snap_foreign_tree *tree,
                                      const struct snap_pickle_value *arguments, json_t **node,
                                      struct snap_error *err)
{
    char type[40];
    int64_t index;
    char text[80];
    if (!snap_pickle_copy_text(snap_pickle_item(arguments, 0), type, sizeof type))
        return snap_foreign_leave_out(tree, "a torch.device without a name", node, err);
    if (snap_pickle_get_i64(snap_pickle_item(arguments, 1), &index))
        snprintf(text, sizeof text, "%s:%" PRId64, type, index);
    else
        snprintf(text, sizeof text, "%s", type);
    return encode_string_of(tree, "~device", text, node, err);
}

static enum snap_status encode_complex(struct snap_foreign_tree *tree,
                                       const struct snap_pickle_value *arguments, json_t **node,
                                       struct snap_error *err)
{
    const struct snap_pickle_value *real = snap_pickle_item(arguments, 0);
    const struct snap_pickle_value *imaginary = snap_pickle_item(arguments, 1);
    if (!snap_pickle_is(real, SNAP_PICKLE_FLOAT) || !snap_pickle_is(imaginary, SNAP_PICKLE_FLOAT))
        return snap_foreign_leave_out(tree, "a complex number that is not made of two floats", node,
                                      err);
    return snap_foreign_wrap_tagged(tree, "~complex",
                                    json_pack("{s:[o, o]}", "list",
                                              snap_foreign_float_node(real->as.number),
                                              snap_foreign_float_node(imaginary->as.number)),
                                    node, err);
}

enum snap_status snap_foreign_encode_object(struct snap_foreign_tree *tree,
                                            const struct snap_pickle_value *value, unsigned depth,
                                            json_t **node, struct snap_error *err)
{
    const struct snap_pickle_value *arguments = value->as.object.arguments;
    const struct snap_pickle_value *state = value->as.object.state;
    const struct snap_pickle_value *first = snap_pickle_item(arguments, 0);
    char kind[SNAP_PICKLE_KIND_BYTES];
    if (snap_foreign_is_tensor(value))
        return encode_tensor(tree, value, node, err);
    if (snap_numpy_is_scalar(value))
        return encode_scalar(tree, value, node, err);
    switch (value->as.object.callable->role) {
    case SNAP_ROLE_SIZE:
        if (snap_pickle_is(first, SNAP_PICKLE_TUPLE) || snap_pickle_is(first, SNAP_PICKLE_LIST))
            return snap_foreign_encode_tagged_list(tree, "~size", first, depth, node, err);
        break;
    case SNAP_ROLE_DEVICE:
        return encode_device(tree, arguments, node, err);
    case SNAP_ROLE_COMPLEX:
        return encode_complex(tree, arguments, node, err);
    case SNAP_ROLE_NAMESPACE:
        if (snap_pickle_is(state, SNAP_PICKLE_DICT))
            return snap_foreign_encode_dict(tree, state, depth, node, err); /* its attributes */
        break;
    case SNAP_ROLE_ENUM:
        /* The name of the member is the program's; its value is what can be kept. */
        if (snap_pickle_count(arguments) == 1)
            return snap_foreign_encode(tree, first, depth, node, err);
        break;
    case SNAP_ROLE_TIMEDELTA:
        return snap_foreign_encode_tagged_list(tree, "~tuple", arguments, depth, node, err);
    case SNAP_ROLE_RANDOM_STATE:
    case SNAP_ROLE_GENERATOR:
    case SNAP_ROLE_BIT_GENERATOR: {
        char place[400];
        *node = NULL;
        snap_foreign_place_text(tree, place, sizeof place);
        return snap_foreign_streams_add_generator(tree->source, value, place, err);
    }
    default:
        break;
    }
    char reason[200];
    snprintf(reason, sizeof reason, "%s has no form in a tree", snap_pickle_kind(value, kind));
    return snap_foreign_leave_out(tree, reason, node, err);
}

enum snap_status snap_foreign_encode_name(struct snap_foreign_tree *tree,
                                          const struct snap_pickle_value *value, json_t **node,
                                          struct snap_error *err)
{
    char kind[SNAP_PICKLE_KIND_BYTES];
    char reason[200];
    if (value->as.name->role == SNAP_ROLE_TORCH_DTYPE)
        return encode_string_of(tree, "~dtype", snap_torch_dtype_text(value->as.name->dtype), node,
                                err);
    snprintf(reason, sizeof reason, "the class %s has no form in a tree",
             snap_pickle_kind(value, kind));
    return snap_foreign_leave_out(tree, reason, node, err);
}
