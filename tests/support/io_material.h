/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of io/: system calls that fail on demand, and files of segments of odd sizes. Linked
 * with a test, pwrite and pread of the whole program are these. */
#ifndef SNAP_TESTS_IO_MATERIAL_H
#define SNAP_TESTS_IO_MATERIAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include <snapstate/archive.h>
#include <snapstate/pool.h>

#include "core/segment.h"
#include "io/write_file.h"

/* Which call fails, counted from 1 and over all threads; 0: none. */
struct io_faults {
    atomic_int countdown;
    int error;
    atomic_int interruptions;
    size_t most_bytes; /* of one call; 0: all */
    bool no_direct;    /* what is open with O_DIRECT takes and gives no bytes */
    useconds_t delay;  /* of each call on what is open with O_DIRECT */
    atomic_int direct_calls;
    atomic_bool hit;
};
extern struct io_faults fault;
void no_faults(void);

/* A content: many segments, some empty, some digested, and a rest that depends on digests. */
#define MOST_SEGMENTS 600
struct material {
    unsigned char *bytes;
    size_t size;
    struct snap_segment segments[MOST_SEGMENTS];
    unsigned char digests[MOST_SEGMENTS][SNAP_DIGEST_BYTES];
    size_t count; /* before the rest */
    size_t rest_count;
    int finished;
    struct snap_content content;
};

/* `size` bytes, of which the last `rest` depend on the digests. `step`: about the bytes of a
 * segment. `bytes` is freed with free(). */
void make_material(struct material *material, size_t size, size_t rest, size_t step);

/* The file that all of a program's tests use, and three threads: more than one lane and one core
 * have. Set up and torn down with the program's tests. */
extern char io_path[];
extern struct snap_pool *io_pool;
int set_up_io(void **state);
int tear_down_io(void **state);

/* An empty file there, open for reading and writing. */
int new_file(void);
/* Write into a new file and close it. */
enum snap_status write_material(struct material *material, enum snap_io_way way,
                                struct snap_pool *threads, struct snap_error *err);

#define IO_BLOCK ((size_t)4096)
#define IO_LARGE (((size_t)13 << 20) + 1234) /* three tasks */

#endif
