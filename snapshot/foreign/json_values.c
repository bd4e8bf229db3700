/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar is that of RFC 8259. A text is an ordinary program of the pickle's machine: a value
 * is pushed, a container gathers what stands above its mark. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "foreign/json_values.h"
#include "foreign/pickle_machine.h"

static enum snap_status corrupt(const struct snap_pickle_machine *json, const char *text,
                                struct snap_error *err)
{
    return snap_error_set(err, SNAP_CORRUPT, "%s: byte %zu: it is no JSON: %s", json->options->what,
                          json->at, text);
}

static void skip_blanks(struct snap_pickle_machine *json)
{
    while (json->at < json->size && json->data[json->at] != '\0' &&
           strchr(" \t\r\n", json->data[json->at]) != NULL)
        json->at++;
}

/* The next character that is no blank; -1 at the end. */
static int peek(struct snap_pickle_machine *json)
{
    skip_blanks(json);
    return json->at < json->size ? json->data[json->at] : -1;
}

static bool accept(struct snap_pickle_machine *json, int character)
{
    if (peek(json) != character)
        return false;
    json->at++;
    return true;
}

static bool accept_word(struct snap_pickle_machine *json, const char *word)
{
    size_t length = strlen(word);
    if (json->size - json->at < length || memcmp(json->data + json->at, word, length) != 0)
        return false;
    json->at += length;
    return true;
}

/* An integer of any size, or a float. */
static enum snap_status read_number(struct snap_pickle_machine *json, struct snap_error *err)
{
    const unsigned char *start = json->data + json->at;
    bool real = false;
    size_t size = 0;
    while (json->at < json->size && memchr("0123456789+-.eE", json->data[json->at], 15) != NULL) {
        real = real || memchr(".eE", json->data[json->at], 3) != NULL;
        json->at++;
        size++;
    }
    bool negative = size > 0 && start[0] == '-';
    const unsigned char *digits = start + negative;
    if (size == negative || digits[0] < '0' || digits[0] > '9' ||
        (size > 1u + negative && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9'))
        return corrupt(json, "a value is none", err);
    return snap_pickle_push_line(json, real ? 'F' : 'I', start, size, err);
}

static bool read_hex4(const unsigned char *text, size_t size, uint32_t *number)
{
    *number = 0;
    if (size < 4)
        return false;
    for (size_t i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        char lower = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 'a' : text[i]);
        const char *found = lower != '\0' ? strchr(digits, lower) : NULL;
        if (found == NULL)
            return false;
        *number = *number << 4 | (uint32_t)(found - digits);
    }
    return true;
}

/* An escape behind its backslash, at `text`: UTF-8 goes to `out`. The bytes read; 0: it is
 * none. */
static size_t read_escape(const unsigned char *text, size_t size, unsigned char *out,
                          size_t *written)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    uint32_t character;
    uint32_t low;
    size_t used = 5;
    const char *found = size > 0 && text[0] != '\0' ? strchr(letters, text[0]) : NULL;
    if (found != NULL) {
        out[0] = (unsigned char)meanings[found - letters];
        *written = 1;
        return 1;
    }
    if (size < 1 || text[0] != 'u' || !read_hex4(text + 1, size - 1, &character))
        return 0;
    if (character >= 0xd800 && character < 0xdc00 && size >= 11 && text[5] == '\\' &&
        text[6] == 'u' && read_hex4(text + 7, size - 7, &low) && low >= 0xdc00 && low < 0xe000) {
        character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
        used = 11;
    }
    *written = snap_pickle_put_character(out, character);
    return used;
}

/* A string, behind its quote. */
static enum snap_status read_string(struct snap_pickle_machine *json, struct snap_error *err)
{
    const unsigned char *start = json->data + json->at;
    size_t size = 0;
    bool escaped = false;
    while (json->at + size < json->size && start[size] != '"') {
        if (start[size] < 0x20)
            return corrupt(json, "a control character in a string", err);
        if (start[size] == '\\') {
            escaped = true;
            size++;
        }
        size++;
    }
    if (json->at + size >= json->size)
        return corrupt(json, "a string without an end", err);
    json->at += size + 1;
    if (!escaped)
        return snap_pickle_push_str(json, start, size, err);
    unsigned char *made;
    size_t used = 0;
    enum snap_status status = snap_pickle_derive(json, size, &made, err);
    for (size_t at = 0; status == SNAP_OK && at < size;) {
        size_t written = 1;
        size_t taken = 1;
        if (start[at] != '\\')
            made[used] = start[at];
        else
            taken = read_escape(start + at + 1, size - at - 1, made + used, &written);
        if (taken == 0)
            return corrupt(json, "an escape that is none", err);
        at += start[at] == '\\' ? taken + 1 : taken;
        used += written;
    }
    return status == SNAP_OK ? snap_pickle_push_str(json, made, used, err) : status;
}

static enum snap_status read_word(struct snap_pickle_machine *json, struct snap_error *err)
{
    struct snap_pickle_value *value;
    bool truth = accept_word(json, "true");
    if (truth || accept_word(json, "false")) {
        enum snap_status status = snap_pickle_push_new(json, SNAP_PICKLE_BOOL, &value, err);
        if (status == SNAP_OK)
            value->as.boolean = truth;
        return status;
    }
    if (accept_word(json, "null"))
        return snap_pickle_push_new(json, SNAP_PICKLE_NONE, &value, err);
    return read_number(json, err);
}

/* A key and its colon. */
static enum snap_status read_key(struct snap_pickle_machine *json, struct snap_error *err)
{
    if (!accept(json, '"'))
        return corrupt(json, "a key is missing", err);
    enum snap_status status = read_string(json, err);
    if (status == SNAP_OK && !accept(json, ':'))
        status = corrupt(json, "a colon is missing", err);
    return status;
}

/* A value begins here: a container is opened, anything else is read. *open: a container was, and
 * is not empty. */
static enum snap_status begin_value(struct snap_pickle_machine *json, bool *objects, size_t *depth,
                                    bool *open, struct snap_error *err)
{
    bool object = peek(json) == '{';
    *open = false;
    if (accept(json, '"'))
        return read_string(json, err);
    if (!object && peek(json) != '[')
        return read_word(json, err);
    json->at++;
    json->opcode_at = json->at - 1;
    if (*depth == SNAP_MAX_PICKLE_DEPTH)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: byte %zu: more than %u containers are "
                              "inside each other",
                              json->options->what, json->at, SNAP_MAX_PICKLE_DEPTH);
    enum snap_status status = snap_pickle_mark(json, err);
    if (status != SNAP_OK)
        return status;
    if (accept(json, object ? '}' : ']'))
        return snap_pickle_gather_marked(json, object ? SNAP_PICKLE_DICT : SNAP_PICKLE_LIST, err);
    objects[(*depth)++] = object;
    *open = true;
    return object ? read_key(json, err) : SNAP_OK;
}

/* A value has ended: close what ends with it. *more: another value follows. */
static enum snap_status end_value(struct snap_pickle_machine *json, const bool *objects,
                                  size_t *depth, bool *more, struct snap_error *err)
{
    *more = false;
    while (*depth > 0) {
        bool object = objects[*depth - 1];
        if (accept(json, ',')) {
            *more = true;
            return object ? read_key(json, err) : SNAP_OK;
        }
        if (!accept(json, object ? '}' : ']'))
            return corrupt(json, "a comma or an end is missing", err);
        enum snap_status status =
            snap_pickle_gather_marked(json, object ? SNAP_PICKLE_DICT : SNAP_PICKLE_LIST, err);
        if (status != SNAP_OK)
            return status;
        --*depth;
    }
    return SNAP_OK;
}

static enum snap_status read_all(struct snap_pickle_machine *json, struct snap_error *err)
{
    bool objects[SNAP_MAX_PICKLE_DEPTH]; /* what is open: objects and arrays */
    size_t depth = 0;
    bool more = true;
    enum snap_status status = SNAP_OK;
    while (status == SNAP_OK && more) {
        bool open = true;
        while (status == SNAP_OK && open) {
            json->opcode_at = json->at;
            status = begin_value(json, objects, &depth, &open, err);
        }
        if (status == SNAP_OK)
            status = end_value(json, objects, &depth, &more, err);
    }
    if (status == SNAP_OK && peek(json) >= 0)
        status = corrupt(json, "something follows the value", err);
    return status;
}

enum snap_status snap_json_values_read(const void *data, size_t size_bytes, const char *what,
                                       struct snap_pickle **pickle,
                                       const struct snap_pickle_value **root,
                                       struct snap_error *err)
{
    struct snap_pickle_options options = { .what = what };
    struct snap_pickle_machine json = {
        .options = &options, .data = data, .size = size_bytes, .json = true
    };
    json.pickle = snap_pickle_new();
    if (json.pickle == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", what);
    enum snap_status status = read_all(&json, err);
    if (status == SNAP_OK)
        status = snap_pickle_check(&json, json.stack[0], err);
    if (status == SNAP_OK) {
        *pickle = json.pickle;
        *root = json.stack[0];
    } else {
        snap_pickle_free(json.pickle);
    }
    free(json.stack);
    return status;
}
