/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/array.h"
#include "core/text.h"
#include "format/json_fields.h"
#include "foreign/foreign_arrays.h"
#include "foreign/foreign_limits.h"
#include "foreign/foreign_peers.h"
#include "foreign/foreign_streams.h"
#include "foreign/foreign_tensor.h"
#include "foreign/foreign_tree.h"
#include "foreign/npy.h"
#include "foreign/safetensors.h"

/* A root that is a map of tensors, while it is made. */
struct table {
    json_t *entries; /* [[name, node]...] */
    void **memory;
    size_t count;
};

static enum snap_status no_memory(const char *what, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", what);
}

static void release_table(struct table *table)
{
    json_decref(table->entries);
    free(table->memory);
    *table = (struct table) { NULL, NULL, 0 };
}

/* Add a tensor whose bytes are `block`, which is consumed: it becomes the state's. */
static enum snap_status add_tensor(struct snap_foreign_state *state, struct table *table,
                                   const char *name, const struct snap_foreign_tensor *tensor,
                                   unsigned char *block, const char *what, struct snap_error *err)
{
    enum snap_status status = snap_foreign_state_add_block(state, block, err);
    if (status != SNAP_OK)
        return status;
    void **moved = snap_array_grow(table->memory, table->count, sizeof *moved);
    if (moved == NULL)
        return no_memory(what, err);
    table->memory = moved;
    table->memory[table->count] = block;
    json_t *node = snap_foreign_tensor_node(tensor, false, table->count);
    if (table->entries == NULL)
        table->entries = json_array();
    status = snap_json_append(table->entries, json_pack("[s, o]", name, node), err);
    if (status == SNAP_OK)
        table->count++;
    return status;
}

static enum snap_status add_table(struct snap_foreign_state *state, const char *name,
                                  struct table *table, const char *what, struct snap_error *err)
{
    json_t *tree =
        json_pack("{s:o}", "map", table->entries != NULL ? table->entries : json_array());
    table->entries = NULL;
    if (tree == NULL)
        return no_memory(what, err);
    enum snap_status status =
        snap_foreign_state_add_root(state, name, tree, table->memory, table->count, err);
    table->memory = NULL;
    return status;
}

/* Something of the file that is not taken. */
static enum snap_status tell(struct snap_foreign_state *state, const char *root, const char *name,
                             const char *reason, struct snap_error *err)
{
    char place[400];
    char clean[300];
    snap_text_clean(name, clean, sizeof clean);
    snprintf(place, sizeof place, "%s/%s", root, clean);
    return snap_foreign_state_add_gap(state, place, reason, err);
}

/* ---- npy ---- */

/* The bytes behind a header, little-endian. */
static void settle(unsigned char *bytes, uint64_t size, const struct snap_foreign_tensor *tensor)
{
    if (tensor->big_endian)
        snap_foreign_swap(bytes, (size_t)size, tensor->dtype);
}

/* The bytes of an array as the state of a stream. */
static enum snap_status take_stream(struct snap_foreign_state *state, const char *file_name,
                                    const char *name, bool named, const char *kind,
                                    const unsigned char *bytes, uint64_t size,
                                    struct snap_error *err)
{
    struct snap_foreign_source source;
    struct snap_pickle_value value = { .type = SNAP_PICKLE_BYTES };
    const char *layout;
    value.as.bytes.data = bytes;
    value.as.bytes.size = (size_t)size;
    enum snap_status status = snap_foreign_source_init(&source, file_name, NULL, state, err);
    if (status == SNAP_OK)
        status = snap_foreign_peers_take(&source, &value, name, named, kind, &layout, err);
    snap_foreign_source_release(&source);
    return status;
}

static enum snap_status take_root(struct snap_foreign_state *state, const char *name,
                                  const struct snap_foreign_tensor *tensor, unsigned char *block,
                                  const char *what, struct snap_error *err)
{
    enum snap_status status = snap_foreign_state_add_block(state, block, err);
    void **memory = malloc(sizeof *memory);
    json_t *node = snap_foreign_tensor_node(tensor, false, 0);
    if (status == SNAP_OK && (memory == NULL || node == NULL))
        status = no_memory(what, err);
    if (status == SNAP_OK) {
        memory[0] = block;
        return snap_foreign_state_add_root(state, name, node, memory, 1, err);
    }
    free(memory);
    json_decref(node);
    return status;
}

enum snap_status snap_foreign_take_npy(struct snap_foreign_state *state,
                                       const struct snap_foreign_input *input, const char *name,
                                       bool named, const char *as, const char **layout,
                                       struct snap_error *err)
{
    struct snap_foreign_tensor tensor;
    unsigned char *head = NULL;
    unsigned char *bytes = NULL;
    uint64_t offset = 0;
    size_t head_size =
        input->size < SNAP_NPY_HEADER_BYTES ? (size_t)input->size : SNAP_NPY_HEADER_BYTES;
    enum snap_status status = snap_foreign_input_load(input, 0, head_size, &head, err);
    if (status == SNAP_OK)
        status =
            snap_npy_read_header(head, head_size, input->size, input->name, &tensor, &offset, err);
    free(head);
    if (status == SNAP_OK)
        status = snap_foreign_input_load(input, offset, input->size - offset, &bytes, err);
    if (status != SNAP_OK)
        return status;
    settle(bytes, input->size - offset, &tensor);
    *layout = "state-dict";
    if (as == NULL || snap_foreign_is_layout(as))
        return take_root(state, name, &tensor, bytes, input->name, err);
    *layout = "stream";
    status = take_stream(state, input->name, name, named, as, bytes, input->size - offset, err);
    free(bytes);
    return status;
}

/* "NAME.npy": its name; NULL when it is none. */
static char *array_name(const char *entry)
{
    size_t length = strlen(entry);
    if (length <= 4 || strcmp(entry + length - 4, ".npy") != 0)
        return NULL;
    return strndup(entry, length - 4);
}

/* One entry of an npz: its bytes lose their header. */
static enum snap_status take_entry(struct snap_foreign_state *state, struct snap_zip *zip,
                                   const struct snap_zip_entry *entry, const char *what,
                                   struct table *table, const char *name, struct snap_error *err)
{
    struct snap_foreign_tensor tensor;
    unsigned char *bytes = NULL;
    uint64_t offset = 0;
    enum snap_status status = snap_zip_load(zip, entry, &bytes, err);
    if (status != SNAP_OK)
        return status;
    status = snap_npy_read_header(
        bytes, entry->size < SNAP_NPY_HEADER_BYTES ? (size_t)entry->size : SNAP_NPY_HEADER_BYTES,
        entry->size, what, &tensor, &offset, err);
    if (status != SNAP_OK) {
        free(bytes);
        return status;
    }
    memmove(bytes, bytes + offset, (size_t)(entry->size - offset));
    settle(bytes, entry->size - offset, &tensor);
    return add_tensor(state, table, name, &tensor, bytes, what, err);
}

enum snap_status snap_foreign_take_npz(struct snap_foreign_state *state, struct snap_zip *zip,
                                       const char *file_name, const char *name,
                                       struct snap_error *err)
{
    struct table table = { NULL, NULL, 0 };
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < snap_zip_count(zip); i++) {
        const struct snap_zip_entry *entry = snap_zip_at(zip, i);
        struct snap_error cause = SNAP_ERROR_INIT;
        char *array = array_name(entry->name);
        if (array == NULL) {
            status = snap_error_set(err, SNAP_UNSUPPORTED,
                                    "%s: zip entry %.200s: a zip file that is neither torch.save's "
                                    "nor numpy.savez's",
                                    file_name, entry->name);
            break;
        }
        status = take_entry(state, zip, entry, entry->name, &table, array, &cause);
        if (status == SNAP_UNSUPPORTED)
            status = tell(state, name, array, cause.text, err);
        else if (status != SNAP_OK)
            snap_error_set(err, status, "%s: %s", file_name, cause.text);
        free(array);
    }
    if (status == SNAP_OK)
        status = add_table(state, name, &table, file_name, err);
    release_table(&table);
    return status;
}

/* ---- safetensors ---- */

enum snap_status snap_foreign_take_safetensors(struct snap_foreign_state *state,
                                               const struct snap_foreign_input *input,
                                               const char *name, struct snap_error *err)
{
    struct snap_safetensors file = SNAP_SAFETENSORS_INIT;
    struct table table = { NULL, NULL, 0 };
    enum snap_status status = snap_safetensors_read(input, &file, err);
    for (size_t i = 0; status == SNAP_OK && i < file.count; i++) {
        const struct snap_safetensor *made = &file.tensors[i];
        unsigned char *bytes = NULL;
        status = snap_foreign_input_load(input, made->offset, made->size_bytes, &bytes, err);
        if (status == SNAP_OK)
            status = add_tensor(state, &table, made->name, &made->tensor, bytes, input->name, err);
    }
    for (size_t i = 0; status == SNAP_OK && i < file.key_count; i++) {
        char place[300];
        char reason[500];
        snprintf(place, sizeof place, "__metadata__.%.200s", file.keys[i]);
        snprintf(reason, sizeof reason, "text beside the tensors, and no state: \"%.300s\"",
                 file.texts[i]);
        status = tell(state, name, place, reason, err);
    }
    if (status == SNAP_OK)
        status = add_table(state, name, &table, input->name, err);
    release_table(&table);
    snap_safetensors_release(&file);
    return status;
}
