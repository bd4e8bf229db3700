/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/file.h"

/* The most that one call is asked for: Linux takes at most 2 GiB less a page at once. */
#define CALL_BYTES ((size_t)1 << 30)
/* Asked for when a file has grown past the size that it had. */
#define READ_STEP_BYTES ((size_t)65536)

enum snap_status snap_file_open(int dirfd, const char *path, int flags, mode_t mode, int *fd,
                                struct snap_error *err)
{
    int opened;
    do {
        opened = openat(dirfd, path, flags | O_CLOEXEC, mode);
    } while (opened < 0 && errno == EINTR);
    if (opened < 0)
        return snap_error_set_os(err, errno == ENOENT ? SNAP_NOT_FOUND : SNAP_IO, errno,
                                 "%s: opening", path);
    *fd = opened;
    return SNAP_OK;
}

enum snap_status snap_file_close(int fd, const char *what, struct snap_error *err)
{
    /* On Linux the descriptor is gone even after EINTR, and nothing is lost by that. */
    if (close(fd) != 0 && errno != EINTR)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: closing", what);
    return SNAP_OK;
}

enum snap_status snap_file_write(int fd, const void *data, size_t size_bytes, const char *what,
                                 struct snap_error *err)
{
    const unsigned char *bytes = data;
    while (size_bytes > 0) {
        ssize_t written = write(fd, bytes, size_bytes < CALL_BYTES ? size_bytes : CALL_BYTES);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return snap_error_set_os(err, SNAP_IO, errno, "%s: writing", what);
        if (written == 0)
            return snap_error_set(err, SNAP_IO, "%s: writing: the file takes no bytes", what);
        bytes += written;
        size_bytes -= (size_t)written;
    }
    return SNAP_OK;
}

enum snap_status snap_file_pwrite(int fd, const void *data, size_t size_bytes, uint64_t offset,
                                  const char *what, struct snap_error *err)
{
    const unsigned char *bytes = data;
    while (size_bytes > 0) {
        ssize_t written = pwrite(fd, bytes, size_bytes < CALL_BYTES ? size_bytes : CALL_BYTES,
                                 (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return snap_error_set_os(err, SNAP_IO, errno, "%s: writing at byte %llu", what,
                                     (unsigned long long)offset);
        if (written == 0)
            return snap_error_set(err, SNAP_IO, "%s: writing at byte %llu: no bytes are taken",
                                  what, (unsigned long long)offset);
        bytes += written;
        size_bytes -= (size_t)written;
        offset += (uint64_t)written;
    }
    return SNAP_OK;
}

enum snap_status snap_file_pread(int fd, void *data, size_t size_bytes, uint64_t offset,
                                 const char *what, struct snap_error *err)
{
    unsigned char *bytes = data;
    while (size_bytes > 0) {
        ssize_t got = pread(fd, bytes, size_bytes < CALL_BYTES ? size_bytes : CALL_BYTES,
                            (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return snap_error_set_os(err, SNAP_IO, errno, "%s: reading at byte %llu", what,
                                     (unsigned long long)offset);
        if (got == 0)
            return snap_error_set(err, SNAP_CORRUPT, "%s: the file ends at byte %llu", what,
                                  (unsigned long long)offset);
        bytes += got;
        size_bytes -= (size_t)got;
        offset += (uint64_t)got;
    }
    return SNAP_OK;
}

enum snap_status snap_file_sync(int fd, const char *what, struct snap_error *err)
{
    if (fsync(fd) != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: making it durable (fsync)", what);
    return SNAP_OK;
}

enum snap_status snap_folder_sync(int dirfd, const char *what, struct snap_error *err)
{
    if (fsync(dirfd) != 0)
        return snap_error_set_os(err, SNAP_IO, errno,
                                 "%s: written, durability unknown: fsync of its folder", what);
    return SNAP_OK;
}

enum snap_status snap_file_read_fd(int fd, const char *what, uint64_t limit,
                                   struct snap_buffer *out, struct snap_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: looking at it", what);
    if (!S_ISREG(info.st_mode))
        return snap_error_set(err, SNAP_IO, "%s: is not a regular file", what);
    if ((uint64_t)info.st_size > limit)
        return snap_error_set(err, SNAP_CORRUPT, "%s: has %lld bytes, and at most %llu are read",
                              what, (long long)info.st_size, (unsigned long long)limit);
    size_t start = out->size;
    size_t expected = (size_t)info.st_size;
    enum snap_status status = SNAP_OK;
    for (;;) {
        /* One byte more than expected, so that the end is seen without another call. */
        size_t got = out->size - start;
        size_t more = expected > got ? expected - got + 1 : READ_STEP_BYTES;
        status = snap_buffer_reserve(out, more, err);
        if (status != SNAP_OK)
            break;
        ssize_t count = pread(fd, out->data + out->size, more < CALL_BYTES ? more : CALL_BYTES,
                              (off_t)got);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            status = snap_error_set_os(err, SNAP_IO, errno, "%s: reading", what);
            break;
        }
        if (count == 0)
            break;
        out->size += (size_t)count;
        if (out->size - start > limit) {
            status = snap_error_set(err, SNAP_CORRUPT, "%s: has more than %llu bytes", what,
                                    (unsigned long long)limit);
            break;
        }
    }
    if (status != SNAP_OK)
        out->size = start;
    if (out->data != NULL)
        out->data[out->size] = '\0';
    return status;
}

enum snap_status snap_file_read(int dirfd, const char *path, uint64_t limit,
                                struct snap_buffer *out, struct snap_error *err)
{
    int fd;
    /* Not to hang on a pipe. */
    enum snap_status status = snap_file_open(dirfd, path, O_RDONLY | O_NONBLOCK, 0, &fd, err);
    if (status != SNAP_OK)
        return status;
    status = snap_file_read_fd(fd, path, limit, out, err);
    close(fd); /* only read: nothing can be lost */
    return status;
}
