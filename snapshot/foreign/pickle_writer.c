/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "foreign/pickle_writer.h"

static enum snap_status put(struct snap_pickle_writer *writer, const void *bytes, size_t size,
                            struct snap_error *err)
{
    return snap_buffer_append(&writer->out, bytes, size, err);
}

static enum snap_status put_opcode(struct snap_pickle_writer *writer, char opcode,
                                   struct snap_error *err)
{
    return put(writer, &opcode, 1, err);
}

enum snap_status snap_pickle_put_begin(struct snap_pickle_writer *writer, struct snap_error *err)
{
    return put(writer, "\x80\x02", 2, err);
}

enum snap_status snap_pickle_put_stop(struct snap_pickle_writer *writer, struct snap_error *err)
{
    return put_opcode(writer, '.', err);
}

enum snap_status snap_pickle_put_none(struct snap_pickle_writer *writer, struct snap_error *err)
{
    return put_opcode(writer, 'N', err);
}

enum snap_status snap_pickle_put_bool(struct snap_pickle_writer *writer, bool value,
                                      struct snap_error *err)
{
    return put(writer, value ? "\x88" : "\x89", 1, err);
}

/* LONG1 of the bytes of a number, little-endian two's complement. */
static enum snap_status put_long(struct snap_pickle_writer *writer, const unsigned char *bytes,
                                 size_t size, struct snap_error *err)
{
    unsigned char head[5] = { 0x8b };
    bool is_short = size < 256;
    head[0] = is_short ? 0x8a : 0x8b;
    head[1] = (unsigned char)size;
    if (!is_short)
        snap_put_u32(head + 1, (uint32_t)size);
    enum snap_status status = put(writer, head, is_short ? 2 : 5, err);
    return status == SNAP_OK ? put(writer, bytes, size, err) : status;
}

enum snap_status snap_pickle_put_int(struct snap_pickle_writer *writer, int64_t value,
                                     struct snap_error *err)
{
    unsigned char bytes[9] = { 0 };
    if (value >= 0 && value < 256) {
        bytes[0] = 'K';
        bytes[1] = (unsigned char)value;
        return put(writer, bytes, 2, err);
    }
    if (value >= INT32_MIN && value <= INT32_MAX) {
        bytes[0] = 'J';
        snap_put_u32(bytes + 1, (uint32_t)value);
        return put(writer, bytes, 5, err);
    }
    snap_put_u64(bytes, (uint64_t)value);
    return put_long(writer, bytes, 8, err);
}

enum snap_status snap_pickle_put_digits(struct snap_pickle_writer *writer, const char *digits,
                                        struct snap_error *err)
{
    bool negative = digits[0] == '-';
    size_t length = strlen(digits + negative);
    /* 2.4 digits a byte, and one for the sign. */
    size_t room = length / 2 + 2;
    unsigned char *bytes = calloc(room, 1);
    size_t used = 0;
    if (bytes == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "pickle: out of memory");
    for (const char *at = digits + negative; *at != '\0'; at++) {
        unsigned rest = (unsigned)(*at - '0');
        for (size_t i = 0; i < used; i++) {
            rest += bytes[i] * 10u;
            bytes[i] = (unsigned char)rest;
            rest >>= 8;
        }
        if (rest > 0)
            bytes[used++] = (unsigned char)rest;
    }
    unsigned carry = 1;
    for (size_t i = 0; negative && i < room; i++) {
        carry += (unsigned char)~bytes[i];
        bytes[i] = (unsigned char)carry;
        carry >>= 8;
    }
    /* The sign stands in the highest bit. */
    unsigned char fill = negative ? 0xff : 0;
    used = room;
    while (used > 1 && bytes[used - 1] == fill && (bytes[used - 2] & 0x80) == (fill & 0x80))
        used--;
    enum snap_status status = put_long(writer, bytes, used, err);
    free(bytes);
    return status;
}

enum snap_status snap_pickle_put_float(struct snap_pickle_writer *writer, double value,
                                       struct snap_error *err)
{
    unsigned char bytes[9] = { 'G' };
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++)
        bytes[1 + i] = (unsigned char)(bits >> (56 - 8 * i));
    return put(writer, bytes, sizeof bytes, err);
}

enum snap_status snap_pickle_put_text(struct snap_pickle_writer *writer, const char *text,
                                      size_t size, struct snap_error *err)
{
    unsigned char head[5] = { 'X' };
    if (size > UINT32_MAX)
        return snap_error_set(err, SNAP_UNSUPPORTED, "pickle: a text of %zu bytes", size);
    snap_put_u32(head + 1, (uint32_t)size);
    enum snap_status status = put(writer, head, sizeof head, err);
    return status == SNAP_OK ? put(writer, text, size, err) : status;
}

enum snap_status snap_pickle_put_string(struct snap_pickle_writer *writer, const char *text,
                                        struct snap_error *err)
{
    return snap_pickle_put_text(writer, text, strlen(text), err);
}

/* _codecs.encode(text, "latin1"): protocol 2 has no bytes. */
enum snap_status snap_pickle_put_bytes(struct snap_pickle_writer *writer, const void *data,
                                       size_t size, struct snap_error *err)
{
    const unsigned char *bytes = data;
    char *text = malloc(2 * size + 1);
    size_t used = 0;
    if (text == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "pickle: out of memory");
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] >= 0x80)
            text[used++] = (char)(0xc0 | bytes[i] >> 6);
        text[used++] = (char)(bytes[i] >= 0x80 ? 0x80 | (bytes[i] & 0x3f) : bytes[i]);
    }
    enum snap_status status = snap_pickle_put_name(writer, "_codecs", "encode", err);
    if (status == SNAP_OK)
        status = snap_pickle_put_text(writer, text, used, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_string(writer, "latin1", err);
    if (status == SNAP_OK)
        status = put(writer, "\x86R", 2, err);
    free(text);
    return status;
}

enum snap_status snap_pickle_put_name(struct snap_pickle_writer *writer, const char *module,
                                      const char *name, struct snap_error *err)
{
    return snap_buffer_appendf(&writer->out, err, "c%s\n%s\n", module, name);
}

enum snap_status snap_pickle_put_mark(struct snap_pickle_writer *writer, struct snap_error *err)
{
    return put_opcode(writer, '(', err);
}

enum snap_status snap_pickle_put_tuple(struct snap_pickle_writer *writer, struct snap_error *err)
{
    return put_opcode(writer, 't', err);
}

enum snap_status snap_pickle_put_list(struct snap_pickle_writer *writer, struct snap_error *err)
{
    return put(writer, "](", 2, err);
}

enum snap_status snap_pickle_put_list_end(struct snap_pickle_writer *writer, struct snap_error *err)
{
    return put_opcode(writer, 'e', err);
}

enum snap_status snap_pickle_put_dict(struct snap_pickle_writer *writer, struct snap_error *err)
{
    return put(writer, "}(", 2, err);
}

enum snap_status snap_pickle_put_dict_end(struct snap_pickle_writer *writer, struct snap_error *err)
{
    return put_opcode(writer, 'u', err);
}

enum snap_status snap_pickle_put_call(struct snap_pickle_writer *writer, struct snap_error *err)
{
    return put_opcode(writer, 'R', err);
}

enum snap_status snap_pickle_put_state(struct snap_pickle_writer *writer, struct snap_error *err)
{
    return put_opcode(writer, 'b', err);
}

enum snap_status snap_pickle_put_persistent(struct snap_pickle_writer *writer,
                                            struct snap_error *err)
{
    return put_opcode(writer, 'Q', err);
}

/* dtype("u4", False, True) with the state (3, "<", None, None, None, -1, -1, 0). */
static enum snap_status put_dtype(struct snap_pickle_writer *writer, const char *dtype,
                                  struct snap_error *err)
{
    char order[2] = { dtype[0], '\0' };
    enum snap_status status = snap_pickle_put_name(writer, "numpy", "dtype", err);
    if (status == SNAP_OK)
        status = snap_pickle_put_string(writer, dtype + 1, err);
    if (status == SNAP_OK)
        status = put(writer, "\x89\x88\x87R(K\x03", 7, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_string(writer, order, err);
    if (status == SNAP_OK)
        status = put(writer, "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb", 17, err);
    return status;
}

static enum snap_status put_core(struct snap_pickle_writer *writer, const char *name,
                                 struct snap_error *err)
{
    char module[40];
    snprintf(module, sizeof module, "%s.multiarray",
             writer->numpy != NULL ? writer->numpy : "numpy.core");
    return snap_pickle_put_name(writer, module, name, err);
}

static enum snap_status put_shape(struct snap_pickle_writer *writer, size_t ndim,
                                  const uint64_t *shape, struct snap_error *err)
{
    enum snap_status status = snap_pickle_put_mark(writer, err);
    for (size_t i = 0; status == SNAP_OK && i < ndim; i++)
        status = snap_pickle_put_int(writer, (int64_t)shape[i], err);
    return status == SNAP_OK ? snap_pickle_put_tuple(writer, err) : status;
}

/* ndarray(shape, "<u4", bytes) */
static enum snap_status put_plain_array(struct snap_pickle_writer *writer, const char *dtype,
                                        size_t ndim, const uint64_t *shape, const void *data,
                                        size_t size, struct snap_error *err)
{
    enum snap_status status = snap_pickle_put_name(writer, "numpy", "ndarray", err);
    if (status == SNAP_OK)
        status = put_shape(writer, ndim, shape, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_string(writer, dtype, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_bytes(writer, data, size, err);
    return status == SNAP_OK ? put(writer, "\x87R", 2, err) : status;
}

enum snap_status snap_pickle_put_array(struct snap_pickle_writer *writer, const char *dtype,
                                       size_t ndim, const uint64_t *shape, const void *data,
                                       size_t size, struct snap_error *err)
{
    if (writer->numpy == NULL)
        return put_plain_array(writer, dtype, ndim, shape, data, size, err);
    enum snap_status status = put_core(writer, "_reconstruct", err);
    if (status == SNAP_OK)
        status = snap_pickle_put_name(writer, "numpy", "ndarray", err);
    if (status == SNAP_OK)
        status = put(writer, "K\x00\x85", 3, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_bytes(writer, "b", 1, err);
    if (status == SNAP_OK)
        status = put(writer, "\x87R(K\x01", 5, err);
    if (status == SNAP_OK)
        status = put_shape(writer, ndim, shape, err);
    if (status == SNAP_OK)
        status = put_dtype(writer, dtype, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_bool(writer, false, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_bytes(writer, data, size, err);
    return status == SNAP_OK ? put(writer, "tb", 2, err) : status;
}

enum snap_status snap_pickle_put_scalar(struct snap_pickle_writer *writer, const char *dtype,
                                        const void *data, size_t size, struct snap_error *err)
{
    enum snap_status status = put_core(writer, "scalar", err);
    if (status == SNAP_OK)
        status = put_dtype(writer, dtype, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_bytes(writer, data, size, err);
    return status == SNAP_OK ? put(writer, "\x86R", 2, err) : status;
}
