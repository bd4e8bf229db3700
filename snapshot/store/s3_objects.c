/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "store/s3_objects.h"
#include "store/s3_pages.h"

/* Objects of one folder: a bound on what a server can have us hold. */
#define MOST_OBJECTS ((size_t)1 << 20)

void snap_s3_objects_release(struct snap_s3_objects *objects)
{
    for (size_t i = 0; i < objects->count; i++)
        free(objects->items[i].name);
    free(objects->items);
    *objects = (struct snap_s3_objects){ NULL, 0 };
}

/* A page of a listing while it is read. */
struct page {
    const struct snap_s3 *s3;
    const char *folder;
    struct snap_s3_objects *objects;
    char *name; /* of the object under way; NULL: none, or none of ours */
    bool has_size;
    uint64_t size;
    struct snap_s3_pages pages;
    char token[SNAP_XML_TEXT_BYTES + 1];
};

/* The name of a key right in the folder; NULL: it is no such. */
static const char *name_of(const struct page *page, const char *key)
{
    size_t prefix = strlen(page->s3->config.prefix);
    size_t folder = strlen(page->folder);
    if (strncmp(key, page->s3->config.prefix, prefix) != 0)
        return NULL;
    key += prefix;
    if (folder > 0 && (strncmp(key, page->folder, folder) != 0 || key[folder] != '/'))
        return NULL;
    key += folder > 0 ? folder + 1 : 0;
    return key[0] != '\0' && key[0] != '.' && strchr(key, '/') == NULL ? key : NULL;
}

static enum snap_status add_object(struct page *page, struct snap_error *err)
{
    struct snap_s3_objects *objects = page->objects;
    struct snap_s3_object *items = snap_array_grow(objects->items, objects->count, sizeof *items);
    if (items == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: listing: out of memory", page->s3->where);
    objects->items = items;
    if (objects->count == MOST_OBJECTS)
        return snap_error_set(err, SNAP_UNSUPPORTED, "%s: listing: more than %zu objects",
                              page->s3->where, MOST_OBJECTS);
    items[objects->count++] = (struct snap_s3_object){ page->name, page->size };
    page->name = NULL;
    return SNAP_OK;
}

static enum snap_status take_element(void *arg, const char *parent, const char *name,
                                     const char *text, struct snap_error *err)
{
    struct page *page = arg;
    if (strcmp(parent, "Contents") == 0 && text != NULL && strcmp(name, "Key") == 0) {
        const char *found = name_of(page, text);
        free(page->name);
        page->name = found != NULL ? strdup(found) : NULL;
        if (found != NULL && page->name == NULL)
            return snap_error_set(err, SNAP_NO_MEMORY, "%s: listing: out of memory",
                                  page->s3->where);
    } else if (strcmp(parent, "Contents") == 0 && text != NULL && strcmp(name, "Size") == 0) {
        page->has_size = snap_xml_number(text, &page->size);
    } else if (strcmp(name, "Contents") == 0) {
        enum snap_status status = SNAP_OK;
        if (page->name != NULL && page->has_size)
            status = add_object(page, err);
        free(page->name);
        page->name = NULL;
        page->has_size = false;
        return status;
    } else if (strcmp(name, "IsTruncated") == 0 && text != NULL) {
        page->pages.truncated = strcmp(text, "true") == 0;
    } else if (strcmp(name, "NextContinuationToken") == 0 && text != NULL) {
        strcpy(page->token, text); /* texts are no longer */
    }
    return SNAP_OK;
}

static enum snap_status make_query(void *arg, struct snap_buffer *query, struct snap_error *err)
{
    const struct page *page = arg;
    enum snap_status status = SNAP_OK;
    if (page->token[0] != '\0')
        status = snap_s3_add_parameter(query, "continuation-token", page->token, err);
    if (status == SNAP_OK)
        status = snap_s3_add_parameter(query, "delimiter", "/", err);
    if (status == SNAP_OK)
        status = snap_s3_add_parameter(query, "list-type", "2", err);
    if (status == SNAP_OK)
        status = snap_s3_add_parameter(query, "prefix", page->s3->config.prefix, err);
    if (status == SNAP_OK)
        status = snap_s3_encode(query, page->folder, false, err);
    if (status == SNAP_OK && page->folder[0] != '\0')
        status = snap_s3_encode(query, "/", false, err);
    return status;
}

static int compare_objects(const void *left, const void *right)
{
    return strcmp(((const struct snap_s3_object *)left)->name,
                  ((const struct snap_s3_object *)right)->name);
}

enum snap_status snap_s3_list(struct snap_s3 *s3, const char *folder,
                              struct snap_s3_objects *objects, struct snap_error *err)
{
    struct page *page = calloc(1, sizeof *page);
    *objects = (struct snap_s3_objects){ NULL, 0 };
    if (page == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: listing: out of memory", s3->where);
    page->s3 = s3;
    page->folder = folder;
    page->objects = objects;
    page->pages = (struct snap_s3_pages){
        .what = "listing it", .query = make_query, .element = take_element, .arg = page
    };
    enum snap_status status = snap_s3_pages_read(s3, &page->pages, err);
    free(page->name);
    free(page);
    if (status != SNAP_OK)
        snap_s3_objects_release(objects);
    else if (objects->count > 0)
        qsort(objects->items, objects->count, sizeof *objects->items, compare_objects);
    return status;
}

enum snap_status snap_s3_look(struct snap_s3 *s3, const char *name, bool *there, uint64_t *size,
                              char etag[SNAP_S3_ETAG_BYTES], struct snap_error *err)
{
    const struct snap_s3_request request = { .method = "HEAD",
                                             .what = "looking for it",
                                             .name = name };
    struct snap_s3_response response = SNAP_S3_RESPONSE_INIT;
    enum snap_status status = snap_s3_send(s3, &request, &response, err);
    if (status != SNAP_OK)
        return status;
    *there = snap_s3_is_done(&response);
    if (!*there && response.status != 404)
        status = snap_s3_refused(s3, &request, &response, err);
    else if (*there && !response.has_size)
        status = snap_error_set(err, SNAP_IO, "%s/%s: the server does not say its size", s3->where,
                                name);
    if (status == SNAP_OK && *there) {
        *size = response.size_bytes;
        strcpy(etag, response.etag);
    }
    snap_s3_response_release(&response);
    return status;
}
