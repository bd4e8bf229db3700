/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/hex.h"
#include "format/data_json.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/member_name.h"

#define WHAT "data.json"

static enum snap_status out_of_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, WHAT ": out of memory");
}

enum snap_status snap_data_doc_add_file(struct snap_data_doc *doc, const char *role,
                                        const unsigned char sha256[SNAP_DIGEST_BYTES],
                                        uint64_t size, struct snap_error *err)
{
    if (!snap_name_is_short_word(role))
        return snap_error_set(err, SNAP_INVALID, WHAT ": data file \"%s\": expected a word", role);
    size_t place = doc->file_count;
    while (place > 0 && strcmp(doc->files[place - 1].role, role) >= 0)
        place--;
    if (place < doc->file_count && strcmp(doc->files[place].role, role) == 0)
        return snap_error_set(err, SNAP_INVALID, WHAT ": data file \"%s\" is there twice", role);
    struct snap_data_file *files = snap_array_grow(doc->files, doc->file_count, sizeof *files);
    if (files == NULL)
        return out_of_memory(err);
    doc->files = files;
    char *copy = strdup(role);
    if (copy == NULL)
        return out_of_memory(err);
    memmove(&files[place + 1], &files[place], (doc->file_count - place) * sizeof *files);
    files[place].role = copy;
    files[place].size = size;
    memcpy(files[place].sha256, sha256, SNAP_DIGEST_BYTES);
    doc->file_count++;
    return SNAP_OK;
}

enum snap_status snap_data_doc_set_order(struct snap_data_doc *doc, const char *stream,
                                         uint64_t samples,
                                         const unsigned char digest[SNAP_DIGEST_BYTES],
                                         const void *start, size_t start_size,
                                         struct snap_error *err)
{
    if (!snap_stream_name_is_legal(stream))
        return snap_error_set(err, SNAP_INVALID, WHAT ": \"%s\" is no name of a stream", stream);
    char *name = strdup(stream);
    unsigned char *bytes = malloc(start_size > 0 ? start_size : 1);
    if (name == NULL || bytes == NULL) {
        free(name);
        free(bytes);
        return out_of_memory(err);
    }
    if (start_size > 0)
        memcpy(bytes, start, start_size);
    free(doc->order_stream);
    free(doc->order_start);
    doc->order_stream = name;
    doc->order_samples = samples;
    memcpy(doc->order_digest, digest, SNAP_DIGEST_BYTES);
    doc->order_start = bytes;
    doc->order_start_size = start_size;
    return SNAP_OK;
}

json_t *snap_data_files_json(const struct snap_data_doc *doc)
{
    json_t *array = json_array();
    for (size_t i = 0; i < doc->file_count; i++) {
        json_t *file = json_pack("{sssoso}", "name", doc->files[i].role, "sha256",
                                 snap_json_digest(NULL, doc->files[i].sha256), "size",
                                 snap_json_u64(doc->files[i].size));
        if (json_array_append_new(array, file) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

enum snap_status snap_data_files_from_json(const json_t *array, const char *what,
                                           struct snap_data_doc *doc, struct snap_error *err)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *file = json_array_get(array, i);
        const char *role = NULL;
        unsigned char sha256[SNAP_DIGEST_BYTES];
        uint64_t size = 0;
        enum snap_status status = snap_json_check_keys(file, "name sha256 size", what, err);
        if (status == SNAP_OK)
            status = snap_json_field_string(file, "name", what, &role, err);
        if (status == SNAP_OK)
            status = snap_json_field_digest(file, "sha256", NULL, what, sha256, err);
        if (status == SNAP_OK)
            status = snap_json_field_u64(file, "size", what, &size, err);
        if (status != SNAP_OK)
            return status;
        if (i > 0 && strcmp(doc->files[i - 1].role, role) >= 0)
            return snap_error_set(err, SNAP_CORRUPT, "%s: data file \"%s\" is out of order", what,
                                  role);
        struct snap_error cause = SNAP_ERROR_INIT;
        status = snap_data_doc_add_file(doc, role, sha256, size, &cause);
        if (status != SNAP_OK)
            return snap_refuse(status, &cause, err);
    }
    return SNAP_OK;
}

/* The stream's bytes: as JSON when they are canonical JSON, else as hex. */
static enum snap_status encode_start(const struct snap_data_doc *doc, json_t **value,
                                     struct snap_error *err)
{
    json_t *inner = NULL;
    enum snap_status status =
        snap_json_decode(doc->order_start, doc->order_start_size, WHAT, &inner, NULL);
    if (status == SNAP_OK) {
        *value = json_pack("{so}", "json", inner);
    } else if (status == SNAP_CORRUPT) {
        char *digits = malloc(2 * doc->order_start_size + 1);
        if (digits == NULL)
            return out_of_memory(err);
        snap_hex_encode(doc->order_start, doc->order_start_size, digits);
        *value = json_pack("{ss}", "hex", digits);
        free(digits);
    }
    return *value != NULL ? SNAP_OK : out_of_memory(err);
}

enum snap_status snap_data_doc_encode(const struct snap_data_doc *doc, struct snap_buffer *out,
                                      struct snap_error *err)
{
    json_t *document = json_object();
    json_t *order = json_null();
    enum snap_status status = SNAP_OK;
    if (doc->order_stream != NULL) {
        json_t *start = NULL;
        status = encode_start(doc, &start, err);
        if (status != SNAP_OK)
            goto out;
        order = json_pack("{sosososs}", "digest", snap_json_digest(NULL, doc->order_digest),
                          "samples", snap_json_u64(doc->order_samples), "start", start, "stream",
                          doc->order_stream);
    }
    status = snap_json_set(document, "order", order, err);
    order = NULL;
    if (status == SNAP_OK)
        status = snap_json_set(document, "epoch", snap_json_u64(doc->epoch), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "files", snap_data_files_json(doc), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "format", json_string("snap-data-1"), err);
    if (status == SNAP_OK)
        status = snap_json_set(document, "position", snap_json_u64(doc->position), err);
    if (status == SNAP_OK)
        status = snap_json_encode(document, out, err);
out:
    json_decref(order);
    json_decref(document);
    return status;
}

static enum snap_status decode_start(const json_t *start, struct snap_buffer *bytes,
                                     struct snap_error *err)
{
    const json_t *json = json_object_get(start, "json");
    const json_t *hex = json_object_get(start, "hex");
    if (json_object_size(start) == 1 && json != NULL)
        return snap_json_encode(json, bytes, err);
    if (json_object_size(start) == 1 && json_is_string(hex)) {
        size_t digits = json_string_length(hex);
        enum snap_status status = snap_buffer_reserve(bytes, digits / 2, err);
        if (status != SNAP_OK)
            return status;
        json_t *value = NULL;
        if (snap_hex_decode(json_string_value(hex), digits, bytes->data)) {
            bytes->size = digits / 2;
            status = snap_json_decode(bytes->data, bytes->size, WHAT, &value, NULL);
            if (status == SNAP_CORRUPT)
                return SNAP_OK;
            if (status != SNAP_OK)
                return out_of_memory(err);
            json_decref(value);
        }
    }
    return snap_error_set(err, SNAP_CORRUPT,
                          WHAT ": order: start: expected {\"json\":..} for canonical JSON and "
                               "{\"hex\":\"..\"} for other bytes");
}

static enum snap_status decode_order(const json_t *order, struct snap_data_doc *doc,
                                     struct snap_error *err)
{
    static const char what[] = WHAT ": order";
    const char *stream = NULL;
    const json_t *start = NULL;
    uint64_t samples = 0;
    unsigned char digest[SNAP_DIGEST_BYTES];
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    enum snap_status status = snap_json_check_keys(order, "digest samples start stream", what, err);
    if (status == SNAP_OK)
        status = snap_json_field_digest(order, "digest", NULL, what, digest, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(order, "samples", what, &samples, err);
    if (status == SNAP_OK)
        status = snap_json_field(order, "start", JSON_OBJECT, what, &start, err);
    if (status == SNAP_OK)
        status = snap_json_field_string(order, "stream", what, &stream, err);
    if (status == SNAP_OK)
        status = decode_start(start, &bytes, err);
    if (status == SNAP_OK) {
        struct snap_error cause = SNAP_ERROR_INIT;
        status = snap_data_doc_set_order(doc, stream, samples, digest, bytes.data, bytes.size,
                                         &cause);
        status = snap_refuse(status, &cause, err);
    }
    snap_buffer_release(&bytes);
    return status;
}

static enum snap_status decode_document(const json_t *document, struct snap_data_doc *doc,
                                        struct snap_error *err)
{
    const json_t *files = NULL;
    if (!json_is_object(document))
        return snap_error_set(err, SNAP_CORRUPT, WHAT ": expected an object");
    /* Before the keys: a newer format may have others. */
    enum snap_status status = snap_json_field_format(document, "snap-data-1", WHAT, err);
    if (status == SNAP_OK)
        status = snap_json_check_keys(document, "epoch files format order position", WHAT, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(document, "epoch", WHAT, &doc->epoch, err);
    if (status == SNAP_OK)
        status = snap_json_field_u64(document, "position", WHAT, &doc->position, err);
    if (status == SNAP_OK)
        status = snap_json_field(document, "files", JSON_ARRAY, WHAT, &files, err);
    if (status == SNAP_OK)
        status = snap_data_files_from_json(files, WHAT, doc, err);
    if (status == SNAP_OK && !json_is_null(json_object_get(document, "order")))
        status = decode_order(json_object_get(document, "order"), doc, err);
    return status;
}

enum snap_status snap_data_doc_decode(const void *bytes, size_t size_bytes,
                                      struct snap_data_doc *doc, struct snap_error *err)
{
    json_t *document = NULL;
    struct snap_data_doc made = SNAP_DATA_DOC_INIT;
    enum snap_status status = snap_json_decode(bytes, size_bytes, WHAT, &document, err);
    if (status == SNAP_OK)
        status = decode_document(document, &made, err);
    json_decref(document);
    if (status == SNAP_OK)
        *doc = made;
    else
        snap_data_doc_release(&made);
    return status;
}

void snap_data_doc_release(struct snap_data_doc *doc)
{
    for (size_t i = 0; i < doc->file_count; i++)
        free(doc->files[i].role);
    free(doc->files);
    free(doc->order_stream);
    free(doc->order_start);
    *doc = (struct snap_data_doc)SNAP_DATA_DOC_INIT;
}
