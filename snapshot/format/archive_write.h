/* SPDX-License-Identifier: Apache-2.0 */
/* Writing an archive: from members in memory to the content of a file, a list of segments, most of
 * which are the caller's memory. */
#ifndef SNAP_FORMAT_ARCHIVE_WRITE_H
#define SNAP_FORMAT_ARCHIVE_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/pool.h>
#include <snapstate/status.h>

#include "core/buffer.h"
#include "core/segment.h"
#include "format/limits.h"
#include "format/manifest.h"

/* A member that the caller gives: every one but README, manifest.json, STATE and SHA256SUMS, which
 * are made here. */
struct snap_write_member {
    const char *name; /* legal; its kind follows from it. Borrowed until the plan is freed */
    const void *data; /* borrowed until the plan is freed; not looked at when withheld */
    uint64_t size;
    bool in_state;      /* of an extra; for others it follows from the kind */
    bool withheld;      /* listed, but left out of the file; needs digest_known */
    bool digest_known;  /* sha256 is given, and must be that of the data; else it is taken */
    unsigned char sha256[SNAP_DIGEST_BYTES];
    /* (optional) Copied from here, in place of data; needs digest_known. Borrowed likewise. */
    const struct snap_source *source;
    uint64_t source_offset;
};

/* An archive to be written: where everything goes is known, digests are not yet. */
struct snap_archive_plan;

/* Check and order the members, and lay the file out. `manifest` says everything but the members
 * (its `members` must be empty) and is borrowed for the call. `members` may come in any order; the
 * array is sorted into file order. SNAP_INVALID: a name that is not legal, is there twice, or is
 * missing (state.json, data.json, env.json, ledger.jsonl must be there). *plan is owned by the
 * caller. */
enum snap_status snap_archive_plan_new(const struct snap_manifest *manifest,
                                       struct snap_write_member *members, size_t count,
                                       struct snap_archive_plan **plan, struct snap_error *err);
void snap_archive_plan_free(struct snap_archive_plan *plan);
/* Bytes of all its files. */
uint64_t snap_archive_plan_file_size(const struct snap_archive_plan *plan);
/* The bytes of manifest.json; borrowed. */
const struct snap_buffer *snap_archive_plan_manifest(const struct snap_archive_plan *plan);

/* How many volumes the tensors fill when none is to be larger than `volume_size` unless it has a
 * single member; 0: the archive is no larger than that, or `volume_size` is 0, or it has no tensor:
 * it is one file. Of a plan that is not cut. */
size_t snap_archive_plan_volumes_needed(const struct snap_archive_plan *plan, uint64_t volume_size);
/* Cut it so, once: the volumes are called "STEM.vol-0001.tar", with the numbers from `first` on.
 * SNAP_INVALID: more than SNAP_MAX_VOLUMES. Nothing happens when none are needed. */
enum snap_status snap_archive_plan_cut(struct snap_archive_plan *plan, uint64_t volume_size,
                                       const char *stem, unsigned first, struct snap_error *err);
size_t snap_archive_plan_volume_count(const struct snap_archive_plan *plan);
/* Volume `index`, for a store; all must be written before the archive itself. Its name is borrowed
 * from the plan. Answers are those of snap_archive_plan_content. */
const char *snap_archive_plan_volume(struct snap_archive_plan *plan, size_t index,
                                     struct snap_content *content);

/* The file, for a store: members are digested as they are written, and with the digests the two
 * listings are made. SNAP_INVALID from there: a member's data do not have the digest that was
 * given; SNAP_CORRUPT: what is copied does not. Borrowed from the plan and the caller's members. */
struct snap_content snap_archive_plan_content(struct snap_archive_plan *plan);

/* Data of a member that another process writes. Plain bytes: ranks hand it on as it is. */
struct snap_archive_part {
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
    uint32_t writer;
    uint64_t offset; /* in the file */
    uint64_t size;
};
/* Share the tensors among `writers`, each of which gets a stretch of the file, by bytes: those of
 * writer 0 stay in the content, the others are `elsewhere` there, and are told, in file order.
 * *parts is freed with free(). */
enum snap_status snap_archive_plan_share(struct snap_archive_plan *plan, unsigned writers,
                                         struct snap_archive_part **parts, size_t *count,
                                         struct snap_error *err);
/* The digests of those parts, as they were written. */
void snap_archive_plan_shared(struct snap_archive_plan *plan,
                              unsigned char (*digests)[SNAP_DIGEST_BYTES]);

/* The file must have this snapshot hash, borrowed until the plan is freed: else it is not written
 * (SNAP_INTERNAL). For archives that are written again. */
void snap_archive_plan_expect(struct snap_archive_plan *plan, const char *snapshot_hash);

/* After the file was written: the digest of the caller's member `index`, in the order in which they
 * are sorted now; borrowed. */
const unsigned char *snap_archive_plan_digest(const struct snap_archive_plan *plan, size_t index);
/* After the file was written: SHA-256 over the digests of tensors and streams, which a step of
 * training changes. */
enum snap_status snap_archive_plan_moving(const struct snap_archive_plan *plan,
                                          unsigned char digest[SNAP_DIGEST_BYTES],
                                          struct snap_error *err);

/* "snap1:..." and "state1:..."; borrowed; empty until the file was written. */
const char *snap_archive_plan_snapshot_hash(const struct snap_archive_plan *plan);
const char *snap_archive_plan_state_hash(const struct snap_archive_plan *plan);

/* Take the digests that are not known, of the members in STATE; or of tensors alone. */
enum snap_status snap_write_members_digest(struct snap_write_member *members, size_t count,
                                           bool tensors_alone, struct snap_pool *pool,
                                           struct snap_error *err);

/* Only the state hash: SHA-256 of the member STATE that these members give. Members outside STATE
 * (env.json, ledger.jsonl, extras) are left alone and may be missing. The array is sorted, digests
 * of the others are filled in. */
enum snap_status snap_archive_state_digest(struct snap_write_member *members, size_t count,
                                           struct snap_pool *pool,
                                           unsigned char sha256[SNAP_DIGEST_BYTES],
                                           struct snap_error *err);

#endif
