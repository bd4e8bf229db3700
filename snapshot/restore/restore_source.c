/* SPDX-License-Identifier: Apache-2.0 */
/* Which archive a run is restored from. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folder/ledger_rebuild.h"
#include "format/json_canonical.h"
#include "restore/restore.h"

/* Is it the first snapshot of the run: intact, on the ledger's chain, with no parent in the run? */
static bool is_first(struct snap_run *run, const struct snap_archive *archive, uint64_t step)
{
    const struct snap_manifest *manifest = snap_archive_manifest(archive);
    struct snap_ledger *ledger = NULL;
    bool first = manifest->step == step && !manifest->capsule && !manifest->has_parent &&
                 !manifest->has_before && snap_archive_withheld_count(archive) == 0 &&
                 snap_archive_check(archive, run->pool, NULL) == SNAP_OK &&
                 snap_run_ledger_read(run, &ledger, NULL, NULL) == SNAP_OK && ledger != NULL &&
                 snap_ledger_goes_through(ledger, archive);
    snap_ledger_free(ledger);
    return first;
}

/* `latest` is not there, and one snapshot is: a run that was stopped between the two goes on from
 * it, and `latest` names it. *archive stays NULL when it is not that. */
static enum snap_status adopt_first(struct snap_run *run, uint64_t step,
                                    struct snap_archive **archive, struct snap_error *err)
{
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    struct snap_archive *opened;
    snap_snapshot_name("snapshots", step, name);
    if (snap_run_open_archive(run->store, name, &opened, NULL) != SNAP_OK)
        return SNAP_OK;
    if (!is_first(run, opened, step)) {
        snap_archive_close(opened);
        return SNAP_OK;
    }
    const char *hash = snap_archive_snapshot_hash(opened);
    enum snap_status status = snap_store_sync(run->store, name, err);
    if (status == SNAP_OK)
        status = snap_latest_write(run->store, name, hash, err);
    if (status == SNAP_OK)
        status = snap_run_add_event(
            run, "latest",
            json_pack("{s:s, s:s, s:o}", "file", name, "hash", hash, "step", snap_json_u64(step)),
            err);
    if (status == SNAP_OK)
        *archive = opened;
    else
        snap_archive_close(opened);
    return status;
}

/* No snapshot is named by `latest`: is that as it should be? */
static enum snap_status check_fresh(struct snap_run *run, struct snap_archive **archive,
                                    struct snap_error *err)
{
    uint64_t *steps = NULL;
    size_t count = 0;
    struct snap_ledger *ledger = NULL;
    json_t *genesis = NULL;
    enum snap_status status = snap_snapshots_list(run->store, &steps, &count, err);
    if (status == SNAP_OK && count == 1)
        status = adopt_first(run, steps[0], archive, err);
    if (status == SNAP_OK && count > 0 && *archive == NULL)
        status = snap_error_set(
            err, SNAP_CORRUPT,
            "%s/latest: is missing, and there are snapshots: "
            "go on from one of your choice: snap restore %s/snapshots/step-%010" PRIu64 ".snap.tar "
            "--dir %s, or that path as options.archive in a program of your own",
            run->dir, run->dir, steps[count - 1], run->dir);
    free(steps);
    if (status != SNAP_OK || *archive != NULL)
        return status;
    status = snap_run_ledger_read(run, &ledger, NULL, err);
    if (status == SNAP_OK && ledger != NULL)
        status = snap_ledger_document(ledger, 0, &genesis, err);
    const json_t *parent = json_object_get(json_object_get(genesis, "host"), "parent");
    if (status == SNAP_OK && json_is_object(parent))
        status = snap_error_set(err, SNAP_INVALID,
                                "%s: its run began from %s, and has no snapshot "
                                "of its own yet: restore that one into it again",
                                run->dir, json_string_value(json_object_get(parent, "snapshot")));
    json_decref(genesis);
    snap_ledger_free(ledger);
    return status;
}

bool snap_restore_find_in_memory(struct snap_run *run, struct snap_archive **archive)
{
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    char hash[SNAP_HASH_TEXT_BYTES];
    return run->archive_path == NULL && run->store != NULL && run->agent != NULL &&
           snap_latest_read(run->store, name, hash, NULL) == SNAP_OK &&
           snap_agent_fetch(run, name, hash, archive, NULL) == SNAP_OK;
}

enum snap_status snap_restore_find(struct snap_run *run, struct snap_archive **archive,
                                   char name[SNAP_SNAPSHOT_NAME_BYTES], struct snap_error *err)
{
    if (run->archive_path != NULL) {
        enum snap_status status = snap_archive_open(run->archive_path, archive, err);
        if (status == SNAP_NOT_FOUND) /* that status means a fresh run */
            return snap_error_set(err, SNAP_IO, "%s: open: no such file", run->archive_path);
        return status;
    }
    if (run->store == NULL)
        return snap_error_set(err, SNAP_NOT_FOUND,
                              "restore: no folder and no archive: a fresh run");
    enum snap_status status = snap_latest_open(run->store, archive, name, err);
    if (status != SNAP_NOT_FOUND)
        return status;
    *archive = NULL;
    status = check_fresh(run, archive, err);
    if (*archive != NULL)
        snap_snapshot_name("snapshots", snap_archive_step(*archive), name);
    if (status != SNAP_OK || *archive != NULL)
        return status;
    return snap_error_set(err, SNAP_NOT_FOUND, "%s: has no snapshot yet", run->dir);
}

enum snap_status snap_run_source(struct snap_run *run, char *path, size_t path_size,
                                 struct snap_error *err)
{
    struct snap_archive *archive = NULL;
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    if (run == NULL || path == NULL)
        return snap_error_set(err, SNAP_INVALID, "restore: find its source: no run or path");
    enum snap_status status = snap_restore_find(run, &archive, name, err);
    if (status != SNAP_OK)
        return status;
    snap_archive_close(archive);
    bool given = run->archive_path != NULL;
    size_t bytes = 1 + (given ? strlen(run->archive_path) : strlen(run->dir) + 1 + strlen(name));
    if (bytes > path_size)
        return snap_error_set(err, SNAP_INVALID,
                              "restore: find its source: its path has %zu bytes, and there is room "
                              "for %zu",
                              bytes, path_size);
    if (given)
        memcpy(path, run->archive_path, bytes);
    else
        snprintf(path, path_size, "%s/%s", run->dir, name);
    return SNAP_OK;
}
