/* SPDX-License-Identifier: Apache-2.0 */
/* What a server holds of uploads that are not complete. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "store/s3_pages.h"
#include "store/s3_parts.h"

/* A bound on what a server can have us hold. */
#define MOST_UPLOADS ((size_t)1 << 16)

void snap_s3_uploads_release(struct snap_s3_uploads *uploads)
{
    for (size_t i = 0; i < uploads->count; i++) {
        free(uploads->items[i].name);
        free(uploads->items[i].id);
    }
    free(uploads->items);
    *uploads = (struct snap_s3_uploads){ NULL, 0 };
}

/* A page of a listing, of uploads or of parts. */
struct page {
    const struct snap_s3 *s3;
    struct snap_s3_pages pages;
    char marker[SNAP_XML_TEXT_BYTES + 1];
    char second_marker[SNAP_XML_TEXT_BYTES + 1];
    /* Uploads. */
    struct snap_s3_uploads *uploads;
    const char *wanted; /* NULL: all */
    struct snap_s3_upload upload;
    /* Parts. */
    const char *id; /* of the upload */
    struct snap_s3_part *parts;
    uint64_t bytes;
    uint64_t number;
    struct snap_s3_part part;
};

static enum snap_status out_of_memory(const struct page *page, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", page->s3->where);
}

static enum snap_status copy_text(const struct page *page, const char *text, char **copy,
                                  struct snap_error *err)
{
    free(*copy);
    *copy = strdup(text);
    return *copy != NULL ? SNAP_OK : out_of_memory(page, err);
}

/* ---- uploads ---- */

#define ARCHIVES "archives/"

/* A name that a push writes: uploads of other programs, and of stores below, are theirs. */
static bool is_stored(const char *name)
{
    size_t folder = strlen(ARCHIVES);
    return (strncmp(name, ARCHIVES, folder) == 0 && strchr(name + folder, '/') == NULL) ||
           strcmp(name, "config.json") == 0 || strcmp(name, "ledger.jsonl") == 0;
}

static enum snap_status add_upload(struct page *page, struct snap_error *err)
{
    struct snap_s3_uploads *uploads = page->uploads;
    struct snap_s3_upload *upload = &page->upload;
    size_t prefix = strlen(page->s3->config.prefix);
    bool ours = upload->name != NULL && upload->id != NULL &&
                strncmp(upload->name, page->s3->config.prefix, prefix) == 0 &&
                (page->wanted == NULL ? is_stored(upload->name + prefix)
                                      : strcmp(upload->name + prefix, page->wanted) == 0);
    enum snap_status status = SNAP_OK;
    if (ours) {
        struct snap_s3_upload *items =
            snap_array_grow(uploads->items, uploads->count, sizeof *items);
        if (items != NULL)
            uploads->items = items;
        if (items == NULL) {
            status = out_of_memory(page, err);
        } else if (uploads->count == MOST_UPLOADS) {
            status = snap_error_set(err, SNAP_UNSUPPORTED,
                                    "%s: listing unfinished uploads: more than %zu",
                                    page->s3->where, MOST_UPLOADS);
        } else {
            memmove(upload->name, upload->name + prefix, strlen(upload->name + prefix) + 1);
            items[uploads->count++] = *upload;
            *upload = (struct snap_s3_upload){ NULL, NULL };
        }
    }
    free(upload->name);
    free(upload->id);
    *upload = (struct snap_s3_upload){ NULL, NULL };
    return status;
}

static enum snap_status take_upload(void *arg, const char *parent, const char *name,
                                    const char *text, struct snap_error *err)
{
    struct page *page = arg;
    if (strcmp(name, "Upload") == 0)
        return add_upload(page, err);
    if (text == NULL)
        return SNAP_OK;
    if (strcmp(parent, "Upload") == 0 && strcmp(name, "Key") == 0)
        return copy_text(page, text, &page->upload.name, err);
    if (strcmp(parent, "Upload") == 0 && strcmp(name, "UploadId") == 0)
        return copy_text(page, text, &page->upload.id, err);
    if (strcmp(name, "IsTruncated") == 0)
        page->pages.truncated = strcmp(text, "true") == 0;
    else if (strcmp(name, "NextKeyMarker") == 0)
        strcpy(page->marker, text); /* texts are no longer */
    else if (strcmp(name, "NextUploadIdMarker") == 0)
        strcpy(page->second_marker, text);
    return SNAP_OK;
}

static enum snap_status uploads_query(void *arg, struct snap_buffer *query, struct snap_error *err)
{
    const struct page *page = arg;
    enum snap_status status = SNAP_OK;
    if (page->marker[0] != '\0')
        status = snap_s3_add_parameter(query, "key-marker", page->marker, err);
    if (status == SNAP_OK)
        status = snap_s3_add_parameter(query, "prefix", page->s3->config.prefix, err);
    if (status == SNAP_OK && page->wanted != NULL)
        status = snap_s3_encode(query, page->wanted, false, err);
    if (status == SNAP_OK && page->marker[0] != '\0' && page->second_marker[0] != '\0')
        status = snap_s3_add_parameter(query, "upload-id-marker", page->second_marker, err);
    return status == SNAP_OK ? snap_s3_add_parameter(query, "uploads", "", err) : status;
}

/* ---- parts ---- */

static enum snap_status take_part(void *arg, const char *parent, const char *name,
                                  const char *text, struct snap_error *err)
{
    struct page *page = arg;
    (void)err;
    if (strcmp(name, "Part") == 0) {
        if (page->part.there && page->number >= 1 && page->number <= SNAP_S3_MOST_PARTS &&
            page->part.size_bytes <= SNAP_S3_MOST_PART_BYTES) {
            page->parts[page->number - 1] = page->part;
            page->bytes += page->part.size_bytes;
        }
        page->part = (struct snap_s3_part){ .there = false };
        page->number = 0;
    }
    if (text == NULL)
        return SNAP_OK;
    if (strcmp(parent, "Part") == 0 && strcmp(name, "PartNumber") == 0) {
        page->part.there = snap_xml_number(text, &page->number);
    } else if (strcmp(parent, "Part") == 0 && strcmp(name, "Size") == 0) {
        if (!snap_xml_number(text, &page->part.size_bytes))
            page->part.size_bytes = UINT64_MAX;
    } else if (strcmp(parent, "Part") == 0 && strcmp(name, "ETag") == 0) {
        if (strlen(text) < sizeof page->part.etag)
            strcpy(page->part.etag, text);
    } else if (strcmp(name, "IsTruncated") == 0) {
        page->pages.truncated = strcmp(text, "true") == 0;
    } else if (strcmp(name, "NextPartNumberMarker") == 0) {
        strcpy(page->marker, text);
    }
    return SNAP_OK;
}

static enum snap_status parts_query(void *arg, struct snap_buffer *query, struct snap_error *err)
{
    const struct page *page = arg;
    enum snap_status status = SNAP_OK;
    if (page->marker[0] != '\0')
        status = snap_s3_add_parameter(query, "part-number-marker", page->marker, err);
    return status == SNAP_OK ? snap_s3_add_parameter(query, "uploadId", page->id, err) : status;
}

/* ---- both ---- */

/* Does the server refuse to tell, whoever asks or this one? */
static bool is_secret(long status)
{
    return status == 401 || status == 403 || status == 405 || status == 501;
}

/* Where `secret` is not NULL, that the server does not tell is no failure. */
static enum snap_status read_pages(struct snap_s3 *s3, struct page *page, bool *secret,
                                   struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    page->pages.what = "listing unfinished uploads";
    page->pages.arg = page;
    enum snap_status status = snap_s3_pages_read(s3, &page->pages, &cause);
    if (secret != NULL)
        *secret = status != SNAP_OK && is_secret(page->pages.refused);
    if (secret != NULL && *secret)
        return SNAP_OK;
    if (status != SNAP_OK && err != NULL)
        *err = cause;
    return status;
}

enum snap_status snap_s3_uploads_list(struct snap_s3 *s3, const char *name,
                                      struct snap_s3_uploads *uploads, bool *secret,
                                      struct snap_error *err)
{
    struct page *page = calloc(1, sizeof *page);
    *uploads = (struct snap_s3_uploads){ NULL, 0 };
    if (page == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", s3->where);
    page->s3 = s3;
    page->uploads = uploads;
    page->wanted = name;
    page->pages.query = uploads_query;
    page->pages.element = take_upload;
    enum snap_status status = read_pages(s3, page, secret, err);
    free(page->upload.name);
    free(page->upload.id);
    free(page);
    if (status != SNAP_OK)
        snap_s3_uploads_release(uploads);
    return status;
}

enum snap_status snap_s3_parts_list(struct snap_s3 *s3, const struct snap_s3_upload *upload,
                                    struct snap_s3_part *parts, uint64_t *bytes, bool *secret,
                                    struct snap_error *err)
{
    struct page *page = calloc(1, sizeof *page);
    if (page == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", s3->where);
    memset(parts, 0, SNAP_S3_MOST_PARTS * sizeof *parts);
    page->s3 = s3;
    page->id = upload->id;
    page->parts = parts;
    page->pages.name = upload->name;
    page->pages.query = parts_query;
    page->pages.element = take_part;
    enum snap_status status = read_pages(s3, page, secret, err);
    if (status == SNAP_OK)
        *bytes = page->bytes;
    free(page);
    return status;
}
