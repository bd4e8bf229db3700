/* SPDX-License-Identifier: Apache-2.0 */
/* torch's CPU generator: draws by name, and the older form of its state. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/hex.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"
#include "stream/torch_cpu.h"

#define KIND "torch_cpu"
#define WHAT "stream " KIND

static enum snap_status draw_f32(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_torch_uniform(state, SNAP_F32, 0.0, 1.0, out, n, err);
}

static enum snap_status draw_f64(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_torch_uniform(state, SNAP_F64, 0.0, 1.0, out, n, err);
}

static enum snap_status draw_i64(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_torch_random(state, SNAP_I64, out, n, err);
}

static enum snap_status draw_u32(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err; /* cannot fail */
    snap_torch_words(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_u64(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err; /* cannot fail */
    snap_torch_wide_words(state, out, n);
    return SNAP_OK;
}

static enum snap_status draw_normal_f32(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_torch_normal(state, SNAP_F32, 0.0, 1.0, true, out, n, err);
}

static enum snap_status draw_normal(void *state, void *out, size_t n, struct snap_error *err)
{
    return snap_torch_normal(state, SNAP_F64, 0.0, 1.0, true, out, n, err);
}

static enum snap_status draw_permutation(void *state, void *out, size_t n, struct snap_error *err)
{
    (void)err; /* cannot fail */
    snap_torch_randperm(state, out, n);
    return SNAP_OK;
}

const struct snap_stream_draw_row snap_torch_cpu_draws[] = {
    SNAP_DRAW_ROW("f32", "torch.rand(n)", SNAP_F32, false, draw_f32),
    SNAP_DRAW_ROW("f64", "torch.rand(n, dtype=torch.float64)", SNAP_F64, false, draw_f64),
    SNAP_DRAW_ROW("i64", "torch.empty(n, dtype=torch.int64).random_()", SNAP_I64, false, draw_i64),
    SNAP_DRAW_ROW("u32", "the generator's next n words of 32 bits", SNAP_U32, false, draw_u32),
    SNAP_DRAW_ROW("u64", "the generator's next n words of 64 bits", SNAP_U64, false, draw_u64),
    SNAP_DRAW_ROW("normal_f32", "torch.randn(n)", SNAP_F32, true, draw_normal_f32),
    SNAP_DRAW_ROW("normal", "torch.randn(n, dtype=torch.float64)", SNAP_F64, true, draw_normal),
    SNAP_DRAW_ROW("permutation", "torch.randperm(n)", SNAP_U64, false, draw_permutation),
    SNAP_DRAW_END,
};

/* The new form without its last field, and, where the old one has a radius and an angle of the
 * cached normal, nothing: a normal does not say which two it was made of. */
static enum snap_status encode_legacy(const void *state, void **bytes, size_t *size_bytes,
                                      struct snap_error *err)
{
    const struct snap_torch_cpu *t = state;
    unsigned char *out;

    if (t->has_normal || t->has_float_normal) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              WHAT ": encode: the form of 5048 bytes cannot hold a cached "
                                   "normal as it is; draw one more normal first");
    }
    out = malloc(SNAP_TORCH_CPU_BYTES);
    if (out == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": encode: no memory");
    }
    snap_torch_get_state(t, out);
    *bytes = out;
    *size_bytes = SNAP_TORCH_CPU_LEGACY_BYTES;
    return SNAP_OK;
}

static enum snap_status decode_legacy(void *state, const void *bytes, size_t size_bytes,
                                      struct snap_error *err)
{
    if (size_bytes != SNAP_TORCH_CPU_LEGACY_BYTES) {
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": decode: %zu bytes where the old form has 5048", size_bytes);
    }
    return snap_torch_set_state(state, bytes, size_bytes, err);
}

/* ---- JSON, for people: torch's fields by their names ---- */

static json_t *normal_value(bool is_there, const char *digits)
{
    return is_there ? json_string(digits) : json_null();
}

static enum snap_status encode_json(const void *state, void **bytes, size_t *size_bytes,
                                    struct snap_error *err)
{
    const struct snap_torch_cpu *t = state;
    unsigned char raw[SNAP_TORCH_CPU_BYTES];
    char digits[17], float_digits[9];

    snap_torch_get_state(t, raw);
    snap_hex_encode_u64(snap_get_u64(raw + SNAP_TORCH_AT_NORMAL), digits);
    snap_hex_encode_u32(snap_get_u32(raw + SNAP_TORCH_AT_FLOAT_NORMAL), float_digits);
    return snap_stream_json_encode(
        WHAT,
        json_pack("{s:s, s:i, s:i, s:o, s:o, s:o, s:o}", "kind", KIND, "left",
                  (int)snap_get_u32(raw + SNAP_TORCH_AT_LEFT), "next",
                  (int)snap_get_u64(raw + SNAP_TORCH_AT_NEXT), "next_float_normal_sample",
                  normal_value(t->has_float_normal, float_digits), "normal_y",
                  normal_value(t->has_normal, digits), "seed", snap_json_u64(t->seed), "state",
                  snap_stream_json_words(t->mt.key, SNAP_MT19937_WORDS)),
        bytes, size_bytes, err);
}

/* Bits of a float of 16 or 8 digits, or null; *is_there tells which. */
static enum snap_status get_normal(const json_t *object, const char *key, size_t digits,
                                   uint64_t *bits, bool *is_there, struct snap_error *err)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    uint32_t narrow = 0;

    *is_there = !json_is_null(value);
    *bits = 0;
    if (!*is_there) {
        return SNAP_OK;
    }
    if (text == NULL ||
        !(digits == 16 ? snap_hex_decode_u64(text, bits) : snap_hex_decode_u32(text, &narrow))) {
        return snap_error_set(err, SNAP_CORRUPT,
                              WHAT ": \"%s\": expected null, or the bits of a float as %zu hex "
                                   "digits",
                              key, digits);
    }
    *bits |= narrow;
    return SNAP_OK;
}

static enum snap_status decode_json(void *state, const void *bytes, size_t size_bytes,
                                    struct snap_error *err)
{
    unsigned char raw[SNAP_TORCH_CPU_BYTES] = { 0 };
    uint32_t words[SNAP_MT19937_WORDS];
    uint64_t value = 0, left = 0, next = 0, normal = 0, float_normal = 0;
    bool has_normal = false, has_float_normal = false;
    json_t *object = NULL;
    enum snap_status status = snap_stream_json_load(WHAT, bytes, size_bytes, &object, err);

    if (status == SNAP_OK) {
        status = snap_json_check_keys(
            object, "kind left next next_float_normal_sample normal_y seed state", WHAT, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_name(WHAT, object, "kind", KIND, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "left", SNAP_MT19937_WORDS, &left, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "next", SNAP_MT19937_WORDS, &next, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint(WHAT, object, "seed", UINT64_MAX, &value, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_words(WHAT, object, "state", SNAP_MT19937_WORDS, words, err);
    }
    if (status == SNAP_OK) {
        status = get_normal(object, "normal_y", 16, &normal, &has_normal, err);
    }
    if (status == SNAP_OK) {
        status = get_normal(object, "next_float_normal_sample", 8, &float_normal, &has_float_normal,
                            err);
    }
    if (status == SNAP_OK) {
        snap_put_u64(raw + SNAP_TORCH_AT_SEED, value);
        snap_put_u32(raw + SNAP_TORCH_AT_LEFT, (uint32_t)left);
        snap_put_u32(raw + SNAP_TORCH_AT_SEEDED, 1);
        snap_put_u64(raw + SNAP_TORCH_AT_NEXT, next);
        for (size_t i = 0; i < SNAP_MT19937_WORDS; i++) {
            snap_put_u64(raw + SNAP_TORCH_AT_STATE + 8 * i, words[i]);
        }
        snap_put_u64(raw + SNAP_TORCH_AT_NORMAL, normal);
        snap_put_u32(raw + SNAP_TORCH_AT_NORMAL_VALID, has_normal);
        snap_put_u32(raw + SNAP_TORCH_AT_FLOAT_NORMAL, (uint32_t)float_normal);
        snap_put_u32(raw + SNAP_TORCH_AT_FLOAT_NORMAL_VALID, has_float_normal);
        status = snap_torch_set_state(state, raw, sizeof raw, err);
    }
    json_decref(object);
    return status;
}

const struct snap_stream_form_row snap_torch_cpu_forms[] = {
    SNAP_FORM_ROW("json", "the fields of the state, for people", encode_json, decode_json),
    SNAP_FORM_ROW("legacy", "torch.get_rng_state() of the first releases, 5048 bytes",
                  encode_legacy, decode_legacy),
    SNAP_FORM_END,
};
