/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "process/run_paths.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include <snapstate/store.h>

enum snap_status trn_is_folder(const char *path, bool *folder, struct snap_error *err)
{
    struct stat info;
    *folder = false;
    if (snap_is_uri(path)) /* an archive in a store: opening it will say more */
        return SNAP_OK;
    if (stat(path, &info) != 0)
        return snap_error_set_os(err, errno == ENOENT ? SNAP_NOT_FOUND : SNAP_IO, errno,
                                 "%s: no run folder and no archive", path);
    *folder = S_ISDIR(info.st_mode);
    return SNAP_OK;
}

enum snap_status trn_join_path(const char *dir, const char *name, char path[TRN_PATH_SIZE],
                               struct snap_error *err)
{
    int length = snprintf(path, TRN_PATH_SIZE, "%s/%s", dir, name);
    if (length < 0 || length >= TRN_PATH_SIZE)
        return snap_error_set(err, SNAP_INVALID, "%.80s.../%s: the path is too long", dir, name);
    return SNAP_OK;
}

void trn_snapshot_name(uint64_t step, char name[TRN_SNAPSHOT_NAME_SIZE])
{
    snprintf(name, TRN_SNAPSHOT_NAME_SIZE, "step-%010" PRIu64 ".snap.tar", step);
}

bool trn_snapshot_step(const char *name, uint64_t *step)
{
    char again[TRN_SNAPSHOT_NAME_SIZE];
    uint64_t value;
    if (sscanf(name, "step-%" SCNu64, &value) != 1)
        return false;
    trn_snapshot_name(value, again);
    if (strcmp(name, again) != 0)
        return false;
    *step = value;
    return true;
}

enum snap_status trn_each_archive(const char *folder, trn_visit_archive *visit, void *arg,
                                  struct snap_error *err)
{
    static const char suffix[] = ".snap.tar";
    char path[TRN_PATH_SIZE];
    const struct dirent *entry;
    enum snap_status status = SNAP_OK;
    DIR *stream = opendir(folder);
    if (stream == NULL && errno == ENOENT)
        return SNAP_OK;
    if (stream == NULL)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: opening it", folder);
    while (status == SNAP_OK && (errno = 0, entry = readdir(stream)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length < sizeof(suffix) ||
            strcmp(entry->d_name + length - (sizeof(suffix) - 1), suffix) != 0)
            continue;
        status = trn_join_path(folder, entry->d_name, path, err);
        if (status == SNAP_OK)
            status = visit(arg, entry->d_name, path, err);
    }
    if (status == SNAP_OK && errno != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: reading the folder", folder);
    closedir(stream); /* only read from */
    return status;
}

bool trn_run_of_archive(const char *archive, char dir[TRN_PATH_SIZE])
{
    char *absolute = realpath(archive, NULL);
    bool found = false;
    char *file = absolute != NULL ? strrchr(absolute, '/') : NULL;
    if (file != NULL && file != absolute) {
        *file = '\0';
        char *folder = strrchr(absolute, '/');
        if (folder != NULL && folder != absolute &&
            (strcmp(folder + 1, "snapshots") == 0 || strcmp(folder + 1, "capsules") == 0) &&
            folder - absolute < TRN_PATH_SIZE) {
            *folder = '\0';
            snprintf(dir, TRN_PATH_SIZE, "%s", absolute);
            found = true;
        }
    }
    free(absolute);
    return found;
}

/* What `latest` says: the name of a file in snapshots/, and its hash. */
static enum snap_status read_latest(const char *dir, char path[TRN_PATH_SIZE],
                                    char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err)
{
    static const char folder[] = "snapshots/";
    char latest[TRN_PATH_SIZE];
    enum snap_status status = trn_join_path(dir, "latest", latest, err);
    if (status != SNAP_OK)
        return status;
    FILE *file = fopen(latest, "re");
    if (file == NULL)
        return snap_error_set_os(err, errno == ENOENT ? SNAP_NOT_FOUND : SNAP_IO, errno,
                                 "%s: cannot be opened", latest);
    json_t *document = json_loadf(file, JSON_REJECT_DUPLICATES, NULL);
    fclose(file); /* only read from: nothing to lose */
    const char *name = json_string_value(json_object_get(document, "file"));
    const char *snapshot = json_string_value(json_object_get(document, "snapshot"));
    if (name == NULL || snapshot == NULL || strlen(snapshot) >= SNAP_HASH_TEXT_BYTES ||
        strncmp(name, folder, sizeof(folder) - 1) != 0 ||
        strchr(name + sizeof(folder) - 1, '/') != NULL) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s: it is damaged: go on from a snapshot of your choice: snap "
                                "restore %s/snapshots/step-... --dir %s",
                                latest, dir, dir);
    } else {
        snprintf(hash, SNAP_HASH_TEXT_BYTES, "%s", snapshot);
        status = trn_join_path(dir, name, path, err);
    }
    json_decref(document);
    return status;
}

enum snap_status trn_latest_path(const char *dir, char path[TRN_PATH_SIZE], struct snap_error *err)
{
    char hash[SNAP_HASH_TEXT_BYTES];
    return read_latest(dir, path, hash, err);
}

enum snap_status trn_latest_open(const char *dir, char path[TRN_PATH_SIZE],
                                 struct snap_archive **archive, struct snap_error *err)
{
    char hash[SNAP_HASH_TEXT_BYTES];
    struct snap_archive *opened = NULL;
    struct stat info;
    enum snap_status status = read_latest(dir, path, hash, err);
    if (status != SNAP_OK)
        return status;
    if (stat(path, &info) != 0 && errno == ENOENT)
        return snap_error_set(err, SNAP_CORRUPT, "%s/latest: names %s, which is not there", dir,
                              path);
    status = snap_archive_open(path, &opened, err);
    if (status != SNAP_OK)
        return status;
    if (strcmp(snap_archive_snapshot_hash(opened), hash) != 0) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s/latest: names %s with %s, and the file has %s", dir, path, hash,
                                snap_archive_snapshot_hash(opened));
        snap_archive_close(opened);
        return status;
    }
    *archive = opened;
    return SNAP_OK;
}
