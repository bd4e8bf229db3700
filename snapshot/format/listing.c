/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "core/hex.h"
#include "digest/sha256.h"
#include "format/listing.h"

#define HEX_BYTES (2 * SNAP_DIGEST_BYTES)

enum snap_status snap_listing_encode(const struct snap_listing_line *lines, size_t count,
                                     struct snap_buffer *out, struct snap_error *err)
{
    size_t start = out->size;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; i < count && status == SNAP_OK; i++) {
        char digits[HEX_BYTES + 1];
        snap_hex_encode(lines[i].sha256, SNAP_DIGEST_BYTES, digits);
        status = snap_buffer_appendf(out, err, "%s  %s\n", digits, lines[i].name);
    }
    if (status != SNAP_OK && out->data != NULL) {
        out->size = start;
        out->data[start] = '\0';
    }
    return status;
}

/* The line at `text`: 64 digits, two spaces, a name up to the newline. Gives its bytes with the
 * newline, 0 when there is no such line. */
static size_t read_line(const char *text, size_t left, unsigned char sha256[SNAP_DIGEST_BYTES],
                        const char **name, size_t *name_bytes)
{
    if (left < HEX_BYTES + 3 || !snap_hex_decode(text, HEX_BYTES, sha256) ||
        text[HEX_BYTES] != ' ' || text[HEX_BYTES + 1] != ' ')
        return 0;
    *name = text + HEX_BYTES + 2;
    const char *end = memchr(*name, '\n', left - HEX_BYTES - 2);
    if (end == NULL)
        return 0;
    *name_bytes = (size_t)(end - *name);
    return (size_t)(end + 1 - text);
}

enum snap_status snap_listing_decode(const void *bytes, size_t size_bytes, const char *what,
                                     struct snap_listing_line *lines, size_t count,
                                     struct snap_error *err)
{
    const char *text = bytes;
    for (size_t i = 0; i < count; i++) {
        unsigned char sha256[SNAP_DIGEST_BYTES];
        const char *name;
        size_t name_bytes;
        size_t taken = read_line(text, size_bytes, sha256, &name, &name_bytes);
        if (taken == 0 || name_bytes != strlen(lines[i].name) ||
            memcmp(name, lines[i].name, name_bytes) != 0)
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: line %zu: expected the digest and name of %s", what, i + 1,
                                  lines[i].name);
        memcpy(lines[i].sha256, sha256, SNAP_DIGEST_BYTES);
        text += taken;
        size_bytes -= taken;
    }
    if (size_bytes != 0)
        return snap_error_set(err, SNAP_CORRUPT, "%s: more than the %zu lines expected", what,
                              count);
    return SNAP_OK;
}

bool snap_listing_find(const void *bytes, size_t size_bytes, const char *name,
                       unsigned char sha256[SNAP_DIGEST_BYTES])
{
    const char *text = bytes;
    while (size_bytes > 0) {
        unsigned char digest[SNAP_DIGEST_BYTES];
        const char *found;
        size_t found_bytes;
        size_t taken = read_line(text, size_bytes, digest, &found, &found_bytes);
        if (taken == 0)
            return false;
        if (found_bytes == strlen(name) && memcmp(found, name, found_bytes) == 0) {
            memcpy(sha256, digest, SNAP_DIGEST_BYTES);
            return true;
        }
        text += taken;
        size_bytes -= taken;
    }
    return false;
}

enum snap_status snap_state_digest(const struct snap_listing_line *storages, size_t storage_count,
                                   const struct snap_listing_line *streams, size_t stream_count,
                                   const unsigned char data_sha256[SNAP_DIGEST_BYTES],
                                   unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    struct snap_buffer lines = SNAP_BUFFER_INIT;
    struct snap_listing_line data = { .name = "data.json" };
    memcpy(data.sha256, data_sha256, SNAP_DIGEST_BYTES);
    enum snap_status status = snap_listing_encode(storages, storage_count, &lines, err);
    if (status == SNAP_OK)
        status = snap_listing_encode(streams, stream_count, &lines, err);
    if (status == SNAP_OK)
        status = snap_listing_encode(&data, 1, &lines, err);
    if (status == SNAP_OK)
        status = snap_sha256(lines.data, lines.size, out, err);
    snap_buffer_release(&lines);
    return status;
}
