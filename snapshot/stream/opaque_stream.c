/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a generator that only the caller understands: kept, compared, given back. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "stream/stream_family.h"

#define KIND "opaque"

struct opaque_stream {
    void *bytes; /* owned; NULL while there are none */
    size_t size_bytes;
};

/* malloc of at least one byte, so that NULL always means no memory. */
static void *copy_of(const void *bytes, size_t size_bytes)
{
    void *copy = malloc(size_bytes > 0 ? size_bytes : 1);

    if (copy != NULL && size_bytes > 0) {
        memcpy(copy, bytes, size_bytes);
    }
    return copy;
}

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    const struct opaque_stream *o = state;
    void *copy = copy_of(o->bytes, o->size_bytes);

    if (copy == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "stream " KIND ": encode: no memory");
    }
    *bytes = copy;
    *size_bytes = o->size_bytes;
    return SNAP_OK;
}

static enum snap_status decode(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err)
{
    struct opaque_stream *o = state;
    void *copy = copy_of(bytes, size_bytes);

    if (copy == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "stream " KIND ": decode: no memory");
    }
    free(o->bytes);
    o->bytes = copy;
    o->size_bytes = size_bytes;
    return SNAP_OK;
}

static void init(void *state)
{
    memset(state, 0, sizeof(struct opaque_stream));
}

static void release(void *state)
{
    free(((struct opaque_stream *)state)->bytes);
}

static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    const struct opaque_stream *a = from;
    const struct opaque_stream *b = to;

    (void)limit_words; /* nothing is stepped */
    *words = 0;
    return a->size_bytes == b->size_bytes &&
           (a->size_bytes == 0 || memcmp(a->bytes, b->bytes, a->size_bytes) == 0);
}

const struct snap_stream_family snap_opaque_stream_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct opaque_stream),
    .init = init,
    .release = release,
    .encode = encode,
    .decode = decode,
    .distance = distance,
};
