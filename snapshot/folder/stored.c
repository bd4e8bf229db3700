/* SPDX-License-Identifier: Apache-2.0 */
/* What a store holds, and which of it is the newest. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/hex.h"
#include "folder/stored.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"

bool snap_is_uri(const char *text)
{
    return text != NULL && snap_store_is_uri(text);
}

enum snap_status snap_store_check(const char *uri, struct snap_error *err)
{
    struct snap_store *store = NULL;
    if (uri == NULL || uri[0] == '\0')
        return snap_error_set(err, SNAP_INVALID, "store: no name of one");
    enum snap_status status = snap_store_open(uri, true, &store, err);
    snap_store_close(store);
    return status;
}

/* ---- latest ---- */

enum snap_status snap_stored_latest_encode(const struct snap_stored_latest *latest,
                                           struct snap_buffer *text, struct snap_error *err)
{
    json_t *document = json_pack("{s:s, s:s, s:s, s:o}", "file", latest->file, "run",
                                 latest->run_id, "snapshot", latest->snapshot_hash, "step",
                                 snap_json_u64(latest->step));
    enum snap_status status = snap_json_encode(document, text, err);
    json_decref(document);
    return status;
}

/* Does the file's name agree with the rest? */
static bool is_consistent(const struct snap_stored_latest *latest)
{
    struct snap_stored_name name;
    size_t folder = strlen(SNAP_STORED_FOLDER "/");
    return strncmp(latest->file, SNAP_STORED_FOLDER "/", folder) == 0 &&
           snap_stored_name_parse(latest->file + folder, &name) && !name.capsule &&
           name.step == latest->step && strcmp(name.snapshot_hash, latest->snapshot_hash) == 0;
}

enum snap_status snap_stored_latest_decode(const struct snap_buffer *text, const char *where,
                                           struct snap_stored_latest *latest,
                                           struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_stored_latest made = { .step = 0 };
    unsigned char digest[SNAP_DIGEST_BYTES];
    unsigned char id[8];
    json_t *document = NULL;
    const char *file = "";
    const char *run = "";
    enum snap_status status =
        snap_json_decode(text->data != NULL ? text->data : (const void *)"", text->size,
                         SNAP_STORED_LATEST, &document, &cause);
    if (status == SNAP_OK)
        status = snap_json_check_keys(document, "file run snapshot step", SNAP_STORED_LATEST,
                                      &cause);
    if (status == SNAP_OK)
        status = snap_json_field_string(document, "file", SNAP_STORED_LATEST, &file, &cause);
    if (status == SNAP_OK)
        status = snap_json_field_string(document, "run", SNAP_STORED_LATEST, &run, &cause);
    if (status == SNAP_OK)
        status = snap_json_field_digest(document, "snapshot", "snap1", SNAP_STORED_LATEST, digest,
                                        &cause);
    if (status == SNAP_OK)
        status = snap_json_field_u64(document, "step", SNAP_STORED_LATEST, &made.step, &cause);
    if (status == SNAP_OK) {
        bool fits = strlen(file) < sizeof made.file && strlen(run) == 16 &&
                    snap_hex_decode(run, 16, id);
        snprintf(made.file, sizeof made.file, "%s", file);
        snprintf(made.run_id, sizeof made.run_id, "%s", run);
        snprintf(made.snapshot_hash, sizeof made.snapshot_hash, "%s",
                 json_string_value(json_object_get(document, "snapshot")));
        if (!fits || !is_consistent(&made))
            status = snap_error_set(&cause, SNAP_CORRUPT, "it is not what a push writes");
    }
    json_decref(document);
    if (status == SNAP_OK)
        *latest = made;
    else
        snap_error_set(err, status,
                       "%s/" SNAP_STORED_LATEST ": is broken (%.300s); name an archive yourself: "
                       "'snap list' shows them",
                       where, cause.text);
    return status;
}

enum snap_status snap_stored_latest_read(struct snap_store *store,
                                         struct snap_stored_latest *latest,
                                         struct snap_error *err)
{
    struct snap_buffer text = SNAP_BUFFER_INIT;
    enum snap_status status = snap_store_read(store, SNAP_STORED_LATEST,
                                              SNAP_MAX_STORED_LATEST_BYTES, &text, err);
    if (status == SNAP_OK)
        status = snap_stored_latest_decode(&text, snap_store_where(store), latest, err);
    snap_buffer_release(&text);
    return status;
}

enum snap_status snap_stored_latest(const char *uri, char **archive, struct snap_error *err)
{
    struct snap_store *store = NULL;
    struct snap_stored_latest latest;
    enum snap_status status = snap_store_open(uri, false, &store, err);
    if (status != SNAP_OK)
        return status;
    status = snap_stored_latest_read(store, &latest, err);
    const char *where = snap_store_where(store);
    char *made = NULL;
    if (status == SNAP_OK && asprintf(&made, "%s/%s", where, latest.file) < 0)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", uri);
    else if (status == SNAP_OK)
        *archive = made;
    snap_store_close(store);
    return status;
}

/* ---- archives ---- */

struct gathering {
    struct snap_stored *archives;
    size_t count;
};

static enum snap_status add_archive(void *arg, const char *name, uint64_t size,
                                    struct snap_error *err)
{
    struct gathering *gathering = arg;
    struct snap_stored_name parsed;
    if (!snap_stored_name_parse(name, &parsed))
        return SNAP_OK; /* somebody else's */
    struct snap_stored *archives =
        snap_array_grow(gathering->archives, gathering->count, sizeof *archives);
    if (archives == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "store: list: out of memory");
    gathering->archives = archives;
    struct snap_stored *made = &archives[gathering->count++];
    *made = (struct snap_stored){ .step = parsed.step,
                                  .bytes = size,
                                  .capsule = parsed.capsule,
                                  .partial = parsed.partial };
    snprintf(made->snapshot_hash, sizeof made->snapshot_hash, "%s", parsed.snapshot_hash);
    snprintf(made->file, sizeof made->file, SNAP_STORED_FOLDER "/%.140s", name);
    return SNAP_OK;
}

static int by_step(const void *left, const void *right)
{
    const struct snap_stored *a = left;
    const struct snap_stored *b = right;
    if (a->step != b->step)
        return a->step < b->step ? -1 : 1;
    if (a->capsule != b->capsule)
        return (int)a->capsule - (int)b->capsule;
    return strcmp(a->file, b->file);
}

/* Those that the store lists; what was found is in `list` on failure too. */
static enum snap_status gather(struct snap_store *store, struct snap_stored_list *list,
                               struct snap_error *err)
{
    struct gathering gathering = { NULL, 0 };
    enum snap_status status =
        snap_store_list(store, SNAP_STORED_FOLDER, add_archive, &gathering, err);
    if (gathering.count > 0)
        qsort(gathering.archives, gathering.count, sizeof *gathering.archives, by_step);
    list->archives = gathering.archives;
    list->count = gathering.count;
    return status;
}

static enum snap_status add_upload(void *arg, const char *name, uint64_t size,
                                   struct snap_error *err)
{
    struct snap_stored_list *list = arg;
    struct snap_stored_upload *uploads =
        snap_array_grow(list->uploads, list->upload_count, sizeof *uploads);
    if (uploads == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "store: list: out of memory");
    list->uploads = uploads;
    uploads[list->upload_count].bytes = size;
    snprintf(uploads[list->upload_count++].file, SNAP_STORED_NAME_BYTES, "%s", name);
    return SNAP_OK;
}

/* Listings of some servers come after the objects: what `latest` names is asked for. */
static enum snap_status add_unlisted(struct snap_store *store,
                                     const struct snap_stored_latest *latest,
                                     struct snap_stored_list *list, struct snap_error *err)
{
    struct gathering gathering = { list->archives, list->count };
    struct snap_ranges *ranges = NULL;
    enum snap_status status = snap_store_open_ranges(store, latest->file, &ranges, err);
    if (status == SNAP_NOT_FOUND)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s/" SNAP_STORED_LATEST ": names %s, which is not there",
                              snap_store_where(store), latest->file);
    if (status != SNAP_OK)
        return status;
    status = add_archive(&gathering, latest->file + strlen(SNAP_STORED_FOLDER "/"),
                         ranges->size_bytes, err);
    snap_ranges_close(ranges);
    list->archives = gathering.archives;
    list->count = gathering.count;
    if (status != SNAP_OK)
        return status;
    list->archives[list->count - 1].is_latest = true;
    qsort(list->archives, list->count, sizeof *list->archives, by_step);
    return SNAP_OK;
}

static enum snap_status mark_latest(struct snap_store *store, struct snap_stored_list *list,
                                    struct snap_error *err)
{
    struct snap_stored_latest latest;
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_stored_latest_read(store, &latest, &cause);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK; /* nothing was pushed, or capsules alone */
    if (status != SNAP_OK) {
        if (err != NULL)
            *err = cause;
        return status;
    }
    snprintf(list->run_id, sizeof list->run_id, "%s", latest.run_id);
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->archives[i].file, latest.file) == 0) {
            list->archives[i].is_latest = true;
            return SNAP_OK;
        }
    return add_unlisted(store, &latest, list, err);
}

enum snap_status snap_stored_list_archives(struct snap_store *store, struct snap_stored_list *list,
                                           struct snap_error *err)
{
    struct snap_stored_list made = SNAP_STORED_LIST_INIT;
    enum snap_status status = gather(store, &made, err);
    if (status == SNAP_OK)
        status = mark_latest(store, &made, err);
    if (status == SNAP_OK)
        *list = made;
    else
        snap_stored_list_release(&made);
    return status;
}

enum snap_status snap_stored_list_read(const char *uri, struct snap_stored_list *list,
                                       struct snap_error *err)
{
    struct snap_stored_list made = SNAP_STORED_LIST_INIT;
    struct snap_store *store = NULL;
    bool told = true;
    if (uri == NULL || list == NULL || list->size_bytes != sizeof *list)
        return snap_error_set(err, SNAP_INVALID,
                              "store: no name of one, or no SNAP_STORED_LIST_INIT");
    enum snap_status status = snap_store_open(uri, false, &store, err);
    if (status != SNAP_OK)
        return status;
    status = snap_stored_list_archives(store, &made, err);
    if (status == SNAP_OK)
        status = snap_store_uploads(store, false, add_upload, &made, &told, err);
    made.uploads_unknown = !told;
    if (!told)
        made.upload_count = 0; /* what is known of some is not all */
    snap_store_close(store);
    if (status == SNAP_OK)
        *list = made;
    else
        snap_stored_list_release(&made);
    return status;
}

void snap_stored_list_release(struct snap_stored_list *list)
{
    free(list->archives);
    free(list->uploads);
    *list = (struct snap_stored_list)SNAP_STORED_LIST_INIT;
}

struct given_up {
    uint64_t count;
    uint64_t bytes;
};

static enum snap_status count_upload(void *arg, const char *name, uint64_t size,
                                     struct snap_error *err)
{
    struct given_up *given_up = arg;
    (void)name;
    (void)err;
    given_up->count++;
    given_up->bytes += size;
    return SNAP_OK;
}

enum snap_status snap_stored_give_up(const char *uri, uint64_t *count, uint64_t *bytes,
                                     struct snap_error *err)
{
    struct given_up given_up = { 0, 0 };
    struct snap_store *store = NULL;
    if (uri == NULL)
        return snap_error_set(err, SNAP_INVALID, "store: no name of one");
    enum snap_status status = snap_store_open(uri, false, &store, err);
    if (status != SNAP_OK)
        return status;
    status = snap_store_uploads(store, true, count_upload, &given_up, NULL, err);
    snap_store_close(store);
    if (status == SNAP_OK && count != NULL)
        *count = given_up.count;
    if (status == SNAP_OK && bytes != NULL)
        *bytes = given_up.bytes;
    return status;
}
