/* SPDX-License-Identifier: Apache-2.0 */
/* env.json: information about where a snapshot was made. Nothing of it decides a bit under a
 * profile, and nothing of it tells a time, host, path, process or thread count. */
#ifndef SNAP_FORMAT_ENVIRONMENT_H
#define SNAP_FORMAT_ENVIRONMENT_H

#include <snapstate/status.h>

#include "core/buffer.h"

/* Append the document: versions of snapstate and of the libraries in use, the architecture, and
 * the environment variables of a fixed list that are set. */
enum snap_status snap_environment_encode(struct snap_buffer *out, struct snap_error *err);

#endif
