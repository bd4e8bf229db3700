/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a pickle, protocols 0 to 5, without executing it: the opcodes build data, names are
 * looked up on a short list (pickle_names.h) and never imported or called. Whatever is on no list
 * is refused with the reason and the byte at which it stands: extensions, persistent ids where
 * none are expected, buffers that stand outside, objects given a state that their class has to
 * take.
 *
 * Memory and time are bounded by the size of the file and by foreign_limits.h; nothing
 * recurses. */
#ifndef SNAP_FOREIGN_PICKLE_READER_H
#define SNAP_FOREIGN_PICKLE_READER_H

#include <stdbool.h>
#include <stddef.h>

#include <snapstate/status.h>

#include "foreign/pickle_value.h"

struct snap_pickle_options {
    const char *what; /* the file, for messages; borrowed for the call */
    /* It may refer to things outside by ids (BINPERSID), as torch's do for storages. */
    bool persistent_ids;
    /* Bytes may follow it: torch's old files are several pickles in a row. */
    bool more_follows;
};

/* Read the pickle at the beginning of `data`, which is borrowed until *pickle is freed. *root is
 * its value: without cycles, at most SNAP_MAX_PICKLE_DEPTH deep, at most SNAP_MAX_PICKLE_NODES
 * values large, and with no key twice in a dict. *used (NULL: not wanted) is its size.
 * SNAP_CORRUPT: no pickle, or one that ends too early or lies about a size. SNAP_UNSUPPORTED:
 * something of it is refused, or it is past a limit. *pickle is owned by the caller. */
enum snap_status snap_pickle_read(const void *data, size_t size_bytes,
                                  const struct snap_pickle_options *options,
                                  struct snap_pickle **pickle,
                                  const struct snap_pickle_value **root, size_t *used,
                                  struct snap_error *err);

#endif
