/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger of a run's own folder: read, built again where lines are lost, opened for more. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "folder/ledger_rebuild.h"
#include "format/json_canonical.h"
#include "format/limits.h"
#include "run/run_internal.h"

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

void snap_ledger_mend_release(struct snap_ledger_mend *mend)
{
    json_decref(mend->events);
    *mend = (struct snap_ledger_mend){ 0, 0, NULL };
}

enum snap_status snap_ledger_mend_tell(struct snap_ledger_mend *mend, json_t *fields,
                                       struct snap_error *err)
{
    if (mend->events == NULL)
        mend->events = json_array();
    if (json_array_append_new(mend->events, fields) != 0)
        return snap_error_set(err, SNAP_NO_MEMORY, "ledger: mend: out of memory");
    return SNAP_OK;
}

enum snap_status snap_ledger_mend_drop(struct snap_ledger_mend *mend,
                                       const struct snap_ledger *ledger, size_t keep,
                                       struct snap_error *err)
{
    size_t count = snap_ledger_line_count(ledger);
    uint64_t after = snap_ledger_first_step(ledger) + (keep > 0 ? keep - 1 : 0);
    if (keep == count)
        return SNAP_OK;
    for (size_t i = keep; i < count; i++) {
        size_t bytes;
        snap_ledger_line(ledger, i, &bytes);
        mend->size -= bytes;
        mend->past += bytes;
    }
    return snap_ledger_mend_tell(
        mend,
        json_pack("{s:o, s:o, s:s}", "dropped_lines", snap_json_u64(count - keep), "after",
                  snap_json_u64(after), "chain", snap_ledger_chain(ledger, count - 1)),
        err);
}

/* The lines before the first that is torn or damaged. *damage: what is wrong with that one. */
static enum snap_status read_good(struct snap_run *run, struct snap_ledger **ledger,
                                  struct snap_ledger_mend *mend, struct snap_error *damage,
                                  struct snap_error *err)
{
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    struct snap_ledger *made = NULL;
    *ledger = NULL;
    *damage = (struct snap_error)SNAP_ERROR_INIT;
    /* By the store and not by its path: the working directory may be another by now. */
    enum snap_status status =
        snap_store_read(run->store, SNAP_LEDGER_FILE, SNAP_MAX_LEDGER_FILE_BYTES, &bytes, err);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK;
    if (status == SNAP_OK)
        status = snap_ledger_decode_good(bytes.data, bytes.size, run->ledger_path, &made,
                                         &mend->past, damage, err);
    if (status == SNAP_OK)
        mend->size = bytes_of(made);
    snap_buffer_release(&bytes);
    if (status == SNAP_OK && mend->past > 0 && damage->status == SNAP_OK)
        status = snap_ledger_mend_tell(
            mend, json_pack("{s:o}", "torn_bytes", snap_json_u64(mend->past)), err);
    else if (status == SNAP_OK && mend->past > 0)
        status = snap_ledger_mend_tell(
            mend,
            json_pack("{s:o, s:o, s:s}", "damaged_bytes", snap_json_u64(mend->past), "after",
                      snap_json_u64(snap_ledger_last_step(made)), "why", damage->text),
            err);
    if (status != SNAP_OK || snap_ledger_line_count(made) == 0)
        snap_ledger_free(made);
    else
        *ledger = made;
    return status;
}

enum snap_status snap_run_ledger_read(struct snap_run *run, struct snap_ledger **ledger,
                                      struct snap_ledger_mend *mend, struct snap_error *err)
{
    struct snap_ledger_mend unwanted = { 0, 0, NULL };
    struct snap_error damage;
    struct snap_ledger *read;
    enum snap_status status = read_good(run, &read, mend == NULL ? &unwanted : mend, &damage, err);
    snap_ledger_mend_release(&unwanted);
    if (status != SNAP_OK)
        return status;
    if (damage.status != SNAP_OK) {
        snap_ledger_free(read);
        if (err != NULL)
            *err = damage;
        return damage.status;
    }
    *ledger = read;
    return SNAP_OK;
}

enum snap_status snap_run_ledger_start(struct snap_run *run, const struct snap_ledger_mend *mend,
                                       struct snap_error *err)
{
    return snap_ledger_file_open(&run->ledger_file, run->dirfd, run->ledger_path, mend->size,
                                 mend->past, err);
}

enum snap_status snap_run_ledger_mend(struct snap_run *run, const struct snap_ledger_mend *mend,
                                      struct snap_error *err)
{
    enum snap_status status = snap_ledger_file_cut(&run->ledger_file, err);
    for (size_t i = 0; status == SNAP_OK && i < json_array_size(mend->events); i++)
        status =
            snap_run_add_event(run, "ledger", json_incref(json_array_get(mend->events, i)), err);
    return status;
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

/* Build the ledger up to `last` from the archives, as far as `known` does not have it. It goes
 * through `archive`. */
static enum snap_status build(struct snap_run *run, const struct snap_archive *last,
                              const struct snap_archive *archive, const struct snap_ledger *known,
                              struct snap_buffer *text, struct snap_ledger **ledger,
                              struct snap_error *err)
{
    struct snap_ledger *made = NULL;
    enum snap_status status = snap_ledger_gather(run->store, last, known, text, err);
    if (status == SNAP_OK)
        status =
            snap_ledger_decode(text->data, text->size, "ledger.jsonl of the snapshots", &made, err);
    if (status == SNAP_OK && !snap_ledger_goes_through(made, last))
        status = snap_error_set(err, SNAP_CORRUPT,
                                "ledger.jsonl of the snapshots: does not reach "
                                "the chain of step %" PRIu64,
                                snap_archive_step(last));
    if (status == SNAP_OK && !snap_ledger_goes_through(made, archive))
        status = snap_error_set(err, SNAP_CORRUPT,
                                "ledger.jsonl of step %" PRIu64 ": does not go through step "
                                "%" PRIu64,
                                snap_archive_step(last), snap_archive_step(archive));
    /* Lines that are there must be the beginning of what is written over them. */
    if (status == SNAP_OK && known != NULL)
        status = snap_ledger_compare(known, made, NULL, NULL, err);
    if (status != SNAP_OK) {
        snap_ledger_free(made);
        return status;
    }
    *ledger = made;
    return SNAP_OK;
}

/* The same from the newest snapshot in the folder that has lines after those known, and after the
 * archive's: what was trained is expected again. *ledger stays NULL when there is none. */
static enum snap_status build_newest(struct snap_run *run, const struct snap_archive *archive,
                                     const struct snap_ledger *known, struct snap_buffer *text,
                                     struct snap_ledger **ledger, struct snap_error *err)
{
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    uint64_t *steps = NULL;
    size_t count = 0;
    uint64_t last = snap_archive_step(archive);
    if (known != NULL && snap_ledger_last_step(known) > last)
        last = snap_ledger_last_step(known);
    enum snap_status status = snap_snapshots_list(run->store, &steps, &count, err);
    for (size_t i = count; status == SNAP_OK && *ledger == NULL && i-- > 0 && steps[i] > last;) {
        struct snap_archive *newest;
        snap_snapshot_name("snapshots", steps[i], name);
        /* One that cannot be read, or is of other steps, has nothing to give. */
        if (snap_run_open_archive(run->store, name, &newest, NULL) != SNAP_OK)
            continue;
        if (snap_archive_step(newest) == steps[i] &&
            build(run, newest, archive, known, text, ledger, NULL) == SNAP_NO_MEMORY)
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: build again: out of memory",
                                    run->ledger_path);
        if (*ledger == NULL)
            snap_buffer_clear(text);
        snap_archive_close(newest);
    }
    free(steps);
    return status;
}

/* Where lines are lost, build and write the ledger; *ledger stays NULL where none are. */
static enum snap_status rebuild(struct snap_run *run, const struct snap_archive *archive,
                                const struct snap_ledger *known, bool reaches,
                                struct snap_ledger **ledger, struct snap_error *err)
{
    struct snap_put_options put = { .mode = SNAP_PUT_REPLACE };
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_ledger *made = NULL;
    enum snap_status status = build_newest(run, archive, known, &text, &made, err);
    if (status == SNAP_OK && made == NULL && !reaches)
        status = build(run, archive, archive, known, &text, &made, err);
    if (status == SNAP_OK && made != NULL)
        status =
            snap_store_put_bytes(run->store, SNAP_LEDGER_FILE, text.data, text.size, &put, err);
    if (status == SNAP_OK && made != NULL) {
        uint64_t lines = snap_ledger_line_count(made);
        uint64_t had = known == NULL ? 0 : snap_ledger_line_count(known);
        json_t *fields = json_pack("{s:o, s:o}", "rebuilt_lines", snap_json_u64(lines - had),
                                   "step", snap_json_u64(snap_ledger_last_step(made)));
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

/* The ledger is of no use for the archive: why, and the way out. */
static enum snap_status tell_damage(struct snap_run *run, const struct snap_archive *archive,
                                    struct snap_error *damage, struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    if (damage->status == SNAP_OK)
        snap_error_set(damage, SNAP_CORRUPT,
                       "%s: its chain at step %" PRIu64 " is not the one of the snapshot",
                       run->ledger_path, snap_archive_step(archive));
    snap_ledger_explain(run->store, archive, run->ledger_path, damage->status, damage, &cause);
    return snap_error_set(err, cause.status,
                          "%.600s; move it out of the folder, and a restore builds it again from "
                          "the snapshots",
                          cause.text);
}

enum snap_status snap_run_ledger_reach(struct snap_run *run, const struct snap_archive *archive,
                                       struct snap_ledger **ledger, struct snap_ledger_mend *mend,
                                       struct snap_error *err)
{
    struct snap_error damage;
    struct snap_ledger *read;
    struct snap_ledger *made = NULL;
    enum snap_status status = read_good(run, &read, mend, &damage, err);
    if (status != SNAP_OK)
        return status;
    bool damaged = damage.status != SNAP_OK;
    bool reaches = read != NULL && snap_ledger_last_step(read) >= snap_archive_step(archive);
    if (!damaged)
        status = check_same_run(run, read, archive, err);
    if (status == SNAP_OK && (reaches ? !snap_ledger_goes_through(read, archive) : damaged))
        status = tell_damage(run, archive, &damage, err);
    if (status == SNAP_OK)
        status = rebuild(run, archive, read, reaches, &made, err);
    if (made != NULL) {
        snap_ledger_free(read);
        read = made;
        mend->size = bytes_of(made);
        mend->past = 0;
        /* A torn line has come back; what was damaged is told. */
        if (!damaged)
            json_array_clear(mend->events);
    }
    if (status != SNAP_OK) {
        snap_ledger_free(read);
        return status;
    }
    *ledger = read;
    return SNAP_OK;
}
