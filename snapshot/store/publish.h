/* SPDX-License-Identifier: Apache-2.0 */
/* Making a file durable and visible. */
#ifndef SNAP_STORE_PUBLISH_H
#define SNAP_STORE_PUBLISH_H

#include <stdbool.h>

#include <snapstate/status.h>

#include "core/segment.h"
#include "io/write_file.h"
#include "store/store_ops.h"

struct snap_publish_options {
    enum snap_put_mode mode;
    bool no_read_back;
    struct snap_write_options write;
    /* Write under a temporary name from the start: for hosts that share a folder, and for tests of
     * that way. Else a file without a name is tried first, which leaves nothing when killed. */
    bool named_temporary;
    const struct snap_put_share *share; /* (optional) then it is named */
};

/* Write the content as file `name` of the folder `dirfd`: into a temporary, fsync, read back past
 * the page cache and compare bytes or their SHA-256, give it the name, fsync the folder. After
 * SNAP_OK the content survives a power cut. On failure the old file, if any, is still there and no
 * temporary is left; when only the last fsync of the folder failed the text says "written,
 * durability unknown", and the caller must not report the file as saved. SNAP_DIFFERS: mode is
 * create, and a file with other bytes has the name. SNAP_CORRUPT: what was read back is not what
 * was written. */
enum snap_status snap_publish(int dirfd, const char *name, const struct snap_content *content,
                              const struct snap_publish_options *options, struct snap_error *err);

/* Temporaries that a killed process left in the folder, or that a living one has under way: call
 * `visit` (NULL: none) with the name of each, and remove it if `remove`, which is for holders of
 * the run's lock alone. A status other than SNAP_OK ends it and is returned. */
enum snap_status snap_publish_leftovers(int dirfd, bool remove,
                                        enum snap_status (*visit)(void *arg, const char *name,
                                                                  struct snap_error *err),
                                        void *arg, struct snap_error *err);

#endif
