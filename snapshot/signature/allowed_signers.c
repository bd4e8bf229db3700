/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/text.h"
#include "signature/allowed_signers.h"

/* A piece of a line. */
struct word {
    const char *at;
    size_t size;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Take the next word of `line`; blanks between quotes are part of it. False at the end. */
static bool next_word(struct word *line, struct word *word)
{
    bool quoted = false;
    size_t size = 0;
    while (line->size > 0 && is_blank(*line->at)) {
        line->at++;
        line->size--;
    }
    while (size < line->size && (quoted || !is_blank(line->at[size]))) {
        if (line->at[size] == '"')
            quoted = !quoted;
        size++;
    }
    *word = (struct word){ line->at, size };
    line->at += size;
    line->size -= size;
    return size > 0 && !quoted;
}

/* '*' and '?' in `pattern`, as in OpenSSH. */
static bool matches(struct word pattern, const char *text)
{
    const char *star = NULL, *end = pattern.at + pattern.size;
    const char *resume = NULL;
    const char *at = pattern.at;
    while (*text != '\0') {
        if (at < end && *at == '*') {
            star = at++;
            resume = text;
        } else if (at < end && (*at == '?' || *at == *text)) {
            at++;
            text++;
        } else if (star != NULL) {
            at = star + 1;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (at < end && *at == '*')
        at++;
    return at == end;
}

/* A list with commas; one that begins with '!' and matches forbids. */
static bool list_matches(struct word list, const char *text)
{
    bool found = false;
    for (size_t from = 0; from <= list.size;) {
        const char *comma = from < list.size ? memchr(list.at + from, ',', list.size - from) : NULL;
        size_t end = comma != NULL ? (size_t)(comma - list.at) : list.size;
        struct word one = { list.at + from, end - from };
        bool forbids = one.size > 0 && one.at[0] == '!';
        one.at += forbids;
        one.size -= forbids;
        if (one.size > 0 && matches(one, text)) {
            if (forbids)
                return false;
            found = true;
        }
        from = end + 1;
    }
    return found;
}

/* YYYYMMDD[Z] or YYYYMMDDHHMM[SS][Z]; without Z it is local time. */
static bool read_time(struct word text, time_t *at)
{
    int digits[14] = { 0 };
    bool utc = text.size > 0 && text.at[text.size - 1] == 'Z';
    size_t count = text.size - utc;
    if (count != 8 && count != 12 && count != 14)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        digits[i] = text.at[i] - '0';
    }
    struct tm broken = {
        .tm_year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3] - 1900,
        .tm_mon = digits[4] * 10 + digits[5] - 1,
        .tm_mday = digits[6] * 10 + digits[7],
        .tm_hour = digits[8] * 10 + digits[9],
        .tm_min = digits[10] * 10 + digits[11],
        .tm_sec = digits[12] * 10 + digits[13],
        .tm_isdst = -1,
    };
    if (broken.tm_mon < 0 || broken.tm_mon > 11 || broken.tm_mday < 1 || broken.tm_mday > 31 ||
        broken.tm_hour > 23 || broken.tm_min > 59 || broken.tm_sec > 60)
        return false;
    *at = utc ? timegm(&broken) : mktime(&broken);
    return *at != (time_t)-1;
}

/* What the options of a line say about this signature. */
struct terms {
    bool allowed;
    bool readable;
};

/* The value of NAME="value" in `option`, without quotes; false: another option. */
static bool has_value(struct word option, const char *name, struct word *value)
{
    size_t length = strlen(name);
    if (option.size < length + 1 || strncasecmp(option.at, name, length) != 0 ||
        option.at[length] != '=')
        return false;
    *value = (struct word){ option.at + length + 1, option.size - length - 1 };
    if (value->size >= 2 && value->at[0] == '"' && value->at[value->size - 1] == '"')
        *value = (struct word){ value->at + 1, value->size - 2 };
    return true;
}

static void apply(struct word option, const char *name_space, time_t now, struct terms *terms)
{
    static const char authority[] = "cert-authority";
    struct word value;
    time_t limit = 0;
    if (has_value(option, "namespaces", &value))
        terms->allowed = terms->allowed && list_matches(value, name_space);
    else if (has_value(option, "valid-after", &value) && read_time(value, &limit))
        terms->allowed = terms->allowed && now >= limit;
    else if (has_value(option, "valid-before", &value) && read_time(value, &limit))
        terms->allowed = terms->allowed && now <= limit;
    else if (option.size == sizeof authority - 1 &&
             strncasecmp(option.at, authority, option.size) == 0)
        terms->allowed = false;
    else
        terms->readable = false;
}

static void apply_options(struct word options, const char *name_space, time_t now,
                          struct terms *terms)
{
    bool quoted = false;
    size_t from = 0;
    for (size_t i = 0; i <= options.size; i++) {
        if (i < options.size && options.at[i] == '"')
            quoted = !quoted;
        if (i < options.size && (quoted || options.at[i] != ','))
            continue;
        apply((struct word){ options.at + from, i - from }, name_space, now, terms);
        from = i + 1;
    }
}

/* A word that is a kind of key, and no options. */
static bool is_key_type(struct word word)
{
    static const char *const starts[] = { "ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-" };
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (word.size > strlen(starts[i]) && strncmp(word.at, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

static enum snap_status read_line(struct word line, const struct snap_ssh_bytes *key,
                                  const char *name_space, time_t now, struct terms *terms,
                                  struct word *principals, struct snap_error *err)
{
    struct snap_buffer blob = SNAP_BUFFER_INIT;
    struct word second, type, base64;
    bool valid = false;
    *terms = (struct terms){ true, true };
    if (!next_word(&line, principals) || !next_word(&line, &second)) {
        terms->readable = false;
        return SNAP_OK;
    }
    type = second;
    if (!is_key_type(second)) {
        apply_options(second, name_space, now, terms);
        if (!next_word(&line, &type) || !is_key_type(type))
            terms->readable = false;
    }
    if (!next_word(&line, &base64))
        terms->readable = false;
    if (!terms->readable)
        return SNAP_OK;
    enum snap_status status = snap_ssh_base64(base64.at, base64.size, &blob, &valid, err);
    terms->readable = valid;
    terms->allowed = terms->allowed && valid && blob.size == key->size &&
                     memcmp(blob.data, key->data, key->size) == 0;
    snap_buffer_release(&blob);
    return status;
}

static void copy_principals(struct word principals, char *text, size_t text_bytes)
{
    char word[256];
    if (principals.size >= 2 && principals.at[0] == '"')
        principals = (struct word){ principals.at + 1, principals.size - 2 };
    snprintf(word, sizeof word, "%.*s",
             (int)(principals.size < sizeof word ? principals.size : sizeof word - 1),
             principals.at);
    snap_text_clean(word, text, text_bytes);
}

enum snap_status snap_allowed_signers_find(const char *text, size_t size_bytes,
                                           const struct snap_ssh_bytes *key,
                                           const char *name_space, time_t now, bool *found,
                                           char *principals, size_t principals_bytes,
                                           struct snap_error *err)
{
    struct terms terms;
    struct word who;
    size_t number = 0;
    *found = false;
    for (size_t at = 0; at < size_bytes && !*found;) {
        const char *end = memchr(text + at, '\n', size_bytes - at);
        struct word line = { text + at, end != NULL ? (size_t)(end - text) - at : size_bytes - at };
        at += line.size + 1;
        number++;
        while (line.size > 0 && is_blank(*line.at)) {
            line.at++;
            line.size--;
        }
        if (line.size == 0 || *line.at == '#')
            continue;
        enum snap_status status = read_line(line, key, name_space, now, &terms, &who, err);
        if (status != SNAP_OK)
            return status;
        if (!terms.readable)
            return snap_error_set(err, SNAP_INVALID,
                                  "signers: line %zu: expected 'who [options] key-type key', as in "
                                  "ssh-keygen(1)",
                                  number);
        *found = terms.allowed;
    }
    if (*found)
        copy_principals(who, principals, principals_bytes);
    return SNAP_OK;
}
