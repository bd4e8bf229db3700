/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays, dtypes and scalars of NumPy in the form that they have in a pickle. */
#include "config.h"

#include <string.h>

#include "core/bytes.h"
#include "foreign/foreign_tensor.h"
#include "foreign/pickle_names.h"

static const struct {
    char text[4];
    enum snap_dtype dtype;
} dtypes[] = {
    { "b1", SNAP_BOOL }, { "u1", SNAP_U8 },    { "i1", SNAP_I8 },  { "u2", SNAP_U16 },
    { "i2", SNAP_I16 },  { "u4", SNAP_U32 },   { "i4", SNAP_I32 }, { "u8", SNAP_U64 },
    { "i8", SNAP_I64 },  { "f2", SNAP_F16 },   { "f4", SNAP_F32 }, { "f8", SNAP_F64 },
    { "c8", SNAP_C64 },  { "c16", SNAP_C128 },
};

bool snap_numpy_dtype_from_text(const char *text, size_t size_bytes, enum snap_dtype *dtype,
                                bool *big_endian)
{
    *big_endian = false;
    if (size_bytes > 0 && strchr("<>|=", text[0]) != NULL && text[0] != '\0') {
        *big_endian = text[0] == '>';
        text++;
        size_bytes--;
    }
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strlen(dtypes[i].text) == size_bytes && memcmp(dtypes[i].text, text, size_bytes) == 0) {
            *dtype = dtypes[i].dtype;
            return true;
        }
    }
    return false;
}

const char *snap_numpy_dtype_text(enum snap_dtype dtype)
{
    switch (dtype) {
    case SNAP_BOOL:
        return "|b1";
    case SNAP_U8:
        return "|u1";
    case SNAP_I8:
        return "|i1";
    case SNAP_U16:
        return "<u2";
    case SNAP_I16:
        return "<i2";
    case SNAP_U32:
        return "<u4";
    case SNAP_I32:
        return "<i4";
    case SNAP_U64:
        return "<u8";
    case SNAP_I64:
        return "<i8";
    case SNAP_F16:
        return "<f2";
    case SNAP_F32:
        return "<f4";
    case SNAP_F64:
        return "<f8";
    case SNAP_C64:
        return "<c8";
    case SNAP_C128:
        return "<c16";
    default:
        return NULL;
    }
}

void snap_foreign_tensor_order(struct snap_foreign_tensor *tensor, bool fortran)
{
    uint64_t stride = 1;
    for (size_t i = 0; i < tensor->ndim; i++) {
        size_t dim = fortran ? i : tensor->ndim - 1 - i;
        tensor->strides[dim] = stride;
        stride *= tensor->shape[dim] > 0 ? tensor->shape[dim] : 1;
    }
}

bool snap_foreign_tensor_elements(const struct snap_foreign_tensor *tensor, uint64_t *elements)
{
    uint64_t extent = 1;
    *elements = 1;
    for (size_t i = 0; i < tensor->ndim; i++) {
        /* Strides are products of the dimensions that are not 0. */
        if (tensor->shape[i] > 0 && !snap_mul_u64(extent, tensor->shape[i], &extent))
            return false;
        if (!snap_mul_u64(*elements, tensor->shape[i], elements))
            return false;
    }
    return true;
}

void snap_foreign_swap(unsigned char *data, size_t size_bytes, enum snap_dtype dtype)
{
    size_t width = snap_dtype_size_bytes(dtype);
    if (dtype == SNAP_C32 || dtype == SNAP_C64 || dtype == SNAP_C128)
        width /= 2;
    for (size_t at = 0; at + width <= size_bytes; at += width) {
        for (size_t i = 0; i < width / 2; i++) {
            unsigned char byte = data[at + i];
            data[at + i] = data[at + width - 1 - i];
            data[at + width - 1 - i] = byte;
        }
    }
}

static bool is_object(const struct snap_pickle_value *value, enum snap_pickle_role role)
{
    return snap_pickle_is(value, SNAP_PICKLE_OBJECT) && value->as.object.callable->role == role;
}

bool snap_numpy_is_array(const struct snap_pickle_value *value)
{
    return is_object(value, SNAP_ROLE_NDARRAY_RECONSTRUCT) ||
           is_object(value, SNAP_ROLE_FROMBUFFER) || is_object(value, SNAP_ROLE_NDARRAY);
}

bool snap_numpy_is_scalar(const struct snap_pickle_value *value)
{
    return is_object(value, SNAP_ROLE_SCALAR);
}

static enum snap_status corrupt(const char *what, const char *text, struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT, "%s: %s", what, text);
}

static enum snap_status no_such_dtype(const char *what, const struct snap_pickle_value *text,
                                      struct snap_error *err)
{
    return snap_error_set(
        err, SNAP_UNSUPPORTED,
        "%s: an array of dtype %.*s, which is no number: the format has none such", what,
        (int)(text->as.bytes.size < 40 ? text->as.bytes.size : 40),
        (const char *)text->as.bytes.data);
}

/* dtype("f4", False, True), state (3, "<", None, None, None, -1, -1, 0); or just "<f4". */
static enum snap_status read_dtype(const struct snap_pickle_value *value, const char *what,
                                   enum snap_dtype *dtype, bool *big_endian, struct snap_error *err)
{
    if (snap_pickle_is(value, SNAP_PICKLE_STR))
        return snap_numpy_dtype_from_text((const char *)value->as.bytes.data, value->as.bytes.size,
                                          dtype, big_endian)
                   ? SNAP_OK
                   : no_such_dtype(what, value, err);
    if (!is_object(value, SNAP_ROLE_DTYPE))
        return corrupt(what, "an array whose dtype is none", err);
    const struct snap_pickle_value *text = snap_pickle_item(value->as.object.arguments, 0);
    const struct snap_pickle_value *state = value->as.object.state;
    const struct snap_pickle_value *order = snap_pickle_item(state, 1);
    bool ignored;
    if (snap_pickle_is(text, SNAP_PICKLE_NAME) && text->as.name->role == SNAP_ROLE_ELEMENT)
        *dtype = text->as.name->dtype;
    else if (!snap_pickle_is(text, SNAP_PICKLE_STR))
        return corrupt(what, "an array whose dtype is none", err);
    else if (!snap_numpy_dtype_from_text((const char *)text->as.bytes.data, text->as.bytes.size,
                                         dtype, &ignored))
        return no_such_dtype(what, text, err);
    if (state != NULL && (!snap_pickle_is(snap_pickle_item(state, 2), SNAP_PICKLE_NONE) ||
                          !snap_pickle_is(snap_pickle_item(state, 3), SNAP_PICKLE_NONE) ||
                          !snap_pickle_is(snap_pickle_item(state, 4), SNAP_PICKLE_NONE)))
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: an array of a dtype with fields: the format has none such",
                              what);
    *big_endian = snap_pickle_is_text(order, ">");
    return SNAP_OK;
}

static enum snap_status read_shape(const struct snap_pickle_value *value, const char *what,
                                   struct snap_foreign_tensor *tensor, struct snap_error *err)
{
    size_t count = snap_pickle_count(value);
    if (!snap_pickle_is(value, SNAP_PICKLE_TUPLE))
        return corrupt(what, "an array whose shape is no tuple", err);
    if (count > SNAP_MAX_DIMS)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: an array of %zu dimensions: the format has at most %d", what,
                              count, SNAP_MAX_DIMS);
    tensor->ndim = count;
    for (size_t i = 0; i < count; i++)
        if (!snap_pickle_get_u64(snap_pickle_item(value, i), &tensor->shape[i]))
            return corrupt(what, "an array with a dimension that is no number from 0 on", err);
    return SNAP_OK;
}

/* Bytes; or what Python 2 wrote as a str, which is text here when all of it is ASCII. */
static bool is_raw(const struct snap_pickle_value *value)
{
    if (!snap_pickle_is(value, SNAP_PICKLE_STR))
        return snap_pickle_is(value, SNAP_PICKLE_BYTES) ||
               snap_pickle_is(value, SNAP_PICKLE_BYTEARRAY);
    for (size_t i = 0; i < value->as.bytes.size; i++)
        if (value->as.bytes.data[i] >= 0x80)
            return false;
    return true;
}

/* The parts of an array. */
static enum snap_status read_array(const struct snap_pickle_value *dtype,
                                   const struct snap_pickle_value *shape,
                                   const struct snap_pickle_value *raw, bool fortran,
                                   const char *what, struct snap_foreign_tensor *tensor,
                                   struct snap_error *err)
{
    uint64_t elements;
    uint64_t bytes;
    enum snap_status status = read_dtype(dtype, what, &tensor->dtype, &tensor->big_endian, err);
    if (status == SNAP_OK)
        status = read_shape(shape, what, tensor, err);
    if (status != SNAP_OK)
        return status;
    if (!is_raw(raw))
        return corrupt(what, "an array whose content is no bytes", err);
    if (!snap_foreign_tensor_elements(tensor, &elements) ||
        !snap_mul_u64(elements, snap_dtype_size_bytes(tensor->dtype), &bytes) ||
        bytes != raw->as.bytes.size)
        return corrupt(what, "an array whose shape and bytes do not agree", err);
    snap_foreign_tensor_order(tensor, fortran);
    tensor->is_array = true;
    tensor->data = raw->as.bytes.data;
    tensor->data_bytes = raw->as.bytes.size;
    return SNAP_OK;
}

enum snap_status snap_numpy_array(const struct snap_pickle_value *value, const char *what,
                                  struct snap_foreign_tensor *tensor, struct snap_error *err)
{
    *tensor = (struct snap_foreign_tensor)SNAP_FOREIGN_TENSOR_INIT;
    const struct snap_pickle_value *arguments = value->as.object.arguments;
    const struct snap_pickle_value *state = value->as.object.state;
    if (is_object(value, SNAP_ROLE_NDARRAY))
        return read_array(snap_pickle_item(arguments, 1), snap_pickle_item(arguments, 0),
                          snap_pickle_item(arguments, 2), false, what, tensor, err);
    if (is_object(value, SNAP_ROLE_FROMBUFFER)) {
        const struct snap_pickle_value *order = snap_pickle_item(arguments, 3);
        bool fortran = snap_pickle_is_text(order, "F");
        if (snap_pickle_count(arguments) != 4 || (!fortran && !snap_pickle_is_text(order, "C")))
            return corrupt(what, "an array in an order that is neither C nor F", err);
        return read_array(snap_pickle_item(arguments, 1), snap_pickle_item(arguments, 2),
                          snap_pickle_item(arguments, 0), fortran, what, tensor, err);
    }
    /* (version, shape, dtype, is_fortran, bytes); very old ones have no version. */
    size_t first = snap_pickle_count(state) == 4 ? 0 : 1;
    const struct snap_pickle_value *fortran = snap_pickle_item(state, first + 2);
    if (snap_pickle_count(state) != first + 4 || !snap_pickle_is(fortran, SNAP_PICKLE_BOOL))
        return corrupt(what, "an array whose state is none", err);
    return read_array(snap_pickle_item(state, first + 1), snap_pickle_item(state, first),
                      snap_pickle_item(state, first + 3), fortran->as.boolean, what, tensor, err);
}

enum snap_status snap_numpy_scalar(const struct snap_pickle_value *value, const char *what,
                                   struct snap_foreign_tensor *tensor, struct snap_error *err)
{
    *tensor = (struct snap_foreign_tensor)SNAP_FOREIGN_TENSOR_INIT;
    const struct snap_pickle_value *arguments = value->as.object.arguments;
    const struct snap_pickle_value *raw = snap_pickle_item(arguments, 1);
    enum snap_status status =
        read_dtype(snap_pickle_item(arguments, 0), what, &tensor->dtype, &tensor->big_endian, err);
    if (status != SNAP_OK)
        return status;
    if (!is_raw(raw) || raw->as.bytes.size != snap_dtype_size_bytes(tensor->dtype))
        return corrupt(what, "a scalar whose bytes and dtype do not agree", err);
    tensor->is_array = true;
    tensor->data = raw->as.bytes.data;
    tensor->data_bytes = raw->as.bytes.size;
    return SNAP_OK;
}
