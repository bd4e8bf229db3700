/* SPDX-License-Identifier: Apache-2.0 */
/* RandomState: state, integers and shuffles. */
#include "config.h"

#include "stream/numpy_random_state.h"

#include <string.h>

#include "format/json_fields.h"
#include "stream/masked_shuffle.h"
#include "stream/seed_sequence.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define KIND "numpy_random_state"
#define WHAT "stream " KIND
#define WORDS SNAP_MT19937_WORDS
/* 624 numbers of ten digits and a comma, and the names; a hint, no limit. */
#define ENCODED_BYTES 7168u
/* Words on the stack at once. */
#define BLOCK 512u

/* ---- seeding and state ---- */

static void forget_gauss(struct snap_numpy_random_state *r)
{
    r->has_gauss = false;
    r->gauss = 0.0;
}

void snap_numpy_seed_uint(struct snap_numpy_random_state *r, uint32_t seed)
{
    snap_mt19937_init_genrand(&r->mt, seed);
    forget_gauss(r);
}

void snap_numpy_seed_words(struct snap_numpy_random_state *r, const uint32_t *words, size_t count)
{
    snap_mt19937_init_by_array(&r->mt, words, count);
    forget_gauss(r);
}

void snap_numpy_seed_sequence(struct snap_numpy_random_state *r, const uint32_t *entropy,
                              size_t count)
{
    struct snap_seed_sequence sequence;

    snap_seed_sequence_init(&sequence, entropy, count);
    snap_seed_sequence_generate(&sequence, r->mt.key, WORDS);
    r->mt.key[0] = 0x80000000u;
    r->mt.pos = WORDS - 1; /* what NumPy's loop variable has when the loop ends */
    forget_gauss(r);
}

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    const struct snap_numpy_random_state *r = state;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    enum snap_status status = snap_buffer_reserve(&text, ENCODED_BYTES, err);

    if (status == SNAP_OK) {
        status = snap_stream_json_put_double(&text, "{\"bit_generator\":\"MT19937\",\"gauss\":",
                                             r->gauss, err);
    }
    if (status == SNAP_OK) {
        status = snap_buffer_appendf(&text, err, ",\"has_gauss\":%d", r->has_gauss ? 1 : 0);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_put_words(
            &text, ",\"kind\":\"" KIND "\",\"state\":{\"key\":[", r->mt.key, WORDS, err);
    }
    if (status == SNAP_OK) {
        status = snap_buffer_appendf(&text, err, "],\"pos\":%u}}\n", (unsigned)r->mt.pos);
    }
    if (status == SNAP_OK) {
        *bytes = snap_buffer_steal(&text, size_bytes);
    }
    snap_buffer_release(&text);
    return status;
}

static enum snap_status decode(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err)
{
    struct snap_numpy_random_state *r = state;
    struct snap_numpy_random_state fresh;
    uint64_t has_gauss = 0;
    uint64_t pos = 0;
    json_t *object = NULL;
    const json_t *engine = NULL;
    enum snap_status status;

    status = snap_stream_json_decode(WHAT, KIND, "bit_generator gauss has_gauss kind state", bytes,
                                     size_bytes, &object, err);
    if (status == SNAP_OK) {
        status = snap_stream_json_get_name(WHAT, object, "bit_generator", "MT19937", err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "has_gauss", 1, &has_gauss, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_double(WHAT, object, "gauss", &fresh.gauss, err);
    }
    if (status == SNAP_OK) {
        status = snap_json_field(object, "state", JSON_OBJECT, WHAT, &engine, err);
    }
    if (status == SNAP_OK) {
        status = snap_json_check_keys(engine, "key pos", WHAT, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, engine, "pos", WORDS, &pos, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_words(WHAT, engine, "key", WORDS, fresh.mt.key, err);
    }
    if (status == SNAP_OK) {
        fresh.mt.pos = (uint32_t)pos;
        fresh.mt.words_drawn = r->mt.words_drawn;
        fresh.has_gauss = has_gauss != 0;
        *r = fresh;
    }
    json_decref(object);
    return status;
}

static void init(void *state)
{
    snap_numpy_seed_uint(state, 0);
}

static enum snap_status seed(void *state, uint64_t value, struct snap_error *err)
{
    if (value > UINT32_MAX) {
        return snap_error_set(err, SNAP_INVALID,
                              WHAT ": seed: the seed is past 2^32-1, the largest that "
                              "NumPy takes");
    }
    snap_numpy_seed_uint(state, (uint32_t)value);
    return SNAP_OK;
}

static uint64_t words_drawn(const void *state)
{
    return ((const struct snap_numpy_random_state *)state)->mt.words_drawn;
}

static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    return snap_mt19937_distance(&((const struct snap_numpy_random_state *)from)->mt,
                                 &((const struct snap_numpy_random_state *)to)->mt, limit_words,
                                 words);
}

static bool forward(const void *from, const void *to, uint64_t limit_words, uint64_t *words)
{
    return snap_mt19937_forward(&((const struct snap_numpy_random_state *)from)->mt,
                                &((const struct snap_numpy_random_state *)to)->mt, limit_words,
                                words);
}

const struct snap_stream_family snap_numpy_random_state_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct snap_numpy_random_state),
    .init = init,
    .seed = seed,
    .encode = encode,
    .decode = decode,
    .words_drawn = words_drawn,
    .distance = distance,
    .forward = forward,
    .draws = snap_numpy_random_state_draws,
    .forms = snap_numpy_random_state_forms,
};

/* ---- integers ---- */

/* The next piece of `bits` bits (1, 8 or 16) of a word, low pieces first. */
static uint32_t next_piece(struct snap_numpy_random_state *r, unsigned bits,
                           struct snap_numpy_pieces *pieces)
{
    if (pieces->left == 0) {
        pieces->word = snap_mt19937_u32(&r->mt);
        pieces->left = 32 / bits - 1;
    } else {
        pieces->word >>= bits;
        pieces->left--;
    }
    return pieces->word & (((uint32_t)1 << bits) - 1);
}

/* The smallest 2^m - 1 that is not below `range` > 0. */
static uint64_t mask_of(uint64_t range)
{
    return UINT64_MAX >> __builtin_clzll(range);
}

uint64_t snap_numpy_bounded(struct snap_numpy_random_state *r, unsigned width, uint64_t range,
                            struct snap_numpy_pieces *pieces)
{
    uint64_t mask;
    uint64_t value;

    if (range == 0) {
        return 0;
    }
    mask = mask_of(range);
    do {
        if (width < 32) {
            value = next_piece(r, width, pieces) & mask;
        } else if (range <= UINT32_MAX) {
            value = snap_mt19937_u32(&r->mt) & mask;
        } else {
            value = snap_mt19937_u64(&r->mt) & mask;
        }
    } while (value > range);
    return value;
}

/* No more words are made at once than results are left, so all are used. A refused result is
 * written over by the next one. */
static void fill_narrow(struct snap_numpy_random_state *r, uint64_t low, uint32_t range,
                        int64_t *out, size_t n)
{
    const uint32_t mask = (uint32_t)mask_of(range);
    uint32_t words[BLOCK];
    size_t i = 0;

    while (i < n) {
        size_t count = n - i < BLOCK ? n - i : BLOCK;

        snap_mt19937_fill_u32(&r->mt, words, count);
        for (size_t w = 0; w < count; w++) {
            out[i] = (int64_t)(low + (words[w] & mask));
            i += (words[w] & mask) <= range;
        }
    }
}

static void fill_wide(struct snap_numpy_random_state *r, uint64_t low, uint64_t range,
                      int64_t *out, size_t n)
{
    const uint64_t mask = mask_of(range);
    uint64_t words[BLOCK];
    size_t i = 0;

    while (i < n) {
        size_t count = n - i < BLOCK ? n - i : BLOCK;

        snap_mt19937_fill_u64(&r->mt, words, count);
        for (size_t w = 0; w < count; w++) {
            out[i] = (int64_t)(low + (words[w] & mask));
            i += (words[w] & mask) <= range;
        }
    }
}

enum snap_status snap_numpy_randint_int64(struct snap_numpy_random_state *r, int64_t low,
                                          int64_t high, int64_t *out, size_t n,
                                          struct snap_error *err)
{
    uint64_t range = (uint64_t)high - 1 - (uint64_t)low;

    if (low >= high) {
        return snap_error_set(err, SNAP_INVALID, WHAT ": randint: low >= high");
    }
    if (range == 0) {
        for (size_t i = 0; i < n; i++) {
            out[i] = low;
        }
    } else if (range <= UINT32_MAX) {
        fill_narrow(r, (uint64_t)low, (uint32_t)range, out, n);
    } else {
        fill_wide(r, (uint64_t)low, range, out, n);
    }
    return SNAP_OK;
}

uint64_t snap_numpy_interval(struct snap_numpy_random_state *r, uint64_t max)
{
    struct snap_numpy_pieces pieces = { 0, 0 };

    return snap_numpy_bounded(r, 64, max, &pieces);
}

int64_t snap_numpy_tomaxint(struct snap_numpy_random_state *r)
{
    return (int64_t)(snap_mt19937_u64(&r->mt) >> 1);
}

void snap_numpy_bytes(struct snap_numpy_random_state *r, void *out, size_t size_bytes)
{
    unsigned char *bytes = out;
    size_t i = 0;

    do {
        uint32_t word = snap_mt19937_u32(&r->mt);

        for (size_t b = 0; b < 4 && i < size_bytes; b++) {
            bytes[i++] = (unsigned char)(word >> (8 * b));
        }
    } while (i < size_bytes);
}

double snap_numpy_random_double(struct snap_numpy_random_state *r)
{
    return snap_mt19937_double(&r->mt);
}

double snap_numpy_uniform(struct snap_numpy_random_state *r, double low, double high)
{
    double range = high - low;

    return low + range * snap_mt19937_double(&r->mt);
}

/* ---- shuffles ---- */

static void fill_u32(void *arg, uint32_t *out, size_t n)
{
    snap_mt19937_fill_u32(arg, out, n);
}

static void fill_u64(void *arg, uint64_t *out, size_t n)
{
    snap_mt19937_fill_u64(arg, out, n);
}

void snap_numpy_shuffle(struct snap_numpy_random_state *r, uint64_t *items, size_t n)
{
    const struct snap_word_source source = { fill_u32, fill_u64, &r->mt };
    const struct snap_shuffle_line line = { (unsigned char *)items, sizeof *items, sizeof *items };

    snap_masked_shuffle(&source, &line, n);
}

void snap_numpy_permutation(struct snap_numpy_random_state *r, uint64_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = i;
    }
    snap_numpy_shuffle(r, out, n);
}
