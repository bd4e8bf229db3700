/* SPDX-License-Identifier: Apache-2.0 */
/* Writing an archive again in place of its file, or beside it. */
#ifndef SNAP_REWRITE_H
#define SNAP_REWRITE_H

#include <stdbool.h>

#include <snapstate/archive.h>

#include "format/archive_write.h"
#include "store/store_ops.h"

/* Publish what the plan gives as the file `path`, cut when it is larger than `volume_size` (0: no
 * matter how large): durable, read back, whole or not at all (archive_put.h). */
enum snap_status snap_rewrite(const char *path, enum snap_put_mode mode, uint64_t volume_size,
                              struct snap_archive_plan *plan, struct snap_pool *pool,
                              struct snap_error *err);

/* Would a thin archive on `base` leave this member to it? A tensor that the base's own file has. */
bool snap_thin_withholds(const struct snap_archive *base, const struct snap_member *member);

#endif
