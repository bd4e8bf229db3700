/* SPDX-License-Identifier: Apache-2.0 */
/* random.Random: state, integers and sequences. */
#include "config.h"

#include "stream/python_random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define KIND "python_random"
#define WHAT "stream " KIND
#define STATE_VERSION 3
#define WORDS SNAP_MT19937_WORDS
/* 625 numbers of ten digits and a comma, and the names; a hint, no limit. */
#define ENCODED_BYTES 7168u

/* ---- state ---- */

enum snap_status snap_python_setstate(struct snap_python_random *r, int version,
                                      const int64_t internal[WORDS + 1], const double *gauss_next,
                                      struct snap_error *err)
{
    struct snap_mt19937 mt;

    if (version != STATE_VERSION && version != 2) {
        return snap_error_set(err, SNAP_INVALID, WHAT ": setstate: no version %d",
                              version);
    }
    for (size_t i = 0; i <= WORDS; i++) {
        int64_t value = version == 2 ? internal[i] & 0xffffffff : internal[i];

        if (value < 0 || value > (i == WORDS ? (int64_t)WORDS : (int64_t)UINT32_MAX)) {
            return snap_error_set(err, SNAP_INVALID,
                                  WHAT ": setstate: entry %zu is out of range", i);
        }
        if (i == WORDS) {
            mt.pos = (uint32_t)value;
        } else {
            mt.key[i] = (uint32_t)value;
        }
    }
    mt.words_drawn = r->mt.words_drawn;
    r->mt = mt;
    r->has_gauss_next = gauss_next != NULL;
    r->gauss_next = gauss_next != NULL ? *gauss_next : 0.0;
    return SNAP_OK;
}

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    const struct snap_python_random *r = state;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    enum snap_status status = snap_buffer_reserve(&text, ENCODED_BYTES, err);

    if (status == SNAP_OK) {
        status = r->has_gauss_next
                     ? snap_stream_json_put_double(&text, "{\"gauss_next\":", r->gauss_next, err)
                     : snap_buffer_append_text(&text, "{\"gauss_next\":null", err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_put_words(&text, ",\"kind\":\"" KIND "\",\"state\":[", r->mt.key,
                                            WORDS, err);
    }
    if (status == SNAP_OK) {
        status = snap_buffer_appendf(&text, err, ",%u],\"version\":%d}\n", (unsigned)r->mt.pos,
                                     STATE_VERSION);
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
    struct snap_python_random *r = state;
    struct snap_python_random fresh;
    uint32_t words[WORDS + 1];
    uint64_t version;
    json_t *object = NULL;
    enum snap_status status;

    status = snap_stream_json_decode(WHAT, KIND, "gauss_next kind state version", bytes, size_bytes,
                                     &object, err);
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "version", INT32_MAX, &version, err);
    }
    if (status == SNAP_OK && version != STATE_VERSION) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                WHAT ": \"version\": %d where 3 is needed",
                                (int)version);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_words(WHAT, object, "state", WORDS + 1, words, err);
    }
    if (status == SNAP_OK && words[WORDS] > WORDS) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                WHAT ": \"state\": the position is %lu, past 624",
                                (unsigned long)words[WORDS]);
    }
    fresh.has_gauss_next = false;
    fresh.gauss_next = 0.0;
    if (status == SNAP_OK && !json_is_null(json_object_get(object, "gauss_next"))) {
        fresh.has_gauss_next = true;
        status = snap_stream_json_get_double(WHAT, object, "gauss_next", &fresh.gauss_next, err);
    }
    if (status == SNAP_OK) {
        memcpy(fresh.mt.key, words, sizeof fresh.mt.key);
        fresh.mt.pos = words[WORDS];
        fresh.mt.words_drawn = r->mt.words_drawn;
        *r = fresh;
    }
    json_decref(object);
    return status;
}

static void init(void *state)
{
    snap_python_seed_uint(state, 0);
}

static enum snap_status seed(void *state, uint64_t value, struct snap_error *err)
{
    (void)err; /* every integer is a seed */
    snap_python_seed_uint(state, value);
    return SNAP_OK;
}

static uint64_t words_drawn(const void *state)
{
    return ((const struct snap_python_random *)state)->mt.words_drawn;
}

static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    return snap_mt19937_distance(&((const struct snap_python_random *)from)->mt,
                                 &((const struct snap_python_random *)to)->mt, limit_words, words);
}

static bool forward(const void *from, const void *to, uint64_t limit_words, uint64_t *words)
{
    return snap_mt19937_forward(&((const struct snap_python_random *)from)->mt,
                                &((const struct snap_python_random *)to)->mt, limit_words, words);
}

const struct snap_stream_family snap_python_random_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct snap_python_random),
    .init = init,
    .seed = seed,
    .encode = encode,
    .decode = decode,
    .words_drawn = words_drawn,
    .distance = distance,
    .forward = forward,
    .draws = snap_python_random_draws,
    .forms = snap_python_random_forms,
};

/* ---- integers ---- */

double snap_python_random_double(struct snap_python_random *r)
{
    return snap_mt19937_double(&r->mt);
}

uint64_t snap_python_getrandbits(struct snap_python_random *r, unsigned k)
{
    uint64_t value;

    if (k == 0) {
        return 0;
    }
    if (k <= 32) {
        return snap_mt19937_u32(&r->mt) >> (32 - k);
    }
    value = snap_mt19937_u32(&r->mt);
    return value | (uint64_t)(snap_mt19937_u32(&r->mt) >> (64 - k)) << 32;
}

void snap_python_getrandbits_words(struct snap_python_random *r, uint64_t k, uint32_t *words)
{
    for (; k >= 32; k -= 32) {
        *words++ = snap_mt19937_u32(&r->mt);
    }
    if (k > 0) {
        *words = snap_mt19937_u32(&r->mt) >> (32 - k);
    }
}

void snap_python_randbytes(struct snap_python_random *r, void *out, size_t size_bytes)
{
    unsigned char *bytes = out;

    for (size_t i = 0; i < size_bytes; i += 4) {
        size_t left = size_bytes - i < 4 ? size_bytes - i : 4;
        uint32_t word = snap_mt19937_u32(&r->mt) >> (32 - 8 * left);

        for (size_t b = 0; b < left; b++) {
            bytes[i + b] = (unsigned char)(word >> (8 * b));
        }
    }
}

static unsigned bit_length(uint64_t n)
{
    return n == 0 ? 0 : 64 - (unsigned)__builtin_clzll(n);
}

uint64_t snap_python_below(struct snap_python_random *r, uint64_t n)
{
    unsigned k = bit_length(n); /* of n and not of n - 1: half of the draws for 2^m are refused */
    uint64_t value;

    if (n == 0) {
        return 0;
    }
    do {
        value = snap_python_getrandbits(r, k);
    } while (value >= n);
    return value;
}

static bool less(const uint32_t *a, const uint32_t *b, size_t count)
{
    while (count-- > 0) {
        if (a[count] != b[count]) {
            return a[count] < b[count];
        }
    }
    return false;
}

void snap_python_below_words(struct snap_python_random *r, const uint32_t *n, size_t count,
                             uint32_t *out)
{
    uint64_t k = (uint64_t)(count - 1) * 32 + bit_length(n[count - 1]);

    do {
        snap_python_getrandbits_words(r, k, out);
    } while (!less(out, n, count));
}

/* 0 < n <= 2^126. */
static snap_int128 below_int128(struct snap_python_random *r, snap_int128 n)
{
    uint32_t bound[4] = { 0 };
    uint32_t out[4] = { 0 };
    size_t count = 0;
    snap_int128 value = 0;

    for (; n > 0; n >>= 32) {
        bound[count++] = (uint32_t)n;
    }
    snap_python_below_words(r, bound, count, out);
    while (count-- > 0) {
        value = value << 32 | out[count];
    }
    return value;
}

enum snap_status snap_python_randrange(struct snap_python_random *r, snap_int128 start,
                                       snap_int128 stop, snap_int128 step, snap_int128 *out,
                                       struct snap_error *err)
{
    const snap_int128 widest = (snap_int128)1 << 126;
    snap_int128 width;
    snap_int128 count;

    if (__builtin_sub_overflow(stop, start, &width) || width > widest || width < -widest) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              WHAT ": randrange: the range is wider than 126 bits");
    }
    if (step == 0 || width == 0 || (step > 0) != (width > 0)) {
        return snap_error_set(err, SNAP_INVALID,
                              WHAT ": randrange: the range is empty");
    }
    /* Whole steps that begin inside the range, without the overflow of width + step - 1. */
    count = width / step + (width % step != 0);
    *out = start + step * below_int128(r, count);
    return SNAP_OK;
}

/* ---- sequences ---- */

void snap_python_shuffle_items(struct snap_python_random *r, uint32_t *items, size_t n)
{
    for (size_t i = n; i-- > 1;) {
        size_t j = (size_t)snap_python_below(r, (uint64_t)i + 1);
        uint32_t item = items[i];

        items[i] = items[j];
        items[j] = item;
    }
}

static enum snap_status sample_from_pool(struct snap_python_random *r, size_t n, size_t k,
                                         uint64_t *out, struct snap_error *err)
{
    uint64_t *pool = calloc(n > 0 ? n : 1, sizeof *pool);

    if (pool == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": sample: no memory");
    }
    for (size_t i = 0; i < n; i++) {
        pool[i] = i;
    }
    for (size_t i = 0; i < k; i++) {
        size_t j = (size_t)snap_python_below(r, n - i);

        out[i] = pool[j];
        pool[j] = pool[n - i - 1];
    }
    free(pool);
    return SNAP_OK;
}

/* Put `value` into an open table of 2^bits slots that keep value + 1; false when it was there. */
static bool table_add(uint64_t *table, unsigned bits, uint64_t value)
{
    size_t mask = ((size_t)1 << bits) - 1;
    size_t at = (size_t)((value * 0x9e3779b97f4a7c15u) >> (64 - bits));

    for (; table[at] != 0; at = (at + 1) & mask) {
        if (table[at] == value + 1) {
            return false;
        }
    }
    table[at] = value + 1;
    return true;
}

static enum snap_status sample_by_redraw(struct snap_python_random *r, uint64_t n, size_t k,
                                         uint64_t *out, struct snap_error *err)
{
    unsigned bits = bit_length(k) + 1; /* at least half of the slots stay free */
    uint64_t *table = calloc((size_t)1 << bits, sizeof *table);

    if (table == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": sample: no memory");
    }
    for (size_t i = 0; i < k; i++) {
        do {
            out[i] = snap_python_below(r, n);
        } while (!table_add(table, bits, out[i]));
    }
    free(table);
    return SNAP_OK;
}

enum snap_status snap_python_sample(struct snap_python_random *r, uint64_t n, size_t k,
                                    uint64_t *out, struct snap_error *err)
{
    double set_size = 21.0; /* how CPython decides between a pool and a set, in its own doubles */

    if (k > n) {
        return snap_error_set(err, SNAP_INVALID, WHAT ": sample: larger than the "
                                                 "population");
    }
    if (k > 5) {
        set_size += exp2(2.0 * ceil(log((double)k * 3.0) / log(4.0)));
    }
    if ((double)n <= set_size) {
        return sample_from_pool(r, (size_t)n, k, out, err);
    }
    return sample_by_redraw(r, n, k, out, err);
}

enum snap_status snap_python_sample_counts(struct snap_python_random *r, const uint64_t *counts,
                                           size_t n, size_t k, uint64_t *out,
                                           struct snap_error *err)
{
    uint64_t total = 0;
    enum snap_status status;

    for (size_t i = 0; i < n; i++) {
        if (__builtin_add_overflow(total, counts[i], &total)) {
            return snap_error_set(err, SNAP_INVALID, WHAT ": sample: counts past 2^64");
        }
    }
    if (total == 0) {
        return snap_error_set(err, SNAP_INVALID, WHAT ": sample: the counts are 0");
    }
    status = snap_python_sample(r, total, k, out, err);
    for (size_t i = 0; status == SNAP_OK && i < k; i++) {
        uint64_t end = counts[0];
        size_t which = 0;

        while (out[i] >= end) {
            end += counts[++which];
        }
        out[i] = which;
    }
    return status;
}

void snap_python_choices(struct snap_python_random *r, uint64_t n, size_t k, uint64_t *out)
{
    for (size_t i = 0; i < k; i++) {
        out[i] = (uint64_t)floor(snap_python_random_double(r) * (double)n);
    }
}

enum snap_status snap_python_choices_cumulative(struct snap_python_random *r, const double *cum,
                                                size_t n, size_t k, uint64_t *out,
                                                struct snap_error *err)
{
    double total = n > 0 ? cum[n - 1] + 0.0 : 0.0;

    if (!(total > 0.0) || isinf(total)) {
        return snap_error_set(err, SNAP_INVALID,
                              WHAT ": choices: the weights have no positive, finite sum");
    }
    for (size_t i = 0; i < k; i++) {
        double x = snap_python_random_double(r) * total;
        size_t low = 0;
        size_t high = n - 1; /* the last element catches what rounding puts at the end */

        while (low < high) {
            size_t middle = low + (high - low) / 2;

            if (x < cum[middle]) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        out[i] = low;
    }
    return SNAP_OK;
}
