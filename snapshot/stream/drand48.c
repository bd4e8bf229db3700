/* SPDX-License-Identifier: Apache-2.0 */
/* drand48 and its family, of POSIX: x -> a x + c mod 2^48. A program that changes a and c by
 * lcong48() has them in the state. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "format/json_canonical.h"
#include "stream/lcg.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define KIND "drand48"
#define WHAT "stream " KIND
#define BITS 48u
#define MASK (((uint64_t)1 << BITS) - 1)
#define DEFAULT_A 0x5deece66du
#define DEFAULT_C 0xbu

/* Offsets in glibc's struct drand48_data. */
enum {
    AT_X = 0,     /* u16[3] */
    AT_OLD_X = 6, /* u16[3]: what seed48() returned; no draw reads it */
    AT_C = 12,    /* u16 */
    AT_INIT = 14, /* u16: 0 until a and c are set, by the first call at the latest */
    AT_A = 16,    /* u64 */
    DATA_BYTES = 24
};

struct drand48 {
    uint64_t x, a, c;
    uint64_t words_drawn; /* steps since the object was made; no part of the state */
};

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    const struct drand48 *d = state;

    return snap_stream_json_encode(WHAT,
                                   json_pack("{s:o, s:o, s:s, s:o}", "a", snap_json_u64(d->a), "c",
                                             snap_json_u64(d->c), "kind", KIND, "x",
                                             snap_json_u64(d->x)),
                                   bytes, size_bytes, err);
}

static enum snap_status decode(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err)
{
    struct drand48 *d = state;
    struct drand48 fresh = { .words_drawn = d->words_drawn };
    json_t *object = NULL;
    enum snap_status status =
        snap_stream_json_decode(WHAT, KIND, "a c kind x", bytes, size_bytes, &object, err);

    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "a", MASK, &fresh.a, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "c", UINT16_MAX, &fresh.c, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "x", MASK, &fresh.x, err);
    }
    if (status == SNAP_OK) {
        *d = fresh;
    }
    json_decref(object);
    return status;
}

/* ---- glibc's struct drand48_data ---- */

static void put_u16(unsigned char *out, uint64_t value)
{
    out[0] = (unsigned char)value;
    out[1] = (unsigned char)(value >> 8);
}

static uint64_t get_u16(const unsigned char *in)
{
    return (uint64_t)in[0] | (uint64_t)in[1] << 8;
}

static enum snap_status encode_data(const void *state, void **bytes, size_t *size_bytes,
                                    struct snap_error *err)
{
    const struct drand48 *d = state;
    unsigned char *out = calloc(1, DATA_BYTES);

    if (out == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": encode: no memory");
    }
    for (unsigned i = 0; i < 3; i++) {
        put_u16(out + AT_X + 2 * i, d->x >> (16 * i));
    }
    put_u16(out + AT_C, d->c);
    put_u16(out + AT_INIT, 1);
    snap_put_u64(out + AT_A, d->a);
    *bytes = out;
    *size_bytes = DATA_BYTES;
    return SNAP_OK;
}

static enum snap_status decode_data(void *state, const void *bytes, size_t size_bytes,
                                    struct snap_error *err)
{
    struct drand48 *d = state;
    const unsigned char *in = bytes;

    if (size_bytes != DATA_BYTES) {
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": decode: %zu bytes where struct drand48_data has 24",
                              size_bytes);
    }
    if (get_u16(in + AT_INIT) > 1 || snap_get_u64(in + AT_A) > MASK) {
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": decode: no struct drand48_data: its flag is not 0 or 1, or a "
                                   "has more than 48 bits");
    }
    d->x = 0;
    for (unsigned i = 0; i < 3; i++) {
        d->x |= get_u16(in + AT_X + 2 * i) << (16 * i);
    }
    d->a = get_u16(in + AT_INIT) ? snap_get_u64(in + AT_A) : DEFAULT_A;
    d->c = get_u16(in + AT_INIT) ? get_u16(in + AT_C) : DEFAULT_C;
    return SNAP_OK;
}

static const struct snap_stream_form_row forms[] = {
    SNAP_FORM_ROW("drand48_data", "glibc's struct drand48_data on 64-bit machines, 24 bytes",
                  encode_data, decode_data),
    SNAP_FORM_END,
};

/* ---- the rest of the family ---- */

static enum snap_status seed(void *state, uint64_t value, struct snap_error *err)
{
    struct drand48 *d = state;

    (void)err; /* srand48() takes the low 32 bits */
    d->x = (value & UINT32_MAX) << 16 | 0x330e;
    d->a = DEFAULT_A;
    d->c = DEFAULT_C;
    return SNAP_OK;
}

static void init(void *state)
{
    seed(state, 0, NULL);
}

static uint64_t words_drawn(const void *state)
{
    return ((const struct drand48 *)state)->words_drawn;
}

static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    const struct drand48 *a = from;
    const struct drand48 *b = to;
    const struct snap_lcg lcg = { a->a, a->c, BITS };

    return a->a == b->a && a->c == b->c && snap_lcg_distance(&lcg, a->x, b->x, limit_words, words);
}

static uint64_t step(struct drand48 *d)
{
    d->x = (d->a * d->x + d->c) & MASK;
    d->words_drawn++;
    return d->x;
}

static enum snap_status draw_f64(void *state, void *out, size_t n, struct snap_error *err)
{
    double *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = (double)step(state) * 0x1p-48;
    }
    return SNAP_OK;
}

static enum snap_status draw_u31(void *state, void *out, size_t n, struct snap_error *err)
{
    uint32_t *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = (uint32_t)(step(state) >> 17);
    }
    return SNAP_OK;
}

static enum snap_status draw_i32(void *state, void *out, size_t n, struct snap_error *err)
{
    int32_t *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = (int32_t)(uint32_t)(step(state) >> 16);
    }
    return SNAP_OK;
}

static const struct snap_stream_draw_row draws[] = {
    SNAP_DRAW_ROW("f64", "drand48(), n times", SNAP_F64, false, draw_f64),
    SNAP_DRAW_ROW("u31", "lrand48(), n times", SNAP_U32, false, draw_u31),
    SNAP_DRAW_ROW("i32", "mrand48(), n times", SNAP_I32, false, draw_i32),
    SNAP_DRAW_END,
};

const struct snap_stream_family snap_drand48_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct drand48),
    .init = init,
    .seed = seed,
    .encode = encode,
    .decode = decode,
    .words_drawn = words_drawn,
    .distance = distance,
    .unit = "step",
    .units = "steps",
    .draws = draws,
    .forms = forms,
};
