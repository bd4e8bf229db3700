/* SPDX-License-Identifier: Apache-2.0 */
/* Object storage as a store: what it has no way for, appending and locks, it does not offer. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "store/s3_objects.h"
#include "store/s3_parts.h"
#include "store/s3_put.h"
#include "store/store_s3.h"

/* Updates of others are met so often before it is given up. */
#define UPDATE_ATTEMPTS 20u

struct s3_store {
    struct snap_store store;
    struct snap_s3 *s3;
};

static struct snap_s3 *client(const struct snap_store *store)
{
    return ((const struct s3_store *)store)->s3;
}

static enum snap_status s3_put(struct snap_store *store, const char *name,
                               const struct snap_content *content,
                               const struct snap_put_options *options, struct snap_error *err)
{
    return snap_s3_put(client(store), name, content, options, err);
}

/* An object is durable when the server has answered. */
static enum snap_status s3_sync(struct snap_store *store, const char *name, struct snap_error *err)
{
    char etag[SNAP_S3_ETAG_BYTES];
    bool there = false;
    uint64_t size;
    enum snap_status status = snap_s3_look(client(store), name, &there, &size, etag, err);
    if (status == SNAP_OK && !there)
        status = snap_error_set(err, SNAP_NOT_FOUND, "%s/%s: no such object", client(store)->where,
                                name);
    return status;
}

static enum snap_status s3_exists(struct snap_store *store, const char *name, bool *exists,
                                  struct snap_error *err)
{
    char etag[SNAP_S3_ETAG_BYTES];
    uint64_t size;
    return snap_s3_look(client(store), name, exists, &size, etag, err);
}

static enum snap_status s3_open_ranges(struct snap_store *store, const char *name,
                                       struct snap_ranges **ranges, struct snap_error *err)
{
    return snap_s3_open_ranges(client(store), name, ranges, err);
}

static enum snap_status s3_remove(struct snap_store *store, const char *name,
                                  struct snap_error *err)
{
    const struct snap_s3_request request = { .method = "DELETE",
                                             .what = "removing",
                                             .name = name };
    struct snap_s3_response response = SNAP_S3_RESPONSE_INIT;
    /* Removing what is not there is success to a server. */
    enum snap_status status = s3_sync(store, name, err);
    if (status == SNAP_OK)
        status = snap_s3_send(client(store), &request, &response, err);
    if (status != SNAP_OK)
        return status;
    if (!snap_s3_is_done(&response))
        status = snap_s3_refused(client(store), &request, &response, err);
    snap_s3_response_release(&response);
    return status;
}

static enum snap_status s3_list(struct snap_store *store, const char *folder,
                                enum snap_status (*visit)(void *arg, const char *name,
                                                          uint64_t size, struct snap_error *err),
                                void *arg, struct snap_error *err)
{
    struct snap_s3_objects objects;
    enum snap_status status = snap_s3_list(client(store), folder, &objects, err);
    if (status != SNAP_OK)
        return status;
    for (size_t i = 0; status == SNAP_OK && i < objects.count; i++)
        status = visit(arg, objects.items[i].name, objects.items[i].size_bytes, err);
    snap_s3_objects_release(&objects);
    return status;
}

/* ---- small files ---- */

/* What it holds now, and its ETag: one answer, so that they belong together. That it is not there
 * is a 404. */
static enum snap_status read_small(struct snap_s3 *s3, const char *name, uint64_t limit,
                                   struct snap_s3_response *response, struct snap_error *err)
{
    const struct snap_s3_request request = { .method = "GET",
                                             .what = "reading",
                                             .name = name,
                                             .most_bytes = (size_t)limit + SNAP_S3_ERROR_BYTES };
    enum snap_status status = snap_s3_send(s3, &request, response, err);
    if (status != SNAP_OK)
        return status;
    if (!snap_s3_is_done(response) && response->status != 404)
        status = snap_s3_refused(s3, &request, response, err);
    else if (response->status == 404 && strcmp(response->code, "NoSuchBucket") == 0)
        status = snap_s3_refused(s3, &request, response, err);
    else if (snap_s3_is_done(response) && response->body.size > limit)
        status = snap_error_set(err, SNAP_CORRUPT, "%s/%s: has more than %llu bytes", s3->where,
                                name, (unsigned long long)limit);
    if (status != SNAP_OK)
        snap_s3_response_release(response);
    return status;
}

static enum snap_status s3_read(struct snap_store *store, const char *name, uint64_t limit,
                                struct snap_buffer *out, struct snap_error *err)
{
    struct snap_s3_response response = SNAP_S3_RESPONSE_INIT;
    enum snap_status status = read_small(client(store), name, limit, &response, err);
    if (status != SNAP_OK)
        return status;
    if (!snap_s3_is_done(&response))
        status = snap_error_set(err, SNAP_NOT_FOUND, "%s/%s: no such object", client(store)->where,
                                name);
    else
        status = snap_buffer_append(out, response.body.data, response.body.size, err);
    snap_s3_response_release(&response);
    return status;
}

static enum snap_status s3_update(struct snap_store *store, const char *name, uint64_t limit,
                                  snap_store_decide *decide, void *arg, bool *exclusive,
                                  struct snap_error *err)
{
    struct snap_s3 *s3 = client(store);
    for (unsigned count = 1;; count++) {
        struct snap_s3_response old = SNAP_S3_RESPONSE_INIT;
        struct snap_buffer content = SNAP_BUFFER_INIT;
        bool write = false;
        bool done = true;
        enum snap_status status = read_small(s3, name, limit, &old, err);
        if (status != SNAP_OK)
            return status;
        bool there = snap_s3_is_done(&old);
        /* What has no ETag cannot be named in a condition. */
        bool blind = there && old.etag[0] == '\0';
        status = decide(arg, there ? &old.body : NULL, &content, &write, err);
        if (status == SNAP_OK && write)
            status = snap_s3_put_if(s3, name, content.data, content.size,
                                    blind ? NULL : there ? old.etag : "", &done, exclusive, err);
        if (status == SNAP_OK && write && blind)
            *exclusive = false;
        snap_buffer_release(&content);
        snap_s3_response_release(&old);
        if (status != SNAP_OK || done)
            return status;
        if (count == UPDATE_ATTEMPTS)
            return snap_error_set(err, SNAP_BUSY, "%s/%s: others change it all the time", s3->where,
                                  name);
        snap_s3_pause(s3, count, UINT64_MAX);
    }
}

/* ---- uploads ---- */

static enum snap_status s3_uploads(struct snap_store *store, bool give_up,
                                   enum snap_status (*visit)(void *arg, const char *name,
                                                             uint64_t size,
                                                             struct snap_error *err),
                                   void *arg, bool *told, struct snap_error *err)
{
    struct snap_s3 *s3 = client(store);
    struct snap_s3_uploads uploads;
    struct snap_s3_part *parts = calloc(SNAP_S3_MOST_PARTS, sizeof *parts);
    bool secret = false;
    bool *wanted = told != NULL ? &secret : NULL;
    if (parts == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", s3->where);
    enum snap_status status = snap_s3_uploads_list(s3, NULL, &uploads, wanted, err);
    for (size_t i = 0; status == SNAP_OK && !secret && i < uploads.count; i++) {
        const struct snap_s3_upload *upload = &uploads.items[i];
        uint64_t bytes = 0;
        status = snap_s3_parts_list(s3, upload, parts, &bytes, wanted, err);
        if (status == SNAP_NOT_FOUND)
            status = SNAP_OK; /* somebody has completed it, or given it up */
        if (status == SNAP_OK && give_up)
            status = snap_s3_upload_abort(s3, upload, err);
        if (status == SNAP_OK && !secret)
            status = visit(arg, upload->name, bytes, err);
    }
    if (status == SNAP_OK && told != NULL)
        *told = !secret;
    snap_s3_uploads_release(&uploads); /* empty when it could not be listed */
    free(parts);
    return status;
}

static void s3_heed(struct snap_store *store, const struct snap_stop *stop)
{
    client(store)->stop = stop;
}

static const char *s3_path(const struct snap_store *store)
{
    (void)store;
    return NULL;
}

static const char *s3_where(const struct snap_store *store)
{
    return client(store)->where;
}

static void s3_close(struct snap_store *store)
{
    snap_s3_free(client(store));
    free(store);
}

static const struct snap_store_ops s3_ops = {
    .kind = "object storage",
    .put = s3_put,
    .sync = s3_sync,
    .read = s3_read,
    .update = s3_update,
    .open_ranges = s3_open_ranges,
    .uploads = s3_uploads,
    .exists = s3_exists,
    .remove = s3_remove,
    .list = s3_list,
    .heed = s3_heed,
    .path = s3_path,
    .where = s3_where,
    .close = s3_close,
};

enum snap_status snap_store_s3_open(const char *uri, struct snap_store **store,
                                    struct snap_error *err)
{
    struct s3_store *made = calloc(1, sizeof *made);
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "s3: out of memory");
    made->store.ops = &s3_ops;
    enum snap_status status = snap_s3_new(uri, &made->s3, err);
    if (status == SNAP_OK)
        *store = &made->store;
    else
        free(made);
    return status;
}
