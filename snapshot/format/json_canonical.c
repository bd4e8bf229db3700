/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/json_canonical.h"
#include "format/limits.h"

#define DUMP_FLAGS (JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY)
#define LOAD_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)

/* Why a value has no canonical form, NULL when it has one. `depth` is how many arrays and objects
 * are around it. */
static const char *find_fault(const json_t *value, int depth)
{
    const char *fault = NULL;
    if ((json_is_array(value) || json_is_object(value)) && depth >= SNAP_MAX_JSON_DEPTH)
        return "arrays and objects are more than 32 deep";
    switch (json_typeof(value)) {
    case JSON_REAL:
        return "a number is not an integer";
    case JSON_INTEGER:
        if (json_integer_value(value) > SNAP_MAX_JSON_INTEGER ||
            json_integer_value(value) < -SNAP_MAX_JSON_INTEGER)
            return "an integer is past 2^53 and must be a string";
        return NULL;
    case JSON_STRING:
        if (strlen(json_string_value(value)) != json_string_length(value))
            return "a string holds a NUL";
        return NULL;
    case JSON_ARRAY:
        for (size_t i = 0; i < json_array_size(value) && fault == NULL; i++)
            fault = find_fault(json_array_get(value, i), depth + 1);
        return fault;
    case JSON_OBJECT: {
        /* The iterator takes a pointer to a value that may change; nothing is changed. */
        json_t *object = (json_t *)(uintptr_t)value;
        for (void *i = json_object_iter(object); i != NULL && fault == NULL;
             i = json_object_iter_next(object, i)) {
            const char *key = json_object_iter_key(i);
            if (strlen(key) != json_object_iter_key_len(i))
                return "a key holds a NUL";
            fault = find_fault(json_object_iter_value(i), depth + 1);
        }
        return fault;
    }
    default:
        return NULL;
    }
}

struct output {
    struct snap_buffer *buffer;
    enum snap_status status;
    struct snap_error *err;
};

static int append_text(const char *text, size_t size_bytes, void *arg)
{
    struct output *output = arg;
    /* Jansson goes on after some failures. */
    if (output->status != SNAP_OK)
        return -1;
    output->status = snap_buffer_append(output->buffer, text, size_bytes, output->err);
    return output->status == SNAP_OK ? 0 : -1;
}

enum snap_status snap_json_encode(const json_t *value, struct snap_buffer *out,
                                  struct snap_error *err)
{
    struct output output = { out, SNAP_OK, err };
    size_t start = out->size;
    if (value == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "JSON: out of memory");
    const char *fault = find_fault(value, 0);
    if (fault != NULL)
        return snap_error_set(err, SNAP_INVALID, "JSON: no canonical form: %s", fault);
    int failed = json_dump_callback(value, append_text, &output, DUMP_FLAGS);
    if (failed != 0 && output.status == SNAP_OK)
        output.status = snap_error_set(err, SNAP_NO_MEMORY, "JSON: out of memory");
    if (output.status == SNAP_OK)
        append_text("\n", 1, &output);
    if (output.status != SNAP_OK && out->data != NULL) {
        out->size = start;
        out->data[start] = '\0';
    }
    return output.status;
}

struct comparison {
    const char *left;
    size_t left_bytes;
    bool differs;
};

static int compare_text(const char *text, size_t size_bytes, void *arg)
{
    struct comparison *comparison = arg;
    if (comparison->differs || size_bytes > comparison->left_bytes ||
        memcmp(comparison->left, text, size_bytes) != 0) {
        comparison->differs = true;
        return -1;
    }
    comparison->left += size_bytes;
    comparison->left_bytes -= size_bytes;
    return 0;
}

/* Parse; `wrong` is what text that is no JSON is. */
static enum snap_status load(const char *text, size_t size_bytes, const char *what,
                             enum snap_status wrong, json_t **value, struct snap_error *err)
{
    json_error_t error;
    json_t *loaded = json_loadb(text, size_bytes, LOAD_FLAGS, &error);
    if (loaded == NULL) {
        /* Not every place in Jansson that has no memory says so; all others say something. */
        if (error.text[0] == '\0' || json_error_code(&error) == json_error_out_of_memory)
            return snap_error_set(err, SNAP_NO_MEMORY, "%s: reading JSON: out of memory", what);
        return snap_error_set(err, wrong, "%s: line %d, column %d: %s", what, error.line,
                              error.column, error.text);
    }
    const char *fault = find_fault(loaded, 0);
    if (fault != NULL) {
        json_decref(loaded);
        return snap_error_set(err, wrong, "%s: %s", what, fault);
    }
    *value = loaded;
    return SNAP_OK;
}

enum snap_status snap_json_decode(const void *bytes, size_t size_bytes, const char *what,
                                  json_t **value, struct snap_error *err)
{
    json_t *loaded;
    enum snap_status status = load(bytes, size_bytes, what, SNAP_CORRUPT, &loaded, err);
    if (status != SNAP_OK)
        return status;
    struct comparison comparison = { bytes, size_bytes, false };
    int failed = json_dump_callback(loaded, compare_text, &comparison, DUMP_FLAGS);
    if (failed != 0 && !comparison.differs) {
        json_decref(loaded);
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: reading JSON: out of memory", what);
    }
    if (comparison.differs || comparison.left_bytes != 1 || comparison.left[0] != '\n') {
        json_decref(loaded);
        return snap_error_set(err, SNAP_CORRUPT, "%s: is not canonical JSON from byte %zu on", what,
                              size_bytes - comparison.left_bytes);
    }
    *value = loaded;
    return SNAP_OK;
}

enum snap_status snap_json_parse(const char *text, const char *what, json_t **value,
                                 struct snap_error *err)
{
    return load(text, strlen(text), what, SNAP_INVALID, value, err);
}

enum snap_status snap_json_canonicalise(const char *text, const char *what,
                                        struct snap_buffer *out, struct snap_error *err)
{
    json_t *value;
    enum snap_status status = snap_json_parse(text, what, &value, err);
    if (status != SNAP_OK)
        return status;
    status = snap_json_encode(value, out, err);
    json_decref(value);
    return status;
}

json_t *snap_json_u64(uint64_t value)
{
    if (value <= (uint64_t)SNAP_MAX_JSON_INTEGER)
        return json_integer((json_int_t)value);
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}

json_t *snap_json_i64(int64_t value)
{
    if (value >= 0)
        return snap_json_u64((uint64_t)value);
    if (value >= -SNAP_MAX_JSON_INTEGER)
        return json_integer(value);
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    return json_string(text);
}

/* A decimal number past 2^53, without sign and without leading zeros. */
static bool read_large(const char *text, size_t length, uint64_t *number)
{
    if (length == 0 || length > 20 || text[0] == '0')
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (unsigned)(text[i] - '0'), &value))
            return false;
    }
    if (value <= (uint64_t)SNAP_MAX_JSON_INTEGER)
        return false;
    *number = value;
    return true;
}

bool snap_json_get_u64(const json_t *value, uint64_t *number)
{
    if (json_is_integer(value)) {
        json_int_t integer = json_integer_value(value);
        if (integer < 0 || integer > SNAP_MAX_JSON_INTEGER)
            return false;
        *number = (uint64_t)integer;
        return true;
    }
    return json_is_string(value) &&
           read_large(json_string_value(value), json_string_length(value), number);
}

bool snap_json_get_i64(const json_t *value, int64_t *number)
{
    if (json_is_integer(value)) {
        json_int_t integer = json_integer_value(value);
        if (integer < -SNAP_MAX_JSON_INTEGER || integer > SNAP_MAX_JSON_INTEGER)
            return false;
        *number = integer;
        return true;
    }
    if (!json_is_string(value) || json_string_length(value) == 0)
        return false;
    const char *text = json_string_value(value);
    bool negative = text[0] == '-';
    uint64_t magnitude;
    if (!read_large(text + negative, json_string_length(value) - negative, &magnitude) ||
        magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *number = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}
