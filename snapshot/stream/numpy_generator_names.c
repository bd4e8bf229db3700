/* SPDX-License-Identifier: Apache-2.0 */
/* The bit generators: draws of Generator by name; their state as JSON of the dict that NumPy
 * gives. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "stream/generator.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

/* ---- draws: none can fail ---- */

static enum snap_status draw_raw(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err;
    snap_generator_fill_raw(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_u32(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err;
    snap_bit_generator_fill_u32(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_u64(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err;
    snap_bit_generator_fill_u64(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_f32(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err;
    snap_generator_fill_f32(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_f64(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err;
    snap_bit_generator_fill_f64(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_normal(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err;
    snap_generator_fill_normal_f64(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_normal_f32(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err;
    snap_generator_fill_normal_f32(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_exponential(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err;
    snap_generator_fill_exponential_f64(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_permutation(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err;
    snap_generator_fill_permutation(state, out, n);
    return SNAP_OK;
}

const struct snap_stream_draw_row snap_numpy_generator_draws[] = {
    SNAP_DRAW_ROW("f64", "rng.random(n)", SNAP_F64, false, draw_f64),
    SNAP_DRAW_ROW("f32", "rng.random(n, np.float32)", SNAP_F32, false, draw_f32),
    SNAP_DRAW_ROW("u32", "rng.integers(0, 2**32, n, np.uint32)", SNAP_U32, false, draw_u32),
    SNAP_DRAW_ROW("u64", "rng.integers(0, 2**64, n, np.uint64)", SNAP_U64, false, draw_u64),
    SNAP_DRAW_ROW("raw", "rng.bit_generator.random_raw(n)", SNAP_U64, false, draw_raw),
    SNAP_DRAW_ROW("normal", "rng.standard_normal(n)", SNAP_F64, true, draw_normal),
    SNAP_DRAW_ROW("normal_f32", "rng.standard_normal(n, np.float32)", SNAP_F32, true,
                  draw_normal_f32),
    SNAP_DRAW_ROW("exponential", "rng.standard_exponential(n)", SNAP_F64, true, draw_exponential),
    SNAP_DRAW_ROW("permutation", "rng.permutation(n)", SNAP_I64, false, draw_permutation),
    SNAP_DRAW_END,
};

/* ---- the dict ----
 * Python writes integers of any size as numbers, which the member has as text past 2^53. */

/* A text without the quotes around digits; what else a state has in quotes are names. */
static enum snap_status without_quotes(const char *text, size_t size, struct snap_buffer *out,
                                       struct snap_error *err)
{
    enum snap_status status = snap_buffer_reserve(out, size, err);

    for (size_t i = 0; status == SNAP_OK && i < size; i++) {
        bool before = i > 0 && text[i - 1] >= '0' && text[i - 1] <= '9';
        bool after = i + 1 < size && text[i + 1] >= '0' && text[i + 1] <= '9';

        /* A name begins with a letter, but "PCG64" ends with a digit. */
        if (text[i] == '"' && after && !before) {
            size_t digits = strspn(text + i + 1, "0123456789");

            status = snap_buffer_append(out, text + i + 1, digits, err);
            i += digits + 1;
        } else {
            status = snap_buffer_append(out, text + i, 1, err);
        }
    }
    return status;
}

static enum snap_status encode_dict(const void *state, void **bytes, size_t *size_bytes,
                                    struct snap_error *err)
{
    const struct snap_bit_generator *g = state;
    struct snap_buffer out = SNAP_BUFFER_INIT;
    void *member = NULL;
    const char *kind;
    size_t size;
    enum snap_status status = snap_bit_generator_encode(state, &member, &size, err);

    if (status != SNAP_OK) {
        return status;
    }
    /* The member is text, behind which a buffer has a NUL; "kind" stands in its middle. */
    kind = strstr(member, "\"kind\":");
    status = without_quotes(member, (size_t)(kind - (const char *)member), &out, err);
    if (status == SNAP_OK) {
        const char *rest = kind + strlen("\"kind\":\"\",") + strlen(g->ops->kind);

        status = without_quotes(rest, strlen(rest), &out, err);
    }
    if (status == SNAP_OK) {
        *bytes = snap_buffer_steal(&out, size_bytes);
    }
    snap_buffer_release(&out);
    free(member);
    return status;
}

static bool is_large(const char *digits, size_t length)
{
    static const char most[] = "9007199254740992";

    return length > sizeof most - 1 ||
           (length == sizeof most - 1 && memcmp(digits, most, length) > 0);
}

/* JSON text with quotes around the integers past 2^53. */
static enum snap_status with_quotes(const char *text, size_t size, struct snap_buffer *out,
                                    struct snap_error *err)
{
    enum snap_status status = snap_buffer_reserve(out, size, err);
    bool in_string = false;

    for (size_t i = 0; status == SNAP_OK && i < size;) {
        size_t length = 0;
        bool large;

        while (!in_string && i + length < size && text[i + length] >= '0' &&
               text[i + length] <= '9') {
            length++;
        }
        large = is_large(text + i, length);
        if (length == 0) {
            in_string = in_string != (text[i] == '"'); /* a state has no \" in its names */
            length = 1;
        }
        if (large) {
            status = snap_buffer_append_text(out, "\"", err);
        }
        if (status == SNAP_OK) {
            status = snap_buffer_append(out, text + i, length, err);
        }
        if (status == SNAP_OK && large) {
            status = snap_buffer_append_text(out, "\"", err);
        }
        i += length;
    }
    return status;
}

static enum snap_status decode_dict(void *state, const void *bytes, size_t size_bytes,
                                    struct snap_error *err)
{
    struct snap_bit_generator *g = state;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_buffer member = SNAP_BUFFER_INIT;
    struct snap_error cause = SNAP_ERROR_INIT;
    json_t *object = NULL;
    enum snap_status status;

    if (size_bytes > SNAP_MAX_STREAM_JSON_BYTES) {
        return snap_error_set(err, SNAP_CORRUPT, "%s: decode: %zu bytes are more than a state has",
                              g->ops->what, size_bytes);
    }
    status = with_quotes(bytes, size_bytes, &text, err);
    if (status == SNAP_OK) {
        status = snap_stream_json_load(g->ops->what, text.data, text.size, &object, err);
    }
    if (status == SNAP_OK && (!json_is_object(object) || json_object_get(object, "kind") != NULL)) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s: decode: not a dict as bit_generator.state is", g->ops->what);
    }
    if (status == SNAP_OK) {
        status = snap_json_set(object, "kind", json_string(g->ops->kind), err);
    }
    if (status == SNAP_OK) {
        /* A real, or something too deep: what has no canonical form is no state. */
        status = snap_refuse(snap_json_encode(object, &member, &cause), &cause, err);
    }
    if (status == SNAP_OK) {
        status = snap_bit_generator_decode(g, member.data, member.size, err);
    }
    json_decref(object);
    snap_buffer_release(&text);
    snap_buffer_release(&member);
    return status;
}

const struct snap_stream_form_row snap_numpy_generator_forms[] = {
    SNAP_FORM_ROW("dict",
                  "JSON of rng.bit_generator.state, lists for arrays; and the SeedSequence, where "
                  "it is known, as \"seed_seq\"",
                  encode_dict, decode_dict),
    SNAP_FORM_END,
};
