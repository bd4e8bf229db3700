/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/array.h"
#include "core/file.h"
#include "digest/sha256.h"
#include "format/member_name.h"
#include "format/tar_layout.h"
#include "salvage/salvage_scan.h"

#define PIECE_BYTES ((size_t)1 << 20)
/* Where POSIX headers say what they are. */
#define MAGIC_OFFSET 257
#define MAGIC "ustar"

void snap_scan_release(struct snap_scan *scan)
{
    free(scan->members);
    *scan = (struct snap_scan) {.members = NULL};
}

static enum snap_status meet_block(struct snap_scan *scan, const unsigned char *block,
                                   uint64_t offset, struct snap_error *err)
{
    struct snap_found_member found = {.offset = offset + SNAP_TAR_BLOCK_BYTES};
    bool exact = false;
    if (memcmp(block + MAGIC_OFFSET, MAGIC, strlen(MAGIC)) != 0)
        return SNAP_OK;
    enum snap_status status = snap_tar_header_parse(block, found.name, &found.size, &exact, err);
    if (status != SNAP_OK || !exact || !snap_member_kind_of(found.name, &found.kind) ||
        found.size > snap_member_max_bytes(found.kind) || scan->count == SNAP_MAX_MEMBERS)
        return status;
    found.is_cut = found.size > scan->file_size - found.offset;
    struct snap_found_member *grown = snap_array_grow(scan->members, scan->count, sizeof *grown);
    if (grown == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "salvage: out of memory");
    scan->members = grown;
    scan->members[scan->count++] = found;
    return SNAP_OK;
}

enum snap_status snap_scan_members(int fd, const char *label, struct snap_scan *scan,
                                   struct snap_error *err)
{
    struct stat info;
    enum snap_status status = SNAP_OK;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return snap_error_set(err, SNAP_IO, "%s: is not a regular file", label);
    unsigned char *piece = malloc(PIECE_BYTES);
    if (piece == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", label);
    scan->file_size = (uint64_t)info.st_size;
    uint64_t end = scan->file_size - scan->file_size % SNAP_TAR_BLOCK_BYTES;
    size_t bytes = PIECE_BYTES;
    for (uint64_t at = 0; status == SNAP_OK && at < end; at += bytes) {
        bytes = end - at < PIECE_BYTES ? (size_t)(end - at) : PIECE_BYTES;
        if (snap_file_pread(fd, piece, bytes, at, label, NULL) != SNAP_OK) {
            /* Block by block, past the bad ones. */
            bytes = SNAP_TAR_BLOCK_BYTES;
            if (snap_file_pread(fd, piece, bytes, at, label, NULL) != SNAP_OK) {
                scan->unreadable += bytes;
                continue;
            }
        }
        for (size_t i = 0; status == SNAP_OK && i < bytes; i += SNAP_TAR_BLOCK_BYTES)
            status = meet_block(scan, piece + i, at + i, err);
    }
    free(piece);
    return status;
}

enum snap_status snap_scan_digest(int fd, const struct snap_found_member *member, bool *readable,
                                  unsigned char sha256[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    unsigned char *piece = malloc(PIECE_BYTES);
    enum snap_status status = piece != NULL
                                  ? snap_sha256_begin(&context, err)
                                  : snap_error_set(err, SNAP_NO_MEMORY, "salvage: out of memory");
    *readable = true;
    for (uint64_t done = 0; status == SNAP_OK && *readable && done < member->size;) {
        uint64_t left = member->size - done;
        size_t bytes = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        *readable =
            snap_file_pread(fd, piece, bytes, member->offset + done, member->name, NULL) == SNAP_OK;
        if (*readable)
            status = snap_sha256_update(&context, piece, bytes, err);
        done += bytes;
    }
    if (status == SNAP_OK)
        status = snap_sha256_finish(&context, sha256, err);
    snap_sha256_release(&context);
    free(piece);
    return status;
}
