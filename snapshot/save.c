/* SPDX-License-Identifier: Apache-2.0 */
/* Writing an archive: ledger durable, then the archive, then `latest`, then the event. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "digest/member_digest.h"
#include "digest/sha256.h"
#include "format/archive_fill.h"
#include "format/archive_write.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "rewrite.h"
#include "save.h"

static uint64_t milliseconds(void)
{
    struct timespec now = { 0, 0 };
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* All members that the caller of the archive writer gives. Names of attachments are made here, into
 * *names. Both are freed with free(). */
static enum snap_status job_members(const struct snap_run *run, const struct snap_save_job *job,
                                    struct snap_write_member **members, size_t *count,
                                    snap_member_name **names, struct snap_error *err)
{
    size_t spare = 2 + job->attachment_count;
    *names = calloc(job->attachment_count + 1, sizeof **names);
    if (*names == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: save: out of memory", job->name);
    enum snap_status status =
        snap_state_image_members(run, &job->image, spare, members, count, err);
    if (status != SNAP_OK)
        return status;
    struct snap_write_member *more = *members + *count;
    *more++ = (struct snap_write_member){ .name = "env.json",
                                          .data = job->environment.data,
                                          .size = job->environment.size };
    *more++ = (struct snap_write_member){ .name = SNAP_LEDGER_FILE,
                                          .data = job->lines.data,
                                          .size = job->lines.size };
    for (size_t i = 0; i < job->attachment_count; i++) {
        const struct snap_attachment *attachment = &job->attachments[i];
        snprintf((*names)[i], sizeof **names, "extra/%s", attachment->name);
        *more++ = (struct snap_write_member){ .name = (*names)[i],
                                              .data = attachment->data,
                                              .size = attachment->size_bytes };
    }
    *count += spare;
    return SNAP_OK;
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
                                      struct snap_write_member *members, size_t count,
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
        status = snap_archive_check(archive, run->pool, &cause);
    if (status == SNAP_OK)
        status = snap_archive_state_digest(members, count, run->pool, digest, &cause);
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

/* `latest` names this snapshot from now on, unless it names a later one whose lines are expected
 * again: then a run that is stopped goes on from that one still. */
static enum snap_status move_latest(struct snap_run *run, const struct snap_save_job *job,
                                    const char *hash, struct snap_error *err)
{
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    struct snap_archive *there;
    bool stays = false;
    if (run->own_ledger != NULL && snap_latest_open(run->store, &there, name, NULL) == SNAP_OK) {
        stays = snap_archive_step(there) > job->manifest.step &&
                snap_ledger_goes_through(run->own_ledger, there);
        snap_archive_close(there);
    }
    return stays ? SNAP_OK : snap_latest_write(run->store, job->name, hash, err);
}

static enum snap_status saved_event(struct snap_run *run, const struct snap_save_job *job,
                                    const struct snap_save_result *result, uint64_t bytes,
                                    uint64_t began, struct snap_error *err)
{
    json_t *fields =
        json_pack("{s:s, s:s, s:o, s:o, s:o}", "file", job->name, "hash", result->snapshot_hash,
                  "step", snap_json_u64(job->manifest.step), "bytes", snap_json_u64(bytes),
                  "duration_ms", snap_json_u64(milliseconds() - began));
    enum snap_status status = SNAP_OK;
    if (result->was_there)
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
static struct snap_archive *open_base(const struct snap_run *run)
{
    struct snap_archive *base = NULL;
    char path[4096];
    if (run->thin == 0 || run->base.name[0] == '\0' || run->base.followers >= run->thin ||
        (size_t)snprintf(path, sizeof path, "%s/%s", run->dir, run->base.name) >= sizeof path ||
        snap_archive_open_alone(path, &base, NULL) != SNAP_OK)
        return NULL;
    if (strcmp(snap_archive_snapshot_hash(base), run->base.hash) == 0)
        return base;
    snap_archive_close(base);
    return NULL;
}

/* Take the tensors' digests now, and leave to the base what it has. */
static enum snap_status leave_to_base(struct snap_run *run, const struct snap_save_job *job,
                                      struct snap_write_member *members, size_t count,
                                      struct snap_error *err)
{
    struct snap_archive *base = job->capsule ? NULL : open_base(run);
    struct snap_digest_item *items = NULL;
    size_t tensors = 0;
    enum snap_status status = SNAP_OK;
    if (base == NULL || strcmp(run->base.name, job->name) == 0)
        goto out;
    items = calloc(count + 1, sizeof *items);
    if (items == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: save: out of memory", job->name);
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        if (strncmp(members[i].name, "tensors/", 8) == 0)
            items[tensors++] = (struct snap_digest_item){ .data = members[i].data,
                                                          .size_bytes = members[i].size };
    status = snap_member_digests(run->pool, items, tensors, err);
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

static void note_base(struct snap_run *run, const struct snap_save_job *job,
                      const struct snap_write_member *members, size_t count, const char *hash)
{
    bool thin = false;
    for (size_t i = 0; i < count; i++)
        thin = thin || members[i].withheld;
    if (thin) {
        run->base.followers++;
        return;
    }
    snprintf(run->base.name, sizeof run->base.name, "%s", job->name);
    snprintf(run->base.hash, sizeof run->base.hash, "%s", hash);
    run->base.followers = 0;
}

/* Did anything move since the last snapshot? */
static enum snap_status check_stale(struct snap_run *run, const struct snap_save_job *job,
                                    const struct snap_archive_plan *plan, struct snap_error *err)
{
    struct snap_moving now = { .known = true, .step = job->manifest.step };
    enum snap_status status = snap_archive_plan_moving(plan, now.digest, err);
    bool stale = status == SNAP_OK && run->moving.known && now.step > run->moving.step &&
                 memcmp(now.digest, run->moving.digest, sizeof now.digest) == 0;
    if (stale) {
        run->stale_step = now.step;
        status = snap_run_add_event(run, "stale",
                                    json_pack("{s:o, s:o}", "step", snap_json_u64(now.step),
                                              "since", snap_json_u64(run->moving.step)),
                                    err);
    }
    run->moving = now;
    return status;
}

uint64_t snap_run_stale_step(const struct snap_run *run)
{
    return run == NULL ? 0 : run->stale_step;
}

enum snap_status snap_save_job_write(struct snap_run *run, const struct snap_save_job *job,
                                     struct snap_save_result *result, struct snap_error *err)
{
    struct snap_put_options put = { .no_read_back = run->no_read_back, .pool = run->pool };
    struct snap_write_member *members = NULL;
    snap_member_name *names = NULL;
    struct snap_archive_plan *plan = NULL;
    uint64_t began = milliseconds();
    size_t count = 0;
    enum snap_status status = job_members(run, job, &members, &count, &names, err);
    if (status == SNAP_OK)
        status = leave_to_base(run, job, members, count, err);
    if (status == SNAP_OK)
        status = snap_archive_plan_new(&job->manifest, members, count, &plan, err);
    if (status == SNAP_OK)
        status = snap_ledger_file_sync(&run->ledger_file, err);
    if (status == SNAP_OK)
        status = meet_existing(run, job, members, count, &put.mode, &result->was_there,
                               result->snapshot_hash, err);
    if (status == SNAP_OK && !result->was_there) {
        struct snap_content content = snap_archive_plan_content(plan);
        status = snap_store_put(run->store, job->name, &content, &put, err);
        snprintf(result->snapshot_hash, sizeof result->snapshot_hash, "%s",
                 snap_archive_plan_snapshot_hash(plan));
        if (status == SNAP_OK && !job->capsule) {
            note_base(run, job, members, count, result->snapshot_hash);
            status = check_stale(run, job, plan, err);
        }
    }
    if (status == SNAP_OK && !job->capsule)
        status = move_latest(run, job, result->snapshot_hash, err);
    if (status == SNAP_OK)
        status = saved_event(run, job, result, snap_archive_plan_file_size(plan), began, err);
    snap_archive_plan_free(plan);
    free(members);
    free(names);
    return status;
}
