/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow. A NUL stands after the content (not counted in `size`), so that `data` can be
 * read as text; before the first append `data` is NULL. */
#ifndef SNAP_CORE_BUFFER_H
#define SNAP_CORE_BUFFER_H

#include <stddef.h>

#include <snapstate/status.h>

struct snap_buffer {
    unsigned char *data; /* owned by the buffer; NULL while nothing was reserved */
    size_t size;
    size_t capacity;
};
#define SNAP_BUFFER_INIT { NULL, 0, 0 }

void snap_buffer_init(struct snap_buffer *buffer);

/* Make room for `more` bytes after the content. On failure the buffer is as it was. */
enum snap_status snap_buffer_reserve(struct snap_buffer *buffer, size_t more,
                                     struct snap_error *err);
enum snap_status snap_buffer_append(struct snap_buffer *buffer, const void *data,
                                    size_t size_bytes, struct snap_error *err);
enum snap_status snap_buffer_append_text(struct snap_buffer *buffer, const char *text,
                                         struct snap_error *err);
/* `err` stands before the format, since what follows it varies. */
enum snap_status snap_buffer_appendf(struct snap_buffer *buffer, struct snap_error *err,
                                     const char *format, ...) SNAP_PRINTF(3, 4);

/* Take the first `size_bytes` out of the content, which has no fewer. */
void snap_buffer_drop(struct snap_buffer *buffer, size_t size_bytes);
/* Forget the content, keep the memory. */
void snap_buffer_clear(struct snap_buffer *buffer);
/* Give the memory away, to be freed with free(); the buffer is empty after. NULL when nothing was
 * reserved. `size_bytes` may be NULL. */
unsigned char *snap_buffer_steal(struct snap_buffer *buffer, size_t *size_bytes);
/* Free the memory; the buffer can be used again. */
void snap_buffer_release(struct snap_buffer *buffer);

#endif
