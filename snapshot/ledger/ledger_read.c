/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a ledger: every line canonical, of the grammar, in step order and on both chains. */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/hex.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "ledger/ledger_line.h"

struct entry {
    size_t offset; /* of the line in `text` */
    size_t size;   /* its newline counted in */
    char chain[2 * SNAP_DIGEST_BYTES + 1];
    char host_chain[2 * SNAP_DIGEST_BYTES + 1];
};

struct snap_ledger {
    struct snap_buffer text; /* the lines, a NUL after each */
    struct entry *entries;
    size_t count;
    size_t capacity;
    bool has_genesis;
    uint64_t first_step; /* the step before the first line of a step */
};

/* Names a line in messages: "DIR/ledger.jsonl: line 58 (step 57)". */
struct place {
    const char *what;
    char text[400];
};

static void place_at(struct place *place, size_t line, bool has_step, uint64_t step)
{
    if (has_step)
        snprintf(place->text, sizeof place->text, "%.300s: line %zu (step %" PRIu64 ")",
                 place->what, line, step);
    else
        snprintf(place->text, sizeof place->text, "%.300s: line %zu", place->what, line);
}

/* The document's chain fields, which are taken out of it, must follow from `before`. */
static enum snap_status compare_heads(json_t *document, const struct snap_chain_heads *before,
                                      const char *what, struct snap_chain_heads *heads,
                                      struct snap_error *err)
{
    unsigned char run[SNAP_DIGEST_BYTES];
    unsigned char host[SNAP_DIGEST_BYTES];
    enum snap_status status = snap_json_field_digest(document, "chain", NULL, what, run, err);
    if (status == SNAP_OK)
        status = snap_json_field_digest(document, "host_chain", NULL, what, host, err);
    if (status == SNAP_OK)
        status = snap_ledger_line_heads(document, before, heads, err);
    if (status != SNAP_OK)
        return status;
    if (memcmp(heads->host, host, sizeof host) != 0)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: off the chain: \"host_chain\" does not follow "
                              "from the line before and this line's host part",
                              what);
    if (memcmp(heads->run, run, sizeof run) != 0)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: off the chain: \"chain\" does not follow from "
                              "the line before and this line (its host part is as it was)",
                              what);
    return SNAP_OK;
}

static enum snap_status add_entry(struct snap_ledger *ledger, const char *line, size_t size_bytes,
                                  const struct snap_chain_heads *heads, struct snap_error *err)
{
    if (ledger->count == ledger->capacity) {
        size_t capacity = ledger->capacity < 64 ? 64 : ledger->capacity + ledger->capacity / 2;
        struct entry *entries = NULL;
        if (capacity <= SIZE_MAX / sizeof *entries)
            entries = realloc(ledger->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return snap_error_set(err, SNAP_NO_MEMORY, "ledger: line %zu: out of memory",
                                  ledger->count + 1);
        ledger->entries = entries;
        ledger->capacity = capacity;
    }
    struct entry *entry = &ledger->entries[ledger->count];
    entry->offset = ledger->text.size;
    entry->size = size_bytes;
    snap_hex_encode(heads->run, SNAP_DIGEST_BYTES, entry->chain);
    snap_hex_encode(heads->host, SNAP_DIGEST_BYTES, entry->host_chain);
    enum snap_status status = snap_buffer_append(&ledger->text, line, size_bytes, err);
    if (status == SNAP_OK)
        status = snap_buffer_append(&ledger->text, "", 1, err);
    if (status == SNAP_OK)
        ledger->count++;
    return status;
}

/* Read one line and move `heads` behind it. */
static enum snap_status add_line(struct snap_ledger *ledger, const char *line, size_t size_bytes,
                                 struct place *place, struct snap_chain_heads *heads,
                                 struct snap_error *err)
{
    size_t number = ledger->count + 1;
    bool genesis = ledger->has_genesis && ledger->count == 0;
    uint64_t step = snap_ledger_last_step(ledger) + 1;
    place_at(place, number, !genesis, step);
    if (size_bytes > SNAP_MAX_LEDGER_LINE_BYTES)
        return snap_error_set(err, SNAP_CORRUPT, "%s: longer than a line may be", place->text);
    json_t *document;
    enum snap_status status = snap_json_decode(line, size_bytes, place->text, &document, err);
    if (status != SNAP_OK)
        return status;
    if (genesis) {
        status = snap_ledger_check_genesis(document, place->text, &ledger->first_step, err);
    } else {
        uint64_t written;
        status = snap_ledger_check_step(document, place->text, &written, err);
        if (status == SNAP_OK && written != step) {
            place_at(place, number, false, 0);
            status = snap_error_set(
                err, SNAP_CORRUPT, "%s: host.step is %" PRIu64 ", and step %" PRIu64 " is the next",
                place->text, written, step);
        }
    }
    if (status == SNAP_OK)
        status = compare_heads(document, genesis ? NULL : heads, place->text, heads, err);
    json_decref(document);
    if (status != SNAP_OK)
        return status;
    return add_entry(ledger, line, size_bytes, heads, err);
}

/* Read the lines of `bytes`; what follows the last newline is *torn. With `damage`, a damaged line
 * is no failure: it and all that follows is *torn too, and *damage says what it is. */
static enum snap_status decode(const struct snap_chain_heads *before, uint64_t before_step,
                               const char *bytes, size_t size_bytes, const char *what,
                               struct snap_ledger **ledger, uint64_t *torn,
                               struct snap_error *damage, struct snap_error *err)
{
    struct place place = { what, "" };
    struct snap_chain_heads heads = { { 0 }, { 0 } };
    struct snap_ledger *made = calloc(1, sizeof *made);
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: read: out of memory", what);
    made->has_genesis = before == NULL;
    made->first_step = before_step;
    if (before != NULL)
        heads = *before;
    enum snap_status status = SNAP_OK;
    size_t at = 0;
    while (status == SNAP_OK && at < size_bytes) {
        const char *newline = memchr(bytes + at, '\n', size_bytes - at);
        if (newline == NULL)
            break;
        size_t line_size = (size_t)(newline - bytes) - at + 1;
        status = add_line(made, bytes + at, line_size, &place, &heads, damage ? damage : err);
        if (status == SNAP_OK)
            at += line_size;
    }
    if (status == SNAP_CORRUPT && damage != NULL)
        status = SNAP_OK;
    else if (status != SNAP_OK && damage != NULL && err != NULL)
        *err = *damage;
    if (status == SNAP_OK && torn == NULL && at < size_bytes)
        status = snap_error_set(err, SNAP_CORRUPT, "%s: line %zu: has no newline", what,
                                made->count + 1);
    if (status == SNAP_OK && torn == NULL && made->has_genesis && made->count == 0)
        status = snap_error_set(err, SNAP_CORRUPT, "%s: has no genesis line", what);
    if (status != SNAP_OK) {
        snap_ledger_free(made);
        return status;
    }
    if (torn != NULL)
        *torn = size_bytes - at;
    *ledger = made;
    return SNAP_OK;
}

enum snap_status snap_ledger_open(const char *path, struct snap_ledger **ledger,
                                  uint64_t *torn_bytes, struct snap_error *err)
{
    if (path == NULL || ledger == NULL)
        return snap_error_set(err, SNAP_INVALID, "ledger: open: no path, or no place for it");
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    uint64_t torn = 0;
    enum snap_status status =
        snap_file_read(AT_FDCWD, path, SNAP_MAX_LEDGER_FILE_BYTES, &bytes, err);
    if (status == SNAP_OK)
        status =
            decode(NULL, 0, (const char *)bytes.data, bytes.size, path, ledger, &torn, NULL, err);
    if (status == SNAP_OK && torn_bytes != NULL)
        *torn_bytes = torn;
    snap_buffer_release(&bytes);
    return status;
}

enum snap_status snap_ledger_decode(const void *bytes, size_t size_bytes, const char *what,
                                    struct snap_ledger **ledger, struct snap_error *err)
{
    return decode(NULL, 0, bytes, size_bytes, what, ledger, NULL, NULL, err);
}

enum snap_status snap_ledger_decode_good(const void *bytes, size_t size_bytes, const char *what,
                                         struct snap_ledger **ledger, uint64_t *past,
                                         struct snap_error *damage, struct snap_error *err)
{
    *damage = (struct snap_error)SNAP_ERROR_INIT;
    return decode(NULL, 0, bytes, size_bytes, what, ledger, past, damage, err);
}

enum snap_status snap_ledger_decode_after(const struct snap_chain_heads *before,
                                          uint64_t before_step, const void *bytes,
                                          size_t size_bytes, const char *what,
                                          struct snap_ledger **ledger, struct snap_error *err)
{
    return decode(before, before_step, bytes, size_bytes, what, ledger, NULL, NULL, err);
}

void snap_ledger_free(struct snap_ledger *ledger)
{
    if (ledger == NULL)
        return;
    snap_buffer_release(&ledger->text);
    free(ledger->entries);
    free(ledger);
}

size_t snap_ledger_line_count(const struct snap_ledger *ledger)
{
    return ledger->count;
}

bool snap_ledger_has_genesis(const struct snap_ledger *ledger)
{
    return ledger->has_genesis;
}

uint64_t snap_ledger_first_step(const struct snap_ledger *ledger)
{
    return ledger->first_step;
}

uint64_t snap_ledger_last_step(const struct snap_ledger *ledger)
{
    size_t genesis = ledger->has_genesis && ledger->count > 0 ? 1 : 0;
    return ledger->first_step + (ledger->count - genesis);
}

const char *snap_ledger_line(const struct snap_ledger *ledger, size_t index, size_t *size_bytes)
{
    if (index >= ledger->count)
        return NULL;
    if (size_bytes != NULL)
        *size_bytes = ledger->entries[index].size;
    return (const char *)ledger->text.data + ledger->entries[index].offset;
}

const char *snap_ledger_chain(const struct snap_ledger *ledger, size_t index)
{
    return index < ledger->count ? ledger->entries[index].chain : NULL;
}

const char *snap_ledger_host_chain(const struct snap_ledger *ledger, size_t index)
{
    return index < ledger->count ? ledger->entries[index].host_chain : NULL;
}

bool snap_ledger_find(const struct snap_ledger *ledger, uint64_t step, size_t *index)
{
    if (step < ledger->first_step || step > snap_ledger_last_step(ledger))
        return false;
    uint64_t at = step - ledger->first_step;
    if (!ledger->has_genesis) {
        if (at == 0)
            return false;
        at--;
    }
    if (at >= ledger->count)
        return false;
    *index = (size_t)at;
    return true;
}

void snap_ledger_heads(const struct snap_ledger *ledger, size_t index,
                       struct snap_chain_heads *heads)
{
    /* Both texts were made by snap_hex_encode. */
    snap_hex_decode(ledger->entries[index].chain, 2 * SNAP_DIGEST_BYTES, heads->run);
    snap_hex_decode(ledger->entries[index].host_chain, 2 * SNAP_DIGEST_BYTES, heads->host);
}

enum snap_status snap_ledger_document(const struct snap_ledger *ledger, size_t index,
                                      json_t **document, struct snap_error *err)
{
    size_t size = 0;
    const char *line = snap_ledger_line(ledger, index, &size);
    return snap_json_decode(line, size, "ledger line", document, err);
}
