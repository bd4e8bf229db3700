/* SPDX-License-Identifier: Apache-2.0 */
/* The run folder: names of snapshots, `latest`, events. */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/array.h"
#include "core/file.h"
#include "core/hex.h"
#include "folder/run_folder.h"
#include "folder/volume_sweep.h"
#include "format/archive_fill.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "store/publish.h"

#define LATEST "latest"
#define EVENTS "events.jsonl"
#define SNAPSHOT_SUFFIX ".snap.tar"

void snap_snapshot_name(const char *folder, uint64_t step, char name[SNAP_SNAPSHOT_NAME_BYTES])
{
    snprintf(name, SNAP_SNAPSHOT_NAME_BYTES, "%.16s/step-%010" PRIu64 SNAPSHOT_SUFFIX, folder,
             step);
}

bool snap_snapshot_name_parse(const char *file, uint64_t *step)
{
    uint64_t number = 0;
    size_t digits;
    char again[SNAP_SNAPSHOT_NAME_BYTES];
    if (strncmp(file, "step-", 5) != 0)
        return false;
    digits = strspn(file + 5, "0123456789");
    if (digits < 10 || digits > 20)
        return false;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (uint64_t)(file[5 + i] - '0');
    /* One name for one step. */
    snap_snapshot_name("snapshots", number, again);
    if (strcmp(again + strlen("snapshots/"), file) != 0)
        return false;
    *step = number;
    return true;
}

struct step_list {
    uint64_t *steps;
    size_t count;
};

static enum snap_status add_step(void *arg, const char *name, uint64_t size, struct snap_error *err)
{
    struct step_list *list = arg;
    uint64_t step;
    (void)size;
    if (!snap_snapshot_name_parse(name, &step))
        return SNAP_OK; /* somebody else's file */
    uint64_t *steps = snap_array_grow(list->steps, list->count, sizeof *steps);
    if (steps == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "snapshots: list: out of memory");
    list->steps = steps;
    list->steps[list->count++] = step;
    return SNAP_OK;
}

static int compare_steps(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

enum snap_status snap_snapshots_list(struct snap_store *store, uint64_t **steps, size_t *count,
                                     struct snap_error *err)
{
    return snap_archives_list(store, "snapshots", steps, count, err);
}

enum snap_status snap_archives_list(struct snap_store *store, const char *folder, uint64_t **steps,
                                    size_t *count, struct snap_error *err)
{
    struct step_list list = { NULL, 0 };
    enum snap_status status = snap_store_list(store, folder, add_step, &list, err);
    if (status != SNAP_OK) {
        free(list.steps);
        return status;
    }
    if (list.count > 0)
        qsort(list.steps, list.count, sizeof *list.steps, compare_steps);
    *steps = list.steps;
    *count = list.count;
    return SNAP_OK;
}

enum snap_status snap_run_open_archive(struct snap_store *store, const char *name,
                                       struct snap_archive **archive, struct snap_error *err)
{
    char label[4096];
    int fd;
    snprintf(label, sizeof label, "%s/%s", snap_store_path(store), name);
    enum snap_status status = snap_store_open_file(store, name, &fd, err);
    if (status != SNAP_OK)
        return status;
    struct snap_archive *made = NULL;
    status = snap_archive_open_fd(fd, label, &made, err);
    return status == SNAP_OK ? snap_archive_fill_and_give(made, archive, err) : status;
}

/* What to do when `latest` cannot be followed. */
#define ADVICE                                                                                     \
    "go on from a snapshot of your choice: snap restore %s/snapshots/step-..." SNAPSHOT_SUFFIX    \
    " --dir %s, or that path as options.archive in a program of your own"

enum snap_status snap_latest_read(struct snap_store *store, char name[SNAP_SNAPSHOT_NAME_BYTES],
                                  char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err)
{
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    struct snap_error inner = SNAP_ERROR_INIT;
    const char *dir = snap_store_path(store);
    json_t *document = NULL;
    enum snap_status status = snap_store_read(store, LATEST, SNAP_MAX_LATEST_BYTES, &bytes, &inner);
    if (status == SNAP_NOT_FOUND)
        return snap_error_set(err, SNAP_NOT_FOUND, "%s/" LATEST ": no such file", dir);
    if (status == SNAP_OK)
        status = snap_json_decode(bytes.data == NULL ? (void *)"" : bytes.data, bytes.size, LATEST,
                                  &document, &inner);
    const char *file;
    const char *text;
    unsigned char digest[SNAP_DIGEST_BYTES];
    uint64_t step;
    if (status == SNAP_OK)
        status = snap_json_check_keys(document, "file snapshot", LATEST, &inner);
    if (status == SNAP_OK)
        status = snap_json_field_digest(document, "snapshot", "snap1", LATEST, digest, &inner);
    if (status == SNAP_OK)
        status = snap_json_field_string(document, "file", LATEST, &file, &inner);
    if (status == SNAP_OK &&
        (strncmp(file, "snapshots/", 10) != 0 || !snap_snapshot_name_parse(file + 10, &step)))
        status = snap_error_set(&inner, SNAP_CORRUPT, "\"file\" is no name of a snapshot");
    if (status == SNAP_OK) {
        text = json_string_value(json_object_get(document, "snapshot"));
        snprintf(name, SNAP_SNAPSHOT_NAME_BYTES, "%s", file);
        snprintf(hash, SNAP_HASH_TEXT_BYTES, "%s", text);
    } else if (status == SNAP_CORRUPT) {
        snap_error_set(err, SNAP_CORRUPT, "%s/" LATEST ": is broken (%.300s); " ADVICE, dir,
                       inner.text, dir, dir);
    } else if (err != NULL) {
        *err = inner;
    }
    json_decref(document);
    snap_buffer_release(&bytes);
    return status;
}

enum snap_status snap_latest_open(struct snap_store *store, struct snap_archive **archive,
                                  char name[SNAP_SNAPSHOT_NAME_BYTES], struct snap_error *err)
{
    char hash[SNAP_HASH_TEXT_BYTES];
    const char *dir = snap_store_path(store);
    struct snap_archive *opened = NULL;
    enum snap_status status = snap_latest_read(store, name, hash, err);
    if (status != SNAP_OK)
        return status;
    status = snap_run_open_archive(store, name, &opened, err);
    if (status == SNAP_NOT_FOUND)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s/" LATEST ": names %s, which is not there; " ADVICE, dir, name,
                              dir, dir);
    if (status != SNAP_OK)
        return status;
    if (strcmp(snap_archive_snapshot_hash(opened), hash) != 0) {
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s/" LATEST ": names %s with %s, and the file "
                                "has %s; " ADVICE,
                                dir, name, hash, snap_archive_snapshot_hash(opened), dir, dir);
        snap_archive_close(opened);
        return status;
    }
    *archive = opened;
    return SNAP_OK;
}

enum snap_status snap_latest_write(struct snap_store *store, const char *name, const char *hash,
                                   struct snap_error *err)
{
    struct snap_put_options options = { .mode = SNAP_PUT_REPLACE };
    struct snap_buffer text = SNAP_BUFFER_INIT;
    json_t *document = json_pack("{s:s, s:s}", "file", name, "snapshot", hash);
    enum snap_status status = snap_json_encode(document, &text, err);
    if (status == SNAP_OK)
        status = snap_store_put_bytes(store, LATEST, text.data, text.size, &options, err);
    json_decref(document);
    snap_buffer_release(&text);
    return status;
}

/* "2026-01-31T12:00:00.123Z" */
static bool format_time(char text[40])
{
    struct timespec now;
    struct tm utc;
    char seconds[24];
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 || gmtime_r(&now.tv_sec, &utc) == NULL ||
        strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        return false;
    snprintf(text, 40, "%s.%03dZ", seconds, (int)(now.tv_nsec / 1000000));
    return true;
}

static enum snap_status encode_event(const char *event, json_t *fields, struct snap_buffer *line,
                                     struct snap_error *err)
{
    char time_text[40];
    if (!format_time(time_text))
        return snap_error_set(err, SNAP_IO, "event %s: add: the clock has no time", event);
    enum snap_status status = snap_json_set(fields, "event", json_string(event), err);
    if (status == SNAP_OK)
        status = snap_json_set(fields, "time", json_string(time_text), err);
    if (status == SNAP_OK)
        status = snap_json_encode(fields, line, err);
    return status;
}

enum snap_status snap_event_add(struct snap_store *store, const char *event, json_t *fields,
                                struct snap_error *err)
{
    struct snap_buffer line = SNAP_BUFFER_INIT;
    enum snap_status status = SNAP_OK;
    if (fields == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "event %s: add: out of memory", event);
    if (status == SNAP_OK && store != NULL) {
        status = encode_event(event, fields, &line, err);
        if (status == SNAP_OK)
            status = snap_store_append(store, EVENTS, line.data, line.size, err);
    }
    json_decref(fields);
    snap_buffer_release(&line);
    return status;
}

void snap_left_over_note(struct snap_store *store, const char *file,
                         const struct snap_error *left_over)
{
    if (left_over->status != SNAP_OK)
        (void)snap_event_add(
            store, "left_over", json_pack("{s:s, s:s}", "file", file, "why", left_over->text),
            NULL);
}

static enum snap_status sweep(struct snap_store *store, int dirfd, const char *folder,
                              struct snap_error *err)
{
    int fd;
    enum snap_status status = snap_file_open(dirfd, folder, O_RDONLY | O_DIRECTORY, 0, &fd, err);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK;
    if (status != SNAP_OK)
        return status;
    status = snap_publish_leftovers(fd, true, NULL, NULL, err);
    close(fd); /* only read */
    if (status == SNAP_OK)
        status = snap_volumes_sweep(store, strcmp(folder, ".") == 0 ? "" : folder, NULL, true, NULL,
                                    NULL, err);
    return status;
}

enum snap_status snap_folder_sweep(struct snap_store *store, int dirfd, struct snap_error *err)
{
    static const char *const folders[] = { ".", "snapshots", "capsules" };
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < sizeof folders / sizeof folders[0]; i++)
        status = sweep(store, dirfd, folders[i], err);
    return status;
}
