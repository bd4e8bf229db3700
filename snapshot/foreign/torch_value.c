/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors and storages of torch in the form that they have in a pickle. */
#include "config.h"

#include <string.h>

#include "core/bytes.h"
#include "format/limits.h"
#include "foreign/foreign_tensor.h"
#include "foreign/pickle_names.h"

static const struct {
    const char *text;
    enum snap_dtype dtype;
} dtypes[] = {
    { "torch.bool", SNAP_BOOL },
    { "torch.uint8", SNAP_U8 },
    { "torch.int8", SNAP_I8 },
    { "torch.uint16", SNAP_U16 },
    { "torch.int16", SNAP_I16 },
    { "torch.uint32", SNAP_U32 },
    { "torch.int32", SNAP_I32 },
    { "torch.uint64", SNAP_U64 },
    { "torch.int64", SNAP_I64 },
    { "torch.float16", SNAP_F16 },
    { "torch.bfloat16", SNAP_BF16 },
    { "torch.float32", SNAP_F32 },
    { "torch.float64", SNAP_F64 },
    { "torch.float8_e4m3fn", SNAP_F8_E4M3FN },
    { "torch.float8_e5m2", SNAP_F8_E5M2 },
    { "torch.float8_e4m3fnuz", SNAP_F8_E4M3FNUZ },
    { "torch.float8_e5m2fnuz", SNAP_F8_E5M2FNUZ },
    { "torch.float8_e8m0fnu", SNAP_F8_E8M0FNU },
    { "torch.complex32", SNAP_C32 },
    { "torch.complex64", SNAP_C64 },
    { "torch.complex128", SNAP_C128 },
};

const char *snap_torch_dtype_text(enum snap_dtype dtype)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (dtypes[i].dtype == dtype)
            return dtypes[i].text;
    return NULL;
}

static enum snap_status corrupt(const char *what, const char *text, struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT, "%s: %s", what, text);
}

static int role_of(const struct snap_pickle_value *value)
{
    return snap_pickle_is(value, SNAP_PICKLE_OBJECT) ? (int)value->as.object.callable->role : 0;
}

bool snap_torch_is_tensor(const struct snap_pickle_value *value)
{
    int role = role_of(value);
    return role == SNAP_ROLE_TENSOR_V2 || role == SNAP_ROLE_TENSOR_V3 ||
           role == SNAP_ROLE_PARAMETER || role == SNAP_ROLE_FROM_TYPE ||
           role == SNAP_ROLE_FROM_NUMPY;
}

static enum snap_status read_numbers(const struct snap_pickle_value *value, const char *what,
                                     size_t *count, uint64_t numbers[SNAP_MAX_DIMS],
                                     struct snap_error *err)
{
    if (!snap_pickle_is(value, SNAP_PICKLE_TUPLE) && role_of(value) == SNAP_ROLE_SIZE)
        value = snap_pickle_item(value->as.object.arguments, 0);
    *count = snap_pickle_count(value);
    if (!snap_pickle_is(value, SNAP_PICKLE_TUPLE))
        return corrupt(what, "a tensor whose size or stride is no tuple", err);
    if (*count > SNAP_MAX_DIMS)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: a tensor of %zu dimensions: the format has at most %d", what,
                              *count, SNAP_MAX_DIMS);
    for (size_t i = 0; i < *count; i++)
        if (!snap_pickle_get_u64(snap_pickle_item(value, i), &numbers[i]))
            return corrupt(what, "a tensor with a size or stride that is no number from 0 on", err);
    return SNAP_OK;
}

/* (storage, offset, size, stride, requires_grad, hooks, metadata?); of v3 the dtype stands before
 * the metadata. */
static enum snap_status read_rebuilt(const struct snap_pickle_value *arguments, bool with_dtype,
                                     const char *what, struct snap_foreign_tensor *tensor,
                                     struct snap_error *err)
{
    const struct snap_pickle_value *grad = snap_pickle_item(arguments, 4);
    const struct snap_pickle_value *hooks = snap_pickle_item(arguments, 5);
    const struct snap_pickle_value *dtype = with_dtype ? snap_pickle_item(arguments, 6) : NULL;
    const struct snap_pickle_value *metadata = snap_pickle_item(arguments, with_dtype ? 7 : 6);
    struct snap_torch_storage storage;
    size_t strides = 0;
    if (!snap_pickle_is(snap_pickle_item(arguments, 0), SNAP_PICKLE_PERSISTENT) ||
        !snap_pickle_get_u64(snap_pickle_item(arguments, 1), &tensor->offset) ||
        !snap_pickle_is(grad, SNAP_PICKLE_BOOL) ||
        (with_dtype && (!snap_pickle_is(dtype, SNAP_PICKLE_NAME) ||
                        dtype->as.name->role != SNAP_ROLE_TORCH_DTYPE)))
        return corrupt(
            what, "a tensor that is not made of a storage, an offset, a size and a stride", err);
    tensor->storage = snap_pickle_item(arguments, 0);
    tensor->requires_grad = grad->as.boolean;
    enum snap_status status = snap_torch_storage(tensor->storage, what, &storage, err);
    if (status == SNAP_OK)
        status =
            read_numbers(snap_pickle_item(arguments, 2), what, &tensor->ndim, tensor->shape, err);
    if (status == SNAP_OK)
        status = read_numbers(snap_pickle_item(arguments, 3), what, &strides, tensor->strides, err);
    if (status != SNAP_OK)
        return status;
    if (strides != tensor->ndim)
        return corrupt(what, "a tensor whose size and stride have different lengths", err);
    if (snap_pickle_is(hooks, SNAP_PICKLE_DICT) && hooks->count > 0)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: a tensor with backward hooks, which are functions", what);
    if (snap_pickle_is(metadata, SNAP_PICKLE_DICT) && metadata->count > 0)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: a tensor with metadata (a conjugate or negative view): save "
                              "x.resolve_conj().resolve_neg() of it",
                              what);
    tensor->dtype = with_dtype ? dtype->as.name->dtype : storage.dtype;
    return SNAP_OK;
}

/* (array, dtype, device, requires_grad): how devices that torch cannot read from are saved. */
static enum snap_status read_from_numpy(const struct snap_pickle_value *arguments, const char *what,
                                        struct snap_foreign_tensor *tensor, struct snap_error *err)
{
    const struct snap_pickle_value *dtype = snap_pickle_item(arguments, 1);
    const struct snap_pickle_value *grad = snap_pickle_item(arguments, 3);
    if (!snap_numpy_is_array(snap_pickle_item(arguments, 0)) ||
        !snap_pickle_is(dtype, SNAP_PICKLE_NAME) || dtype->as.name->role != SNAP_ROLE_TORCH_DTYPE ||
        !snap_pickle_is(grad, SNAP_PICKLE_BOOL))
        return corrupt(what, "a tensor of a device that is not made of an array and a dtype", err);
    enum snap_status status = snap_numpy_array(snap_pickle_item(arguments, 0), what, tensor, err);
    if (status != SNAP_OK)
        return status;
    if (tensor->dtype != dtype->as.name->dtype)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: a tensor of %s that was saved as an array of another dtype",
                              what, snap_torch_dtype_text(dtype->as.name->dtype));
    tensor->is_array = false;
    tensor->requires_grad = grad->as.boolean;
    return SNAP_OK;
}

/* Has a tensor attributes of a program's own? torch.nn.Buffer has two, for its module alone. */
static bool has_attributes(const struct snap_pickle_value *attributes)
{
    size_t count = snap_pickle_is(attributes, SNAP_PICKLE_DICT) ? attributes->count : 0;
    for (size_t i = 0; i < count; i += 2)
        if (!snap_pickle_is_text(attributes->as.children.items[i], "persistent") &&
            !snap_pickle_is_text(attributes->as.children.items[i], "_is_buffer"))
            return true;
    return false;
}

/* Go through what stands around a tensor: Parameter(tensor, requires_grad), and a class and
 * attributes. *grad is set when a Parameter says it. */
static enum snap_status unwrap(const struct snap_pickle_value **value, int *role,
                               const struct snap_pickle_value **arguments,
                               const struct snap_pickle_value **grad, const char *what,
                               struct snap_error *err)
{
    for (;;) {
        if (*role == SNAP_ROLE_PARAMETER) {
            if (*grad == NULL)
                *grad = snap_pickle_item(*arguments, 1);
            *value = snap_pickle_item(*arguments, 0);
            *role = role_of(*value);
            if (!snap_torch_is_tensor(*value))
                return corrupt(what, "a parameter that is made of no tensor", err);
            *arguments = (*value)->as.object.arguments;
        } else if (*role == SNAP_ROLE_FROM_TYPE) {
            const struct snap_pickle_value *function = snap_pickle_item(*arguments, 0);
            const struct snap_pickle_value *class_name = snap_pickle_item(*arguments, 1);
            const struct snap_pickle_value *attributes = snap_pickle_item(*arguments, 3);
            if (!snap_pickle_is(function, SNAP_PICKLE_NAME) ||
                !snap_pickle_is(class_name, SNAP_PICKLE_NAME) ||
                class_name->as.name->role != SNAP_ROLE_TENSOR_CLASS)
                return snap_error_set(err, SNAP_UNSUPPORTED, "%s: a tensor of a class of its own",
                                      what);
            if (has_attributes(attributes))
                return snap_error_set(err, SNAP_UNSUPPORTED,
                                      "%s: a tensor with attributes of its own", what);
            *role = (int)function->as.name->role;
            *arguments = snap_pickle_item(*arguments, 2);
        } else {
            return SNAP_OK;
        }
    }
}

enum snap_status snap_torch_tensor(const struct snap_pickle_value *value, const char *what,
                                   struct snap_foreign_tensor *tensor, struct snap_error *err)
{
    const struct snap_pickle_value *grad = NULL;
    const struct snap_pickle_value *arguments = value->as.object.arguments;
    int role = role_of(value);
    *tensor = (struct snap_foreign_tensor)SNAP_FOREIGN_TENSOR_INIT;
    enum snap_status status = unwrap(&value, &role, &arguments, &grad, what, err);
    if (status != SNAP_OK)
        return status;
    if (role == SNAP_ROLE_TENSOR_V2 || role == SNAP_ROLE_TENSOR_V3)
        status = read_rebuilt(arguments, role == SNAP_ROLE_TENSOR_V3, what, tensor, err);
    else if (role == SNAP_ROLE_FROM_NUMPY)
        status = read_from_numpy(arguments, what, tensor, err);
    else
        status = corrupt(what, "a tensor that is made by no function for tensors", err);
    if (status == SNAP_OK && snap_pickle_is(grad, SNAP_PICKLE_BOOL))
        tensor->requires_grad = grad->as.boolean;
    return status;
}

/* ("storage", class, key, location, elements), and in old files a view, which is None. */
enum snap_status snap_torch_storage(const struct snap_pickle_value *persistent, const char *what,
                                    struct snap_torch_storage *storage, struct snap_error *err)
{
    const struct snap_pickle_value *id = persistent->as.id;
    const struct snap_pickle_value *class_name = snap_pickle_item(id, 1);
    const struct snap_pickle_value *key = snap_pickle_item(id, 2);
    const struct snap_pickle_value *location = snap_pickle_item(id, 3);
    const struct snap_pickle_value *view = snap_pickle_item(id, 5);
    if (!snap_pickle_is_text(snap_pickle_item(id, 0), "storage") ||
        !snap_pickle_is(class_name, SNAP_PICKLE_NAME) ||
        (class_name->as.name->role != SNAP_ROLE_STORAGE &&
         class_name->as.name->role != SNAP_ROLE_UNTYPED_STORAGE) ||
        !snap_pickle_is(key, SNAP_PICKLE_STR) || !snap_pickle_is(location, SNAP_PICKLE_STR) ||
        !snap_pickle_get_u64(snap_pickle_item(id, 4), &storage->elements))
        return corrupt(what, "a persistent id that names no storage", err);
    if (view != NULL && !snap_pickle_is(view, SNAP_PICKLE_NONE))
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: a storage that is a view of another one, as torch before 0.4 "
                              "wrote them: save it again with a newer torch",
                              what);
    storage->dtype =
        class_name->as.name->role == SNAP_ROLE_STORAGE ? class_name->as.name->dtype : SNAP_U8;
    storage->key = (const char *)key->as.bytes.data;
    storage->key_size = key->as.bytes.size;
    storage->location = (const char *)location->as.bytes.data;
    storage->location_size = location->as.bytes.size;
    if (!snap_mul_u64(storage->elements, snap_dtype_size_bytes(storage->dtype),
                      &storage->size_bytes) ||
        storage->size_bytes > SNAP_MAX_STORAGE_BYTES)
        return snap_error_set(err, SNAP_UNSUPPORTED, "%s: a storage of more than %llu bytes", what,
                              SNAP_MAX_STORAGE_BYTES);
    return SNAP_OK;
}
