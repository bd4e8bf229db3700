/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_calls.h"

static struct {
    bool counting;
    unsigned count;
    unsigned number;
    enum fault fault;
    bool hit;
    char name[32];
    char path[512];
} calls;

static const struct {
    const char *name;
    int error; /* 0: none */
    bool harmless;
    const char *fits; /* names with spaces around */
} faults[] = {
    [FAULT_NONE] = {"none", 0, true, ""},
    [FAULT_EIO] = {"EIO", EIO, false,
                   " read pread write pwrite fsync close ftruncate renameat renameat2 linkat "
                   "unlinkat fstat fstatat open openat mkdirat fallocate flock opendir readdir "},
    [FAULT_ENOSPC] = {"ENOSPC", ENOSPC, false,
                      " write pwrite fsync fallocate mkdirat openat renameat renameat2 linkat "},
    [FAULT_EMFILE] = {"EMFILE", EMFILE, false, " open openat opendir "},
    [FAULT_EACCES] = {"EACCES", EACCES, false, " openat mkdirat unlinkat linkat renameat "},
    [FAULT_EINTR] = {"EINTR", EINTR, true, " read pread write pwrite fallocate "},
    [FAULT_SHORT] = {"short", 0, true, " read pread write pwrite "},
    [FAULT_LIE_NOTHING] = {"lie", 0, false, " write pwrite "},
    [FAULT_LIE_OTHER] = {"other bytes", 0, false, " write pwrite "},
    [FAULT_KILL] = {"kill", 0, false, ""},
};

const char *fault_name(enum fault fault)
{
    return faults[fault].name;
}

bool fault_is_harmless(enum fault fault)
{
    return faults[fault].harmless;
}

bool fault_fits(const char *call, enum fault fault)
{
    char word[40];
    snprintf(word, sizeof word, " %s ", call);
    return fault == FAULT_KILL || strstr(faults[fault].fits, word) != NULL;
}

void failing_calls_start(unsigned number, enum fault fault)
{
    calls.count = 0;
    calls.number = number;
    calls.fault = fault;
    calls.hit = false;
    calls.name[0] = '\0';
    calls.path[0] = '\0';
    calls.counting = true;
}

void failing_calls_stop(void)
{
    calls.counting = false;
}

unsigned failing_calls_count(void)
{
    return calls.count;
}

bool failing_calls_hit(void)
{
    return calls.hit;
}

const char *failing_calls_name(void)
{
    return calls.name;
}

const char *failing_calls_path(void)
{
    return calls.path;
}

/* Is it this call? What it is about is kept. */
static bool meets(const char *name, int fd, const char *path)
{
    if (!calls.counting || ++calls.count != calls.number)
        return false;
    snprintf(calls.name, sizeof calls.name, "%s", name);
    snprintf(calls.path, sizeof calls.path, "%s", path == NULL ? "" : path);
    if (path == NULL) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t size = readlink(link, calls.path, sizeof calls.path - 1);
        calls.path[size > 0 ? size : 0] = '\0';
    }
    if (calls.fault == FAULT_NONE || !fault_fits(name, calls.fault))
        return false;
    calls.hit = true;
    if (calls.fault == FAULT_KILL)
        raise(SIGKILL);
    if (faults[calls.fault].error != 0)
        errno = faults[calls.fault].error;
    return true;
}

/* The wrapper of a call that gives -1: its parameters, what it is about, its arguments. */
#define WRAP(type, name, parameters, fd, path, arguments)                                          \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return meets(#name, fd, path) ? -1 : __real_##name arguments;                              \
    }

WRAP(int, fsync, (int fd), fd, NULL, (fd))
WRAP(int, ftruncate, (int fd, off_t size), fd, NULL, (fd, size))
WRAP(int, fallocate, (int fd, int mode, off_t from, off_t size), fd, NULL, (fd, mode, from, size))
WRAP(int, flock, (int fd, int operation), fd, NULL, (fd, operation))
WRAP(int, fstat, (int fd, struct stat *info), fd, NULL, (fd, info))
WRAP(int, fstatat, (int dir, const char *path, struct stat *info, int flags), dir, path,
     (dir, path, info, flags))
WRAP(int, mkdirat, (int dir, const char *path, mode_t mode), dir, path, (dir, path, mode))
WRAP(int, unlinkat, (int dir, const char *path, int flags), dir, path, (dir, path, flags))
WRAP(int, renameat, (int from, const char *old, int to, const char *path), to, path,
     (from, old, to, path))
WRAP(int, renameat2, (int from, const char *old, int to, const char *path, unsigned flags), to,
     path, (from, old, to, path, flags))
WRAP(int, linkat, (int from, const char *old, int to, const char *path, int flags), to, path,
     (from, old, to, path, flags))

/* A close that fails has closed. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    bool fails = meets("close", fd, NULL);
    int error = errno;
    int result = __real_close(fd);
    if (fails)
        errno = error;
    return fails ? -1 : result;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t)
                                                                      : 0;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return meets("open", -1, path) ? -1 : __real_open(path, flags, mode);
}

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return meets("openat", dir, path) ? -1 : __real_openat(dir, path, flags, mode);
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
    return meets("opendir", -1, path) ? NULL : __real_opendir(path);
}

struct dirent *__real_readdir(DIR *folder);
struct dirent *__wrap_readdir(DIR *folder);
struct dirent *__wrap_readdir(DIR *folder)
{
    return meets("readdir", dirfd(folder), NULL) ? NULL : __real_readdir(folder);
}

ssize_t __real_read(int fd, void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size)
{
    if (meets("read", fd, NULL)) {
        if (calls.fault != FAULT_SHORT)
            return -1;
        size = (size + 1) / 2;
    }
    return __real_read(fd, data, size);
}

ssize_t __real_pread(int fd, void *data, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *data, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *data, size_t size, off_t offset)
{
    if (meets("pread", fd, NULL)) {
        if (calls.fault != FAULT_SHORT)
            return -1;
        size = (size + 1) / 2;
    }
    return __real_pread(fd, data, size, offset);
}

/* What a write that meets with a fault gives, and, where bytes are written, which. *done: that is
 * all of it. */
static ssize_t spoil(const void *data, size_t *size, void **other, bool *done)
{
    *done = true;
    switch (calls.fault) {
    case FAULT_LIE_NOTHING:
        return (ssize_t)*size;
    case FAULT_LIE_OTHER:
        *done = false;
        *other = malloc(*size + 1);
        if (*other == NULL)
            abort();
        memcpy(*other, data, *size);
        ((unsigned char *)*other)[*size / 2] ^= 0x20;
        return 0;
    case FAULT_SHORT:
        *done = false;
        *size = (*size + 1) / 2;
        return 0;
    default:
        return -1;
    }
}

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    void *other = NULL;
    bool done = false;
    ssize_t result = meets("write", fd, NULL) ? spoil(data, &size, &other, &done) : 0;
    if (!done)
        result = __real_write(fd, other != NULL ? other : data, size);
    free(other);
    return result;
}

ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    void *other = NULL;
    bool done = false;
    ssize_t result = meets("pwrite", fd, NULL) ? spoil(data, &size, &other, &done) : 0;
    if (!done)
        result = __real_pwrite(fd, other != NULL ? other : data, size, offset);
    free(other);
    return result;
}
