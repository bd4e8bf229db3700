/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folder/volume_sweep.h"
#include "format/archive_read.h"
#include "format/json_fields.h"
#include "format/volumes.h"

#define ARCHIVE_SUFFIX ".snap.tar"

/* The folder while it is gone through; names are without it. */
struct sweep {
    struct snap_store *store;
    const char *folder;
    const char *stem;
    char last_stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    json_t *volumes;  /* names of volumes */
    json_t *archives; /* names of archives */
    json_t *named;    /* an object: volumes that an archive names, and stems that are not known */
    bool unread;      /* an archive could not be read: nobody knows what it names */
};

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "volumes: out of memory");
}

/* A volume, and the archives that its name says it is of: links are not listed, and not every
 * archive ends in the suffix. */
static enum snap_status meet_volume(struct sweep *sweep, const char *name, const char *stem,
                                    struct snap_error *err)
{
    bool again = strcmp(sweep->last_stem, stem) == 0;
    enum snap_status status = snap_json_append(sweep->volumes, json_string(name), err);
    if (status == SNAP_OK && !again)
        status = snap_json_append(sweep->archives, json_string(stem), err);
    if (status == SNAP_OK && !again)
        status = snap_json_append(sweep->archives, json_sprintf("%s" ARCHIVE_SUFFIX, stem), err);
    snprintf(sweep->last_stem, sizeof sweep->last_stem, "%s", stem);
    return status;
}

static enum snap_status meet_file(void *arg, const char *name, uint64_t size,
                                  struct snap_error *err)
{
    struct sweep *sweep = arg;
    char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    unsigned number;
    size_t length = strlen(name);
    (void)size;
    if (snap_volume_name_parse(name, stem, &number)) {
        if (sweep->stem == NULL || strcmp(sweep->stem, stem) == 0)
            return meet_volume(sweep, name, stem, err);
    } else if (length > strlen(ARCHIVE_SUFFIX) &&
               strcmp(name + length - strlen(ARCHIVE_SUFFIX), ARCHIVE_SUFFIX) == 0) {
        return snap_json_append(sweep->archives, json_string(name), err);
    }
    return SNAP_OK;
}

/* "FOLDER/NAME" in new memory, or NULL. */
static char *join(const struct sweep *sweep, const char *name)
{
    size_t bytes = strlen(sweep->folder) + strlen(name) + 2;
    char *path = malloc(bytes);
    if (path != NULL)
        snprintf(path, bytes, "%s%s%s", sweep->folder, sweep->folder[0] != '\0' ? "/" : "", name);
    return path;
}

/* What one archive names. One that is damaged may name all of its stem. */
static enum snap_status ask_archive(struct sweep *sweep, const char *name, struct snap_error *err)
{
    char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    json_t *document = NULL;
    int fd = -1;
    char *path = join(sweep, name);
    if (path == NULL)
        return no_memory(err);
    enum snap_status status = snap_store_open_file(sweep->store, path, &fd, NULL);
    if (status == SNAP_OK)
        status = snap_archive_volumes_of(fd, path, &document, NULL);
    free(path);
    if (status == SNAP_NO_MEMORY)
        return no_memory(err);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK; /* it went away meanwhile */
    sweep->unread = sweep->unread ||
                    (status != SNAP_OK && status != SNAP_CORRUPT && status != SNAP_UNSUPPORTED);
    if (status != SNAP_OK)
        return snap_volume_stem(name, stem)
                   ? snap_json_set(sweep->named, stem, json_true(), err)
                   : SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < snap_volumes_count(document); i++)
        status = snap_json_set(sweep->named, snap_volumes_file(document, i), json_true(), err);
    json_decref(document);
    return status;
}

static enum snap_status remove_volume(const struct sweep *sweep, const char *name,
                                      struct snap_error *err)
{
    char *path = join(sweep, name);
    if (path == NULL)
        return no_memory(err);
    enum snap_status status = snap_store_remove(sweep->store, path, err);
    free(path);
    return status == SNAP_NOT_FOUND ? SNAP_OK : status; /* somebody else was faster */
}

/* After the folder was listed. */
static enum snap_status sweep_listed(struct sweep *sweep, bool remove,
                                     enum snap_status (*visit)(void *arg, const char *name,
                                                               struct snap_error *err),
                                     void *arg, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < json_array_size(sweep->archives); i++)
        status = ask_archive(sweep, json_string_value(json_array_get(sweep->archives, i)), err);
    for (size_t i = 0; status == SNAP_OK && !sweep->unread && i < json_array_size(sweep->volumes);
         i++) {
        const char *name = json_string_value(json_array_get(sweep->volumes, i));
        char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
        unsigned number;
        snap_volume_name_parse(name, stem, &number); /* it is one: meet_file has looked */
        if (json_object_get(sweep->named, name) != NULL ||
            json_object_get(sweep->named, stem) != NULL)
            continue;
        if (remove)
            status = remove_volume(sweep, name, err);
        if (status == SNAP_OK && visit != NULL)
            status = visit(arg, name, err);
    }
    return status;
}

enum snap_status snap_volumes_sweep(struct snap_store *store, const char *folder, const char *stem,
                                    bool remove,
                                    enum snap_status (*visit)(void *arg, const char *name,
                                                              struct snap_error *err),
                                    void *arg, struct snap_error *err)
{
    struct sweep sweep = { .store = store,
                           .folder = folder,
                           .stem = stem,
                           .volumes = json_array(),
                           .archives = json_array(),
                           .named = json_object() };
    enum snap_status status = SNAP_OK;
    if (sweep.volumes == NULL || sweep.archives == NULL || sweep.named == NULL)
        status = no_memory(err);
    if (status == SNAP_OK)
        status = snap_store_list(store, folder, meet_file, &sweep, err);
    if (status == SNAP_OK && json_array_size(sweep.volumes) > 0)
        status = sweep_listed(&sweep, remove, visit, arg, err);
    json_decref(sweep.volumes);
    json_decref(sweep.archives);
    json_decref(sweep.named);
    return status;
}
