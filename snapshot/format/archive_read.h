/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an archive: what the library itself needs beyond <snapstate/archive.h>. */
#ifndef SNAP_FORMAT_ARCHIVE_READ_H
#define SNAP_FORMAT_ARCHIVE_READ_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/archive.h>

#include "core/ranges.h"
#include "format/data_json.h"
#include "format/manifest.h"
#include "format/state_json.h"

/* snap_archive_open for a descriptor of a regular file or memfd. `fd` is consumed in any case;
 * `label` names the file in messages; copied. */
enum snap_status snap_archive_open_fd(int fd, const char *label, struct snap_archive **archive,
                                      struct snap_error *err);
/* The same for what is read in ranges, consumed in any case. Headers of listed members are read
 * only when some are withheld; else their places follow from the manifest, and snap_archive_check
 * reads them. */
enum snap_status snap_archive_open_ranges(struct snap_ranges *ranges, const char *label,
                                          struct snap_archive **archive, struct snap_error *err);
/* snap_archive_open for the path of a file alone. */
enum snap_status snap_archive_open_path(const char *path, struct snap_archive **archive,
                                        struct snap_error *err);

/* What volumes.json of an archive says (format/volumes.h); *document NULL: it has none. Only its
 * own file is looked at, so that volumes may be damaged or missing. `fd` is consumed in any case.
 * The document is owned by the caller. Statuses are those of snap_archive_open. */
enum snap_status snap_archive_volumes_of(int fd, const char *label, json_t **document,
                                         struct snap_error *err);

/* The decoded documents; borrowed until close. */
const struct snap_manifest *snap_archive_manifest(const struct snap_archive *archive);
const struct snap_state_doc *snap_archive_state_doc(const struct snap_archive *archive);
const struct snap_data_doc *snap_archive_data_doc(const struct snap_archive *archive);

/* Read a member into new memory (freed with free(); a NUL follows the content). SNAP_CORRUPT when
 * it is larger than `limit`. */
enum snap_status snap_archive_read_alloc(const struct snap_archive *archive,
                                         const struct snap_member *member, size_t limit,
                                         void **data, struct snap_error *err);
/* How many volumes; the name of volume `index`, without the folder, borrowed until close, and
 * whether it is there (`present` may be NULL); NULL past the last. */
size_t snap_archive_volume_count(const struct snap_archive *archive);
const char *snap_archive_volume(const struct snap_archive *archive, size_t index, bool *present);
/* Bytes of the largest volume that is there; 0: there is none. */
uint64_t snap_archive_largest_volume(const struct snap_archive *archive);
/* Is no volume larger than `volume_size`, but such as have a single member? */
bool snap_archive_volumes_fit(const struct snap_archive *archive, uint64_t volume_size);
/* The first half of snap_archive_check: all members that are here or elsewhere are read and their
 * digests compared, in parallel. */
enum snap_status snap_archive_check_digests(const struct snap_archive *archive,
                                            struct snap_pool *pool, struct snap_error *err);
/* The members of storage `index`: `*first` is the index of its first member, its parts follow.
 * SNAP_INVALID past the last storage. */
enum snap_status snap_archive_storage_members(const struct snap_archive *archive, size_t index,
                                              size_t *first, size_t *count,
                                              struct snap_error *err);

#endif
