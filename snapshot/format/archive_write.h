/* SPDX-License-Identifier: Apache-2.0 */
/* Writing an archive: from members in memory to the bytes of the file. Nothing is copied: the file
 * is a list of segments, most of which are the caller's memory. */
#ifndef SNAP_FORMAT_ARCHIVE_WRITE_H
#define SNAP_FORMAT_ARCHIVE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/pool.h>
#include <snapstate/status.h>

#include "core/segment.h"
#include "format/manifest.h"

/* A member that the caller gives: every one but README, manifest.json, STATE and SHA256SUMS, which
 * are made here. */
struct snap_write_member {
    const char *name; /* legal; its kind follows from it. Borrowed until the plan is freed */
    const void *data; /* borrowed until the plan is freed; NULL when withheld or empty */
    uint64_t size;
    bool in_state;      /* of an extra; for others it follows from the kind */
    bool withheld;      /* listed, but left out of the file; needs digest_known */
    bool digest_known;  /* sha256 is given; else it is taken from the data */
    unsigned char sha256[SNAP_DIGEST_BYTES];
};

/* An archive ready to be written. */
struct snap_archive_plan;

/* Check and order the members, make the four others, take the digests. `manifest` says everything
 * but the members (its `members` must be empty) and is borrowed for the call. `members` may come in
 * any order; the array is sorted into file order, and digests are filled in. `pool` may be NULL.
 * SNAP_INVALID: a name that is not legal, is there twice, or is missing (state.json, data.json,
 * env.json, ledger.jsonl must be there). *plan is owned by the caller. */
enum snap_status snap_archive_plan_new(const struct snap_manifest *manifest,
                                       struct snap_write_member *members, size_t count,
                                       struct snap_pool *pool, struct snap_archive_plan **plan,
                                       struct snap_error *err);
void snap_archive_plan_free(struct snap_archive_plan *plan);

/* "snap1:..." and "state1:..."; borrowed. */
const char *snap_archive_plan_snapshot_hash(const struct snap_archive_plan *plan);
const char *snap_archive_plan_state_hash(const struct snap_archive_plan *plan);
/* The exact bytes of the file, in order; borrowed from the plan and the caller's members. */
const struct snap_segment *snap_archive_plan_segments(const struct snap_archive_plan *plan,
                                                      size_t *count);
uint64_t snap_archive_plan_file_size(const struct snap_archive_plan *plan);
/* Send the same bytes to a sink. */
enum snap_status snap_archive_plan_write(const struct snap_archive_plan *plan,
                                         const struct snap_sink *sink, struct snap_error *err);

/* Only the state hash: SHA-256 of the member STATE that these members give. Members outside STATE
 * (env.json, ledger.jsonl, extras) are left alone and may be missing. The array is sorted, digests
 * of the others are filled in. */
enum snap_status snap_archive_state_digest(struct snap_write_member *members, size_t count,
                                           struct snap_pool *pool,
                                           unsigned char sha256[SNAP_DIGEST_BYTES],
                                           struct snap_error *err);

#endif
