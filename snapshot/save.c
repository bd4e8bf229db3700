/* SPDX-License-Identifier: Apache-2.0 */
/* Writing an archive: ledger durable, then the archive, then `latest`, then the event. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "digest/sha256.h"
#include "format/archive_write.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "save.h"

uint64_t snap_save_clock_ms(void)
{
    struct timespec now = { 0, 0 };
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Does the intact archive hold what is to be saved? A capsule's failure is part of that. */
static bool same_content(const struct snap_archive *archive, const char *state,
                         const struct snap_save_job *job)
{
    const struct snap_manifest *manifest = snap_archive_manifest(archive);
    return strcmp(snap_archive_state_hash(archive), state) == 0 &&
           memcmp(&manifest->after, &job->manifest.after, sizeof manifest->after) == 0 &&
           manifest->step == job->manifest.step && manifest->capsule == job->capsule &&
           (!job->capsule || json_equal(manifest->failure, job->manifest.failure));
}

static enum snap_status replaced_event(struct snap_run *run, const struct snap_save_job *job,
                                       const char *why, struct snap_error *err)
{
    json_t *fields = json_pack("{s:s, s:s}", "file", job->name, "why", why);
    return snap_run_add_event(run, "replaced", fields, err);
}

/* A file of this name that is as it should be; with members withheld it is to be replaced by the
 * whole one. It may be there without ever having been made durable. */
static enum snap_status meet_same(struct snap_run *run, const struct snap_save_job *job,
                                  const struct snap_archive *archive, bool *was_there,
                                  char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *cause)
{
    size_t withheld = snap_archive_withheld_count(archive);
    if (withheld > 0)
        return snap_error_set(cause, SNAP_CORRUPT, "%s: %zu members are withheld", job->name,
                              withheld);
    *was_there = true;
    snprintf(hash, SNAP_HASH_TEXT_BYTES, "%s", snap_archive_snapshot_hash(archive));
    return snap_store_sync(run->store, job->name, cause);
}

/* A file of this name may be there. *mode: how to write; *was_there: nothing is to be written, and
 * its hash is in `hash`. */
static enum snap_status meet_existing(struct snap_run *run, const struct snap_save_job *job,
                                      enum snap_put_mode *mode, bool *was_there,
                                      char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES] = { 0 };
    char state[SNAP_HASH_TEXT_BYTES];
    struct snap_archive *archive = NULL;
    *mode = SNAP_PUT_CREATE;
    *was_there = false;
    enum snap_status status = snap_run_open_archive(run->store, job->name, &archive, &cause);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK;
    if (status == SNAP_OK)
        status = snap_archive_check(archive, job->pool, &cause);
    if (status == SNAP_OK)
        status = snap_archive_state_digest(job->members, job->member_count, job->pool, digest,
                                           &cause);
    snap_hash_text("state1", digest, state);
    bool same = status == SNAP_OK && same_content(archive, state, job);
    if (same)
        status = meet_same(run, job, archive, was_there, hash, &cause);
    else if (status == SNAP_OK && job->capsule)
        status = SNAP_CORRUPT; /* an older failure of this step: the new one is evidence too */
    else if (status == SNAP_OK)
        status = snap_error_set(&cause, SNAP_DIFFERS,
                                "%s/%s: is there already with another state "
                                "(%.23s... there, %.23s... now)",
                                run->dir, job->name, snap_archive_state_hash(archive), state);
    if (status != SNAP_OK && status != SNAP_CORRUPT && err != NULL)
        *err = cause;
    snap_archive_close(archive);
    if (status != SNAP_CORRUPT)
        return status;
    *mode = SNAP_PUT_REPLACE;
    return replaced_event(run, job, cause.text[0] != '\0' ? cause.text : "another failure", err);
}

static enum snap_status saved_event(struct snap_run *run, const struct snap_save_job *job,
                                    const struct snap_save_result *result, uint64_t bytes,
                                    struct snap_error *err)
{
    uint64_t duration = snap_save_clock_ms() - job->began_ms;
    json_t *fields = json_pack("{s:s, s:s, s:o, s:o, s:o}", "file", job->name, "hash",
                               result->snapshot_hash, "step", snap_json_u64(job->manifest.step),
                               "bytes", snap_json_u64(bytes), "duration_ms",
                               snap_json_u64(duration));
    enum snap_status status = SNAP_OK;
    if (!job->capsule)
        status = snap_json_set(fields, "stall_ms",
                               snap_json_u64(job->behind ? job->stall_ms : duration), err);
    if (status == SNAP_OK && result->was_there)
        status = snap_json_set(fields, "was_there", json_true(), err);
    if (status == SNAP_OK && job->capsule)
        status = snap_json_set(fields, "failure", json_incref(job->manifest.failure), err);
    if (status == SNAP_OK)
        return snap_run_add_event(run, job->capsule ? "failure" : "save", fields, err);
    json_decref(fields);
    return status;
}

enum snap_status snap_save_job_write(struct snap_run *run, const struct snap_save_job *job,
                                     struct snap_save_result *result, struct snap_error *err)
{
    struct snap_put_options put = { .no_read_back = run->no_read_back, .pool = job->pool };
    struct snap_archive_plan *plan = NULL;
    enum snap_status status = snap_state_image_wait(&job->image, err);
    if (status == SNAP_OK)
        status = snap_archive_plan_new(&job->manifest, job->members, job->member_count, &plan, err);
    if (status == SNAP_OK)
        status = snap_ledger_file_flush(&run->ledger_file, err);
    if (status == SNAP_OK)
        status =
            meet_existing(run, job, &put.mode, &result->was_there, result->snapshot_hash, err);
    if (status == SNAP_OK && !result->was_there) {
        struct snap_content content = snap_archive_plan_content(plan);
        status = snap_store_put(run->store, job->name, &content, &put, err);
        snprintf(result->snapshot_hash, sizeof result->snapshot_hash, "%s",
                 snap_archive_plan_snapshot_hash(plan));
    }
    if (status == SNAP_OK && !job->capsule && !job->keep_latest)
        status = snap_latest_write(run->store, job->name, result->snapshot_hash, err);
    if (status == SNAP_OK)
        status = saved_event(run, job, result, snap_archive_plan_file_size(plan), err);
    snap_archive_plan_free(plan);
    return status;
}
