/* SPDX-License-Identifier: Apache-2.0 */
/* The members STATE and SHA256SUMS: lines as sha256sum writes and reads them, 64 hex digits, two
 * spaces, a name, a newline. */
#ifndef SNAP_FORMAT_LISTING_H
#define SNAP_FORMAT_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

#include "core/buffer.h"

struct snap_listing_line {
    const char *name; /* borrowed */
    unsigned char sha256[SNAP_DIGEST_BYTES];
};

/* Bytes of the line of a name of this length. */
#define SNAP_LISTING_LINE_BYTES(name_bytes) (2u * SNAP_DIGEST_BYTES + 3u + (name_bytes))

/* Append the lines to `out`. */
enum snap_status snap_listing_encode(const struct snap_listing_line *lines, size_t count,
                                     struct snap_buffer *out, struct snap_error *err);

/* Read the digests of `lines`, whose names say what must stand there, in this order and nothing
 * else. SNAP_CORRUPT names the line. `what` names the listing. */
enum snap_status snap_listing_decode(const void *bytes, size_t size_bytes, const char *what,
                                     struct snap_listing_line *lines, size_t count,
                                     struct snap_error *err);

/* Find the digest of one name in a listing of any length; false when it has no such line. */
bool snap_listing_find(const void *bytes, size_t size_bytes, const char *name,
                       unsigned char sha256[SNAP_DIGEST_BYTES]);

/* The state digest "tree1:": SHA-256 over a line for each storage (its tree hash, its name without
 * part suffix, in the order of tensors/ in the file), for each stream (its SHA-256, "rng/...", in
 * the order of the file) and for data.json. */
enum snap_status snap_state_digest(const struct snap_listing_line *storages, size_t storage_count,
                                   const struct snap_listing_line *streams, size_t stream_count,
                                   const unsigned char data_sha256[SNAP_DIGEST_BYTES],
                                   unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err);

#endif
