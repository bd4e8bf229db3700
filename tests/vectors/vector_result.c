/* SPDX-License-Identifier: Apache-2.0 */
/* Results of a call, compared as text with what the library gave. */
#include "config.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

void result_clear(struct result *result)
{
    for (size_t i = 0; result->texts != NULL && i < result->count; i++) {
        free(result->texts[i]);
    }
    free(result->texts);
    free(result->numbers);
    memset(result, 0, sizeof *result);
}

static void *grow(void *old, size_t count, size_t size_bytes)
{
    void *new = realloc(old, count * size_bytes);

    if (new == NULL) {
        fail("no memory");
    }
    return new;
}

static size_t next_place(struct result *result, bool text)
{
    if (result->count == result->capacity || (text && result->texts == NULL)) {
        result->capacity = result->capacity == 0 ? 64 : 2 * result->capacity;
        if (text) {
            result->texts = grow(result->texts, result->capacity, sizeof *result->texts);
        } else {
            result->numbers = grow(result->numbers, result->capacity, sizeof *result->numbers);
        }
    }
    return result->count++;
}

void result_add(struct result *result, uint64_t number)
{
    size_t place = next_place(result, false);

    result->numbers[place] = number;
}

void result_add_int(struct result *result, int64_t number)
{
    result_add(result, (uint64_t)number);
}

void result_add_double(struct result *result, double number)
{
    uint64_t bits;

    memcpy(&bits, &number, sizeof bits);
    result->width = 8;
    result_add(result, bits);
}

void result_add_text(struct result *result, const char *text)
{
    size_t place = next_place(result, true);

    result->texts[place] = strdup(text);
    if (result->texts[place] == NULL) {
        fail("no memory");
    }
}

void result_add_words(struct result *result, const uint32_t *words, size_t count, bool negative)
{
    uint32_t *rest = allocate(count, sizeof *rest);
    size_t size = count * 10 + 3;
    char *text = allocate(size, 1);
    char *at = text + size - 1;

    memcpy(rest, words, count * sizeof *rest);
    do {
        uint64_t remainder = 0;

        for (size_t i = count; i-- > 0;) {
            uint64_t value = remainder << 32 | rest[i];

            rest[i] = (uint32_t)(value / 10);
            remainder = value % 10;
        }
        *--at = (char)('0' + remainder);
        while (count > 0 && rest[count - 1] == 0) {
            count--;
        }
    } while (count > 0);
    if (negative) {
        *--at = '-';
    }
    result_add_text(result, at);
    free(rest);
    free(text);
}

void result_add_bytes(struct result *result, const unsigned char *bytes, size_t count)
{
    char *text = allocate(2 * count + 1, 1);

    for (size_t i = 0; i < count; i++) {
        snprintf(text + 2 * i, 3, "%02x", (unsigned)bytes[i]);
    }
    result_add_text(result, text);
    free(text);
}

void result_add_tensor(struct result *result, enum snap_dtype dtype, const void *data,
                       size_t count)
{
    bool is_float = dtype == SNAP_F16 || dtype == SNAP_BF16 || dtype == SNAP_F32 ||
                    dtype == SNAP_F64;

    result->width = is_float ? (unsigned)snap_dtype_size_bytes(dtype) : 0;
    for (size_t i = 0; i < count; i++) {
        switch (dtype) {
        case SNAP_BOOL:
        case SNAP_U8:
            result_add(result, ((const uint8_t *)data)[i]);
            break;
        case SNAP_I8:
            result_add_int(result, ((const int8_t *)data)[i]);
            break;
        case SNAP_I16:
            result_add_int(result, ((const int16_t *)data)[i]);
            break;
        case SNAP_F16:
        case SNAP_BF16:
            result_add(result, ((const uint16_t *)data)[i]);
            break;
        case SNAP_I32:
            result_add_int(result, ((const int32_t *)data)[i]);
            break;
        case SNAP_F32:
            result_add(result, ((const uint32_t *)data)[i]);
            break;
        default:
            result_add(result, ((const uint64_t *)data)[i]);
            break;
        }
    }
}

static const char *text_of(const struct result *result, size_t i, char buffer[32])
{
    if (result->texts != NULL) {
        return result->texts[i];
    }
    if (result->width != 0) {
        snprintf(buffer, 32, "%0*" PRIx64, 2 * (int)result->width, result->numbers[i]);
    } else if (result->is_unsigned) {
        snprintf(buffer, 32, "%" PRIu64, result->numbers[i]);
    } else {
        snprintf(buffer, 32, "%" PRId64, (int64_t)result->numbers[i]);
    }
    return buffer;
}

/* The texts that `out` stands for: a JSON number or string each; what a worker drew, in order; a
 * state, or a child, as JSON. */
static void expect(struct result *expected, const json_t *out)
{
    static const char *const fields[] = { "worker",           "seed",
                                          "torch_initial_seed", "python_getrandbits64",
                                          "numpy_randint_u32", "torch_random_i64" };
    const json_t *item;
    char buffer[32];
    size_t i;

    json_array_foreach(out, i, item) {
        if (json_is_object(item) && !has_argument(item, "worker")) {
            bool is_state = has_argument(item, "bit_generator");
            json_t *form = is_state ? generator_state(item) : json_deep_copy(item);
            char *text = json_dumps(form, JSON_COMPACT | JSON_SORT_KEYS);

            result_add_text(expected, text != NULL ? text : "");
            json_decref(form);
            free(text);
        } else if (json_is_object(item)) {
            for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++) {
                result_add_text(expected, to_digits(argument(item, fields[f]), buffer));
            }
        } else if (json_is_string(item)) {
            result_add_text(expected, json_string_value(item));
        } else {
            result_add_text(expected, to_digits(item, buffer));
        }
    }
}

/* Count, sum, xor and SHA-256 of the numbers as little-endian words. */
static void digest(struct result *summary, const struct result *result, size_t word_bytes)
{
    uint64_t mask = UINT64_MAX >> (64 - 8 * word_bytes);
    uint64_t sum = 0;
    uint64_t all = 0;
    unsigned char hash[32];
    unsigned char *bytes = allocate(result->count * word_bytes + 1, 1);
    char buffer[32];

    for (size_t i = 0; i < result->count; i++) {
        uint64_t word = result->numbers[i] & mask;

        sum += word;
        all ^= word;
        for (size_t b = 0; b < word_bytes; b++) {
            bytes[i * word_bytes + b] = (unsigned char)(word >> (8 * b));
        }
    }
    if (EVP_Digest(bytes, result->count * word_bytes, hash, NULL, EVP_sha256(), NULL) != 1) {
        fail("no SHA-256");
    }
    free(bytes);
    snprintf(buffer, sizeof buffer, "%zu", result->count);
    result_add_text(summary, buffer);
    snprintf(buffer, sizeof buffer, "%" PRIu64, sum);
    result_add_text(summary, buffer);
    snprintf(buffer, sizeof buffer, "%" PRIu64, all);
    result_add_text(summary, buffer);
    result_add_bytes(summary, hash, sizeof hash);
}

static size_t compare(const struct result *result, const struct result *expected, char text[256])
{
    char buffer[32];

    for (size_t i = 0; i < result->count && i < expected->count; i++) {
        const char *ours = text_of(result, i, buffer);

        if (strcmp(ours, expected->texts[i]) != 0) {
            snprintf(text, 256, "result %zu is %.100s, the library gave %.100s", i, ours,
                     expected->texts[i]);
            return i + 1;
        }
    }
    if (result->count != expected->count) {
        snprintf(text, 256, "%zu results, the library gave %zu", result->count, expected->count);
        return (result->count < expected->count ? result->count : expected->count) + 1;
    }
    return 0;
}

size_t result_compare(const struct result *result, const char *type, const json_t *out,
                      const json_t *bits, size_t word_bytes, char text[256])
{
    struct result expected = { 0 };
    struct result summary = { 0 };
    size_t first;

    expect(&expected, bits != NULL ? bits : out);
    if (strcmp(type, "digest") == 0) {
        digest(&summary, result, word_bytes);
        first = compare(&summary, &expected, text);
    } else {
        first = compare(result, &expected, text);
    }
    result_clear(&expected);
    result_clear(&summary);
    return first;
}
