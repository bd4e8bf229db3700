/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/device_ops.h"
#include "save/staging.h"

/* What one thread copies at a time: small enough to share a large tensor out, large enough that
 * handing it out costs nothing beside it. */
#define PIECE_BYTES (2u << 20)
/* What is compared at a time. */
#define BLOCK_BYTES ((size_t)1 << 16)

uint64_t snap_staging_padded(uint64_t size)
{
    return (size + SNAP_STAGING_ALIGN - 1) / SNAP_STAGING_ALIGN * SNAP_STAGING_ALIGN;
}

static enum snap_status no_staging(uint64_t bytes, int os_error, struct snap_error *err)
{
    return snap_error_set_os(err, SNAP_NO_MEMORY, os_error, "staging: reserve %llu bytes",
                             (unsigned long long)bytes);
}

/* Nobody who is given the memory can be hurt by a change of its size, or change it: Linux before
 * 5.1 has no seal for the latter, and goes without. False: errno says why. */
static bool seal(int fd)
{
    const int size = F_SEAL_SHRINK | F_SEAL_GROW;
    return fcntl(fd, F_ADD_SEALS, size | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0 ||
           (errno == EINVAL && fcntl(fd, F_ADD_SEALS, size | F_SEAL_SEAL) == 0);
}

enum snap_status snap_staging_reserve(struct snap_staging *staging, uint64_t bytes,
                                      struct snap_error *err)
{
    if (bytes <= staging->capacity)
        return SNAP_OK;
    snap_staging_release(staging);
    if (bytes > SIZE_MAX || bytes > INT64_MAX)
        return no_staging(bytes, ENOMEM, err);
    int fd = memfd_create("snap-staging", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return no_staging(bytes, errno, err);
    /* Allocated and not only promised: a page that is missing later would be a SIGBUS. */
    int failed = posix_fallocate(fd, 0, (off_t)bytes);
    void *base = MAP_FAILED;
    if (failed == 0) {
        base = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        failed = base == MAP_FAILED || !seal(fd) ? errno : 0;
    }
    if (failed != 0) {
        if (base != MAP_FAILED)
            munmap(base, (size_t)bytes);
        close(fd); /* nothing was written to it */
        return no_staging(bytes, failed, err);
    }
    /* A child of fork() has no use for it, and would keep the memory. */
    (void)madvise(base, (size_t)bytes, MADV_DONTFORK);
    *staging = (struct snap_staging){ .base = base, .capacity = bytes, .fd = fd };
    return SNAP_OK;
}

void snap_staging_pin(struct snap_staging *staging, struct snap_device device)
{
    const struct snap_device_ops *ops;
    if (staging->pinned_by == NULL && staging->base != NULL &&
        snap_device_find(device, &ops, NULL) == SNAP_OK && ops != NULL &&
        ops->pin(staging->base, (size_t)staging->capacity))
        staging->pinned_by = ops;
}

void snap_staging_release(struct snap_staging *staging)
{
    if (staging->pinned_by != NULL)
        staging->pinned_by->unpin(staging->base);
    if (staging->base != NULL)
        munmap(staging->base, (size_t)staging->capacity);
    if (staging->fd >= 0)
        close(staging->fd); /* memory: nothing can be lost */
    free(staging->digests);
    *staging = (struct snap_staging)SNAP_STAGING_INIT;
}

void snap_staging_after_fork(struct snap_staging *staging)
{
    if (staging->fd >= 0)
        close(staging->fd); /* the parent has it still */
    staging->fd = -1;
}

/* ---- what is known of it ---- */

static int compare_places(const void *left, const void *right)
{
    const unsigned char *a = ((const struct snap_staged_digest *)left)->place;
    const unsigned char *b = ((const struct snap_staged_digest *)right)->place;
    return a < b ? -1 : a > b;
}

void snap_staging_know(struct snap_staging *staging, struct snap_staged_digest *digests,
                       size_t count)
{
    free(staging->digests);
    qsort(digests, count, sizeof *digests, compare_places);
    staging->digests = digests;
    staging->digest_count = count;
}

struct snap_staged_digest *snap_staging_find(const struct snap_staging *staging, const void *place,
                                             size_t size_bytes)
{
    const struct snap_staged_digest wanted = { .place = place };
    struct snap_staged_digest *found = NULL;
    if (staging->digest_count > 0)
        found = bsearch(&wanted, staging->digests, staging->digest_count, sizeof wanted,
                        compare_places);
    return found != NULL && found->size_bytes == size_bytes && atomic_load(&found->held) ? found
                                                                                         : NULL;
}

void snap_staging_forget(struct snap_staging *staging, const void *place, size_t size_bytes)
{
    const unsigned char *begin = place;
    for (size_t i = 0; i < staging->digest_count; i++) {
        struct snap_staged_digest *digest = &staging->digests[i];
        if (digest->place < begin + size_bytes && digest->place + digest->size_bytes > begin)
            atomic_store(&digest->held, false);
    }
}

/* ---- copies ---- */

struct sharing {
    const struct snap_copy *copies;
    const size_t *first; /* number of the first piece of each copy; ascending */
    size_t count;
};

static size_t piece_count(size_t size_bytes)
{
    return size_bytes / PIECE_BYTES + (size_bytes % PIECE_BYTES != 0);
}

/* Of `size` bytes, how many blocks at the beginning are the same. */
static size_t same_bytes(const char *left, const char *right, size_t size)
{
    size_t same = 0;
    while (same < size) {
        size_t block = size - same < BLOCK_BYTES ? size - same : BLOCK_BYTES;
        if (memcmp(left + same, right + same, block) != 0)
            break;
        same += block;
    }
    return same;
}

static void copy_piece(void *arg, size_t index, unsigned worker)
{
    const struct sharing *sharing = arg;
    size_t low = 0;
    size_t high = sharing->count;
    (void)worker;
    while (high - low > 1) { /* the last copy whose first piece is not after this one */
        size_t middle = low + (high - low) / 2;
        if (sharing->first[middle] <= index)
            low = middle;
        else
            high = middle;
    }
    const struct snap_copy *copy = &sharing->copies[low];
    size_t offset = (index - sharing->first[low]) * (size_t)PIECE_BYTES;
    size_t size = copy->size_bytes - offset < PIECE_BYTES ? copy->size_bytes - offset : PIECE_BYTES;
    char *to = (char *)copy->to + offset;
    const char *from = (const char *)copy->from + offset;
    if (copy->digest != NULL) {
        size_t same = same_bytes(to, from, size);
        if (same == size)
            return;
        atomic_store(&copy->digest->held, false);
        to += same;
        from += same;
        size -= same;
    }
    memcpy(to, from, size);
}

enum snap_status snap_copy_all(struct snap_pool *pool, const struct snap_copy *copies, size_t count,
                               struct snap_error *err)
{
    size_t *first = calloc(count + 1, sizeof *first);
    struct snap_copy *some = calloc(count + 1, sizeof *some);
    struct sharing sharing = { .copies = some, .first = first };
    size_t pieces = 0;
    enum snap_status status = SNAP_OK;
    if (first == NULL || some == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "staging: copy: out of memory");
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        if (copies[i].size_bytes == 0)
            continue;
        some[sharing.count] = copies[i];
        first[sharing.count++] = pieces;
        pieces += piece_count(copies[i].size_bytes);
    }
    if (status == SNAP_OK)
        snap_pool_run(pool, pieces, copy_piece, &sharing);
    free(some);
    free(first);
    return status;
}
