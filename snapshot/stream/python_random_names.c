/* SPDX-License-Identifier: Apache-2.0 */
/* random.Random: draws by name, and getstate() as Python's json module writes it. */
#include "config.h"

#include <string.h>

#include "format/json_fields.h"
#include "stream/python_random.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define WHAT "stream python_random"

/* ---- draws ---- */

static enum snap_status draw_f64(void *state, void *out, size_t n, struct snap_error *err)
{
    double *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = snap_python_random_double(state);
    }
    return SNAP_OK;
}

static enum snap_status draw_u32(void *state, void *out, size_t n, struct snap_error *err)
{
    uint32_t *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = (uint32_t)snap_python_getrandbits(state, 32);
    }
    return SNAP_OK;
}

static enum snap_status draw_u64(void *state, void *out, size_t n, struct snap_error *err)
{
    uint64_t *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = snap_python_getrandbits(state, 64);
    }
    return SNAP_OK;
}

static enum snap_status draw_normal(void *state, void *out, size_t n, struct snap_error *err)
{
    double *numbers = out;

    (void)err; /* cannot fail */
    for (size_t i = 0; i < n; i++) {
        numbers[i] = snap_python_gauss(state, 0.0, 1.0);
    }
    return SNAP_OK;
}

static enum snap_status draw_permutation(void *state, void *out, size_t n, struct snap_error *err)
{
    uint32_t *items = out;

    if (n > UINT32_MAX) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              WHAT ": draw permutation: more than 2^32-1 elements");
    }
    for (size_t i = 0; i < n; i++) {
        items[i] = (uint32_t)i;
    }
    snap_python_shuffle_items(state, items, n);
    return SNAP_OK;
}

const struct snap_stream_draw_row snap_python_random_draws[] = {
    SNAP_DRAW_ROW("f64", "random.random(), n times", SNAP_F64, false, draw_f64),
    SNAP_DRAW_ROW("u32", "random.getrandbits(32), n times", SNAP_U32, false, draw_u32),
    SNAP_DRAW_ROW("u64", "random.getrandbits(64), n times", SNAP_U64, false, draw_u64),
    SNAP_DRAW_ROW("normal", "random.gauss(0, 1), n times", SNAP_F64, true, draw_normal),
    SNAP_DRAW_ROW("permutation", "random.shuffle(x) of x = list(range(n))", SNAP_U32, false,
                  draw_permutation),
    SNAP_DRAW_END,
};

/* ---- json.dumps(random.getstate()): [3, [624 words, position], null or float] ---- */

static enum snap_status encode_getstate(const void *state, void **bytes, size_t *size_bytes,
                                        struct snap_error *err)
{
    const struct snap_python_random *r = state;
    json_t *words;
    json_t *list = NULL;

    if (r->has_gauss_next && snap_stream_json_refuse_real(WHAT, r->gauss_next, err) != SNAP_OK) {
        return SNAP_UNSUPPORTED;
    }
    words = snap_stream_json_words(r->mt.key, SNAP_MT19937_WORDS);
    if (words != NULL && json_array_append_new(words, json_integer(r->mt.pos)) == 0) {
        list = json_pack("[i, O, o]", 3, words,
                         r->has_gauss_next ? json_real(r->gauss_next) : json_null());
    }
    json_decref(words);
    return snap_stream_json_dump(WHAT, list, bytes, size_bytes, err);
}

static enum snap_status decode_getstate(void *state, const void *bytes, size_t size_bytes,
                                        struct snap_error *err)
{
    json_t *list = NULL;
    const json_t *words, *gauss;
    int64_t internal[SNAP_MT19937_WORDS + 1];
    json_int_t version;
    double gauss_next;
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_stream_json_load(WHAT, bytes, size_bytes, &list, err);

    if (status != SNAP_OK) {
        return status;
    }
    words = json_array_get(list, 1);
    gauss = json_array_get(list, 2);
    gauss_next = json_number_value(gauss);
    version = json_integer_value(json_array_get(list, 0));
    if (json_array_size(list) != 3 || !json_is_integer(json_array_get(list, 0)) ||
        json_array_size(words) != SNAP_MT19937_WORDS + 1 ||
        !(json_is_null(gauss) || json_is_number(gauss))) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                WHAT ": decode: not [version, [625 integers], null or a number], "
                                     "as random.getstate() is");
        goto out;
    }
    for (size_t i = 0; i <= SNAP_MT19937_WORDS; i++) {
        const json_t *word = json_array_get(words, i);

        internal[i] = json_is_integer(word) ? json_integer_value(word) : INT64_MIN;
    }
    status = snap_python_setstate(state, version < 0 || version > INT16_MAX ? 0 : (int)version,
                                  internal, json_is_null(gauss) ? NULL : &gauss_next, &cause);
    if (status != SNAP_OK) {
        status = snap_refuse(status, &cause, err);
    }
out:
    json_decref(list);
    return status;
}

const struct snap_stream_form_row snap_python_random_forms[] = {
    SNAP_FORM_ROW("getstate", "json.dumps(random.getstate())", encode_getstate, decode_getstate),
    SNAP_FORM_END,
};
