/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"

size_t snap_utf8_length(const char *text, size_t size_bytes)
{
    const unsigned char *byte = (const unsigned char *)text;
    if (size_bytes == 0)
        return 0;
    if (byte[0] < 0x80)
        return 1;
    /* The second byte's range keeps out overlong forms, surrogates and what is past U+10FFFF. */
    unsigned low = 0x80;
    unsigned high = 0xBF;
    size_t length;
    if (byte[0] >= 0xC2 && byte[0] <= 0xDF) {
        length = 2;
    } else if (byte[0] >= 0xE0 && byte[0] <= 0xEF) {
        length = 3;
        if (byte[0] == 0xE0)
            low = 0xA0;
        else if (byte[0] == 0xED)
            high = 0x9F;
    } else if (byte[0] >= 0xF0 && byte[0] <= 0xF4) {
        length = 4;
        if (byte[0] == 0xF0)
            low = 0x90;
        else if (byte[0] == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (size_bytes < length || byte[1] < low || byte[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (byte[i] < 0x80 || byte[i] > 0xBF)
            return 0;
    return length;
}

bool snap_utf8_is_valid(const char *text, size_t size_bytes)
{
    while (size_bytes > 0) {
        size_t length = snap_utf8_length(text, size_bytes);
        if (length == 0)
            return false;
        text += length;
        size_bytes -= length;
    }
    return true;
}

static bool is_control(const unsigned char *character, size_t length)
{
    if (length == 1)
        return character[0] < 0x20 || character[0] == 0x7F;
    /* U+0080 to U+009F, which some terminals obey. */
    return length == 2 && character[0] == 0xC2 && character[1] < 0xA0;
}

void snap_text_clean(const char *text, char *out, size_t out_bytes)
{
    size_t left = strlen(text);
    size_t used = 0;
    while (left > 0) {
        size_t length = snap_utf8_length(text, left);
        bool keep = length > 0 && !is_control((const unsigned char *)text, length);
        size_t width = keep ? length : 1;
        if (width > out_bytes - 1 - used)
            break;
        if (keep)
            memcpy(out + used, text, length);
        else
            out[used] = '?';
        used += width;
        text += length > 0 ? length : 1;
        left -= length > 0 ? length : 1;
    }
    out[used] = '\0';
}

void snap_text_clean_format(char *out, size_t out_bytes, const char *format, va_list arguments)
{
    char written[SNAP_TEXT_LINE_BYTES];
    vsnprintf(written, out_bytes, format, arguments);
    snap_text_clean(written, out, out_bytes);
}
