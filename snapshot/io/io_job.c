/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/segment.h"
#include "core/team.h"
#include "io/io_job.h"

/* A task has at least so many bytes (but for the last one), so that its edges cost nothing; and
 * there are at most so many tasks, since a writer keeps a block for each edge. */
#define TASK_BYTES ((uint64_t)4 << 20)
#define MOST_TASKS 4096u
/* A gap of this size between spans is not read through. */
#define GAP_BYTES ((uint64_t)1 << 16)
/* Threads wait for the disk most of the time; two pieces for each of 16 are 64 MiB. */
#define THREADS_PER_PROCESSOR 4u
#define MOST_THREADS 16u
/* Buffers on huge pages are few long stretches of physical memory, which devices take in one
 * request. */
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

static enum snap_status out_of_memory(const struct snap_io_job *job, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: reading or writing: out of memory", job->what);
}

static uint64_t end_of(const struct snap_span *span)
{
    return span->offset + span->size_bytes;
}

/* Cut between two spans where enough lies before; what would be a short last task belongs to the
 * one before it. */
static enum snap_status cut(struct snap_io_job *job, struct snap_error *err)
{
    const struct snap_span *spans = job->spans;
    size_t count = job->span_count;
    uint64_t last = count > 0 ? end_of(&spans[count - 1]) : 0;
    uint64_t least = TASK_BYTES;
    if (count > 0 && (last - spans[0].offset) / MOST_TASKS > least)
        least = (last - spans[0].offset) / MOST_TASKS;
    job->tasks = calloc(count + 1, sizeof *job->tasks);
    if (job->tasks == NULL)
        return out_of_memory(job, err);
    for (size_t i = 0; i < count; i++) {
        struct snap_io_task *task = &job->tasks[job->task_count];
        uint64_t end = end_of(&spans[i]);
        if (task->end_span == 0)
            *task = (struct snap_io_task){ .first_span = i, .offset = spans[i].offset };
        task->end_span = i + 1;
        task->stop = end;
        bool enough = end - task->offset >= least && last - end >= least;
        bool gap = i + 1 < count && spans[i + 1].offset - end >= GAP_BYTES;
        job->task_count += enough || gap || i + 1 == count;
    }
    return SNAP_OK;
}

static enum snap_status get_buffers(struct snap_io_job *job, struct snap_pool *pool,
                                    struct snap_error *err)
{
    uint64_t longest = 0;
    unsigned processors = pool != NULL ? snap_pool_threads(pool) : 1;
    unsigned threads = processors > 1 ? THREADS_PER_PROCESSOR * processors : 1;
    if (threads > MOST_THREADS)
        threads = MOST_THREADS;
    if (threads > (job->task_count + 1) / 2) /* each has two lanes */
        threads = (unsigned)(job->task_count + 1) / 2;
    for (size_t i = 0; i < job->task_count; i++)
        if (job->tasks[i].stop - job->tasks[i].offset > longest)
            longest = job->tasks[i].stop - job->tasks[i].offset;
    job->threads = threads > 0 ? threads : 1;
    /* With room for the blocks at both edges. */
    job->piece_bytes = SNAP_IO_PIECE_BYTES;
    if (longest + 2 * SNAP_IO_BLOCK_BYTES < job->piece_bytes)
        job->piece_bytes = (size_t)snap_io_block(longest + 2 * SNAP_IO_BLOCK_BYTES - 1);
    size_t bytes = 2 * job->threads * job->piece_bytes;
    void *buffers;
    bool huge = bytes >= HUGE_PAGE_BYTES;
    if (posix_memalign(&buffers, huge ? HUGE_PAGE_BYTES : SNAP_IO_BLOCK_BYTES, bytes) != 0)
        return out_of_memory(job, err);
    if (huge)
        madvise(buffers, bytes, MADV_HUGEPAGE); /* advice only */
    job->buffers = buffers;
    return SNAP_OK;
}

enum snap_status snap_io_job_init(struct snap_io_job *job, struct snap_pool *pool,
                                  struct snap_error *err)
{
    pthread_mutex_init(&job->lock, NULL);
    enum snap_status status = cut(job, err);
    if (status == SNAP_OK)
        status = get_buffers(job, pool, err);
    return status;
}

void snap_io_job_release(struct snap_io_job *job)
{
    free(job->buffers);
    free(job->tasks);
    pthread_mutex_destroy(&job->lock);
}

/* ---- a lane ---- */

/* The next stretch of the file, or none. What comes after a failure is not begun. */
static void take_task(struct snap_io_job *job, struct snap_io_lane *lane)
{
    size_t index = atomic_fetch_add(&job->next_task, 1);
    lane->task = NULL;
    if (index >= job->task_count || index > atomic_load(&job->failed_task))
        return;
    lane->task = &job->tasks[index];
    lane->position = lane->task->offset;
    lane->span = lane->task->first_span;
    lane->done = 0;
}

/* The next piece, up to a border between blocks or the end of the task. */
static void take_piece(struct snap_io_job *job, struct snap_io_lane *lane)
{
    lane->base = snap_io_block(lane->position);
    lane->begin = (size_t)(lane->position - lane->base);
    uint64_t left = lane->task->stop - lane->base;
    lane->end = left < job->piece_bytes ? (size_t)left : job->piece_bytes;
    lane->in_place = false;
}

/* Bytes of a span that come into the buffer, or are there: to where they belong. */
static enum snap_status visit(const struct snap_io_job *job, struct snap_io_lane *lane,
                              struct snap_span *span, size_t at, size_t bytes,
                              struct snap_error *err)
{
    if (bytes == 0)
        return SNAP_OK;
    unsigned char *here = lane->in_place ? span->place + lane->done : lane->buffer + at;
    if (job->write_piece != NULL && span->source != NULL)
        return snap_source_read(span->source, here, bytes, span->source_offset + lane->done, err);
    if (job->write_piece != NULL)
        memcpy(here, span->data + lane->done, bytes);
    else if (span->place != NULL && !lane->in_place)
        memcpy(span->place + lane->done, here, bytes);
    if (job->write_piece == NULL && span->data != NULL &&
        memcmp(span->data + lane->done, here, bytes) != 0)
        span->differs = true;
    return SNAP_OK;
}

/* Give the digest the next bytes of the piece that are to be digested. A span's digest is finished
 * when all its bytes were taken. Nothing is given when the piece has no more. */
static enum snap_status feed(struct snap_io_job *job, struct snap_io_lane *lane,
                             struct snap_sha256_lane *digest, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    while (status == SNAP_OK && digest->left_bytes == 0 && lane->task != NULL) {
        struct snap_span *span = &job->spans[lane->span];
        if (lane->ending) {
            status = snap_sha256_finish(&digest->context, span->sha256, err);
            lane->ending = false;
            lane->span++;
            lane->done = 0;
            continue;
        }
        uint64_t next = lane->span < lane->task->end_span ? span->offset + lane->done : UINT64_MAX;
        if (next > lane->base + lane->end ||
            (next == lane->base + lane->end && span->size_bytes > 0))
            break;
        size_t at = (size_t)(next - lane->base);
        size_t bytes = span->size_bytes - lane->done;
        if (bytes > lane->end - at)
            bytes = lane->end - at;
        status = visit(job, lane, span, at, bytes, err);
        if (status == SNAP_OK && span->sha256 != NULL && lane->done == 0)
            status = snap_sha256_begin(&digest->context, err);
        if (status != SNAP_OK)
            break; /* there is nothing to digest */
        if (span->sha256 != NULL) {
            digest->data = span->place != NULL ? span->place + lane->done : lane->buffer + at;
            digest->left_bytes = bytes;
        }
        lane->done += bytes;
        if (lane->done < span->size_bytes)
            continue;
        lane->ending = span->sha256 != NULL;
        if (!lane->ending) {
            lane->span++;
            lane->done = 0;
        }
    }
    return status;
}

static void note_failure(struct snap_io_job *job, struct snap_io_lane *lane,
                         const struct snap_error *error)
{
    size_t index = (size_t)(lane->task - job->tasks);
    pthread_mutex_lock(&job->lock);
    if (index < atomic_load(&job->failed_task)) {
        atomic_store(&job->failed_task, index);
        job->failed_span = lane->span;
        job->error = *error;
    }
    pthread_mutex_unlock(&job->lock);
    lane->task = NULL;
}

/* A lane gets its next piece. */
static void begin_piece(struct snap_io_job *job, struct snap_io_lane *lane,
                        struct snap_sha256_lane *digest)
{
    struct snap_error error = SNAP_ERROR_INIT;
    if (lane->task != NULL && (size_t)(lane->task - job->tasks) > atomic_load(&job->failed_task))
        lane->task = NULL; /* what comes after a failure is given up */
    if (lane->task == NULL) {
        digest->left_bytes = 0;
        lane->ending = false;
        take_task(job, lane);
    }
    if (lane->task == NULL)
        return;
    take_piece(job, lane);
    if (job->read_piece != NULL && job->read_piece(job, lane, &error) != SNAP_OK)
        note_failure(job, lane, &error);
}

static void end_piece(struct snap_io_job *job, struct snap_io_lane *lane)
{
    struct snap_error error = SNAP_ERROR_INIT;
    if (lane->task == NULL)
        return;
    if (job->write_piece != NULL && job->write_piece(job, lane, &error) != SNAP_OK) {
        note_failure(job, lane, &error);
        return;
    }
    lane->position = lane->base + lane->end;
    if (lane->position == lane->task->stop)
        lane->task = NULL;
}

/* Digest both pieces side by side. */
static void digest_pieces(struct snap_io_job *job, struct snap_io_lane lanes[2],
                          struct snap_sha256_lane digests[2])
{
    struct snap_error error = SNAP_ERROR_INIT;
    for (;;) {
        for (int i = 0; i < 2; i++)
            if (feed(job, &lanes[i], &digests[i], &error) != SNAP_OK)
                note_failure(job, &lanes[i], &error);
        if (digests[0].left_bytes == 0 && digests[1].left_bytes == 0)
            return;
        if (snap_sha256_lanes(digests, &error) == SNAP_OK)
            continue;
        for (int i = 0; i < 2; i++)
            if (lanes[i].task != NULL)
                note_failure(job, &lanes[i], &error);
        return;
    }
}

static void work(void *arg)
{
    struct snap_io_job *job = arg;
    struct snap_io_lane lanes[2] = { { .task = NULL }, { .task = NULL } };
    struct snap_sha256_lane digests[2] = { { .left_bytes = 0 }, { .left_bytes = 0 } };
    unsigned thread = atomic_fetch_add(&job->next_thread, 1);
    for (unsigned i = 0; i < 2; i++)
        lanes[i].buffer = job->buffers + (2 * thread + i) * job->piece_bytes;
    for (;;) {
        for (int i = 0; i < 2; i++)
            begin_piece(job, &lanes[i], &digests[i]);
        if (lanes[0].task == NULL && lanes[1].task == NULL)
            break;
        digest_pieces(job, lanes, digests);
        for (int i = 0; i < 2; i++)
            end_piece(job, &lanes[i]);
    }
    snap_sha256_release(&digests[0].context);
    snap_sha256_release(&digests[1].context);
}

enum snap_status snap_io_job_run(struct snap_io_job *job, struct snap_error *err)
{
    atomic_init(&job->next_task, 0);
    atomic_init(&job->next_thread, 0);
    atomic_init(&job->failed_task, job->task_count);
    snap_team_run(job->threads, work, job);
    if (atomic_load(&job->failed_task) == job->task_count)
        return SNAP_OK;
    if (err != NULL)
        *err = job->error;
    return job->error.status;
}
