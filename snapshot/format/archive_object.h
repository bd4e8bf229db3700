/* SPDX-License-Identifier: Apache-2.0 */
/* What an open archive is made of; for the files archive_*.c alone. */
#ifndef SNAP_FORMAT_ARCHIVE_OBJECT_H
#define SNAP_FORMAT_ARCHIVE_OBJECT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/archive.h>

#include "core/buffer.h"
#include "core/segment.h"
#include "format/data_json.h"
#include "format/json_guard.h"
#include "format/manifest.h"
#include "format/state_json.h"

/* A file that is read. */
struct snap_archive_file {
    /* A descriptor, -1 when the file is not there, or ranges; owned, and named in messages by
     * `what`. Read at places alone, so that threads can share it. */
    struct snap_source source;
    uint64_t size;
};

/* A file beside the archive that has members of it (archive_volumes.c). */
struct snap_archive_volume {
    const char *name; /* borrowed from volumes_document */
    char *label;      /* owned */
    struct snap_archive_file file;
};

/* Where a withheld member is. */
struct snap_archive_filling {
    struct snap_archive *archive; /* NULL: nowhere */
    const struct snap_member *member;
};

struct snap_archive {
    char *label; /* names the file in messages */
    struct snap_archive_file file;

    struct snap_manifest manifest;
    struct snap_member *members; /* manifest.json too; names are the manifest's */
    size_t member_count;
    size_t withheld_count;
    json_t *places; /* name -> index in members */
    /* Places follow from the manifest and the size, and no header of a listed member was read. */
    bool headers_unread;

    json_t *volumes_document; /* NULL: it has none */
    struct snap_archive_volume *volumes;
    size_t volume_count;
    uint16_t *volume_of; /* of each member: 0, or 1 + the index of its volume */

    /* Archives that have what is withheld here (archive_fill.c). */
    struct snap_archive_filling *filled; /* of each member; NULL: nothing was looked for */
    struct snap_archive **fillers;       /* owned */
    const char **filler_names;           /* parts of their labels */
    size_t filler_count;

    struct snap_state_doc state;
    struct snap_data_doc data;
    size_t *storage_first; /* index in members of the first part of each storage */

    /* Texts of the JSON members; environment has no data when it is withheld. */
    struct snap_buffer manifest_text;
    struct snap_buffer state_text;
    struct snap_buffer data_text;
    struct snap_buffer environment_text;
    struct snap_buffer training_text; /* no data when null */
    struct snap_buffer binding_text;

    char parent[SNAP_HASH_TEXT_BYTES];
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
    char state_hash[SNAP_HASH_TEXT_BYTES];
    char run_hash[SNAP_HASH_TEXT_BYTES];
};

/* Walk the tar from header to header: fills in manifest, members, places and offsets, and insists
 * on every header, padding, the order and the end. No content but that of the manifest and of
 * volumes.json is read, and no digest is known yet; nothing is known of the volumes. `foreign` is
 * set when the manifest is of another version: then only manifest_text and `listing` are filled in,
 * the place of SHA256SUMS. */
enum snap_status snap_archive_walk(struct snap_archive *archive, bool *foreign,
                                   struct snap_member *listing, struct snap_error *err);

/* The same of a volume, whose members, in this order, are those of the indices. */
enum snap_status snap_archive_walk_volume(struct snap_archive *archive,
                                          const struct snap_archive_file *file,
                                          const size_t *members, size_t count,
                                          struct snap_error *err);

/* After the walk: find the volumes, and what of the members is in them. Those of a volume that is
 * not there are withheld. */
enum snap_status snap_archive_volumes_open(struct snap_archive *archive, struct snap_error *err);
void snap_archive_volumes_close(struct snap_archive *archive);
/* A volume was not there, and the archive's name is another file's by now: it was written again
 * while it was being opened. */
bool snap_archive_was_replaced(const struct snap_archive *archive);
/* The file that has the member; not one that is withheld. */
const struct snap_archive_file *snap_archive_file_of(const struct snap_archive *archive,
                                                     const struct snap_member *member);

/* Read the content of a present member into `out`, which is empty, without comparing digests. The
 * size was checked against the file. */
enum snap_status snap_archive_load(const struct snap_archive *archive,
                                   const struct snap_member *member, struct snap_buffer *out,
                                   struct snap_error *err);

/* The same for JSON that nobody vouches for, piece by piece, so that no more memory is taken than
 * was looked at: SNAP_CORRUPT as soon as it cannot be a document of ours. `bounds` NULL: none. */
enum snap_status snap_archive_load_text(const struct snap_archive *archive,
                                        const struct snap_member *member,
                                        const struct snap_json_bounds *bounds,
                                        struct snap_buffer *out, struct snap_error *err);
/* The same, and compare the digest: of documents, or of lines of them. A member that is elsewhere
 * is read there. On failure `out` may hold some of it. */
enum snap_status snap_archive_read_text(const struct snap_archive *archive,
                                        const struct snap_member *member, struct snap_buffer *out,
                                        struct snap_error *err);

/* Nothing is read from `other` any more. */
void snap_archive_unfill(struct snap_archive *archive, const struct snap_archive *other);

/* The texts of errors that more than one file gives; `label` is the file's. */
enum snap_status snap_archive_digest_differs(const char *label, const char *member,
                                             struct snap_error *err);

#endif
