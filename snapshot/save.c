/* SPDX-License-Identifier: Apache-2.0 */
/* Writing an archive: ledger durable, then the archive, then `latest`, then the event. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "archive_put.h"
#include "digest/member_digest.h"
#include "digest/sha256.h"
#include "format/archive_fill.h"
#include "format/archive_write.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "rewrite.h"
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

/* A file of this name that is as it should be; with members that nobody has it is to be replaced by
 * one that is whole. It may be there without ever having been made durable. */
static enum snap_status meet_same(struct snap_run *run, const struct snap_save_job *job,
                                  const struct snap_archive *archive, bool *was_there,
                                  char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *cause)
{
    size_t withheld = snap_archive_absent_count(archive);
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

/* ---- thin ---- */

/* The base, if it is still the file that this run wrote. */
static struct snap_archive *open_base(const struct snap_run *run, const struct snap_save_job *job)
{
    const struct snap_thin_base *wanted = &job->before.base;
    struct snap_archive *base = NULL;
    char path[4096];
    if (job->capsule || run->thin == 0 || wanted->name[0] == '\0' ||
        wanted->followers >= run->thin || strcmp(wanted->name, job->name) == 0 ||
        (size_t)snprintf(path, sizeof path, "%s/%s", run->dir, wanted->name) >= sizeof path ||
        snap_archive_open_alone(path, &base, NULL) != SNAP_OK)
        return NULL;
    if (strcmp(snap_archive_snapshot_hash(base), wanted->hash) == 0)
        return base;
    snap_archive_close(base);
    return NULL;
}

/* Take the tensors' digests now, and leave to the base what it has. */
static enum snap_status leave_to_base(const struct snap_run *run, const struct snap_save_job *job,
                                      struct snap_error *err)
{
    struct snap_archive *base = open_base(run, job);
    struct snap_write_member *members = job->members;
    struct snap_digest_item *items = NULL;
    size_t count = job->member_count;
    size_t tensors = 0;
    enum snap_status status = SNAP_OK;
    if (base == NULL)
        return SNAP_OK;
    items = calloc(count + 1, sizeof *items);
    if (items == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: save: out of memory", job->name);
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        if (strncmp(members[i].name, "tensors/", 8) == 0)
            items[tensors++] = (struct snap_digest_item){ .data = members[i].data,
                                                          .size_bytes = members[i].size };
    status = snap_member_digests(job->pool, items, tensors, err);
    tensors = 0;
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        struct snap_write_member *member = &members[i];
        if (strncmp(member->name, "tensors/", 8) != 0)
            continue;
        struct snap_member as_read = { .name = member->name,
                                       .kind = SNAP_MEMBER_TENSOR,
                                       .data_size = member->size };
        memcpy(member->sha256, items[tensors++].sha256, SNAP_DIGEST_BYTES);
        memcpy(as_read.sha256, member->sha256, SNAP_DIGEST_BYTES);
        member->digest_known = true;
        member->withheld = snap_thin_withholds(base, &as_read);
        if (member->withheld)
            member->data = NULL;
    }
out:
    free(items);
    snap_archive_close(base);
    return status;
}

static void note_base(const struct snap_save_job *job, struct snap_save_result *result)
{
    struct snap_thin_base *base = &result->after.base;
    bool thin = false;
    for (size_t i = 0; i < job->member_count; i++)
        thin = thin || job->members[i].withheld;
    if (thin) {
        base->followers++;
        return;
    }
    snprintf(base->name, sizeof base->name, "%s", job->name);
    snprintf(base->hash, sizeof base->hash, "%s", result->snapshot_hash);
    base->followers = 0;
}

/* Did anything move since the last snapshot? */
static enum snap_status check_stale(struct snap_run *run, const struct snap_save_job *job,
                                    const struct snap_archive_plan *plan,
                                    struct snap_save_result *result, struct snap_error *err)
{
    const struct snap_moving *before = &job->before.moving;
    struct snap_moving now = { .known = true, .step = job->manifest.step };
    enum snap_status status = snap_archive_plan_moving(plan, now.digest, err);
    bool stale = status == SNAP_OK && before->known && now.step > before->step &&
                 memcmp(now.digest, before->digest, sizeof now.digest) == 0;
    if (stale) {
        result->after.stale_step = now.step;
        status = snap_run_add_event(run, "stale",
                                    json_pack("{s:o, s:o}", "step", snap_json_u64(now.step),
                                              "since", snap_json_u64(before->step)),
                                    err);
    }
    result->after.moving = now;
    return status;
}

uint64_t snap_run_stale_step(const struct snap_run *run)
{
    return run == NULL ? 0 : run->written.stale_step;
}

enum snap_status snap_save_job_write(struct snap_run *run, const struct snap_save_job *job,
                                     struct snap_save_result *result, struct snap_error *err)
{
    struct snap_put_options put = { .no_read_back = run->no_read_back, .pool = job->pool };
    struct snap_archive_plan *plan = NULL;
    result->after = job->before;
    enum snap_status status = snap_state_image_wait(&job->image, err);
    if (status == SNAP_OK)
        status = leave_to_base(run, job, err);
    if (status == SNAP_OK)
        status = snap_archive_plan_new(&job->manifest, job->members, job->member_count, &plan, err);
    if (status == SNAP_OK)
        status = snap_ledger_file_flush(&run->ledger_file, err);
    if (status == SNAP_OK)
        status =
            meet_existing(run, job, &put.mode, &result->was_there, result->snapshot_hash, err);
    if (status == SNAP_OK && !result->was_there) {
        status = snap_archive_put(run->store, job->name, plan, run->volume_size, &put, err);
        snprintf(result->snapshot_hash, sizeof result->snapshot_hash, "%s",
                 snap_archive_plan_snapshot_hash(plan));
        if (status == SNAP_OK && !job->capsule) {
            note_base(job, result);
            status = check_stale(run, job, plan, result, err);
        }
    }
    if (status == SNAP_OK && !job->capsule && !job->keep_latest)
        status = snap_latest_write(run->store, job->name, result->snapshot_hash, err);
    if (status == SNAP_OK)
        status = saved_event(run, job, result, snap_archive_plan_file_size(plan), err);
    snap_archive_plan_free(plan);
    return status;
}
