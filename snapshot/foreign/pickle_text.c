/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and text of a pickle: the lines of protocol 0, the strings of Python 2, latin-1. */
#include "config.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "foreign/pickle_machine.h"

/* Characters of a float in text: Python's longest has 24. */
#define FLOAT_CHARACTERS 63

static enum snap_status corrupt(const struct snap_pickle_machine *machine, const char *text,
                                struct snap_error *err)
{
    return snap_pickle_fail(machine, SNAP_CORRUPT, err, "%s", text);
}

/* ---- integers ---- */

enum snap_status snap_pickle_push_long(struct snap_pickle_machine *machine,
                                       const unsigned char *bytes, size_t size,
                                       struct snap_error *err)
{
    struct snap_pickle_value *value;
    bool small = size <= sizeof(int64_t);
    enum snap_status status =
        snap_pickle_push_new(machine, small ? SNAP_PICKLE_INT : SNAP_PICKLE_LONG, &value, err);
    if (status != SNAP_OK)
        return status;
    if (small) {
        uint64_t number = size > 0 && (bytes[size - 1] & 0x80) != 0 ? UINT64_MAX : 0;
        for (size_t i = size; i-- > 0;)
            number = number << 8 | bytes[i];
        value->as.integer = (int64_t)number;
    } else {
        value->as.bytes.data = bytes;
        value->as.bytes.size = size;
    }
    return SNAP_OK;
}

/* "-?[0-9]+", of any length. */
static enum snap_status push_decimal(struct snap_pickle_machine *machine, const unsigned char *text,
                                     size_t size, struct snap_error *err)
{
    struct snap_pickle_value *value;
    size_t digits = size;
    bool negative = size > 0 && text[0] == '-';
    const unsigned char *at = text + negative;
    uint64_t magnitude = 0;
    bool fits = true;
    digits -= negative;
    if (digits == 0)
        return corrupt(machine, "its line is no integer", err);
    for (size_t i = 0; i < digits; i++) {
        if (at[i] < '0' || at[i] > '9')
            return corrupt(machine, "its line is no integer", err);
        fits = fits && !__builtin_mul_overflow(magnitude, UINT64_C(10), &magnitude) &&
               !__builtin_add_overflow(magnitude, (uint64_t)(at[i] - '0'), &magnitude);
    }
    fits = fits && magnitude <= (uint64_t)INT64_MAX + negative;
    enum snap_status status =
        snap_pickle_push_new(machine, fits ? SNAP_PICKLE_INT : SNAP_PICKLE_LONG, &value, err);
    if (status != SNAP_OK)
        return status;
    if (fits) {
        value->as.integer = (int64_t)(negative ? 0 - magnitude : magnitude);
    } else {
        value->as.bytes.data = text;
        value->as.bytes.size = size;
        value->decimal = true;
    }
    return SNAP_OK;
}

/* I: an integer, or 00 and 01 for the bools. */
static enum snap_status push_int_line(struct snap_pickle_machine *machine,
                                      const unsigned char *line, size_t size,
                                      struct snap_error *err)
{
    struct snap_pickle_value *value;
    if (size != 2 || line[0] != '0' || (line[1] != '0' && line[1] != '1'))
        return push_decimal(machine, line, size, err);
    enum snap_status status = snap_pickle_push_new(machine, SNAP_PICKLE_BOOL, &value, err);
    if (status == SNAP_OK)
        value->as.boolean = line[1] == '1';
    return status;
}

/* ---- floats ---- */

/* The text of Python's repr() of a float, in the C locale whatever that of the process is. */
static enum snap_status push_float_line(struct snap_pickle_machine *machine,
                                        const unsigned char *line, size_t size,
                                        struct snap_error *err)
{
    struct snap_pickle_value *value;
    char text[FLOAT_CHARACTERS + 1];
    char *end;
    if (size == 0 || size > FLOAT_CHARACTERS)
        return corrupt(machine, "its line is no float", err);
    memcpy(text, line, size);
    text[size] = '\0';
    const char *number = text + (text[0] == '-');
    if (strspn(number, "0123456789.eE+-") != strlen(number) && strcmp(number, "inf") != 0 &&
        strcmp(number, "nan") != 0)
        return corrupt(machine, "its line is no float", err);
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0)
        return snap_pickle_fail(machine, SNAP_NO_MEMORY, err, "out of memory");
    double parsed = strtod_l(text, &end, c_locale);
    freelocale(c_locale);
    if (*end != '\0' || end == text)
        return corrupt(machine, "its line is no float", err);
    enum snap_status status = snap_pickle_push_new(machine, SNAP_PICKLE_FLOAT, &value, err);
    if (status == SNAP_OK)
        value->as.number = parsed;
    return status;
}

/* ---- text ---- */

static enum snap_status push_slice(struct snap_pickle_machine *machine, enum snap_pickle_type type,
                                   const unsigned char *bytes, size_t size, struct snap_error *err)
{
    struct snap_pickle_value *value;
    enum snap_status status = snap_pickle_push_new(machine, type, &value, err);
    if (status != SNAP_OK)
        return status;
    value->as.bytes.data = bytes;
    value->as.bytes.size = size;
    return SNAP_OK;
}

/* Bytes of the character at `text`, UTF-8 or a surrogate in its form; 0 when there is none. */
static size_t character_length(const unsigned char *text, size_t size)
{
    if (size >= 3 && text[0] == 0xed && text[1] >= 0xa0 && text[1] <= 0xbf &&
        (text[2] & 0xc0) == 0x80)
        return 3;
    return snap_utf8_length((const char *)text, size);
}

enum snap_status snap_pickle_push_str(struct snap_pickle_machine *machine,
                                      const unsigned char *bytes, size_t size,
                                      struct snap_error *err)
{
    for (size_t at = 0; at < size;) {
        size_t length = character_length(bytes + at, size - at);
        if (length == 0)
            return corrupt(machine, "it is not UTF-8", err);
        at += length;
    }
    return push_slice(machine, SNAP_PICKLE_STR, bytes, size, err);
}

enum snap_status snap_pickle_push_old_str(struct snap_pickle_machine *machine,
                                          const unsigned char *bytes, size_t size,
                                          struct snap_error *err)
{
    bool ascii = true;
    for (size_t i = 0; i < size && ascii; i++)
        ascii = bytes[i] < 0x80;
    return push_slice(machine, ascii ? SNAP_PICKLE_STR : SNAP_PICKLE_BYTES, bytes, size, err);
}

static int hex_digit(unsigned char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
        return character - 'A' + 10;
    return -1;
}

/* `digits` hex digits at `text`; false when they are none or not there. */
static bool read_hex(const unsigned char *text, size_t size, size_t digits, uint32_t *number)
{
    *number = 0;
    if (size < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return false;
        *number = *number << 4 | (uint32_t)digit;
    }
    return true;
}

size_t snap_pickle_put_character(unsigned char *out, uint32_t character)
{
    if (character < 0x80) {
        out[0] = (unsigned char)character;
        return 1;
    }
    if (character < 0x800) {
        out[0] = (unsigned char)(0xc0 | character >> 6);
        out[1] = (unsigned char)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        out[0] = (unsigned char)(0xe0 | character >> 12);
        out[1] = (unsigned char)(0x80 | (character >> 6 & 0x3f));
        out[2] = (unsigned char)(0x80 | (character & 0x3f));
        return 3;
    }
    out[0] = (unsigned char)(0xf0 | character >> 18);
    out[1] = (unsigned char)(0x80 | (character >> 12 & 0x3f));
    out[2] = (unsigned char)(0x80 | (character >> 6 & 0x3f));
    out[3] = (unsigned char)(0x80 | (character & 0x3f));
    return 4;
}

/* V: raw-unicode-escape: \uXXXX and \UXXXXXXXX, and each other byte is a character of latin-1. */
static enum snap_status push_unicode_line(struct snap_pickle_machine *machine,
                                          const unsigned char *line, size_t size,
                                          struct snap_error *err)
{
    unsigned char *made;
    size_t used = 0;
    enum snap_status status = snap_pickle_derive(machine, 2 * size, &made, err);
    if (status != SNAP_OK)
        return status;
    for (size_t at = 0; at < size;) {
        uint32_t character = line[at++];
        if (character == '\\' && at < size && line[at] == '\\') { /* two stand for themselves */
            made[used++] = '\\';
            at++;
        } else if (character == '\\' && at < size && (line[at] == 'u' || line[at] == 'U')) {
            size_t digits = line[at] == 'u' ? 4 : 8;
            if (!read_hex(line + at + 1, size - at - 1, digits, &character) || character > 0x10ffff)
                return corrupt(machine, "an escape in its line is no character", err);
            at += digits + 1;
        }
        used += snap_pickle_put_character(made + used, character);
    }
    return push_slice(machine, SNAP_PICKLE_STR, made, used, err);
}

/* One escape of a string of Python 2, behind its backslash; false when it is none. */
static bool read_escape(const unsigned char *text, size_t size, size_t *used, unsigned char *byte)
{
    static const char letters[] = "\\'\"abfnrtv";
    static const char meanings[] = "\\'\"\a\b\f\n\r\t\v";
    uint32_t number = 0;
    if (size == 0)
        return false;
    const char *found = text[0] != '\0' ? strchr(letters, text[0]) : NULL;
    if (found != NULL) {
        *byte = (unsigned char)meanings[found - letters];
        *used = 1;
        return true;
    }
    if (text[0] == 'x' && read_hex(text + 1, size - 1, 2, &number)) {
        *byte = (unsigned char)number;
        *used = 3;
        return true;
    }
    for (*used = 0; *used < 3 && *used < size && text[*used] >= '0' && text[*used] <= '7'; ++*used)
        number = 8 * number + (uint32_t)(text[*used] - '0');
    *byte = (unsigned char)number;
    return *used > 0 && number < 256;
}

/* S: the repr() of a string of Python 2, in quotes. */
static enum snap_status push_string_line(struct snap_pickle_machine *machine,
                                         const unsigned char *line, size_t size,
                                         struct snap_error *err)
{
    unsigned char *made;
    size_t used = 0;
    if (size < 2 || (line[0] != '\'' && line[0] != '"') || line[size - 1] != line[0])
        return corrupt(machine, "its line is no string in quotes", err);
    enum snap_status status = snap_pickle_derive(machine, size, &made, err);
    if (status != SNAP_OK)
        return status;
    for (size_t at = 1; at < size - 1; used++) {
        size_t taken;
        made[used] = line[at++];
        if (made[used] != '\\')
            continue;
        if (!read_escape(line + at, size - 1 - at, &taken, &made[used]))
            return corrupt(machine, "an escape in its line is none", err);
        at += taken;
    }
    return snap_pickle_push_old_str(machine, made, used, err);
}

enum snap_status snap_pickle_push_line(struct snap_pickle_machine *machine, int opcode,
                                       const unsigned char *line, size_t size,
                                       struct snap_error *err)
{
    switch (opcode) {
    case 'I':
        return push_int_line(machine, line, size, err);
    case 'L':
        return push_decimal(machine, line, size > 0 && line[size - 1] == 'L' ? size - 1 : size,
                            err);
    case 'F':
        return push_float_line(machine, line, size, err);
    case 'S':
        return push_string_line(machine, line, size, err);
    default:
        return push_unicode_line(machine, line, size, err);
    }
}

enum snap_status snap_pickle_latin1(struct snap_pickle_machine *machine,
                                    const struct snap_pickle_value *text, unsigned char **bytes,
                                    size_t *size, struct snap_error *err)
{
    const unsigned char *data = text->as.bytes.data;
    size_t text_size = text->as.bytes.size;
    size_t used = 0;
    unsigned char *made;
    enum snap_status status = snap_pickle_derive(machine, text_size, &made, err);
    if (status != SNAP_OK)
        return status;
    for (size_t at = 0; at < text_size; at++) {
        unsigned character = data[at];
        if (character >= 0x80) {
            if (character > 0xc3)
                return corrupt(machine, "a character that latin-1 does not have", err);
            character = (character & 0x03) << 6 | (data[++at] & 0x3fu);
        }
        made[used++] = (unsigned char)character;
    }
    *bytes = made;
    *size = used;
    return SNAP_OK;
}
