/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "foreign/foreign_limits.h"
#include "foreign/pickle_names.h"
#include "foreign/pickle_value.h"

/* Values are made in blocks, so that they stay where they are. */
#define BLOCK_VALUES 256

struct block {
    struct block *next;
    size_t count;
    struct snap_pickle_value values[BLOCK_VALUES];
};

struct derived {
    struct derived *next;
    unsigned char bytes[];
};

struct snap_pickle {
    struct block *blocks;
    struct derived *derived;
    size_t value_count;
    size_t derived_bytes;
};

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "pickle: out of memory");
}

struct snap_pickle *snap_pickle_new(void)
{
    return calloc(1, sizeof(struct snap_pickle));
}

static bool has_items(const struct snap_pickle_value *value)
{
    return value->type >= SNAP_PICKLE_LIST && value->type <= SNAP_PICKLE_DICT;
}

void snap_pickle_free(struct snap_pickle *pickle)
{
    if (pickle == NULL)
        return;
    while (pickle->blocks != NULL) {
        struct block *block = pickle->blocks;
        pickle->blocks = block->next;
        for (size_t i = 0; i < block->count; i++)
            if (has_items(&block->values[i]))
                free(block->values[i].as.children.items);
        free(block);
    }
    while (pickle->derived != NULL) {
        struct derived *derived = pickle->derived;
        pickle->derived = derived->next;
        free(derived);
    }
    free(pickle);
}

size_t snap_pickle_value_count(const struct snap_pickle *pickle)
{
    return pickle->value_count;
}

enum snap_status snap_pickle_charge(struct snap_pickle *pickle, size_t count,
                                    struct snap_error *err)
{
    if (count > SNAP_MAX_PICKLE_VALUES - pickle->value_count)
        return snap_error_set(err, SNAP_UNSUPPORTED, "more than %u values", SNAP_MAX_PICKLE_VALUES);
    pickle->value_count += count;
    return SNAP_OK;
}

enum snap_status snap_pickle_add(struct snap_pickle *pickle, enum snap_pickle_type type, size_t at,
                                 struct snap_pickle_value **value, struct snap_error *err)
{
    struct block *block = pickle->blocks;
    enum snap_status status = snap_pickle_charge(pickle, 1, err);
    if (status != SNAP_OK)
        return status;
    if (block == NULL || block->count == BLOCK_VALUES) {
        block = malloc(sizeof *block);
        if (block == NULL)
            return no_memory(err);
        block->next = pickle->blocks;
        block->count = 0;
        pickle->blocks = block;
    }
    struct snap_pickle_value *made = &block->values[block->count++];
    memset(made, 0, sizeof *made);
    made->type = (unsigned char)type;
    made->at = (uint32_t)at;
    *value = made;
    return SNAP_OK;
}

enum snap_status snap_pickle_bytes(struct snap_pickle *pickle, size_t size, size_t limit,
                                   unsigned char **bytes, struct snap_error *err)
{
    if (pickle->derived_bytes > limit || size > limit - pickle->derived_bytes)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "text and bytes that are recoded more than once");
    struct derived *made = malloc(sizeof *made + size + 1);
    if (made == NULL)
        return no_memory(err);
    made->next = pickle->derived;
    pickle->derived = made;
    pickle->derived_bytes += size;
    *bytes = made->bytes;
    return SNAP_OK;
}

enum snap_status snap_pickle_append(struct snap_pickle_value *container,
                                    struct snap_pickle_value *item, struct snap_error *err)
{
    if (container->count == container->capacity) {
        uint32_t capacity = container->capacity > 0 ? 2 * container->capacity : 4;
        struct snap_pickle_value **moved = reallocarray(container->as.children.items, capacity,
                                                        sizeof(struct snap_pickle_value *));
        if (moved == NULL)
            return no_memory(err);
        container->as.children.items = moved;
        container->capacity = capacity;
    }
    container->as.children.items[container->count++] = item;
    return SNAP_OK;
}

/* ---- reading ---- */

bool snap_pickle_is(const struct snap_pickle_value *value, enum snap_pickle_type type)
{
    return value != NULL && value->type == type;
}

const char *snap_pickle_kind(const struct snap_pickle_value *value,
                             char text[SNAP_PICKLE_KIND_BYTES])
{
    static const char *const kinds[] = {
        "nothing",     "None",   "a bool",      "an integer", "an integer",      "a float",
        "a str",       "bytes",  "a bytearray", "a list",     "a tuple",         "a set",
        "a frozenset", "a dict", "a name",      "an object",  "a persistent id",
    };
    const struct snap_pickle_name *name = NULL;
    if (snap_pickle_is(value, SNAP_PICKLE_NAME))
        name = value->as.name;
    else if (snap_pickle_is(value, SNAP_PICKLE_OBJECT))
        name = value->as.object.callable;
    if (name == NULL)
        return kinds[value != NULL ? value->type : 0];
    snprintf(text, SNAP_PICKLE_KIND_BYTES, "%s%s.%s",
             value->type == SNAP_PICKLE_OBJECT ? "what is made by " : "", name->module, name->name);
    return text;
}

/* The magnitude of a LONG in two's complement, `size` bytes of it from the lowest on, at `index`.
 */
static unsigned long_byte(const struct snap_pickle_value *value, size_t index, bool negative,
                          unsigned *carry)
{
    unsigned byte = value->as.bytes.data[index];
    if (!negative)
        return byte;
    byte = (byte ^ 0xffu) + *carry;
    *carry = byte >> 8;
    return byte & 0xffu;
}

static bool long_is_negative(const struct snap_pickle_value *value)
{
    size_t size = value->as.bytes.size;
    return size > 0 && (value->as.bytes.data[size - 1] & 0x80) != 0;
}

bool snap_pickle_get_u64(const struct snap_pickle_value *value, uint64_t *number)
{
    int64_t small;
    if (snap_pickle_get_i64(value, &small)) {
        *number = (uint64_t)small;
        return small >= 0;
    }
    if (!snap_pickle_is(value, SNAP_PICKLE_LONG))
        return false;
    const unsigned char *data = value->as.bytes.data;
    size_t size = value->as.bytes.size;
    uint64_t made = 0;
    if (value->decimal) {
        for (size_t i = 0; i < size; i++) {
            if (data[i] < '0' || data[i] > '9' ||
                __builtin_mul_overflow(made, UINT64_C(10), &made) ||
                __builtin_add_overflow(made, (uint64_t)(data[i] - '0'), &made))
                return false;
        }
    } else {
        if (long_is_negative(value))
            return false;
        for (size_t i = size; i-- > 0;) {
            if (made >> 56 != 0)
                return false;
            made = made << 8 | data[i];
        }
    }
    *number = made;
    return true;
}

bool snap_pickle_get_i64(const struct snap_pickle_value *value, int64_t *number)
{
    if (snap_pickle_is(value, SNAP_PICKLE_INT)) {
        *number = value->as.integer;
        return true;
    }
    if (snap_pickle_is(value, SNAP_PICKLE_BOOL)) {
        *number = value->as.boolean;
        return true;
    }
    return false;
}

/* Digits in base 10^9, least significant first, of a LONG in two's complement. */
static uint32_t *long_base(const struct snap_pickle_value *value, bool negative, size_t *count)
{
    size_t size = value->as.bytes.size;
    /* 9.63 decimal digits in four bytes: a base digit for each, and some. */
    uint32_t *digits = calloc(size / 3 + 2, sizeof *digits);
    unsigned char *bytes = malloc(size + 1);
    unsigned carry = 1;
    *count = 0;
    if (digits == NULL || bytes == NULL) {
        free(digits);
        free(bytes);
        return NULL;
    }
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)long_byte(value, i, negative, &carry);
    for (size_t i = size; i-- > 0;) {
        uint64_t rest = bytes[i];
        for (size_t j = 0; j < *count; j++) {
            rest += (uint64_t)digits[j] << 8;
            digits[j] = (uint32_t)(rest % 1000000000u);
            rest /= 1000000000u;
        }
        if (rest > 0)
            digits[(*count)++] = (uint32_t)rest;
    }
    free(bytes);
    return digits;
}

static enum snap_status decimal_digits(const struct snap_pickle_value *value, size_t most,
                                       struct snap_buffer *out, struct snap_error *err)
{
    const unsigned char *data = value->as.bytes.data;
    size_t size = value->as.bytes.size;
    bool negative = size > 0 && data[0] == '-';
    data += negative;
    size -= negative;
    for (; size > 1 && data[0] == '0'; size--)
        data++;
    if (size > most)
        return snap_error_set(err, SNAP_UNSUPPORTED, "an integer of more than %zu digits", most);
    enum snap_status status = SNAP_OK;
    if (negative && !(size == 1 && data[0] == '0'))
        status = snap_buffer_append_text(out, "-", err);
    return status == SNAP_OK ? snap_buffer_append(out, data, size, err) : status;
}

enum snap_status snap_pickle_digits(const struct snap_pickle_value *value, size_t most,
                                    struct snap_buffer *out, struct snap_error *err)
{
    int64_t small;
    size_t count;
    if (snap_pickle_get_i64(value, &small))
        return snap_buffer_appendf(out, err, "%" PRId64, small);
    if (value->decimal)
        return decimal_digits(value, most, out, err);
    /* A byte has 2.4 digits: what is surely longer is not converted, which takes the square. */
    if (value->as.bytes.size / 2 > most)
        return snap_error_set(err, SNAP_UNSUPPORTED, "an integer of more than %zu digits", most);
    bool negative = long_is_negative(value);
    uint32_t *digits = long_base(value, negative, &count);
    if (digits == NULL)
        return no_memory(err);
    size_t start = out->size;
    enum snap_status status = snap_buffer_appendf(out, err, "%s%" PRIu32, negative ? "-" : "",
                                                  count > 0 ? digits[count - 1] : 0);
    while (status == SNAP_OK && count > 1)
        status = snap_buffer_appendf(out, err, "%09" PRIu32, digits[--count - 1]);
    free(digits);
    if (status == SNAP_OK && out->size - start - negative > most)
        status = snap_error_set(err, SNAP_UNSUPPORTED, "an integer of more than %zu digits", most);
    return status;
}

bool snap_pickle_is_text(const struct snap_pickle_value *value, const char *text)
{
    return snap_pickle_is(value, SNAP_PICKLE_STR) && value->as.bytes.size == strlen(text) &&
           memcmp(value->as.bytes.data, text, value->as.bytes.size) == 0;
}

bool snap_pickle_copy_text(const struct snap_pickle_value *value, char *out, size_t out_bytes)
{
    if (!snap_pickle_is(value, SNAP_PICKLE_STR))
        return false;
    const char *data = (const char *)value->as.bytes.data;
    size_t size = value->as.bytes.size;
    if (size >= out_bytes || memchr(data, '\0', size) != NULL || !snap_utf8_is_valid(data, size))
        return false;
    memcpy(out, data, size);
    out[size] = '\0';
    return true;
}

size_t snap_pickle_count(const struct snap_pickle_value *value)
{
    return snap_pickle_is(value, SNAP_PICKLE_LIST) || snap_pickle_is(value, SNAP_PICKLE_TUPLE)
               ? value->count
               : 0;
}

const struct snap_pickle_value *snap_pickle_item(const struct snap_pickle_value *value,
                                                 size_t index)
{
    return index < snap_pickle_count(value) ? value->as.children.items[index] : NULL;
}

const struct snap_pickle_value *snap_pickle_get(const struct snap_pickle_value *dict,
                                                const char *key)
{
    if (!snap_pickle_is(dict, SNAP_PICKLE_DICT))
        return NULL;
    for (size_t i = 0; i < dict->count; i += 2)
        if (snap_pickle_is_text(dict->as.children.items[i], key))
            return dict->as.children.items[i + 1];
    return NULL;
}

enum snap_status
snap_pickle_each_persistent(const struct snap_pickle *pickle,
                            enum snap_status (*visit)(void *arg, const struct snap_pickle_value *id,
                                                      struct snap_error *err),
                            void *arg, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (const struct block *block = pickle->blocks; block != NULL; block = block->next)
        for (size_t i = 0; status == SNAP_OK && i < block->count; i++)
            if (block->values[i].type == SNAP_PICKLE_PERSISTENT)
                status = visit(arg, &block->values[i], err);
    return status;
}
