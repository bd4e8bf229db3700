/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of S3's multipart uploads: an object is sent in parts, and is there only when all are
 * named in a last call. */
#ifndef SNAP_STORE_S3_PARTS_H
#define SNAP_STORE_S3_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/s3_client.h"

/* Most parts of an upload, and the least bytes of one but the last: the protocol's own limits. */
#define SNAP_S3_MOST_PARTS 10000u
#define SNAP_S3_LEAST_PART_BYTES ((uint64_t)5 << 20)
#define SNAP_S3_MOST_PART_BYTES ((uint64_t)5 << 30)

struct snap_s3_part {
    bool there;
    uint64_t size_bytes;
    char etag[SNAP_S3_ETAG_BYTES];
};

struct snap_s3_upload {
    char *name; /* of the object, behind the prefix */
    char *id;
};
struct snap_s3_uploads {
    struct snap_s3_upload *items;
    size_t count;
};
void snap_s3_uploads_release(struct snap_s3_uploads *uploads);

/* Uploads that are not complete, of the object `name` (NULL: of all in the store), in the order of
 * the server: of one object the later come later. On failure nothing is left to be released.
 * *secret (NULL: that is a failure): the server lists them not, or not to whoever asks. */
enum snap_status snap_s3_uploads_list(struct snap_s3 *s3, const char *name,
                                      struct snap_s3_uploads *uploads, bool *secret,
                                      struct snap_error *err);
/* The parts that the server has, part 1 first: parts[SNAP_S3_MOST_PARTS]. *bytes: of all. *secret:
 * as above. */
enum snap_status snap_s3_parts_list(struct snap_s3 *s3, const struct snap_s3_upload *upload,
                                    struct snap_s3_part *parts, uint64_t *bytes, bool *secret,
                                    struct snap_error *err);

/* Begin one; `upload` is to be freed like an item of a list. */
enum snap_status snap_s3_upload_begin(struct snap_s3 *s3, const char *name,
                                      struct snap_s3_upload *upload, struct snap_error *err);
/* Send part `number` (from 1 on). */
enum snap_status snap_s3_upload_part(struct snap_s3 *s3, const struct snap_s3_upload *upload,
                                     unsigned number, const unsigned char *data, size_t size_bytes,
                                     struct snap_s3_part *part, struct snap_error *err);
/* Make the object of its `count` parts. *status_code is that of the answer: 412 when `exclusive`
 * and the object is there, 404 when the server knows the upload no more, which may be because an
 * answer was lost. With neither, what is no success is an error. */
enum snap_status snap_s3_upload_complete(struct snap_s3 *s3, const struct snap_s3_upload *upload,
                                         const struct snap_s3_part *parts, size_t count,
                                         bool exclusive, long *status_code,
                                         struct snap_error *err);
/* Have the server forget it. That there is none is success. */
enum snap_status snap_s3_upload_abort(struct snap_s3 *s3, const struct snap_s3_upload *upload,
                                      struct snap_error *err);

#endif
