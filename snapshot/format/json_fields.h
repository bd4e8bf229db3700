/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the fields of decoded documents. Everything that does not fit is SNAP_CORRUPT, with a
 * text that names the document (`what`) and the key. */
#ifndef SNAP_FORMAT_JSON_FIELDS_H
#define SNAP_FORMAT_JSON_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

/* `object` must be an object with exactly these keys. `keys` is a list with spaces between; a key
 * followed by '?' may be missing: "format step failure?". */
enum snap_status snap_json_check_keys(const json_t *object, const char *keys, const char *what,
                                      struct snap_error *err);

/* The value of `key`, borrowed; it must be there and of that type. */
enum snap_status snap_json_field(const json_t *object, const char *key, json_type type,
                                 const char *what, const json_t **value, struct snap_error *err);
/* A string, borrowed from the object. */
enum snap_status snap_json_field_string(const json_t *object, const char *key, const char *what,
                                        const char **text, struct snap_error *err);
/* An integer from 0 to 2^64-1. */
enum snap_status snap_json_field_u64(const json_t *object, const char *key, const char *what,
                                     uint64_t *number, struct snap_error *err);
/* A digest of 64 hex digits, after "prefix:" when `prefix` is not NULL. */
enum snap_status snap_json_field_digest(const json_t *object, const char *key, const char *prefix,
                                        const char *what, unsigned char digest[SNAP_DIGEST_BYTES],
                                        struct snap_error *err);
/* The key "format" must be `name` ("snap-state-1"). The same name with another number is
 * SNAP_UNSUPPORTED: a newer format. */
enum snap_status snap_json_field_format(const json_t *object, const char *name, const char *what,
                                        struct snap_error *err);

/* What a caller may not do, a file may not hold: SNAP_INVALID becomes SNAP_CORRUPT, with the text
 * of `cause`; other statuses pass as they are. */
enum snap_status snap_refuse(enum snap_status status, const struct snap_error *cause,
                             struct snap_error *err);

/* 64 hex digits as a JSON string, after "prefix:" when `prefix` is not NULL. NULL when memory is
 * out. */
json_t *snap_json_digest(const char *prefix, const unsigned char digest[SNAP_DIGEST_BYTES]);
/* json_object_set_new, but with a status: `value` is consumed in any case and may be NULL (then
 * SNAP_NO_MEMORY). */
enum snap_status snap_json_set(json_t *object, const char *key, json_t *value,
                               struct snap_error *err);
enum snap_status snap_json_append(json_t *array, json_t *value, struct snap_error *err);

#endif
