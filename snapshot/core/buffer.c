/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "core/bytes.h"

void snap_buffer_init(struct snap_buffer *buffer)
{
    *buffer = (struct snap_buffer)SNAP_BUFFER_INIT;
}

enum snap_status snap_buffer_reserve(struct snap_buffer *buffer, size_t more,
                                     struct snap_error *err)
{
    size_t needed;
    if (!snap_add_size(buffer->size, more, &needed) || !snap_add_size(needed, 1, &needed))
        return snap_error_set(err, SNAP_NO_MEMORY, "buffer: %zu more bytes: too large", more);
    if (needed <= buffer->capacity)
        return SNAP_OK;
    /* Half as much again, so that many small appends cost one copy each; the exact size when
     * that is more. */
    size_t capacity = buffer->capacity + buffer->capacity / 2;
    if (capacity < needed)
        capacity = needed;
    if (capacity < 64)
        capacity = 64;
    unsigned char *data = realloc(buffer->data, capacity);
    if (data == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "buffer: growing to %zu bytes: out of memory",
                              capacity);
    buffer->data = data;
    buffer->capacity = capacity;
    buffer->data[buffer->size] = '\0';
    return SNAP_OK;
}

enum snap_status snap_buffer_append(struct snap_buffer *buffer, const void *data,
                                    size_t size_bytes, struct snap_error *err)
{
    enum snap_status status = snap_buffer_reserve(buffer, size_bytes, err);
    if (status != SNAP_OK)
        return status;
    if (size_bytes > 0)
        memcpy(buffer->data + buffer->size, data, size_bytes);
    buffer->size += size_bytes;
    buffer->data[buffer->size] = '\0';
    return SNAP_OK;
}

enum snap_status snap_buffer_append_text(struct snap_buffer *buffer, const char *text,
                                         struct snap_error *err)
{
    return snap_buffer_append(buffer, text, strlen(text), err);
}

enum snap_status snap_buffer_appendf(struct snap_buffer *buffer, struct snap_error *err,
                                     const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return snap_error_set(err, SNAP_INTERNAL, "buffer: formatting failed");
    enum snap_status status = snap_buffer_reserve(buffer, (size_t)length, err);
    if (status != SNAP_OK)
        return status;
    va_start(arguments, format);
    vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)length;
    return SNAP_OK;
}

void snap_buffer_drop(struct snap_buffer *buffer, size_t size_bytes)
{
    buffer->size -= size_bytes;
    if (buffer->size > 0)
        memmove(buffer->data, buffer->data + size_bytes, buffer->size);
}

void snap_buffer_clear(struct snap_buffer *buffer)
{
    buffer->size = 0;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

unsigned char *snap_buffer_steal(struct snap_buffer *buffer, size_t *size_bytes)
{
    unsigned char *data = buffer->data;
    if (size_bytes != NULL)
        *size_bytes = buffer->size;
    snap_buffer_init(buffer);
    return data;
}

void snap_buffer_release(struct snap_buffer *buffer)
{
    free(buffer->data);
    snap_buffer_init(buffer);
}
