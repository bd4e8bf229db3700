/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/std_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "core/buffer.h"
#include "core/bytes.h"
#include "stream/stream_json.h"

/* The numbers with one blank between, and what stands around them. */
static enum snap_status put(const struct snap_std_engine *engine, const uint64_t *words,
                            uint32_t pos, const char *before, const char *after, void **bytes,
                            size_t *size_bytes, struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    enum snap_status status = snap_buffer_append_text(&text, before, err);

    for (size_t i = 0; status == SNAP_OK && i < engine->count; i++) {
        status = snap_buffer_appendf(&text, err, "%" PRIu64 " ", words[i]);
    }
    if (status == SNAP_OK) {
        status = snap_buffer_appendf(&text, err, "%" PRIu32 "%s", pos, after);
    }
    if (status == SNAP_OK) {
        *bytes = snap_buffer_steal(&text, size_bytes);
    }
    snap_buffer_release(&text);
    return status;
}

enum snap_status snap_std_encode(const struct snap_std_engine *engine, const uint64_t *words,
                                 uint32_t pos, void **bytes, size_t *size_bytes,
                                 struct snap_error *err)
{
    char before[64] = "{\"kind\":\"";

    strcat(strcat(before, engine->kind), "\",\"state\":\"");
    return put(engine, words, pos, before, "\"}\n", bytes, size_bytes, err);
}

enum snap_status snap_std_encode_text(const struct snap_std_engine *engine, const uint64_t *words,
                                      uint32_t pos, void **bytes, size_t *size_bytes,
                                      struct snap_error *err)
{
    return put(engine, words, pos, "", "\n", bytes, size_bytes, err);
}

/* ---- reading ---- */

struct reader {
    const char *at;
    const char *end;
    bool is_exact; /* one blank between numbers, no zeros before them */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends(struct reader *reader)
{
    while (!reader->is_exact && reader->at < reader->end && is_blank(*reader->at)) {
        reader->at++;
    }
    return reader->at == reader->end;
}

/* A number of at most `most`, with the blanks before it. */
static bool get_number(struct reader *reader, bool is_first, uint64_t most, uint64_t *number)
{
    const char *start;
    uint64_t value = 0;

    if (ends(reader)) {
        return false;
    }
    if (reader->is_exact && !is_first && *reader->at++ != ' ') {
        return false;
    }
    start = reader->at;
    for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        if (!snap_mul_u64(value, 10, &value) ||
            !snap_add_u64(value, (uint64_t)(*reader->at - '0'), &value)) {
            return false;
        }
    }
    *number = value;
    return reader->at > start && value <= most &&
           !(reader->is_exact && *start == '0' && reader->at > start + 1);
}

static enum snap_status get(const struct snap_std_engine *engine, struct reader *reader,
                            uint64_t *words, uint32_t *pos, struct snap_error *err)
{
    uint64_t position = engine->count;

    for (size_t i = 0; i < engine->count; i++) {
        if (!get_number(reader, i == 0, UINT64_MAX >> (64 - engine->bits), &words[i])) {
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: decode: number %zu of the text is missing, or not one of %u "
                                  "bits",
                                  engine->what, i, engine->bits);
        }
    }
    if ((reader->is_exact || !ends(reader)) &&
        !get_number(reader, false, engine->count, &position)) {
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: decode: after the words no position from 0 to %zu", engine->what,
                              engine->count);
    }
    if (!ends(reader)) {
        return snap_error_set(err, SNAP_CORRUPT, "%s: decode: the text goes on after the position",
                              engine->what);
    }
    *pos = (uint32_t)position;
    return SNAP_OK;
}

enum snap_status snap_std_decode(const struct snap_std_engine *engine, const void *bytes,
                                 size_t size_bytes, uint64_t *words, uint32_t *pos,
                                 struct snap_error *err)
{
    json_t *object = NULL;
    const json_t *text;
    enum snap_status status = snap_stream_json_decode(engine->what, engine->kind, "kind state",
                                                      bytes, size_bytes, &object, err);

    if (status == SNAP_OK) {
        text = json_object_get(object, "state");
        if (json_is_string(text)) {
            const char *start = json_string_value(text);
            struct reader reader = { start, start + json_string_length(text), true };

            status = get(engine, &reader, words, pos, err);
        } else {
            status =
                snap_error_set(err, SNAP_CORRUPT, "%s: \"state\": expected a text", engine->what);
        }
    }
    json_decref(object);
    return status;
}

enum snap_status snap_std_decode_text(const struct snap_std_engine *engine, const void *bytes,
                                      size_t size_bytes, uint64_t *words, uint32_t *pos,
                                      struct snap_error *err)
{
    struct reader reader = { bytes, (const char *)bytes + size_bytes, false };

    return get(engine, &reader, words, pos, err);
}
