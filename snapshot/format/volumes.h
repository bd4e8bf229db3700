/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes: files beside an archive that hold tensors of it, and `volumes.json`, the member that
 * names them (docs/format.md, "Volumes"). */
#ifndef SNAP_FORMAT_VOLUMES_H
#define SNAP_FORMAT_VOLUMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/status.h>

#include "format/limits.h"

/* The member; it stands right after manifest.json, and no listing has it. */
#define SNAP_VOLUMES_MEMBER "volumes.json"

/* "STEM.vol-0001.tar" and a NUL. */
#define SNAP_VOLUME_NAME_BYTES SNAP_MAX_VOLUMES_STRING_BYTES

/* What the names of an archive's volumes begin with: `file` is the archive's name without folder,
 * "STEM.snap.tar", or any other word, which is the stem itself. False: too long, or no word. */
bool snap_volume_stem(const char *file, char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1]);
/* `number` is from 1 to SNAP_MAX_VOLUME_NUMBER. */
void snap_volume_name(const char *stem, unsigned number, char name[SNAP_VOLUME_NAME_BYTES]);
/* False for a name of another form. */
bool snap_volume_name_parse(const char *file, char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1],
                            unsigned *number);

/* Sharing members out, in the order of the file: each volume takes as many as fit, and one at
 * least. */
struct snap_volume_filling {
    uint64_t volume_size; /* bytes of a volume */
    uint64_t size;        /* of the one that is filled, its end counted */
    size_t count;         /* volumes so far */
};
/* The next member, of that many bytes. True: it begins a volume. */
bool snap_volume_fill(struct snap_volume_filling *filling, uint64_t member_bytes);

/* Read volumes.json: the document, its form checked (names of files legal, of one stem, their
 * numbers without a gap; lists of strings that are not empty). What it says of members is for the
 * caller to compare. SNAP_CORRUPT; SNAP_UNSUPPORTED for another version. *document is owned by the
 * caller. */
enum snap_status snap_volumes_decode(const void *data, size_t size_bytes, json_t **document,
                                     struct snap_error *err);
/* A document without volumes, to be filled: a new reference, NULL when memory is out. */
json_t *snap_volumes_new(void);
/* The next volume; `members` is an array of names, consumed in any case, NULL when memory was
 * out. */
enum snap_status snap_volumes_add(json_t *document, const char *file, json_t *members,
                                  struct snap_error *err);

/* Of a document that was decoded, or made here; NULL has no volumes. Borrowed from it. */
size_t snap_volumes_count(const json_t *document);
const char *snap_volumes_file(const json_t *document, size_t index);
const json_t *snap_volumes_members(const json_t *document, size_t index);
/* Is `file` one of them? */
bool snap_volumes_has(const json_t *document, const char *file);

#endif
