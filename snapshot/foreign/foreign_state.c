/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/text.h"
#include "format/limits.h"
#include "format/member_name.h"
#include "foreign/foreign_state.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "import: out of memory");
}

void snap_foreign_state_release(struct snap_foreign_state *state)
{
    for (size_t i = 0; i < state->root_count; i++) {
        free(state->roots[i].name);
        json_decref(state->roots[i].tree);
        free(state->roots[i].memory);
    }
    for (size_t i = 0; i < state->stream_count; i++) {
        free(state->streams[i].name);
        free(state->streams[i].kind);
        free(state->streams[i].bytes);
    }
    for (size_t i = 0; i < state->gap_count; i++) {
        free(state->gaps[i].name);
        free(state->gaps[i].reason);
    }
    for (size_t i = 0; i < state->block_count; i++)
        free(state->blocks[i]);
    json_decref(state->stream_names);
    free(state->roots);
    free(state->streams);
    free(state->gaps);
    free(state->blocks);
    *state = (struct snap_foreign_state)SNAP_FOREIGN_STATE_INIT;
}

enum snap_status snap_foreign_state_add_root(struct snap_foreign_state *state, const char *name,
                                             json_t *tree, void **memory, size_t memory_count,
                                             struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    struct snap_foreign_root root = { .tree = tree,
                                      .memory = memory,
                                      .memory_count = memory_count };
    for (size_t i = 0; status == SNAP_OK && i < state->root_count; i++)
        if (strcmp(state->roots[i].name, name) == 0)
            status =
                snap_error_set(err, SNAP_INVALID,
                               "root %s: two files give it: name one of them, as NAME=FILE", name);
    if (status == SNAP_OK && state->root_count == SNAP_MAX_ROOTS)
        status = snap_error_set(err, SNAP_UNSUPPORTED, "root %s: more than %u roots", name,
                                SNAP_MAX_ROOTS);
    if (status == SNAP_OK) {
        struct snap_foreign_root *moved =
            snap_array_grow(state->roots, state->root_count, sizeof *moved);
        if (moved != NULL)
            state->roots = moved;
        root.name = strdup(name);
        if (moved != NULL && root.name != NULL) {
            state->roots[state->root_count++] = root;
            return SNAP_OK;
        }
        status = no_memory(err);
    }
    free(root.name);
    free(memory);
    json_decref(tree);
    return status;
}

#define STREAM_KEY_BYTES (SNAP_MAX_WORD_BYTES + 16)

/* Members may stand in a file system that does not tell capitals. */
static void stream_key(const char *name, int rank, char key[STREAM_KEY_BYTES])
{
    snprintf(key, STREAM_KEY_BYTES, "%d/%s", rank, name);
    for (char *at = key; *at != '\0'; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
}

static bool has_stream(const struct snap_foreign_state *state, const char *name, int rank)
{
    char key[STREAM_KEY_BYTES];
    stream_key(name, rank, key);
    return json_object_get(state->stream_names, key) != NULL;
}

/* `next` is the number that another of this name is tried with. */
static enum snap_status note_stream(struct snap_foreign_state *state, const char *name, int rank,
                                    unsigned next, struct snap_error *err)
{
    char key[STREAM_KEY_BYTES];
    stream_key(name, rank, key);
    if (state->stream_names == NULL)
        state->stream_names = json_object();
    return json_object_set_new(state->stream_names, key, json_integer(next)) == 0 ? SNAP_OK
                                                                                  : no_memory(err);
}

enum snap_status snap_foreign_state_number_stream(struct snap_foreign_state *state, int rank,
                                                  char name[SNAP_MAX_WORD_BYTES + 1],
                                                  struct snap_error *err)
{
    char first[SNAP_MAX_WORD_BYTES + 1];
    char key[STREAM_KEY_BYTES];
    char number[24];
    size_t length = strlen(name);
    stream_key(name, rank, key);
    const json_t *next = json_object_get(state->stream_names, key);
    unsigned n = (unsigned)json_integer_value(next);
    if (next == NULL)
        return SNAP_OK;
    memcpy(first, name, length + 1);
    do {
        int digits = snprintf(number, sizeof number, "_%u", n++);
        if (length + (size_t)digits > SNAP_MAX_WORD_BYTES)
            length = SNAP_MAX_WORD_BYTES - (size_t)digits;
        memcpy(name + length, number, (size_t)digits + 1);
    } while (has_stream(state, name, rank));
    return note_stream(state, first, rank, n, err);
}

enum snap_status snap_foreign_state_add_stream(struct snap_foreign_state *state, const char *name,
                                               const char *kind, int rank, void *bytes,
                                               size_t size_bytes, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    struct snap_foreign_stream stream = { .rank = rank, .bytes = bytes, .size_bytes = size_bytes };
    if (!snap_name_is_word(name, strlen(name)) || strlen(name) > SNAP_MAX_WORD_BYTES)
        status =
            snap_error_set(err, SNAP_INVALID, "stream %.100s: it is no word of at most %d bytes",
                           name, SNAP_MAX_WORD_BYTES);
    if (status == SNAP_OK && has_stream(state, name, rank))
        status = snap_error_set(err, SNAP_INVALID,
                                "stream %s: two files give it: name one of them, as NAME=FILE",
                                name);
    if (status == SNAP_OK) {
        struct snap_foreign_stream *moved =
            snap_array_grow(state->streams, state->stream_count, sizeof *moved);
        if (moved != NULL)
            state->streams = moved;
        stream.name = strdup(name);
        stream.kind = strdup(kind);
        status = moved != NULL && stream.name != NULL && stream.kind != NULL
                     ? note_stream(state, name, rank, 2, err)
                     : no_memory(err);
        if (status == SNAP_OK) {
            state->streams[state->stream_count++] = stream;
            return SNAP_OK;
        }
    }
    free(stream.name);
    free(stream.kind);
    free(bytes);
    return status;
}

const char *snap_foreign_text_behind(const char *text, const char *name)
{
    size_t length = strlen(name);
    return strncmp(text, name, length) == 0 && strncmp(text + length, ": ", 2) == 0
               ? text + length + 2
               : text;
}

enum snap_status snap_foreign_state_add_gap(struct snap_foreign_state *state, const char *name,
                                            const char *reason, struct snap_error *err)
{
    char clean[1000];
    snap_text_clean(snap_foreign_text_behind(reason, name), clean, sizeof clean);
    struct snap_foreign_gap gap = { strdup(name), strdup(clean) };
    struct snap_foreign_gap *moved = snap_array_grow(state->gaps, state->gap_count, sizeof *moved);
    if (moved != NULL)
        state->gaps = moved;
    if (moved == NULL || gap.name == NULL || gap.reason == NULL) {
        free(gap.name);
        free(gap.reason);
        return no_memory(err);
    }
    state->gaps[state->gap_count++] = gap;
    return SNAP_OK;
}

enum snap_status snap_foreign_state_add_block(struct snap_foreign_state *state,
                                              unsigned char *block, struct snap_error *err)
{
    unsigned char **moved =
        snap_array_grow(state->blocks, state->block_count, sizeof(unsigned char *));
    if (moved == NULL) {
        free(block);
        return no_memory(err);
    }
    state->blocks = moved;
    state->blocks[state->block_count++] = block;
    return SNAP_OK;
}

enum snap_status snap_foreign_state_set_step(struct snap_foreign_state *state, uint64_t step,
                                             const char *what, struct snap_error *err)
{
    if (step > SNAP_MAX_STEP)
        return snap_error_set(err, SNAP_UNSUPPORTED, "%s: step %" PRIu64 ": at most %llu", what,
                              step, SNAP_MAX_STEP);
    if (state->has_step && state->step != step)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: it says step %" PRIu64 ", and a file before it says %" PRIu64,
                              what, step, state->step);
    state->has_step = true;
    state->step = step;
    return SNAP_OK;
}
