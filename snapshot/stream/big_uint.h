/* SPDX-License-Identifier: Apache-2.0 */
/* Integers of any size that are not negative, as the states of NumPy's generators hold them: read
 * from JSON, and written. */
#ifndef SNAP_STREAM_BIG_UINT_H
#define SNAP_STREAM_BIG_UINT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "core/buffer.h"

/* Words, least significant first, the last one not 0. Zero has no words, and NULL. */
struct snap_big_uint {
    uint32_t *words; /* owned */
    size_t count;
};

/* The integer of `words`, least significant first; high ones may be 0. On failure *number is as it
 * was; what it held before is not freed. */
enum snap_status snap_big_uint_set(struct snap_big_uint *number, const uint32_t *words,
                                   size_t count, struct snap_error *err);
void snap_big_uint_release(struct snap_big_uint *number);

/* Read a number of up to 2^53, or above it a string of up to SNAP_MAX_INTEGER_DIGITS decimal
 * digits. SNAP_CORRUPT for anything else; `what` and `key` begin the message. */
enum snap_status snap_big_uint_from_json(const char *what, const char *key, const json_t *value,
                                         struct snap_big_uint *number, struct snap_error *err);
/* Append the integer of `words` (which may have high words 0) as JSON text: digits, in quotes when
 * it is past 2^53. */
enum snap_status snap_big_uint_put(struct snap_buffer *text, const uint32_t *words, size_t count,
                                   struct snap_error *err);

#endif
