/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "format/json_guard.h"

/* The shortest that a state says with many values is {"list":[{"map":[["",{"map":[]}],... and
 * {"int":5},...: more than five bytes for each array or object, and three for each value, a
 * bracket and a comma counted as one each. Some may be denser: a shape, the key of a generator. */
#define BYTES_PER_CONTAINER 5
#define BYTES_PER_VALUE 3

static const char *count_value(struct snap_json_guard *guard)
{
    guard->values++;
    if (guard->values > SNAP_MAX_DENSE_JSON_VALUES + guard->bytes / BYTES_PER_VALUE ||
        guard->containers > SNAP_MAX_DENSE_JSON_VALUES + guard->bytes / BYTES_PER_CONTAINER)
        return "more values in so few bytes than a document has";
    return NULL;
}

static const char *open_container(struct snap_json_guard *guard, bool object)
{
    if (guard->depth == SNAP_MAX_JSON_DEPTH)
        return "arrays and objects are more than 32 deep";
    guard->is_object[guard->depth] = object;
    guard->keys[guard->depth] = 1;
    guard->depth++;
    guard->containers++;
    if (guard->bounds.containers != 0 && guard->containers > guard->bounds.containers)
        return "more arrays and objects than the rest of the file has room to list";
    return count_value(guard);
}

static const char *next_value(struct snap_json_guard *guard)
{
    if (guard->depth == 0)
        return "a comma outside of arrays and objects";
    if (guard->bounds.keys != 0 && guard->is_object[guard->depth - 1] &&
        ++guard->keys[guard->depth - 1] > guard->bounds.keys)
        return "more keys in one object than it may have";
    return count_value(guard);
}

static const char *feed_string(struct snap_json_guard *guard, unsigned char byte)
{
    if (byte < 0x20)
        return "a control character in a string";
    if (guard->escaped)
        guard->escaped = false;
    else if (byte == '\\')
        guard->escaped = true;
    else if (byte == '"')
        guard->in_string = false;
    guard->string_bytes++;
    /* The closing quote was counted. */
    if (guard->bounds.string_bytes != 0 && guard->string_bytes > guard->bounds.string_bytes + 1)
        return "a string longer than it may be";
    return NULL;
}

static const char *feed_byte(struct snap_json_guard *guard, unsigned char byte)
{
    /* Of a number that may be none of ours the parser says more. */
    bool token = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || byte == '-' ||
                 byte == '+' || byte == '.' || byte == 'E';
    guard->token_bytes = token ? guard->token_bytes + 1 : 0;
    if (guard->token_bytes > SNAP_MAX_JSON_TOKEN_BYTES)
        return "a number longer than any integer";
    if (token || byte == ':')
        return NULL;
    switch (byte) {
    case '"':
        guard->in_string = true;
        guard->string_bytes = 0;
        return NULL;
    case '{':
    case '[':
        return open_container(guard, byte == '{');
    case '}':
    case ']':
        if (guard->depth == 0)
            return "more is closed than was opened";
        guard->depth--;
        return NULL;
    case ',':
        return next_value(guard);
    case '\n':
        return guard->depth > 0 || !guard->in_line ? "a newline that does not end a document"
                                                   : NULL;
    default:
        return "a byte that has no place outside of strings";
    }
}

const char *snap_json_guard_feed(struct snap_json_guard *guard, const void *bytes,
                                 size_t size_bytes)
{
    const unsigned char *text = bytes;
    for (size_t i = 0; i < size_bytes; i++) {
        const char *fault = guard->in_string ? feed_string(guard, text[i])
                                             : feed_byte(guard, text[i]);
        if (fault != NULL)
            return fault;
        guard->in_line = text[i] != '\n';
        guard->bytes++;
    }
    return NULL;
}
