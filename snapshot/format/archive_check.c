/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "core/file.h"
#include "digest/sha256.h"
#include "format/archive_object.h"
#include "format/tar_layout.h"

/* Read at once by each thread. */
#define PIECE_BYTES ((size_t)1 << 18)

struct job {
    const struct snap_archive *archive;
    unsigned char *pieces; /* PIECE_BYTES for each worker */
    pthread_mutex_t lock;  /* of what follows */
    size_t worst;          /* the first member that failed, member_count: none */
    struct snap_error error;
};

static enum snap_status digest_member(const struct snap_archive *archive,
                                      const struct snap_member *member, unsigned char *piece,
                                      struct snap_error *err)
{
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    unsigned char sha256[SNAP_DIGEST_BYTES];
    uint64_t done = 0;
    enum snap_status status = snap_sha256_begin(&context, err);
    while (status == SNAP_OK && done < member->data_size) {
        uint64_t left = member->data_size - done;
        size_t bytes = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        status = snap_file_pread(archive->fd, piece, bytes, member->data_offset + done,
                                 archive->label, err);
        if (status == SNAP_OK)
            status = snap_sha256_update(&context, piece, bytes, err);
        done += bytes;
    }
    if (status == SNAP_OK)
        status = snap_sha256_finish(&context, sha256, err);
    snap_sha256_release(&context);
    if (status == SNAP_OK && memcmp(sha256, member->sha256, sizeof sha256) != 0)
        status = snap_archive_digest_differs(archive, member->name, err);
    return status;
}

static void check_member(void *arg, size_t index, unsigned worker)
{
    struct job *job = arg;
    const struct snap_member *member = &job->archive->members[index];
    struct snap_error error = SNAP_ERROR_INIT;
    if (member->withheld || digest_member(job->archive, member, job->pieces + worker * PIECE_BYTES,
                                          &error) == SNAP_OK)
        return;
    pthread_mutex_lock(&job->lock);
    if (index < job->worst) {
        job->worst = index;
        job->error = error;
    }
    pthread_mutex_unlock(&job->lock);
}

static enum snap_status check_digests(const struct snap_archive *archive, struct snap_pool *pool,
                                      struct snap_error *err)
{
    struct job job = { .archive = archive, .worst = archive->member_count };
    size_t workers = pool != NULL ? snap_pool_threads(pool) : 1;
    enum snap_status status = SNAP_OK;
    job.pieces = calloc(workers, PIECE_BYTES);
    if (job.pieces == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", archive->label);
    pthread_mutex_init(&job.lock, NULL);
    if (pool != NULL)
        snap_pool_run(pool, archive->member_count, check_member, &job);
    else
        for (size_t i = 0; i < archive->member_count; i++)
            check_member(&job, i, 0);
    pthread_mutex_destroy(&job.lock);
    free(job.pieces);
    if (job.worst < archive->member_count) {
        status = job.error.status;
        if (err != NULL)
            *err = job.error;
    }
    return status;
}

/* libarchive's view of the file, by pread, so that the archive's descriptor can be shared. */
struct second_reader {
    const struct snap_archive *archive;
    uint64_t offset;
    unsigned char piece[65536];
};

static la_ssize_t read_piece(struct archive *reader, void *arg, const void **bytes)
{
    struct second_reader *second = arg;
    ssize_t got;
    do {
        got = pread(second->archive->fd, second->piece, sizeof second->piece,
                    (off_t)second->offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
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
    uint64_t left = second->archive->file_size - second->offset;
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

static enum snap_status compare_members(struct archive *reader, const struct snap_archive *archive,
                                        struct snap_error *err)
{
    struct archive_entry *entry;
    size_t next = 0;
    for (;;) {
        while (next < archive->member_count && archive->members[next].withheld)
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
                                  archive->label, name, cause != NULL ? cause : "the file ends");
        }
        if (next == archive->member_count || !is_member(reader, entry, &archive->members[next]))
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: member %s: the second reader, libarchive, finds something "
                                  "else there",
                                  archive->label, name);
        next++;
    }
}

static enum snap_status check_second_reader(const struct snap_archive *archive,
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
    second->offset = 0;
    if (archive_read_support_format_tar(reader) != ARCHIVE_OK ||
        archive_read_set_callback_data(reader, second) != ARCHIVE_OK ||
        archive_read_set_read_callback(reader, read_piece) != ARCHIVE_OK ||
        archive_read_set_skip_callback(reader, skip_bytes) != ARCHIVE_OK ||
        archive_read_open1(reader) != ARCHIVE_OK) {
        const char *cause = archive_error_string(reader);
        status =
            snap_error_set(err, SNAP_CORRUPT, "%s: the second reader, libarchive, refuses it: %s",
                           archive->label, cause != NULL ? cause : "no cause given");
        goto out;
    }
    status = compare_members(reader, archive, err);
out:
    if (reader != NULL)
        archive_read_free(reader);
    free(second);
    return status;
}

enum snap_status snap_archive_check(const struct snap_archive *archive, struct snap_pool *pool,
                                    struct snap_error *err)
{
    enum snap_status status = check_digests(archive, pool, err);
    return status == SNAP_OK ? check_second_reader(archive, err) : status;
}
