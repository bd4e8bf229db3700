/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SNAP_STORE_STORE_S3_H
#define SNAP_STORE_STORE_S3_H

#include "store/store_ops.h"

/* A bucket, or what is in it beneath a prefix: "s3://BUCKET/PREFIX". Nothing is asked of the server
 * yet. SNAP_INVALID, SNAP_NOT_FOUND: as snap_s3_config_init; SNAP_UNSUPPORTED: no libcurl. */
enum snap_status snap_store_s3_open(const char *uri, struct snap_store **store,
                                    struct snap_error *err);

#endif
