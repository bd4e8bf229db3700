/* SPDX-License-Identifier: Apache-2.0 */
/* An object in parts: bytes are read in order by one thread at a time, and sent by several. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "core/hex.h"
#include "core/team.h"
#include "store/content_cursor.h"
#include "store/s3_objects.h"
#include "store/s3_parts.h"
#include "store/s3_put.h"

#define MD5_BYTES 16

struct job {
    struct snap_s3 *s3;
    struct snap_s3_upload upload;
    uint64_t size_bytes; /* of the object */
    uint64_t part_bytes;
    size_t count;
    struct snap_s3_part *parts; /* SNAP_S3_MOST_PARTS: what the server had, then what it has */
    struct snap_put_note *note;
    const struct snap_put_options *options;

    pthread_mutex_t lock; /* of what follows */
    struct snap_content_cursor cursor;
    size_t next;
    enum snap_status status; /* of the first that failed */
    struct snap_error error;
};

static void note_failure(struct job *job, enum snap_status status, const struct snap_error *error)
{
    pthread_mutex_lock(&job->lock);
    if (job->status == SNAP_OK) {
        job->status = status;
        job->error = *error;
    }
    pthread_mutex_unlock(&job->lock);
}

/* Read the next part; false: there is none, or somebody failed. */
static bool take_part(struct job *job, unsigned char *bytes, size_t *index, size_t *size)
{
    pthread_mutex_lock(&job->lock);
    bool taken = job->status == SNAP_OK && job->next < job->count;
    if (taken) {
        uint64_t left = job->size_bytes - job->next * job->part_bytes;
        *index = job->next++;
        *size = left < job->part_bytes ? (size_t)left : (size_t)job->part_bytes;
        job->status = snap_content_cursor_read(&job->cursor, bytes, *size, &job->error);
        taken = job->status == SNAP_OK;
    }
    pthread_mutex_unlock(&job->lock);
    return taken;
}

/* Is the part that the server has this one? Only an ETag that is its MD5 says so: others, of
 * servers that encrypt, say nothing, and the part is sent again. */
static bool is_same(const struct snap_s3_part *part, const unsigned char *bytes, size_t size)
{
    unsigned char md5[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char digits[2 * MD5_BYTES + 1];
    const char *etag = part->etag + (part->etag[0] == '"');
    if (!part->there || part->size_bytes != size ||
        EVP_Digest(bytes, size, md5, &length, EVP_md5(), NULL) != 1 || length != MD5_BYTES)
        return false;
    snap_hex_encode(md5, MD5_BYTES, digits);
    return strncmp(etag, digits, strlen(digits)) == 0 &&
           strspn(etag + strlen(digits), "\"") == strlen(etag + strlen(digits));
}

static void work(void *arg)
{
    struct job *job = arg;
    unsigned char *bytes = malloc((size_t)job->part_bytes);
    struct snap_error error = SNAP_ERROR_INIT;
    size_t index;
    size_t size;
    if (bytes == NULL)
        note_failure(job,
                     snap_error_set(&error, SNAP_NO_MEMORY, "%s: no memory for a part",
                                    job->s3->where),
                     &error);
    while (bytes != NULL && take_part(job, bytes, &index, &size)) {
        struct snap_s3_part *part = &job->parts[index];
        bool kept = is_same(part, bytes, size);
        enum snap_status status = SNAP_OK;
        if (!kept)
            status = snap_s3_upload_part(job->s3, &job->upload, (unsigned)index + 1, bytes, size,
                                         part, &error);
        if (status != SNAP_OK)
            note_failure(job, status, &error);
        pthread_mutex_lock(&job->lock);
        if (status == SNAP_OK)
            *(kept ? &job->note->kept_bytes : &job->note->sent_bytes) += size;
        if (status == SNAP_OK && job->options->progress != NULL)
            job->options->progress(job->options->arg,
                                   job->note->kept_bytes + job->note->sent_bytes,
                                   job->size_bytes);
        pthread_mutex_unlock(&job->lock);
    }
    free(bytes);
}

static void release_upload(struct snap_s3_upload *upload)
{
    free(upload->name);
    free(upload->id);
    *upload = (struct snap_s3_upload){ NULL, NULL };
}

/* Go on with the last upload of this name, or begin one. */
static enum snap_status find_upload(struct job *job, const char *name, struct snap_error *err)
{
    struct snap_s3_uploads uploads = { NULL, 0 };
    uint64_t bytes;
    enum snap_status status = snap_s3_uploads_list(job->s3, name, &uploads, NULL, err);
    if (status == SNAP_OK && uploads.count > 0) {
        job->upload = uploads.items[--uploads.count];
        status = snap_s3_parts_list(job->s3, &job->upload, job->parts, &bytes, NULL, err);
    }
    snap_s3_uploads_release(&uploads);
    if (status == SNAP_NOT_FOUND && job->upload.id != NULL) { /* it was ended meanwhile */
        release_upload(&job->upload);
        status = SNAP_OK;
    }
    if (status == SNAP_OK && job->upload.id == NULL)
        status = snap_s3_upload_begin(job->s3, name, &job->upload, err);
    return status;
}

/* The server knows the upload no more: the answer that it had made the object of it was lost, or
 * another writer, with whom it was shared, has ended it. *taken: there is an object, of which
 * nobody has said that it is this one. */
static enum snap_status meet_ended(struct job *job, const char *name, bool *taken,
                                   struct snap_error *err)
{
    char etag[SNAP_S3_ETAG_BYTES];
    uint64_t size = 0;
    enum snap_status status = snap_s3_look(job->s3, name, taken, &size, etag, err);
    if (status == SNAP_OK && !*taken)
        status = snap_error_set(err, SNAP_IO,
                                "%s/%s: the server knows its upload no more, somebody gave it up: "
                                "push it again",
                                job->s3->where, name);
    return status;
}

static enum snap_status complete(struct job *job, const char *name, bool exclusive, bool *taken,
                                 struct snap_error *err)
{
    long code = 0;
    char etag[SNAP_S3_ETAG_BYTES];
    bool there = false;
    uint64_t size = 0;
    bool asks = exclusive && !atomic_load(&job->s3->no_conditions);
    enum snap_status status = snap_s3_upload_complete(job->s3, &job->upload, job->parts, job->count,
                                                      asks, &code, err);
    if (status == SNAP_UNSUPPORTED && asks) {
        atomic_store(&job->s3->no_conditions, true);
        asks = false;
        status = snap_s3_upload_complete(job->s3, &job->upload, job->parts, job->count, false,
                                         &code, err);
    }
    job->note->not_exclusive = exclusive && !asks;
    if (status == SNAP_OK && code == 412) {
        *taken = true;
        return snap_s3_upload_abort(job->s3, &job->upload, err);
    }
    if (status == SNAP_OK && code == 404)
        return meet_ended(job, name, taken, err);
    if (status == SNAP_OK)
        status = snap_s3_look(job->s3, name, &there, &size, etag, err);
    if (status == SNAP_OK && (!there || size != job->size_bytes))
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s/%s: was made of its parts, and has %llu of %llu bytes",
                                job->s3->where, name, (unsigned long long)size,
                                (unsigned long long)job->size_bytes);
    return status;
}

/* Uploads of the same name that are of no use now: begun twice, when the first answer was lost, or
 * by another writer of the same bytes, who then finds the object. What the server does not tell is
 * found by snap_store_uploads. */
static void forget_others(struct job *job, const char *name)
{
    struct snap_s3_uploads uploads = { NULL, 0 };
    if (snap_s3_uploads_list(job->s3, name, &uploads, NULL, NULL) != SNAP_OK)
        return;
    for (size_t i = 0; i < uploads.count; i++)
        snap_s3_upload_abort(job->s3, &uploads.items[i], NULL);
    snap_s3_uploads_release(&uploads);
}

/* What a break leaves can be gone on with; what an error leaves is of no use to anybody. */
static enum snap_status give_up(struct job *job, enum snap_status status, struct snap_error *err)
{
    struct snap_error first = err != NULL ? *err : (struct snap_error)SNAP_ERROR_INIT;
    if (job->upload.id == NULL)
        return status;
    if (status == SNAP_IO) {
        if (err != NULL)
            snap_error_set(err, status, "%s (what was sent is kept: push again to go on)",
                           first.text);
        return status;
    }
    snap_s3_upload_abort(job->s3, &job->upload, NULL); /* the first error is the one to report */
    return status;
}

enum snap_status snap_s3_put_parts(struct snap_s3 *s3, const char *name,
                                   const struct snap_content *content,
                                   const struct snap_put_options *options, bool *taken,
                                   struct snap_error *err)
{
    uint64_t part_bytes = options->part_bytes;
    unsigned connections = options->connections;
    bool exclusive = options->mode == SNAP_PUT_CREATE;
    struct job job = { .s3 = s3,
                       .size_bytes = content->size_bytes,
                       .part_bytes = part_bytes,
                       .count = (size_t)((content->size_bytes + part_bytes - 1) / part_bytes),
                       .note = options->note,
                       .options = options,
                       .error = SNAP_ERROR_INIT };
    job.parts = calloc(SNAP_S3_MOST_PARTS, sizeof *job.parts);
    if (job.parts == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s/%s: out of memory", s3->where, name);
    pthread_mutex_init(&job.lock, NULL);
    snap_content_cursor_init(&job.cursor, content);
    enum snap_status status = find_upload(&job, name, err);
    if (status == SNAP_OK) {
        snap_team_run(connections < job.count ? connections : (unsigned)job.count, work, &job);
        status = job.status;
        if (status != SNAP_OK && err != NULL)
            *err = job.error;
        if (status == SNAP_NOT_FOUND)
            status = meet_ended(&job, name, taken, err);
    }
    if (status == SNAP_OK && *taken)
        goto out;
    if (status == SNAP_OK)
        status = complete(&job, name, exclusive, taken, err);
    if (status == SNAP_OK && exclusive)
        forget_others(&job, name);
out:
    if (status != SNAP_OK)
        status = give_up(&job, status, err);
    snap_content_cursor_release(&job.cursor);
    pthread_mutex_destroy(&job.lock);
    release_upload(&job.upload);
    free(job.parts);
    return status;
}
