/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "digest/member_digest.h"
#include "digest/sha256.h"

struct job {
    struct snap_digest_item *items;
    size_t count;
    atomic_size_t next;
    atomic_int status; /* the first failure */
};

static bool next_item(void *arg, struct snap_sha256_work *work)
{
    struct job *job = arg;
    size_t index = atomic_fetch_add(&job->next, 1);
    if (index >= job->count)
        return false;
    struct snap_digest_item *item = &job->items[index];
    *work = (struct snap_sha256_work){ item->data, item->size_bytes, item->sha256 };
    return true;
}

static void digest_items(void *arg, size_t index, unsigned worker)
{
    struct job *job = arg;
    (void)index;
    (void)worker;
    enum snap_status status = snap_sha256_all(next_item, job, NULL);
    int expected = SNAP_OK;
    if (status != SNAP_OK)
        atomic_compare_exchange_strong(&job->status, &expected, (int)status);
}

enum snap_status snap_member_digests(struct snap_pool *pool, struct snap_digest_item *items,
                                     size_t count, struct snap_error *err)
{
    struct job job = { .items = items, .count = count };
    atomic_init(&job.next, 0);
    atomic_init(&job.status, SNAP_OK);
    if (pool != NULL)
        snap_pool_run(pool, snap_pool_threads(pool), digest_items, &job);
    else
        digest_items(&job, 0, 0);
    enum snap_status status = (enum snap_status)atomic_load(&job.status);
    if (status != SNAP_OK)
        return snap_error_set(err, status,
                              "SHA-256 of %zu members: OpenSSL failed or memory is out", count);
    return SNAP_OK;
}
