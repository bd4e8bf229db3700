/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a ledger, looked through for its numbers. Lines are canonical JSON (docs/format.md), so
 * the keys come in a known order; a JSON library would take twenty times as long. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "metrics/run_metrics.h"

/* What is left of a line. */
struct cursor {
    const char *at;
    const char *end;
};

static bool take(struct cursor *c, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(c->end - c->at) < size || memcmp(c->at, text, size) != 0)
        return false;
    c->at += size;
    return true;
}

/* A string; *text is what stands between its quotes. */
static bool take_string(struct cursor *c, const char **text, size_t *size)
{
    const char *from;
    if (!take(c, "\""))
        return false;
    for (from = c->at; c->at < c->end && *c->at != '"'; c->at++)
        if (*c->at == '\\')
            c->at++;
    if (c->at >= c->end)
        return false;
    *text = from;
    *size = (size_t)(c->at - from);
    c->at++;
    return true;
}

/* Any value. */
static bool skip_value(struct cursor *c)
{
    const char *text;
    size_t size;
    int depth = 0;
    while (c->at < c->end) {
        char byte = *c->at;
        if (byte == '"') {
            if (!take_string(c, &text, &size))
                return false;
        } else if (byte == '{' || byte == '[') {
            depth++;
            c->at++;
        } else if (byte == '}' || byte == ']') {
            if (depth == 0)
                return true; /* of what is around a number */
            depth--;
            c->at++;
        } else if (byte == ',' && depth == 0) {
            return true; /* behind a number */
        } else {
            c->at++;
            continue;
        }
        if (depth == 0)
            return true;
    }
    return false;
}

static bool take_uint(struct cursor *c, uint64_t *value)
{
    bool quoted = take(c, "\""); /* past 2^53 */
    const char *from = c->at;
    uint64_t number = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        uint64_t digit = (uint64_t)(*c->at - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *value = number;
    return c->at > from && (!quoted || take(c, "\""));
}

/* Bits in 8 or 16 hex digits. */
static bool hex_value(const char *text, size_t size, double *value)
{
    uint64_t bits = 0;
    if (size != 8 && size != 16)
        return false;
    for (size_t i = 0; i < size; i++) {
        char digit = text[i];
        if (digit >= '0' && digit <= '9')
            bits = bits << 4 | (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            bits = bits << 4 | (uint64_t)(digit - 'a' + 10);
        else
            return false;
    }
    if (size == 8) {
        uint32_t narrow = (uint32_t)bits;
        float single;
        memcpy(&single, &narrow, sizeof(single));
        *value = (double)single;
    } else {
        memcpy(value, &bits, sizeof(*value));
    }
    return true;
}

/* A scalar, of which integers are no strings. */
static bool take_scalar(struct cursor *c, double *value)
{
    const char *text;
    uint64_t number;
    size_t size;
    if (c->at < c->end && *c->at == '"')
        return take_string(c, &text, &size) && hex_value(text, size, value);
    if (!take_uint(c, &number))
        return false;
    *value = (double)number;
    return true;
}

static bool take_chain(struct cursor *c, char chain[TRN_CHAIN_TEXT])
{
    const char *text;
    size_t size;
    if (!take_string(c, &text, &size) || size != TRN_CHAIN_TEXT - 1)
        return false;
    memcpy(chain, text, size);
    chain[size] = '\0';
    return true;
}

/* The next key of an object whose brace was taken; *size is 0 at its end. */
static bool next_key(struct cursor *c, const char **key, size_t *size)
{
    *size = 0;
    if (take(c, "}"))
        return true;
    take(c, ",");
    return take_string(c, key, size) && *size > 0 && take(c, ":");
}

static bool is(const char *key, size_t size, const char *text)
{
    return size == strlen(text) && memcmp(key, text, size) == 0;
}

/* Look through a part of a line whose brace was taken, to its end: where its scalars are (`at`
 * NULL: it has none), and its step. */
static bool take_part(struct cursor *c, struct cursor *scalars, bool *has_step, uint64_t *step)
{
    const char *key;
    size_t size;
    *scalars = (struct cursor){ NULL, NULL };
    *has_step = false;
    for (;;) {
        if (!next_key(c, &key, &size))
            return false;
        if (size == 0)
            return true;
        if (is(key, size, "step")) {
            *has_step = take_uint(c, step);
            if (!*has_step)
                return false;
            continue;
        }
        if (is(key, size, "scalars"))
            *scalars = *c;
        if (!skip_value(c))
            return false;
    }
}

/* Add the scalars of a part; with `only`, that one alone. */
static bool add_scalars(struct trn_metrics *metrics, struct cursor *scalars, uint64_t step,
                        const char *only, bool *no_memory)
{
    const char *key;
    size_t size;
    double value;
    if (scalars->at == NULL)
        return true;
    if (!take(scalars, "{"))
        return false;
    for (;;) {
        if (!next_key(scalars, &key, &size))
            return false;
        if (size == 0)
            return true;
        if (!take_scalar(scalars, &value))
            return false;
        if (only != NULL && !is(key, size, only))
            continue;
        if (!trn_metrics_add(metrics, key, size, step, value)) {
            *no_memory = true;
            return false;
        }
    }
}

bool trn_metrics_take_line(struct trn_metrics *metrics, const char *line, size_t size,
                           bool *no_memory)
{
    struct cursor c = { line, line + size };
    struct cursor float_scalars, host_scalars;
    char chain[TRN_CHAIN_TEXT];
    uint64_t step = 0;
    bool has_step;
    bool genesis = metrics->lines == 0;

    if (!take(&c, "{\"chain\":") || !take_chain(&c, chain) || !take(&c, ",\"float\":{") ||
        !take_part(&c, &float_scalars, &has_step, &step))
        return false;
    if (genesis && !take(&c, ",\"format\":\"snap-ledger-1\""))
        return false;
    if (!take(&c, ",\"host\":{") || !take_part(&c, &host_scalars, &has_step, &step) ||
        !take(&c, ",\"host_chain\":\""))
        return false;
    if (genesis) {
        memcpy(metrics->genesis, chain, sizeof(chain));
    } else if (!has_step || step <= metrics->last_step ||
               !add_scalars(metrics, &float_scalars, step, NULL, no_memory) ||
               !add_scalars(metrics, &host_scalars, step, "lr", no_memory)) {
        return false;
    }
    memcpy(metrics->chain, chain, sizeof(chain));
    metrics->last_step = step;
    metrics->lines++;
    return true;
}
