/* SPDX-License-Identifier: Apache-2.0 */
/* Saving a run in memory as one file. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "format/archive_write.h"
#include "save.h"
#include "store/publish.h"

/* The folder and the name of a path; both freed with free(). */
static enum snap_status split(const char *path, char **folder, char **name, struct snap_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *leaf = slash == NULL ? path : slash + 1;
    if (leaf[0] == '\0' || strcmp(leaf, ".") == 0 || strcmp(leaf, "..") == 0)
        return snap_error_set(err, SNAP_INVALID, "%s: save: it is no name of a file", path);
    *name = strdup(leaf);
    *folder = slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : slash - path);
    if (*name == NULL || *folder == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: save: out of memory", path);
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
static enum snap_status check_place(int dirfd, const char *folder, const char *name,
                                    struct snap_error *err)
{
    struct stat info;
    if (fstatat(dirfd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(info.st_mode) &&
        !S_ISLNK(info.st_mode))
        return snap_error_set(err, SNAP_INVALID,
                              "%s: save %s there: it is no regular file, and is not replaced",
                              folder, name);
    return SNAP_OK; /* what stat does not see, the writing meets */
}

static enum snap_status put(const struct snap_run *run, const struct snap_save_job *job,
                            const char *folder, const char *name, char *hash,
                            struct snap_error *err)
{
    struct snap_publish_options options = { .mode = SNAP_PUT_REPLACE,
                                            .no_read_back = run->no_read_back,
                                            .write = { .pool = run->pool } };
    struct snap_archive_plan *plan = NULL;
    int dirfd = -1;
    enum snap_status status = snap_archive_plan_new(&job->manifest, job->members,
                                                    job->member_count, &plan, err);
    if (status == SNAP_OK)
        status = snap_file_open(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, 0, &dirfd, err);
    if (status == SNAP_NOT_FOUND) /* that status means a fresh run */
        status = snap_error_set(err, SNAP_IO, "%s: save %s there: no such folder", folder, name);
    if (status == SNAP_OK)
        status = check_place(dirfd, folder, name, err);
    if (status == SNAP_OK) {
        struct snap_content content = snap_archive_plan_content(plan);
        status = snap_publish(dirfd, name, &content, &options, err);
    }
    if (status == SNAP_OK && hash != NULL)
        snprintf(hash, SNAP_HASH_TEXT_BYTES, "%s", snap_archive_plan_snapshot_hash(plan));
    if (dirfd >= 0)
        close(dirfd); /* only read: nothing can be lost */
    snap_archive_plan_free(plan);
    return status;
}

enum snap_status snap_run_save_as(struct snap_run *run, const char *path,
                                  char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err)
{
    struct snap_save_job job = { .capsule = false };
    char *folder = NULL;
    char *name = NULL;
    enum snap_status status = check_call(run, path, err);
    if (status == SNAP_OK)
        status = split(path, &folder, &name, err);
    if (status == SNAP_OK)
        status = snap_run_freeze(run, err);
    if (status == SNAP_OK)
        status = snap_run_begin(run, status, err);
    if (status == SNAP_OK)
        status = snap_save_job_take(run, SNAP_IMAGE_FOR_SAVE, &job, err);
    if (status == SNAP_OK)
        status = put(run, &job, folder, name, hash, err);
    snap_save_job_release(&job);
    free(folder);
    free(name);
    return status;
}
