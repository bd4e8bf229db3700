/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/state_json.h"
#include "format/tree_codec.h"

#define WHAT "state.json"

static enum snap_status decode_root(const json_t *pair, struct snap_state_doc *doc,
                                    struct snap_error *err)
{
    const char *name = json_string_value(json_array_get(pair, 0));
    if (json_array_size(pair) != 2 || name == NULL)
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": \"roots\": expected pairs of a name and a "
                                                      "node");
    char what[128];
    snprintf(what, sizeof what, WHAT ": root %.64s", name);
    struct snap_node *node = NULL;
    enum snap_status status = snap_node_decode(json_array_get(pair, 1), what, &node, err);
    if (status != SNAP_OK)
        return status;
    struct snap_error cause = SNAP_ERROR_INIT;
    status = snap_state_doc_add_root(doc, name, node, &cause);
    return snap_refuse(status, &cause, err);
}

static enum snap_status decode_storage(const json_t *value, struct snap_state_doc *doc,
                                       struct snap_error *err)
{
    char what[64];
    const char *member = NULL;
    uint64_t size = 0;
    snprintf(what, sizeof what, WHAT ": storage %zu", doc->storage_count);
    enum snap_status status = snap_json_check_keys(value, "member size", what, err);
    if (status == SNAP_OK)
        status = snap_json_field_string(value, "member", what, &member, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(value, "size", what, &size, err);
    if (status != SNAP_OK)
        return status;
    struct snap_error cause = SNAP_ERROR_INIT;
    status = snap_state_doc_add_storage(doc, size, &cause);
    return snap_refuse(status, &cause, err);
}

static enum snap_status decode_streams(const json_t *streams, struct snap_state_doc *doc,
                                       struct snap_error *err)
{
    json_t *object = (json_t *)(uintptr_t)streams; /* for the iterator, which changes nothing */
    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
        const char *name = json_object_iter_key(i);
        const char *kind = NULL;
        char what[160];
        snprintf(what, sizeof what, WHAT ": stream %.100s", name);
        enum snap_status status =
            snap_json_check_keys(json_object_iter_value(i), "kind", what, err);
        if (status == SNAP_OK)
            status = snap_json_field_string(json_object_iter_value(i), "kind", what, &kind, err);
        if (status != SNAP_OK)
            return status;
        struct snap_error cause = SNAP_ERROR_INIT;
        status = snap_state_doc_add_stream(doc, name, kind, &cause);
        if (status != SNAP_OK)
            return snap_refuse(status, &cause, err);
    }
    return SNAP_OK;
}

static enum snap_status decode_document(const json_t *document, struct snap_state_doc *doc,
                                        struct snap_error *err)
{
    const char *profile = NULL;
    const json_t *binding = NULL;
    const json_t *roots = NULL;
    const json_t *storages = NULL;
    const json_t *streams = NULL;
    const json_t *training = json_object_get(document, "training");
    if (!json_is_object(document))
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": expected an object");
    /* Before the keys: a newer format may have others. */
    enum snap_status status = snap_json_field_format(document, "snap-state-1", WHAT, err);
    if (status == SNAP_OK)
        status = snap_json_check_keys(
            document, "binding format profile roots storages streams training", WHAT, err);
    if (status == SNAP_OK)
        status = snap_json_field_string(document, "profile", WHAT, &profile, err);
    if (status == SNAP_OK)
        status = snap_json_field(document, "binding", JSON_OBJECT, WHAT, &binding, err);
    if (status == SNAP_OK)
        status = snap_json_field(document, "roots", JSON_ARRAY, WHAT, &roots, err);
    if (status == SNAP_OK)
        status = snap_json_field(document, "storages", JSON_ARRAY, WHAT, &storages, err);
    if (status == SNAP_OK)
        status = snap_json_field(document, "streams", JSON_OBJECT, WHAT, &streams, err);
    if (status != SNAP_OK)
        return status;
    struct snap_error cause = SNAP_ERROR_INIT;
    /* A reference is taken; nothing of the values is changed. */
    status = snap_state_doc_set(doc, profile, (json_t *)(uintptr_t)binding,
                                (json_t *)(uintptr_t)training, &cause);
    status = snap_refuse(status, &cause, err);
    for (size_t i = 0; i < json_array_size(storages) && status == SNAP_OK; i++)
        status = decode_storage(json_array_get(storages, i), doc, err);
    for (size_t i = 0; i < json_array_size(roots) && status == SNAP_OK; i++)
        status = decode_root(json_array_get(roots, i), doc, err);
    if (status == SNAP_OK)
        status = decode_streams(streams, doc, err);
    if (status != SNAP_OK)
        return status;
    status = snap_state_doc_finish(doc, &cause);
    if (status != SNAP_OK)
        return snap_refuse(status, &cause, err);
    /* The names follow from the tree; what stands there must be these. */
    for (size_t i = 0; i < doc->storage_count; i++) {
        const char *member =
            json_string_value(json_object_get(json_array_get(storages, i), "member"));
        if (strcmp(member, doc->storages[i].member) != 0)
            return snap_error_set(err, SNAP_CORRUPT,
                                  WHAT ": storage %zu: member \"%.100s\": expected \"%s\"", i,
                                  member, doc->storages[i].member);
    }
    return SNAP_OK;
}

enum snap_status snap_state_doc_decode(const void *bytes, size_t size_bytes,
                                       struct snap_state_doc *doc, struct snap_error *err)
{
    json_t *document = NULL;
    struct snap_state_doc made = SNAP_STATE_DOC_INIT;
    enum snap_status status = snap_json_decode(bytes, size_bytes, WHAT, &document, err);
    if (status == SNAP_OK)
        status = decode_document(document, &made, err);
    json_decref(document);
    if (status == SNAP_OK)
        *doc = made;
    else
        snap_state_doc_release(&made);
    return status;
}
