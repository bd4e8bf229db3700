/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/stream.h>

#include "format/limits.h"
#include "format/member_name.h"
#include "foreign/foreign_arrays.h"
#include "foreign/foreign_file.h"
#include "foreign/foreign_input.h"
#include "foreign/foreign_limits.h"
#include "foreign/foreign_peers.h"
#include "foreign/json_values.h"
#include "foreign/npy.h"
#include "foreign/pickle_reader.h"
#include "foreign/safetensors.h"
#include "foreign/torch_file.h"
#include "foreign/zip_reader.h"

/* Bytes at the beginning that tell the formats. */
#define HEAD_BYTES 16
/* What a root or stream is called when the file's name is no word. */
#define DEFAULT_NAME "checkpoint"

struct file {
    const struct snap_foreign_request *request;
    struct snap_foreign_state *state;
    struct snap_foreign_input input;
    unsigned char head[HEAD_BYTES];
    size_t head_size;
    char name[SNAP_MAX_ROOT_NAME_BYTES + 1];
    int rank; /* that the file's name ends in; -1: none */
};

/* The name of a root or stream, and the rank: "rng_state_3.pth" is of rank 3. */
static void read_path(struct file *file)
{
    const char *path = file->request->path;
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    size_t length = strcspn(base, ".");
    size_t digits = 0;
    file->rank = -1;
    while (digits < length && base[length - 1 - digits] >= '0' && base[length - 1 - digits] <= '9')
        digits++;
    if (digits > 0 && digits <= 3 && digits < length && base[length - 1 - digits] == '_')
        file->rank = atoi(base + length - digits);
    if (file->request->name != NULL)
        snprintf(file->name, sizeof file->name, "%s", file->request->name);
    else if (length <= SNAP_MAX_ROOT_NAME_BYTES && snap_name_is_word(base, length))
        snprintf(file->name, sizeof file->name, "%.*s", (int)length, base);
    else
        snprintf(file->name, sizeof file->name, "%s", DEFAULT_NAME);
}

/* Storages of the file that no tensor was taken of. */
static enum snap_status tell_unused(struct file *file, const struct snap_foreign_source *source,
                                    const struct snap_torch_file *torch, struct snap_error *err)
{
    const char *slash = strrchr(file->request->path, '/');
    char place[300];
    char reason[100];
    size_t there = snap_torch_file_storages(torch);
    if (source->storages >= there)
        return SNAP_OK;
    snprintf(place, sizeof place, "%.200s: storages",
             slash != NULL ? slash + 1 : file->request->path);
    snprintf(reason, sizeof reason, "%zu of %zu hold no tensor that was taken",
             there - source->storages, there);
    return snap_foreign_state_add_gap(file->state, place, reason, err);
}

/* Take the values of a file that had any. */
static enum snap_status take_values(struct file *file, struct snap_torch_file *torch,
                                    const struct snap_pickle_value *root, const char **layout,
                                    struct snap_error *err)
{
    struct snap_foreign_source source;
    enum snap_status status =
        snap_foreign_source_init(&source, file->request->path, torch, file->state, err);
    if (status != SNAP_OK)
        return status;
    source.rank = file->rank;
    status = snap_foreign_peers_take(&source, root, file->name, file->request->name != NULL,
                                     file->request->as, layout, err);
    if (status == SNAP_OK && torch != NULL)
        status = tell_unused(file, &source, torch, err);
    snap_foreign_source_release(&source);
    return status;
}

static enum snap_status take_torch(struct file *file, struct snap_zip *zip, const char **layout,
                                   struct snap_error *err)
{
    struct snap_torch_file *torch = NULL;
    enum snap_status status = snap_torch_file_open(&file->input, zip, &torch, err);
    if (status == SNAP_OK)
        status = take_values(file, torch, snap_torch_file_root(torch), layout, err);
    snap_torch_file_close(torch);
    return status;
}

static enum snap_status take_zip(struct file *file, const char **format, const char **layout,
                                 struct snap_error *err)
{
    struct snap_zip *zip = NULL;
    enum snap_status status = snap_zip_open(&file->input, &zip, err);
    if (status != SNAP_OK)
        return status;
    if (snap_torch_zip_is(zip)) {
        *format = "torch";
        status = take_torch(file, zip, layout, err);
    } else {
        *format = "npz";
        *layout = "state-dict";
        status = snap_foreign_take_npz(file->state, zip, file->request->path, file->name, err);
    }
    snap_zip_close(zip);
    return status;
}

/* The caller says which kind of stream it is. */
static bool is_as_kind(const struct file *file)
{
    return file->request->as != NULL && !snap_foreign_is_layout(file->request->as);
}

/* The file's bytes as the state of a stream of that kind, in one of its forms. */
static enum snap_status take_bytes(struct file *file, const unsigned char *bytes, const char *kind,
                                   const char **layout, struct snap_error *err)
{
    struct snap_pickle_value value = { .type = SNAP_PICKLE_BYTES };
    struct snap_foreign_source source;
    value.as.bytes.data = bytes;
    value.as.bytes.size = (size_t)file->input.size;
    enum snap_status status =
        snap_foreign_source_init(&source, file->request->path, NULL, file->state, err);
    if (status != SNAP_OK)
        return status;
    source.rank = file->rank;
    status = snap_foreign_peers_take(&source, &value, file->name, file->request->name != NULL, kind,
                                     layout, err);
    snap_foreign_source_release(&source);
    return status;
}

static enum snap_status take_raw(struct file *file, const char **layout, struct snap_error *err)
{
    unsigned char *bytes = NULL;
    if (file->input.size > SNAP_MAX_STREAM_BYTES)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s: %" PRIu64 " bytes: a stream has at most %u", file->request->path,
                              file->input.size, SNAP_MAX_STREAM_BYTES);
    enum snap_status status =
        snap_foreign_input_load(&file->input, 0, file->input.size, &bytes, err);
    if (status == SNAP_OK)
        status = take_bytes(file, bytes, file->request->as, layout, err);
    free(bytes);
    return status;
}

/* A member rng/NAME of an archive, which names its kind, or JSON that the caller gives a kind. */
static enum snap_status take_json(struct file *file, const unsigned char *bytes,
                                  const struct snap_pickle_value *root, const char **layout,
                                  struct snap_error *err)
{
    char kind[64];
    struct snap_stream *known = NULL;
    bool is_member = snap_pickle_copy_text(snap_pickle_get(root, "kind"), kind, sizeof kind) &&
                     snap_stream_new(kind, &known, NULL) == SNAP_OK;
    snap_stream_free(known);
    if (!is_member)
        return take_values(file, NULL, root, layout, err);
    return take_bytes(file, bytes, is_as_kind(file) ? file->request->as : kind, layout, err);
}

/* The whole file as a pickle, or as JSON. */
static enum snap_status take_text(struct file *file, bool json, const char **layout,
                                  struct snap_error *err)
{
    struct snap_pickle_options options = { .what = file->request->path };
    struct snap_pickle *pickle = NULL;
    const struct snap_pickle_value *root = NULL;
    unsigned char *bytes = NULL;
    uint64_t most = json ? SNAP_MAX_FOREIGN_JSON_BYTES : SNAP_MAX_PICKLE_BYTES;
    if (file->input.size > most)
        return snap_error_set(
            err, SNAP_UNSUPPORTED, "%s: %s of %" PRIu64 " bytes: at most %" PRIu64 " are read",
            file->request->path, json ? "JSON" : "a pickle", file->input.size, most);
    enum snap_status status =
        snap_foreign_input_load(&file->input, 0, file->input.size, &bytes, err);
    if (status == SNAP_OK && json)
        status = snap_json_values_read(bytes, (size_t)file->input.size, file->request->path,
                                       &pickle, &root, err);
    else if (status == SNAP_OK)
        status =
            snap_pickle_read(bytes, (size_t)file->input.size, &options, &pickle, &root, NULL, err);
    if (status == SNAP_OK)
        status = json ? take_json(file, bytes, root, layout, err)
                      : take_values(file, NULL, root, layout, err);
    snap_pickle_free(pickle);
    free(bytes);
    return status;
}

/* A pickle of protocol 0 or 1 has no mark of its own: does it begin with an opcode that such a one
 * can begin with? */
static bool may_be_old_pickle(const struct file *file)
{
    return file->head_size > 0 && file->head[0] != '\0' &&
           strchr("(]})cILFSVNKMJXGiTUP", file->head[0]) != NULL;
}

static bool begins_with(const struct file *file, const char *magic, size_t size)
{
    return file->head_size >= size && memcmp(file->head, magic, size) == 0;
}

/* '{' and '[' begin JSON; in a pickle '{' is no opcode, and '[' neither. */
static bool is_json(const struct file *file)
{
    size_t at = 0;
    while (at < file->head_size && file->head[at] != '\0' &&
           strchr(" \t\r\n", file->head[at]) != NULL)
        at++;
    return at < file->head_size && (file->head[at] == '{' || file->head[at] == '[');
}

/* By its first bytes; *format is NULL when they tell nothing. */
static enum snap_status take_known(struct file *file, const char **format, const char **layout,
                                   struct snap_error *err)
{
    if (begins_with(file, "PK\x03\x04", 4) || begins_with(file, "PK\x05\x06", 4))
        return take_zip(file, format, layout, err);
    if (begins_with(file, SNAP_NPY_MAGIC, SNAP_NPY_MAGIC_BYTES)) {
        *format = "npy";
        return snap_foreign_take_npy(file->state, &file->input, file->name,
                                     file->request->name != NULL, file->request->as, layout, err);
    }
    if (snap_safetensors_is(file->head, file->head_size)) {
        *format = "safetensors";
        *layout = "state-dict";
        return snap_foreign_take_safetensors(file->state, &file->input, file->name, err);
    }
    if (snap_torch_old_is(file->head, file->head_size)) {
        *format = "torch";
        return take_torch(file, NULL, layout, err);
    }
    if (begins_with(file, "\x80", 1)) {
        *format = "pickle";
        return take_text(file, false, layout, err);
    }
    return SNAP_OK;
}

/* What has no mark: JSON; an old pickle; a state as it is, where the caller says so, whose first
 * bytes may be those of the others. */
static enum snap_status take_unmarked(struct file *file, const char **format, const char **layout,
                                      struct snap_error *err)
{
    bool json = is_json(file);
    enum snap_status status = SNAP_CORRUPT;
    *format = json ? "json" : "pickle";
    if (json || may_be_old_pickle(file))
        status = take_text(file, json, layout, err);
    else if (!is_as_kind(file))
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: it is neither a file of torch.save, nor a pickle, .npy, .npz, "
                              "safetensors or JSON",
                              file->request->path);
    if (status != SNAP_CORRUPT || !is_as_kind(file))
        return status;
    *format = "bytes";
    return take_raw(file, layout, err);
}

static enum snap_status take_file(struct file *file, const char **format, const char **layout,
                                  struct snap_error *err)
{
    const char *as = file->request->as;
    *format = NULL;
    enum snap_status status = take_known(file, format, layout, err);
    if (status == SNAP_OK && *format == NULL)
        status = take_unmarked(file, format, layout, err);
    if (status != SNAP_OK || as == NULL || strcmp(as, *layout) == 0)
        return status;
    if (!is_as_kind(file))
        return snap_error_set(err, SNAP_INVALID, "%s: its layout is %s, not %s",
                              file->request->path, *layout, as);
    if (strcmp(*layout, "stream") != 0)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: it holds several arrays, none of which need be a stream of kind "
                              "%s",
                              file->request->path, as);
    return SNAP_OK;
}

enum snap_status snap_foreign_file_take(struct snap_foreign_state *state,
                                        const struct snap_foreign_request *request,
                                        const char **format, const char **layout,
                                        struct snap_error *err)
{
    struct file file = { .request = request, .state = state };
    if (request->name != NULL && (!snap_name_is_word(request->name, strlen(request->name)) ||
                                  strlen(request->name) > SNAP_MAX_ROOT_NAME_BYTES))
        return snap_error_set(err, SNAP_INVALID,
                              "%.100s: it is no name: a word of at most %d bytes", request->name,
                              SNAP_MAX_ROOT_NAME_BYTES);
    read_path(&file);
    enum snap_status status = snap_foreign_input_open(request->path, &file.input, err);
    if (status != SNAP_OK)
        return status;
    if (file.input.size == 0)
        status = snap_error_set(err, SNAP_CORRUPT, "%s: it is empty", request->path);
    file.head_size = file.input.size < HEAD_BYTES ? (size_t)file.input.size : HEAD_BYTES;
    if (status == SNAP_OK)
        status = snap_foreign_input_read(&file.input, 0, file.head, file.head_size, err);
    if (status == SNAP_OK)
        status = take_file(&file, format, layout, err);
    snap_foreign_input_close(&file.input);
    return status;
}
