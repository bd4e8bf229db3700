/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "digest/sha256.h"
#include "store/io_plain.h"

/* What one call writes at most: pieces of a few MiB, so that the digest is taken of bytes that are
 * still in the cache. */
#define BATCH_BYTES ((size_t)4 << 20)
#define BATCH_PIECES 256
/* What one call reads; a multiple of every block size that O_DIRECT asks for. */
#define READ_BYTES ((size_t)1 << 20)
#define READ_ALIGNMENT 4096

struct batch {
    struct iovec pieces[BATCH_PIECES];
    int count;
    size_t size_bytes;
};

static enum snap_status write_batch(int fd, struct batch *batch, const char *what,
                                    struct snap_error *err)
{
    struct iovec *piece = batch->pieces;
    int left = batch->count;
    while (left > 0) {
        ssize_t written = writev(fd, piece, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return snap_error_set_os(err, SNAP_IO, errno, "%s: writing", what);
        if (written == 0)
            return snap_error_set(err, SNAP_IO, "%s: writing: the file takes no bytes", what);
        size_t done = (size_t)written;
        while (left > 0 && done >= piece->iov_len) {
            done -= piece->iov_len;
            piece++;
            left--;
        }
        if (left > 0) {
            piece->iov_base = (unsigned char *)piece->iov_base + done;
            piece->iov_len -= done;
        }
    }
    batch->count = 0;
    batch->size_bytes = 0;
    return SNAP_OK;
}

static enum snap_status write_segment(int fd, const struct snap_segment *segment,
                                      struct batch *batch, struct snap_sha256_context *digest,
                                      const char *what, struct snap_error *err)
{
    const unsigned char *data = segment->data;
    size_t left = segment->size_bytes;
    enum snap_status status = SNAP_OK;
    while (left > 0 && status == SNAP_OK) {
        size_t room = BATCH_BYTES - batch->size_bytes;
        size_t bytes = left < room ? left : room;
        status = snap_sha256_update(digest, data, bytes, err);
        if (status != SNAP_OK)
            break;
        /* writev does not change what it is given a pointer to. */
        batch->pieces[batch->count++] =
            (struct iovec){ .iov_base = (void *)(uintptr_t)data, .iov_len = bytes };
        batch->size_bytes += bytes;
        data += bytes;
        left -= bytes;
        if (batch->count == BATCH_PIECES || batch->size_bytes == BATCH_BYTES)
            status = write_batch(fd, batch, what, err);
    }
    return status;
}

enum snap_status snap_io_write(int fd, const struct snap_segment *segments, size_t count,
                               const char *what, unsigned char sha256[SNAP_DIGEST_BYTES],
                               struct snap_error *err)
{
    struct batch batch = { .count = 0 };
    struct snap_sha256_context digest = SNAP_SHA256_CONTEXT_INIT;
    enum snap_status status = snap_sha256_begin(&digest, err);
    for (size_t i = 0; i < count && status == SNAP_OK; i++)
        status = write_segment(fd, &segments[i], &batch, &digest, what, err);
    if (status == SNAP_OK)
        status = write_batch(fd, &batch, what, err);
    if (status == SNAP_OK)
        status = snap_sha256_finish(&digest, sha256, err);
    snap_sha256_release(&digest);
    return status;
}

/* A second descriptor of the same file that goes past the page cache; -1 where that is not to be
 * had (no O_DIRECT on this file system, no /proc). */
static int open_direct(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
}

enum snap_status snap_io_read_back(int fd, const char *what,
                                   unsigned char sha256[SNAP_DIGEST_BYTES], uint64_t *size,
                                   struct snap_error *err)
{
    struct snap_sha256_context digest = SNAP_SHA256_CONTEXT_INIT;
    uint64_t offset = 0;
    void *buffer = NULL;
    /* Advice only; the digest decides. */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    int direct = open_direct(fd);
    enum snap_status status = SNAP_OK;
    if (posix_memalign(&buffer, READ_ALIGNMENT, READ_BYTES) != 0) {
        buffer = NULL;
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: reading it back: out of memory", what);
    }
    if (status == SNAP_OK)
        status = snap_sha256_begin(&digest, err);
    while (status == SNAP_OK) {
        ssize_t got = pread(direct >= 0 ? direct : fd, buffer, READ_BYTES, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EINVAL && direct >= 0) {
            /* Not at this offset, or not on this device: without O_DIRECT from here on. */
            close(direct);
            direct = -1;
            continue;
        }
        if (got < 0)
            status = snap_error_set_os(err, SNAP_IO, errno, "%s: reading it back", what);
        if (got <= 0)
            break;
        status = snap_sha256_update(&digest, buffer, (size_t)got, err);
        offset += (uint64_t)got;
    }
    if (status == SNAP_OK)
        status = snap_sha256_finish(&digest, sha256, err);
    if (status == SNAP_OK)
        *size = offset;
    if (direct >= 0)
        close(direct); /* only read: nothing can be lost */
    snap_sha256_release(&digest);
    free(buffer);
    return status;
}
