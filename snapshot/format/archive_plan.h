/* SPDX-License-Identifier: Apache-2.0 */
/* What an archive that is to be written is made of; for archive_write.c and archive_files.c
 * alone. */
#ifndef SNAP_FORMAT_ARCHIVE_PLAN_H
#define SNAP_FORMAT_ARCHIVE_PLAN_H

#include "core/buffer.h"
#include "format/archive_write.h"
#include "format/tar_layout.h"
#include "format/volumes.h"

/* README and manifest.json stand before the caller's members, STATE and SHA256SUMS after. */
#define SNAP_PLAN_BEFORE 2
#define SNAP_PLAN_AFTER 2

/* A file to be written: the archive, or a volume. */
struct snap_plan_file {
    struct snap_archive_plan *plan;
    char name[SNAP_VOLUME_NAME_BYTES]; /* of a volume */
    size_t begin;                      /* its members are the tensors from here */
    size_t end;                        /* to here that are not withheld */
    size_t first_segment;
    size_t segment_count;
    uint64_t size_bytes;
};

struct snap_archive_plan {
    /* All members in file order; names and data of the caller's are borrowed. */
    struct snap_write_member *members;
    size_t member_count;
    struct snap_buffer manifest;
    struct snap_buffer state_listing;
    struct snap_buffer listing;
    unsigned char (*headers)[SNAP_TAR_BLOCK_BYTES];
    unsigned char (*written)[SNAP_DIGEST_BYTES]; /* of each member, as a store wrote it */
    struct snap_segment *segments; /* of the archive, then of each volume */
    size_t segment_count;
    size_t first_count; /* segments before STATE, which depend on no digest */
    size_t state_data;  /* the segments of the listings */
    size_t listing_data;
    struct snap_plan_file own;
    struct snap_plan_file *volumes;
    size_t volume_count;
    struct snap_buffer volumes_text; /* volumes.json */
    unsigned char volumes_header[SNAP_TAR_BLOCK_BYTES];
    const char *expected; /* NULL, or the snapshot hash that it must have */
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
    char state_hash[SNAP_HASH_TEXT_BYTES];
};

/* Lay out one file that has every member (archive_files.c). */
enum snap_status snap_archive_plan_lay_out(struct snap_archive_plan *plan, struct snap_error *err);
/* The two listings and the hashes, when the digests of the other members are there. */
enum snap_status snap_archive_plan_list(struct snap_archive_plan *plan, struct snap_error *err);

#endif
