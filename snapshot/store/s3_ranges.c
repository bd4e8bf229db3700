/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "store/s3_objects.h"

/* Headers and listings are read a little at a time: each fetch brings so much, and a few are kept.
 * What is longer than half of it is fetched as it is. */
#define BLOCK_BYTES ((size_t)32 << 10)
#define BLOCKS 4u

struct block {
    unsigned char *bytes; /* NULL: none */
    uint64_t offset;
    size_t size;
    uint64_t used; /* when: the least is the first to go */
};

struct object {
    struct snap_ranges ranges;
    struct snap_s3 *s3;
    char *name;
    char etag[SNAP_S3_ETAG_BYTES];
    pthread_mutex_t lock; /* of the blocks */
    struct block blocks[BLOCKS];
    uint64_t clock;
};

static enum snap_status fetch(struct object *object, unsigned char *data, size_t size,
                              uint64_t offset, struct snap_error *err)
{
    const struct snap_s3_request request = {
        .method = "GET",
        .what = "reading",
        .name = object->name,
        .if_match = object->etag[0] != '\0' ? object->etag : NULL,
        .range = data,
        .range_bytes = size,
        .offset = offset,
    };
    struct snap_s3_response response = SNAP_S3_RESPONSE_INIT;
    enum snap_status status = snap_s3_send(object->s3, &request, &response, err);
    if (status != SNAP_OK)
        return status;
    if (response.status == 412)
        status = snap_error_set(err, SNAP_IO, "%s/%s: was replaced while it was read: read it anew",
                                object->s3->where, object->name);
    else if (!snap_s3_is_done(&response))
        status = snap_s3_refused(object->s3, &request, &response, err);
    snap_s3_response_release(&response);
    return status;
}

/* The block around a byte, fetched when it is not there. The lock is held. */
static enum snap_status get_block(struct object *object, uint64_t offset, struct block **found,
                                  struct snap_error *err)
{
    struct block *oldest = &object->blocks[0];
    uint64_t base = offset - offset % BLOCK_BYTES;
    uint64_t left = object->ranges.size_bytes - base;
    for (unsigned i = 0; i < BLOCKS; i++) {
        struct block *block = &object->blocks[i];
        if (block->size > 0 && block->offset == base) {
            block->used = ++object->clock;
            *found = block;
            return SNAP_OK;
        }
        if (block->used < oldest->used)
            oldest = block;
    }
    if (oldest->bytes == NULL && (oldest->bytes = malloc(BLOCK_BYTES)) == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", object->s3->where);
    size_t size = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
    oldest->size = 0;
    enum snap_status status = fetch(object, oldest->bytes, size, base, err);
    if (status != SNAP_OK)
        return status;
    oldest->offset = base;
    oldest->size = size;
    oldest->used = ++object->clock;
    *found = oldest;
    return SNAP_OK;
}

static enum snap_status object_read(struct snap_ranges *ranges, void *data, size_t size_bytes,
                                    uint64_t offset, struct snap_error *err)
{
    struct object *object = (struct object *)ranges;
    unsigned char *out = data;
    enum snap_status status = SNAP_OK;
    if (size_bytes > BLOCK_BYTES / 2)
        return fetch(object, data, size_bytes, offset, err);
    pthread_mutex_lock(&object->lock);
    while (status == SNAP_OK && size_bytes > 0) {
        struct block *block = NULL;
        status = get_block(object, offset, &block, err);
        if (status != SNAP_OK)
            break;
        size_t at = (size_t)(offset - block->offset);
        size_t bytes = block->size - at < size_bytes ? block->size - at : size_bytes;
        memcpy(out, block->bytes + at, bytes);
        out += bytes;
        offset += bytes;
        size_bytes -= bytes;
    }
    pthread_mutex_unlock(&object->lock);
    return status;
}

static void object_close(struct snap_ranges *ranges)
{
    struct object *object = (struct object *)ranges;
    for (unsigned i = 0; i < BLOCKS; i++)
        free(object->blocks[i].bytes);
    pthread_mutex_destroy(&object->lock);
    free(object->name);
    free(object);
}

static const struct snap_ranges_ops object_ops = { object_read, object_close };

enum snap_status snap_s3_open_ranges(struct snap_s3 *s3, const char *name,
                                     struct snap_ranges **ranges, struct snap_error *err)
{
    struct object *made = calloc(1, sizeof *made);
    bool there = false;
    if (made == NULL || (made->name = strdup(name)) == NULL) {
        free(made);
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", s3->where);
    }
    pthread_mutex_init(&made->lock, NULL);
    made->ranges.ops = &object_ops;
    made->s3 = s3;
    enum snap_status status =
        snap_s3_look(s3, name, &there, &made->ranges.size_bytes, made->etag, err);
    if (status == SNAP_OK && !there)
        status = snap_error_set(err, SNAP_NOT_FOUND, "%s/%s: no such object", s3->where, name);
    if (status == SNAP_OK)
        *ranges = &made->ranges;
    else
        object_close(&made->ranges);
    return status;
}
