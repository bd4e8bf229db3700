/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SNAP_UPLOAD_NOTE_H
#define SNAP_UPLOAD_NOTE_H

#include <snapstate/agent.h>

#include "store/store_ops.h"

/* The event, in a folder whose lock the caller holds. */
enum snap_status snap_upload_event_add(struct snap_store *store,
                                       const struct snap_upload_trouble *trouble,
                                       struct snap_error *err);

#endif
