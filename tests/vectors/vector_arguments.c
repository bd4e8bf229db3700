/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments, seeds and states as the vectors files write them. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "vectors.h"

void fail(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fputs("check_vectors: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(2);
}

void *allocate(size_t count, size_t size_bytes)
{
    void *memory = calloc(count > 0 ? count : 1, size_bytes);

    if (memory == NULL) {
        fail("no memory");
    }
    return memory;
}

void must(enum snap_status status, const struct snap_error *err, const char *what)
{
    if (status != SNAP_OK) {
        fail("%s: %s", what, err->text);
    }
}

json_t *load_vectors(const char *path)
{
    gzFile file = gzopen(path, "rb");
    size_t capacity = 1 << 16;
    size_t size = 0;
    char *text = NULL;
    json_error_t problem;
    json_t *value;
    int got;

    if (file == NULL) {
        fail("%s: %s", path, strerror(errno));
    }
    do {
        char *more = realloc(text, capacity *= 2);

        if (more == NULL) {
            fail("no memory");
        }
        text = more;
        got = gzread(file, text + size, (unsigned)(capacity - size));
        size += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    if (got < 0 || gzclose(file) != Z_OK) {
        fail("%s: cannot be read, or is cut short", path);
    }
    value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    free(text);
    if (value == NULL) {
        fail("%s: %s", path, problem.text);
    }
    return value;
}

const json_t *argument(const json_t *args, const char *name)
{
    const json_t *value = json_object_get(args, name);

    if (value == NULL) {
        fail("\"%s\" is missing", name);
    }
    return value;
}

bool has_argument(const json_t *args, const char *name)
{
    const json_t *value = json_object_get(args, name);

    return value != NULL && !json_is_null(value);
}

double to_double(const json_t *value)
{
    const char *text = json_string_value(json_object_get(value, "f64"));
    char *end;
    double number;

    if (text == NULL) {
        if (!json_is_number(value)) {
            fail("an argument is no number");
        }
        return json_number_value(value);
    }
    number = strtod(text, &end);
    if (*end != 0) {
        fail("%s is no hexadecimal float", text);
    }
    return number;
}

const char *to_digits(const json_t *value, char buffer[32])
{
    if (json_is_object(value)) {
        value = json_object_get(value, "int");
    }
    if (json_is_string(value)) {
        return json_string_value(value);
    }
    if (!json_is_integer(value)) {
        fail("an argument is no integer");
    }
    snprintf(buffer, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return buffer;
}

uint64_t decimal_u64(const char *text)
{
    bool negative = text[0] == '-';
    char *end;
    uint64_t value;

    errno = 0;
    value = strtoull(text + negative, &end, 10);
    if (*end != 0 || errno != 0) {
        /* 2^64 itself, as an exclusive end, is 0 mod 2^64 */
        if (strcmp(text, "18446744073709551616") != 0) {
            fail("%s is no integer of 64 bits", text);
        }
        value = 0;
    }
    return negative ? 0 - value : value;
}

int64_t to_int(const json_t *value)
{
    char buffer[32];

    return (int64_t)decimal_u64(to_digits(value, buffer));
}

size_t argument_size(const json_t *args, const char *name, size_t otherwise)
{
    return has_argument(args, name) ? (size_t)to_int(argument(args, name)) : otherwise;
}

int64_t argument_int(const json_t *args, const char *name)
{
    return to_int(argument(args, name));
}

double argument_double(const json_t *args, const char *name, double otherwise)
{
    return has_argument(args, name) ? to_double(argument(args, name)) : otherwise;
}

const char *argument_text(const json_t *args, const char *name)
{
    const char *text = json_string_value(argument(args, name));

    if (text == NULL) {
        fail("\"%s\" is no string", name);
    }
    return text;
}

double parameter(const json_t *args, size_t index, double otherwise)
{
    const json_t *list = json_object_get(args, "params");
    const json_t *value = json_array_get(list, index);

    return value != NULL && !json_is_null(value) ? to_double(value) : otherwise;
}

uint64_t range_of(const char *text)
{
    const char *open = strchr(text, '(');

    if (open == NULL) {
        fail("%s is no range", text);
    }
    return strtoull(open + 1, NULL, 10);
}

uint32_t *digits_to_words(const char *digits, unsigned base, size_t *count)
{
    uint32_t *words;

    digits += digits[0] == '-';
    if (base == 16 && strncmp(digits, "0x", 2) == 0) {
        digits += 2;
    }
    words = allocate(strlen(digits) / 8 + 1, sizeof *words);
    *count = 1;
    for (; *digits != 0; digits++) {
        static const char known[] = "0123456789abcdef";
        uint64_t carry = (uint64_t)(strchr(known, *digits) - known);

        for (size_t i = 0; i < *count; i++) {
            uint64_t value = (uint64_t)words[i] * base + carry;

            words[i] = (uint32_t)value;
            carry = value >> 32;
        }
        if (carry > 0) {
            words[(*count)++] = (uint32_t)carry;
        }
    }
    return words;
}

unsigned char *hex_to_bytes(const char *hex, size_t *count)
{
    unsigned char *bytes;

    *count = strlen(hex) / 2;
    bytes = allocate(*count, 1);
    for (size_t i = 0; i < *count; i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };

        bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return bytes;
}

double *to_doubles(const json_t *list, size_t *count)
{
    double *values;

    *count = json_array_size(list);
    values = allocate(*count, sizeof *values);
    for (size_t i = 0; i < *count; i++) {
        values[i] = to_double(json_array_get(list, i));
    }
    return values;
}

uint32_t *to_words(const json_t *list, size_t *count)
{
    uint32_t *values;

    *count = json_array_size(list);
    values = allocate(*count, sizeof *values);
    for (size_t i = 0; i < *count; i++) {
        values[i] = (uint32_t)to_int(json_array_get(list, i));
    }
    return values;
}

void *canonical(json_t *value, size_t *size_bytes)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    char *line;

    json_decref(value);
    if (text == NULL) {
        fail("no memory");
    }
    *size_bytes = strlen(text) + 1;
    line = allocate(*size_bytes + 1, 1);
    memcpy(line, text, *size_bytes - 1);
    line[*size_bytes - 1] = '\n';
    free(text);
    return line;
}
