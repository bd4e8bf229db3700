/* SPDX-License-Identifier: Apache-2.0 */
/* What a failed step leaves: the state from before it, and what the caller adds. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json_canonical.h"
#include "format/member_name.h"
#include "save/save.h"

static enum snap_status check_failure(const struct snap_run *run,
                                      const struct snap_failure *failure, struct snap_error *err)
{
    if (run == NULL || failure == NULL || failure->size_bytes != sizeof *failure ||
        failure->what == NULL || failure->name == NULL || failure->value == NULL ||
        (failure->attachment_count > 0 && failure->attachments == NULL))
        return snap_error_set(err, SNAP_INVALID,
                              "capsule: no run or failure, or a failure that is "
                              "not SNAP_FAILURE_INIT or lacks a text");
    if (run->store == NULL)
        return snap_error_set(err, SNAP_UNSUPPORTED, "capsule: this run has no folder");
    if (!run->in_step || failure->step != run->steps_done + 1)
        return snap_error_set(err, SNAP_INVALID,
                              "capsule: of step %" PRIu64 ", which is not the step "
                              "under way",
                              failure->step);
    if (run->updating)
        return snap_error_set(err, SNAP_INVALID,
                              "capsule: of step %" PRIu64 ": the update has begun, "
                              "the state from before it is gone",
                              failure->step);
    for (size_t i = 0; i < failure->attachment_count; i++) {
        const struct snap_attachment *attachment = &failure->attachments[i];
        if (attachment->name == NULL || !snap_extra_name_is_legal(attachment->name) ||
            (attachment->data == NULL && attachment->size_bytes > 0))
            return snap_error_set(err, SNAP_INVALID,
                                  "capsule: attachment %zu has no legal name "
                                  "([A-Za-z0-9_][A-Za-z0-9._-]*), or no data",
                                  i);
    }
    return SNAP_OK;
}

enum snap_status snap_run_capsule(struct snap_run *run, const struct snap_failure *failure,
                                  char *path, size_t path_size, struct snap_error *err)
{
    enum snap_status status = check_failure(run, failure, err);
    if (status != SNAP_OK)
        return status;
    struct snap_save_job job = { .capsule = true,
                                 .attachments = failure->attachments,
                                 .attachment_count = failure->attachment_count };
    struct snap_save_result result = { .was_there = false };
    snap_snapshot_name("capsules", failure->step, job.name);
    if (path != NULL && strlen(run->dir) + 1 + strlen(job.name) >= path_size)
        return snap_error_set(err, SNAP_INVALID, "capsule: %zu bytes are too few for its path",
                              path_size);
    snap_run_settle_saves(run, true); /* an archive is written at a time */
    status = snap_save_job_take(run, SNAP_IMAGE_FOR_SAVE | SNAP_IMAGE_BEFORE_STEP, &job, err);
    if (status == SNAP_OK) {
        job.manifest.capsule = true;
        job.manifest.failure =
            json_pack("{s:o, s:s, s:o, s:s, s:s}", "element", snap_json_u64(failure->element),
                      "name", failure->name, "step", snap_json_u64(failure->step), "value",
                      failure->value, "what", failure->what);
        if (job.manifest.failure == NULL)
            status = snap_error_set(err, SNAP_NO_MEMORY,
                                    "capsule: its failure: out of memory, or "
                                    "a text that is not UTF-8");
    }
    if (status == SNAP_OK)
        status = snap_save_job_write(run, &job, false, &result, err);
    if (status == SNAP_OK && path != NULL)
        snprintf(path, path_size, "%s/%s", run->dir, job.name);
    snap_save_job_release(&job);
    return status;
}
