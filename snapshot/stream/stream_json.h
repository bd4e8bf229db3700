/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON form of a stream's state: one object in canonical JSON, with its kind in "kind". `what`
 * begins the messages ("stream python_random"). */
#ifndef SNAP_STREAM_JSON_H
#define SNAP_STREAM_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "core/buffer.h"

/* Encode `object`, which is consumed (NULL: SNAP_NO_MEMORY); *bytes is malloc'd, owned by the
 * caller. */
enum snap_status snap_stream_json_encode(const char *what, json_t *object, void **bytes,
                                         size_t *size_bytes, struct snap_error *err);

/* Decode canonical JSON into an object with exactly the keys listed ("counter kind seed"), among
 * them "kind", which must be `kind`. *object is owned by the caller. */
enum snap_status snap_stream_json_decode(const char *what, const char *kind, const char *keys,
                                         const void *bytes, size_t size_bytes, json_t **object,
                                         struct snap_error *err);

/* A twister's state is encoded before every step of a run, so it is written as canonical text at
 * once, without a JSON value of 625 numbers. Both append to `out`: the text `before`, then the bits
 * of a double as 16 hex digits in quotes, or the words with commas between. */
enum snap_status snap_stream_json_put_double(struct snap_buffer *out, const char *before,
                                             double value, struct snap_error *err);
enum snap_status snap_stream_json_put_words(struct snap_buffer *out, const char *before,
                                            const uint32_t *words, size_t count,
                                            struct snap_error *err);
/* The text `before` and a list of integers; past 2^53 they are strings. */
enum snap_status snap_stream_json_put_u64s(struct snap_buffer *out, const char *before,
                                           const uint64_t *numbers, size_t count,
                                           struct snap_error *err);

/* Getters: SNAP_CORRUPT when the value of `key` has another form. An integer from 0 to `max`; bits
 * of a double; exactly `count` words, or integers of 64 bits; the string `expected`. */
enum snap_status snap_stream_json_get_uint(const char *what, const json_t *object, const char *key,
                                           uint64_t max, uint64_t *value, struct snap_error *err);
enum snap_status snap_stream_json_get_double(const char *what, const json_t *object,
                                             const char *key, double *value,
                                             struct snap_error *err);
enum snap_status snap_stream_json_get_words(const char *what, const json_t *object,
                                            const char *key, size_t count, uint32_t *words,
                                            struct snap_error *err);
enum snap_status snap_stream_json_get_u64s(const char *what, const json_t *object, const char *key,
                                           size_t count, uint64_t *numbers,
                                           struct snap_error *err);
enum snap_status snap_stream_json_get_name(const char *what, const json_t *object, const char *key,
                                           const char *expected, struct snap_error *err);

/* ---- Forms that are JSON as the library's users write it: spaces, order of keys, reals and any
 * integers are free. ---- */

/* Read such a text; SNAP_CORRUPT when it is no JSON, or longer than a state's. *value is owned by
 * the caller. */
enum snap_status snap_stream_json_load(const char *what, const void *bytes, size_t size_bytes,
                                       json_t **value, struct snap_error *err);
/* Write one line of it; `value` is consumed (NULL: SNAP_NO_MEMORY). *bytes is malloc'd, owned by
 * the caller. */
enum snap_status snap_stream_json_dump(const char *what, json_t *value, void **bytes,
                                       size_t *size_bytes, struct snap_error *err);
/* A list of words; NULL when memory is out. */
json_t *snap_stream_json_words(const uint32_t *words, size_t count);
/* SNAP_UNSUPPORTED when a cached normal is NaN or infinite, which JSON cannot say. */
enum snap_status snap_stream_json_refuse_real(const char *what, double value,
                                              struct snap_error *err);

#endif
