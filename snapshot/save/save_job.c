/* SPDX-License-Identifier: Apache-2.0 */
/* Taking everything that an archive of the present state needs. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folder/ledger_rebuild.h"
#include "format/environment.h"
#include "format/limits.h"
#include "save/save.h"

static enum snap_status fill_coverage(const struct snap_inventory *inventory, json_t *coverage,
                                      struct snap_error *err)
{
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 16];
    enum snap_status status = SNAP_OK;
    if (coverage == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "coverage: out of memory");
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++)
        status =
            snap_coverage_add(coverage, inventory->streams[inventory->stream_order[i]].member, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->root_count; i++) {
        snprintf(name, sizeof name, "tensors/%s", inventory->roots[i].name);
        status = snap_coverage_add(coverage, name, err);
    }
    for (size_t i = 0; status == SNAP_OK && i < inventory->value_count; i++)
        status = snap_coverage_add(coverage, inventory->values[i].member, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->gap_count; i++)
        status = snap_coverage_add_not(coverage, inventory->gaps[i].name, inventory->gaps[i].reason,
                                       err);
    return status;
}

static enum snap_status fill_manifest(const struct snap_run *run, struct snap_manifest *manifest,
                                      struct snap_error *err)
{
    const struct snap_parent_link *link = &run->link;
    memcpy(manifest->run_id, run->run_id, sizeof manifest->run_id);
    manifest->step = run->steps_done;
    manifest->has_parent = link->has_parent;
    memcpy(manifest->parent, link->parent, sizeof manifest->parent);
    manifest->after = run->heads;
    manifest->has_before = link->has_before;
    manifest->before = link->before;
    manifest->coverage = snap_coverage_new();
    return fill_coverage(&run->inventory, manifest->coverage, err);
}

/* All members that the caller of the archive writer gives, with names of their own. */
static enum snap_status take_members(const struct snap_run *run, struct snap_save_job *job,
                                     struct snap_error *err)
{
    size_t spare = 2 + job->attachment_count;
    size_t count = 0;
    enum snap_status status =
        snap_state_image_members(run, &job->image, spare, &job->members, &count, err);
    if (status != SNAP_OK)
        return status;
    job->member_count = count + spare;
    job->names = calloc(job->member_count, sizeof *job->names);
    if (job->names == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: save: out of memory", job->name);
    for (size_t i = 0; i < count; i++) {
        struct snap_write_member *member = &job->members[i];
        const struct snap_staged_digest *known =
            snap_staging_find(&run->staging, member->data, member->size);
        if (known == NULL)
            continue;
        memcpy(member->sha256, known->sha256, SNAP_DIGEST_BYTES);
        member->digest_known = true;
    }
    struct snap_write_member *more = job->members + count;
    *more++ = (struct snap_write_member){ .name = "env.json",
                                          .data = job->environment.data,
                                          .size = job->environment.size };
    *more++ = (struct snap_write_member){ .name = SNAP_LEDGER_FILE,
                                          .data = job->lines.data,
                                          .size = job->lines.size };
    for (size_t i = 0; i < job->attachment_count; i++)
        *more++ = (struct snap_write_member){ .data = job->attachments[i].data,
                                              .size = job->attachments[i].size_bytes };
    for (size_t i = 0; i < job->member_count; i++) {
        size_t attachment = i - (count + 2);
        if (i < count + 2)
            snprintf(job->names[i], sizeof *job->names, "%s", job->members[i].name);
        else
            snprintf(job->names[i], sizeof *job->names, "extra/%s",
                     job->attachments[attachment].name);
        job->members[i].name = job->names[i];
    }
    return SNAP_OK;
}

/* `latest` names the snapshot that is being saved from now on, unless it names a later one whose
 * lines are expected again: then a run that is stopped goes on from that one still. */
static bool latest_stays(struct snap_run *run, uint64_t step)
{
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    struct snap_archive *there;
    bool stays = false;
    if (run->own_ledger != NULL && snap_latest_open(run->store, &there, name, NULL) == SNAP_OK) {
        stays = snap_archive_step(there) > step && snap_ledger_goes_through(run->own_ledger, there);
        snap_archive_close(there);
    }
    return stays;
}

enum snap_status snap_save_job_take(struct snap_run *run, unsigned flags, struct snap_save_job *job,
                                    struct snap_error *err)
{
    job->began_ms = snap_save_clock_ms();
    job->pool = run->pool;
    job->before = run->written;
    job->lines_are_older = run->link.has_latest;
    enum snap_status status = snap_state_image_take(run, flags, &job->image, err);
    if (status == SNAP_OK)
        status = fill_manifest(run, &job->manifest, err);
    if (status == SNAP_OK)
        status = snap_environment_encode(&job->environment, err);
    if (status == SNAP_OK)
        status = snap_buffer_append(&job->lines, run->link.lines.data, run->link.lines.size, err);
    if (status == SNAP_OK)
        status = take_members(run, job, err);
    if (status == SNAP_OK)
        status = snap_held_fill(&job->held, run->held.steps, run->held.count, err);
    if (status == SNAP_OK && run->store != NULL) {
        job->keep_latest = latest_stays(run, run->steps_done);
        status = snap_ledger_file_cut(&run->ledger_file, err);
    }
    return status;
}

void snap_save_job_release(struct snap_save_job *job)
{
    snap_state_image_release(&job->image);
    snap_manifest_release(&job->manifest);
    snap_buffer_release(&job->environment);
    snap_buffer_release(&job->lines);
    free(job->members);
    free(job->names);
    free(job->held.steps);
    job->members = NULL;
    job->names = NULL;
    job->held = (struct snap_held){ NULL, 0 };
}
