/* SPDX-License-Identifier: Apache-2.0 */
/* RandomState: draws by name; its state as JSON of the dict and of the tuple that get_state gives,
 * in every release of NumPy, and as a .npy file of one record, which np.load reads without
 * pickle. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "format/json_fields.h"
#include "stream/numpy_random_state.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define WHAT "stream numpy_random_state"
#define WORDS SNAP_MT19937_WORDS

/* ---- draws ---- */

static enum snap_status draw_f64(void *state, void *out, size_t n, struct snap_error *err)
{
    struct snap_numpy_random_state *r = state;

    (void)err; /* cannot fail */
    snap_mt19937_fill_double(&r->mt, out, n);
    return SNAP_OK;
}

static enum snap_status draw_u32(void *state, void *out, size_t n, struct snap_error *err)
{
    struct snap_numpy_random_state *r = state;

    (void)err; /* cannot fail */
    snap_mt19937_fill_u32(&r->mt, out, n);
    return SNAP_OK;
}

static enum snap_status draw_u64(void *state, void *out, size_t n, struct snap_error *err)
{
    struct snap_numpy_random_state *r = state;

    (void)err; /* cannot fail */
    snap_mt19937_fill_u64(&r->mt, out, n);
    return SNAP_OK;
}

static enum snap_status draw_normal(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err; /* cannot fail */
    snap_numpy_standard_normals(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_exponential(void *state, void *out, size_t n, struct snap_error *err)
{
    double *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = snap_numpy_standard_exponential(state);
    }
    return SNAP_OK;
}

static enum snap_status draw_permutation(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err; /* cannot fail */
    snap_numpy_permutation(state, out, n);
    return SNAP_OK;
}

const struct snap_stream_draw_row snap_numpy_random_state_draws[] = {
    SNAP_DRAW_ROW("f64", "np.random.random_sample(n)", SNAP_F64, false, draw_f64),
    SNAP_DRAW_ROW("u32", "np.random.randint(0, 2**32, n, np.uint32)", SNAP_U32, false, draw_u32),
    SNAP_DRAW_ROW("u64", "np.random.randint(0, 2**64, n, np.uint64)", SNAP_U64, false, draw_u64),
    SNAP_DRAW_ROW("normal", "np.random.standard_normal(n)", SNAP_F64, true, draw_normal),
    SNAP_DRAW_ROW("exponential", "np.random.standard_exponential(n)", SNAP_F64, true,
                  draw_exponential),
    SNAP_DRAW_ROW("permutation", "np.random.permutation(n)", SNAP_U64, false, draw_permutation),
    SNAP_DRAW_END,
};

/* ---- JSON ---- */

static enum snap_status encode_dict(const void *state, void **bytes, size_t *size_bytes,
                                    struct snap_error *err)
{
    const struct snap_numpy_random_state *r = state;

    if (snap_stream_json_refuse_real(WHAT, r->gauss, err) != SNAP_OK) {
        return SNAP_UNSUPPORTED;
    }
    return snap_stream_json_dump(
        WHAT,
        json_pack("{s:s, s:{s:o, s:i}, s:i, s:f}", "bit_generator", "MT19937", "state", "key",
                  snap_stream_json_words(r->mt.key, WORDS), "pos", (int)r->mt.pos, "has_gauss",
                  r->has_gauss ? 1 : 0, "gauss", r->gauss),
        bytes, size_bytes, err);
}

static enum snap_status encode_tuple(const void *state, void **bytes, size_t *size_bytes,
                                     struct snap_error *err)
{
    const struct snap_numpy_random_state *r = state;

    if (snap_stream_json_refuse_real(WHAT, r->gauss, err) != SNAP_OK) {
        return SNAP_UNSUPPORTED;
    }
    return snap_stream_json_dump(WHAT,
                                 json_pack("[s, o, i, i, f]", "MT19937",
                                           snap_stream_json_words(r->mt.key, WORDS), (int)r->mt.pos,
                                           r->has_gauss ? 1 : 0, r->gauss),
                                 bytes, size_bytes, err);
}

static bool is_integer_to(const json_t *value, json_int_t most)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= most;
}

/* The five fields; `gauss` and `has_gauss` are NULL where the old tuple of three has none. */
static enum snap_status take_fields(struct snap_numpy_random_state *r, const json_t *name,
                                    const json_t *key, const json_t *pos, const json_t *has_gauss,
                                    const json_t *gauss, struct snap_error *err)
{
    struct snap_numpy_random_state fresh = { .mt.words_drawn = r->mt.words_drawn };
    const char *engine = json_string_value(name);

    if (engine == NULL || strcmp(engine, "MT19937") != 0) {
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": decode: the bit generator is not MT19937");
    }
    if (json_array_size(key) != WORDS || !is_integer_to(pos, WORDS) ||
        (has_gauss != NULL && !is_integer_to(has_gauss, 1)) ||
        (gauss != NULL && !json_is_number(gauss))) {
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": decode: key is not 624 integers, or pos not 0 to 624, or "
                                   "has_gauss not 0 or 1, or gauss no number");
    }
    for (size_t i = 0; i < WORDS; i++) {
        const json_t *word = json_array_get(key, i);

        if (!is_integer_to(word, UINT32_MAX)) {
            return snap_error_set(err, SNAP_CORRUPT,
                                  WHAT ": decode: word %zu of the key is no integer of 32 bits", i);
        }
        fresh.mt.key[i] = (uint32_t)json_integer_value(word);
    }
    fresh.mt.pos = (uint32_t)json_integer_value(pos);
    fresh.has_gauss = json_integer_value(has_gauss) != 0;
    fresh.gauss = json_number_value(gauss);
    *r = fresh;
    return SNAP_OK;
}

static enum snap_status decode_dict(void *state, const void *bytes, size_t size_bytes,
                                    struct snap_error *err)
{
    json_t *object = NULL;
    const json_t *engine;
    enum snap_status status = snap_stream_json_load(WHAT, bytes, size_bytes, &object, err);

    if (status == SNAP_OK) {
        status = snap_json_check_keys(object, "bit_generator state has_gauss gauss", WHAT, err);
    }
    if (status == SNAP_OK) {
        engine = json_object_get(object, "state");
        status = snap_json_check_keys(engine, "key pos", WHAT, err);
    }
    if (status == SNAP_OK) {
        status = take_fields(state, json_object_get(object, "bit_generator"),
                             json_object_get(engine, "key"), json_object_get(engine, "pos"),
                             json_object_get(object, "has_gauss"), json_object_get(object, "gauss"),
                             err);
    }
    json_decref(object);
    return status;
}

static enum snap_status decode_tuple(void *state, const void *bytes, size_t size_bytes,
                                     struct snap_error *err)
{
    json_t *list = NULL;
    enum snap_status status = snap_stream_json_load(WHAT, bytes, size_bytes, &list, err);

    if (status == SNAP_OK && json_array_size(list) != 5 && json_array_size(list) != 3) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                WHAT ": decode: not a list of five fields, as get_state() has, or "
                                     "of the first three");
    }
    if (status == SNAP_OK) {
        status = take_fields(state, json_array_get(list, 0), json_array_get(list, 1),
                             json_array_get(list, 2), json_array_get(list, 3),
                             json_array_get(list, 4), err);
    }
    json_decref(list);
    return status;
}

/* ---- .npy, version 1.0: np.save of an array without dimensions of this dtype ---- */

static const char npy_header[] =
    "\x93NUMPY\x01\x00\xb6\x00{'descr': [('key', '<u4', (624,)), ('pos', '<i4'), ('has_gauss', "
    "'<i4'), ('gauss', '<f8')], 'fortran_order': False, 'shape': (), }";
#define NPY_HEADER_BYTES 192u /* padded with blanks and one newline */
#define NPY_BYTES (NPY_HEADER_BYTES + 4 * WORDS + 16)

static void put_npy_header(unsigned char header[NPY_HEADER_BYTES])
{
    memset(header, ' ', NPY_HEADER_BYTES);
    memcpy(header, npy_header, sizeof npy_header - 1);
    header[NPY_HEADER_BYTES - 1] = '\n';
}

static enum snap_status encode_npy(const void *state, void **bytes, size_t *size_bytes,
                                   struct snap_error *err)
{
    const struct snap_numpy_random_state *r = state;
    unsigned char *out = malloc(NPY_BYTES);
    unsigned char *at;
    uint64_t bits;

    if (out == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": encode: no memory");
    }
    put_npy_header(out);
    at = out + NPY_HEADER_BYTES;
    for (size_t i = 0; i < WORDS; i++, at += 4) {
        snap_put_u32(at, r->mt.key[i]);
    }
    snap_put_u32(at, r->mt.pos);
    snap_put_u32(at + 4, r->has_gauss);
    memcpy(&bits, &r->gauss, sizeof bits);
    snap_put_u64(at + 8, bits);
    *bytes = out;
    *size_bytes = NPY_BYTES;
    return SNAP_OK;
}

static enum snap_status decode_npy(void *state, const void *bytes, size_t size_bytes,
                                   struct snap_error *err)
{
    struct snap_numpy_random_state *r = state;
    struct snap_numpy_random_state fresh = { .mt.words_drawn = r->mt.words_drawn };
    unsigned char header[NPY_HEADER_BYTES];
    const unsigned char *at = (const unsigned char *)bytes + NPY_HEADER_BYTES;
    uint64_t bits;

    put_npy_header(header);
    if (size_bytes != NPY_BYTES || memcmp(bytes, header, sizeof header) != 0) {
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": decode: not a .npy file of one record of key, pos, has_gauss "
                                   "and gauss");
    }
    for (size_t i = 0; i < WORDS; i++, at += 4) {
        fresh.mt.key[i] = snap_get_u32(at);
    }
    fresh.mt.pos = snap_get_u32(at);
    if (fresh.mt.pos > WORDS || snap_get_u32(at + 4) > 1) {
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": decode: pos is past 624, or has_gauss not 0 or 1");
    }
    fresh.has_gauss = snap_get_u32(at + 4) == 1;
    bits = snap_get_u64(at + 8);
    memcpy(&fresh.gauss, &bits, sizeof bits);
    *r = fresh;
    return SNAP_OK;
}

const struct snap_stream_form_row snap_numpy_random_state_forms[] = {
    SNAP_FORM_ROW("dict", "JSON of np.random.get_state(legacy=False), lists for arrays",
                  encode_dict, decode_dict),
    SNAP_FORM_ROW("tuple", "JSON of np.random.get_state(), lists for arrays", encode_tuple,
                  decode_tuple),
    SNAP_FORM_ROW("npy", "np.save of one record: key, pos, has_gauss, gauss", encode_npy,
                  decode_npy),
    SNAP_FORM_END,
};
