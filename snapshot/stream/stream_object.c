/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of any kind: the calls that do not draw. */
#include "config.h"

#include <snapstate/stream.h>
#include <stdlib.h>

#include "stream/numpy_bit_generator.h"
#include "stream/stream_family.h"

static enum snap_status find(const char *kind, const struct snap_stream_family **family,
                             struct snap_error *err)
{
    if (kind == NULL) {
        return snap_error_set(err, SNAP_INVALID, "stream: find its kind: the name is NULL");
    }
    *family = snap_stream_family_find(kind);
    if (*family == NULL) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "stream: find its kind: this build knows no kind \"%.64s\"", kind);
    }
    return SNAP_OK;
}

enum snap_status snap_stream_state_new(const struct snap_stream_family *family, void **state,
                                       struct snap_error *err)
{
    *state = calloc(1, family->state_size_bytes);
    if (*state == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "stream %s: new: no memory", family->name);
    }
    family->init(*state);
    return SNAP_OK;
}

void snap_stream_state_free(const struct snap_stream_family *family, void *state)
{
    if (state != NULL && family->release != NULL) {
        family->release(state);
    }
    free(state);
}

enum snap_status snap_stream_new(const char *kind, struct snap_stream **stream,
                                 struct snap_error *err)
{
    const struct snap_stream_family *family;
    struct snap_stream *made;
    enum snap_status status;

    if (stream == NULL) {
        return snap_error_set(err, SNAP_INVALID, "stream: new: no place for the result");
    }
    status = find(kind, &family, err);
    if (status != SNAP_OK) {
        return status;
    }
    made = malloc(sizeof *made);
    if (made == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "stream %s: new: no memory", kind);
    }
    made->family = family;
    made->words_followed = 0;
    status = snap_stream_state_new(family, &made->state, err);
    if (status != SNAP_OK) {
        free(made);
        return status;
    }
    *stream = made;
    return SNAP_OK;
}

void snap_stream_free(struct snap_stream *stream)
{
    if (stream != NULL) {
        snap_stream_state_free(stream->family, stream->state);
        free(stream);
    }
}

const char *snap_stream_kind(const struct snap_stream *stream)
{
    return stream->family->name;
}

enum snap_status snap_stream_seed(struct snap_stream *stream, uint64_t seed,
                                  struct snap_error *err)
{
    if (stream->family->seed == NULL) {
        return snap_error_set(err, SNAP_INVALID, "stream %s: seed: this kind has no seed",
                              stream->family->name);
    }
    return stream->family->seed(stream->state, seed, err);
}

enum snap_status snap_stream_encode(const struct snap_stream *stream, void **bytes,
                                    size_t *size_bytes, struct snap_error *err)
{
    return stream->family->encode(stream->state, bytes, size_bytes, err);
}

enum snap_status snap_stream_decode(struct snap_stream *stream, const void *bytes,
                                    size_t size_bytes, struct snap_error *err)
{
    return stream->family->decode(stream->state, bytes, size_bytes, err);
}

uint64_t snap_stream_words_drawn(const struct snap_stream *stream)
{
    uint64_t drawn =
        stream->family->words_drawn != NULL ? stream->family->words_drawn(stream->state) : 0;

    return drawn + stream->words_followed;
}

enum snap_status snap_stream_distance(const char *kind, const void *from_bytes, size_t from_size,
                                      const void *to_bytes, size_t to_size, uint64_t limit_words,
                                      int64_t *words, bool *related, struct snap_error *err)
{
    const struct snap_stream_family *family;
    void *from = NULL;
    void *to = NULL;
    int64_t found = 0;
    enum snap_status status;

    if (words == NULL || related == NULL) {
        return snap_error_set(err, SNAP_INVALID, "stream: distance: no place for the result");
    }
    status = find(kind, &family, err);
    if (status != SNAP_OK) {
        return status;
    }
    status = snap_stream_state_new(family, &from, err);
    if (status != SNAP_OK) {
        goto out;
    }
    status = snap_stream_state_new(family, &to, err);
    if (status != SNAP_OK) {
        goto out;
    }
    status = family->decode(from, from_bytes, from_size, err);
    if (status != SNAP_OK) {
        goto out;
    }
    status = family->decode(to, to_bytes, to_size, err);
    if (status != SNAP_OK) {
        goto out;
    }
    *related = family->distance(from, to, limit_words, &found);
    *words = *related ? found : 0;
out:
    snap_stream_state_free(family, from);
    snap_stream_state_free(family, to);
    return status;
}

void *snap_stream_state(struct snap_stream *stream, const struct snap_stream_family *family,
                        const char *draw, struct snap_error *err)
{
    if (stream->family != family) {
        snap_error_set(err, SNAP_INVALID, "stream %s: %s: this draw needs a stream of kind %s",
                       stream->family->name, draw, family->name);
        return NULL;
    }
    return stream->state;
}

struct snap_bit_generator *snap_stream_bit_generator(struct snap_stream *stream, const char *draw,
                                                     struct snap_error *err)
{
    if (!stream->family->is_bit_generator) {
        snap_error_set(err, SNAP_INVALID,
                       "stream %s: %s: this draw needs a stream of one of NumPy's bit generators",
                       stream->family->name, draw);
        return NULL;
    }
    return stream->state;
}

static enum snap_status ops_get(void *arg, void **bytes, size_t *size_bytes,
                                struct snap_error *err)
{
    return snap_stream_encode(arg, bytes, size_bytes, err);
}

static enum snap_status ops_set(void *arg, const void *bytes, size_t size_bytes,
                                struct snap_error *err)
{
    return snap_stream_decode(arg, bytes, size_bytes, err);
}

static uint64_t ops_words_drawn(void *arg)
{
    return snap_stream_words_drawn(arg);
}

const struct snap_stream_ops *snap_stream_ops(void)
{
    static const struct snap_stream_ops ops = {
        .size_bytes = sizeof(struct snap_stream_ops),
        .get = ops_get,
        .set = ops_set,
        .words_drawn = ops_words_drawn,
    };

    return &ops;
}
