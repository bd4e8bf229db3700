/* SPDX-License-Identifier: Apache-2.0 */
/* Streams as mirrors of generators that live in their own library. */
#include "config.h"

#include <string.h>

#include "stream/numpy_bit_generator.h"
#include "stream/numpy_random_state.h"
#include "stream/python_random.h"
#include "stream/stream_family.h"

/* The engine of a stream that has a twister; NULL for another one. */
static struct snap_mt19937 *twister(const struct snap_stream *stream)
{
    if (stream->family == &snap_python_random_family) {
        return &((struct snap_python_random *)stream->state)->mt;
    }
    if (stream->family == &snap_numpy_random_state_family) {
        return &((struct snap_numpy_random_state *)stream->state)->mt;
    }
    if (stream->family == &snap_numpy_mt19937_family) {
        return &((struct snap_bit_generator *)stream->state)->mt;
    }
    return NULL;
}

static enum snap_status no_twister(const struct snap_stream *stream, const char *what,
                                   struct snap_error *err)
{
    return snap_error_set(err, SNAP_INVALID,
                          "stream %s: %s: a twister's state needs a stream of kind "
                          "python_random, numpy_random_state or numpy_mt19937",
                          stream->family->name, what);
}

static enum snap_status check_state(const struct snap_stream *stream, const char *what,
                                    const struct snap_mt19937_state *state, struct snap_error *err)
{
    if (state == NULL || state->size_bytes != sizeof *state) {
        return snap_error_set(err, SNAP_INVALID,
                              "stream %s: %s: no state, or its size_bytes is not set",
                              stream->family->name, what);
    }
    if (state->position > SNAP_MT19937_WORDS) {
        return snap_error_set(err, SNAP_CORRUPT, "stream %s: %s: the position is %lu, past 624",
                              stream->family->name, what, (unsigned long)state->position);
    }
    return twister(stream) != NULL ? SNAP_OK : no_twister(stream, what, err);
}

/* Put a state that was checked into a stream that has a twister. */
static void put_state(struct snap_stream *stream, const struct snap_mt19937_state *state)
{
    struct snap_mt19937 *mt = twister(stream);

    memcpy(mt->key, state->key, sizeof mt->key);
    mt->pos = state->position;
    if (stream->family == &snap_python_random_family) {
        struct snap_python_random *r = stream->state;

        r->has_gauss_next = state->has_gauss;
        r->gauss_next = state->has_gauss ? state->gauss : 0.0;
    } else if (stream->family == &snap_numpy_random_state_family) {
        struct snap_numpy_random_state *r = stream->state;

        r->has_gauss = state->has_gauss;
        r->gauss = state->gauss;
    }
}

enum snap_status snap_stream_set_mt19937(struct snap_stream *stream,
                                         const struct snap_mt19937_state *state,
                                         struct snap_error *err)
{
    enum snap_status status = check_state(stream, "set", state, err);

    if (status == SNAP_OK) {
        put_state(stream, state);
    }
    return status;
}

enum snap_status snap_stream_get_mt19937(const struct snap_stream *stream,
                                         struct snap_mt19937_state *state, struct snap_error *err)
{
    const struct snap_mt19937 *mt = twister(stream);

    if (state == NULL || state->size_bytes != sizeof *state) {
        return snap_error_set(err, SNAP_INVALID,
                              "stream %s: get: no place for the state, or its size_bytes is not "
                              "set",
                              stream->family->name);
    }
    if (mt == NULL) {
        return no_twister(stream, "get", err);
    }
    memcpy(state->key, mt->key, sizeof state->key);
    state->position = mt->pos;
    state->has_gauss = false;
    state->gauss = 0.0;
    if (stream->family == &snap_python_random_family) {
        const struct snap_python_random *r = stream->state;

        state->has_gauss = r->has_gauss_next;
        state->gauss = r->gauss_next;
    } else if (stream->family == &snap_numpy_random_state_family) {
        const struct snap_numpy_random_state *r = stream->state;

        state->has_gauss = r->has_gauss;
        state->gauss = r->gauss;
    }
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
    struct snap_mt19937 to;
    enum snap_status status;
    uint64_t moved;

    if (words == NULL || related == NULL) {
        return no_place(stream, err);
    }
    status = check_state(stream, "follow", state, err);
    if (status != SNAP_OK) {
        return status;
    }
    memcpy(to.key, state->key, sizeof to.key);
    to.pos = state->position;
    *related = snap_mt19937_forward(twister(stream), &to, limit_words, &moved);
    *words = *related ? moved : 0;
    put_state(stream, state);
    stream->words_followed += *words;
    return SNAP_OK;
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
