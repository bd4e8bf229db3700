/* SPDX-License-Identifier: Apache-2.0 */
/* Taking the state for a save, and the requests that ask for one. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "format/environment.h"
#include "format/limits.h"
#include "save.h"

struct snap_ticket {
    struct snap_ticket *next;
    enum snap_status status; /* of the save */
    bool told;               /* a failure was returned to the caller */
    struct snap_error error;
    struct snap_save_result result;
};

/* ---- requests ---- */

void snap_run_request(struct snap_run *run, enum snap_wanted wanted)
{
    int before = atomic_load(&run->requested);
    while (before < (int)wanted &&
           !atomic_compare_exchange_weak(&run->requested, &before, (int)wanted))
        ; /* `before` is what stands there now */
}

/* Half of what an archive's ledger.jsonl can take: the other half is room until the save is made,
 * at once or when whoever is asked comes to it. */
#define LINES_WANT_SAVE_BYTES (SNAP_MAX_LEDGER_BYTES / 2)

enum snap_wanted snap_run_wanted(struct snap_run *run)
{
    int wanted = atomic_load(&run->requested);
    run->answered = wanted;
    bool saved = run->captured && run->captured_step == run->steps_done;
    bool due = run->every > 0 && run->steps_done > 0 && run->steps_done % run->every == 0;
    bool full = run->link.lines.size > LINES_WANT_SAVE_BYTES;
    if (wanted == SNAP_WANTED_NOTHING && (due || full) && !saved)
        wanted = SNAP_WANTED_SAVE;
    return (enum snap_wanted)wanted;
}

/* Take back the request that snap_run_wanted has told, or a plain one. A stronger one that came
 * since stays. */
static void answer_request(struct snap_run *run)
{
    int told = run->answered;
    if (told == SNAP_WANTED_NOTHING)
        told = SNAP_WANTED_SAVE;
    run->answered = SNAP_WANTED_NOTHING;
    atomic_compare_exchange_strong(&run->requested, &told, SNAP_WANTED_NOTHING);
}

/* ---- the state ---- */

static enum snap_status fill_coverage(const struct snap_inventory *inventory, json_t *coverage,
                                      struct snap_error *err)
{
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 16];
    enum snap_status status = SNAP_OK;
    if (coverage == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "coverage: out of memory");
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++)
        status =
            snap_coverage_add(coverage, inventory->streams[inventory->stream_order[i]].member, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->root_count; i++) {
        snprintf(name, sizeof name, "tensors/%s", inventory->roots[i].name);
        status = snap_coverage_add(coverage, name, err);
    }
    for (size_t i = 0; status == SNAP_OK && i < inventory->value_count; i++)
        status = snap_coverage_add(coverage, inventory->values[i].member, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->gap_count; i++)
        status = snap_coverage_add_not(coverage, inventory->gaps[i].name, inventory->gaps[i].reason,
                                       err);
    return status;
}

static enum snap_status fill_manifest(const struct snap_run *run, struct snap_manifest *manifest,
                                      struct snap_error *err)
{
    const struct snap_parent_link *link = &run->link;
    memcpy(manifest->run_id, run->run_id, sizeof manifest->run_id);
    manifest->step = run->steps_done;
    manifest->has_parent = link->has_parent;
    memcpy(manifest->parent, link->parent, sizeof manifest->parent);
    manifest->after = run->heads;
    manifest->has_before = link->has_before;
    manifest->before = link->before;
    manifest->coverage = snap_coverage_new();
    return fill_coverage(&run->inventory, manifest->coverage, err);
}

enum snap_status snap_save_job_take(struct snap_run *run, unsigned flags, struct snap_save_job *job,
                                    struct snap_error *err)
{
    enum snap_status status = snap_state_image_take(run, flags, &job->image, err);
    if (status == SNAP_OK)
        status = fill_manifest(run, &job->manifest, err);
    if (status == SNAP_OK)
        status = snap_environment_encode(&job->environment, err);
    if (status == SNAP_OK)
        status = snap_buffer_append(&job->lines, run->link.lines.data, run->link.lines.size, err);
    return status;
}

void snap_save_job_release(struct snap_save_job *job)
{
    snap_state_image_release(&job->image);
    snap_manifest_release(&job->manifest);
    snap_buffer_release(&job->environment);
    snap_buffer_release(&job->lines);
}

/* ---- the calls ---- */

static enum snap_status check_capture(const struct snap_run *run, uint64_t step,
                                      struct snap_error *err)
{
    if (run->store == NULL)
        return snap_error_set(err, SNAP_UNSUPPORTED, "capture: this run has no folder");
    if (run->in_step)
        return snap_error_set(err, SNAP_INVALID,
                              "capture: step %" PRIu64 " is under way: its ledger "
                              "line comes first",
                              run->steps_done + 1);
    if (step != run->steps_done)
        return snap_error_set(err, SNAP_INVALID,
                              "capture: of step %" PRIu64 ", and step %" PRIu64
                              " was the last done",
                              step, run->steps_done);
    return SNAP_OK;
}

/* The second half. */
static void save(struct snap_run *run, const struct snap_save_job *job, struct snap_ticket *ticket)
{
    ticket->status = snap_save_job_write(run, job, &ticket->result, &ticket->error);
    if (ticket->status != SNAP_OK)
        return;
    struct snap_parent_link *link = &run->link;
    link->has_latest = snap_hex_decode(ticket->result.snapshot_hash + strlen("snap1:"),
                                       2 * SNAP_DIGEST_BYTES, link->latest);
    run->captured = true;
    run->captured_step = job->manifest.step;
    answer_request(run); /* a save that failed has answered nothing */
}

enum snap_status snap_run_capture(struct snap_run *run, uint64_t step, void *stream,
                                  struct snap_ticket **ticket, struct snap_error *err)
{
    (void)stream; /* everything captured lies in host memory */
    if (run == NULL)
        return snap_error_set(err, SNAP_INVALID, "capture: no run");
    enum snap_status status = check_capture(run, step, err);
    if (status == SNAP_OK)
        status = snap_run_check_saves(run, err);
    if (status == SNAP_OK)
        status = snap_run_freeze(run, err);
    if (status == SNAP_OK)
        status = snap_run_check_alarm(run, err);
    if (status == SNAP_OK)
        status = snap_run_begin(run, err);
    if (status != SNAP_OK)
        return status;
    struct snap_save_job job = { .capsule = false };
    struct snap_ticket *made = calloc(1, sizeof *made);
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "capture: out of memory");
    made->error = (struct snap_error)SNAP_ERROR_INIT;
    snap_snapshot_name("snapshots", step, job.name);
    status = snap_save_job_take(run, SNAP_IMAGE_FOR_SAVE, &job, err);
    if (status == SNAP_OK) {
        save(run, &job, made);
        made->next = run->tickets;
        run->tickets = made;
        if (ticket != NULL)
            *ticket = made;
    } else {
        free(made);
    }
    snap_save_job_release(&job);
    return status;
}

enum snap_status snap_run_wait(struct snap_run *run, struct snap_ticket *ticket,
                               char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err)
{
    struct snap_ticket **at = run == NULL ? NULL : &run->tickets;
    while (at != NULL && *at != NULL && *at != ticket)
        at = &(*at)->next;
    if (at == NULL || *at == NULL)
        return snap_error_set(err, SNAP_INVALID, "wait: no run, or no ticket of this run");
    *at = ticket->next;
    enum snap_status status = ticket->status;
    if (status == SNAP_OK && hash != NULL)
        memcpy(hash, ticket->result.snapshot_hash, SNAP_HASH_TEXT_BYTES);
    if (status != SNAP_OK && err != NULL)
        *err = ticket->error;
    free(ticket);
    return status;
}

enum snap_status snap_run_check_saves(struct snap_run *run, struct snap_error *err)
{
    for (struct snap_ticket *ticket = run->tickets; ticket != NULL; ticket = ticket->next) {
        if (ticket->status != SNAP_OK && !ticket->told) {
            ticket->told = true;
            if (err != NULL)
                *err = ticket->error;
            return ticket->status;
        }
    }
    return SNAP_OK;
}

void snap_run_free_tickets(struct snap_run *run)
{
    while (run->tickets != NULL) {
        struct snap_ticket *next = run->tickets->next;
        free(run->tickets);
        run->tickets = next;
    }
}
