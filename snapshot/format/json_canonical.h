/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical JSON: one text for one value (docs/format.md, "Canonical JSON"). UTF-8, no spaces, keys
 * in byte order, least escaping, integers up to 2^53 either way and else decimal strings, no
 * reals, no duplicate keys, no NUL, at most 32 levels, one newline at the end, which belongs to
 * the document. */
#ifndef SNAP_FORMAT_JSON_CANONICAL_H
#define SNAP_FORMAT_JSON_CANONICAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/status.h>

#include "core/buffer.h"

/* Append the document of `value`, final newline included, to `out`. SNAP_INVALID when it has no
 * canonical form (a real, an integer past 2^53, a NUL in a string, too deep). On failure `out` is
 * as it was. */
enum snap_status snap_json_encode(const json_t *value, struct snap_buffer *out,
                                  struct snap_error *err);

/* Read a document. SNAP_CORRUPT unless the bytes are exactly what snap_json_encode gives for the
 * value that they hold. `what` names the bytes in messages ("manifest.json"). *value is owned by
 * the caller (json_decref). */
enum snap_status snap_json_decode(const void *bytes, size_t size_bytes, const char *what,
                                  json_t **value, struct snap_error *err);

/* Read any JSON text that has a canonical form (spaces, order of keys and escapes are free) as a
 * value. SNAP_INVALID otherwise: a caller's mistake. */
enum snap_status snap_json_parse(const char *text, const char *what, json_t **value,
                                 struct snap_error *err);
/* The same, and append its canonical document to `out`. */
enum snap_status snap_json_canonicalise(const char *text, const char *what,
                                        struct snap_buffer *out, struct snap_error *err);

/* An integer up to 2^53, or a decimal string above. NULL when memory is out. */
json_t *snap_json_u64(uint64_t value);
json_t *snap_json_i64(int64_t value);
/* False unless `value` is what the function above makes. */
bool snap_json_get_u64(const json_t *value, uint64_t *number);
bool snap_json_get_i64(const json_t *value, int64_t *number);

#endif
