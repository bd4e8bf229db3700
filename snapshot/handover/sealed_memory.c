/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handover/sealed_memory.h"

static enum snap_status no_memory(const char *name, uint64_t size, int os_error,
                                  struct snap_error *err)
{
    return snap_error_set_os(err, SNAP_NO_MEMORY, os_error, "%s: reserve %llu bytes of memory",
                             name, (unsigned long long)size);
}

enum snap_status snap_sealed_memory_new(const char *name, uint64_t size_bytes,
                                        struct snap_sealed_memory *memory, struct snap_error *err)
{
    if (size_bytes == 0 || size_bytes > SIZE_MAX || size_bytes > INT64_MAX)
        return no_memory(name, size_bytes, EINVAL, err);
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return no_memory(name, size_bytes, errno, err);
    /* Allocated and not only promised: a page that is missing later would be a SIGBUS. */
    int failed = posix_fallocate(fd, 0, (off_t)size_bytes);
    void *base = MAP_FAILED;
    if (failed == 0) {
        base = mmap(NULL, (size_t)size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        failed = base == MAP_FAILED ? errno : 0;
    }
    if (failed != 0) {
        close(fd); /* nothing was written to it */
        return no_memory(name, size_bytes, failed, err);
    }
    *memory = (struct snap_sealed_memory){ .fd = fd, .base = base, .size_bytes = size_bytes };
    return SNAP_OK;
}

static void unmap(struct snap_sealed_memory *memory)
{
    if (memory->base != NULL)
        munmap(memory->base, (size_t)memory->size_bytes);
    memory->base = NULL;
}

enum snap_status snap_sealed_memory_seal(struct snap_sealed_memory *memory, struct snap_error *err)
{
    unmap(memory); /* no seal on bytes that somebody can still write */
    if (fcntl(memory->fd, F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return snap_error_set_os(err, SNAP_IO, errno, "memory to be handed over: sealing it");
    return SNAP_OK;
}

static bool has_seals(int fd, int wanted)
{
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & wanted) == wanted;
}

bool snap_memory_is_sealed(int fd)
{
    return has_seals(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

enum snap_status snap_sealed_memory_take(int fd, enum snap_seal seal, const char *what,
                                         struct snap_sealed_memory *memory, struct snap_error *err)
{
    int wanted = F_SEAL_SHRINK | F_SEAL_GROW | (seal == SNAP_SEAL_CONTENT ? F_SEAL_WRITE : 0);
    enum snap_status status = SNAP_OK;
    struct stat info;
    void *base = MAP_FAILED;
    if (!has_seals(fd, wanted))
        status = snap_error_set(err, SNAP_INVALID, "%s: is no memory whose %s sealed", what,
                                seal == SNAP_SEAL_CONTENT ? "content is" : "size is");
    else if (fstat(fd, &info) != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: looking at it", what);
    else if (info.st_size <= 0 || (uint64_t)info.st_size > SIZE_MAX)
        status = snap_error_set(err, SNAP_INVALID, "%s: is empty", what);
    else if ((base = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0)) == MAP_FAILED)
        status = snap_error_set_os(err, SNAP_NO_MEMORY, errno, "%s: mapping it", what);
    if (status != SNAP_OK) {
        close(fd); /* only read */
        return status;
    }
    *memory = (struct snap_sealed_memory){ .fd = fd,
                                           .base = base,
                                           .size_bytes = (uint64_t)info.st_size };
    return SNAP_OK;
}

void snap_sealed_memory_release(struct snap_sealed_memory *memory)
{
    int fd = snap_sealed_memory_give(memory);
    if (fd >= 0)
        close(fd); /* memory: nothing can be lost */
}

int snap_sealed_memory_give(struct snap_sealed_memory *memory)
{
    int fd = memory->fd;
    unmap(memory);
    *memory = (struct snap_sealed_memory)SNAP_SEALED_MEMORY_INIT;
    return fd;
}
