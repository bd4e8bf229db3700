/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the files of an archive: its volumes, and then the archive, which makes them visible. */
#ifndef SNAP_ARCHIVE_PUT_H
#define SNAP_ARCHIVE_PUT_H

#include <stdint.h>

#include <snapstate/status.h>

#include "format/archive_write.h"
#include "store/store_ops.h"

struct snap_archive_put_options {
    struct snap_put_options put; /* of each file */
    /* A larger file is cut: volumes are written beside it. 0: no matter how large. */
    uint64_t volume_size;
    /* (optional) Set when volumes of the archive that was replaced could not be removed, and why:
     * the new one is there and durable all the same, and they are leftovers. Else untouched. */
    struct snap_error *left_over;
};

/* Write what the plan gives as `name` of the store. When it is cut, the volumes are written first,
 * under names that nothing has, each durable and read back, and the archive itself is last. Then
 * volumes of it that it does not name any more are removed. On failure the old archive is there
 * with its volumes, and nothing else is left, unless the text says "written, durability unknown".
 * Statuses are those of the store; SNAP_INVALID also: its name cannot name volumes, or they would
 * be too many. The caller has the lock of a run that it writes into. */
enum snap_status snap_archive_put(struct snap_store *store, const char *name,
                                  struct snap_archive_plan *plan,
                                  const struct snap_archive_put_options *options,
                                  struct snap_error *err);

/* The same for the whole file that the content gives: a copy of it, or one that others write too.
 * It is not cut. */
enum snap_status snap_archive_put_whole(struct snap_store *store, const char *name,
                                        const struct snap_content *content,
                                        const struct snap_archive_put_options *options,
                                        struct snap_error *err);

/* As snap_archive_put, as a file of any folder. A file that is there already and is not to be
 * replaced is SNAP_IO. When it is cut, and the folder is one of a run, that run's lock is taken
 * meanwhile: SNAP_BUSY. */
enum snap_status snap_archive_put_at(const char *path, struct snap_archive_plan *plan,
                                     const struct snap_archive_put_options *options,
                                     struct snap_error *err);

#endif
