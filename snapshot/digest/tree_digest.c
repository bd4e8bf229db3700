/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/bytes.h"
#include "digest/sha256.h"
#include "digest/tree_digest.h"

/* Leaves that one task hashes: 1 MiB of data, so that the cost of a task does not count. */
#define TASK_LEAVES ((size_t)256)

/* A run of leaves of one item. */
struct task {
    const unsigned char *data;
    size_t size_bytes;
    unsigned char *digests; /* of its leaves */
};

struct job {
    struct snap_digest_item *items;
    size_t *first_leaf; /* of each item, in `digests` */
    unsigned char *digests;
    struct task *tasks;
    atomic_int status; /* the first failure */
};

static void note_failure(struct job *job, enum snap_status status)
{
    int expected = SNAP_OK;
    if (status != SNAP_OK)
        atomic_compare_exchange_strong(&job->status, &expected, (int)status);
}

/* The leaves of a task that are not hashed yet. */
static bool next_leaf(void *arg, struct snap_sha256_work *work)
{
    struct task *left = arg;
    if (left->size_bytes == 0)
        return false;
    size_t leaf = left->size_bytes < SNAP_TREE_LEAF_BYTES ? left->size_bytes : SNAP_TREE_LEAF_BYTES;
    *work = (struct snap_sha256_work){ left->data, leaf, left->digests };
    left->data += leaf;
    left->size_bytes -= leaf;
    left->digests += SNAP_DIGEST_BYTES;
    return true;
}

static void hash_task(void *arg, size_t index, unsigned worker)
{
    struct job *job = arg;
    struct task left = job->tasks[index];
    (void)worker;
    note_failure(job, snap_sha256_all(next_leaf, &left, NULL));
}

static void hash_root(void *arg, size_t index, unsigned worker)
{
    struct job *job = arg;
    struct snap_digest_item *item = &job->items[index];
    (void)worker;
    const unsigned char *leaves = item->leaves != NULL
                                      ? item->leaves
                                      : job->digests + job->first_leaf[index] * SNAP_DIGEST_BYTES;
    note_failure(job, snap_sha256(leaves,
                                  snap_tree_leaf_count(item->size_bytes) * SNAP_DIGEST_BYTES,
                                  item->sha256, NULL));
}

static void run(struct snap_pool *pool, size_t count, snap_pool_task *task, struct job *job)
{
    if (pool != NULL)
        snap_pool_run(pool, count, task, job);
    else
        for (size_t i = 0; i < count; i++)
            task(job, i, 0);
}

enum snap_status snap_tree_hashes(struct snap_pool *pool, struct snap_digest_item *items,
                                  size_t count, struct snap_error *err)
{
    struct job job = { .items = items };
    enum snap_status status = SNAP_OK;
    size_t leaves = 0;
    size_t tasks = 0;
    atomic_init(&job.status, SNAP_OK);
    job.first_leaf = calloc(count + 1, sizeof *job.first_leaf);
    if (job.first_leaf == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "tree hash: out of memory");
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        size_t own = items[i].leaves != NULL ? 0 : snap_tree_leaf_count(items[i].size_bytes);
        job.first_leaf[i] = leaves;
        leaves += own;
        tasks += (own + TASK_LEAVES - 1) / TASK_LEAVES;
    }
    job.digests = calloc(leaves + 1, SNAP_DIGEST_BYTES);
    job.tasks = calloc(tasks + 1, sizeof *job.tasks);
    if (job.digests == NULL || job.tasks == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "tree hash: out of memory");
        goto out;
    }
    tasks = 0;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *data = items[i].data;
        size_t left = items[i].leaves != NULL ? 0 : items[i].size_bytes;
        unsigned char *digests = job.digests + job.first_leaf[i] * SNAP_DIGEST_BYTES;
        while (left > 0) {
            size_t most = TASK_LEAVES * SNAP_TREE_LEAF_BYTES;
            size_t bytes = left < most ? left : most;
            job.tasks[tasks++] = (struct task){ data, bytes, digests };
            data += bytes;
            left -= bytes;
            digests += TASK_LEAVES * SNAP_DIGEST_BYTES;
        }
    }
    run(pool, tasks, hash_task, &job);
    run(pool, count, hash_root, &job);
    status = (enum snap_status)atomic_load(&job.status);
    if (status != SNAP_OK)
        snap_error_set(err, status, "tree hash: OpenSSL failed or memory is out");
out:
    free(job.tasks);
    free(job.digests);
    free(job.first_leaf);
    return status;
}

enum snap_status snap_tree_hash(const void *data, size_t size_bytes,
                                unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    struct snap_digest_item item = { .data = data, .size_bytes = size_bytes };
    enum snap_status status = snap_tree_hashes(NULL, &item, 1, err);
    if (status != SNAP_OK)
        return status;
    for (size_t i = 0; i < SNAP_DIGEST_BYTES; i++)
        out[i] = item.sha256[i];
    return SNAP_OK;
}
