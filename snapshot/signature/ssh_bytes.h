/* SPDX-License-Identifier: Apache-2.0 */
/* The data types of SSH (RFC 4251, section 5), read from bytes that nobody vouches for, and
 * base64. */
#ifndef SNAP_SIGNATURE_SSH_BYTES_H
#define SNAP_SIGNATURE_SSH_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "core/buffer.h"

/* A piece of memory, borrowed; what was read is taken from its front. */
struct snap_ssh_bytes {
    const unsigned char *data;
    size_t size;
};

/* Each is false, and takes nothing, when the bytes do not hold it. */
bool snap_ssh_take_u32(struct snap_ssh_bytes *from, uint32_t *value);
bool snap_ssh_take_string(struct snap_ssh_bytes *from, struct snap_ssh_bytes *string);
/* A positive number, in as few bytes as there can be; *number is without the leading zero. */
bool snap_ssh_take_number(struct snap_ssh_bytes *from, struct snap_ssh_bytes *number);

bool snap_ssh_is(const struct snap_ssh_bytes *bytes, const char *text);

/* Append a string with its length in front. */
enum snap_status snap_ssh_append_string(struct snap_buffer *out, const void *data, size_t size,
                                        struct snap_error *err);

/* Append what `size` characters of base64 stand for; white space in them is passed over. *valid
 * false: they are none. */
enum snap_status snap_ssh_base64(const char *text, size_t size, struct snap_buffer *out,
                                 bool *valid, struct snap_error *err);

#endif
