/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* The requests: their keys beside "request" and "version", and how many files come with them. */
static const struct shape {
    const char *word;
    enum agn_request_kind kind;
    bool dir, file, hash, bytes, head_bytes;
    size_t files_least, files_most;
} shapes[] = {
    { .word = "offer", AGN_REQUEST_OFFER, .dir = true, .file = true, .bytes = true },
    { .word = "save", AGN_REQUEST_SAVE, .head_bytes = true, .files_least = 2, .files_most = 3 },
    { .word = "settle", AGN_REQUEST_SETTLE, .dir = true },
    { .word = "fetch", AGN_REQUEST_FETCH, .dir = true, .hash = true },
    { .word = "status", AGN_REQUEST_STATUS },
};

static const struct shape *find_shape(const char *word)
{
    for (size_t i = 0; word != NULL && i < sizeof shapes / sizeof shapes[0]; i++)
        if (strcmp(shapes[i].word, word) == 0)
            return &shapes[i];
    return NULL;
}

/* Integers past 2^53 are strings of digits in canonical JSON. */
static bool take_number(const json_t *object, const char *key, uint64_t *number)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static bool take_text(const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL || text[0] == '\0' || strlen(text) >= size)
        return false;
    snprintf(out, size, "%s", text);
    return true;
}

/* The key that is wrong or missing; NULL: none is. */
static const char *take_keys(const json_t *object, const struct shape *shape,
                             struct agn_request *request)
{
    size_t keys = 2 + shape->dir + shape->file + shape->hash + shape->bytes + shape->head_bytes;
    if (shape->dir && (!take_text(object, "dir", request->dir, sizeof request->dir) ||
                       request->dir[0] != '/'))
        return "dir";
    if (shape->file && !take_text(object, "file", request->file, sizeof request->file))
        return "file";
    if (shape->hash && !take_text(object, "hash", request->hash, sizeof request->hash))
        return "hash";
    if (shape->bytes && !take_number(object, "bytes", &request->bytes))
        return "bytes";
    if (shape->head_bytes && !take_number(object, "head_bytes", &request->head_bytes))
        return "head_bytes";
    return json_object_size(object) == keys ? NULL : "a key that it does not have";
}

static enum snap_status read_object(const json_t *object, size_t files,
                                    struct agn_request *request, struct snap_error *err)
{
    const struct shape *shape = find_shape(json_string_value(json_object_get(object, "request")));
    const json_t *version = json_object_get(object, "version");
    if (!json_is_integer(version))
        return snap_error_set(err, SNAP_INVALID, "the message has no version");
    if (json_integer_value(version) != SNAP_AGENT_VERSION)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "the agent speaks version %d of the protocol, not %lld: restart the "
                              "older of the two",
                              SNAP_AGENT_VERSION, (long long)json_integer_value(version));
    if (shape == NULL)
        return snap_error_set(err, SNAP_INVALID, "the message is no request");
    if (files < shape->files_least || files > shape->files_most)
        return snap_error_set(err, SNAP_INVALID, "%s: came with %zu files", shape->word, files);
    const char *wrong = take_keys(object, shape, request);
    if (wrong != NULL)
        return snap_error_set(err, SNAP_INVALID, "%s: %s is not as it should be", shape->word,
                              wrong);
    request->kind = shape->kind;
    request->files = files;
    return SNAP_OK;
}

enum snap_status agn_request_read(const struct snap_agent_message *message,
                                  struct agn_request *request, struct snap_error *err)
{
    json_t *object = json_loadb(message->text, message->size_bytes, JSON_REJECT_DUPLICATES, NULL);
    struct agn_request *read = calloc(1, sizeof *read);
    enum snap_status status =
        object == NULL || read == NULL
            ? snap_error_set(err, SNAP_NO_MEMORY, "out of memory")
            : read_object(object, message->file_count, read, err);
    if (status == SNAP_OK)
        *request = *read;
    json_decref(object);
    free(read);
    return status;
}
