/* SPDX-License-Identifier: Apache-2.0 */
/* Files of other libraries as an archive: what the rooms below have found goes through a run in
 * memory, as every other state does. */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include <snapstate/import.h>
#include <snapstate/run.h>
#include <snapstate/stream.h>

#include "core/text.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "format/tree_codec.h"
#include "foreign/foreign_file.h"
#include "foreign/foreign_peers.h"
#include "foreign/foreign_state.h"

struct snap_import {
    struct snap_foreign_state state;
    json_t *files; /* of snap_import_json */
};

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "import: out of memory");
}

enum snap_status snap_import_new(struct snap_import **import, struct snap_error *err)
{
    if (import == NULL)
        return snap_error_set(err, SNAP_INVALID, "import: no place for it");
    struct snap_import *made = calloc(1, sizeof *made);
    if (made == NULL || (made->files = json_array()) == NULL) {
        free(made);
        return no_memory(err);
    }
    *import = made;
    return SNAP_OK;
}

void snap_import_free(struct snap_import *import)
{
    if (import == NULL)
        return;
    snap_foreign_state_release(&import->state);
    json_decref(import->files);
    free(import);
}

/* A kind of stream, or a layout. */
static enum snap_status check_as(const char *as, struct snap_error *err)
{
    struct snap_stream *probe = NULL;
    if (as == NULL || snap_foreign_is_layout(as))
        return SNAP_OK;
    if (snap_stream_new(as, &probe, NULL) != SNAP_OK)
        return snap_error_set(
            err, SNAP_INVALID,
            "import: \"%.64s\" is neither a kind of stream nor accelerate, "
            "hf-trainer, composer, lightning, megatron, checkpoint, state-dict or "
            "stream",
            as);
    snap_stream_free(probe);
    return SNAP_OK;
}

enum snap_status snap_import_add(struct snap_import *import, const struct snap_import_file *file,
                                 struct snap_error *err)
{
    const char *format = "";
    const char *layout = "";
    if (import == NULL || file == NULL || file->size_bytes != sizeof *file || file->path == NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "import: no import, or a file that is not SNAP_IMPORT_FILE_INIT with "
                              "a path");
    struct snap_foreign_request request = { file->path, file->name, file->as };
    char path[PATH_MAX];
    enum snap_status status = check_as(file->as, err);
    if (status == SNAP_OK)
        status = snap_foreign_file_take(&import->state, &request, &format, &layout, err);
    if (status != SNAP_OK)
        return status;
    snap_text_clean(file->path, path, sizeof path);
    return snap_json_append(
        import->files,
        json_pack("{s:s, s:s, s:s}", "format", format, "layout", layout, "path", path), err);
}

/* ---- shards ---- */

/* Are streams of more than one rank there? */
static bool has_shards(const struct snap_foreign_state *state)
{
    int first = -1;
    for (size_t i = 0; i < state->stream_count; i++) {
        if (state->streams[i].rank < 0)
            continue;
        if (first >= 0 && state->streams[i].rank != first)
            return true;
        first = state->streams[i].rank;
    }
    return false;
}

static void full_name(const struct snap_foreign_stream *stream, bool shards,
                      char name[SNAP_MAX_MEMBER_NAME_BYTES + 1])
{
    if (shards && stream->rank >= 0)
        snprintf(name, SNAP_MAX_MEMBER_NAME_BYTES + 1, "shard-%03d/%s", stream->rank, stream->name);
    else
        snprintf(name, SNAP_MAX_MEMBER_NAME_BYTES + 1, "%s", stream->name);
}

/* ---- what was found ---- */

/* Bytes of the tensors of a tree. */
static enum snap_status count_tensor(void *arg, const char *path,
                                     const struct snap_tensor_view *view, struct snap_error *err)
{
    (void)path;
    (void)err;
    *(uint64_t *)arg += snap_view_elements(view) * snap_dtype_size_bytes(view->dtype);
    return SNAP_OK;
}

static enum snap_status root_json(const struct snap_foreign_root *root, json_t **made,
                                  struct snap_error *err)
{
    struct snap_node *node = NULL;
    uint64_t bytes = 0;
    enum snap_status status = snap_node_decode(root->tree, root->name, &node, err);
    if (status == SNAP_OK)
        status = snap_node_visit_tensors(node, count_tensor, &bytes, err);
    snap_node_free(node);
    if (status == SNAP_OK)
        *made = json_pack("{s:o, s:s, s:o}", "bytes", snap_json_u64(bytes), "name", root->name,
                          "tensors", snap_json_u64(root->memory_count));
    return status;
}

static enum snap_status add_found(const struct snap_foreign_state *state, json_t *document,
                                  struct snap_error *err)
{
    json_t *roots = json_array();
    json_t *streams = json_array();
    json_t *gaps = json_array();
    bool shards = has_shards(state);
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < state->root_count; i++) {
        json_t *root = NULL;
        status = root_json(&state->roots[i], &root, err);
        if (status == SNAP_OK)
            status = snap_json_append(roots, root, err);
    }
    for (size_t i = 0; status == SNAP_OK && i < state->stream_count; i++) {
        char name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
        full_name(&state->streams[i], shards, name);
        status = snap_json_append(
            streams, json_pack("{s:s, s:s}", "kind", state->streams[i].kind, "name", name), err);
    }
    for (size_t i = 0; status == SNAP_OK && i < state->gap_count; i++)
        status = snap_json_append(
            gaps,
            json_pack("{s:s, s:s}", "name", state->gaps[i].name, "reason", state->gaps[i].reason),
            err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "roots", json_incref(roots), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "streams", json_incref(streams), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "not_captured", json_incref(gaps), err);
    json_decref(roots);
    json_decref(streams);
    json_decref(gaps);
    return status;
}

enum snap_status snap_import_json(const struct snap_import *import, char **text,
                                  struct snap_error *err)
{
    struct snap_buffer out = SNAP_BUFFER_INIT;
    if (import == NULL || text == NULL)
        return snap_error_set(err, SNAP_INVALID, "import: no import, or no place for its text");
    json_t *document =
        json_pack("{s:O, s:o}", "files", import->files, "step", snap_json_u64(import->state.step));
    enum snap_status status =
        document != NULL ? add_found(&import->state, document, err) : no_memory(err);
    if (status == SNAP_OK)
        status = snap_json_encode(document, &out, err);
    json_decref(document);
    if (status == SNAP_OK)
        *text = (char *)snap_buffer_steal(&out, NULL);
    snap_buffer_release(&out);
    return status;
}

/* ---- the archive ---- */

static enum snap_status give_stream(void *arg, void **bytes, size_t *size_bytes,
                                    struct snap_error *err)
{
    const struct snap_foreign_stream *stream = arg;
    *bytes = malloc(stream->size_bytes > 0 ? stream->size_bytes : 1);
    if (*bytes == NULL)
        return no_memory(err);
    memcpy(*bytes, stream->bytes, stream->size_bytes);
    *size_bytes = stream->size_bytes;
    return SNAP_OK;
}

/* The run restores nothing. */
static enum snap_status keep_stream(void *arg, const void *bytes, size_t size_bytes,
                                    struct snap_error *err)
{
    (void)bytes;
    (void)size_bytes;
    return snap_error_set(err, SNAP_INTERNAL, "stream %s: import: it is set",
                          ((const struct snap_foreign_stream *)arg)->name);
}

static const struct snap_stream_ops stream_ops = { .size_bytes = sizeof(struct snap_stream_ops),
                                                   .get = give_stream,
                                                   .set = keep_stream };

static enum snap_status add_streams(struct snap_run *run, const struct snap_foreign_state *state,
                                    struct snap_error *err)
{
    bool shards = has_shards(state);
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < state->stream_count; i++) {
        char name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
        full_name(&state->streams[i], shards, name);
        status = snap_run_add_stream(run, name, state->streams[i].kind, &stream_ops,
                                     &state->streams[i], err);
    }
    return status;
}

/* *total bytes of state.json are spoken for. */
static enum snap_status spend(uint64_t *total, uint64_t bytes, const char *what,
                              struct snap_error *err)
{
    *total += bytes;
    if (*total > SNAP_MAX_STATE_JSON_BYTES)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "import: %s would make state.json larger than its %u bytes: save "
                              "long lists and bytes as tensors, or apart",
                              what, SNAP_MAX_STATE_JSON_BYTES);
    return SNAP_OK;
}

static enum snap_status add_root(struct snap_run *run, const struct snap_foreign_root *root,
                                 uint64_t *total, struct snap_error *err)
{
    char what[SNAP_MAX_MEMBER_NAME_BYTES + 8];
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_tree_memory *memory = calloc(root->memory_count + 1, sizeof *memory);
    enum snap_status status =
        memory != NULL ? snap_json_encode(root->tree, &text, err) : no_memory(err);
    snprintf(what, sizeof what, "root %s", root->name);
    if (status == SNAP_OK)
        status = spend(total, text.size, what, err);
    for (size_t i = 0; status == SNAP_OK && i < root->memory_count; i++)
        memory[i].data = root->memory[i];
    if (status == SNAP_OK)
        status = snap_run_set_tree(run, root->name, (const char *)text.data, memory,
                                   root->memory_count, err);
    snap_buffer_release(&text);
    free(memory);
    return status;
}

/* Names are told once each: the second of one name gets a number. `names` has, for each name that
 * was given out, the number that the next of that name is to be tried with. */
static enum snap_status own_name(json_t *names, const char *wanted,
                                 char name[SNAP_MAX_TENSOR_PATH_BYTES], struct snap_error *err)
{
    json_int_t number = 2;
    const json_t *there;
    snprintf(name, SNAP_MAX_TENSOR_PATH_BYTES, "%.900s", wanted);
    if ((there = json_object_get(names, name)) != NULL) {
        char first[SNAP_MAX_TENSOR_PATH_BYTES];
        snprintf(first, sizeof first, "%s", name);
        number = json_integer_value(there);
        do
            snprintf(name, SNAP_MAX_TENSOR_PATH_BYTES, "%.900s (%" JSON_INTEGER_FORMAT ")", wanted,
                     number++);
        while (json_object_get(names, name) != NULL);
        if (json_object_set_new(names, first, json_integer(number)) != 0)
            return no_memory(err);
    }
    return json_object_set_new(names, name, json_integer(2)) == 0 ? SNAP_OK : no_memory(err);
}

static enum snap_status add_gaps(struct snap_run *run, const struct snap_foreign_state *state,
                                 uint64_t *total, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    json_t *names = json_object();
    if (names == NULL)
        return no_memory(err);
    for (size_t i = 0; status == SNAP_OK && i < state->gap_count; i++) {
        char name[SNAP_MAX_TENSOR_PATH_BYTES];
        status = own_name(names, state->gaps[i].name, name, err);
        if (status == SNAP_OK)
            status = spend(total, strlen(name) + strlen(state->gaps[i].reason),
                           "to name all that is not taken", err);
        if (status == SNAP_OK)
            status = snap_run_add_not_captured(run, name, state->gaps[i].reason, err);
    }
    json_decref(names);
    return status;
}

static enum snap_status set_epoch(struct snap_run *run, uint64_t epoch, struct snap_error *err)
{
    struct snap_position position = SNAP_POSITION_INIT;
    position.epoch = epoch;
    return snap_run_set_position(run, &position, err);
}

static enum snap_status check_free(const char *path, struct snap_error *err)
{
    struct stat info;
    if (lstat(path, &info) == 0)
        return snap_error_set(err, SNAP_INVALID, "%s: import: something is there already", path);
    return SNAP_OK;
}

enum snap_status snap_import_save(const struct snap_import *import, const char *path,
                                  char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run = NULL;
    if (import == NULL || path == NULL)
        return snap_error_set(err, SNAP_INVALID, "import: no import or path");
    const struct snap_foreign_state *state = &import->state;
    uint64_t total = 0;
    options.profile = "none";
    options.first_step = state->step;
    enum snap_status status = check_free(path, err);
    if (status == SNAP_OK)
        status = snap_run_open(&options, &run, err);
    for (size_t i = 0; status == SNAP_OK && i < state->root_count; i++)
        status = add_root(run, &state->roots[i], &total, err);
    if (status == SNAP_OK)
        status = add_streams(run, state, err);
    if (status == SNAP_OK)
        status = add_gaps(run, state, &total, err);
    if (status == SNAP_OK)
        status = set_epoch(run, state->epoch, err);
    if (status == SNAP_OK)
        status = snap_run_save_as(run, path, hash, err);
    enum snap_status closed = snap_run_close(run, status == SNAP_OK ? err : NULL);
    return status == SNAP_OK ? closed : status;
}
