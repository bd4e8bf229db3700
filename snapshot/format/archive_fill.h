/* SPDX-License-Identifier: Apache-2.0 */
/* Archives that hold for each other what is withheld: finding it by digest, and writing an archive
 * again with more or with less in it. */
#ifndef SNAP_FORMAT_ARCHIVE_FILL_H
#define SNAP_FORMAT_ARCHIVE_FILL_H

#include <stdbool.h>

#include "format/archive_read.h"
#include "format/archive_write.h"

/* Archives in one folder that are opened to look for what another withholds: a run with a snapshot
 * for each of a week's minutes has ten thousand. */
#define SNAP_MAX_SIBLINGS 16384u

/* Is the member neither in the file nor in an archive that fills it? */
static inline bool snap_member_is_absent(const struct snap_member *member)
{
    return member->withheld && !member->elsewhere;
}

/* What `prune` leaves of an archive: of the members that may be withheld only the ledger's lines. A
 * thin archive is never one: it has its env.json. */
bool snap_archive_is_stub(const struct snap_archive *archive);

/* Paths of the files "*.snap.tar" beside a path: those whose names come before its own, the nearest
 * first, then the others. A folder that cannot be read has none. */
struct snap_siblings {
    char **paths;
    size_t count;
};
enum snap_status snap_siblings_list(const char *path, struct snap_siblings *siblings,
                                    struct snap_error *err);
void snap_siblings_release(struct snap_siblings *siblings);

/* Open without looking for what is withheld. */
enum snap_status snap_archive_open_alone(const char *path, struct snap_archive **archive,
                                         struct snap_error *err);
/* The file that has a member, one that is not withheld, for whoever copies from it; borrowed until
 * close. */
const struct snap_source *snap_archive_source(const struct snap_archive *archive,
                                              const struct snap_member *member);

/* Look for what is withheld in the files "*.snap.tar" beside the archive, whose label is its path:
 * first in those whose names come before its own, the nearest first. Every member that one of them
 * has in its own file with the same size and digest can be read from then on (`elsewhere`). Files
 * that cannot be opened are passed over; of a stub nothing is looked for. SNAP_NO_MEMORY alone. */
enum snap_status snap_archive_fill(struct snap_archive *archive, struct snap_error *err);
/* Fill what was opened, and hand it over: *archive is the caller's. On failure it is closed. */
enum snap_status snap_archive_fill_and_give(struct snap_archive *made,
                                            struct snap_archive **archive,
                                            struct snap_error *err);
/* The same as snap_archive_fill from one archive, which is borrowed until `archive` is closed. */
void snap_archive_fill_from(struct snap_archive *archive, struct snap_archive *other);
/* Names of the files that fill it, relative to the folder: *count of them; borrowed until close. */
const char *const *snap_archive_filled_by(const struct snap_archive *archive, size_t *count);

/* Members that are neither here nor elsewhere. */
size_t snap_archive_absent_count(const struct snap_archive *archive);

/* Write the archive again: every member from its own file or from where it is elsewhere, but for
 * those that `withhold` (NULL: none) says true for and those that are absent. The plan insists on
 * every digest and on the same snapshot hash, and borrows from the archive. */
enum snap_status snap_archive_again(const struct snap_archive *archive,
                                    bool (*withhold)(const void *arg,
                                                     const struct snap_member *member),
                                    const void *arg, struct snap_archive_plan **plan,
                                    struct snap_error *err);

#endif
