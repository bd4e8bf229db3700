/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces go to the file as they are: whole blocks, from a buffer of our own, so that direct I/O can
 * take them, and so that what is digested is what is written even when somebody changes the memory.
 * A block that two tasks share is put together in memory and written last. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "io/io_job.h"
#include "io/write_file.h"

/* The block around a border between tasks. */
struct seam {
    uint64_t border; /* its place in the file */
    unsigned char bytes[SNAP_IO_BLOCK_BYTES];
};

struct writer {
    int fd;
    const char *what;
    uint64_t size_bytes; /* of the file */
    atomic_bool direct;
    bool forced; /* direct, or not at all */
    atomic_ullong *written; /* NULL: nobody looks on */
    const struct snap_stop *stop;
    /* Task i begins at border i and ends at border i + 1. */
    struct seam *seams;
    size_t first_seam; /* of the job under way; at last, the end of the file */
};

/* False: not on this file system. */
static bool set_direct(struct writer *writer, bool direct)
{
    int flags = fcntl(writer->fd, F_GETFL);
    if (flags < 0 || fcntl(writer->fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) != 0)
        return false;
    atomic_store(&writer->direct, direct);
    return true;
}

/* Whole blocks. Where they cannot be written directly after all, they go through the page cache, as
 * do all that follow. */
static enum snap_status write_blocks(struct writer *writer, const unsigned char *data, size_t bytes,
                                     uint64_t offset, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    bool direct = atomic_load(&writer->direct);
    if (snap_stop_is_asked(writer->stop))
        return snap_error_set(err, SNAP_IO, "%s: writing: stopped, as was asked", writer->what);
    enum snap_status status =
        snap_file_pwrite(writer->fd, data, bytes, offset, writer->what, &cause);
    if (status != SNAP_OK && direct && cause.os_error == EINVAL && writer->forced)
        return snap_io_not_direct(writer->what, err);
    if (status != SNAP_OK && direct && cause.os_error == EINVAL && set_direct(writer, false))
        status = snap_file_pwrite(writer->fd, data, bytes, offset, writer->what, &cause);
    if (status != SNAP_OK && err != NULL)
        *err = cause;
    if (status == SNAP_OK && writer->written != NULL)
        atomic_fetch_add_explicit(writer->written, bytes, memory_order_relaxed);
    /* Advice only: the disk is to begin now, and not with the fsync. */
    if (status == SNAP_OK && !atomic_load(&writer->direct) &&
        writer->size_bytes >= SNAP_IO_LARGE_BYTES)
        sync_file_range(writer->fd, (off_t)offset, (off_t)bytes, SYNC_FILE_RANGE_WRITE);
    return status;
}

static enum snap_status write_piece(struct snap_io_job *job, struct snap_io_lane *lane,
                                    struct snap_error *err)
{
    struct writer *writer = job->arg;
    struct seam *seam = &writer->seams[writer->first_seam + (size_t)(lane->task - job->tasks)];
    /* Whole blocks of the buffer. */
    size_t from = lane->begin > 0 ? SNAP_IO_BLOCK_BYTES : 0;
    size_t to = (size_t)snap_io_block(lane->end);
    if (from > to) { /* less than a block, and not at its beginning */
        memcpy(seam->bytes + lane->begin, lane->buffer + lane->begin, lane->end - lane->begin);
        return SNAP_OK;
    }
    if (lane->begin > 0)
        memcpy(seam->bytes + lane->begin, lane->buffer + lane->begin, from - lane->begin);
    if (lane->end > to)
        memcpy(seam[1].bytes, lane->buffer + to, lane->end - to);
    if (to == from)
        return SNAP_OK;
    return write_blocks(writer, lane->buffer + from, to - from, lane->base + from, err);
}

/* Seams for the tasks of a job, which follow those that have theirs. */
static enum snap_status make_seams(struct writer *writer, const struct snap_io_job *job,
                                   struct snap_error *err)
{
    size_t first = writer->first_seam;
    struct seam *seams =
        realloc(writer->seams, (first + job->task_count + 1) * sizeof *writer->seams);
    if (seams == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: writing: out of memory", writer->what);
    writer->seams = seams;
    if (first == 0)
        seams[0].border = 0;
    for (size_t i = 0; i < job->task_count; i++)
        seams[first + i + 1].border = job->tasks[i].stop;
    return SNAP_OK;
}

static enum snap_status write_segments(struct writer *writer, const struct snap_segment *segments,
                                       size_t count, struct snap_pool *pool, struct snap_error *err)
{
    struct snap_io_job job = {
        .span_count = count, .what = writer->what, .arg = writer, .write_piece = write_piece
    };
    job.spans = calloc(count + 1, sizeof *job.spans);
    if (job.spans == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: writing: out of memory", writer->what);
    for (size_t i = 0; i < count; i++)
        job.spans[i] = (struct snap_span){ .offset = segments[i].offset,
                                           .size_bytes = segments[i].size_bytes,
                                           .data = segments[i].data,
                                           .source = segments[i].source,
                                           .source_offset = segments[i].source_offset,
                                           .sha256 = segments[i].sha256 };
    enum snap_status status = snap_io_job_init(&job, pool, err);
    if (status == SNAP_OK)
        status = make_seams(writer, &job, err);
    if (status == SNAP_OK)
        status = snap_io_job_run(&job, err);
    writer->first_seam += job.task_count;
    snap_io_job_release(&job);
    free(job.spans);
    return status;
}

/* Borders inside the same block share the first one's. */
static enum snap_status write_seams(struct writer *writer, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    uint64_t written = 0; /* the file up to here: a file begins with no seam */
    for (size_t i = 0; status == SNAP_OK && i <= writer->first_seam; i++) {
        const struct seam *seam = &writer->seams[i];
        uint64_t block = snap_io_block(seam->border);
        uint64_t end = block + SNAP_IO_BLOCK_BYTES;
        if (block == seam->border || end <= written)
            continue;
        if (end > writer->size_bytes)
            end = writer->size_bytes;
        status = snap_file_pwrite(writer->fd, seam->bytes, (size_t)(end - block), block,
                                  writer->what, err);
        written = block + SNAP_IO_BLOCK_BYTES;
    }
    return status;
}

/* Room for the whole file: a disk that is too small says so now, and blocks can be written in any
 * order at the speed of the disk. Not every file system has that. */
static enum snap_status make_room(const struct writer *writer, struct snap_error *err)
{
    int result;
    do {
        result = fallocate(writer->fd, 0, 0, (off_t)writer->size_bytes);
    } while (result != 0 && errno == EINTR);
    if (result != 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: writing: making room for %llu bytes",
                                 writer->what, (unsigned long long)writer->size_bytes);
    return SNAP_OK;
}

enum snap_status snap_write_file(int fd, const struct snap_content *content,
                                 const struct snap_write_options *options, struct snap_rest *rest,
                                 const char *what, struct snap_error *err)
{
    struct writer writer = { .fd = fd,
                             .what = what,
                             .size_bytes = content->size_bytes,
                             .written = options->written,
                             .stop = options->stop };
    struct snap_rest more = { NULL, 0 };
    enum snap_io_way way;
    bool large = content->size_bytes >= SNAP_IO_LARGE_BYTES;
    enum snap_status status = snap_io_forced(&way, err);
    writer.forced = way == SNAP_IO_DIRECT;
    if (way == SNAP_IO_BEST)
        way = options->way;
    if (status == SNAP_OK && large)
        status = make_room(&writer, err);
    if (status == SNAP_OK && (way == SNAP_IO_DIRECT || (way == SNAP_IO_BEST && large)) &&
        !set_direct(&writer, true) && writer.forced) /* else through the page cache */
        status = snap_io_not_direct(what, err);
    if (status == SNAP_OK)
        status = write_segments(&writer, content->segments, content->count, options->pool, err);
    /* What is left comes in small pieces. */
    if (status == SNAP_OK && atomic_load(&writer.direct) && !set_direct(&writer, false))
        status = snap_error_set(err, SNAP_IO, "%s: writing: leaving direct I/O failed", what);
    if (status == SNAP_OK && content->finish != NULL)
        status = content->finish(content->arg, &more.segments, &more.count, err);
    if (status == SNAP_OK && more.count > 0)
        status = write_segments(&writer, more.segments, more.count, NULL, err);
    if (status == SNAP_OK)
        status = write_seams(&writer, err);
    if (status == SNAP_OK)
        *rest = more;
    free(writer.seams);
    return status;
}
