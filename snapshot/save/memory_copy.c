/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "save/memory_copy.h"
#include "save/staging.h"

/* The last segments, which follow from the digests of the first. */
static enum snap_status finish(void *arg, const struct snap_segment **segments, size_t *count,
                               struct snap_error *err)
{
    struct snap_memory_copy *copy = arg;
    enum snap_status status = copy->original->finish(copy->original->arg, segments, count, err);
    for (size_t i = 0; status == SNAP_OK && i < *count; i++)
        memcpy(copy->memory.base + (*segments)[i].offset, (*segments)[i].data,
               (*segments)[i].size_bytes);
    return status;
}

enum snap_status snap_memory_copy_make(struct snap_memory_copy *copy,
                                       const struct snap_content *original, struct snap_pool *pool,
                                       struct snap_content *content, struct snap_error *err)
{
    struct snap_copy *copies = calloc(original->count + 1, sizeof *copies);
    struct snap_memory_copy made = SNAP_MEMORY_COPY_INIT;
    enum snap_status status = SNAP_OK;
    made.original = original;
    made.segments = calloc(original->count + 1, sizeof *made.segments);
    if (copies == NULL || made.segments == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "archive in memory: out of memory");
    if (status == SNAP_OK)
        status =
            snap_sealed_memory_new("snap-archive", original->size_bytes, &made.memory, err);
    for (size_t i = 0; status == SNAP_OK && i < original->count; i++) {
        const struct snap_segment *segment = &original->segments[i];
        unsigned char *place = made.memory.base + segment->offset;
        copies[i] = (struct snap_copy){ .to = place,
                                        .from = segment->data,
                                        .size_bytes = segment->size_bytes };
        made.segments[i] = *segment;
        made.segments[i].data = place;
    }
    if (status == SNAP_OK)
        status = snap_copy_all(pool, copies, original->count, err);
    free(copies);
    if (status != SNAP_OK) {
        snap_memory_copy_release(&made);
        return status;
    }
    *copy = made;
    *content = *original;
    content->segments = copy->segments;
    content->finish = finish;
    content->arg = copy;
    return SNAP_OK;
}

void snap_memory_copy_release(struct snap_memory_copy *copy)
{
    snap_sealed_memory_release(&copy->memory);
    free(copy->segments);
    *copy = (struct snap_memory_copy)SNAP_MEMORY_COPY_INIT;
}
