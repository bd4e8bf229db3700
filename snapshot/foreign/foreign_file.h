/* SPDX-License-Identifier: Apache-2.0 */
/* A file of another library, of whatever format, taken into a state. */
#ifndef SNAP_FOREIGN_FOREIGN_FILE_H
#define SNAP_FOREIGN_FOREIGN_FILE_H

#include <snapstate/status.h>

#include "foreign/foreign_state.h"

struct snap_foreign_request {
    const char *path;
    const char *name; /* of its root or stream; NULL: by the name of the file */
    const char *as;   /* a layout, or a kind of stream; NULL: find out */
};

/* Find out what the file is, and take all that is in it: streams and roots into `state`, and as
 * gaps what could not be taken. *format is "pickle", "torch", "npy", "npz", "safetensors" or
 * "json", and *layout as of snap_foreign_peers_take; both static. SNAP_NOT_FOUND, SNAP_IO;
 * SNAP_CORRUPT: none of these, or a damaged one; SNAP_UNSUPPORTED: something of it is refused. */
enum snap_status snap_foreign_file_take(struct snap_foreign_state *state,
                                        const struct snap_foreign_request *request,
                                        const char **format, const char **layout,
                                        struct snap_error *err);

#endif
