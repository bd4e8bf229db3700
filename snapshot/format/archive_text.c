/* SPDX-License-Identifier: Apache-2.0 */
/* Members that are taken into memory because they are text, and those that need not be. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "digest/sha256.h"
#include "format/archive_object.h"
#include "format/archive_read.h"

/* Read at a time: small against what a document may take, large against a call. */
#define PIECE_BYTES ((size_t)256 << 10)
/* Of what is asked for over a network, each piece costs a round trip. */
#define RANGE_BYTES ((size_t)8 << 20)

enum snap_status snap_archive_load_text(const struct snap_archive *archive,
                                        const struct snap_member *member,
                                        const struct snap_json_bounds *bounds,
                                        struct snap_buffer *out, struct snap_error *err)
{
    struct snap_json_guard guard = SNAP_JSON_GUARD_INIT;
    size_t size = (size_t)member->data_size;
    const char *fault = NULL;
    if (bounds != NULL)
        guard.bounds = *bounds;
    /* Pages that nothing is read into take no memory. */
    enum snap_status status = snap_buffer_reserve(out, size, err);
    while (status == SNAP_OK && fault == NULL && out->size < size) {
        size_t piece = size - out->size < PIECE_BYTES ? size - out->size : PIECE_BYTES;
        status = snap_source_read(&archive->file.source, out->data + out->size, piece,
                                  member->data_offset + out->size, err);
        if (status == SNAP_OK)
            fault = snap_json_guard_feed(&guard, out->data + out->size, piece);
        if (status == SNAP_OK)
            out->size += piece;
    }
    if (status == SNAP_OK && fault != NULL)
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s: member %s: is not canonical JSON from byte %" PRIu64 " on: %s",
                                archive->label, member->name, guard.bytes, fault);
    if (status == SNAP_OK)
        out->data[out->size] = '\0';
    return status;
}

enum snap_status snap_archive_read_text(const struct snap_archive *archive,
                                        const struct snap_member *member, struct snap_buffer *out,
                                        struct snap_error *err)
{
    unsigned char sha256[SNAP_DIGEST_BYTES];
    struct snap_error cause = SNAP_ERROR_INIT;
    if (member->elsewhere) {
        const struct snap_archive_filling *filling = &archive->filled[member - archive->members];
        return snap_archive_read_text(filling->archive, filling->member, out, err);
    }
    if (member->withheld)
        return snap_archive_read(archive, member, NULL, err); /* which says so */
    enum snap_status status = snap_archive_load_text(archive, member, NULL, out, &cause);
    if (status == SNAP_CORRUPT) {
        /* A text that is damaged is told as that. */
        status = snap_archive_read_pieces(archive, member, NULL, NULL, err);
        return status != SNAP_OK ? status : snap_error_set(err, SNAP_CORRUPT, "%s", cause.text);
    }
    if (status != SNAP_OK)
        return snap_error_set(err, status, "%s", cause.text);
    status = snap_sha256(out->data, out->size, sha256, err);
    if (status == SNAP_OK && memcmp(sha256, member->sha256, sizeof sha256) != 0)
        status = snap_archive_digest_differs(archive->label, member->name, err);
    return status;
}

/* Digest the pieces, and give each on until one is not wanted any more. */
static enum snap_status pass_on(const struct snap_archive *archive,
                                const struct snap_member *member,
                                struct snap_sha256_context *context, unsigned char *piece,
                                size_t piece_bytes, snap_archive_take *take, void *arg,
                                bool *stopped, struct snap_error *err)
{
    const struct snap_source *source = &snap_archive_file_of(archive, member)->source;
    enum snap_status status = SNAP_OK;
    uint64_t done = 0;
    while (status == SNAP_OK && done < member->data_size && !*stopped) {
        uint64_t left = member->data_size - done;
        size_t size = left < piece_bytes ? (size_t)left : piece_bytes;
        status = snap_source_read(source, piece, size, member->data_offset + done, err);
        if (status == SNAP_OK)
            status = snap_sha256_update(context, piece, size, err);
        if (status == SNAP_OK && take != NULL)
            *stopped = !take(arg, piece, size);
        done += size;
    }
    return status;
}

enum snap_status snap_archive_read_pieces(const struct snap_archive *archive,
                                          const struct snap_member *member,
                                          snap_archive_take *take, void *arg,
                                          struct snap_error *err)
{
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    unsigned char sha256[SNAP_DIGEST_BYTES];
    bool stopped = false;
    if (member->elsewhere) {
        const struct snap_archive_filling *filling = &archive->filled[member - archive->members];
        return snap_archive_read_pieces(filling->archive, filling->member, take, arg, err);
    }
    if (member->withheld)
        return snap_archive_read(archive, member, NULL, err); /* which says so */
    size_t piece_bytes = archive->file.source.ranges != NULL ? RANGE_BYTES : PIECE_BYTES;
    unsigned char *piece = malloc(piece_bytes);
    if (piece == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: member %s: out of memory", archive->label,
                              member->name);
    enum snap_status status = snap_sha256_begin(&context, err);
    if (status == SNAP_OK)
        status = pass_on(archive, member, &context, piece, piece_bytes, take, arg, &stopped, err);
    if (status == SNAP_OK && !stopped) {
        status = snap_sha256_finish(&context, sha256, err);
        if (status == SNAP_OK && memcmp(sha256, member->sha256, sizeof sha256) != 0)
            status = snap_archive_digest_differs(archive->label, member->name, err);
    }
    snap_sha256_release(&context);
    free(piece);
    return status;
}
