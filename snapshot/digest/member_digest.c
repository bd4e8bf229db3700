/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdatomic.h>

#include "digest/member_digest.h"
#include "digest/sha256.h"

struct job {
    struct snap_digest_item *items;
    atomic_int status; /* the first failure */
};

static void digest_item(void *arg, size_t index, unsigned worker)
{
    struct job *job = arg;
    struct snap_digest_item *item = &job->items[index];
    (void)worker;
    enum snap_status status = snap_sha256(item->data, item->size_bytes, item->sha256, NULL);
    int expected = SNAP_OK;
    if (status != SNAP_OK)
        atomic_compare_exchange_strong(&job->status, &expected, (int)status);
}

enum snap_status snap_member_digests(struct snap_pool *pool, struct snap_digest_item *items,
                                     size_t count, struct snap_error *err)
{
    struct job job = { .items = items };
    atomic_init(&job.status, SNAP_OK);
    if (pool != NULL)
        snap_pool_run(pool, count, digest_item, &job);
    else
        for (size_t i = 0; i < count; i++)
            digest_item(&job, i, 0);
    enum snap_status status = (enum snap_status)atomic_load(&job.status);
    if (status != SNAP_OK)
        return snap_error_set(err, status,
                              "SHA-256 of %zu members: OpenSSL failed or memory is out", count);
    return SNAP_OK;
}
