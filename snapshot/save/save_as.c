/* SPDX-License-Identifier: Apache-2.0 */
/* Saving a run in memory as one file. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "folder/archive_put.h"
#include "save/save.h"

static enum snap_status check_name(const char *path, struct snap_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *leaf = slash == NULL ? path : slash + 1;
    if (leaf[0] == '\0' || strcmp(leaf, ".") == 0 || strcmp(leaf, "..") == 0)
        return snap_error_set(err, SNAP_INVALID, "%s: save: it is no name of a file", path);
    return SNAP_OK;
}

static enum snap_status check_call(const struct snap_run *run, const char *path,
                                   struct snap_error *err)
{
    if (run == NULL || path == NULL)
        return snap_error_set(err, SNAP_INVALID, "save: no run or path");
    if (run->in_step)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: save: a step is under way: its ledger line comes first", path);
    if (run->store != NULL || run->archive_path != NULL)
        return snap_error_set(
            err, SNAP_UNSUPPORTED,
            "%s: save: the run has a folder, where snap_run_capture saves, or was "
            "restored from an archive",
            path);
    return SNAP_OK;
}

/* What is replaced must be a file: not a device, a pipe or a socket. */
static enum snap_status check_place(const char *path, struct snap_error *err)
{
    const char *slash = strrchr(path, '/');
    struct stat info;
    if (lstat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode))
        return snap_error_set(err, SNAP_INVALID,
                              "%.*s: save %s there: it is no regular file, and is not replaced",
                              slash == NULL ? 1 : (int)(slash - path), slash == NULL ? "." : path,
                              slash == NULL ? path : slash + 1);
    return SNAP_OK; /* what lstat does not see, the writing meets */
}

static enum snap_status put(const struct snap_run *run, const struct snap_save_job *job,
                            const char *path, char *hash, struct snap_error *err)
{
    const struct snap_archive_put_options options = { .put = { .mode = SNAP_PUT_REPLACE,
                                                               .no_read_back = run->no_read_back,
                                                               .pool = run->pool },
                                                      .volume_size = run->volume_size };
    struct snap_archive_plan *plan = NULL;
    enum snap_status status = snap_archive_plan_new(&job->manifest, job->members,
                                                    job->member_count, &plan, err);
    if (status == SNAP_OK)
        status = snap_archive_put_at(path, plan, &options, err);
    if (status == SNAP_OK && hash != NULL)
        snprintf(hash, SNAP_HASH_TEXT_BYTES, "%s", snap_archive_plan_snapshot_hash(plan));
    snap_archive_plan_free(plan);
    return status;
}

enum snap_status snap_run_save_as(struct snap_run *run, const char *path,
                                  char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err)
{
    struct snap_save_job job = { .capsule = false };
    enum snap_status status = check_call(run, path, err);
    if (status == SNAP_OK)
        status = check_name(path, err);
    if (status == SNAP_OK)
        status = check_place(path, err);
    if (status == SNAP_OK)
        status = snap_run_freeze(run, err);
    if (status == SNAP_OK)
        status = snap_run_begin(run, status, err);
    if (status == SNAP_OK)
        status = snap_save_job_take(run, SNAP_IMAGE_FOR_SAVE, &job, err);
    if (status == SNAP_OK)
        status = put(run, &job, path, hash, err);
    snap_save_job_release(&job);
    return status;
}
