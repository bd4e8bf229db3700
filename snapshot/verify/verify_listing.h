/* SPDX-License-Identifier: Apache-2.0 */
/* A listing, SHA256SUMS or STATE, and what lies beside it of the members that it lists. */
#ifndef SNAP_VERIFY_LISTING_H
#define SNAP_VERIFY_LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <snapstate/archive.h>

#include "format/manifest.h"

struct snap_listing_folder {
    bool of_state;                       /* STATE, and not SHA256SUMS */
    char snapshot[SNAP_HASH_TEXT_BYTES]; /* "" for STATE */
    char state[SNAP_HASH_TEXT_BYTES];
    size_t present; /* members that are here, with the digest that is listed */
    size_t absent;
    size_t contents; /* of those present, more than lists: neither manifest.json nor STATE */
    bool has_manifest;
    struct snap_manifest manifest; /* owned */
};
#define SNAP_LISTING_FOLDER_INIT { .present = 0 }

/* Read `file` ("SHA256SUMS", or a name of the user's) of folder `dir`. SNAP_CORRUPT: no listing, or
 * a member beside it is not the one listed; the text names the line or the member. Released by the
 * caller on success. `absent` (NULL: not wanted) receives the names of members not here. */
enum snap_status snap_listing_folder_read(const char *dir, const char *file,
                                          struct snap_listing_folder *folder, json_t *absent,
                                          struct snap_error *err);
void snap_listing_folder_release(struct snap_listing_folder *folder);

/* SHA-256 of a regular file. `name` is relative to `dirfd`; a link is not followed. SNAP_NOT_FOUND:
 * it is not there. */
enum snap_status snap_listed_digest(int dirfd, const char *name,
                                  unsigned char digest[SNAP_DIGEST_BYTES], struct snap_error *err);

#endif
