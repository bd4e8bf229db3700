/* SPDX-License-Identifier: Apache-2.0 */
/* random() and random_r() of glibc, in all five types: a linear congruential generator, and four
 * tables in which the number at the front grows by the one at the rear. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "stream/lcg.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define KIND "random_r"
#define WHAT "stream " KIND
#define TYPES 5u
#define TYPE_DEFAULT 3u
#define MOST_WORDS 63u

/* Words of a table, and how far its front is before its rear. */
static const unsigned degrees[TYPES] = { 1, 7, 15, 31, 63 };
static const unsigned separations[TYPES] = { 0, 3, 1, 3, 1 };

/* Type 0. */
static const struct snap_lcg lcg = { 1103515245u, 12345u, 31 };

struct random_r {
    unsigned type;
    unsigned rear; /* index of the table; the front is `separation` further, round the end */
    uint32_t table[MOST_WORDS];
    uint64_t words_drawn; /* numbers since the object was made; no part of the state */
};

/* ---- engine ---- */

static uint32_t next_number(struct random_r *r)
{
    unsigned degree = degrees[r->type];
    unsigned front;

    r->words_drawn++;
    if (r->type == 0) {
        r->table[0] = (uint32_t)(lcg.a * r->table[0] + lcg.c) & INT32_MAX;
        return r->table[0];
    }
    front = (r->rear + separations[r->type]) % degree;
    r->table[front] += r->table[r->rear];
    r->rear = (r->rear + 1) % degree;
    return r->table[front] >> 1;
}

/* srandom(). The table is filled by 16807 x mod 2^31-1 and then used ten times over. */
static void seed_table(struct random_r *r, uint32_t value)
{
    unsigned degree = degrees[r->type];
    uint64_t drawn = r->words_drawn;
    int64_t x = (int32_t)(value == 0 ? 1 : value);

    memset(r->table, 0, sizeof r->table);
    r->table[0] = (uint32_t)x;
    r->rear = 0;
    if (r->type == 0) {
        return;
    }
    for (unsigned i = 1; i < degree; i++) {
        x = 16807 * (x % 127773) - 2836 * (x / 127773);
        x += x < 0 ? INT32_MAX : 0;
        r->table[i] = (uint32_t)x;
    }
    for (unsigned i = 0; i < 10 * degree; i++) {
        next_number(r);
    }
    r->words_drawn = drawn;
}

/* ---- member ---- */

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    const struct random_r *r = state;

    return snap_stream_json_encode(
        WHAT,
        json_pack("{s:s, s:i, s:o, s:i}", "kind", KIND, "rear", (int)r->rear, "state",
                  snap_stream_json_words(r->table, degrees[r->type]), "type", (int)r->type),
        bytes, size_bytes, err);
}

static enum snap_status decode(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err)
{
    struct random_r *r = state;
    struct random_r fresh = { .words_drawn = r->words_drawn };
    json_t *object = NULL;
    uint64_t type = 0;
    uint64_t rear = 0;
    enum snap_status status = snap_stream_json_decode(WHAT, KIND, "kind rear state type", bytes,
                                                      size_bytes, &object, err);

    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "type", TYPES - 1, &type, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "rear", degrees[type] - 1, &rear, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_words(WHAT, object, "state", degrees[type], fresh.table, err);
    }
    if (status == SNAP_OK) {
        fresh.type = (unsigned)type;
        fresh.rear = (unsigned)rear;
        *r = fresh;
    }
    json_decref(object);
    return status;
}

/* ---- the buffer that initstate() and setstate() take ----
 * Its first word is the type, and for the tables the rear times five; then comes the table. glibc
 * brings that word up to date when another buffer is set. */

static enum snap_status encode_statebuf(const void *state, void **bytes, size_t *size_bytes,
                                        struct snap_error *err)
{
    const struct random_r *r = state;
    unsigned words = degrees[r->type] + 1;
    unsigned char *out = malloc(4 * words);

    if (out == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": encode: no memory");
    }
    snap_put_u32(out, TYPES * r->rear + r->type);
    for (unsigned i = 1; i < words; i++) {
        snap_put_u32(out + 4 * i, r->table[i - 1]);
    }
    *bytes = out;
    *size_bytes = 4 * words;
    return SNAP_OK;
}

static enum snap_status decode_statebuf(void *state, const void *bytes, size_t size_bytes,
                                        struct snap_error *err)
{
    struct random_r *r = state;
    const unsigned char *in = bytes;
    uint32_t first;
    unsigned type;

    if (size_bytes < 8) {
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": decode: %zu bytes where a buffer has at least 8", size_bytes);
    }
    first = snap_get_u32(in);
    type = first % TYPES;
    if (size_bytes != 4 * (degrees[type] + 1) || first / TYPES >= degrees[type]) {
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": decode: the first word says type %u, whose buffer has %u "
                                   "bytes and a rear below %u",
                              type, 4 * (degrees[type] + 1), degrees[type]);
    }
    memset(r->table, 0, sizeof r->table);
    for (unsigned i = 0; i < degrees[type]; i++) {
        r->table[i] = snap_get_u32(in + 4 + 4 * i);
    }
    r->type = type;
    r->rear = first / TYPES;
    return SNAP_OK;
}

static const struct snap_stream_form_row forms[] = {
    SNAP_FORM_ROW("statebuf", "the buffer of initstate() and setstate(), 8 to 256 bytes",
                  encode_statebuf, decode_statebuf),
    SNAP_FORM_END,
};

/* ---- the rest of the family ---- */

static void init(void *state)
{
    struct random_r *r = state;

    r->type = TYPE_DEFAULT;
    seed_table(r, 0);
}

static enum snap_status seed(void *state, uint64_t value, struct snap_error *err)
{
    (void)err; /* srandom() takes the low 32 bits; the type stays */
    seed_table(state, (uint32_t)value);
    return SNAP_OK;
}

static uint64_t words_drawn(const void *state)
{
    return ((const struct random_r *)state)->words_drawn;
}

/* Do both hold the same numbers, seen from their rears? */
static bool same_numbers(const struct random_r *a, const struct random_r *b)
{
    unsigned degree = degrees[a->type];

    for (unsigned i = 0; i < degree; i++) {
        if (a->table[(a->rear + i) % degree] != b->table[(b->rear + i) % degree]) {
            return false;
        }
    }
    return true;
}

/* A seed of type 0 can have a bit more than what is drawn from it. */
static bool is_congruential(const struct random_r *r)
{
    return r->type == 0 && r->table[0] <= INT32_MAX;
}

static bool forward(const void *from, const void *to, uint64_t limit_words, uint64_t *words)
{
    const struct random_r *end = to;
    struct random_r r = *(const struct random_r *)from;

    if (r.type != end->type) {
        return false;
    }
    for (uint64_t i = 0;; i++) {
        if (same_numbers(&r, end)) {
            *words = i;
            return true;
        }
        if (i >= limit_words) {
            return false;
        }
        next_number(&r);
    }
}

static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    const struct random_r *a = from;
    const struct random_r *b = to;

    if (is_congruential(a) && is_congruential(b)) {
        return snap_lcg_distance(&lcg, a->table[0], b->table[0], limit_words, words);
    }
    return snap_forward_distance(forward, from, to, limit_words, words);
}

static enum snap_status draw_u31(void *state, void *out, size_t n, struct snap_error *err)
{
    uint32_t *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = next_number(state);
    }
    return SNAP_OK;
}

static const struct snap_stream_draw_row draws[] = {
    SNAP_DRAW_ROW("u31", "random(), n times", SNAP_U32, false, draw_u31),
    SNAP_DRAW_END,
};

const struct snap_stream_family snap_random_r_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct random_r),
    .init = init,
    .seed = seed,
    .encode = encode,
    .decode = decode,
    .words_drawn = words_drawn,
    .distance = distance,
    .forward = forward,
    .unit = "number",
    .units = "numbers",
    .draws = draws,
    .forms = forms,
};
