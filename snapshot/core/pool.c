/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <snapstate/pool.h>

/* How often a thread looks again before it sleeps: some ten microseconds, which is less than a
 * wake-up takes. Only where every thread has a processor to itself. */
#define SPIN_LIMIT 2000u

struct worker {
    struct snap_pool *pool;
    pthread_t thread;
    unsigned index;
};

struct snap_pool {
    unsigned threads;
    unsigned spin_limit;
    struct worker *workers; /* threads - 1 */
    unsigned started;

    pthread_mutex_t run_lock; /* held through a run: one at a time */
    pthread_mutex_t lock;     /* of all below */
    pthread_cond_t wake;      /* a run has begun, or the pool ends */
    pthread_cond_t idle;      /* the last worker has left a closed run */
    atomic_uint run_number;   /* changes when a run begins */
    atomic_uint active;       /* workers inside the run */
    bool open;                /* workers may still enter */
    bool stop;

    /* The run. Written under `lock` before workers are let in. */
    snap_pool_task *task;
    void *arg;
    size_t count;
    atomic_size_t next;
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void do_items(struct snap_pool *pool, unsigned worker)
{
    for (;;) {
        size_t index = atomic_fetch_add(&pool->next, 1);
        if (index >= pool->count)
            return;
        pool->task(pool->arg, index, worker);
    }
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct snap_pool *pool = worker->pool;
    unsigned seen = 0;
    fesetenv(FE_DFL_ENV);
    for (;;) {
        for (unsigned i = 0; i < pool->spin_limit && atomic_load(&pool->run_number) == seen; i++)
            relax();
        pthread_mutex_lock(&pool->lock);
        while (!pool->stop && (!pool->open || atomic_load(&pool->run_number) == seen))
            pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->stop) {
            pthread_mutex_unlock(&pool->lock);
            return NULL;
        }
        seen = atomic_load(&pool->run_number);
        atomic_fetch_add(&pool->active, 1);
        pthread_mutex_unlock(&pool->lock);

        do_items(pool, worker->index);

        pthread_mutex_lock(&pool->lock);
        if (atomic_fetch_sub(&pool->active, 1) == 1 && !pool->open)
            pthread_cond_signal(&pool->idle);
        pthread_mutex_unlock(&pool->lock);
    }
}

static unsigned usable_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    /* More processors than the set can say. */
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

static enum snap_status start_workers(struct snap_pool *pool, struct snap_error *err)
{
    /* Signals are for the program's own threads. */
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = 0;
    while (failed == 0 && pool->started < pool->threads - 1) {
        struct worker *worker = &pool->workers[pool->started];
        worker->pool = pool;
        worker->index = pool->started + 1;
        failed = pthread_create(&worker->thread, NULL, worker_main, worker);
        if (failed == 0)
            pool->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        return snap_error_set_os(err, SNAP_IO, failed, "thread pool: starting thread %u of %u",
                                 pool->started + 2, pool->threads);
    return SNAP_OK;
}

enum snap_status snap_pool_new(unsigned threads, struct snap_pool **pool, struct snap_error *err)
{
    if (threads > SNAP_POOL_MAX_THREADS)
        return snap_error_set(err, SNAP_INVALID, "thread pool: %u threads: at most %u", threads,
                              SNAP_POOL_MAX_THREADS);
    unsigned processors = usable_processors();
    if (threads == 0)
        threads = processors < SNAP_POOL_MAX_THREADS ? processors : SNAP_POOL_MAX_THREADS;
    struct snap_pool *made = calloc(1, sizeof *made);
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "thread pool: out of memory");
    made->threads = threads;
    made->spin_limit = threads <= processors ? SPIN_LIMIT : 0;
    pthread_mutex_init(&made->run_lock, NULL);
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->wake, NULL);
    pthread_cond_init(&made->idle, NULL);
    if (threads > 1) {
        made->workers = calloc(threads - 1, sizeof *made->workers);
        if (made->workers == NULL) {
            snap_pool_free(made);
            return snap_error_set(err, SNAP_NO_MEMORY, "thread pool: out of memory");
        }
        enum snap_status status = start_workers(made, err);
        if (status != SNAP_OK) {
            snap_pool_free(made);
            return status;
        }
    }
    *pool = made;
    return SNAP_OK;
}

void snap_pool_run(struct snap_pool *pool, size_t count, snap_pool_task *task, void *arg)
{
    if (count == 0)
        return;
    fenv_t before;
    fegetenv(&before);
    fesetenv(FE_DFL_ENV);
    pthread_mutex_lock(&pool->run_lock);
    bool shared = pool->started > 0 && count > 1;
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->arg = arg;
    pool->count = count;
    atomic_store(&pool->next, 0);
    if (shared) {
        pool->open = true;
        atomic_fetch_add(&pool->run_number, 1);
        if (count > pool->started)
            pthread_cond_broadcast(&pool->wake);
        else
            for (size_t i = 1; i < count; i++)
                pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->lock);

    do_items(pool, 0);

    if (shared) {
        /* Nobody else may enter; those inside are finishing their last item. */
        pthread_mutex_lock(&pool->lock);
        pool->open = false;
        pthread_mutex_unlock(&pool->lock);
        for (unsigned i = 0; i < pool->spin_limit && atomic_load(&pool->active) > 0; i++)
            relax();
        pthread_mutex_lock(&pool->lock);
        while (atomic_load(&pool->active) > 0)
            pthread_cond_wait(&pool->idle, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->run_lock);
    fesetenv(&before);
}

unsigned snap_pool_threads(const struct snap_pool *pool)
{
    return pool->threads;
}

void snap_pool_free(struct snap_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->run_lock);
    free(pool->workers);
    free(pool);
}
