/* SPDX-License-Identifier: Apache-2.0 */
/* Lower-case hexadecimal text. */
#ifndef SNAP_CORE_HEX_H
#define SNAP_CORE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Write 2 * size_bytes digits and a NUL. */
void snap_hex_encode(const void *bytes, size_t size_bytes, char *text);

/* Read exactly `digits` characters, an even number, into digits / 2 bytes. False, and nothing
 * written, when one of them is not 0-9 or a-f. `text` need not be terminated. */
bool snap_hex_decode(const char *text, size_t digits, void *bytes);

/* The bits of a number as 16 (64-bit) or 8 (32-bit) digits and a NUL, most significant first. */
void snap_hex_encode_u64(uint64_t value, char text[17]);
void snap_hex_encode_u32(uint32_t value, char text[9]);
/* `text` must be exactly 16 or 8 digits and a NUL. */
bool snap_hex_decode_u64(const char *text, uint64_t *value);
bool snap_hex_decode_u32(const char *text, uint32_t *value);

#endif
