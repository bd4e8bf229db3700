/* SPDX-License-Identifier: Apache-2.0 */
/* Streams as mirrors of generators that live in their own library. */
#include "config.h"

#include <string.h>

#include "stream/numpy_random_state.h"
#include "stream/python_random.h"
#include "stream/stream_family.h"

/* A state of either kind that snap_mt19937_state can hold. */
union twister {
    struct snap_python_random python;
    struct snap_numpy_random_state numpy;
};

static enum snap_status no_twister(const struct snap_stream *stream, const char *what,
                                   struct snap_error *err)
{
    return snap_error_set(
        err, SNAP_INVALID,
        "stream %s: %s: a twister's state needs a stream of kind python_random or "
        "numpy_random_state",
        stream->family->name, what);
}

/* The family's state that `given` describes, after all checks. The count of words drawn is that of
 * the stream. */
static enum snap_status read_twister(const struct snap_stream *stream, const char *what,
                                     const struct snap_mt19937_state *given, union twister *state,
                                     struct snap_error *err)
{
    struct snap_mt19937 *mt;
    const struct snap_mt19937 *old;

    if (given == NULL || given->size_bytes != sizeof *given) {
        return snap_error_set(err, SNAP_INVALID,
                              "stream %s: %s: no state, or its size_bytes is "
                              "not set",
                              stream->family->name, what);
    }
    if (given->position > SNAP_MT19937_WORDS) {
        return snap_error_set(err, SNAP_CORRUPT, "stream %s: %s: the position is %lu, past 624",
                              stream->family->name, what, (unsigned long)given->position);
    }
    if (stream->family == &snap_python_random_family) {
        mt = &state->python.mt;
        old = &((const struct snap_python_random *)stream->state)->mt;
        state->python.has_gauss_next = given->has_gauss;
        state->python.gauss_next = given->has_gauss ? given->gauss : 0.0;
    } else if (stream->family == &snap_numpy_random_state_family) {
        mt = &state->numpy.mt;
        old = &((const struct snap_numpy_random_state *)stream->state)->mt;
        state->numpy.has_gauss = given->has_gauss;
        state->numpy.gauss = given->gauss;
    } else {
        return no_twister(stream, what, err);
    }
    memcpy(mt->key, given->key, sizeof mt->key);
    mt->pos = given->position;
    mt->words_drawn = old->words_drawn;
    return SNAP_OK;
}

enum snap_status snap_stream_set_mt19937(struct snap_stream *stream,
                                         const struct snap_mt19937_state *state,
                                         struct snap_error *err)
{
    union twister fresh;
    enum snap_status status = read_twister(stream, "set", state, &fresh, err);

    if (status == SNAP_OK) {
        memcpy(stream->state, &fresh, stream->family->state_size_bytes);
    }
    return status;
}

enum snap_status snap_stream_get_mt19937(const struct snap_stream *stream,
                                         struct snap_mt19937_state *state, struct snap_error *err)
{
    const struct snap_mt19937 *mt;

    if (state == NULL || state->size_bytes != sizeof *state) {
        return snap_error_set(err, SNAP_INVALID,
                              "stream %s: get: no place for the state, or its "
                              "size_bytes is not set",
                              stream->family->name);
    }
    if (stream->family == &snap_python_random_family) {
        const struct snap_python_random *r = stream->state;

        mt = &r->mt;
        state->has_gauss = r->has_gauss_next;
        state->gauss = r->gauss_next;
    } else if (stream->family == &snap_numpy_random_state_family) {
        const struct snap_numpy_random_state *r = stream->state;

        mt = &r->mt;
        state->has_gauss = r->has_gauss;
        state->gauss = r->gauss;
    } else {
        return no_twister(stream, "get", err);
    }
    memcpy(state->key, mt->key, sizeof state->key);
    state->position = mt->pos;
    return SNAP_OK;
}

/* Words from the stream's state forward to `to`; 0, and false, when there is no such number. */
static bool forward(const struct snap_stream *stream, const void *to, uint64_t limit_words,
                    uint64_t *words)
{
    int64_t found = 0;
    bool related;

    if (stream->family->forward != NULL) {
        related = stream->family->forward(stream->state, to, limit_words, words);
    } else {
        related = stream->family->distance(stream->state, to, limit_words, &found) && found >= 0 &&
                  (uint64_t)found <= limit_words;
        *words = (uint64_t)found;
    }
    if (!related) {
        *words = 0;
    }
    return related;
}

static enum snap_status no_place(const struct snap_stream *stream, struct snap_error *err)
{
    return snap_error_set(err, SNAP_INVALID, "stream %s: follow: no place for the result",
                          stream->family->name);
}

enum snap_status snap_stream_follow_mt19937(struct snap_stream *stream,
                                            const struct snap_mt19937_state *state,
                                            uint64_t limit_words, uint64_t *words, bool *related,
                                            struct snap_error *err)
{
    union twister fresh;
    enum snap_status status;

    if (words == NULL || related == NULL) {
        return no_place(stream, err);
    }
    status = read_twister(stream, "follow", state, &fresh, err);
    if (status == SNAP_OK) {
        *related = forward(stream, &fresh, limit_words, words);
        memcpy(stream->state, &fresh, stream->family->state_size_bytes);
        stream->words_followed += *words;
    }
    return status;
}

enum snap_status snap_stream_follow(struct snap_stream *stream, const void *bytes,
                                    size_t size_bytes, uint64_t limit_words, uint64_t *words,
                                    bool *related, struct snap_error *err)
{
    void *to = NULL;
    enum snap_status status;

    if (words == NULL || related == NULL) {
        return no_place(stream, err);
    }
    status = snap_stream_state_new(stream->family, &to, err);
    if (status == SNAP_OK) {
        status = stream->family->decode(to, bytes, size_bytes, err);
    }
    if (status == SNAP_OK) {
        uint64_t moved;
        bool found = forward(stream, to, limit_words, &moved);

        /* Not `to` itself: the stream keeps its own count, and what else decode leaves. */
        status = stream->family->decode(stream->state, bytes, size_bytes, err);
        if (status == SNAP_OK) {
            stream->words_followed += moved;
            *words = moved;
            *related = found;
        }
    }
    snap_stream_state_free(stream->family, to);
    return status;
}
