/* SPDX-License-Identifier: Apache-2.0 */
/* What a damaged archive was made of, and where each member can be had. For salvage*.c alone. */
#ifndef SNAP_SALVAGE_PIECES_H
#define SNAP_SALVAGE_PIECES_H

#include <stdbool.h>

#include "core/buffer.h"
#include "core/segment.h"
#include "format/archive_read.h"
#include "format/manifest.h"
#include "salvage/salvage_scan.h"

/* Where a member is, in the order of what is best. */
enum snap_piece_place {
    SNAP_PIECE_LOST = 0,
    SNAP_PIECE_HERE,      /* whole, in the damaged file or a volume of it */
    SNAP_PIECE_ELSEWHERE, /* in another archive */
    SNAP_PIECE_MADE       /* follows from other members, or from the run's ledger */
};

struct snap_piece {
    const char *name; /* borrowed from the manifest or the scan */
    enum snap_member_kind kind;
    uint64_t size;
    bool in_state;
    bool digest_known;
    unsigned char sha256[SNAP_DIGEST_BYTES];
    enum snap_piece_place place;
    const struct snap_source *source; /* here or elsewhere */
    uint64_t source_offset;
    bool is_damaged; /* something of that name and size is here, with another digest */
};

/* A volume beside the archive, damaged or not. */
struct snap_salvage_volume {
    char *path;
    struct snap_source file;
    struct snap_scan scan;
};

struct snap_salvage_job {
    const char *path;
    struct snap_source file;
    struct snap_scan scan;
    struct snap_salvage_volume **volumes; /* owned, and what they point to */
    size_t volume_count;
    bool has_manifest;
    struct snap_manifest manifest;
    struct snap_buffer manifest_text;
    struct snap_piece *pieces; /* in the order of the file, SHA256SUMS left out */
    size_t piece_count;
    bool has_listing;    /* SHA256SUMS was found whole */
    bool is_proven;      /* the digests are those of the snapshot hash */
    char hash[SNAP_HASH_TEXT_BYTES]; /* of the listing; "" when it is not known */
    char expected[SNAP_HASH_TEXT_BYTES]; /* "" when nobody says */
    struct snap_buffer ledger;       /* lines out of the run's ledger */
    struct snap_archive **others;    /* that pieces are taken from; owned */
    size_t other_count;
};

void snap_salvage_release(struct snap_salvage_job *job);

/* The manifest and the listing out of what was found, and the list of pieces. */
enum snap_status snap_salvage_pieces(struct snap_salvage_job *job, struct snap_error *err);
/* Judge what was found in a file; `source` is borrowed as long as the job is (salvage_places.c). */
enum snap_status snap_salvage_here(struct snap_salvage_job *job, const struct snap_source *source,
                                   const struct snap_scan *scan, struct snap_error *err);
/* The same for every file beside the archive that has the name of a volume of it, whether the
 * archive still says so or not (salvage_volumes.c). */
enum snap_status snap_salvage_volumes(struct snap_salvage_job *job, struct snap_error *err);
void snap_salvage_volumes_release(struct snap_salvage_job *job);
/* Look for what is lost in another archive: by digest, or, when digests are lost, by name and size.
 * `other` is consumed (salvage_places.c). */
enum snap_status snap_salvage_elsewhere(struct snap_salvage_job *job, struct snap_archive *other,
                                        struct snap_error *err);
/* Without a listing: README, STATE and the ledger's lines are made, and with the digests of all the
 * listing is put together. It is the right one when it has the hash that is expected
 * (salvage_proof.c). */
enum snap_status snap_salvage_prove(struct snap_salvage_job *job, struct snap_error *err);
/* Pieces that are lost. */
size_t snap_salvage_lost(const struct snap_salvage_job *job);

#endif
