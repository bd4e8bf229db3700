/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "process/run_paths.h"
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

struct adding {
    const char *folder;
    bool capsule;
    struct cmd_snapshot_file *files; /* owned */
    size_t count;
};

static enum snap_status add_file(void *arg, const char *name, const char *path,
                                 struct snap_error *err)
{
    struct adding *adding = arg;
    struct cmd_snapshot_file file = { .capsule = adding->capsule }, *grown;

    if (!trn_snapshot_step(name, &file.step))
        return SNAP_OK;
    snprintf(file.name, sizeof file.name, "%s/%.40s", adding->folder, name);
    grown = realloc(adding->files, (adding->count + 1) * sizeof *grown);
    if (grown == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its list", path);
    adding->files = grown;
    grown[adding->count++] = file;
    return SNAP_OK;
}

static enum snap_status add_folder(const char *dir, const char *folder, bool capsule,
                                   struct adding *adding, struct snap_error *err)
{
    char path[PATH_MAX];
    enum snap_status status = cmd_path_join(dir, folder, path, err);

    adding->folder = folder;
    adding->capsule = capsule;
    return status == SNAP_OK ? trn_each_archive(path, add_file, adding, err) : status;
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
    struct adding found = { .files = NULL };
    enum snap_status status = add_folder(dir, "snapshots", false, &found, err);

    if (status == SNAP_OK)
        status = add_folder(dir, "capsules", true, &found, err);
    if (status != SNAP_OK) {
        free(found.files);
        return status;
    }
    if (found.count)
        qsort(found.files, found.count, sizeof *found.files, by_step);
    *files = found.files;
    *count = found.count;
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
        strncmp(file, "snapshots/", 10) == 0 && trn_snapshot_step(file + 10, &step) &&
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
