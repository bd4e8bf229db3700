/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger of a run's own folder: read, built again where lines are lost, opened for more. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "format/json_canonical.h"
#include "run_internal.h"

static uint64_t bytes_of(const struct snap_ledger *ledger)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < snap_ledger_line_count(ledger); i++) {
        size_t size;
        snap_ledger_line(ledger, i, &size);
        bytes += size;
    }
    return bytes;
}

enum snap_status snap_run_ledger_read(struct snap_run *run, struct snap_ledger **ledger,
                                      uint64_t *size, uint64_t *torn, struct snap_error *err)
{
    *ledger = NULL;
    *size = 0;
    *torn = 0;
    enum snap_status status = snap_ledger_open(run->ledger_path, ledger, torn, err);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK;
    if (status != SNAP_OK)
        return status;
    *size = bytes_of(*ledger);
    if (snap_ledger_line_count(*ledger) == 0) {
        snap_ledger_free(*ledger);
        *ledger = NULL;
    }
    return SNAP_OK;
}

enum snap_status snap_run_ledger_start(struct snap_run *run, uint64_t size, uint64_t torn,
                                       struct snap_error *err)
{
    enum snap_status status =
        snap_ledger_file_open(&run->ledger_file, run->dirfd, run->ledger_path, size, err);
    if (status != SNAP_OK || torn == 0)
        return status;
    json_t *fields = json_pack("{s:o}", "torn_bytes", snap_json_u64(torn));
    return snap_run_add_event(run, "ledger", fields, err);
}

/* Does the ledger have the archive's heads at its step? */
static bool goes_through(const struct snap_ledger *ledger, const struct snap_archive *archive)
{
    struct snap_chain_heads heads;
    size_t index;
    if (!snap_ledger_find(ledger, snap_archive_step(archive), &index))
        return false;
    snap_ledger_heads(ledger, index, &heads);
    return memcmp(&heads, &snap_archive_manifest(archive)->after, sizeof heads) == 0;
}

/* The run in the folder by its genesis line, or else by the first snapshot that can be read; ""
 * when neither is there. */
static enum snap_status find_run_id(const struct snap_run *run, const struct snap_ledger *ledger,
                                    char run_id[SNAP_RUN_ID_DIGITS + 1], struct snap_error *err)
{
    uint64_t *steps = NULL;
    size_t count = 0;
    run_id[0] = '\0';
    if (ledger != NULL) {
        snprintf(run_id, SNAP_RUN_ID_DIGITS + 1, "%.*s", SNAP_RUN_ID_DIGITS,
                 snap_ledger_chain(ledger, 0));
        return SNAP_OK;
    }
    enum snap_status status = snap_snapshots_list(run->store, &steps, &count, err);
    for (size_t i = 0; status == SNAP_OK && run_id[0] == '\0' && i < count; i++) {
        struct snap_archive *archive;
        char name[SNAP_SNAPSHOT_NAME_BYTES];
        snap_snapshot_name("snapshots", steps[i], name);
        if (snap_run_open_archive(run->store, name, &archive, NULL) != SNAP_OK)
            continue;
        snprintf(run_id, SNAP_RUN_ID_DIGITS + 1, "%s", snap_archive_run_id(archive));
        snap_archive_close(archive);
    }
    free(steps);
    return status;
}

static enum snap_status check_same_run(const struct snap_run *run, const struct snap_ledger *ledger,
                                       const struct snap_archive *archive, struct snap_error *err)
{
    char run_id[SNAP_RUN_ID_DIGITS + 1];
    enum snap_status status = find_run_id(run, ledger, run_id, err);
    if (status != SNAP_OK || run_id[0] == '\0' || strcmp(run_id, snap_archive_run_id(archive)) == 0)
        return status;
    return snap_error_set(err, SNAP_INVALID,
                          "%s: holds run %s, and the archive is of run %s: a "
                          "restore of it needs a new folder",
                          run->dir, run_id, snap_archive_run_id(archive));
}

/* Build the ledger from the archives, as far as `known` does not have it, and write it. */
static enum snap_status rebuild(struct snap_run *run, const struct snap_archive *archive,
                                const struct snap_ledger *known, struct snap_ledger **ledger,
                                struct snap_error *err)
{
    struct snap_put_options put = { .mode = SNAP_PUT_REPLACE };
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_ledger *made = NULL;
    enum snap_status status = snap_ledger_gather(run->store, archive, known, &text, err);
    if (status == SNAP_OK)
        status =
            snap_ledger_decode(text.data, text.size, "ledger.jsonl of the snapshots", &made, err);
    if (status == SNAP_OK && !goes_through(made, archive))
        status = snap_error_set(err, SNAP_CORRUPT,
                                "ledger.jsonl of the snapshots: does not reach "
                                "the chain of step %" PRIu64,
                                snap_archive_step(archive));
    /* Lines that are there must be the beginning of what is written over them. */
    if (status == SNAP_OK && known != NULL)
        status = snap_ledger_compare(known, made, NULL, NULL, err);
    if (status == SNAP_OK)
        status =
            snap_store_put_bytes(run->store, SNAP_LEDGER_FILE, text.data, text.size, &put, err);
    if (status == SNAP_OK) {
        uint64_t lines = snap_ledger_line_count(made);
        uint64_t had = known == NULL ? 0 : snap_ledger_line_count(known);
        json_t *fields = json_pack("{s:o, s:o}", "rebuilt_lines", snap_json_u64(lines - had),
                                   "step", snap_json_u64(snap_archive_step(archive)));
        status = snap_run_add_event(run, "ledger", fields, err);
    }
    snap_buffer_release(&text);
    if (status != SNAP_OK) {
        snap_ledger_free(made);
        return status;
    }
    *ledger = made;
    return SNAP_OK;
}

enum snap_status snap_run_ledger_reach(struct snap_run *run, const struct snap_archive *archive,
                                       struct snap_ledger **ledger, uint64_t *size, uint64_t *torn,
                                       struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    struct snap_ledger *read = NULL;
    struct snap_ledger *made = NULL;
    enum snap_status status = snap_run_ledger_read(run, &read, size, torn, &cause);
    if (status == SNAP_CORRUPT)
        return snap_ledger_explain(run->store, archive, run->ledger_path, status, &cause, err);
    if (status != SNAP_OK) {
        if (err != NULL)
            *err = cause;
        return status;
    }
    status = check_same_run(run, read, archive, err);
    if (status == SNAP_OK && read != NULL &&
        snap_ledger_last_step(read) >= snap_archive_step(archive)) {
        if (!goes_through(read, archive)) {
            snap_error_set(&cause, SNAP_CORRUPT,
                           "%s: its chain at step %" PRIu64 " is not the one "
                           "of the snapshot",
                           run->ledger_path, snap_archive_step(archive));
            status = snap_ledger_explain(run->store, archive, run->ledger_path, SNAP_CORRUPT,
                                         &cause, err);
        }
    } else if (status == SNAP_OK) {
        status = rebuild(run, archive, read, &made, err);
        if (status == SNAP_OK) {
            *size = bytes_of(made);
            *torn = 0;
        }
    }
    if (made != NULL) {
        snap_ledger_free(read);
        read = made;
    }
    if (status != SNAP_OK) {
        snap_ledger_free(read);
        return status;
    }
    *ledger = read;
    return SNAP_OK;
}
