/* SPDX-License-Identifier: Apache-2.0 */
/* data.json: the place in the data. */
#ifndef SNAP_FORMAT_DATA_JSON_H
#define SNAP_FORMAT_DATA_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

#include "core/buffer.h"

struct snap_data_file {
    char *role;
    unsigned char sha256[SNAP_DIGEST_BYTES];
    uint64_t size;
};

/* All of it owned by the document. */
struct snap_data_doc {
    uint64_t epoch;
    uint64_t position;
    struct snap_data_file *files; /* sorted by role */
    size_t file_count;
    char *order_stream; /* NULL: order is null, and the rest is not used */
    uint64_t order_samples;
    unsigned char order_digest[SNAP_DIGEST_BYTES];
    /* The member bytes of that stream at the start of the epoch, before the shuffle. */
    unsigned char *order_start;
    size_t order_start_size;
};
#define SNAP_DATA_DOC_INIT { 0, 0, NULL, 0, NULL, 0, { 0 }, NULL, 0 }

/* Any order; a role that is there already is SNAP_INVALID. */
enum snap_status snap_data_doc_add_file(struct snap_data_doc *doc, const char *role,
                                        const unsigned char sha256[SNAP_DIGEST_BYTES],
                                        uint64_t size, struct snap_error *err);
/* Copies stream and start. */
enum snap_status snap_data_doc_set_order(struct snap_data_doc *doc, const char *stream,
                                         uint64_t samples,
                                         const unsigned char digest[SNAP_DIGEST_BYTES],
                                         const void *start, size_t start_size,
                                         struct snap_error *err);

/* The array "files", as data.json and the genesis line have it: a new reference, NULL when memory
 * is out. */
json_t *snap_data_files_json(const struct snap_data_doc *doc);
/* Read such an array into an empty document's files. */
enum snap_status snap_data_files_from_json(const json_t *array, const char *what,
                                           struct snap_data_doc *doc, struct snap_error *err);

enum snap_status snap_data_doc_encode(const struct snap_data_doc *doc, struct snap_buffer *out,
                                      struct snap_error *err);
/* *doc must be empty; it is filled on success only. */
enum snap_status snap_data_doc_decode(const void *bytes, size_t size_bytes,
                                      struct snap_data_doc *doc, struct snap_error *err);
void snap_data_doc_release(struct snap_data_doc *doc);

#endif
