/* SPDX-License-Identifier: Apache-2.0 */
/* Writing an archive: ledger durable, then the archive, then `latest`, then the event. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "digest/sha256.h"
#include "folder/archive_put.h"
#include "folder/thin.h"
#include "format/archive_fill.h"
#include "format/archive_write.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "group/group_ops.h"
#include "save/memory_copy.h"
#include "save/save.h"
#include "save/save_ranks.h"

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

static enum snap_status replaced_event(const struct snap_save_place *place,
                                       const struct snap_save_job *job,
                                       const char *why, struct snap_error *err)
{
    json_t *fields = json_pack("{s:s, s:s}", "file", job->name, "why", why);
    return snap_event_add(place->store, "replaced", fields, err);
}

/* A file of this name that is as it should be; with members that nobody has it is to be replaced by
 * one that is whole. It may be there without ever having been made durable. */
static enum snap_status meet_same(const struct snap_save_place *place,
                                  const struct snap_save_job *job,
                                  const struct snap_archive *archive, bool *was_there,
                                  char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *cause)
{
    size_t withheld = snap_archive_absent_count(archive);
    if (withheld > 0)
        return snap_error_set(cause, SNAP_CORRUPT, "%s: %zu members are withheld", job->name,
                              withheld);
    *was_there = true;
    snprintf(hash, SNAP_HASH_TEXT_BYTES, "%s", snap_archive_snapshot_hash(archive));
    return snap_store_sync(place->store, job->name, cause);
}

/* A file of this name may be there. *mode: how to write; *was_there: nothing is to be written, and
 * its hash is in `hash`. */
static enum snap_status meet_existing(const struct snap_save_place *place,
                                      const struct snap_save_job *job,
                                      enum snap_put_mode *mode, bool *was_there,
                                      char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES] = { 0 };
    char state[SNAP_HASH_TEXT_BYTES];
    struct snap_archive *archive = NULL;
    *mode = SNAP_PUT_CREATE;
    *was_there = false;
    enum snap_status status = snap_run_open_archive(place->store, job->name, &archive, &cause);
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
        status = meet_same(place, job, archive, was_there, hash, &cause);
    else if (status == SNAP_OK && job->capsule)
        status = SNAP_CORRUPT; /* an older failure of this step: the new one is evidence too */
    else if (status == SNAP_OK)
        status = snap_error_set(&cause, SNAP_DIFFERS,
                                "%s/%s: is there already with another state "
                                "(%.23s... there, %.23s... now)",
                                place->dir, job->name, snap_archive_state_hash(archive), state);
    if (status != SNAP_OK && status != SNAP_CORRUPT && err != NULL)
        *err = cause;
    snap_archive_close(archive);
    if (status != SNAP_CORRUPT)
        return status;
    *mode = SNAP_PUT_REPLACE;
    return replaced_event(place, job, cause.text[0] != '\0' ? cause.text : "another failure", err);
}

static enum snap_status saved_event(const struct snap_save_place *place,
                                    const struct snap_save_job *job,
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
    if (status == SNAP_OK && place->by_agent)
        status = snap_json_set(fields, "agent", json_true(), err);
    if (status == SNAP_OK && job->capsule)
        status = snap_json_set(fields, "failure", json_incref(job->manifest.failure), err);
    if (status == SNAP_OK)
        return snap_event_add(place->store, job->capsule ? "failure" : "save", fields, err);
    json_decref(fields);
    return status;
}

struct snap_save_place snap_run_save_place(const struct snap_run *run)
{
    return (struct snap_save_place){ .store = run->store,
                                     .dir = run->dir,
                                     .thin = run->thin,
                                     .volume_size = run->volume_size,
                                     .no_read_back = run->no_read_back,
                                     .staging = &run->staging };
}

/* ---- thin ---- */

static bool is_tensor(const struct snap_write_member *member)
{
    return strncmp(member->name, "tensors/", 8) == 0;
}

/* The base, if it is still the file that this run wrote. */
static struct snap_archive *open_base(const struct snap_save_place *place,
                                      const struct snap_save_job *job)
{
    const struct snap_thin_base *wanted = &job->before.base;
    struct snap_archive *base = NULL;
    char path[4096];
    if (job->capsule || place->thin == 0 || wanted->name[0] == '\0' ||
        wanted->followers >= place->thin || strcmp(wanted->name, job->name) == 0 ||
        (size_t)snprintf(path, sizeof path, "%s/%s", place->dir, wanted->name) >= sizeof path ||
        snap_archive_open_alone(path, &base, NULL) != SNAP_OK)
        return NULL;
    if (strcmp(snap_archive_snapshot_hash(base), wanted->hash) == 0)
        return base;
    snap_archive_close(base);
    return NULL;
}

/* Leave to the base what it has. */
static enum snap_status leave_to_base(const struct snap_save_place *place,
                                      const struct snap_save_job *job, struct snap_error *err)
{
    struct snap_archive *base = open_base(place, job);
    if (base == NULL)
        return SNAP_OK;
    enum snap_status status =
        snap_write_members_digest(job->members, job->member_count, true, job->pool, err);
    for (size_t i = 0; status == SNAP_OK && i < job->member_count; i++) {
        struct snap_write_member *member = &job->members[i];
        if (!is_tensor(member))
            continue;
        struct snap_member as_read = { .name = member->name,
                                       .kind = SNAP_MEMBER_TENSOR,
                                       .data_size = member->size };
        memcpy(as_read.sha256, member->sha256, SNAP_DIGEST_BYTES);
        member->withheld = snap_thin_withholds(base, &as_read);
    }
    snap_archive_close(base);
    return status;
}

/* Keep what the archive has of staging memory. Without memory for that the next save takes longer.
 */
static void note_staged(const struct snap_save_place *at, const struct snap_save_job *job,
                        const struct snap_archive_plan *plan, struct snap_save_result *result)
{
    const struct snap_staging *staging = at->staging;
    /* Of what other ranks wrote the digests are theirs. */
    if (at->thin == 0 || staging == NULL || staging->base == NULL || job->capsule ||
        at->lead != NULL)
        return;
    result->staged = calloc(job->member_count + 1, sizeof *result->staged);
    for (size_t i = 0; result->staged != NULL && i < job->member_count; i++) {
        const struct snap_write_member *member = &job->members[i];
        const unsigned char *place = member->data;
        if (!is_tensor(member) || member->size == 0 || place < staging->base ||
            place >= staging->base + staging->capacity)
            continue;
        struct snap_staged_digest *staged = &result->staged[result->staged_count++];
        staged->place = place;
        staged->size_bytes = (size_t)member->size;
        atomic_init(&staged->held, true);
        memcpy(staged->sha256, snap_archive_plan_digest(plan, i), SNAP_DIGEST_BYTES);
    }
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
static enum snap_status check_stale(const struct snap_save_place *place,
                                    const struct snap_save_job *job,
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
        status = snap_event_add(place->store, "stale",
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

/* Write the archive, by way of memory where a copy is wanted and there is memory for it. */
static enum snap_status put(const struct snap_save_place *place, const struct snap_save_job *job,
                            struct snap_archive_plan *plan,
                            struct snap_archive_put_options *options, struct snap_error *err)
{
    if (place->lead != NULL)
        return snap_save_lead_put(place->lead, plan, options, err);
    struct snap_content content = snap_archive_plan_content(plan);
    struct snap_content copied;
    if (place->copy == NULL || snap_archive_plan_volumes_needed(plan, place->volume_size) > 0 ||
        snap_memory_copy_make(place->copy, &content, job->pool, &copied, NULL) != SNAP_OK)
        return snap_archive_put(place->store, job->name, plan, options, err);
    enum snap_status status = snap_archive_put_whole(place->store, job->name, &copied, options,
                                                     err);
    if (status != SNAP_OK)
        snap_memory_copy_release(place->copy);
    return status;
}

enum snap_status snap_save_job_put(const struct snap_save_place *place,
                                   const struct snap_save_job *job,
                                   struct snap_save_result *result, struct snap_error *err)
{
    struct snap_error left_over = SNAP_ERROR_INIT;
    struct snap_archive_put_options options = { .put = { .no_read_back = place->no_read_back,
                                                         .pool = job->pool,
                                                         .written = place->written },
                                                .volume_size = place->volume_size,
                                                .left_over = &left_over };
    struct snap_archive_plan *plan = NULL;
    result->after = job->before;
    enum snap_status status = leave_to_base(place, job, err);
    if (status == SNAP_OK)
        status = snap_archive_plan_new(&job->manifest, job->members, job->member_count, &plan, err);
    if (status == SNAP_OK)
        status = meet_existing(place, job, &options.put.mode, &result->was_there,
                               result->snapshot_hash, err);
    if (status == SNAP_OK && !result->was_there) {
        status = put(place, job, plan, &options, err);
        snap_left_over_note(place->store, job->name, &left_over);
        snprintf(result->snapshot_hash, sizeof result->snapshot_hash, "%s",
                 snap_archive_plan_snapshot_hash(plan));
        if (status == SNAP_OK && !job->capsule) {
            note_base(job, result);
            note_staged(place, job, plan, result);
            status = check_stale(place, job, plan, result, err);
        }
    }
    if (status == SNAP_OK && !job->capsule && !job->keep_latest)
        status = snap_latest_write(place->store, job->name, result->snapshot_hash, err);
    if (status == SNAP_OK)
        status = saved_event(place, job, result, snap_archive_plan_file_size(plan), err);
    snap_archive_plan_free(plan);
    return status;
}

enum snap_status snap_save_job_ready(struct snap_run *run, const struct snap_save_job *job,
                                     struct snap_error *err)
{
    enum snap_status status = snap_state_image_wait(&job->image, err);
    return status == SNAP_OK ? snap_ledger_file_flush(&run->ledger_file, err) : status;
}

void snap_save_let_go(const struct snap_run *run, const struct snap_save_job *job,
                      struct snap_save_result *result)
{
    if (run->keep != NULL)
        snap_prune_after_save(run, job, &result->pruned);
}

enum snap_status snap_save_job_write(struct snap_run *run, const struct snap_save_job *job,
                                     bool is_ready, struct snap_save_result *result,
                                     struct snap_error *err)
{
    struct snap_save_place place = snap_run_save_place(run);
    struct snap_save_lead lead = { .run = run, .job = job };
    snap_group_go_on(snap_group_beside(run->group));
    if (snap_run_follows(run))
        return snap_save_follow(run, job, result, err);
    if (snap_group_world(run->group) > 1)
        place.lead = &lead;
    enum snap_status status = is_ready ? SNAP_OK : snap_save_job_ready(run, job, err);
    if (status == SNAP_OK)
        status = snap_save_job_put(&place, job, result, err);
    status = snap_save_lead_end(&lead, status, result, err);
    if (status == SNAP_OK && !job->capsule)
        snap_save_let_go(run, job, result);
    return status;
}
