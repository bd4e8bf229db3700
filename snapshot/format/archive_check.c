/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#include "format/archive_fill.h"
#include "format/archive_object.h"
#include "format/archive_read.h"
#include "format/tar_layout.h"
#include "format/volumes.h"
#include "io/read_file.h"

/* A member that is to be read: in which file it is, and where to; `place` NULL: nowhere. */
struct piece {
    const struct snap_archive *archive;
    size_t member; /* index in that archive */
    unsigned char *place;
    size_t holder; /* 0: the archive itself; else one of those that lie beside it */
    size_t volume; /* of that one: 0, its own file; else one of its volumes */
};

static enum snap_status compare_digest(const struct snap_archive_file *file,
                                       const struct snap_member *member,
                                       const unsigned char sha256[SNAP_DIGEST_BYTES],
                                       struct snap_error *err)
{
    if (memcmp(sha256, member->sha256, SNAP_DIGEST_BYTES) != 0)
        return snap_archive_digest_differs(file->source.what, member->name, err);
    return SNAP_OK;
}

/* Read pieces of one file, in its order, and compare digests; the first that fails is told. */
static enum snap_status read_file(const struct piece *pieces, size_t count, struct snap_pool *pool,
                                  struct snap_error *err)
{
    const struct snap_archive *archive = pieces[0].archive;
    const struct snap_archive_file *file =
        snap_archive_file_of(archive, &archive->members[pieces[0].member]);
    size_t done = 0;
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_span *spans = calloc(count, sizeof *spans);
    unsigned char(*digests)[SNAP_DIGEST_BYTES] = calloc(count, sizeof *digests);
    enum snap_status status = SNAP_OK;
    if (spans == NULL || digests == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        const struct snap_member *member = &archive->members[pieces[i].member];
        spans[i] = (struct snap_span){ .offset = member->data_offset,
                                       .size_bytes = (size_t)member->data_size,
                                       .place = pieces[i].place,
                                       .sha256 = digests[i] };
    }
    enum snap_status reading_status =
        snap_read_source(&file->source, spans, count, pool, &done, &cause);
    for (size_t i = 0; i < done && status == SNAP_OK; i++)
        status = compare_digest(file, &archive->members[pieces[i].member], digests[i], err);
    if (status == SNAP_OK && reading_status != SNAP_OK) {
        status = reading_status;
        if (err != NULL)
            *err = cause;
    }
out:
    free(digests);
    free(spans);
    return status;
}

/* Where a member is, which is not absent. */
static struct piece find_piece(const struct snap_archive *archive, size_t index,
                               unsigned char *place)
{
    struct piece piece = { archive, index, place, 0, 0 };
    if (archive->members[index].withheld) {
        piece.archive = archive->filled[index].archive;
        piece.member = (size_t)(archive->filled[index].member - piece.archive->members);
        while (piece.holder < archive->filler_count &&
               archive->fillers[piece.holder] != piece.archive)
            piece.holder++;
        piece.holder++;
    }
    piece.volume = piece.archive->volume_of[piece.member];
    return piece;
}

static int compare_pieces(const void *left, const void *right)
{
    const struct piece *a = left;
    const struct piece *b = right;
    if (a->holder != b->holder)
        return a->holder < b->holder ? -1 : 1;
    if (a->volume != b->volume)
        return a->volume < b->volume ? -1 : 1;
    return a->member < b->member ? -1 : a->member > b->member;
}

/* Read pieces, those of a file together. */
static enum snap_status read_pieces(struct piece *pieces, size_t count, struct snap_pool *pool,
                                    struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    size_t end;
    qsort(pieces, count, sizeof *pieces, compare_pieces);
    for (size_t begin = 0; status == SNAP_OK && begin < count; begin = end) {
        for (end = begin + 1; end < count && pieces[end].holder == pieces[begin].holder &&
                              pieces[end].volume == pieces[begin].volume;
             end++)
            ;
        status = read_file(&pieces[begin], end - begin, pool, err);
    }
    return status;
}

/* ---- all of a file whose headers were not read ---- */

/* Header, content and padding of a member. */
#define MEMBER_SPANS 3

static const unsigned char zeros[SNAP_TAR_END_BYTES];

static enum snap_status not_as_laid_out(const struct snap_archive *archive, size_t index,
                                        bool padding, struct snap_error *err)
{
    const char *name =
        index < archive->member_count ? archive->members[index].name : "SHA256SUMS";
    return snap_error_set(err, SNAP_CORRUPT, "%s: member %s: %s", archive->label, name,
                          index == archive->member_count
                              ? "after it the file must end with two blocks of zeros"
                          : padding ? "the padding after its content is not zero"
                                    : "its tar header is not the one that name and size give");
}

/* The spans of the file in its order, of which none is missing. */
static enum snap_status lay_out(const struct snap_archive *archive, struct snap_span *spans,
                                unsigned char (*headers)[SNAP_TAR_BLOCK_BYTES],
                                unsigned char (*digests)[SNAP_DIGEST_BYTES],
                                struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; i < archive->member_count && status == SNAP_OK; i++) {
        const struct snap_member *member = &archive->members[i];
        struct snap_span *span = &spans[MEMBER_SPANS * i];
        span[0] = (struct snap_span){ .offset = member->data_offset - SNAP_TAR_BLOCK_BYTES,
                                      .size_bytes = SNAP_TAR_BLOCK_BYTES,
                                      .data = headers[i] };
        span[1] = (struct snap_span){ .offset = member->data_offset,
                                      .size_bytes = (size_t)member->data_size,
                                      .sha256 = digests[i] };
        span[2] = (struct snap_span){ .offset = member->data_offset + member->data_size,
                                      .size_bytes = snap_tar_padding(member->data_size),
                                      .data = zeros };
        status = snap_tar_header(member->name, member->data_size, headers[i], err);
    }
    spans[MEMBER_SPANS * archive->member_count] =
        (struct snap_span){ .offset = archive->file.size - SNAP_TAR_END_BYTES,
                            .size_bytes = SNAP_TAR_END_BYTES,
                            .data = zeros };
    return status;
}

/* Read every byte once: headers, padding and the end are compared, contents digested. */
static enum snap_status check_whole(const struct snap_archive *archive, struct snap_pool *pool,
                                    struct snap_error *err)
{
    size_t members = archive->member_count;
    size_t count = MEMBER_SPANS * members + 1;
    size_t done = 0;
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_span *spans = calloc(count, sizeof *spans);
    unsigned char(*headers)[SNAP_TAR_BLOCK_BYTES] = calloc(members, sizeof *headers);
    unsigned char(*digests)[SNAP_DIGEST_BYTES] = calloc(members, sizeof *digests);
    enum snap_status status = SNAP_OK;
    if (spans == NULL || headers == NULL || digests == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
    if (status == SNAP_OK)
        status = lay_out(archive, spans, headers, digests, err);
    if (status != SNAP_OK)
        goto out;
    enum snap_status reading =
        snap_read_source(&archive->file.source, spans, count, pool, &done, &cause);
    for (size_t i = 0; i < done && status == SNAP_OK; i++) {
        size_t index = i / MEMBER_SPANS;
        if (spans[i].differs)
            status = not_as_laid_out(archive, index, i % MEMBER_SPANS == 2, err);
        else if (spans[i].sha256 != NULL)
            status = compare_digest(&archive->file, &archive->members[index], digests[index], err);
    }
    if (status == SNAP_OK && reading != SNAP_OK) {
        status = reading;
        if (err != NULL)
            *err = cause;
    }
out:
    free(digests);
    free(headers);
    free(spans);
    return status;
}

static enum snap_status new_pieces(const struct snap_archive *archive, size_t count,
                                   struct piece **pieces, struct snap_error *err)
{
    *pieces = calloc(count + 1, sizeof **pieces);
    return *pieces != NULL
               ? SNAP_OK
               : snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
}

enum snap_status snap_archive_check_digests(const struct snap_archive *archive,
                                            struct snap_pool *pool, struct snap_error *err)
{
    if (archive->headers_unread)
        return check_whole(archive, pool, err);
    struct piece *pieces;
    size_t count = 0;
    enum snap_status status = new_pieces(archive, archive->member_count, &pieces, err);
    if (status != SNAP_OK)
        return status;
    for (size_t i = 0; i < archive->member_count; i++)
        if (!snap_member_is_absent(&archive->members[i]))
            pieces[count++] = find_piece(archive, i, NULL);
    status = read_pieces(pieces, count, pool, err);
    free(pieces);
    return status;
}

enum snap_status snap_archive_read_members(const struct snap_archive *archive,
                                           const struct snap_member *const *members,
                                           void *const *buffers, size_t count,
                                           struct snap_pool *pool, struct snap_error *err)
{
    struct piece *pieces;
    enum snap_status status = new_pieces(archive, count, &pieces, err);
    if (status != SNAP_OK)
        return status;
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        if (snap_member_is_absent(members[i]))
            status = snap_error_set(err, SNAP_ABSENT, "%s: member %s: is withheld", archive->label,
                                    members[i]->name);
        else
            pieces[i] = find_piece(archive, (size_t)(members[i] - archive->members), buffers[i]);
    }
    if (status == SNAP_OK)
        status = read_pieces(pieces, count, pool, err);
    free(pieces);
    return status;
}

/* libarchive's view of a file, by places, so that the archive's source can be shared. Of ranges
 * it reads a few blocks at a time: it only wants the headers. */
struct second_reader {
    const struct snap_archive *archive;
    const struct snap_archive_file *file;
    size_t volume; /* 0: the archive's own file; else 1 + the index of the volume */
    uint64_t offset;
    struct snap_error failure; /* of a read that failed */
    size_t piece_bytes;
    unsigned char piece[65536];
};
#define FEW_BLOCKS_BYTES ((size_t)8192)

static la_ssize_t read_piece(struct archive *reader, void *arg, const void **bytes)
{
    struct second_reader *second = arg;
    uint64_t left = second->file->size - second->offset;
    size_t size = left < second->piece_bytes ? (size_t)left : second->piece_bytes;
    if (snap_source_read(&second->file->source, second->piece, size, second->offset,
                         &second->failure) != SNAP_OK) {
        archive_set_error(reader, EIO, "reading failed");
        return ARCHIVE_FATAL;
    }
    second->offset += size;
    *bytes = second->piece;
    return (la_ssize_t)size;
}

static la_int64_t skip_bytes(struct archive *reader, void *arg, la_int64_t request)
{
    struct second_reader *second = arg;
    (void)reader;
    uint64_t left = second->file->size - second->offset;
    uint64_t skipped = (uint64_t)request < left ? (uint64_t)request : left;
    second->offset += skipped;
    return (la_int64_t)skipped;
}

/* Is the entry the plain file that `member` is? */
static bool is_member(struct archive *reader, struct archive_entry *entry,
                      const struct snap_member *member)
{
    const char *path = archive_entry_pathname(entry);
    return path != NULL && strcmp(path, member->name) == 0 && archive_entry_size_is_set(entry) &&
           (uint64_t)archive_entry_size(entry) == member->data_size &&
           archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == NULL &&
           archive_entry_symlink(entry) == NULL && archive_entry_perm(entry) == 0644 &&
           archive_entry_uid(entry) == 0 && archive_entry_gid(entry) == 0 &&
           archive_entry_mtime(entry) == 0 && archive_entry_sparse_count(entry) == 0 &&
           archive_entry_xattr_count(entry) == 0 &&
           (uint64_t)archive_read_header_position(reader) + SNAP_TAR_BLOCK_BYTES ==
               member->data_offset;
}

/* Pass over volumes.json, the one member that is not listed; it is known to be canonical. */
static bool is_volumes_document(const struct snap_archive *archive,
                                const struct second_reader *second, struct archive_entry *entry,
                                size_t next)
{
    const char *path = archive_entry_pathname(entry);
    return second->volume == 0 && next == 2 && archive->volume_count > 0 && path != NULL &&
           strcmp(path, SNAP_VOLUMES_MEMBER) == 0;
}

static enum snap_status compare_members(struct archive *reader, const struct second_reader *second,
                                        struct snap_error *err)
{
    const struct snap_archive *archive = second->archive;
    struct archive_entry *entry;
    size_t next = 0;
    bool passed = false;
    for (;;) {
        while (next < archive->member_count && (archive->members[next].withheld ||
                                                archive->volume_of[next] != second->volume))
            next++;
        const char *name =
            next < archive->member_count ? archive->members[next].name : "the end of the archive";
        int result = archive_read_next_header(reader, &entry);
        if (result == ARCHIVE_EOF && next == archive->member_count)
            return SNAP_OK;
        if (result != ARCHIVE_OK) {
            const char *cause = archive_error_string(reader);
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: member %s: the second reader, libarchive, stops: %s",
                                  second->file->source.what, name,
                                  cause != NULL ? cause : "the file ends");
        }
        if (!passed && is_volumes_document(archive, second, entry, next)) {
            passed = true;
            continue;
        }
        if (next == archive->member_count || !is_member(reader, entry, &archive->members[next]))
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: member %s: the second reader, libarchive, finds something "
                                  "else there",
                                  second->file->source.what, name);
        next++;
    }
}

static enum snap_status check_second_reader(const struct snap_archive *archive,
                                            const struct snap_archive_file *file, size_t volume,
                                            struct snap_error *err)
{
    struct second_reader *second = malloc(sizeof *second);
    struct archive *reader = archive_read_new();
    enum snap_status status;
    if (second == NULL || reader == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
        goto out;
    }
    second->archive = archive;
    second->file = file;
    second->volume = volume;
    second->offset = 0;
    second->failure = (struct snap_error)SNAP_ERROR_INIT;
    second->piece_bytes =
        file->source.ranges != NULL ? FEW_BLOCKS_BYTES : sizeof second->piece;
    if (archive_read_support_format_tar(reader) != ARCHIVE_OK ||
        archive_read_set_callback_data(reader, second) != ARCHIVE_OK ||
        archive_read_set_read_callback(reader, read_piece) != ARCHIVE_OK ||
        archive_read_set_skip_callback(reader, skip_bytes) != ARCHIVE_OK ||
        archive_read_open1(reader) != ARCHIVE_OK) {
        const char *cause = archive_error_string(reader);
        status =
            snap_error_set(err, SNAP_CORRUPT, "%s: the second reader, libarchive, refuses it: %s",
                           file->source.what, cause != NULL ? cause : "no cause given");
        goto out;
    }
    status = compare_members(reader, second, err);
out:
    /* That it cannot be read does not say that it is damaged. */
    if (status == SNAP_CORRUPT && second->failure.status != SNAP_OK) {
        status = second->failure.status;
        if (err != NULL)
            *err = second->failure;
    }
    if (reader != NULL)
        archive_read_free(reader);
    free(second);
    return status;
}

enum snap_status snap_archive_check(const struct snap_archive *archive, struct snap_pool *pool,
                                    struct snap_error *err)
{
    enum snap_status status = snap_archive_check_digests(archive, pool, err);
    if (status == SNAP_OK)
        status = check_second_reader(archive, &archive->file, 0, err);
    for (size_t i = 0; status == SNAP_OK && i < archive->volume_count; i++)
        if (archive->volumes[i].file.source.fd >= 0)
            status = check_second_reader(archive, &archive->volumes[i].file, i + 1, err);
    return status;
}
