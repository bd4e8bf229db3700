/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "config/config_fields.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DECIMAL_MAX_LENGTH = 40, NAME_MAX_LENGTH = 40 };

void trn_fields_init(struct trn_fields *fields, json_t *object, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fields->path, sizeof(fields->path), format, arguments);
    va_end(arguments);
    fields->object = object;
}

enum snap_status trn_fields_expected(const struct trn_fields *fields, const char *key,
                                     struct snap_error *err, const char *format, ...)
{
    char what[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    return snap_error_set(err, SNAP_INVALID, "config: %s%s%s: expected %s", fields->path,
                          fields->path[0] != '\0' ? "." : "", key, what);
}

static enum snap_status missing(const struct trn_fields *fields, const char *key, const char *what,
                                struct snap_error *err)
{
    return trn_fields_expected(fields, key, err, "%s: it is missing", what);
}

enum snap_status trn_fields_set(const struct trn_fields *fields, const char *key, json_t *value,
                                struct snap_error *err)
{
    if (value == NULL || json_object_set_new(fields->object, key, value) != 0)
        return snap_error_set(err, SNAP_NO_MEMORY, "config: %s.%s: no memory", fields->path, key);
    return SNAP_OK;
}

/* Characters to insert, delete or replace to make `b` of `a`; both are short. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LENGTH + 1];
    size_t n = strlen(b);
    if (strlen(a) > NAME_MAX_LENGTH || n > NAME_MAX_LENGTH)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

enum snap_status trn_fields_known(const struct trn_fields *fields, const char *const known[],
                                  struct snap_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(fields->object, key, value)
    {
        const char *nearest = known[0];
        size_t least = SIZE_MAX;
        for (size_t i = 0; known[i] != NULL; i++) {
            size_t distance = edit_distance(key, known[i]);
            if (distance < least) {
                least = distance;
                nearest = known[i];
            }
        }
        if (least == 0)
            continue;
        char all[256] = "";
        for (size_t i = 0; known[i] != NULL; i++) {
            size_t used = strlen(all);
            snprintf(all + used, sizeof(all) - used, "%s%s", i > 0 ? ", " : "", known[i]);
        }
        if (least <= 3)
            return snap_error_set(err, SNAP_INVALID,
                                  "config: %s%s%.60s: unknown key: did you mean \"%s\"? Expected: "
                                  "%s",
                                  fields->path, fields->path[0] != '\0' ? "." : "", key, nearest,
                                  all);
        return snap_error_set(err, SNAP_INVALID, "config: %s%s%.60s: unknown key. Expected: %s",
                              fields->path, fields->path[0] != '\0' ? "." : "", key, all);
    }
    return SNAP_OK;
}

enum snap_status trn_fields_enter(const struct trn_fields *parent, const char *key, bool optional,
                                  const char *const known[], struct trn_fields *fields,
                                  struct snap_error *err)
{
    json_t *object = json_object_get(parent->object, key);
    if (object == NULL && optional) {
        enum snap_status status = trn_fields_set(parent, key, json_object(), err);
        if (status != SNAP_OK)
            return status;
        object = json_object_get(parent->object, key);
    }
    if (object == NULL)
        return missing(parent, key, "an object", err);
    if (!json_is_object(object))
        return trn_fields_expected(parent, key, err, "an object");
    trn_fields_init(fields, object, "%s%s%s", parent->path, parent->path[0] != '\0' ? "." : "",
                    key);
    return trn_fields_known(fields, known, err);
}

enum snap_status trn_fields_integer(const struct trn_fields *fields, const char *key, int64_t least,
                                    int64_t most, const int64_t *fallback, int64_t *value,
                                    struct snap_error *err)
{
    const json_t *found = json_object_get(fields->object, key);
    if (found == NULL && fallback != NULL) {
        *value = *fallback;
        return trn_fields_set(fields, key, json_integer(*fallback), err);
    }
    if (!json_is_integer(found) || json_integer_value(found) < least ||
        json_integer_value(found) > most)
        return trn_fields_expected(fields, key, err, "an integer from %lld to %lld%s",
                                   (long long)least, (long long)most,
                                   found == NULL ? ": it is missing" : "");
    *value = json_integer_value(found);
    return SNAP_OK;
}

enum snap_status trn_fields_size(const struct trn_fields *fields, const char *key, int64_t least,
                                 int64_t most, int64_t fallback, size_t *value,
                                 struct snap_error *err)
{
    int64_t read;
    enum snap_status status = trn_fields_integer(fields, key, least, most,
                                                 fallback >= 0 ? &fallback : NULL, &read, err);
    if (status == SNAP_OK)
        *value = (size_t)read;
    return status;
}

enum snap_status trn_fields_count(const struct trn_fields *fields, const char *key, int64_t least,
                                  int64_t fallback, uint64_t *value, struct snap_error *err)
{
    int64_t read;
    enum snap_status status = trn_fields_integer(fields, key, least, TRN_CONFIG_MAX_INTEGER,
                                                 fallback >= 0 ? &fallback : NULL, &read, err);
    if (status == SNAP_OK)
        *value = (uint64_t)read;
    return status;
}

enum snap_status trn_fields_boolean(const struct trn_fields *fields, const char *key, bool fallback,
                                    bool *value, struct snap_error *err)
{
    const json_t *found = json_object_get(fields->object, key);
    if (found == NULL) {
        *value = fallback;
        return trn_fields_set(fields, key, json_boolean(fallback), err);
    }
    if (!json_is_boolean(found))
        return trn_fields_expected(fields, key, err, "true or false");
    *value = json_is_true(found);
    return SNAP_OK;
}

static size_t digits(const char *text)
{
    size_t n = 0;
    while (text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

static bool is_decimal(const char *text)
{
    const char *at = text;
    size_t n;
    if (strlen(text) > DECIMAL_MAX_LENGTH)
        return false;
    if (*at == '-')
        at++;
    if ((n = digits(at)) == 0 || (n > 1 && *at == '0'))
        return false;
    at += n;
    if (*at == '.') {
        if ((n = digits(at + 1)) == 0)
            return false;
        at += 1 + n;
    }
    if (*at == 'e') {
        at++;
        if (*at == '+' || *at == '-')
            at++;
        if ((n = digits(at)) == 0)
            return false;
        at += n;
    }
    return *at == '\0';
}

bool trn_decimal_parse(const char *text, double *value)
{
    if (!is_decimal(text))
        return false;
    /* glibc's strtod is correctly rounded; the locale only decides the decimal point. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0)
        return false;
    double parsed = strtod_l(text, NULL, plain);
    freelocale(plain);
    if (!isfinite(parsed))
        return false;
    *value = parsed;
    return true;
}

enum snap_status trn_fields_decimal(const struct trn_fields *fields, const char *key,
                                    const struct trn_decimal_range *range, const char *fallback,
                                    double *value, struct snap_error *err)
{
    const json_t *found = json_object_get(fields->object, key);
    if (found == NULL && fallback != NULL) {
        enum snap_status status = trn_fields_set(fields, key, json_string(fallback), err);
        if (status != SNAP_OK)
            return status;
        found = json_object_get(fields->object, key);
    }
    double parsed;
    if (!json_is_string(found) || !trn_decimal_parse(json_string_value(found), &parsed) ||
        parsed < range->least || (range->above && parsed == range->least) ||
        parsed > range->most || (range->below && parsed == range->most))
        return trn_fields_expected(fields, key, err,
                                   "a decimal number in a string, such as \"%s\", %s%s",
                                   range->example, range->bounds,
                                   found == NULL ? ": it is missing" : "");
    *value = parsed;
    return SNAP_OK;
}

enum snap_status trn_fields_word(const struct trn_fields *fields, const char *key,
                                 const char *const words[], const char *fallback, size_t *index,
                                 struct snap_error *err)
{
    const json_t *found = json_object_get(fields->object, key);
    const char *word = json_string_value(found);
    if (found == NULL && fallback != NULL) {
        enum snap_status status = trn_fields_set(fields, key, json_string(fallback), err);
        if (status != SNAP_OK)
            return status;
        word = fallback;
    }
    char all[200] = "";
    for (size_t i = 0; words[i] != NULL; i++) {
        if (word != NULL && strcmp(word, words[i]) == 0) {
            *index = i;
            return SNAP_OK;
        }
        size_t used = strlen(all);
        snprintf(all + used, sizeof(all) - used, "%s\"%s\"",
                 i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ", words[i]);
    }
    return trn_fields_expected(fields, key, err, "%s%s", all,
                               found == NULL ? ": it is missing" : "");
}

enum snap_status trn_fields_string(const struct trn_fields *fields, const char *key,
                                   const char *what, const char **value, struct snap_error *err)
{
    const json_t *found = json_object_get(fields->object, key);
    if (found == NULL)
        return missing(fields, key, what, err);
    if (!json_is_string(found) || json_string_length(found) == 0)
        return trn_fields_expected(fields, key, err, "%s", what);
    *value = json_string_value(found);
    return SNAP_OK;
}

enum snap_status trn_fields_array(const struct trn_fields *fields, const char *key,
                                  const char *what, json_t **array, struct snap_error *err)
{
    json_t *found = json_object_get(fields->object, key);
    if (found == NULL)
        return missing(fields, key, what, err);
    if (!json_is_array(found) || json_array_size(found) == 0)
        return trn_fields_expected(fields, key, err, "%s", what);
    *array = found;
    return SNAP_OK;
}

static bool in_range(const json_t *value, int64_t least, int64_t most)
{
    return json_is_integer(value) && json_integer_value(value) >= least &&
           json_integer_value(value) <= most;
}

enum snap_status trn_fields_pair(const struct trn_fields *fields, const char *key, int64_t least,
                                 int64_t most, const size_t fallback[2], size_t pair[2],
                                 struct snap_error *err)
{
    const json_t *found = json_object_get(fields->object, key);
    const json_t *first = json_array_get(found, 0);
    const json_t *second = json_array_get(found, 1);
    if (found == NULL && fallback != NULL) {
        pair[0] = fallback[0];
        pair[1] = fallback[1];
    } else if (in_range(found, least, most)) {
        pair[0] = pair[1] = (size_t)json_integer_value(found);
    } else if (json_array_size(found) == 2 && in_range(first, least, most) &&
               in_range(second, least, most)) {
        pair[0] = (size_t)json_integer_value(first);
        pair[1] = (size_t)json_integer_value(second);
    } else {
        return trn_fields_expected(
            fields, key, err, "an integer from %lld to %lld, or [height, width] of such%s",
            (long long)least, (long long)most, found == NULL ? ": it is missing" : "");
    }
    return trn_fields_set(fields, key, json_pack("[I,I]", (json_int_t)pair[0], (json_int_t)pair[1]),
                          err);
}
