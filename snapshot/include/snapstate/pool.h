/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of threads for work that splits over outputs. Which thread does an item never decides a
 * result: an item's output belongs to that item alone. */
#ifndef SNAPSTATE_POOL_H
#define SNAPSTATE_POOL_H

#include <stddef.h>

#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* At most this many threads: more than any one machine has today, and a bound on what a mistaken
 * option can allocate. */
#define SNAP_POOL_MAX_THREADS 1024u

struct snap_pool;

/* Do item `index`; `worker` is 0 <= worker < snap_pool_threads(), the same for no two items that
 * run at the same time, so that scratch memory can be kept per worker. Must not call
 * snap_pool_run on the same pool. */
typedef void snap_pool_task(void *arg, size_t index, unsigned worker);

/* A pool of `threads` threads, the caller's own counted in; 0 means one per online processor.
 * Every worker runs with round-to-nearest and without flushing of subnormals, whatever the
 * process set. Owned by the caller. SNAP_INVALID past SNAP_POOL_MAX_THREADS. */
enum snap_status snap_pool_new(unsigned threads, struct snap_pool **pool, struct snap_error *err);

/* Call `task(arg, i, worker)` once for every 0 <= i < count, and return when all are done. The
 * caller's thread works too (as worker 0). One run at a time: a second caller waits. */
void snap_pool_run(struct snap_pool *pool, size_t count, snap_pool_task *task, void *arg);

/* The number of threads, the caller's counted in: at least 1. */
unsigned snap_pool_threads(const struct snap_pool *pool);

/* Stop the workers and free the pool. NULL is fine. */
void snap_pool_free(struct snap_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
