/* SPDX-License-Identifier: Apache-2.0 */
/* cuRAND's device states as JSON, for people and for programs that read no structs. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "core/hex.h"
#include "stream/curand_states.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

/* ---- writing ---- */

static json_t *field_value(const struct snap_curand_field *field, const unsigned char *state)
{
    const unsigned char *at = state + field->offset;
    uint32_t words[5]; /* the most that a field has */
    char digits[17];

    if (field->count == 1) {
        return json_integer(snap_get_u32(at));
    }
    if (field->count > 1) {
        for (size_t i = 0; i < field->count; i++) {
            words[i] = snap_get_u32(at + 4 * i);
        }
        return snap_stream_json_words(words, field->count);
    }
    if (field->float_bytes == 4) {
        snap_hex_encode_u32(snap_get_u32(at), digits);
    } else {
        snap_hex_encode_u64(snap_get_u64(at), digits);
    }
    return json_string(digits);
}

static json_t *state_value(const struct snap_curand_engine *engine, const unsigned char *state)
{
    json_t *object = json_object();

    for (const struct snap_curand_field *f = engine->fields; object != NULL && f->name != NULL;
         f++) {
        if (json_object_set_new(object, f->name, field_value(f, state)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

enum snap_status snap_curand_encode_json(const void *states, void **bytes, size_t *size_bytes,
                                         struct snap_error *err)
{
    const struct snap_curand_states *s = states;
    const struct snap_curand_engine *engine = s->engine;
    json_t *list = json_array();
    json_t *object = NULL;
    void *raw = NULL;
    size_t size = 0;
    bool failed = list == NULL;
    enum snap_status status = snap_curand_states_encode(states, &raw, &size, err);

    if (status != SNAP_OK) {
        json_decref(list);
        return status;
    }
    for (size_t i = 0; !failed && i < s->count; i++) {
        failed = json_array_append_new(list, state_value(engine, (const unsigned char *)raw +
                                                                     i * engine->state_bytes)) != 0;
    }
    if (!failed) {
        object = json_pack("{s:s, s:O}", "kind", engine->kind, "states", list);
    }
    json_decref(list);
    free(raw);
    return snap_stream_json_dump(engine->what, object, bytes, size_bytes, err);
}

/* ---- reading ---- */

static bool put_word(unsigned char *at, const json_t *value)
{
    json_int_t word = json_integer_value(value);

    if (!json_is_integer(value) || word < 0 || word > UINT32_MAX) {
        return false;
    }
    snap_put_u32(at, (uint32_t)word);
    return true;
}

static bool put_field(const struct snap_curand_field *field, const json_t *value,
                      unsigned char *state)
{
    unsigned char *at = state + field->offset;
    const char *digits = json_string_value(value);
    uint64_t wide;
    uint32_t narrow;

    if (field->count == 1) {
        return put_word(at, value);
    }
    if (field->count > 1) {
        bool fits = json_array_size(value) == field->count;

        for (size_t i = 0; fits && i < field->count; i++) {
            fits = put_word(at + 4 * i, json_array_get(value, i));
        }
        return fits;
    }
    if (digits == NULL) {
        return false;
    }
    if (field->float_bytes == 4) {
        if (!snap_hex_decode_u32(digits, &narrow)) {
            return false;
        }
        snap_put_u32(at, narrow);
        return true;
    }
    if (!snap_hex_decode_u64(digits, &wide)) {
        return false;
    }
    snap_put_u64(at, wide);
    return true;
}

/* All fields of state i, and no other. */
static enum snap_status put_state(const struct snap_curand_engine *engine, const json_t *value,
                                  size_t i, unsigned char *state, struct snap_error *err)
{
    size_t count = 0;

    for (const struct snap_curand_field *f = engine->fields; f->name != NULL; f++, count++) {
        if (!put_field(f, json_object_get(value, f->name), state)) {
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: decode: state %zu: \"%s\" is missing, or not of its type",
                                  engine->what, i, f->name);
        }
    }
    if (json_object_size(value) != count) {
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: decode: state %zu: it has more than its %zu fields",
                              engine->what, i, count);
    }
    return SNAP_OK;
}

enum snap_status snap_curand_decode_json(void *states, const void *bytes, size_t size_bytes,
                                         struct snap_error *err)
{
    const struct snap_curand_states *s = states;
    const struct snap_curand_engine *engine = s->engine;
    json_t *object = NULL;
    const json_t *list;
    unsigned char *raw = NULL;
    enum snap_status status = snap_stream_json_load(engine->what, bytes, size_bytes, &object, err);

    if (status == SNAP_OK) {
        status = snap_stream_json_get_name(engine->what, object, "kind", engine->kind, err);
    }
    if (status != SNAP_OK) {
        goto out;
    }
    list = json_object_get(object, "states");
    if (json_array_size(list) == 0) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s: decode: \"states\" is no list of at least one", engine->what);
        goto out;
    }
    raw = calloc(json_array_size(list), engine->state_bytes);
    if (raw == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: decode: no memory", engine->what);
        goto out;
    }
    for (size_t i = 0; status == SNAP_OK && i < json_array_size(list); i++) {
        status = put_state(engine, json_array_get(list, i), i, raw + i * engine->state_bytes, err);
    }
    if (status == SNAP_OK) {
        status = snap_curand_states_decode(states, raw, json_array_size(list) * engine->state_bytes,
                                           err);
    }
out:
    free(raw);
    json_decref(object);
    return status;
}
