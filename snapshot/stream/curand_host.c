/* SPDX-License-Identifier: Apache-2.0 */
/* A generator of cuRAND's host API (curand.h). No call reads its state, so the program tells what
 * it generated, and the count is the state: a new generator of the same type, ordering and seed,
 * set to that offset, goes on as the old one would have. What each call adds to the offset was
 * found out with the generators that curandCreateGeneratorHost makes (cuRAND 10.4). */
#include "config.h"

#include <snapstate/stream.h>
#include <string.h>

#include "format/json_canonical.h"
#include "stream/curand_uniform.h"
#include "stream/philox.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"
#include "stream/xorwow.h"

#define KIND "curand_host"
#define WHAT "stream " KIND

/* Numbers of curandRngType_t and curandOrdering_t. */
enum { TYPE_DEFAULT = 100, TYPE_XORWOW = 101, TYPE_MRG32K3A = 121, TYPE_PHILOX = 161 };
enum { ORDERING_BEST = 100, ORDERING_DEFAULT = 101, ORDERING_SEEDED = 102, ORDERING_LEGACY = 103 };

/* Subsequences that are dealt out in turn: one number each, or four. */
#define XORWOW_SEQUENCES 4096u
#define PHILOX_SEQUENCES 65536u

struct curand_host {
    int type;
    int ordering;
    uint64_t seed;
    uint64_t offset;
    uint64_t generated; /* since the object was made; no part of the state */
};

static const struct name {
    const char *name;
    int number;
} types[] = { { "xorwow", TYPE_XORWOW },
              { "mrg32k3a", TYPE_MRG32K3A },
              { "philox4_32_10", TYPE_PHILOX },
              { NULL, 0 } },
  orderings[] = { { "best", ORDERING_BEST },
                  { "default", ORDERING_DEFAULT },
                  { "seeded", ORDERING_SEEDED },
                  { "legacy", ORDERING_LEGACY },
                  { "dynamic", 104 },
                  { NULL, 0 } };

static const char *name_of(const struct name *names, int number)
{
    while (names->name != NULL && names->number != number) {
        names++;
    }
    return names->name;
}

static bool number_of(const struct name *names, const json_t *value, int *number)
{
    const char *name = json_string_value(value);

    for (; name != NULL && names->name != NULL; names++) {
        if (strcmp(names->name, name) == 0) {
            *number = names->number;
            return true;
        }
    }
    return false;
}

/* cuRAND refuses the quick seeding for all others. */
static bool fit_together(int type, int ordering)
{
    return ordering != ORDERING_SEEDED || type == TYPE_XORWOW;
}

/* ---- state ---- */

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    const struct curand_host *h = state;

    return snap_stream_json_encode(
        WHAT,
        json_pack("{s:s, s:o, s:s, s:o, s:s}", "kind", KIND, "offset", snap_json_u64(h->offset),
                  "ordering", name_of(orderings, h->ordering), "seed", snap_json_u64(h->seed),
                  "type", name_of(types, h->type)),
        bytes, size_bytes, err);
}

static enum snap_status decode(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err)
{
    struct curand_host *h = state;
    struct curand_host fresh = { .generated = h->generated };
    json_t *object = NULL;
    enum snap_status status = snap_stream_json_decode(WHAT, KIND, "kind offset ordering seed type",
                                                      bytes, size_bytes, &object, err);

    if (status == SNAP_OK &&
        (!number_of(types, json_object_get(object, "type"), &fresh.type) ||
         !number_of(orderings, json_object_get(object, "ordering"), &fresh.ordering) ||
         !fit_together(fresh.type, fresh.ordering))) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                WHAT ": \"type\" and \"ordering\": no type of cuRAND that has an "
                                     "offset, or an ordering that it does not have");
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "seed", UINT64_MAX, &fresh.seed, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "offset", UINT64_MAX, &fresh.offset, err);
    }
    if (status == SNAP_OK) {
        *h = fresh;
    }
    json_decref(object);
    return status;
}

static void init(void *state)
{
    struct curand_host *h = state;

    memset(h, 0, sizeof *h);
    h->type = TYPE_PHILOX;
    h->ordering = ORDERING_DEFAULT;
}

static enum snap_status seed(void *state, uint64_t value, struct snap_error *err)
{
    struct curand_host *h = state;

    (void)err; /* every 64-bit number is a seed */
    h->seed = value;
    h->offset = 0;
    return SNAP_OK;
}

static uint64_t words_drawn(const void *state)
{
    return ((const struct curand_host *)state)->generated;
}

static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    const struct curand_host *a = from;
    const struct curand_host *b = to;

    (void)limit_words; /* nothing is stepped */
    return a->type == b->type && a->ordering == b->ordering && a->seed == b->seed &&
           snap_counter_distance(a->offset, b->offset, words);
}

/* ---- what calls add to the offset ---- */

static bool is_pair(enum snap_curand_call call)
{
    return call == SNAP_CURAND_NORMAL || call == SNAP_CURAND_NORMAL_DOUBLE;
}

/* XORWOW deals a call's numbers out to its sequences, and one that takes several words for its
 * numbers gets ahead of the others: there is an offset for that only when all of them did. */
static enum snap_status xorwow_step(uint64_t offset, enum snap_curand_call call, uint64_t n,
                                    uint64_t *step, struct snap_error *err)
{
    uint64_t turns = is_pair(call) ? n / 2 : n;
    uint64_t words = call == SNAP_CURAND_NORMAL_DOUBLE ? 4 : 2; /* a turn */

    if (call == SNAP_CURAND_UNIFORM) {
        *step = n;
        return SNAP_OK;
    }
    if (call == SNAP_CURAND_POISSON || turns % XORWOW_SEQUENCES != 0 ||
        offset % XORWOW_SEQUENCES != 0) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              WHAT ": count: XORWOW has no offset after this call: use Philox, or "
                                   "generate normals in multiples of 8192 and doubles in multiples "
                                   "of 4096, from an offset that is one of 4096");
    }
    if (turns > UINT64_MAX / words) {
        return snap_error_set(err, SNAP_UNSUPPORTED, WHAT ": count: the offset would pass 2^64-1");
    }
    *step = turns * words;
    return SNAP_OK;
}

/* Count a call of n numbers. */
static enum snap_status count(struct curand_host *h, enum snap_curand_call call, uint64_t n,
                              struct snap_error *err)
{
    uint64_t step = n;
    enum snap_status status = SNAP_OK;

    if (is_pair(call) && n % 2 != 0 && h->type != TYPE_PHILOX) {
        return snap_error_set(err, SNAP_INVALID,
                              WHAT ": count: cuRAND refuses an odd number of normals");
    }
    if (h->type == TYPE_XORWOW) {
        status = xorwow_step(h->offset, call, n, &step, err);
    } else if (h->type == TYPE_MRG32K3A && is_pair(call)) {
        step = n / 2;
    }
    if (status == SNAP_OK && step > UINT64_MAX - h->offset) {
        status =
            snap_error_set(err, SNAP_UNSUPPORTED, WHAT ": count: the offset would pass 2^64-1");
    }
    if (status == SNAP_OK) {
        h->offset += step;
        h->generated += step;
    }
    return status;
}

/* ---- draws: of the orderings that are the same in every release ---- */

static enum snap_status check_draw(const struct curand_host *h, struct snap_error *err)
{
    if (h->type == TYPE_MRG32K3A || h->ordering < ORDERING_BEST || h->ordering > ORDERING_LEGACY ||
        h->ordering == ORDERING_SEEDED) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              WHAT ": draw: only Philox and XORWOW, in the orderings best, default "
                                   "and legacy, are drawn here");
    }
    return SNAP_OK;
}

/* Words of number i of a call, of which each takes `words`. Sequences are dealt to in turns of four
 * numbers. An offset counts each number of the turns before the call as one word, whatever it took;
 * inside the call a sequence moves by what it takes, so that doubles of two calls can share words.
 */
static void philox_words(const struct curand_host *h, uint64_t i, unsigned words, uint32_t *out)
{
    const uint64_t first = h->offset / 4; /* turn of the call's first number */
    const uint64_t turn = (h->offset + i) / 4;
    const uint64_t sequence = turn % PHILOX_SEQUENCES;
    const uint64_t round = turn / PHILOX_SEQUENCES;
    /* The sequence's first round in this call. */
    const uint64_t start = first / PHILOX_SEQUENCES + (sequence < first % PHILOX_SEQUENCES);
    const uint64_t at = 4 * start + 4 * words * (round - start) + (h->offset + i) % 4 * words;

    for (unsigned word = 0; word < words; word++) {
        out[word] = snap_curand_philox_word(h->seed, sequence, 0, at + word);
    }
}

/* n words of XORWOW, `per_turn` of them whenever a sequence is dealt to. */
static void xorwow_words(const struct curand_host *h, uint64_t n, unsigned per_turn, uint32_t *out)
{
    const uint64_t first = h->offset % XORWOW_SEQUENCES;
    struct snap_xorwow_matrix next;
    struct snap_xorwow start;

    snap_xorwow_seed(&start, h->seed);
    snap_xorwow_skip(&start, h->offset / XORWOW_SEQUENCES);
    snap_xorwow_power(&next, SNAP_XORWOW_SEQUENCE_BITS);
    for (uint64_t sequence = 0; sequence < XORWOW_SEQUENCES; sequence++) {
        struct snap_xorwow x = start;
        /* The number of this call that is the sequence's first. */
        uint64_t i = sequence >= first ? sequence - first : XORWOW_SEQUENCES + sequence - first;

        if (sequence < first) {
            snap_xorwow_u32(&x); /* it had its turn before the call */
        }
        for (; i < n; i += XORWOW_SEQUENCES) {
            for (unsigned word = 0; word < per_turn; word++) {
                out[i * per_turn + word] = snap_xorwow_u32(&x);
            }
        }
        snap_xorwow_apply(&next, start.v); /* the sum is the same in all sequences */
    }
}

static enum snap_status draw_u32(void *state, void *out, size_t n, struct snap_error *err)
{
    struct curand_host *h = state;
    struct curand_host before = *h;
    uint32_t *numbers = out;
    enum snap_status status = check_draw(h, err);

    if (status == SNAP_OK) {
        status = count(h, SNAP_CURAND_UNIFORM, n, err);
    }
    if (status != SNAP_OK) {
        return status;
    }
    if (before.type == TYPE_XORWOW) {
        xorwow_words(&before, n, 1, numbers);
        return SNAP_OK;
    }
    for (size_t i = 0; i < n; i++) {
        philox_words(&before, i, 1, &numbers[i]);
    }
    return SNAP_OK;
}

/* The words are made where the numbers go. */
static enum snap_status draw_f32(void *state, void *out, size_t n, struct snap_error *err)
{
    float *numbers = out;
    enum snap_status status = draw_u32(state, out, n, err);

    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        uint32_t word;

        memcpy(&word, &numbers[i], sizeof word);
        numbers[i] = snap_curand_uniform_f32(word);
    }
    return status;
}

static enum snap_status draw_f64(void *state, void *out, size_t n, struct snap_error *err)
{
    struct curand_host *h = state;
    struct curand_host before = *h;
    double *numbers = out;
    enum snap_status status = check_draw(h, err);

    if (status == SNAP_OK) {
        status = count(h, SNAP_CURAND_UNIFORM_DOUBLE, n, err);
    }
    if (status != SNAP_OK) {
        return status;
    }
    if (before.type == TYPE_XORWOW) {
        xorwow_words(&before, n, 2, out);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t words[2];

        if (before.type == TYPE_XORWOW) {
            memcpy(words, &numbers[i], sizeof words); /* made where the numbers go */
        } else {
            philox_words(&before, i, 2, words);
        }
        numbers[i] = snap_curand_uniform_f64(words[0], words[1]);
    }
    return SNAP_OK;
}

static const struct snap_stream_draw_row draws[] = {
    SNAP_DRAW_ROW("f32", "curandGenerateUniform(generator, out, n)", SNAP_F32, false, draw_f32),
    SNAP_DRAW_ROW("f64", "curandGenerateUniformDouble(generator, out, n)", SNAP_F64, false,
                  draw_f64),
    SNAP_DRAW_ROW("u32", "curandGenerate(generator, out, n)", SNAP_U32, false, draw_u32),
    SNAP_DRAW_END,
};

const struct snap_stream_family snap_curand_host_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct curand_host),
    .init = init,
    .seed = seed,
    .encode = encode,
    .decode = decode,
    .words_drawn = words_drawn,
    .distance = distance,
    .unit = "step of the offset",
    .units = "steps of the offset",
    .draws = draws,
};

/* ---- public calls ---- */

enum snap_status snap_curand_host_set(struct snap_stream *stream,
                                      const struct snap_curand_host *host, struct snap_error *err)
{
    struct curand_host *h = snap_stream_state(stream, &snap_curand_host_family, "set", err);
    int type = host->type == TYPE_DEFAULT ? TYPE_XORWOW : host->type;

    if (h == NULL) {
        return SNAP_INVALID;
    }
    if (name_of(types, type) == NULL) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              WHAT ": set: cuRAND sets no offset for type %d, only for XORWOW, "
                                   "MRG32K3A and PHILOX4_32_10, so its state cannot be restored",
                              type);
    }
    if (name_of(orderings, host->ordering) == NULL || !fit_together(type, host->ordering)) {
        return snap_error_set(err, SNAP_INVALID, WHAT ": set: type %d has no ordering %d", type,
                              host->ordering);
    }
    h->type = type;
    h->ordering = host->ordering;
    h->seed = host->seed;
    h->offset = host->offset;
    return SNAP_OK;
}

enum snap_status snap_curand_host_get(const struct snap_stream *stream,
                                      struct snap_curand_host *host, struct snap_error *err)
{
    /* Only reads; the cast undoes what a lookup that serves draws too had to leave out. */
    const struct curand_host *h =
        snap_stream_state((struct snap_stream *)stream, &snap_curand_host_family, "get", err);

    if (h == NULL) {
        return SNAP_INVALID;
    }
    *host = (struct snap_curand_host){ sizeof *host, h->type, h->ordering, h->seed, h->offset };
    return SNAP_OK;
}

enum snap_status snap_curand_host_generated(struct snap_stream *stream, enum snap_curand_call call,
                                            uint64_t n, struct snap_error *err)
{
    struct curand_host *h = snap_stream_state(stream, &snap_curand_host_family, "count", err);

    if (h == NULL) {
        return SNAP_INVALID;
    }
    if (call < SNAP_CURAND_UNIFORM || call > SNAP_CURAND_POISSON) {
        return snap_error_set(err, SNAP_INVALID, WHAT ": count: no call has the number %d",
                              (int)call);
    }
    return count(h, call, n, err);
}
