/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>

#include "signature/ssh_bytes.h"

bool snap_ssh_take_u32(struct snap_ssh_bytes *from, uint32_t *value)
{
    const unsigned char *at = from->data;
    if (from->size < 4)
        return false;
    *value = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    from->data += 4;
    from->size -= 4;
    return true;
}

bool snap_ssh_take_string(struct snap_ssh_bytes *from, struct snap_ssh_bytes *string)
{
    struct snap_ssh_bytes rest = *from;
    uint32_t size;
    if (!snap_ssh_take_u32(&rest, &size) || rest.size < size)
        return false;
    *string = (struct snap_ssh_bytes){ rest.data, size };
    *from = (struct snap_ssh_bytes){ rest.data + size, rest.size - size };
    return true;
}

bool snap_ssh_take_number(struct snap_ssh_bytes *from, struct snap_ssh_bytes *number)
{
    struct snap_ssh_bytes rest = *from;
    struct snap_ssh_bytes found;
    if (!snap_ssh_take_string(&rest, &found) || found.size == 0 || (found.data[0] & 0x80) != 0)
        return false;
    if (found.data[0] == 0) { /* only there to keep the next byte from being a sign */
        if (found.size == 1 || (found.data[1] & 0x80) == 0)
            return false;
        found.data++;
        found.size--;
    }
    *number = found;
    *from = rest;
    return true;
}

bool snap_ssh_is(const struct snap_ssh_bytes *bytes, const char *text)
{
    return bytes->size == strlen(text) && memcmp(bytes->data, text, bytes->size) == 0;
}

enum snap_status snap_ssh_append_string(struct snap_buffer *out, const void *data, size_t size,
                                        struct snap_error *err)
{
    const unsigned char length[4] = { (unsigned char)(size >> 24), (unsigned char)(size >> 16),
                                      (unsigned char)(size >> 8), (unsigned char)size };
    enum snap_status status = snap_buffer_append(out, length, sizeof length, err);
    if (status == SNAP_OK && size > 0)
        status = snap_buffer_append(out, data, size, err);
    return status;
}

enum snap_status snap_ssh_base64(const char *text, size_t size, struct snap_buffer *out,
                                 bool *valid, struct snap_error *err)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct snap_buffer digits = SNAP_BUFFER_INIT;
    size_t padding = 0;
    enum snap_status status = snap_buffer_reserve(&digits, size + 1, err);
    *valid = size <= INT_MAX;
    for (size_t i = 0; status == SNAP_OK && *valid && i < size; i++) {
        const char c = text[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        padding += c == '=';
        *valid = c == '=' ? padding <= 2 : padding == 0 && c != '\0' && strchr(alphabet, c);
        status = snap_buffer_append(&digits, &c, 1, err);
    }
    *valid = *valid && digits.size > 0 && digits.size % 4 == 0;
    if (status == SNAP_OK && *valid)
        status = snap_buffer_reserve(out, digits.size / 4 * 3, err);
    if (status == SNAP_OK && *valid) {
        int made = EVP_DecodeBlock(out->data + out->size, digits.data, (int)digits.size);
        *valid = made >= 0;
        if (*valid) {
            out->size += (size_t)made - padding;
            out->data[out->size] = '\0';
        }
    }
    snap_buffer_release(&digits);
    return status;
}
