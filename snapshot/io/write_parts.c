/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "digest/sha256.h"
#include "io/read_file.h"
#include "io/write_parts.h"

/* Written and digested at a time: it is in a cache for both. */
#define PIECE_BYTES ((size_t)1 << 20)

struct parts {
    int fd;
    const struct snap_segment *segments;
    const char *what;
    pthread_mutex_t lock; /* of what follows */
    struct snap_error error;
};

static enum snap_status write_segment(const struct parts *parts, const struct snap_segment *segment,
                                      struct snap_error *err)
{
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    const unsigned char *data = segment->data;
    bool digested = segment->sha256 != NULL;
    enum snap_status status = digested ? snap_sha256_begin(&context, err) : SNAP_OK;
    for (size_t done = 0; status == SNAP_OK && done < segment->size_bytes;) {
        size_t left = segment->size_bytes - done;
        size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;
        if (digested)
            status = snap_sha256_update(&context, data + done, piece, err);
        if (status == SNAP_OK)
            status = snap_file_pwrite(parts->fd, data + done, piece, segment->offset + done,
                                      parts->what, err);
        done += piece;
    }
    if (status == SNAP_OK && digested)
        status = snap_sha256_finish(&context, segment->sha256, err);
    snap_sha256_release(&context);
    return status;
}

static void write_one(void *arg, size_t index, unsigned worker)
{
    struct parts *parts = arg;
    struct snap_error cause = SNAP_ERROR_INIT;
    const struct snap_segment *segment = &parts->segments[index];
    (void)worker;
    if (segment->elsewhere || write_segment(parts, segment, &cause) == SNAP_OK)
        return;
    pthread_mutex_lock(&parts->lock);
    if (parts->error.status == SNAP_OK)
        parts->error = cause;
    pthread_mutex_unlock(&parts->lock);
}

enum snap_status snap_write_parts(int fd, const struct snap_segment *segments, size_t count,
                                  struct snap_pool *pool, const char *what, struct snap_error *err)
{
    struct parts parts = { .fd = fd,
                           .segments = segments,
                           .what = what,
                           .lock = PTHREAD_MUTEX_INITIALIZER,
                           .error = SNAP_ERROR_INIT };
    if (pool != NULL && count > 0)
        snap_pool_run(pool, count, write_one, &parts);
    for (size_t i = 0; pool == NULL && i < count; i++)
        write_one(&parts, i, 0);
    if (parts.error.status != SNAP_OK && err != NULL)
        *err = parts.error;
    return parts.error.status;
}

enum snap_status snap_read_back_parts(int fd, const struct snap_segment *segments, size_t count,
                                      struct snap_pool *pool, const char *what,
                                      struct snap_error *err)
{
    struct snap_span *spans = calloc(count + 1, sizeof *spans);
    unsigned char(*digests)[SNAP_DIGEST_BYTES] = calloc(count + 1, sizeof *digests);
    size_t used = 0;
    bool same = true;
    enum snap_status status = SNAP_OK;
    if (spans == NULL || digests == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: reading it back: out of memory", what);
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        const struct snap_segment *segment = &segments[i];
        bool digested = segment->sha256 != NULL;
        if (!segment->elsewhere)
            spans[used++] = (struct snap_span){ .offset = segment->offset,
                                                .size_bytes = segment->size_bytes,
                                                .data = digested ? NULL : segment->data,
                                                .sha256 = digested ? digests[i] : NULL };
    }
    if (status == SNAP_OK)
        status = snap_read_spans(fd, spans, used, SNAP_READ_DISK, pool, what, NULL, err);
    used = 0;
    for (size_t i = 0; status == SNAP_OK && i < count; i++)
        if (!segments[i].elsewhere) {
            const struct snap_span *span = &spans[used++];
            same = same && (span->sha256 == NULL ? !span->differs
                                                 : memcmp(span->sha256, segments[i].sha256,
                                                          SNAP_DIGEST_BYTES) == 0);
        }
    if (status == SNAP_OK && !same)
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s: reading it back: the disk does not give the bytes that were "
                                "written; nothing was saved", what);
    free(digests);
    free(spans);
    return status;
}
