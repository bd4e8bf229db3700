/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "store/s3_pages.h"
#include "store/s3_parts.h"

static enum snap_status out_of_memory(const struct snap_s3 *s3, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", s3->where);
}

/* Send a request about an upload, "uploadId=ID" after what the query has; the answer must be a
 * success or be one of the statuses in `also` (0 ends them). */
static enum snap_status ask(struct snap_s3 *s3, struct snap_s3_request *request,
                            const struct snap_s3_upload *upload, struct snap_buffer *query,
                            const long *also, struct snap_s3_response *response,
                            struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (upload->id != NULL)
        status = snap_s3_add_parameter(query, "uploadId", upload->id, err);
    if (status != SNAP_OK)
        return status;
    request->name = upload->name;
    request->query = (const char *)query->data;
    status = snap_s3_send(s3, request, response, err);
    if (status != SNAP_OK)
        return status;
    bool expected = snap_s3_is_done(response) && (!request->patient || response->code[0] == '\0');
    for (size_t i = 0; also != NULL && also[i] != 0; i++)
        expected = expected || response->status == also[i];
    if (expected)
        return SNAP_OK;
    status = snap_s3_refused(s3, request, response, err);
    snap_s3_response_release(response);
    return status;
}

/* ---- part and upload ---- */

struct id {
    char *text;
};

static enum snap_status take_id(void *arg, const char *parent, const char *name, const char *text,
                                struct snap_error *err)
{
    struct id *id = arg;
    (void)parent;
    if (text == NULL || strcmp(name, "UploadId") != 0 || id->text != NULL)
        return SNAP_OK;
    id->text = strdup(text);
    return id->text != NULL ? SNAP_OK : snap_error_set(err, SNAP_NO_MEMORY, "s3: out of memory");
}

enum snap_status snap_s3_upload_begin(struct snap_s3 *s3, const char *name,
                                      struct snap_s3_upload *upload, struct snap_error *err)
{
    struct snap_s3_request request = { .method = "POST",
                                       .what = "beginning to send it in parts",
                                       .body = "" };
    struct snap_s3_upload made = { .name = strdup(name) };
    struct snap_s3_response response = SNAP_S3_RESPONSE_INIT;
    struct snap_buffer query = SNAP_BUFFER_INIT;
    struct id id = { NULL };
    enum snap_status status =
        made.name != NULL ? snap_buffer_append_text(&query, "uploads=", err)
                          : out_of_memory(s3, err);
    if (status == SNAP_OK)
        status = ask(s3, &request, &made, &query, NULL, &response, err);
    if (status == SNAP_OK) {
        status = snap_xml_read(response.body.data, response.body.size, s3->where, take_id, &id,
                               err);
        snap_s3_response_release(&response);
    }
    if (status == SNAP_OK && (id.text == NULL || id.text[0] == '\0'))
        status = snap_error_set(err, SNAP_CORRUPT,
                                "%s/%s: the server begins to take parts and gives no upload id",
                                s3->where, name);
    snap_buffer_release(&query);
    if (status != SNAP_OK) {
        free(id.text);
        free(made.name);
        return status;
    }
    *upload = (struct snap_s3_upload){ made.name, id.text };
    return SNAP_OK;
}

enum snap_status snap_s3_upload_part(struct snap_s3 *s3, const struct snap_s3_upload *upload,
                                     unsigned number, const unsigned char *data, size_t size_bytes,
                                     struct snap_s3_part *part, struct snap_error *err)
{
    struct snap_s3_request request = { .method = "PUT",
                                       .what = "sending a part",
                                       .body = data,
                                       .body_bytes = size_bytes };
    struct snap_s3_response response = SNAP_S3_RESPONSE_INIT;
    struct snap_buffer query = SNAP_BUFFER_INIT;
    enum snap_status status = snap_buffer_appendf(&query, err, "partNumber=%u", number);
    if (status == SNAP_OK)
        status = ask(s3, &request, upload, &query, NULL, &response, err);
    snap_buffer_release(&query);
    if (status != SNAP_OK)
        return status;
    if (response.etag[0] == '\0')
        status = snap_error_set(err, SNAP_CORRUPT, "%s/%s: part %u was taken without an ETag",
                                s3->where, upload->name, number);
    else
        *part = (struct snap_s3_part){ .there = true, .size_bytes = size_bytes };
    if (status == SNAP_OK)
        strcpy(part->etag, response.etag);
    snap_s3_response_release(&response);
    return status;
}

/* An ETag is the server's text: only what XML takes as it is goes back. */
static enum snap_status add_etag(struct snap_buffer *body, const char *etag, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (; status == SNAP_OK && *etag != '\0'; etag++)
        status = *etag == '"'   ? snap_buffer_append_text(body, "&quot;", err)
                 : *etag == '&' ? snap_buffer_append_text(body, "&amp;", err)
                 : *etag == '<' ? snap_buffer_append_text(body, "&lt;", err)
                                : snap_buffer_append(body, etag, 1, err);
    return status;
}

static enum snap_status list_parts(const struct snap_s3_part *parts, size_t count,
                                   struct snap_buffer *body, struct snap_error *err)
{
    enum snap_status status = snap_buffer_append_text(body, "<CompleteMultipartUpload>", err);
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        status = snap_buffer_appendf(body, err, "<Part><PartNumber>%zu</PartNumber><ETag>", i + 1);
        if (status == SNAP_OK)
            status = add_etag(body, parts[i].etag, err);
        if (status == SNAP_OK)
            status = snap_buffer_append_text(body, "</ETag></Part>", err);
    }
    if (status == SNAP_OK)
        status = snap_buffer_append_text(body, "</CompleteMultipartUpload>", err);
    return status;
}

enum snap_status snap_s3_upload_complete(struct snap_s3 *s3, const struct snap_s3_upload *upload,
                                         const struct snap_s3_part *parts, size_t count,
                                         bool exclusive, long *status_code,
                                         struct snap_error *err)
{
    static const long also[] = { 404, 412, 0 };
    struct snap_s3_request request = { .method = "POST",
                                       .what = "making the object of its parts",
                                       .if_none_match = exclusive,
                                       .patient = true };
    struct snap_s3_response response = SNAP_S3_RESPONSE_INIT;
    struct snap_buffer query = SNAP_BUFFER_INIT;
    struct snap_buffer body = SNAP_BUFFER_INIT;
    enum snap_status status = list_parts(parts, count, &body, err);
    request.body = body.data;
    request.body_bytes = body.size;
    if (status == SNAP_OK)
        status = ask(s3, &request, upload, &query, also, &response, err);
    if (status == SNAP_OK) {
        *status_code = response.status;
        snap_s3_response_release(&response);
    }
    snap_buffer_release(&body);
    snap_buffer_release(&query);
    return status;
}

enum snap_status snap_s3_upload_abort(struct snap_s3 *s3, const struct snap_s3_upload *upload,
                                      struct snap_error *err)
{
    static const long also[] = { 404, 0 };
    struct snap_s3_request request = { .method = "DELETE", .what = "giving up an upload" };
    struct snap_s3_response response = SNAP_S3_RESPONSE_INIT;
    struct snap_buffer query = SNAP_BUFFER_INIT;
    enum snap_status status = ask(s3, &request, upload, &query, also, &response, err);
    if (status == SNAP_OK)
        snap_s3_response_release(&response);
    snap_buffer_release(&query);
    return status;
}
