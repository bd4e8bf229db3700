/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "format/archive_fill.h"
#include "format/archive_object.h"
#include "format/archive_read.h"
#include "format/tar_layout.h"
#include "format/volumes.h"
#include "io/read_file.h"

/* What is to be read of an archive, by index; `places` NULL: nowhere. */
struct reading {
    const size_t *members;
    unsigned char *const *places;
    size_t count;
};

static enum snap_status compare_digest(const struct snap_archive_file *file,
                                       const struct snap_member *member,
                                       const unsigned char sha256[SNAP_DIGEST_BYTES],
                                       struct snap_error *err)
{
    if (memcmp(sha256, member->sha256, SNAP_DIGEST_BYTES) != 0)
        return snap_archive_digest_differs(file->label, member->name, err);
    return SNAP_OK;
}

/* Read those, all in `file`, in its order, and compare digests; the first that fails is told. */
static enum snap_status read_file(const struct snap_archive *archive,
                                  const struct snap_archive_file *file,
                                  const struct reading *reading, struct snap_pool *pool,
                                  struct snap_error *err)
{
    size_t count = reading->count;
    size_t done = 0;
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_span *spans = calloc(count + 1, sizeof *spans);
    unsigned char(*digests)[SNAP_DIGEST_BYTES] = calloc(count + 1, sizeof *digests);
    enum snap_status status = SNAP_OK;
    if (spans == NULL || digests == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        const struct snap_member *member = &archive->members[reading->members[i]];
        spans[i] = (struct snap_span){ .offset = member->data_offset,
                                       .size_bytes = (size_t)member->data_size,
                                       .place = reading->places != NULL ? reading->places[i] : NULL,
                                       .sha256 = digests[i] };
    }
    enum snap_status reading_status =
        snap_read_spans(file->fd, spans, count, SNAP_READ_FASTEST, pool, file->label, &done,
                        &cause);
    for (size_t i = 0; i < done && status == SNAP_OK; i++)
        status = compare_digest(file, &archive->members[reading->members[i]], digests[i], err);
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

/* Read those that are in the archive's own file, and then those of each volume. */
static enum snap_status read_present(const struct snap_archive *archive,
                                     const struct reading *reading, struct snap_pool *pool,
                                     struct snap_error *err)
{
    size_t *members = calloc(reading->count + 1, sizeof *members);
    unsigned char **places = calloc(reading->count + 1, sizeof *places);
    struct reading part = { members, reading->places != NULL ? places : NULL, 0 };
    enum snap_status status = SNAP_OK;
    size_t next = 0;
    if (members == NULL || places == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
    for (size_t i = 0; status == SNAP_OK && i < reading->count; i++) {
        if (archive->volume_of[reading->members[i]] != 0)
            continue;
        if (reading->places != NULL)
            places[part.count] = reading->places[i];
        members[part.count++] = reading->members[i];
    }
    if (status == SNAP_OK)
        status = read_file(archive, &archive->file, &part, pool, err);
    /* Members of a volume follow each other. */
    for (size_t begin = 0; status == SNAP_OK && begin < reading->count; begin = next) {
        size_t volume = archive->volume_of[reading->members[begin]];
        next = begin + 1;
        while (next < reading->count && archive->volume_of[reading->members[next]] == volume)
            next++;
        const struct reading run = { reading->members + begin,
                                     reading->places != NULL ? reading->places + begin : NULL,
                                     next - begin };
        if (volume != 0)
            status = read_file(archive, &archive->volumes[volume - 1].file, &run, pool, err);
    }
    free(members);
    free(places);
    return status;
}

/* The same for one that is elsewhere. */
static enum snap_status read_elsewhere(const struct snap_archive *archive, size_t index,
                                       unsigned char *place, struct snap_pool *pool,
                                       struct snap_error *err)
{
    const struct snap_archive_filling *filling = &archive->filled[index];
    size_t member = (size_t)(filling->member - filling->archive->members);
    const struct reading one = { &member, place != NULL ? &place : NULL, 1 };
    return read_present(filling->archive, &one, pool, err);
}

static enum snap_status read_members(const struct snap_archive *archive,
                                     const struct reading *reading, struct snap_pool *pool,
                                     struct snap_error *err)
{
    size_t *members = calloc(reading->count + 1, sizeof *members);
    unsigned char **places = calloc(reading->count + 1, sizeof *places);
    struct reading present = { members, reading->places != NULL ? places : NULL, 0 };
    enum snap_status status = SNAP_OK;
    if (members == NULL || places == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
    for (size_t i = 0; status == SNAP_OK && i < reading->count; i++) {
        if (archive->members[reading->members[i]].withheld)
            continue;
        if (reading->places != NULL)
            places[present.count] = reading->places[i];
        members[present.count++] = reading->members[i];
    }
    if (status == SNAP_OK)
        status = read_present(archive, &present, pool, err);
    for (size_t i = 0; status == SNAP_OK && i < reading->count; i++)
        if (archive->members[reading->members[i]].withheld)
            status = read_elsewhere(archive, reading->members[i],
                                    reading->places != NULL ? reading->places[i] : NULL, pool, err);
    free(members);
    free(places);
    return status;
}

enum snap_status snap_archive_check_digests(const struct snap_archive *archive,
                                            struct snap_pool *pool, struct snap_error *err)
{
    size_t *members = calloc(archive->member_count + 1, sizeof *members);
    struct reading reading = { .members = members };
    if (members == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
    for (size_t i = 0; i < archive->member_count; i++)
        if (!snap_member_is_absent(&archive->members[i]))
            members[reading.count++] = i;
    enum snap_status status = read_members(archive, &reading, pool, err);
    free(members);
    return status;
}

enum snap_status snap_archive_read_into(const struct snap_archive *archive, const size_t *members,
                                        unsigned char *const *places, size_t count,
                                        struct snap_pool *pool, struct snap_error *err)
{
    const struct reading reading = { members, places, count };
    return read_members(archive, &reading, pool, err);
}

/* libarchive's view of a file, by pread, so that the archive's descriptor can be shared. */
struct second_reader {
    const struct snap_archive *archive;
    const struct snap_archive_file *file;
    size_t volume; /* 0: the archive's own file; else 1 + the index of the volume */
    uint64_t offset;
    int failure; /* errno of a read that failed; 0: none did */
    unsigned char piece[65536];
};

static la_ssize_t read_piece(struct archive *reader, void *arg, const void **bytes)
{
    struct second_reader *second = arg;
    ssize_t got;
    do {
        got = pread(second->file->fd, second->piece, sizeof second->piece,
                    (off_t)second->offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        second->failure = errno;
        archive_set_error(reader, errno, "reading failed");
        return ARCHIVE_FATAL;
    }
    second->offset += (uint64_t)got;
    *bytes = second->piece;
    return got;
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
                                  second->file->label, name,
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
                                  second->file->label, name);
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
    second->failure = 0;
    if (archive_read_support_format_tar(reader) != ARCHIVE_OK ||
        archive_read_set_callback_data(reader, second) != ARCHIVE_OK ||
        archive_read_set_read_callback(reader, read_piece) != ARCHIVE_OK ||
        archive_read_set_skip_callback(reader, skip_bytes) != ARCHIVE_OK ||
        archive_read_open1(reader) != ARCHIVE_OK) {
        const char *cause = archive_error_string(reader);
        status =
            snap_error_set(err, SNAP_CORRUPT, "%s: the second reader, libarchive, refuses it: %s",
                           file->label, cause != NULL ? cause : "no cause given");
        goto out;
    }
    status = compare_members(reader, second, err);
out:
    /* That it cannot be read does not say that it is damaged. */
    if (status == SNAP_CORRUPT && second->failure != 0)
        status = snap_error_set_os(err, SNAP_IO, second->failure, "%s: reading", file->label);
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
        if (archive->volumes[i].file.fd >= 0)
            status = check_second_reader(archive, &archive->volumes[i].file, i + 1, err);
    return status;
}
