/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/file.h"
#include "digest/sha256.h"
#include "format/archive_fill.h"
#include "format/json_canonical.h"
#include "format/limits.h"
#include "format/listing.h"
#include "format/member_name.h"
#include "format/readme.h"
#include "ledger/ledger_line.h"
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

/* ---- manifest and listing ---- */

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

/* ---- here ---- */

static enum snap_status judge(const struct snap_source *source, struct snap_piece *piece,
                              const struct snap_found_member *found, struct snap_error *err)
{
    unsigned char sha256[SNAP_DIGEST_BYTES];
    bool readable;
    enum snap_status status = snap_scan_digest(source->fd, found, &readable, sha256, err);
    if (status != SNAP_OK)
        return status;
    if (!readable || (piece->digest_known && memcmp(sha256, piece->sha256, sizeof sha256) != 0)) {
        piece->is_damaged = true;
        return SNAP_OK;
    }
    memcpy(piece->sha256, sha256, sizeof sha256);
    piece->digest_known = true;
    piece->place = SNAP_PIECE_HERE;
    piece->source = source;
    piece->source_offset = found->offset;
    return SNAP_OK;
}

/* Names are unique ignoring case, so that few things of one name can be found in an honest file;
 * in another one so many are tried. */
#define MOST_TRIES 4

enum snap_status snap_salvage_here(struct snap_salvage_job *job, const struct snap_source *source,
                                   const struct snap_scan *scan, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    json_t *places = json_object();
    unsigned char *tries = calloc(job->piece_count + 1, 1);
    if (places == NULL || tries == NULL)
        status = no_memory(err);
    for (size_t i = 0; status == SNAP_OK && i < job->piece_count; i++)
        if (json_object_set_new(places, job->pieces[i].name, json_integer((json_int_t)i)) != 0)
            status = no_memory(err);
    for (size_t i = 0; status == SNAP_OK && i < scan->count; i++) {
        const struct snap_found_member *found = &scan->members[i];
        const json_t *place = json_object_get(places, found->name);
        size_t index = place != NULL ? (size_t)json_integer_value(place) : 0;
        struct snap_piece *piece = &job->pieces[index];
        if (place == NULL || piece->place != SNAP_PIECE_LOST || found->size != piece->size)
            continue;
        if (found->is_cut)
            piece->is_damaged = true;
        else if (tries[index]++ < MOST_TRIES)
            status = judge(source, piece, found, err);
    }
    free(tries);
    json_decref(places);
    return status;
}

/* ---- elsewhere ---- */

static const struct snap_member *find_in(const struct snap_archive *other,
                                         const struct snap_piece *piece)
{
    const struct snap_member *named = snap_archive_find(other, piece->name);
    if (!piece->digest_known)
        return named != NULL && !named->withheld && named->data_size == piece->size ? named : NULL;
    for (size_t i = 0; i < snap_archive_member_count(other); i++) {
        const struct snap_member *member = snap_archive_member(other, i);
        if (!member->withheld && member->data_size == piece->size &&
            memcmp(member->sha256, piece->sha256, SNAP_DIGEST_BYTES) == 0)
            return member;
    }
    return NULL;
}

/* Its bytes must be what its own listing says: a sibling may be damaged too. */
static enum snap_status take(struct snap_piece *piece, const struct snap_archive *other,
                             const struct snap_member *member, bool *taken, struct snap_error *err)
{
    struct snap_found_member there = {.size = member->data_size, .offset = member->data_offset};
    unsigned char sha256[SNAP_DIGEST_BYTES];
    bool readable;
    enum snap_status status =
        snap_scan_digest(snap_archive_source(other, member)->fd, &there, &readable, sha256, err);
    if (status != SNAP_OK || !readable || memcmp(sha256, member->sha256, sizeof sha256) != 0)
        return status;
    memcpy(piece->sha256, sha256, sizeof sha256);
    piece->digest_known = true;
    piece->place = SNAP_PIECE_ELSEWHERE;
    piece->source = snap_archive_source(other, member);
    piece->source_offset = member->data_offset;
    *taken = true;
    return SNAP_OK;
}

/* Another file of the very same archive, whole enough to be opened: it has the listing. */
static void take_digests(struct snap_salvage_job *job, const struct snap_archive *same)
{
    if (!job->has_manifest || job->has_listing ||
        strcmp(snap_archive_snapshot_hash(same), job->expected) != 0 ||
        snap_archive_member_count(same) != job->piece_count + 1)
        return;
    for (size_t i = 0; i < job->piece_count; i++) {
        struct snap_piece *piece = &job->pieces[i];
        const struct snap_member *member = snap_archive_find(same, piece->name);
        if (member == NULL)
            return; /* then the manifest here is another one */
        bool right =
            piece->digest_known && memcmp(piece->sha256, member->sha256, SNAP_DIGEST_BYTES) == 0;
        piece->is_damaged = piece->is_damaged || (!right && piece->place == SNAP_PIECE_HERE);
        if (!right)
            piece->place = SNAP_PIECE_LOST;
        memcpy(piece->sha256, member->sha256, SNAP_DIGEST_BYTES);
        piece->digest_known = true;
    }
    memcpy(job->hash, job->expected, sizeof job->hash);
    job->has_listing = true;
    job->is_proven = true;
}

enum snap_status snap_salvage_elsewhere(struct snap_salvage_job *job, struct snap_archive *other,
                                        struct snap_error *err)
{
    bool taken = false;
    struct snap_archive **grown =
        snap_array_grow(job->others, job->other_count, sizeof *job->others);
    if (grown == NULL) {
        snap_archive_close(other);
        return no_memory(err);
    }
    job->others = grown;
    job->others[job->other_count++] = other;
    enum snap_status status = SNAP_OK;
    take_digests(job, other);
    for (size_t i = 0; status == SNAP_OK && i < job->piece_count; i++) {
        struct snap_piece *piece = &job->pieces[i];
        /* What is made, or would be another snapshot's: not by name. */
        bool by_name = piece->kind != SNAP_MEMBER_MANIFEST &&
                       piece->kind != SNAP_MEMBER_STATE_LISTING &&
                       piece->kind != SNAP_MEMBER_LEDGER;
        if (piece->place != SNAP_PIECE_LOST || (!piece->digest_known && !by_name))
            continue;
        const struct snap_member *member = find_in(other, piece);
        if (member != NULL)
            status = take(piece, other, member, &taken, err);
    }
    if (!taken) {
        job->other_count--;
        snap_archive_close(other);
    }
    return status;
}

/* ---- proof ---- */

static enum snap_status make_piece(struct snap_piece *piece, const void *data, size_t size,
                                   struct snap_error *err)
{
    if (piece->size != size)
        return SNAP_OK;
    enum snap_status status = snap_sha256(data, size, piece->sha256, err);
    piece->digest_known = status == SNAP_OK;
    piece->place = piece->digest_known ? SNAP_PIECE_MADE : SNAP_PIECE_LOST;
    return status;
}

/* The lines that the archive had, out of the ledger of the run that it lies in. */
static enum snap_status ledger_lines(struct snap_salvage_job *job, struct snap_piece *piece,
                                     struct snap_error *err)
{
    const struct snap_manifest *manifest = &job->manifest;
    struct snap_ledger *ledger = NULL;
    struct snap_chain_heads heads;
    char path[4096];
    const char *slash = strrchr(job->path, '/');
    size_t first = 0;
    size_t last = 0;
    if ((size_t)snprintf(path, sizeof path, "%.*s../" SNAP_LEDGER_FILE,
                         slash == NULL ? 0 : (int)(slash + 1 - job->path),
                         job->path) >= sizeof path ||
        snap_ledger_open(path, &ledger, NULL, NULL) != SNAP_OK)
        return SNAP_OK;
    size_t count = snap_ledger_line_count(ledger);
    bool found_first = !manifest->has_before;
    bool found_last = false;
    for (size_t i = 0; i < count && !found_last; i++) {
        snap_ledger_heads(ledger, i, &heads);
        if (!found_first && memcmp(&heads, &manifest->before, sizeof heads) == 0) {
            found_first = true;
            first = i + 1;
        }
        found_last = found_first && memcmp(&heads, &manifest->after, sizeof heads) == 0;
        last = i;
    }
    enum snap_status status = SNAP_OK;
    for (size_t i = first; found_last && status == SNAP_OK && i <= last; i++) {
        size_t size;
        const char *line = snap_ledger_line(ledger, i, &size);
        status = snap_buffer_append(&job->ledger, line, size, err);
    }
    if (status == SNAP_OK && found_last)
        status = make_piece(piece, job->ledger.data == NULL ? (void *)"" : job->ledger.data,
                            job->ledger.size, err);
    snap_ledger_free(ledger);
    return status;
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(((const struct snap_listing_line *)left)->name,
                  ((const struct snap_listing_line *)right)->name);
}

/* The text of STATE (`all` false) or SHA256SUMS. *known: every digest in it is. */
static enum snap_status make_listing(const struct snap_salvage_job *job, bool all,
                                     struct snap_buffer *out, bool *known, struct snap_error *err)
{
    struct snap_listing_line *lines = calloc(job->piece_count + 1, sizeof *lines);
    size_t count = 0;
    *known = true;
    if (lines == NULL)
        return no_memory(err);
    for (size_t i = 0; i < job->piece_count; i++) {
        const struct snap_piece *piece = &job->pieces[i];
        if (!all && !piece->in_state)
            continue;
        *known = *known && piece->digest_known;
        lines[count].name = piece->name;
        memcpy(lines[count++].sha256, piece->sha256, SNAP_DIGEST_BYTES);
    }
    if (!all)
        qsort(lines, count, sizeof *lines, compare_lines);
    enum snap_status status = snap_listing_encode(lines, count, out, err);
    free(lines);
    return status;
}

static enum snap_status make_missing(struct snap_salvage_job *job, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < job->piece_count; i++) {
        struct snap_piece *piece = &job->pieces[i];
        bool known;
        if (piece->place != SNAP_PIECE_LOST)
            continue;
        if (piece->kind == SNAP_MEMBER_README)
            status = make_piece(piece, snap_readme_text(), strlen(snap_readme_text()), err);
        else if (piece->kind == SNAP_MEMBER_LEDGER)
            status = ledger_lines(job, piece, err);
        else if (piece->kind == SNAP_MEMBER_STATE_LISTING) {
            status = make_listing(job, false, &text, &known, err);
            if (status == SNAP_OK && known)
                status = make_piece(piece, text.data, text.size, err);
        }
    }
    snap_buffer_release(&text);
    return status;
}

enum snap_status snap_salvage_prove(struct snap_salvage_job *job, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES];
    bool known = false;
    if (!job->has_manifest || job->has_listing)
        return SNAP_OK;
    enum snap_status status = make_missing(job, err);
    if (status == SNAP_OK)
        status = make_listing(job, true, &text, &known, err);
    if (status == SNAP_OK && known)
        status = snap_sha256(text.data, text.size, digest, err);
    if (status == SNAP_OK && known) {
        snap_hash_text("snap1", digest, job->hash);
        job->is_proven = job->expected[0] != '\0' && strcmp(job->hash, job->expected) == 0;
    }
    snap_buffer_release(&text);
    return status;
}
