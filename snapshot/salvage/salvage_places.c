/* SPDX-License-Identifier: Apache-2.0 */
/* Where the pieces of a damaged archive can be had: in its own files, or in another archive. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "format/archive_fill.h"
#include "salvage/salvage_pieces.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "salvage: out of memory");
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
