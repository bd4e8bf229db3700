/* SPDX-License-Identifier: Apache-2.0 */
/* What a server holds of uploads that are not complete. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "store/s3_parts.h"
#include "store/xml_reader.h"

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
    bool truncated;
    char marker[SNAP_XML_TEXT_BYTES + 1];
    char second_marker[SNAP_XML_TEXT_BYTES + 1];
    /* Uploads. */
    struct snap_s3_uploads *uploads;
    const char *wanted; /* NULL: all */
    struct snap_s3_upload upload;
    /* Parts. */
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
        if (items == NULL || uploads->count == MOST_UPLOADS) {
            status = out_of_memory(page, err);
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
        page->truncated = strcmp(text, "true") == 0;
    else if (strcmp(name, "NextKeyMarker") == 0)
        strcpy(page->marker, text); /* texts are no longer */
    else if (strcmp(name, "NextUploadIdMarker") == 0)
        strcpy(page->second_marker, text);
    return SNAP_OK;
}

static enum snap_status add_parameter(struct snap_buffer *query, const char *key,
                                      const char *value, struct snap_error *err)
{
    enum snap_status status =
        snap_buffer_appendf(query, err, "%s%s=", query->size > 0 ? "&" : "", key);
    return status == SNAP_OK ? snap_s3_encode(query, value, false, err) : status;
}

/* Parameters are sorted, as the signature wants them. */
static enum snap_status uploads_query(const struct page *page, struct snap_buffer *query,
                                      struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    struct snap_buffer prefix = SNAP_BUFFER_INIT;
    query->size = 0;
    if (page->marker[0] != '\0')
        status = add_parameter(query, "key-marker", page->marker, err);
    if (status == SNAP_OK)
        status = snap_buffer_append_text(&prefix, page->s3->config.prefix, err);
    if (status == SNAP_OK && page->wanted != NULL)
        status = snap_buffer_append_text(&prefix, page->wanted, err);
    if (status == SNAP_OK)
        status = add_parameter(query, "prefix",
                               prefix.data != NULL ? (const char *)prefix.data : "", err);
    if (status == SNAP_OK && page->marker[0] != '\0' && page->second_marker[0] != '\0')
        status = add_parameter(query, "upload-id-marker", page->second_marker, err);
    if (status == SNAP_OK)
        status = add_parameter(query, "uploads", "", err);
    snap_buffer_release(&prefix);
    return status;
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
        page->truncated = strcmp(text, "true") == 0;
    } else if (strcmp(name, "NextPartNumberMarker") == 0) {
        strcpy(page->marker, text);
    }
    return SNAP_OK;
}

static enum snap_status parts_query(const struct page *page, const char *id,
                                    struct snap_buffer *query, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    query->size = 0;
    if (page->marker[0] != '\0')
        status = add_parameter(query, "part-number-marker", page->marker, err);
    return status == SNAP_OK ? add_parameter(query, "uploadId", id, err) : status;
}

/* ---- pages ---- */

/* Ask for page after page. A marker that stays where it is would never end. */
static enum snap_status read_pages(struct snap_s3 *s3, struct page *page,
                                   const struct snap_s3_upload *upload, struct snap_error *err)
{
    struct snap_buffer query = SNAP_BUFFER_INIT;
    struct snap_buffer before = SNAP_BUFFER_INIT;
    enum snap_status status = SNAP_OK;
    page->truncated = true;
    while (status == SNAP_OK && page->truncated) {
        struct snap_s3_response response = SNAP_S3_RESPONSE_INIT;
        struct snap_s3_request request = { .method = "GET",
                                           .what = "listing unfinished uploads",
                                           .name = upload != NULL ? upload->name : NULL };
        status = upload != NULL ? parts_query(page, upload->id, &query, err)
                                : uploads_query(page, &query, err);
        if (status == SNAP_OK && before.size == query.size && query.size > 0 &&
            memcmp(before.data, query.data, query.size) == 0)
            status = snap_error_set(err, SNAP_CORRUPT,
                                    "%s: listing unfinished uploads: the server gives the same "
                                    "page again",
                                    s3->where);
        before.size = 0;
        if (status == SNAP_OK)
            status = snap_buffer_append(&before, query.data, query.size, err);
        request.query = (const char *)query.data;
        if (status == SNAP_OK)
            status = snap_s3_send(s3, &request, &response, err);
        if (status != SNAP_OK)
            break;
        page->truncated = false;
        if (!snap_s3_is_done(&response))
            status = snap_s3_refused(s3, &request, &response, err);
        else
            status = snap_xml_read(response.body.data, response.body.size, s3->where,
                                   upload != NULL ? take_part : take_upload, page, err);
        snap_s3_response_release(&response);
    }
    snap_buffer_release(&before);
    snap_buffer_release(&query);
    return status;
}

enum snap_status snap_s3_uploads_list(struct snap_s3 *s3, const char *name,
                                      struct snap_s3_uploads *uploads, struct snap_error *err)
{
    struct page *page = calloc(1, sizeof *page);
    *uploads = (struct snap_s3_uploads){ NULL, 0 };
    if (page == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", s3->where);
    page->s3 = s3;
    page->uploads = uploads;
    page->wanted = name;
    enum snap_status status = read_pages(s3, page, NULL, err);
    free(page->upload.name);
    free(page->upload.id);
    free(page);
    if (status != SNAP_OK)
        snap_s3_uploads_release(uploads);
    return status;
}

enum snap_status snap_s3_parts_list(struct snap_s3 *s3, const struct snap_s3_upload *upload,
                                    struct snap_s3_part *parts, uint64_t *bytes,
                                    struct snap_error *err)
{
    struct page *page = calloc(1, sizeof *page);
    if (page == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", s3->where);
    memset(parts, 0, SNAP_S3_MOST_PARTS * sizeof *parts);
    page->s3 = s3;
    page->parts = parts;
    enum snap_status status = read_pages(s3, page, upload, err);
    if (status == SNAP_OK)
        *bytes = page->bytes;
    free(page);
    return status;
}
