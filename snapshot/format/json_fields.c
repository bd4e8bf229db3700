/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"

/* A key of a list of keys: `*cursor` moves behind it. False at the end of the list. */
static bool next_key(const char **cursor, const char **key, size_t *length, bool *optional)
{
    const char *text = *cursor;
    while (*text == ' ')
        text++;
    *length = strcspn(text, " ?");
    *key = text;
    text += *length;
    *optional = *text == '?';
    *cursor = text + *optional;
    return *length > 0;
}

static bool has_key(const char *keys, const char *wanted)
{
    const char *key;
    size_t length;
    bool optional;
    while (next_key(&keys, &key, &length, &optional))
        if (strlen(wanted) == length && memcmp(key, wanted, length) == 0)
            return true;
    return false;
}

enum snap_status snap_json_check_keys(const json_t *object, const char *keys, const char *what,
                                      struct snap_error *err)
{
    if (!json_is_object(object))
        return snap_error_set(err, SNAP_CORRUPT, "%s: expected an object", what);
    json_t *mutable = (json_t *)(uintptr_t)object; /* for the iterator, which changes nothing */
    for (void *i = json_object_iter(mutable); i != NULL; i = json_object_iter_next(mutable, i))
        if (!has_key(keys, json_object_iter_key(i)))
            return snap_error_set(err, SNAP_CORRUPT, "%s: unknown key \"%s\"", what,
                                  json_object_iter_key(i));
    const char *key;
    size_t length;
    bool optional;
    while (next_key(&keys, &key, &length, &optional))
        if (!optional && json_object_getn(object, key, length) == NULL)
            return snap_error_set(err, SNAP_CORRUPT, "%s: key \"%.*s\" is missing", what,
                                  (int)length, key);
    return SNAP_OK;
}

static const char *type_name(json_type type)
{
    switch (type) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    default:
        return "null";
    }
}

enum snap_status snap_json_field(const json_t *object, const char *key, json_type type,
                                 const char *what, const json_t **value, struct snap_error *err)
{
    const json_t *found = json_object_get(object, key);
    bool fits = found != NULL && json_typeof(found) == type;
    if (json_is_boolean(found) && (type == JSON_TRUE || type == JSON_FALSE))
        fits = true;
    if (!fits)
        return snap_error_set(err, SNAP_CORRUPT, "%s: \"%s\": expected %s", what, key,
                              type_name(type));
    *value = found;
    return SNAP_OK;
}

enum snap_status snap_json_field_string(const json_t *object, const char *key, const char *what,
                                        const char **text, struct snap_error *err)
{
    const json_t *value = NULL;
    enum snap_status status = snap_json_field(object, key, JSON_STRING, what, &value, err);
    if (status == SNAP_OK)
        *text = json_string_value(value);
    return status;
}

enum snap_status snap_json_field_u64(const json_t *object, const char *key, const char *what,
                                     uint64_t *number, struct snap_error *err)
{
    if (!snap_json_get_u64(json_object_get(object, key), number))
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: \"%s\": expected an integer from 0 on, a string past 2^53", what,
                              key);
    return SNAP_OK;
}

enum snap_status snap_json_field_digest(const json_t *object, const char *key, const char *prefix,
                                        const char *what, unsigned char digest[SNAP_DIGEST_BYTES],
                                        struct snap_error *err)
{
    const char *text = json_string_value(json_object_get(object, key));
    size_t prefix_bytes = prefix != NULL ? strlen(prefix) : 0;
    bool fits = text != NULL;
    if (fits && prefix != NULL) {
        fits = strncmp(text, prefix, prefix_bytes) == 0 && text[prefix_bytes] == ':';
        text += fits ? prefix_bytes + 1 : 0;
    }
    if (!fits || strlen(text) != 2 * SNAP_DIGEST_BYTES ||
        !snap_hex_decode(text, 2 * SNAP_DIGEST_BYTES, digest))
        return snap_error_set(err, SNAP_CORRUPT, "%s: \"%s\": expected %s%s64 hex digits", what,
                              key, prefix != NULL ? prefix : "", prefix != NULL ? ": and " : "");
    return SNAP_OK;
}

enum snap_status snap_json_field_format(const json_t *object, const char *name, const char *what,
                                        struct snap_error *err)
{
    const char *text;
    enum snap_status status = snap_json_field_string(object, "format", what, &text, err);
    if (status != SNAP_OK || strcmp(text, name) == 0)
        return status;
    /* The name without its number. */
    size_t stem = strcspn(name, "0123456789");
    const char *number = text + stem;
    if (strncmp(text, name, stem) == 0 && number[0] != '\0' && number[0] != '0' &&
        strspn(number, "0123456789") == strlen(number) && strlen(number) <= 9)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: is of format %s, and this version reads %s: use a newer one",
                              what, text, name);
    return snap_error_set(err, SNAP_CORRUPT, "%s: \"format\": expected \"%s\"", what, name);
}

enum snap_status snap_refuse(enum snap_status status, const struct snap_error *cause,
                             struct snap_error *err)
{
    if (status == SNAP_OK)
        return status;
    if (status == SNAP_INVALID)
        status = SNAP_CORRUPT;
    return snap_error_set(err, status, "%s", cause->text);
}

json_t *snap_json_digest(const char *prefix, const unsigned char digest[SNAP_DIGEST_BYTES])
{
    char digits[2 * SNAP_DIGEST_BYTES + 1];
    snap_hex_encode(digest, SNAP_DIGEST_BYTES, digits);
    return prefix != NULL ? json_sprintf("%s:%s", prefix, digits) : json_string(digits);
}

enum snap_status snap_json_set(json_t *object, const char *key, json_t *value,
                               struct snap_error *err)
{
    if (value == NULL || json_object_set_new(object, key, value) != 0)
        return snap_error_set(err, SNAP_NO_MEMORY, "JSON: key \"%s\": out of memory", key);
    return SNAP_OK;
}

enum snap_status snap_json_append(json_t *array, json_t *value, struct snap_error *err)
{
    if (value == NULL || json_array_append_new(array, value) != 0)
        return snap_error_set(err, SNAP_NO_MEMORY, "JSON: out of memory");
    return SNAP_OK;
}
