/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "io/io_choice.h"
#include "io/io_job.h"
#include "io/read_file.h"

/* One page in so many bytes tells whether they are in the page cache. */
#define SAMPLE_BYTES ((size_t)1 << 17)
/* A disk that gives the first so many bytes directly at less than so much a second is slower than
 * the memory of a cache: what follows is kept there, for whoever reads it again. */
#define TRIAL_BYTES ((uint64_t)64 << 20)
#define SLOW_BYTES_PER_SECOND 5e8

struct reader {
    int fd;
    int direct_fd; /* past the page cache; -1: not to be had */
    atomic_bool direct;
    enum snap_io_way forced;
    enum snap_read_source source;
    struct timespec began;
    atomic_uint_fast64_t direct_bytes; /* read directly so far */
    /* Of the file, to ask what is in the cache, never looked into; NULL: not to be had. */
    void *map;
    size_t map_bytes;
};

/* From cache or disk, whichever is faster? */
static bool may_choose(const struct reader *reader)
{
    return reader->source == SNAP_READ_FASTEST && reader->forced == SNAP_IO_BEST;
}

/* Are these bytes in the page cache? A page here and there is asked for: the cache takes and drops
 * files by stretches, and a wrong answer costs time alone. */
static bool is_cached(const struct reader *reader, uint64_t offset, size_t bytes)
{
    if (reader->map == NULL || offset + bytes > reader->map_bytes)
        return false;
    for (size_t at = 0; at < bytes; at += SAMPLE_BYTES) {
        unsigned char page = 0;
        if (mincore((unsigned char *)reader->map + offset + at, 1, &page) != 0 || (page & 1) == 0)
            return false;
    }
    return true;
}

/* Whole blocks into the buffer; the last one may be cut short by the end of the file. *done is
 * false when that cannot be had here: then through the cache, which also says where a file ends
 * early. */
static enum snap_status read_directly(struct reader *reader, const struct snap_io_lane *lane,
                                      const char *what, bool *done, struct snap_error *err)
{
    size_t whole = (size_t)snap_io_block(lane->end + SNAP_IO_BLOCK_BYTES - 1);
    size_t read = 0;
    *done = false;
    while (read < lane->end) {
        ssize_t got = pread(reader->direct_fd, lane->buffer + read, whole - read,
                            (off_t)(lane->base + read));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EINVAL && reader->forced == SNAP_IO_DIRECT)
            return snap_io_not_direct(what, err);
        if (got < 0 && errno == EINVAL)
            atomic_store(&reader->direct, false);
        else if (got < 0)
            return snap_error_set_os(err, SNAP_IO, errno, "%s: reading at byte %llu", what,
                                     (unsigned long long)(lane->base + read));
        if (got <= 0)
            return SNAP_OK;
        read += (size_t)got;
    }
    *done = true;
    return SNAP_OK;
}

/* Where a piece goes that lies in one span; NULL: the span has no place, or there are more. */
static unsigned char *only_place(const struct snap_io_job *job, const struct snap_io_lane *lane)
{
    const struct snap_span *span = &job->spans[lane->span];
    if (lane->span == lane->task->end_span || span->place == NULL ||
        span->offset + lane->done != lane->position ||
        span->offset + span->size_bytes < lane->base + lane->end)
        return NULL;
    return span->place + lane->done;
}

static void try_disk(struct reader *reader, size_t bytes)
{
    uint64_t before = atomic_fetch_add(&reader->direct_bytes, bytes);
    struct timespec now;
    if (!may_choose(reader) || before >= TRIAL_BYTES || before + bytes < TRIAL_BYTES)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    double seconds = (double)(now.tv_sec - reader->began.tv_sec) +
                     1e-9 * (double)(now.tv_nsec - reader->began.tv_nsec);
    if ((double)(before + bytes) < SLOW_BYTES_PER_SECOND * seconds)
        atomic_store(&reader->direct, false);
}

static enum snap_status read_piece(struct snap_io_job *job, struct snap_io_lane *lane,
                                   struct snap_error *err)
{
    struct reader *reader = job->arg;
    unsigned char *place = only_place(job, lane);
    bool done = false;
    enum snap_status status = SNAP_OK;
    bool direct = atomic_load(&reader->direct);
    if (direct && may_choose(reader) && is_cached(reader, lane->base, lane->end))
        direct = false;
    if (direct)
        status = read_directly(reader, lane, job->what, &done, err);
    if (done)
        try_disk(reader, lane->end - lane->begin);
    if (status != SNAP_OK || done)
        return status;
    lane->in_place = place != NULL;
    return snap_file_pread(reader->fd, place != NULL ? place : lane->buffer + lane->begin,
                           lane->end - lane->begin, lane->position, job->what, err);
}

/* Another descriptor of the file, past the page cache; -1 where that is not to be had (the file
 * system, no /proc). */
static int open_direct(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
}

static void map_file(struct reader *reader)
{
    struct stat info;
    if (fstat(reader->fd, &info) != 0 || info.st_size <= 0)
        return;
    void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, reader->fd, 0);
    if (map == MAP_FAILED)
        return;
    reader->map = map;
    reader->map_bytes = (size_t)info.st_size;
}

static enum snap_status prepare(struct reader *reader, const struct snap_span *spans, size_t count,
                                const char *what, struct snap_error *err)
{
    enum snap_status status = snap_io_forced(&reader->forced, err);
    if (status != SNAP_OK)
        return status;
    uint64_t bytes =
        count > 0 ? spans[count - 1].offset + spans[count - 1].size_bytes - spans[0].offset : 0;
    /* Advice only: what is compared decides. */
    if (reader->source == SNAP_READ_DISK)
        posix_fadvise(reader->fd, 0, 0, POSIX_FADV_DONTNEED);
    if (reader->forced == SNAP_IO_CACHED || (may_choose(reader) && bytes < SNAP_IO_LARGE_BYTES))
        return SNAP_OK;
    if (reader->source == SNAP_READ_FASTEST && fcntl(reader->fd, F_GET_SEALS) >= 0)
        return SNAP_OK; /* only memory can be sealed: there is no disk behind it to be quicker */
    reader->direct_fd = open_direct(reader->fd);
    if (reader->direct_fd < 0 && reader->forced == SNAP_IO_DIRECT)
        return snap_io_not_direct(what, err);
    atomic_store(&reader->direct, reader->direct_fd >= 0);
    if (may_choose(reader) && reader->direct_fd >= 0)
        map_file(reader);
    return SNAP_OK;
}

/* A piece of what has no descriptor. */
static enum snap_status read_range(struct snap_io_job *job, struct snap_io_lane *lane,
                                   struct snap_error *err)
{
    unsigned char *place = only_place(job, lane);
    lane->in_place = place != NULL;
    return snap_source_read(job->arg, place != NULL ? place : lane->buffer + lane->begin,
                            lane->end - lane->begin, lane->position, err);
}

/* A job that was prepared with `status`: of one that failed before nothing was read. */
static enum snap_status run_job(struct snap_io_job *job, enum snap_status status, size_t *failed,
                                struct snap_error *err)
{
    if (status == SNAP_OK)
        status = snap_io_job_run(job, err);
    if (failed != NULL)
        *failed = status == SNAP_OK ? job->span_count : job->failed_span;
    return status;
}

enum snap_status snap_read_source(const struct snap_source *source, struct snap_span *spans,
                                  size_t count, struct snap_pool *pool, size_t *failed,
                                  struct snap_error *err)
{
    struct snap_source copy = *source;
    struct snap_io_job job = { .spans = spans,
                               .span_count = count,
                               .what = source->what,
                               .arg = &copy,
                               .read_piece = read_range };
    if (source->ranges == NULL)
        return snap_read_spans(source->fd, spans, count, SNAP_READ_FASTEST, pool, source->what,
                               failed, err);
    enum snap_status status = run_job(&job, snap_io_job_init(&job, pool, err), failed, err);
    snap_io_job_release(&job);
    return status;
}

enum snap_status snap_read_spans(int fd, struct snap_span *spans, size_t count,
                                 enum snap_read_source source, struct snap_pool *pool,
                                 const char *what, size_t *failed, struct snap_error *err)
{
    struct reader reader = { .fd = fd, .direct_fd = -1, .source = source };
    clock_gettime(CLOCK_MONOTONIC, &reader.began);
    struct snap_io_job job = { .spans = spans,
                               .span_count = count,
                               .what = what,
                               .arg = &reader,
                               .read_piece = read_piece };
    enum snap_status status = snap_io_job_init(&job, pool, err);
    if (status == SNAP_OK)
        status = prepare(&reader, spans, count, what, err);
    status = run_job(&job, status, failed, err);
    if (reader.map != NULL)
        munmap(reader.map, reader.map_bytes);
    if (reader.direct_fd >= 0)
        close(reader.direct_fd); /* only read: nothing can be lost */
    snap_io_job_release(&job);
    return status;
}
