/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a bucket beneath the store's prefix: objects, and uploads that are not complete. */
#ifndef SNAP_STORE_S3_OBJECTS_H
#define SNAP_STORE_S3_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ranges.h"
#include "store/s3_client.h"

struct snap_s3_object {
    char *name; /* behind the prefix */
    uint64_t size_bytes;
};
struct snap_s3_objects {
    struct snap_s3_object *items;
    size_t count;
};
void snap_s3_objects_release(struct snap_s3_objects *objects);

/* Objects right in `folder` ("" for the store itself), by bytes of the name. On failure nothing is
 * left to be released. */
enum snap_status snap_s3_list(struct snap_s3 *s3, const char *folder,
                              struct snap_s3_objects *objects, struct snap_error *err);

/* Ask for an object: *there, its size and ETag. */
enum snap_status snap_s3_look(struct snap_s3 *s3, const char *name, bool *there, uint64_t *size,
                              char etag[SNAP_S3_ETAG_BYTES], struct snap_error *err);

/* An object as ranges: all are of the one that was there when it was opened. Short reads fetch
 * blocks, of which a few are kept. SNAP_NOT_FOUND. */
enum snap_status snap_s3_open_ranges(struct snap_s3 *s3, const char *name,
                                     struct snap_ranges **ranges, struct snap_error *err);

#endif
