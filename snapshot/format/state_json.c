/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/member_name.h"
#include "format/name_set.h"
#include "format/state_json.h"
#include "format/tree_codec.h"

#define WHAT "state.json"

static enum snap_status out_of_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": out of memory");
}

enum snap_status snap_state_doc_set(struct snap_state_doc *doc, const char *profile,
                                    json_t *binding, json_t *training, struct snap_error *err)
{
    if (!snap_name_is_short_word(profile))
        return snap_error_set(err, SNAP_INVALID, WHAT ": profile \"%s\": expected a word", profile);
    if (binding != NULL && !json_is_object(binding))
        return snap_error_set(err, SNAP_INVALID, WHAT ": the binding must be a JSON object");
    if (training != NULL && !json_is_object(training) && !json_is_null(training))
        return snap_error_set(err, SNAP_INVALID,
                              WHAT ": the training config must be a JSON object or null");
    char *copy = strdup(profile);
    json_t *facts = binding != NULL ? json_incref(binding) : json_object();
    if (copy == NULL || facts == NULL) {
        free(copy);
        json_decref(facts);
        return out_of_memory(err);
    }
    free(doc->profile);
    json_decref(doc->binding);
    json_decref(doc->training);
    doc->profile = copy;
    doc->binding = facts;
    doc->training = json_is_object(training) ? json_incref(training) : NULL;
    return SNAP_OK;
}

enum snap_status snap_state_doc_add_root(struct snap_state_doc *doc, const char *name,
                                         struct snap_node *node, struct snap_error *err)
{
    char *copy = NULL;
    enum snap_status status = SNAP_OK;
    if (node == NULL) {
        status = out_of_memory(err);
        goto out;
    }
    if (!snap_root_name_is_legal(name)) {
        status = snap_error_set(err, SNAP_INVALID,
                                WHAT ": root \"%s\": expected [A-Za-z0-9_][A-Za-z0-9._-]*, at most "
                                     "%d bytes",
                                name, SNAP_MAX_ROOT_NAME_BYTES);
        goto out;
    }
    if (doc->root_count >= SNAP_MAX_ROOTS) {
        status = snap_error_set(err, SNAP_INVALID, WHAT ": more than %u roots", SNAP_MAX_ROOTS);
        goto out;
    }
    for (size_t i = 0; i < doc->root_count; i++)
        if (strcmp(doc->roots[i].name, name) == 0) {
            status = snap_error_set(err, SNAP_INVALID, WHAT ": root \"%s\" is there twice", name);
            goto out;
        }
    struct snap_root_doc *roots =
        snap_array_grow(doc->roots, doc->root_count, sizeof *roots);
    if (roots == NULL) {
        status = out_of_memory(err);
        goto out;
    }
    doc->roots = roots;
    copy = strdup(name);
    if (copy == NULL) {
        status = out_of_memory(err);
        goto out;
    }
    doc->roots[doc->root_count++] = (struct snap_root_doc){ copy, node };
    return SNAP_OK;
out:
    snap_node_free(node);
    return status;
}

enum snap_status snap_state_doc_add_storage(struct snap_state_doc *doc, uint64_t size,
                                            struct snap_error *err)
{
    if (size > SNAP_MAX_STORAGE_BYTES)
        return snap_error_set(err, SNAP_INVALID,
                              WHAT ": storage %zu of %" PRIu64 " bytes: at most %llu",
                              doc->storage_count, size, SNAP_MAX_STORAGE_BYTES);
    if (doc->storage_count >= SNAP_MAX_STORAGES)
        return snap_error_set(err, SNAP_INVALID, WHAT ": more than %u storages",
                              SNAP_MAX_STORAGES);
    struct snap_storage_doc *storages =
        snap_array_grow(doc->storages, doc->storage_count, sizeof *storages);
    if (storages == NULL)
        return out_of_memory(err);
    doc->storages = storages;
    doc->storages[doc->storage_count++] = (struct snap_storage_doc){ .size = size };
    return SNAP_OK;
}

enum snap_status snap_state_doc_add_stream(struct snap_state_doc *doc, const char *name,
                                           const char *kind, struct snap_error *err)
{
    if (!snap_stream_name_is_legal(name))
        return snap_error_set(err, SNAP_INVALID,
                              WHAT ": stream \"%s\": expected [A-Za-z0-9_][A-Za-z0-9._-]*, also "
                                   "after \"shard-NNN/\", at most 96 bytes",
                              name);
    if (!snap_name_is_short_word(kind))
        return snap_error_set(err, SNAP_INVALID,
                              WHAT ": stream \"%s\": kind \"%s\": expected a word", name, kind);
    size_t place = doc->stream_count;
    while (place > 0 && strcmp(doc->streams[place - 1].name, name) >= 0)
        place--;
    if (place < doc->stream_count && strcmp(doc->streams[place].name, name) == 0)
        return snap_error_set(err, SNAP_INVALID, WHAT ": stream \"%s\" is there twice", name);
    struct snap_stream_doc *streams =
        snap_array_grow(doc->streams, doc->stream_count, sizeof *streams);
    if (streams == NULL)
        return out_of_memory(err);
    doc->streams = streams;
    struct snap_stream_doc stream = { strdup(name), strdup(kind) };
    if (stream.name == NULL || stream.kind == NULL) {
        free(stream.name);
        free(stream.kind);
        return out_of_memory(err);
    }
    memmove(&doc->streams[place + 1], &doc->streams[place],
            (doc->stream_count - place) * sizeof *doc->streams);
    doc->streams[place] = stream;
    doc->stream_count++;
    return SNAP_OK;
}

/* The walk that checks the views and names the storages. */
struct naming {
    struct snap_state_doc *doc;
    struct snap_name_set names;
    const char *root;
    size_t next; /* the first storage that no tensor has used yet */
};

static enum snap_status name_storage(struct naming *naming, const char *path,
                                     struct snap_error *err)
{
    size_t index = naming->next;
    struct snap_storage_doc *storage = &naming->doc->storages[index];
    size_t label_bytes = strlen(naming->root) + strlen(path) + 2;
    free(storage->label);
    storage->label = malloc(label_bytes);
    if (storage->label == NULL)
        return out_of_memory(err);
    snprintf(storage->label, label_bytes, "%s/%s", naming->root, path);
    int length = snprintf(storage->member, sizeof storage->member, "tensors/%s", storage->label);
    if (!snap_name_is_word(path, strlen(path)) || (size_t)length >= sizeof storage->member ||
        snap_name_set_has(&naming->names, storage->member))
        snprintf(storage->member, sizeof storage->member, "tensors/%s/~%06zu", naming->root, index);
    return snap_name_set_add(&naming->names, storage->member, err);
}

static enum snap_status check_tensor(void *arg, const char *path,
                                     const struct snap_tensor_view *view, struct snap_error *err)
{
    struct naming *naming = arg;
    struct snap_state_doc *doc = naming->doc;
    if (strlen(path) > SNAP_MAX_TENSOR_PATH_BYTES)
        return snap_error_set(err, SNAP_INVALID,
                              WHAT ": tensor %s/%.80s...: a name of %zu bytes: at most %u",
                              naming->root, path, strlen(path), SNAP_MAX_TENSOR_PATH_BYTES);
    if (view->storage >= doc->storage_count || view->storage > naming->next)
        return snap_error_set(err, SNAP_INVALID,
                              WHAT ": tensor %s/%s: storage %u: there are %zu, and the first that "
                                   "no tensor before it has is %zu",
                              naming->root, path, view->storage, doc->storage_count,
                              naming->next);
    if (view->storage == naming->next) {
        enum snap_status status = name_storage(naming, path, err);
        if (status != SNAP_OK)
            return status;
        naming->next++;
    }
    char what[160];
    snprintf(what, sizeof what, WHAT ": tensor %s/%.80s", naming->root, path);
    return snap_view_check(view, doc->storages[view->storage].size, what, SNAP_INVALID, err);
}

enum snap_status snap_state_doc_finish(struct snap_state_doc *doc, struct snap_error *err)
{
    struct naming naming = { .doc = doc, .names = SNAP_NAME_SET_INIT };
    enum snap_status status = SNAP_OK;
    if (doc->profile == NULL)
        return snap_error_set(err, SNAP_INVALID, WHAT ": the profile is not set");
    for (size_t i = 0; i < doc->root_count && status == SNAP_OK; i++) {
        naming.root = doc->roots[i].name;
        status = snap_node_visit_tensors(doc->roots[i].node, check_tensor, &naming, err);
    }
    if (status == SNAP_OK && naming.next < doc->storage_count)
        status = snap_error_set(err, SNAP_INVALID,
                                WHAT ": storage %zu is used by no tensor", naming.next);
    for (size_t i = 0; i < doc->stream_count && status == SNAP_OK; i++) {
        if (snap_name_set_has(&naming.names, doc->streams[i].name))
            status = snap_error_set(err, SNAP_INVALID,
                                    WHAT ": stream \"%s\": another has this name, but for capitals",
                                    doc->streams[i].name);
        else
            status = snap_name_set_add(&naming.names, doc->streams[i].name, err);
    }
    snap_name_set_release(&naming.names);
    return status;
}

static enum snap_status encode_roots(const struct snap_state_doc *doc, json_t *array,
                                     struct snap_error *err)
{
    for (size_t i = 0; i < doc->root_count; i++) {
        json_t *node = NULL;
        enum snap_status status = snap_node_encode(doc->roots[i].node, &node, err);
        if (status == SNAP_OK)
            status = snap_json_append(array, json_pack("[so]", doc->roots[i].name, node), err);
        if (status != SNAP_OK)
            return status;
    }
    return SNAP_OK;
}

static enum snap_status encode_storages(const struct snap_state_doc *doc, json_t *array,
                                        struct snap_error *err)
{
    for (size_t i = 0; i < doc->storage_count; i++) {
        json_t *storage = json_pack("{sssI}", "member", doc->storages[i].member, "size",
                                    (json_int_t)doc->storages[i].size);
        enum snap_status status = snap_json_append(array, storage, err);
        if (status != SNAP_OK)
            return status;
    }
    return SNAP_OK;
}

static enum snap_status encode_streams(const struct snap_state_doc *doc, json_t *object,
                                       struct snap_error *err)
{
    for (size_t i = 0; i < doc->stream_count; i++) {
        enum snap_status status = snap_json_set(object, doc->streams[i].name,
                                                json_pack("{ss}", "kind", doc->streams[i].kind),
                                                err);
        if (status != SNAP_OK)
            return status;
    }
    return SNAP_OK;
}

enum snap_status snap_state_doc_encode(const struct snap_state_doc *doc, struct snap_buffer *out,
                                       struct snap_error *err)
{
    json_t *roots = json_array();
    json_t *storages = json_array();
    json_t *streams = json_object();
    json_t *document = json_object();
    enum snap_status status = SNAP_OK;
    if (roots == NULL || storages == NULL || streams == NULL || document == NULL) {
        status = out_of_memory(err);
        goto out;
    }
    status = encode_roots(doc, roots, err);
    if (status == SNAP_OK)
        status = encode_storages(doc, storages, err);
    if (status == SNAP_OK)
        status = encode_streams(doc, streams, err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "binding", json_incref(doc->binding), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "format", json_string("snap-state-1"), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "profile", json_string(doc->profile), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "roots", json_incref(roots), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "storages", json_incref(storages), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "streams", json_incref(streams), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "training",
                               doc->training != NULL ? json_incref(doc->training) : json_null(),
                               err);
    if (status == SNAP_OK)
        status = snap_json_encode(document, out, err);
out:
    json_decref(document);
    json_decref(streams);
    json_decref(storages);
    json_decref(roots);
    return status;
}

static int compare_first_members(const void *left, const void *right, void *arg)
{
    const struct snap_state_doc *doc = arg;
    const struct snap_storage_doc *storages[2] = { &doc->storages[*(const size_t *)left],
                                                   &doc->storages[*(const size_t *)right] };
    char names[2][SNAP_MAX_MEMBER_NAME_BYTES + 1];
    for (int i = 0; i < 2; i++)
        snap_storage_part_name(storages[i]->member, snap_storage_part_count(storages[i]->size), 0,
                               names[i]);
    return strcmp(names[0], names[1]);
}

void snap_state_doc_file_order(const struct snap_state_doc *doc, size_t *order)
{
    for (size_t i = 0; i < doc->storage_count; i++)
        order[i] = i;
    qsort_r(order, doc->storage_count, sizeof *order, compare_first_members,
            (void *)(uintptr_t)doc);
}

void snap_state_doc_release(struct snap_state_doc *doc)
{
    free(doc->profile);
    json_decref(doc->binding);
    json_decref(doc->training);
    for (size_t i = 0; i < doc->root_count; i++) {
        free(doc->roots[i].name);
        snap_node_free(doc->roots[i].node);
    }
    free(doc->roots);
    for (size_t i = 0; i < doc->storage_count; i++)
        free(doc->storages[i].label);
    free(doc->storages);
    for (size_t i = 0; i < doc->stream_count; i++) {
        free(doc->streams[i].name);
        free(doc->streams[i].kind);
    }
    free(doc->streams);
    *doc = (struct snap_state_doc)SNAP_STATE_DOC_INIT;
}
