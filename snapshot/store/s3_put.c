/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/content_cursor.h"
#include "store/s3_objects.h"
#include "store/s3_parts.h"
#include "store/s3_put.h"

/* Large enough that a request costs little, small enough that one broken off costs little, and that
 * a few of them fit into memory. */
#define PART_BYTES ((uint64_t)16 << 20)
#define PART_STEP_BYTES ((uint64_t)1 << 20)
#define CONNECTIONS 4u
#define MOST_CONNECTIONS 32u
#define COMPARE_BYTES ((size_t)4 << 20)

enum snap_status snap_s3_put_if(struct snap_s3 *s3, const char *name, const void *data,
                                size_t size_bytes, const char *etag, bool *done,
                                bool *conditional, struct snap_error *err)
{
    struct snap_s3_request request = { .method = "PUT",
                                       .what = "writing",
                                       .name = name,
                                       .body = size_bytes > 0 ? data : "",
                                       .body_bytes = size_bytes };
    if (etag != NULL && atomic_load(&s3->no_conditions))
        *conditional = false;
    for (;;) {
        struct snap_s3_response response = SNAP_S3_RESPONSE_INIT;
        bool asks = etag != NULL && *conditional;
        request.if_none_match = asks && etag[0] == '\0';
        request.if_match = asks && etag[0] != '\0' ? etag : NULL;
        enum snap_status status = snap_s3_send(s3, &request, &response, err);
        if (status != SNAP_OK)
            return status;
        long code = response.status;
        /* What should be matched can have been removed. */
        bool gone = code == 404 && request.if_match != NULL &&
                    strcmp(response.code, "NoSuchBucket") != 0;
        *done = snap_s3_is_done(&response);
        if (!*done && !(asks && (code == 501 || code == 412 || gone)))
            status = snap_s3_refused(s3, &request, &response, err);
        snap_s3_response_release(&response);
        if (status != SNAP_OK || *done || code != 501)
            return status;
        /* S3's way to create only once is not in every server: without it, and it is told. */
        atomic_store(&s3->no_conditions, true);
        *conditional = false;
    }
}

/* The object is compared a piece at a time. */
static enum snap_status compare_pieces(struct snap_ranges *ranges,
                                       const struct snap_content *content, bool *same,
                                       struct snap_error *err)
{
    struct snap_content_cursor cursor;
    unsigned char *ours = malloc(COMPARE_BYTES);
    unsigned char *theirs = malloc(COMPARE_BYTES);
    enum snap_status status = SNAP_OK;
    if (ours == NULL || theirs == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "s3: comparing: out of memory");
    snap_content_cursor_init(&cursor, content);
    for (uint64_t offset = 0; status == SNAP_OK;) {
        uint64_t left = content->size_bytes - offset;
        size_t size = left < COMPARE_BYTES ? (size_t)left : COMPARE_BYTES;
        status = snap_content_cursor_read(&cursor, ours, size, err);
        if (status == SNAP_OK && size > 0 && *same)
            status = ranges->ops->read(ranges, theirs, size, offset, err);
        if (status == SNAP_OK && size > 0)
            *same = *same && memcmp(ours, theirs, size) == 0;
        offset += size;
        if (offset == content->size_bytes)
            break;
    }
    snap_content_cursor_release(&cursor);
    free(theirs);
    free(ours);
    return status;
}

enum snap_status snap_s3_compare(struct snap_s3 *s3, const char *name,
                                 const struct snap_content *content, bool *same,
                                 struct snap_error *err)
{
    struct snap_ranges *ranges = NULL;
    enum snap_status status = snap_s3_open_ranges(s3, name, &ranges, err);
    if (status != SNAP_OK)
        return status;
    *same = ranges->size_bytes == content->size_bytes;
    if (*same)
        status = compare_pieces(ranges, content, same, err);
    snap_ranges_close(ranges);
    return status;
}

/* The name is taken: by the same bytes, or by others. */
static enum snap_status meet_existing(struct snap_s3 *s3, const char *name,
                                      const struct snap_content *content, bool exclusive,
                                      struct snap_put_note *note, struct snap_error *err)
{
    bool same = false;
    enum snap_status status = snap_s3_compare(s3, name, content, &same, err);
    if (status == SNAP_OK && !same && !exclusive)
        return snap_error_set(err, SNAP_IO,
                              "%s/%s: another writes it too, and has ended the upload: push it "
                              "again",
                              s3->where, name);
    if (status == SNAP_OK && !same)
        return snap_error_set(err, SNAP_DIFFERS, "%s/%s: is there already, with other content",
                              s3->where, name);
    /* When all of it was sent it is ours: the answer to the last call was lost. */
    note->was_there = status == SNAP_OK && note->sent_bytes < content->size_bytes;
    return status;
}

/* In one request. */
static enum snap_status put_whole(struct snap_s3 *s3, const char *name,
                                  const struct snap_content *content, bool exclusive, bool *taken,
                                  struct snap_put_note *note, struct snap_error *err)
{
    size_t size = (size_t)content->size_bytes;
    struct snap_content_cursor cursor;
    unsigned char *bytes = malloc(size > 0 ? size : 1);
    bool conditional = true;
    bool done = false;
    if (bytes == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s/%s: out of memory", s3->where, name);
    snap_content_cursor_init(&cursor, content);
    enum snap_status status = snap_content_cursor_read(&cursor, bytes, size, err);
    if (status == SNAP_OK)
        status = snap_s3_put_if(s3, name, bytes, size, exclusive ? "" : NULL, &done, &conditional,
                                err);
    if (status == SNAP_OK) {
        note->not_exclusive = exclusive && !conditional;
        note->sent_bytes += done ? size : 0;
        *taken = !done;
    }
    snap_content_cursor_release(&cursor);
    free(bytes);
    return status;
}

/* Bytes of a part: as asked for, and so many that there are not too many parts. */
static uint64_t choose_part_bytes(uint64_t size, uint64_t wanted)
{
    uint64_t bytes = wanted > 0 ? wanted : PART_BYTES;
    uint64_t least = (size + SNAP_S3_MOST_PARTS - 1) / SNAP_S3_MOST_PARTS;
    if (bytes < SNAP_S3_LEAST_PART_BYTES)
        bytes = SNAP_S3_LEAST_PART_BYTES;
    if (bytes < least)
        bytes = (least + PART_STEP_BYTES - 1) / PART_STEP_BYTES * PART_STEP_BYTES;
    return bytes;
}

enum snap_status snap_s3_put(struct snap_s3 *s3, const char *name,
                             const struct snap_content *content,
                             const struct snap_put_options *options, struct snap_error *err)
{
    struct snap_put_note unwanted = { .was_there = false };
    struct snap_put_options chosen = *options;
    bool exclusive = options->mode == SNAP_PUT_CREATE;
    char etag[SNAP_S3_ETAG_BYTES];
    bool there = false;
    bool taken = false;
    uint64_t size;
    enum snap_status status = SNAP_OK;
    chosen.part_bytes = choose_part_bytes(content->size_bytes, options->part_bytes);
    if (chosen.connections == 0)
        chosen.connections = CONNECTIONS;
    else if (chosen.connections > MOST_CONNECTIONS)
        chosen.connections = MOST_CONNECTIONS;
    if (chosen.note == NULL)
        chosen.note = &unwanted;
    if (chosen.part_bytes > SNAP_S3_MOST_PART_BYTES)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s/%s: %" PRIu64 " bytes are more than an object can have",
                              s3->where, name, content->size_bytes);
    if (exclusive)
        status = snap_s3_look(s3, name, &there, &size, etag, err);
    if (status == SNAP_OK && !there && content->size_bytes <= chosen.part_bytes)
        status = put_whole(s3, name, content, exclusive, &taken, chosen.note, err);
    else if (status == SNAP_OK && !there)
        status = snap_s3_put_parts(s3, name, content, &chosen, &taken, err);
    if (status == SNAP_OK && (there || taken))
        status = meet_existing(s3, name, content, exclusive, chosen.note, err);
    return status;
}
