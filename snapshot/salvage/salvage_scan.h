/* SPDX-License-Identifier: Apache-2.0 */
/* Members in a file that may be damaged anywhere: every block is looked at. */
#ifndef SNAP_SALVAGE_SCAN_H
#define SNAP_SALVAGE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

#include "format/limits.h"

/* A tar header as this library writes them, and what it says. */
struct snap_found_member {
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 1]; /* legal */
    enum snap_member_kind kind;
    uint64_t size;
    uint64_t offset; /* of the content */
    bool is_cut;     /* the file ends in its content */
};

struct snap_scan {
    struct snap_found_member *members; /* in the order of the file */
    size_t count;
    uint64_t file_size;
    uint64_t unreadable; /* bytes that the disk does not give */
};

/* Look through the whole file. What the disk does not give is passed over. At most SNAP_MAX_MEMBERS
 * are found. *scan must be zeroed, and is to be released whatever the answer. */
enum snap_status snap_scan_members(int fd, const char *label, struct snap_scan *scan,
                                   struct snap_error *err);
void snap_scan_release(struct snap_scan *scan);

/* SHA-256 of the content; *readable is false when the disk does not give all of it. */
enum snap_status snap_scan_digest(int fd, const struct snap_found_member *member, bool *readable,
                                  unsigned char sha256[SNAP_DIGEST_BYTES], struct snap_error *err);

#endif
