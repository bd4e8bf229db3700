/* SPDX-License-Identifier: Apache-2.0 */
/* Writing an object: in one request, or in parts that several connections carry. */
#ifndef SNAP_STORE_S3_PUT_H
#define SNAP_STORE_S3_PUT_H

#include "store/s3_client.h"
#include "store/store_ops.h"

/* The contract of a store's `put`. What is longer than a part goes in parts: an upload of the same
 * name that was broken off is gone on with, a part at a time, where the ETag of what the server has
 * is the MD5 of ours. Broken off again (SNAP_IO), what was sent is kept for the next time; on any
 * other failure the server is told to forget it. */
enum snap_status snap_s3_put(struct snap_s3 *s3, const char *name,
                             const struct snap_content *content,
                             const struct snap_put_options *options, struct snap_error *err);

/* Write a small object, on a condition: `etag` NULL: none; "": that it is not there; else that it
 * is the one with that ETag. *done is false when the condition does not hold. *conditional becomes
 * false when the server knows no conditions: then it was written without. */
enum snap_status snap_s3_put_if(struct snap_s3 *s3, const char *name, const void *data,
                                size_t size_bytes, const char *etag, bool *done,
                                bool *conditional, struct snap_error *err);

/* Is the object the content? */
enum snap_status snap_s3_compare(struct snap_s3 *s3, const char *name,
                                 const struct snap_content *content, bool *same,
                                 struct snap_error *err);

/* Send it in parts (s3_upload.c), as `options` say, of which connections, part_bytes and note are
 * set. Where the mode is create it must not be there. *taken: there is an object, which may be
 * another writer's, and is to be compared. */
enum snap_status snap_s3_put_parts(struct snap_s3 *s3, const char *name,
                                   const struct snap_content *content,
                                   const struct snap_put_options *options, bool *taken,
                                   struct snap_error *err);

#endif
