/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hex.h"
#include "io/read_file.h"
#include "io/write_parts.h"
#include "store/publish.h"

/* A temporary is ".NAME.tmp-" and 16 hex digits. */
#define TEMPORARY_MARK ".tmp-"
#define TEMPORARY_DIGITS 16
#define TEMPORARY_BYTES 256
#define FILE_MODE 0644

/* One file on its way. */
struct publication {
    int dirfd;
    const char *name;
    const struct snap_content *content;
    struct snap_rest rest;
    const struct snap_publish_options *options;
    const char *temporary; /* its name until then; NULL: it has none */
    bool published; /* the name is there */
};

static void proc_path(int fd, char path[64])
{
    snprintf(path, 64, "/proc/self/fd/%d", fd);
}

/* Segments to be read back: those that were digested by their digest, into `digests`, the others by
 * their bytes. */
static void expect_segments(const struct snap_segment *segments, size_t count,
                            struct snap_span *spans, unsigned char (*digests)[SNAP_DIGEST_BYTES])
{
    for (size_t i = 0; i < count; i++) {
        bool digested = segments[i].sha256 != NULL;
        spans[i] = (struct snap_span){ .offset = segments[i].offset,
                                       .size_bytes = segments[i].size_bytes,
                                       .data = digested ? NULL : segments[i].data,
                                       .sha256 = digested ? digests[i] : NULL };
    }
}

static bool same_segments(const struct snap_segment *segments, size_t count,
                          const struct snap_span *spans)
{
    for (size_t i = 0; i < count; i++)
        if (spans[i].sha256 == NULL
                ? spans[i].differs
                : memcmp(spans[i].sha256, segments[i].sha256, SNAP_DIGEST_BYTES) != 0)
            return false;
    return true;
}

/* Does the disk give the bytes that were written? */
static enum snap_status compare(const struct publication *file, int fd, bool *same,
                                struct snap_error *err)
{
    const struct snap_content *content = file->content;
    size_t count = content->count + file->rest.count;
    struct stat info;
    enum snap_status status = SNAP_OK;
    struct snap_span *spans = calloc(count + 1, sizeof *spans);
    unsigned char(*digests)[SNAP_DIGEST_BYTES] = calloc(count + 1, sizeof *digests);
    *same = false;
    if (spans == NULL || digests == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: reading it back: out of memory",
                                file->name);
        goto out;
    }
    if (fstat(fd, &info) != 0) {
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: reading it back: looking at it",
                                   file->name);
        goto out;
    }
    if (info.st_size < 0 || (uint64_t)info.st_size != content->size_bytes)
        goto out;
    expect_segments(content->segments, content->count, spans, digests);
    expect_segments(file->rest.segments, file->rest.count, spans + content->count,
                    digests + content->count);
    status = snap_read_spans(fd, spans, count, SNAP_READ_DISK, file->options->write.pool,
                             file->name, NULL, err);
    *same = status == SNAP_OK && same_segments(content->segments, content->count, spans) &&
            same_segments(file->rest.segments, file->rest.count, spans + content->count);
out:
    free(digests);
    free(spans);
    return status;
}

/* What is on the disk must be what was given. */
static enum snap_status read_back(const struct publication *file, int fd, struct snap_error *err)
{
    bool same;
    enum snap_status status = compare(file, fd, &same, err);
    if (status == SNAP_OK && !same)
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s: reading it back: the disk does not give the bytes that were "
                                "written; nothing was saved",
                                file->name);
    return status;
}

/* The same of the segments that were written here: the others were read back by who wrote them. */
static enum snap_status read_back_own(const struct publication *file, int fd,
                                      struct snap_error *err)
{
    const struct snap_content *content = file->content;
    struct snap_pool *pool = file->options->write.pool;
    enum snap_status status = snap_read_back_parts(fd, content->segments, content->count, pool,
                                                   file->name, err);
    if (status == SNAP_OK)
        status = snap_read_back_parts(fd, file->rest.segments, file->rest.count, pool, file->name,
                                      err);
    return status;
}

/* Write what is not written elsewhere, while others write that; then what depends on the digests of
 * all. */
static enum snap_status write_shared(struct publication *file, int fd, struct snap_error *err)
{
    const struct snap_content *content = file->content;
    const struct snap_put_share *share = file->options->share;
    enum snap_status status = SNAP_OK;
    if (ftruncate(fd, (off_t)content->size_bytes) != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: writing: giving it its size",
                                   file->name);
    status = share->begin(share->arg, file->temporary, status, err);
    if (status == SNAP_OK)
        status = snap_write_parts(fd, content->segments, content->count,
                                  file->options->write.pool, file->name, err);
    status = share->end(share->arg, status, err);
    if (status == SNAP_OK)
        status = content->finish(content->arg, &file->rest.segments, &file->rest.count, err);
    if (status == SNAP_OK)
        status = snap_write_parts(fd, file->rest.segments, file->rest.count, NULL, file->name, err);
    return status;
}

/* Write to `fd`, which is consumed, make it durable, and read it back by `back`, another descriptor
 * of the file. */
static enum snap_status fill(struct publication *file, int fd, int back, struct snap_error *err)
{
    bool shared = file->options->share != NULL;
    enum snap_status status =
        shared ? write_shared(file, fd, err)
               : snap_write_file(fd, file->content, &file->options->write, &file->rest,
                                 file->name, err);
    if (status == SNAP_OK)
        status = snap_file_sync(fd, file->name, err);
    if (status != SNAP_OK) {
        close(fd); /* the file is given up */
        return status;
    }
    status = snap_file_close(fd, file->name, err);
    if (status == SNAP_OK && !file->options->no_read_back)
        status = shared ? read_back_own(file, back, err) : read_back(file, back, err);
    return status;
}

/* The name is taken: by the same bytes, made durable now, or by others. */
static enum snap_status compare_existing(struct publication *file, struct snap_error *err)
{
    struct stat info;
    bool same = true;
    int fd;
    enum snap_status status =
        snap_file_open(file->dirfd, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, err);
    if (status != SNAP_OK)
        return status;
    if (fstat(fd, &info) != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: looking at it", file->name);
    else if (!S_ISREG(info.st_mode))
        status = snap_error_set(err, SNAP_DIFFERS, "%s: is there already, and is no regular file",
                                file->name);
    if (status == SNAP_OK)
        status = snap_file_sync(fd, file->name, err);
    if (status == SNAP_OK)
        status = compare(file, fd, &same, err);
    if (status == SNAP_OK && !same)
        status = snap_error_set(err, SNAP_DIFFERS, "%s: is there already, with other content",
                                file->name);
    close(fd); /* only read: nothing can be lost */
    file->published = status == SNAP_OK;
    return status;
}

/* Errors that mean "not in this way, here"; the others, like a full disk, would meet any way. */
static bool is_not_supported(int error)
{
    return error == EOPNOTSUPP || error == EISDIR || error == ENOENT || error == EINVAL ||
           error == ENOSYS || error == EXDEV || error == ELOOP || error == EPERM;
}

/* By a file that has no name until it is complete. *other_way: this file system, or a system
 * without /proc, does not have that; nothing was done. */
static enum snap_status publish_unnamed(struct publication *file, bool *other_way,
                                        struct snap_error *err)
{
    char path[64];
    int fd = openat(file->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);
    if (fd < 0) {
        *other_way = is_not_supported(errno);
        return snap_error_set_os(err, SNAP_IO, errno, "%s: making a temporary file", file->name);
    }
    proc_path(fd, path);
    int back = open(path, O_RDONLY | O_CLOEXEC);
    if (back < 0) {
        *other_way = true;
        close(fd); /* nothing was written */
        return SNAP_IO;
    }
    enum snap_status status = fill(file, fd, back, err);
    if (status == SNAP_OK) {
        proc_path(back, path);
        if (linkat(AT_FDCWD, path, file->dirfd, file->name, AT_SYMLINK_FOLLOW) == 0) {
            file->published = true;
        } else if (errno == EEXIST) {
            status = compare_existing(file, err);
        } else {
            *other_way = is_not_supported(errno);
            status = snap_error_set_os(err, SNAP_IO, errno, "%s: giving the file its name",
                                       file->name);
        }
    }
    close(back); /* only read: nothing can be lost */
    return status;
}

static enum snap_status make_temporary(struct publication *file, char name[TEMPORARY_BYTES],
                                       int *fd, struct snap_error *err)
{
    unsigned char random[TEMPORARY_DIGITS / 2];
    char digits[TEMPORARY_DIGITS + 1];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: naming a temporary file", file->name);
    snap_hex_encode(random, sizeof random, digits);
    int length = snprintf(name, TEMPORARY_BYTES, ".%s" TEMPORARY_MARK "%s", file->name, digits);
    if (length >= TEMPORARY_BYTES)
        return snap_error_set(err, SNAP_INVALID, "%s: the name is too long", file->name);
    enum snap_status status = snap_file_open(file->dirfd, name, O_RDWR | O_CREAT | O_EXCL,
                                             FILE_MODE, fd, err);
    return status == SNAP_NOT_FOUND ? SNAP_IO : status;
}

/* Give the temporary its name. It is gone after success. */
static enum snap_status name_temporary(struct publication *file, const char *temporary,
                                       struct snap_error *err)
{
    if (file->options->mode == SNAP_PUT_REPLACE) {
        if (renameat(file->dirfd, temporary, file->dirfd, file->name) != 0)
            return snap_error_set_os(err, SNAP_IO, errno, "%s: replacing it", file->name);
        file->published = true;
        return SNAP_OK;
    }
    int result = renameat2(file->dirfd, temporary, file->dirfd, file->name, RENAME_NOREPLACE);
    bool linked = false;
    if (result != 0 && (errno == EINVAL || errno == ENOSYS)) {
        result = linkat(file->dirfd, temporary, file->dirfd, file->name, 0);
        linked = result == 0;
    }
    if (result != 0 && errno == EEXIST) {
        enum snap_status status = compare_existing(file, err);
        if (status == SNAP_OK)
            unlinkat(file->dirfd, temporary, 0); /* a leftover at worst; the file is there */
        return status;
    }
    if (result != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: giving the file its name", file->name);
    if (linked)
        unlinkat(file->dirfd, temporary, 0); /* a leftover at worst; the file is there */
    file->published = true;
    return SNAP_OK;
}

static enum snap_status publish_named(struct publication *file, struct snap_error *err)
{
    char temporary[TEMPORARY_BYTES];
    int fd;
    int back = -1;
    enum snap_status status = make_temporary(file, temporary, &fd, err);
    if (status != SNAP_OK)
        return status;
    file->temporary = temporary;
    status = snap_file_open(file->dirfd, temporary, O_RDONLY, 0, &back, err);
    if (status == SNAP_OK)
        status = fill(file, fd, back, err);
    else
        close(fd); /* nothing was written */
    if (back >= 0)
        close(back); /* only read: nothing can be lost */
    if (status == SNAP_OK)
        status = name_temporary(file, temporary, err);
    if (status != SNAP_OK)
        unlinkat(file->dirfd, temporary, 0); /* the first error is the one to report */
    return status;
}

enum snap_status snap_publish(int dirfd, const char *name, const struct snap_content *content,
                              const struct snap_publish_options *options, struct snap_error *err)
{
    struct publication file = {
        .dirfd = dirfd, .name = name, .content = content, .options = options
    };
    bool other_way = options->named_temporary || options->mode == SNAP_PUT_REPLACE ||
                     options->share != NULL;
    enum snap_status status = SNAP_OK;
    if (!other_way)
        status = publish_unnamed(&file, &other_way, err);
    if (other_way)
        status = publish_named(&file, err);
    if (status != SNAP_OK)
        return status;
    return snap_folder_sync(dirfd, name, err);
}

static bool is_temporary(const char *name)
{
    size_t length = strlen(name);
    size_t tail = strlen(TEMPORARY_MARK) + TEMPORARY_DIGITS;
    if (name[0] != '.' || length < tail + 2)
        return false;
    const char *mark = name + length - tail;
    const char *digits = mark + strlen(TEMPORARY_MARK);
    return strncmp(mark, TEMPORARY_MARK, strlen(TEMPORARY_MARK)) == 0 &&
           strspn(digits, "0123456789abcdef") == TEMPORARY_DIGITS;
}

static enum snap_status meet_leftover(int dirfd, const char *name, bool remove,
                                      struct snap_error *err)
{
    if (remove && unlinkat(dirfd, name, 0) != 0 && errno != ENOENT)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: removing a leftover", name);
    return SNAP_OK;
}

enum snap_status snap_publish_leftovers(int dirfd, bool remove,
                                        enum snap_status (*visit)(void *arg, const char *name,
                                                                  struct snap_error *err),
                                        void *arg, struct snap_error *err)
{
    int fd;
    enum snap_status status =
        snap_file_open(dirfd, ".", O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (status != SNAP_OK)
        return status;
    DIR *folder = fdopendir(fd);
    if (folder == NULL) {
        status = snap_error_set_os(err, SNAP_IO, errno, "reading the folder");
        close(fd);
        return status;
    }
    while (status == SNAP_OK) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL && errno != 0)
            status = snap_error_set_os(err, SNAP_IO, errno, "reading the folder");
        if (entry == NULL)
            break;
        if (!is_temporary(entry->d_name))
            continue;
        status = meet_leftover(dirfd, entry->d_name, remove, err);
        if (status == SNAP_OK && visit != NULL)
            status = visit(arg, entry->d_name, err);
    }
    closedir(folder);
    return status;
}
