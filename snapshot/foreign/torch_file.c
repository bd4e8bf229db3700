/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/bytes.h"
#include "foreign/foreign_limits.h"
#include "foreign/pickle_reader.h"
#include "foreign/torch_file.h"

/* Of the old form: the version of its layout. */
#define OLD_PROTOCOL 1001
/* It does not say how long its pickles are: so much is read at first, and then sixteen times that.
 */
#define OLD_FIRST_BYTES ((uint64_t)4 << 20)
#define OLD_GROWTH 16

struct snap_torch_file {
    const struct snap_foreign_input *input;
    struct snap_zip *zip;
    char *folder; /* of the zip file: "archive" */
    char *what;   /* "FILE: archive/data.pkl", for messages */
    unsigned char *bytes;
    struct snap_pickle *pickle;
    const struct snap_pickle_value *root;
    json_t *places; /* of the old form: key -> [offset, bytes] */
    size_t storages;
};

static enum snap_status no_memory(const struct snap_foreign_input *input, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", input->name);
}

/* ---- the zip form ---- */

/* The folder of the entry FOLDER/data.pkl: its length; 0 when there is none, or more than one. */
static size_t find_folder(const struct snap_zip *zip, const char **name)
{
    static const char tail[] = "/data.pkl";
    size_t found = 0;
    for (size_t i = 0; i < snap_zip_count(zip); i++) {
        const char *entry = snap_zip_at(zip, i)->name;
        const char *slash = strchr(entry, '/');
        if (slash == NULL || slash == entry || strcmp(slash, tail) != 0)
            continue;
        if (found > 0)
            return 0;
        found = (size_t)(slash - entry);
        *name = entry;
    }
    return found;
}

bool snap_torch_zip_is(const struct snap_zip *zip)
{
    const char *name;
    return find_folder(zip, &name) > 0;
}

/* The entry FOLDER/NAME; NULL when there is none. */
static const struct snap_zip_entry *find_entry(const struct snap_torch_file *file, const char *name)
{
    char path[SNAP_MAX_ZIP_NAME_BYTES + 1];
    int length = snprintf(path, sizeof path, "%s/%s", file->folder, name);
    return length > 0 && (size_t)length < sizeof path ? snap_zip_find(file->zip, path) : NULL;
}

/* Is FOLDER/byteorder there, and says another order than ours? */
static enum snap_status check_byte_order(struct snap_torch_file *file, struct snap_error *err)
{
    const struct snap_zip_entry *entry = find_entry(file, "byteorder");
    unsigned char *text;
    if (entry == NULL)
        return SNAP_OK;
    enum snap_status status = snap_zip_load(file->zip, entry, &text, err);
    if (status != SNAP_OK)
        return status;
    if (entry->size != 6 || memcmp(text, "little", 6) != 0)
        status = snap_error_set(err, SNAP_UNSUPPORTED,
                                "%s: it was written on a big-endian machine: save it again with "
                                "torch.serialization.set_default_load_endianness",
                                file->input->name);
    free(text);
    return status;
}

/* What torch puts beside the pickle and the storages. */
static bool is_known_entry(const char *name)
{
    static const char *const known[] = { "data.pkl",        "version",
                                         "byteorder",       ".data/serialization_id",
                                         ".format_version", ".storage_alignment" };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

static enum snap_status check_entries(struct snap_torch_file *file, struct snap_error *err)
{
    size_t folder = strlen(file->folder);
    for (size_t i = 0; i < snap_zip_count(file->zip); i++) {
        const struct snap_zip_entry *entry = snap_zip_at(file->zip, i);
        bool inside = strncmp(entry->name, file->folder, folder) == 0 && entry->name[folder] == '/';
        const char *rest = inside ? entry->name + folder + 1 : "";
        if (strncmp(rest, "data/", 5) == 0)
            file->storages++;
        else if (strncmp(rest, "code/", 5) == 0 || strcmp(rest, "constants.pkl") == 0)
            return snap_error_set(err, SNAP_UNSUPPORTED,
                                  "%s: a TorchScript program, which is code: save its state_dict() "
                                  "with torch.save",
                                  file->input->name);
        else if (!inside || !is_known_entry(rest))
            return snap_error_set(err, SNAP_UNSUPPORTED,
                                  "%s: zip entry %.200s: it is nothing that torch.save writes",
                                  file->input->name, entry->name);
    }
    return SNAP_OK;
}

static enum snap_status read_pickle(struct snap_torch_file *file, size_t size,
                                    struct snap_error *err)
{
    struct snap_pickle_options options = { .what = file->what, .persistent_ids = true };
    return snap_pickle_read(file->bytes, size, &options, &file->pickle, &file->root, NULL, err);
}

static enum snap_status open_zip(struct snap_torch_file *file, struct snap_error *err)
{
    const char *name = NULL;
    size_t folder = find_folder(file->zip, &name);
    if (folder == 0)
        return snap_error_set(err, SNAP_UNSUPPORTED, "%s: a zip file without FOLDER/data.pkl",
                              file->input->name);
    file->folder = strndup(name, folder);
    if (file->folder == NULL ||
        asprintf(&file->what, "%s: %s/data.pkl", file->input->name, file->folder) < 0) {
        file->what = NULL;
        return no_memory(file->input, err);
    }
    const struct snap_zip_entry *entry = find_entry(file, "data.pkl");
    enum snap_status status = check_entries(file, err);
    if (status == SNAP_OK)
        status = check_byte_order(file, err);
    if (status == SNAP_OK && entry->size > SNAP_MAX_PICKLE_BYTES)
        status = snap_error_set(err, SNAP_UNSUPPORTED,
                                "%s: a pickle of %" PRIu64 " bytes: at most %u are read",
                                file->what, entry->size, SNAP_MAX_PICKLE_BYTES);
    if (status == SNAP_OK)
        status = snap_zip_load(file->zip, entry, &file->bytes, err);
    return status == SNAP_OK ? read_pickle(file, (size_t)entry->size, err) : status;
}

/* ---- the old form ---- */

bool snap_torch_old_is(const unsigned char *data, size_t size_bytes)
{
    /* The pickle, of protocol 2, of the number 0x1950a86a20f9469cfc6c. */
    static const unsigned char magic[SNAP_TORCH_MAGIC_BYTES] = { 0x80, 2,    0x8a, 10,   0x6c,
                                                                 0xfc, 0x9c, 0x46, 0xf9, 0x20,
                                                                 0x6a, 0xa8, 0x50, 0x19, '.' };
    return size_bytes >= sizeof magic && memcmp(data, magic, sizeof magic) == 0;
}

/* The next pickle of the row, when nothing but its value is wanted. */
static enum snap_status next_pickle(const struct snap_torch_file *file, size_t size, size_t *at,
                                    struct snap_pickle **pickle,
                                    const struct snap_pickle_value **root, struct snap_error *err)
{
    struct snap_pickle_options options = { .what = file->what,
                                           .persistent_ids = true,
                                           .more_follows = true };
    size_t used;
    enum snap_status status =
        snap_pickle_read(file->bytes + *at, size - *at, &options, pickle, root, &used, err);
    if (status == SNAP_OK)
        *at += used;
    return status;
}

/* Protocol and machine: two pickles. */
static enum snap_status check_old_header(const struct snap_torch_file *file, size_t size,
                                         size_t *at, struct snap_error *err)
{
    struct snap_pickle *protocol = NULL;
    struct snap_pickle *machine = NULL;
    const struct snap_pickle_value *root = NULL;
    uint64_t number = 0;
    enum snap_status status = next_pickle(file, size, at, &protocol, &root, err);
    if (status == SNAP_OK && (!snap_pickle_get_u64(root, &number) || number != OLD_PROTOCOL))
        status = snap_error_set(err, SNAP_UNSUPPORTED, "%s: a layout other than %d", file->what,
                                OLD_PROTOCOL);
    if (status == SNAP_OK)
        status = next_pickle(file, size, at, &machine, &root, err);
    if (status == SNAP_OK) {
        const struct snap_pickle_value *little = snap_pickle_get(root, "little_endian");
        if (!snap_pickle_is(little, SNAP_PICKLE_BOOL) || !little->as.boolean)
            status = snap_error_set(err, SNAP_UNSUPPORTED,
                                    "%s: it was written on a big-endian machine", file->what);
    }
    snap_pickle_free(protocol);
    snap_pickle_free(machine);
    return status;
}

/* The bytes of each storage, by its key, as the ids in the pickle say. */
static enum snap_status note_storage(void *arg, const struct snap_pickle_value *id,
                                     struct snap_error *err)
{
    struct snap_torch_file *file = arg;
    struct snap_torch_storage storage;
    enum snap_status status = snap_torch_storage(id, file->what, &storage, err);
    if (status != SNAP_OK)
        return status;
    const json_t *there = json_object_getn(file->places, storage.key, storage.key_size);
    if (there != NULL) {
        if ((uint64_t)json_integer_value(json_array_get(there, 1)) != storage.size_bytes ||
            (uint64_t)json_integer_value(json_array_get(there, 2)) != storage.elements)
            return snap_error_set(err, SNAP_UNSUPPORTED,
                                  "%s: a storage that is said to have two sizes", file->what);
        return SNAP_OK;
    }
    json_t *place =
        json_pack("[i, I, I]", -1, (json_int_t)storage.size_bytes, (json_int_t)storage.elements);
    if (json_object_setn_new_nocheck(file->places, storage.key, storage.key_size, place) != 0)
        return no_memory(file->input, err);
    return SNAP_OK;
}

/* Behind the pickles: for each key of the list, the number of elements and the elements. */
static enum snap_status place_storages(struct snap_torch_file *file,
                                       const struct snap_pickle_value *keys, uint64_t at,
                                       struct snap_error *err)
{
    unsigned char count[8];
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < snap_pickle_count(keys); i++) {
        const struct snap_pickle_value *key = snap_pickle_item(keys, i);
        json_t *place = snap_pickle_is(key, SNAP_PICKLE_STR)
                            ? json_object_getn(file->places, (const char *)key->as.bytes.data,
                                               key->as.bytes.size)
                            : NULL;
        if (place == NULL || json_integer_value(json_array_get(place, 0)) >= 0)
            return snap_error_set(err, SNAP_CORRUPT,
                                  "%s: its list of storages does not agree with the pickle",
                                  file->what);
        uint64_t bytes = (uint64_t)json_integer_value(json_array_get(place, 1));
        uint64_t elements = (uint64_t)json_integer_value(json_array_get(place, 2));
        status = snap_foreign_input_read(file->input, at, count, sizeof count, err);
        if (status == SNAP_OK && snap_get_u64(count) != elements)
            status = snap_error_set(err, SNAP_CORRUPT,
                                    "%s: a storage has %" PRIu64 " elements and not %" PRIu64,
                                    file->what, snap_get_u64(count), elements);
        if (status == SNAP_OK && bytes > file->input->size - at - sizeof count)
            status =
                snap_error_set(err, SNAP_CORRUPT, "%s: the file ends inside a storage", file->what);
        if (status == SNAP_OK &&
            json_array_set_new(place, 0, json_integer((json_int_t)(at + 8))) != 0)
            status = no_memory(file->input, err);
        at += sizeof count + bytes;
        file->storages++;
    }
    if (status == SNAP_OK && at != file->input->size)
        status = snap_error_set(err, SNAP_CORRUPT, "%s: %" PRIu64 " bytes follow its storages",
                                file->what, file->input->size - at);
    return status;
}

/* With the first `size` bytes of the file in memory. */
static enum snap_status read_old(struct snap_torch_file *file, size_t size, struct snap_error *err)
{
    struct snap_pickle *list = NULL;
    const struct snap_pickle_value *keys = NULL;
    size_t at = SNAP_TORCH_MAGIC_BYTES;
    enum snap_status status = check_old_header(file, size, &at, err);
    if (status == SNAP_OK)
        status = next_pickle(file, size, &at, &file->pickle, &file->root, err);
    if (status == SNAP_OK)
        status = next_pickle(file, size, &at, &list, &keys, err);
    if (status == SNAP_OK)
        status = snap_pickle_each_persistent(file->pickle, note_storage, file, err);
    if (status == SNAP_OK)
        status = place_storages(file, keys, at, err);
    snap_pickle_free(list);
    return status;
}

static enum snap_status open_old(struct snap_torch_file *file, struct snap_error *err)
{
    uint64_t size = OLD_FIRST_BYTES;
    file->what = strdup(file->input->name);
    if (file->what == NULL)
        return no_memory(file->input, err);
    for (;; size *= OLD_GROWTH) {
        if (size > file->input->size)
            size = file->input->size;
        if (size > SNAP_MAX_PICKLE_BYTES)
            size = SNAP_MAX_PICKLE_BYTES;
        file->places = json_object();
        file->storages = 0;
        enum snap_status status = file->places != NULL ? SNAP_OK : no_memory(file->input, err);
        if (status == SNAP_OK)
            status = snap_foreign_input_load(file->input, 0, size, &file->bytes, err);
        if (status == SNAP_OK)
            status = read_old(file, (size_t)size, err);
        /* Only a pickle that did not end in what was read can go better with more of it. */
        if (status != SNAP_CORRUPT || size == file->input->size || size == SNAP_MAX_PICKLE_BYTES)
            return status;
        snap_pickle_free(file->pickle);
        file->pickle = NULL;
        free(file->bytes);
        file->bytes = NULL;
        json_decref(file->places);
    }
}

/* ---- both ---- */

enum snap_status snap_torch_file_open(const struct snap_foreign_input *input, struct snap_zip *zip,
                                      struct snap_torch_file **file, struct snap_error *err)
{
    struct snap_torch_file *made = calloc(1, sizeof *made);
    if (made == NULL)
        return no_memory(input, err);
    made->input = input;
    made->zip = zip;
    enum snap_status status = zip != NULL ? open_zip(made, err) : open_old(made, err);
    if (status == SNAP_OK)
        *file = made;
    else
        snap_torch_file_close(made);
    return status;
}

void snap_torch_file_close(struct snap_torch_file *file)
{
    if (file == NULL)
        return;
    snap_pickle_free(file->pickle);
    free(file->bytes);
    free(file->folder);
    free(file->what);
    json_decref(file->places);
    free(file);
}

const struct snap_pickle_value *snap_torch_file_root(const struct snap_torch_file *file)
{
    return file->root;
}

size_t snap_torch_file_storages(const struct snap_torch_file *file)
{
    return file->storages;
}

enum snap_status snap_torch_file_load(struct snap_torch_file *file,
                                      const struct snap_torch_storage *storage,
                                      unsigned char **data, struct snap_error *err)
{
    if (file->zip == NULL) {
        const json_t *place = json_object_getn(file->places, storage->key, storage->key_size);
        json_int_t offset = json_integer_value(json_array_get(place, 0));
        if (place == NULL || offset < 0)
            return snap_error_set(
                err, SNAP_CORRUPT, "%s: storage %.*s is not in the file", file->what,
                (int)(storage->key_size < 40 ? storage->key_size : 40), storage->key);
        return snap_foreign_input_load(file->input, (uint64_t)offset, storage->size_bytes, data,
                                       err);
    }
    char name[SNAP_MAX_ZIP_NAME_BYTES + 1];
    int length =
        snprintf(name, sizeof name, "data/%.*s",
                 (int)(storage->key_size < SNAP_MAX_ZIP_NAME_BYTES ? storage->key_size
                                                                   : SNAP_MAX_ZIP_NAME_BYTES),
                 storage->key);
    const struct snap_zip_entry *entry =
        length > 0 && (size_t)length < sizeof name ? find_entry(file, name) : NULL;
    if (entry == NULL)
        return snap_error_set(err, SNAP_CORRUPT, "%s: storage %.60s is not in the file", file->what,
                              name);
    if (entry->size != storage->size_bytes)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: storage %.60s has %" PRIu64 " bytes and not %" PRIu64,
                              file->what, name, entry->size, storage->size_bytes);
    return snap_zip_load(file->zip, entry, data, err);
}
