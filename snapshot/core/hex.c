/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "core/hex.h"

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

void snap_hex_encode(const void *bytes, size_t size_bytes, char *text)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *in = bytes;
    for (size_t i = 0; i < size_bytes; i++) {
        text[2 * i] = digits[in[i] >> 4];
        text[2 * i + 1] = digits[in[i] & 15];
    }
    text[2 * size_bytes] = '\0';
}

bool snap_hex_decode(const char *text, size_t digits, void *bytes)
{
    unsigned char *out = bytes;
    if (digits % 2 != 0)
        return false;
    for (size_t i = 0; i < digits; i++)
        if (digit_value(text[i]) < 0)
            return false;
    for (size_t i = 0; i < digits / 2; i++)
        out[i] = (unsigned char)(digit_value(text[2 * i]) * 16 + digit_value(text[2 * i + 1]));
    return true;
}

static void encode_number(uint64_t value, size_t size_bytes, char *text)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = (unsigned char)(value >> (8 * (size_bytes - 1 - i)));
    snap_hex_encode(bytes, size_bytes, text);
}

static bool decode_number(const char *text, size_t size_bytes, uint64_t *value)
{
    unsigned char bytes[8];
    if (strlen(text) != 2 * size_bytes || !snap_hex_decode(text, 2 * size_bytes, bytes))
        return false;
    *value = 0;
    for (size_t i = 0; i < size_bytes; i++)
        *value = *value << 8 | bytes[i];
    return true;
}

void snap_hex_encode_u64(uint64_t value, char text[17])
{
    encode_number(value, 8, text);
}

void snap_hex_encode_u32(uint32_t value, char text[9])
{
    encode_number(value, 4, text);
}

bool snap_hex_decode_u64(const char *text, uint64_t *value)
{
    return decode_number(text, 8, value);
}

bool snap_hex_decode_u32(const char *text, uint32_t *value)
{
    uint64_t wide;
    if (!decode_number(text, 4, &wide))
        return false;
    *value = (uint32_t)wide;
    return true;
}
