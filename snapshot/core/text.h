/* SPDX-License-Identifier: Apache-2.0 */
/* Text that may come from a hostile file. */
#ifndef SNAP_CORE_TEXT_H
#define SNAP_CORE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Bytes of the UTF-8 character at `text`, of which `size_bytes` are there: 1 to 4; 0 when no
 * well-formed character begins there. */
size_t snap_utf8_length(const char *text, size_t size_bytes);
/* Well-formed UTF-8 to the end. */
bool snap_utf8_is_valid(const char *text, size_t size_bytes);

/* Copy terminated text to `out` so that it is one line of UTF-8 for a terminal: control characters
 * and bytes that are not UTF-8 become '?', and what does not fit is left out, whole characters at a
 * time. `out` is always terminated; out_bytes >= 1. */
void snap_text_clean(const char *text, char *out, size_t out_bytes);
/* The same of what vsnprintf makes of `format` within `out_bytes`, which are at most
 * SNAP_TEXT_LINE_BYTES. */
#define SNAP_TEXT_LINE_BYTES 1000
void snap_text_clean_format(char *out, size_t out_bytes, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

#endif
