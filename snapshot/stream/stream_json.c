/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/stream_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/hex.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"

enum snap_status snap_stream_json_encode(const char *what, json_t *object, void **bytes,
                                         size_t *size_bytes, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    enum snap_status status;

    if (object == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: encode: no memory", what);
    }
    status = snap_json_encode(object, &text, err);
    json_decref(object);
    if (status == SNAP_OK) {
        *bytes = snap_buffer_steal(&text, size_bytes);
    }
    snap_buffer_release(&text);
    return status;
}

enum snap_status snap_stream_json_decode(const char *what, const char *kind, const char *keys,
                                         const void *bytes, size_t size_bytes, json_t **object,
                                         struct snap_error *err)
{
    json_t *value = NULL;
    enum snap_status status;

    if (size_bytes > SNAP_MAX_STREAM_JSON_BYTES) {
        return snap_error_set(err, SNAP_CORRUPT, "%s: decode: %zu bytes are more than a state has",
                              what, size_bytes);
    }
    status = snap_json_decode(bytes, size_bytes, what, &value, err);
    if (status == SNAP_OK) {
        status = snap_json_check_keys(value, keys, what, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_name(what, value, "kind", kind, err);
    }
    if (status == SNAP_OK) {
        *object = value;
    } else {
        json_decref(value);
    }
    return status;
}

enum snap_status snap_stream_json_put_double(struct snap_buffer *out, const char *before,
                                             double value, struct snap_error *err)
{
    char digits[17];
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    snap_hex_encode_u64(bits, digits);
    return snap_buffer_appendf(out, err, "%s\"%s\"", before, digits);
}

enum snap_status snap_stream_json_put_words(struct snap_buffer *out, const char *before,
                                            const uint32_t *words, size_t count,
                                            struct snap_error *err)
{
    enum snap_status status = snap_buffer_append_text(out, before, err);

    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        char digits[11]; /* a comma and ten digits */
        char *at = digits + sizeof digits;
        uint32_t word = words[i];

        do {
            *--at = (char)('0' + word % 10);
            word /= 10;
        } while (word > 0);
        if (i > 0) {
            *--at = ',';
        }
        status = snap_buffer_append(out, at, (size_t)(digits + sizeof digits - at), err);
    }
    return status;
}

enum snap_status snap_stream_json_put_u64s(struct snap_buffer *out, const char *before,
                                           const uint64_t *numbers, size_t count,
                                           struct snap_error *err)
{
    enum snap_status status = snap_buffer_appendf(out, err, "%s[", before);

    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        const char *quote = numbers[i] > (uint64_t)SNAP_MAX_JSON_INTEGER ? "\"" : "";

        status = snap_buffer_appendf(out, err, "%s%s%" PRIu64 "%s", i > 0 ? "," : "", quote,
                                     numbers[i], quote);
    }
    return status == SNAP_OK ? snap_buffer_append_text(out, "]", err) : status;
}

enum snap_status snap_stream_json_get_uint(const char *what, const json_t *object, const char *key,
                                           uint64_t max, uint64_t *value, struct snap_error *err)
{
    uint64_t number;

    if (!snap_json_get_u64(json_object_get(object, key), &number) || number > max) {
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: \"%s\": expected an integer from 0 to %" PRIu64, what, key,
                              max);
    }
    *value = number;
    return SNAP_OK;
}

enum snap_status snap_stream_json_get_double(const char *what, const json_t *object,
                                             const char *key, double *value,
                                             struct snap_error *err)
{
    const char *digits = json_string_value(json_object_get(object, key));
    uint64_t bits;

    if (digits == NULL || !snap_hex_decode_u64(digits, &bits)) {
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: \"%s\": expected the bits of a double as 16 hex digits", what,
                              key);
    }
    memcpy(value, &bits, sizeof bits);
    return SNAP_OK;
}

enum snap_status snap_stream_json_get_words(const char *what, const json_t *object,
                                            const char *key, size_t count, uint32_t *words,
                                            struct snap_error *err)
{
    const json_t *array = json_object_get(object, key);

    if (!json_is_array(array) || json_array_size(array) != count) {
        return snap_error_set(err, SNAP_CORRUPT, "%s: \"%s\": expected a list of %zu integers",
                              what, key, count);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t number;

        if (!snap_json_get_u64(json_array_get(array, i), &number) || number > UINT32_MAX) {
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: entry %zu of \"%s\": expected an integer below 2^32", what,
                                  i, key);
        }
        words[i] = (uint32_t)number;
    }
    return SNAP_OK;
}

enum snap_status snap_stream_json_get_u64s(const char *what, const json_t *object, const char *key,
                                           size_t count, uint64_t *numbers, struct snap_error *err)
{
    const json_t *array = json_object_get(object, key);

    if (!json_is_array(array) || json_array_size(array) != count) {
        return snap_error_set(err, SNAP_CORRUPT, "%s: \"%s\": expected a list of %zu integers",
                              what, key, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (!snap_json_get_u64(json_array_get(array, i), &numbers[i])) {
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: entry %zu of \"%s\": expected an integer below 2^64", what,
                                  i, key);
        }
    }
    return SNAP_OK;
}

enum snap_status snap_stream_json_get_name(const char *what, const json_t *object, const char *key,
                                           const char *expected, struct snap_error *err)
{
    const char *name = json_string_value(json_object_get(object, key));

    if (name == NULL || strcmp(name, expected) != 0) {
        return snap_error_set(err, SNAP_CORRUPT, "%s: \"%s\": expected \"%s\"", what, key,
                              expected);
    }
    return SNAP_OK;
}

enum snap_status snap_stream_json_load(const char *what, const void *bytes, size_t size_bytes,
                                       json_t **value, struct snap_error *err)
{
    json_error_t problem;
    json_t *loaded;

    if (size_bytes > SNAP_MAX_STREAM_JSON_BYTES) {
        return snap_error_set(err, SNAP_CORRUPT, "%s: decode: %zu bytes are more than a state has",
                              what, size_bytes);
    }
    loaded = json_loadb(bytes, size_bytes, JSON_REJECT_DUPLICATES, &problem);
    if (loaded == NULL) {
        /* Not every place in Jansson that has no memory says so; all others say something. */
        if (problem.text[0] == '\0' || json_error_code(&problem) == json_error_out_of_memory) {
            return snap_error_set(err, SNAP_NO_MEMORY, "%s: decode: no memory", what);
        }
        return snap_error_set(err, SNAP_CORRUPT, "%s: decode: no JSON: line %d, column %d: %s",
                              what, problem.line, problem.column, problem.text);
    }
    *value = loaded;
    return SNAP_OK;
}

struct dump {
    struct snap_buffer text;
    bool failed; /* Jansson goes on after some failures */
};

static int append_text(const char *text, size_t size_bytes, void *arg)
{
    struct dump *dump = arg;

    dump->failed = dump->failed ||
                   snap_buffer_append(&dump->text, text, size_bytes, NULL) != SNAP_OK;
    return dump->failed ? -1 : 0;
}

enum snap_status snap_stream_json_dump(const char *what, json_t *value, void **bytes,
                                       size_t *size_bytes, struct snap_error *err)
{
    struct dump dump = { SNAP_BUFFER_INIT, false };
    enum snap_status status = SNAP_OK;

    if (value == NULL || json_dump_callback(value, append_text, &dump, 0) != 0 || dump.failed ||
        append_text("\n", 1, &dump) != 0) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: encode: no memory", what);
    } else {
        *bytes = snap_buffer_steal(&dump.text, size_bytes);
    }
    json_decref(value);
    snap_buffer_release(&dump.text);
    return status;
}

json_t *snap_stream_json_words(const uint32_t *words, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < count; i++) {
        if (json_array_append_new(list, json_integer(words[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

enum snap_status snap_stream_json_refuse_real(const char *what, double value,
                                              struct snap_error *err)
{
    if (isfinite(value)) {
        return SNAP_OK;
    }
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "%s: encode: the cached normal is not finite, and JSON has no such "
                          "number",
                          what);
}
