/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong with an upload, in the events of its run. */
#include "config.h"

#include <snapstate/agent.h>

#include "folder/run_folder.h"
#include "folder/upload_note.h"
#include "format/json_canonical.h"

#define EVENTS "events.jsonl"

enum snap_status snap_upload_event_add(struct snap_store *store,
                                       const struct snap_upload_trouble *trouble,
                                       struct snap_error *err)
{
    if (trouble == NULL || trouble->size_bytes != sizeof *trouble || trouble->file == NULL ||
        trouble->store == NULL || trouble->why == NULL)
        return snap_error_set(err, SNAP_INVALID, "upload: no trouble that could be noted");
    return snap_event_add(store, "upload_trouble",
                          json_pack("{s:s, s:o, s:s, s:s}", "file", trouble->file, "step",
                                    snap_json_u64(trouble->step), "store", trouble->store, "why",
                                    trouble->why),
                          err);
}

enum snap_status snap_upload_note(const char *dir, const struct snap_upload_trouble *trouble,
                                  struct snap_error *err)
{
    struct snap_store *store = NULL;
    struct snap_store_lock *lock = NULL;
    if (dir == NULL)
        return snap_error_set(err, SNAP_INVALID, "upload: no folder");
    enum snap_status status = snap_store_dir_open(dir, false, &store, err);
    if (status == SNAP_OK)
        status = snap_store_lock(store, EVENTS, &lock, err);
    if (status == SNAP_OK)
        status = snap_upload_event_add(store, trouble, err);
    snap_store_unlock(store, lock);
    snap_store_close(store);
    return status;
}
