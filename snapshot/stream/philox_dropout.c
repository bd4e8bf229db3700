/* SPDX-License-Identifier: Apache-2.0 */
/* The trainer's device stream: Philox4x32-10 by element, operator and counter. */
#include "config.h"

#include <snapstate/stream.h>
#include <string.h>

#include "format/json_canonical.h"
#include "stream/philox.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define KIND "philox_dropout"
#define WHAT "stream " KIND

struct philox_dropout {
    uint64_t seed;
    uint32_t counter;
    uint64_t steps; /* of the counter since the object was made; no part of the state */
};

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    const struct philox_dropout *d = state;

    return snap_stream_json_encode(WHAT,
                                   json_pack("{s:s, s:o, s:o}", "kind", KIND, "counter",
                                             snap_json_u64(d->counter), "seed",
                                             snap_json_u64(d->seed)),
                                   bytes, size_bytes, err);
}

static enum snap_status decode(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err)
{
    struct philox_dropout *d = state;
    uint64_t counter = 0;
    uint64_t seed = 0;
    json_t *object = NULL;
    enum snap_status status;

    status = snap_stream_json_decode(WHAT, KIND, "counter kind seed", bytes, size_bytes,
                                     &object, err);
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "counter", UINT32_MAX, &counter, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "seed", UINT64_MAX, &seed, err);
    }
    if (status == SNAP_OK) {
        d->counter = (uint32_t)counter;
        d->seed = seed;
    }
    json_decref(object);
    return status;
}

static enum snap_status seed_stream(void *state, uint64_t value, struct snap_error *err)
{
    struct philox_dropout *d = state;

    (void)err; /* every 64-bit number is a seed */
    d->seed = value;
    d->counter = 0;
    return SNAP_OK;
}

static void init(void *state)
{
    memset(state, 0, sizeof(struct philox_dropout));
}

static uint64_t words_drawn(const void *state)
{
    return ((const struct philox_dropout *)state)->steps;
}

static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    const struct philox_dropout *a = from;
    const struct philox_dropout *b = to;

    (void)limit_words; /* nothing is stepped */
    return a->seed == b->seed && snap_counter_distance(a->counter, b->counter, words);
}

const struct snap_stream_family snap_philox_dropout_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct philox_dropout),
    .init = init,
    .seed = seed_stream,
    .encode = encode,
    .decode = decode,
    .words_drawn = words_drawn,
    .distance = distance,
};

void snap_philox_dropout_block(uint64_t seed, uint64_t block_index, uint32_t op, uint32_t counter,
                               uint32_t out[4])
{
    uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };

    out[0] = (uint32_t)block_index;
    out[1] = (uint32_t)(block_index >> 32);
    out[2] = op;
    out[3] = counter;
    snap_philox4x32(SNAP_PHILOX_ROUNDS, key, out);
}

static const struct philox_dropout *state_of(const struct snap_stream *stream, const char *what,
                                             struct snap_error *err)
{
    /* Only reads; the cast undoes what a lookup that serves draws too had to leave out. */
    return snap_stream_state((struct snap_stream *)stream, &snap_philox_dropout_family, what, err);
}

enum snap_status snap_philox_dropout_seed(const struct snap_stream *stream, uint64_t *seed,
                                          struct snap_error *err)
{
    const struct philox_dropout *d = state_of(stream, "read the seed", err);

    if (d == NULL) {
        return SNAP_INVALID;
    }
    *seed = d->seed;
    return SNAP_OK;
}

enum snap_status snap_philox_dropout_counter(const struct snap_stream *stream, uint32_t *counter,
                                             struct snap_error *err)
{
    const struct philox_dropout *d = state_of(stream, "read the counter", err);

    if (d == NULL) {
        return SNAP_INVALID;
    }
    *counter = d->counter;
    return SNAP_OK;
}

enum snap_status snap_philox_dropout_advance(struct snap_stream *stream, uint32_t steps,
                                             struct snap_error *err)
{
    struct philox_dropout *d = snap_stream_state(stream, &snap_philox_dropout_family,
                                                 "advance the counter", err);

    if (d == NULL) {
        return SNAP_INVALID;
    }
    if (steps > UINT32_MAX - d->counter) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              WHAT ": advance the counter: it would pass 2^32-1, its "
                              "last value, and words would come twice");
    }
    d->counter += steps;
    d->steps += steps;
    return SNAP_OK;
}
