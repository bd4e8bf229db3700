/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "run_files.h"

/* `latest` is one line; whatever is longer was not written by this program. */
#define MOST_LATEST_BYTES 4096

enum snap_status cmd_path_join(const char *dir, const char *name, char *path,
                               struct snap_error *err)
{
    size_t length = strlen(dir);

    while (length > 1 && dir[length - 1] == '/')
        length--;
    if (snprintf(path, PATH_MAX, "%.*s/%s", (int)length, dir, name) >= PATH_MAX)
        return snap_error_set(err, SNAP_INVALID, "%.100s...: the path is too long", dir);
    return SNAP_OK;
}

/* The step of "step-0000000100.snap.tar"; false for another name. */
static bool step_of(const char *name, uint64_t *step)
{
    char again[64];
    uint64_t value;

    if (sscanf(name, "step-%" SCNu64, &value) != 1)
        return false;
    snprintf(again, sizeof again, "step-%010" PRIu64 ".snap.tar", value);
    if (strcmp(name, again) != 0)
        return false;
    *step = value;
    return true;
}

static enum snap_status add_folder(const char *dir, const char *folder, bool capsule,
                                   struct cmd_snapshot_file **files, size_t *count,
                                   struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    char path[PATH_MAX];
    struct dirent *entry;
    DIR *stream;

    status = cmd_path_join(dir, folder, path, err);
    if (status != SNAP_OK)
        return status;
    stream = opendir(path);
    if (stream == NULL)
        return errno == ENOENT ? SNAP_OK
                               : snap_error_set_os(err, SNAP_IO, errno, "%s: opening it", path);
    for (errno = 0; (entry = readdir(stream)) != NULL; errno = 0) {
        struct cmd_snapshot_file file = { .capsule = capsule }, *grown;
        if (!step_of(entry->d_name, &file.step))
            continue;
        snprintf(file.name, sizeof file.name, "%s/step-%010" PRIu64 ".snap.tar", folder,
                 file.step);
        grown = realloc(*files, (*count + 1) * sizeof **files);
        if (grown == NULL) {
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its list", path);
            goto out;
        }
        *files = grown;
        grown[(*count)++] = file;
    }
    if (errno)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: reading the folder", path);
out:
    closedir(stream); /* it was only read */
    return status;
}

static int by_step(const void *left, const void *right)
{
    const struct cmd_snapshot_file *a = left, *b = right;

    if (a->step != b->step)
        return a->step < b->step ? -1 : 1;
    return (int)a->capsule - (int)b->capsule;
}

enum snap_status cmd_run_files(const char *dir, struct cmd_snapshot_file **files, size_t *count,
                               struct snap_error *err)
{
    struct cmd_snapshot_file *found = NULL;
    size_t found_count = 0;
    enum snap_status status = add_folder(dir, "snapshots", false, &found, &found_count, err);

    if (status == SNAP_OK)
        status = add_folder(dir, "capsules", true, &found, &found_count, err);
    if (status != SNAP_OK) {
        free(found);
        return status;
    }
    if (found_count)
        qsort(found, found_count, sizeof *found, by_step);
    *files = found;
    *count = found_count;
    return SNAP_OK;
}

/* Why `latest` is of no use, and the way out: name a snapshot by hand. */
static enum snap_status no_latest(const char *dir, const char *why, struct snap_error *err)
{
    struct cmd_snapshot_file *files = NULL, *last = NULL;
    size_t count = 0;
    enum snap_status status = cmd_run_files(dir, &files, &count, err);

    if (status != SNAP_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        if (!files[i].capsule)
            last = &files[i];
    if (last)
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s/latest: %s; name a snapshot yourself: %s/%s is the last one",
                                dir, why, dir, last->name);
    else
        status = snap_error_set(err, SNAP_NOT_FOUND, "%s: the run has no snapshot yet", dir);
    free(files);
    return status;
}

static bool decode_latest(const char *text, size_t size_bytes, struct cmd_latest *latest)
{
    const char *file, *hash;
    uint64_t step;
    bool good = false;
    json_t *document = json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES, NULL);

    if (document && json_unpack_ex(document, NULL, JSON_STRICT, "{s:s, s:s}", "file", &file,
                                   "snapshot", &hash) == 0 &&
        strncmp(file, "snapshots/", 10) == 0 && step_of(file + 10, &step) &&
        strlen(hash) < sizeof latest->snapshot_hash) {
        snprintf(latest->file, sizeof latest->file, "%s", file);
        snprintf(latest->snapshot_hash, sizeof latest->snapshot_hash, "%s", hash);
        good = true;
    }
    json_decref(document);
    return good;
}

enum snap_status cmd_run_latest(const char *dir, struct cmd_latest *latest,
                                struct snap_error *err)
{
    char path[PATH_MAX], text[MOST_LATEST_BYTES];
    enum snap_status status = cmd_path_join(dir, "latest", path, err);
    size_t size;
    FILE *file;

    if (status != SNAP_OK)
        return status;
    file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? no_latest(dir, "it is missing, though there are snapshots", err)
                               : snap_error_set_os(err, SNAP_IO, errno, "%s: opening it", path);
    size = fread(text, 1, sizeof text, file);
    if (ferror(file)) {
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: reading it", path);
    } else if (size == sizeof text || !decode_latest(text, size, latest)) {
        status = no_latest(dir, "it is not what a save writes", err);
    }
    fclose(file); /* it was only read */
    return status;
}
