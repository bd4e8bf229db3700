/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an archive: opened, checked, every member read. Of bytes that are changed blindly no
 * more than the first header is looked at, so that the fuzzer changes the content of a member and
 * everything that depends on it is mended: its header, its size in the manifest, both listings. */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/hex.h"
#include "digest/sha256.h"
#include "format/archive_read.h"
#include "format/tar_layout.h"
#include "fuzz_target.h"

/* No member of an input is larger than all of it. */
enum { MAX_MEMBER_BYTES = 1 << 20, MOST_BYTES = 65536, MOST_MEMBERS = 64 };

static void read_all(struct snap_archive *archive)
{
    struct snap_error err = SNAP_ERROR_INIT;
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        void *data = NULL;
        const struct snap_member *member = snap_archive_member(archive, i);
        enum snap_status status =
            snap_archive_read_alloc(archive, member, MAX_MEMBER_BYTES, &data, &err);
        if (status == SNAP_OK)
            free(data);
        /* What is read at once is what is read in pieces. A ledger is also looked at. */
        if (member->kind != SNAP_MEMBER_LEDGER &&
            snap_archive_read_pieces(archive, member, NULL, NULL, &err) != status)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_archive *archive = NULL;
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size))
        abort();
    if (snap_archive_open_fd(fd, "input", &archive, &err) != SNAP_OK)
        return 0;
    read_all(archive);
    snap_archive_check(archive, NULL, &err);
    snap_archive_close(archive);
    return 0;
}

/* ---- the mutator ---- */

struct part {
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
    uint8_t content[MOST_BYTES];
    size_t size;
};

static struct {
    struct part parts[MOST_MEMBERS];
    size_t count;
} tar;

static bool split(const uint8_t *data, size_t size)
{
    size_t at = 0;
    tar.count = 0;
    while (at + SNAP_TAR_BLOCK_BYTES <= size && tar.count < MOST_MEMBERS) {
        struct part *part = &tar.parts[tar.count];
        uint64_t bytes = 0;
        bool exact = false;
        if (snap_tar_header_parse(data + at, part->name, &bytes, &exact, NULL) != SNAP_OK ||
            !exact || bytes > size - at - SNAP_TAR_BLOCK_BYTES)
            break;
        part->size = (size_t)bytes;
        memcpy(part->content, data + at + SNAP_TAR_BLOCK_BYTES, part->size);
        tar.count++;
        at += (size_t)snap_tar_member_bytes(bytes);
    }
    return tar.count > 2;
}

static struct part *find(const char *name, size_t length)
{
    for (size_t i = 0; i < tar.count; i++)
        if (strlen(tar.parts[i].name) == length && memcmp(tar.parts[i].name, name, length) == 0)
            return &tar.parts[i];
    return NULL;
}

/* Put the size of a part into the manifest. */
static void mend_size(const struct part *part)
{
    struct part *manifest = find("manifest.json", 13);
    char key[SNAP_MAX_MEMBER_NAME_BYTES + 32], number[24];
    int length = snprintf(key, sizeof key, "\"name\":\"%s\",\"size\":", part->name);
    uint8_t *found = manifest == NULL ? NULL
                                      : memmem(manifest->content, manifest->size, key,
                                               (size_t)length);
    if (found == NULL)
        return;
    size_t start = (size_t)(found - manifest->content) + (size_t)length, end = start;
    while (end < manifest->size && manifest->content[end] >= '0' && manifest->content[end] <= '9')
        end++;
    size_t digits = (size_t)snprintf(number, sizeof number, "%zu", part->size);
    if (manifest->size - (end - start) + digits > MOST_BYTES)
        return;
    memmove(manifest->content + start + digits, manifest->content + end, manifest->size - end);
    memcpy(manifest->content + start, number, digits);
    manifest->size += start + digits - end;
}

/* Write the digests anew that stand in a listing. */
static void mend_listing(const char *listing)
{
    struct part *part = find(listing, strlen(listing));
    for (size_t at = 0; part != NULL && at + 67 < part->size;) {
        uint8_t *line = part->content + at;
        uint8_t *end = memchr(line, '\n', part->size - at);
        unsigned char digest[SNAP_DIGEST_BYTES];
        char digits[2 * SNAP_DIGEST_BYTES + 1];
        if (end == NULL || end < line + 67)
            return;
        struct part *listed = find((char *)line + 66, (size_t)(end - line) - 66);
        if (listed != NULL && snap_sha256(listed->content, listed->size, digest, NULL) == SNAP_OK) {
            snap_hex_encode(digest, sizeof digest, digits);
            memcpy(line, digits, 2 * SNAP_DIGEST_BYTES);
        }
        at = (size_t)(end - part->content) + 1;
    }
}

static size_t join(uint8_t *data, size_t room)
{
    size_t at = 0;
    for (size_t i = 0; i < tar.count; i++) {
        const struct part *part = &tar.parts[i];
        size_t bytes = (size_t)snap_tar_member_bytes(part->size);
        if (bytes + SNAP_TAR_END_BYTES > room - at)
            return 0;
        memset(data + at, 0, bytes);
        if (snap_tar_header(part->name, part->size, data + at, NULL) != SNAP_OK)
            return 0;
        memcpy(data + at + SNAP_TAR_BLOCK_BYTES, part->content, part->size);
        at += bytes;
    }
    memset(data + at, 0, SNAP_TAR_END_BYTES);
    return at + SNAP_TAR_END_BYTES;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t kept = size;
    if (seed % 8 == 0 || max_size > MOST_BYTES || !split(data, size))
        return LLVMFuzzerMutate(data, size, max_size);
    struct part *part = &tar.parts[seed / 8 % tar.count];
    part->size = LLVMFuzzerMutate(part->content, part->size, MOST_BYTES / 8);
    if (seed / 512 % 8 != 0)
        mend_size(part);
    mend_listing("STATE");
    mend_listing("SHA256SUMS");
    size = join(data, max_size);
    return size != 0 ? size : kept;
}
