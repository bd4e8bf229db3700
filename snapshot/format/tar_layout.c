/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "format/tar_layout.h"

/* Fields of a ustar header that the parser looks at (POSIX.1-1988). */
#define NAME_FIELD 0
#define SIZE_FIELD 124
#define SIZE_DIGITS 11

/* Where libarchive's bytes go. */
struct capture {
    unsigned char *header;
    size_t size_bytes; /* of the header that came */
    bool complete;     /* archive_write_header is done */
};

static la_ssize_t capture_bytes(struct archive *writer, void *arg, const void *data,
                                size_t size_bytes)
{
    struct capture *capture = arg;
    if (capture->complete || size_bytes > SNAP_TAR_BLOCK_BYTES - capture->size_bytes) {
        /* More than one block, or the zeros that libarchive would write for a content that it is
         * not given, up to 8 GiB of them: no. */
        archive_set_error(writer, ECANCELED, "more than one block");
        return -1;
    }
    memcpy(capture->header + capture->size_bytes, data, size_bytes);
    capture->size_bytes += size_bytes;
    return (la_ssize_t)size_bytes;
}

enum snap_status snap_tar_header(const char *name, uint64_t size,
                                 unsigned char header[SNAP_TAR_BLOCK_BYTES],
                                 struct snap_error *err)
{
    unsigned char block[SNAP_TAR_BLOCK_BYTES];
    struct capture capture = { .header = block };
    enum snap_status status = SNAP_OK;
    struct archive *writer = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    if (writer == NULL || entry == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "tar header of %s: out of memory", name);
        goto out;
    }
    if (strlen(name) > SNAP_MAX_MEMBER_NAME_BYTES || size > SNAP_MAX_MEMBER_BYTES) {
        status = snap_error_set(err, SNAP_INVALID,
                                "tar header of %.100s: the name or size needs an extension", name);
        goto out;
    }
    archive_entry_copy_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    archive_entry_set_mtime(entry, 0, 0);
    archive_entry_set_size(entry, (la_int64_t)size);
    /* No buffering of blocks: the header comes as soon as it is made. */
    if (archive_write_set_format_pax_restricted(writer) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(writer, 0) != ARCHIVE_OK ||
        archive_write_open(writer, &capture, NULL, capture_bytes, NULL) != ARCHIVE_OK ||
        archive_write_header(writer, entry) != ARCHIVE_OK ||
        capture.size_bytes != SNAP_TAR_BLOCK_BYTES) {
        const char *cause = archive_error_string(writer);
        status = snap_error_set(
            err, archive_errno(writer) == ENOMEM ? SNAP_NO_MEMORY : SNAP_INVALID,
            "tar header of %s: libarchive: %s", name, cause != NULL ? cause : "not one block");
        goto out;
    }
    memcpy(header, block, sizeof block);
out:
    archive_entry_free(entry);
    /* Closing wants to write the content and the end, and is refused. Not archive_write_fail: after
     * it, older versions of libarchive do not free what the callback's side holds. */
    capture.complete = true;
    archive_write_free(writer);
    return status;
}

enum snap_status snap_tar_header_parse(const unsigned char header[SNAP_TAR_BLOCK_BYTES],
                                       char name[SNAP_MAX_MEMBER_NAME_BYTES + 1], uint64_t *size,
                                       bool *exact, struct snap_error *err)
{
    size_t length = 0;
    *exact = false;
    *size = 0;
    while (length < SNAP_MAX_MEMBER_NAME_BYTES && header[NAME_FIELD + length] > ' ' &&
           header[NAME_FIELD + length] < 0x7F) {
        name[length] = (char)header[NAME_FIELD + length];
        length++;
    }
    name[length] = '\0';
    for (size_t i = 0; i < SIZE_DIGITS; i++) {
        unsigned char digit = header[SIZE_FIELD + i];
        if (digit < '0' || digit > '7')
            return SNAP_OK;
        *size = *size * 8 + (uint64_t)(digit - '0');
    }
    if (length == 0)
        return SNAP_OK;
    unsigned char expected[SNAP_TAR_BLOCK_BYTES];
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_tar_header(name, *size, expected, &cause);
    if (status == SNAP_OK)
        *exact = memcmp(header, expected, sizeof expected) == 0;
    else if (status != SNAP_INVALID) /* no header exists for them: so the block is none */
        return snap_error_set(err, status, "%s", cause.text);
    return SNAP_OK;
}

void snap_tar_layout(const uint64_t *sizes, size_t count, uint64_t *data_offsets,
                     uint64_t *file_size)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        data_offsets[i] = offset + SNAP_TAR_BLOCK_BYTES;
        offset += snap_tar_member_bytes(sizes[i]);
    }
    *file_size = offset + SNAP_TAR_END_BYTES;
}
