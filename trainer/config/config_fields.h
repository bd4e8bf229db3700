/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the members of JSON objects with errors that name the key and what was expected. A
 * default is written into the object, so that what was read is, in the end, said in full. */
#ifndef TRN_CONFIG_FIELDS_H
#define TRN_CONFIG_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/status.h>

/* Integers of the config: exact in every JSON reader. */
#define TRN_CONFIG_MAX_INTEGER 9007199254740992 /* 2^53 */
#define TRN_CONFIG_PATH_SIZE 160

/* An object in the config and where it stands: "training.model[3]". */
struct trn_fields {
    json_t *object; /* borrowed from the document */
    char path[TRN_CONFIG_PATH_SIZE];
};

/* An object, and its path as printf makes it (cut to fit). */
void trn_fields_init(struct trn_fields *fields, json_t *object, const char *format, ...)
    SNAP_PRINTF(3, 4);

/* `key` of `parent` must be an object; *fields is it. `optional`: an empty one is put there when it
 * is missing. Every key of it must be one of `known` (ends with NULL). */
enum snap_status trn_fields_enter(const struct trn_fields *parent, const char *key, bool optional,
                                  const char *const known[], struct trn_fields *fields,
                                  struct snap_error *err);

/* Every key must be one of `known`: else an error with the nearest of them. */
enum snap_status trn_fields_known(const struct trn_fields *fields, const char *const known[],
                                  struct snap_error *err);

/* An integer from `least` to `most`. `fallback` NULL: the key must be there. */
enum snap_status trn_fields_integer(const struct trn_fields *fields, const char *key, int64_t least,
                                    int64_t most, const int64_t *fallback, int64_t *value,
                                    struct snap_error *err);

/* The same for what is never negative: a size, and a count of at most TRN_CONFIG_MAX_INTEGER. A
 * `fallback` below 0: the key must be there. */
enum snap_status trn_fields_size(const struct trn_fields *fields, const char *key, int64_t least,
                                 int64_t most, int64_t fallback, size_t *value,
                                 struct snap_error *err);
enum snap_status trn_fields_count(const struct trn_fields *fields, const char *key, int64_t least,
                                  int64_t fallback, uint64_t *value, struct snap_error *err);

/* true or false. */
enum snap_status trn_fields_boolean(const struct trn_fields *fields, const char *key, bool fallback,
                                    bool *value, struct snap_error *err);

/* A decimal number in a string, read as the nearest double, from `least` to `most`, without the end
 * that `above` or `below` leaves out. `bounds` says the same in words, and `example` is one such
 * number, for messages. `fallback` NULL: the key must be there. */
struct trn_decimal_range {
    double least, most;
    bool above; /* value > least */
    bool below; /* value < most */
    const char *bounds;
    const char *example;
};
enum snap_status trn_fields_decimal(const struct trn_fields *fields, const char *key,
                                    const struct trn_decimal_range *range, const char *fallback,
                                    double *value, struct snap_error *err);

/* One of `words` (ends with NULL); *index says which. */
enum snap_status trn_fields_word(const struct trn_fields *fields, const char *key,
                                 const char *const words[], const char *fallback, size_t *index,
                                 struct snap_error *err);

/* A string that is not empty; borrowed from the document. `what` is expected, in words. */
enum snap_status trn_fields_string(const struct trn_fields *fields, const char *key,
                                   const char *what, const char **value, struct snap_error *err);

/* An array of at least one element; borrowed. */
enum snap_status trn_fields_array(const struct trn_fields *fields, const char *key,
                                  const char *what, json_t **array, struct snap_error *err);

/* One integer for height and width, or [height, width]; the object gets the latter. `fallback`
 * NULL: the key must be there. */
enum snap_status trn_fields_pair(const struct trn_fields *fields, const char *key, int64_t least,
                                 int64_t most, const size_t fallback[2], size_t pair[2],
                                 struct snap_error *err);

/* Put `value` (consumed) under `key`. */
enum snap_status trn_fields_set(const struct trn_fields *fields, const char *key, json_t *value,
                                struct snap_error *err);

/* "training.model[3].kernel": SNAP_INVALID with "PATH: expected ...". */
enum snap_status trn_fields_expected(const struct trn_fields *fields, const char *key,
                                     struct snap_error *err, const char *format, ...)
    SNAP_PRINTF(4, 5);

/* A decimal number: -?digits[.digits][e[+-]digits], at most 40 characters, whatever the locale.
 * False: the text is none, or not finite as a double. The value is the nearest double. */
bool trn_decimal_parse(const char *text, double *value);

#endif
