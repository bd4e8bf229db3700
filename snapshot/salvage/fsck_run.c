/* SPDX-License-Identifier: Apache-2.0 */
/* A run folder after an accident: what is left over, and what a restore can go on from. */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <snapstate/fsck.h>

#include "core/file.h"
#include "folder/volume_sweep.h"
#include "format/json_canonical.h"
#include "format/volumes.h"
#include "ledger/ledger_line.h"
#include "store/publish.h"
#include "verify/verify_folder.h"

#define EVENTS "events.jsonl"

/* What is met in one folder. */
struct meeting {
    struct snap_verdict *verdict;
    const char *folder;
    bool repair;
};

static enum snap_status meet_leftover(void *arg, const char *name, struct snap_error *err)
{
    const struct meeting *meeting = arg;
    return snap_verdict_ok(
        meeting->verdict, true, err, "leftovers", "%s/%s: %s", meeting->folder, name,
        meeting->repair ? "left by a save that was stopped; removed"
                        : "left by a save that was stopped, or one is under way");
}

static enum snap_status check_leftovers(struct snap_store *store, const char *dir, bool repair,
                                        struct snap_verdict *verdict, struct snap_error *err)
{
    static const char *const folders[] = {".", "snapshots", "capsules"};
    int root;
    enum snap_status status = snap_file_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &root, err);
    if (status != SNAP_OK)
        return status;
    for (size_t i = 0; status == SNAP_OK && i < sizeof folders / sizeof folders[0]; i++) {
        struct meeting meeting = {verdict, folders[i], repair};
        int fd;
        status = snap_file_open(root, folders[i], O_RDONLY | O_DIRECTORY, 0, &fd, err);
        if (status == SNAP_NOT_FOUND) {
            status = SNAP_OK;
            continue;
        }
        if (status == SNAP_OK) {
            status = snap_publish_leftovers(fd, repair, meet_leftover, &meeting, err);
            close(fd); /* only read: nothing can be lost */
        }
        if (status == SNAP_OK)
            status = snap_volumes_sweep(store, i == 0 ? "" : folders[i], NULL, repair,
                                        meet_leftover, &meeting, err);
    }
    close(root); /* only read: nothing can be lost */
    return status;
}

/* A file whose name nobody of ours gives. */
static enum snap_status meet_file(void *arg, const char *name, uint64_t size,
                                  struct snap_error *err)
{
    const struct meeting *meeting = arg;
    char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    uint64_t step;
    unsigned number;
    (void)size;
    if (snap_snapshot_name_parse(name, &step) || snap_volume_name_parse(name, stem, &number))
        return SNAP_OK;
    return snap_verdict_ok(meeting->verdict, true, err, "files",
                           "%s/%s: is no name of a snapshot; left alone", meeting->folder, name);
}

static enum snap_status check_files(struct snap_store *store, struct snap_verdict *verdict,
                                    struct snap_error *err)
{
    struct meeting snapshots = {verdict, "snapshots", false};
    struct meeting capsules = {verdict, "capsules", false};
    enum snap_status status = snap_store_list(store, "snapshots", meet_file, &snapshots, err);
    if (status == SNAP_OK)
        status = snap_store_list(store, "capsules", meet_file, &capsules, err);
    return status;
}

static enum snap_status mend_latest(struct snap_store *store,
                                    const struct snap_folder_findings *findings,
                                    struct snap_error *err)
{
    uint64_t step = 0;
    snap_snapshot_name_parse(strchr(findings->newest, '/') + 1, &step);
    enum snap_status status = snap_store_sync(store, findings->newest, err);
    if (status == SNAP_OK)
        status = snap_latest_write(store, findings->newest, findings->newest_hash, err);
    if (status == SNAP_OK)
        status = snap_event_add(store, "latest",
                                json_pack("{s:s, s:s, s:o}", "file", findings->newest, "hash",
                                          findings->newest_hash, "step", snap_json_u64(step)),
                                err);
    return status;
}

static enum snap_status check(struct snap_store *store, const char *dir,
                              const struct snap_fsck_options *options,
                              struct snap_verdict **verdict, struct snap_error *err)
{
    struct snap_verify_options checks = SNAP_VERIFY_OPTIONS_INIT;
    struct snap_folder_findings findings = {.latest_is_broken = false};
    struct snap_verdict *made = NULL;
    bool mended = false;
    checks.pool = options->pool;
    /* A second time when `latest` was mended: the first verdict is of what was. */
    for (;;) {
        enum snap_status status = snap_verdict_new(&made, err);
        if (status == SNAP_OK)
            status = check_leftovers(store, dir, options->repair, made, err);
        if (status == SNAP_OK)
            status = check_files(store, made, err);
        if (status == SNAP_OK && mended)
            status = snap_verdict_ok(made, true, err, "latest",
                                     "was missing or broken; mended: it names the newest snapshot "
                                     "that is whole");
        if (status == SNAP_OK)
            status = snap_verify_folder(store, dir, &checks, &findings, made, err);
        /* Not past a snapshot that could not be read: it may be the newest that is intact. */
        bool mend = status == SNAP_OK && options->repair && !mended && findings.latest_is_broken &&
                    !findings.unreadable && findings.newest[0] != '\0';
        if (status == SNAP_OK && !mend)
            return snap_verdict_give(made, status, "run", dir, verdict, err);
        if (status == SNAP_OK)
            status = mend_latest(store, &findings, err);
        snap_verdict_free(made);
        made = NULL;
        if (status != SNAP_OK)
            return status;
        mended = true;
    }
}

/* Is there anything of a run in the folder? Not to make a run of just any folder. */
static enum snap_status check_is_run(struct snap_store *store, const char *dir,
                                     struct snap_error *err)
{
    static const char *const names[] = {EVENTS, "config.json", SNAP_LEDGER_FILE, "latest",
                                        "snapshots"};
    bool there = false;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && !there && i < sizeof names / sizeof names[0]; i++)
        status = snap_store_exists(store, names[i], &there, err);
    if (status == SNAP_OK && !there)
        status = snap_error_set(err, SNAP_INVALID, "%s: holds no run", dir);
    return status;
}

enum snap_status snap_fsck_run(const char *dir, const struct snap_fsck_options *options,
                               struct snap_verdict **verdict, struct snap_error *err)
{
    struct snap_fsck_options none = SNAP_FSCK_OPTIONS_INIT;
    struct snap_store *store = NULL;
    struct snap_store_lock *lock = NULL;
    if (options == NULL)
        options = &none;
    if (dir == NULL || options->size_bytes != sizeof *options)
        return snap_error_set(err, SNAP_INVALID,
                              "fsck: no folder, or options that are not SNAP_FSCK_OPTIONS_INIT");
    enum snap_status status = snap_store_dir_open(dir, false, &store, err);
    if (status == SNAP_NOT_FOUND)
        status = snap_error_set(err, SNAP_IO, "%s: no such folder", dir);
    if (status == SNAP_OK)
        status = check_is_run(store, dir, err);
    if (status == SNAP_OK && options->repair)
        status = snap_store_lock(store, EVENTS, &lock, err);
    if (status == SNAP_BUSY)
        status = snap_error_set(err, SNAP_BUSY,
                                "%s: repair: a process is training in it; stop it first", dir);
    if (status == SNAP_OK)
        status = check(store, dir, options, verdict, err);
    snap_store_unlock(store, lock);
    snap_store_close(store);
    return status;
}
