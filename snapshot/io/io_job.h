/* SPDX-License-Identifier: Apache-2.0 */
/* What reading and writing have in common: spans of a file are shared among threads, each of which
 * takes two stretches of it side by side, piece by piece through a buffer, and digests the pieces
 * while they are in the cache. For read_file.c and write_file.c alone. */
#ifndef SNAP_IO_IO_JOB_H
#define SNAP_IO_IO_JOB_H

#include <pthread.h>
#include <stdatomic.h>

#include <snapstate/pool.h>
#include <snapstate/status.h>

#include "digest/sha256.h"
#include "io/span.h"

/* What direct I/O must be a multiple of, in the file and in memory: the largest block of the
 * devices and file systems that are in use. Where it is more, I/O goes through the page cache. */
#define SNAP_IO_BLOCK_BYTES ((size_t)4096)
/* What one call reads or writes at most: long enough that the call costs nothing, short enough
 * that the piece stays in the cache until it is digested. */
#define SNAP_IO_PIECE_BYTES ((size_t)2 << 20)
/* Files from here on are worth threads and direct I/O. */
#define SNAP_IO_LARGE_BYTES ((uint64_t)4 << 20)

/* A stretch of the file that one lane takes from its first byte to its last. */
struct snap_io_task {
    size_t first_span;
    size_t end_span; /* the first one that is not in it */
    uint64_t offset;
    uint64_t stop;
};

/* One of the two stretches that a thread has under way. */
struct snap_io_lane {
    const struct snap_io_task *task; /* NULL: none */
    uint64_t position;               /* the next byte of the file */
    size_t span;                     /* of the next byte to be visited */
    size_t done;                     /* bytes of it that were */
    bool ending;                     /* all were; its digest is not finished */
    /* The piece: bytes `begin` to `end` of the buffer are those of the file from `base` + `begin`
     * on; `base` is a multiple of the block. */
    unsigned char *buffer;
    uint64_t base;
    size_t begin;
    size_t end;
    bool in_place; /* the bytes were read to where they belong, and are not in the buffer */
};

struct snap_io_job {
    struct snap_span *spans;
    size_t span_count;
    const char *what; /* names the file in messages */
    void *arg;        /* of read_piece and write_piece */
    struct snap_io_task *tasks;
    size_t task_count;
    size_t piece_bytes;
    unsigned threads;
    unsigned char *buffers; /* two pieces for each thread */
    /* Fill the piece's part of the buffer, or the place of the span that it lies in, from the file;
     * or write the buffer into the file, when it was filled from the spans. One is NULL. */
    enum snap_status (*read_piece)(struct snap_io_job *job, struct snap_io_lane *lane,
                                   struct snap_error *err);
    enum snap_status (*write_piece)(struct snap_io_job *job, struct snap_io_lane *lane,
                                    struct snap_error *err);

    atomic_size_t next_task;
    atomic_uint next_thread;
    atomic_size_t failed_task; /* the first that failed; task_count: none */
    pthread_mutex_t lock;      /* of what follows */
    size_t failed_span;        /* where it failed */
    struct snap_error error;
};

/* Cut the spans into tasks, and get buffers. The fields up to `arg`, and read_piece or write_piece,
 * are set before. `pool` says how many threads (NULL: the caller's alone). To be released whatever
 * the answer. */
enum snap_status snap_io_job_init(struct snap_io_job *job, struct snap_pool *pool,
                                  struct snap_error *err);
/* Do all tasks. On failure failed_span is where the first of them failed: every span before it was
 * done. */
enum snap_status snap_io_job_run(struct snap_io_job *job, struct snap_error *err);
void snap_io_job_release(struct snap_io_job *job);

/* The block that a byte of the file lies in begins here. */
static inline uint64_t snap_io_block(uint64_t offset)
{
    return offset & ~(uint64_t)(SNAP_IO_BLOCK_BYTES - 1);
}

#endif
