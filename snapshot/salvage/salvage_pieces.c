/* SPDX-License-Identifier: Apache-2.0 */
/* What a damaged archive was made of: its manifest and listing, as far as they are there. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/file.h"
#include "digest/sha256.h"
#include "format/json_canonical.h"
#include "format/listing.h"
#include "salvage/salvage_pieces.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "salvage: out of memory");
}

void snap_salvage_release(struct snap_salvage_job *job)
{
    for (size_t i = 0; i < job->other_count; i++)
        snap_archive_close(job->others[i]);
    free(job->others);
    free(job->pieces);
    snap_salvage_volumes_release(job);
    snap_buffer_release(&job->ledger);
    snap_buffer_release(&job->manifest_text);
    snap_manifest_release(&job->manifest);
    snap_scan_release(&job->scan);
}

size_t snap_salvage_lost(const struct snap_salvage_job *job)
{
    size_t lost = 0;
    for (size_t i = 0; i < job->piece_count; i++)
        lost += job->pieces[i].place == SNAP_PIECE_LOST;
    return lost;
}

/* The content of a member that was found, if it is whole and not larger than allowed. */
static bool load(const struct snap_salvage_job *job, const struct snap_found_member *found,
                 struct snap_buffer *out)
{
    snap_buffer_clear(out);
    if (found->is_cut || snap_buffer_reserve(out, (size_t)found->size + 1, NULL) != SNAP_OK ||
        snap_file_pread(job->file.fd, out->data, (size_t)found->size, found->offset, job->path,
                        NULL) != SNAP_OK)
        return false;
    out->size = (size_t)found->size;
    return true;
}

/* The first manifest that can be read. */
static enum snap_status find_manifest(struct snap_salvage_job *job, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    for (size_t i = 0; i < job->scan.count && !job->has_manifest; i++) {
        json_t *document = NULL;
        if (job->scan.members[i].kind != SNAP_MEMBER_MANIFEST ||
            !load(job, &job->scan.members[i], &job->manifest_text))
            continue;
        enum snap_status status = snap_json_decode(job->manifest_text.data, job->manifest_text.size,
                                                   "manifest.json", &document, &cause);
        if (status == SNAP_OK)
            status = snap_manifest_decode(document, &job->manifest, &cause);
        json_decref(document);
        if (status == SNAP_NO_MEMORY)
            return no_memory(err);
        job->has_manifest = status == SNAP_OK;
    }
    return SNAP_OK;
}

static bool add_piece(struct snap_salvage_job *job, const struct snap_piece *piece)
{
    struct snap_piece *grown = snap_array_grow(job->pieces, job->piece_count, sizeof *grown);
    if (grown == NULL)
        return false;
    job->pieces = grown;
    job->pieces[job->piece_count++] = *piece;
    return true;
}

/* As the manifest lists them; itself is the second. */
static enum snap_status pieces_of_manifest(struct snap_salvage_job *job, struct snap_error *err)
{
    const struct snap_manifest *manifest = &job->manifest;
    const struct snap_piece itself = {
        .name = "manifest.json", .kind = SNAP_MEMBER_MANIFEST, .size = job->manifest_text.size};
    bool added = true;
    for (size_t i = 0; added && i < manifest->member_count; i++) {
        const struct snap_manifest_member *member = &manifest->members[i];
        const struct snap_piece piece = {.name = member->name,
                                         .kind = member->kind,
                                         .size = member->size,
                                         .in_state = member->in_state};
        if (i == 1)
            added = add_piece(job, &itself);
        if (added && member->kind != SNAP_MEMBER_LISTING)
            added = add_piece(job, &piece);
    }
    return added ? SNAP_OK : no_memory(err);
}

/* Without a manifest: what was found, each name once. */
static enum snap_status pieces_of_scan(struct snap_salvage_job *job, struct snap_error *err)
{
    json_t *names = json_object();
    bool added = names != NULL;
    for (size_t i = 0; added && i < job->scan.count; i++) {
        const struct snap_found_member *found = &job->scan.members[i];
        const struct snap_piece piece = {
            .name = found->name, .kind = found->kind, .size = found->size};
        if (found->kind == SNAP_MEMBER_LISTING || json_object_get(names, found->name) != NULL)
            continue;
        added = json_object_set_new(names, found->name, json_null()) == 0 && add_piece(job, &piece);
    }
    json_decref(names);
    return added ? SNAP_OK : no_memory(err);
}

/* Take the digests of a listing if it lists these pieces, and is the one expected. */
static enum snap_status take_listing(struct snap_salvage_job *job, const struct snap_buffer *text,
                                     struct snap_error *err)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    char hash[SNAP_HASH_TEXT_BYTES];
    struct snap_listing_line *lines = calloc(job->piece_count + 1, sizeof *lines);
    if (lines == NULL)
        return no_memory(err);
    for (size_t i = 0; i < job->piece_count; i++)
        lines[i].name = job->pieces[i].name;
    enum snap_status status = snap_sha256(text->data, text->size, digest, err);
    if (status != SNAP_OK)
        goto out;
    snap_hash_text("snap1", digest, hash);
    if ((job->expected[0] != '\0' && strcmp(hash, job->expected) != 0) ||
        snap_listing_decode(text->data, text->size, "SHA256SUMS", lines, job->piece_count, NULL) !=
            SNAP_OK)
        goto out;
    for (size_t i = 0; i < job->piece_count; i++) {
        memcpy(job->pieces[i].sha256, lines[i].sha256, SNAP_DIGEST_BYTES);
        job->pieces[i].digest_known = true;
    }
    memcpy(job->hash, hash, sizeof job->hash);
    job->has_listing = true;
    job->is_proven = true;
out:
    free(lines);
    return status;
}

enum snap_status snap_salvage_pieces(struct snap_salvage_job *job, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    enum snap_status status = find_manifest(job, err);
    if (status == SNAP_OK)
        status = job->has_manifest ? pieces_of_manifest(job, err) : pieces_of_scan(job, err);
    /* The last one is the commit mark. */
    for (size_t i = job->scan.count;
         status == SNAP_OK && job->has_manifest && !job->has_listing && i-- > 0;)
        if (job->scan.members[i].kind == SNAP_MEMBER_LISTING &&
            load(job, &job->scan.members[i], &text))
            status = take_listing(job, &text, err);
    snap_buffer_release(&text);
    return status;
}
