/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/big_uint.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "format/limits.h"

/* Digits are taken nine at a time. */
#define CHUNK 1000000000u
#define CHUNK_DIGITS 9u

static size_t without_high_zeros(const uint32_t *words, size_t count)
{
    while (count > 0 && words[count - 1] == 0) {
        count--;
    }
    return count;
}

enum snap_status snap_big_uint_set(struct snap_big_uint *number, const uint32_t *words,
                                   size_t count, struct snap_error *err)
{
    struct snap_big_uint made = { NULL, without_high_zeros(words, count) };

    if (made.count > 0) {
        made.words = calloc(made.count, sizeof *made.words);
        if (made.words == NULL) {
            return snap_error_set(err, SNAP_NO_MEMORY, "stream: keep an integer: no memory");
        }
        memcpy(made.words, words, made.count * sizeof *made.words);
    }
    *number = made;
    return SNAP_OK;
}

void snap_big_uint_release(struct snap_big_uint *number)
{
    free(number->words);
    *number = (struct snap_big_uint){ NULL, 0 };
}

/* words = words * factor + more, growing into words[*count] when needed. */
static void multiply_add(uint32_t *words, size_t *count, uint32_t factor, uint32_t more)
{
    uint64_t carry = more;

    for (size_t i = 0; i < *count; i++) {
        carry += (uint64_t)words[i] * factor;
        words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry > 0) {
        words[(*count)++] = (uint32_t)carry;
    }
}

/* The words of `length` digits; `words` has room for one in nine digits and one more. False when
 * another character stands there. */
static bool read_digits(const char *digits, size_t length, uint32_t *words, size_t *count)
{
    *count = 0;
    for (size_t i = 0; i < length;) {
        uint32_t factor = 1;
        uint32_t chunk = 0;

        for (; i < length && factor < CHUNK; i++) {
            if (digits[i] < '0' || digits[i] > '9') {
                return false;
            }
            chunk = chunk * 10 + (uint32_t)(digits[i] - '0');
            factor *= 10;
        }
        multiply_add(words, count, factor, chunk);
    }
    return true;
}

static bool is_plain(const uint32_t *words, size_t count, uint64_t *value)
{
    count = without_high_zeros(words, count);
    if (count > 2) {
        return false;
    }
    *value = (count > 0 ? words[0] : 0) | (uint64_t)(count > 1 ? words[1] : 0) << 32;
    return *value <= (uint64_t)SNAP_MAX_JSON_INTEGER;
}

static enum snap_status from_digits(const char *digits, size_t length,
                                    struct snap_big_uint *number, struct snap_error *err,
                                    bool *taken)
{
    uint32_t words[SNAP_MAX_INTEGER_DIGITS / CHUNK_DIGITS + 2];
    uint64_t value;
    size_t count;

    *taken = length > 0 && length <= SNAP_MAX_INTEGER_DIGITS && digits[0] != '0' &&
             read_digits(digits, length, words, &count) && !is_plain(words, count, &value);
    return *taken ? snap_big_uint_set(number, words, count, err) : SNAP_OK;
}

enum snap_status snap_big_uint_from_json(const char *what, const char *key, const json_t *value,
                                         struct snap_big_uint *number, struct snap_error *err)
{
    json_int_t small = json_integer_value(value);
    bool taken = false;

    if (json_is_integer(value) && small >= 0 && small <= SNAP_MAX_JSON_INTEGER) {
        const uint32_t words[2] = { (uint32_t)small, (uint32_t)((uint64_t)small >> 32) };

        return snap_big_uint_set(number, words, 2, err);
    }
    if (json_is_string(value)) {
        enum snap_status status = from_digits(json_string_value(value), json_string_length(value),
                                              number, err, &taken);

        if (status != SNAP_OK) {
            return status;
        }
    }
    if (!taken) {
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: \"%s\": expected an integer that is not negative; past 2^53 a "
                              "string of up to %d digits",
                              what, key, SNAP_MAX_INTEGER_DIGITS);
    }
    return SNAP_OK;
}

/* words / CHUNK in place; the remainder. */
static uint32_t divide(uint32_t *words, size_t count)
{
    uint64_t remainder = 0;

    for (size_t i = count; i-- > 0;) {
        uint64_t part = remainder << 32 | words[i];

        words[i] = (uint32_t)(part / CHUNK);
        remainder = part % CHUNK;
    }
    return (uint32_t)remainder;
}

/* A number of more than 2^53, `rest` being its words, which are used up. */
static enum snap_status put_large(struct snap_buffer *text, uint32_t *rest, size_t count,
                                  struct snap_error *err)
{
    /* Ten digits a word are more than log10(2^32); two quotes. */
    size_t most = 10 * count + CHUNK_DIGITS + 2;
    char *digits;
    char *at;
    enum snap_status status;

    digits = malloc(most);
    if (digits == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "stream: encode an integer: no memory");
    }
    at = digits + most;
    *--at = '"';
    while (count > 0) {
        uint32_t chunk = divide(rest, count);

        count = without_high_zeros(rest, count);
        for (unsigned i = 0; i < CHUNK_DIGITS && (count > 0 || chunk > 0); i++) {
            *--at = (char)('0' + chunk % 10);
            chunk /= 10;
        }
    }
    *--at = '"';
    status = snap_buffer_append(text, at, (size_t)(digits + most - at), err);
    free(digits);
    return status;
}

enum snap_status snap_big_uint_put(struct snap_buffer *text, const uint32_t *words, size_t count,
                                   struct snap_error *err)
{
    struct snap_big_uint rest;
    uint64_t value;
    enum snap_status status;

    if (is_plain(words, count, &value)) {
        return snap_buffer_appendf(text, err, "%" PRIu64, value);
    }
    status = snap_big_uint_set(&rest, words, count, err);
    if (status == SNAP_OK) {
        status = put_large(text, rest.words, rest.count, err);
        snap_big_uint_release(&rest);
    }
    return status;
}
