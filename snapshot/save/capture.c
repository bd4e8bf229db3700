/* SPDX-License-Identifier: Apache-2.0 */
/* Saves of a run: what asks for one, making it, and what became of it. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "format/json_canonical.h"
#include "format/limits.h"
#include "group/group_ops.h"
#include "run/rank_streams.h"
#include "save/device_mirror.h"
#include "save/save.h"

struct snap_ticket {
    struct snap_ticket *next;
    enum snap_status status; /* of the save */
    bool told;               /* a failure was returned to the caller */
    bool unwanted;           /* the caller did not take it: gone when the outcome is told */
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
    snap_run_settle_saves(run, false);
    struct snap_asked asked = {
        .wanted = atomic_load(&run->requested),
        .saving = run->saving != NULL,
        .saved = run->captured && run->captured_step == run->steps_done,
        .full = run->saving == NULL && run->link.lines.size > LINES_WANT_SAVE_BYTES
    };
    snap_run_share_asked(run, &asked);
    if (asked.saving && asked.wanted == SNAP_WANTED_SAVE)
        asked.wanted = SNAP_WANTED_NOTHING; /* after the save that is under way */
    run->answered = asked.wanted;
    bool due = run->every > 0 && run->steps_done > 0 && run->steps_done % run->every == 0;
    if (asked.wanted == SNAP_WANTED_NOTHING && (due || asked.full) && !asked.saved)
        asked.wanted = SNAP_WANTED_SAVE;
    return (enum snap_wanted)asked.wanted;
}

/* The save that begins answers the request that snap_run_wanted has told, or a plain one: it is
 * taken back. A stronger one that came since stays. */
static enum snap_wanted take_request(struct snap_run *run)
{
    int told = run->answered == SNAP_WANTED_NOTHING ? SNAP_WANTED_SAVE : run->answered;
    int found = told;
    run->answered = SNAP_WANTED_NOTHING;
    bool taken = atomic_compare_exchange_strong(&run->requested, &found, SNAP_WANTED_NOTHING);
    return taken ? (enum snap_wanted)told : SNAP_WANTED_NOTHING;
}

/* ---- what became of them ---- */

/* Nothing has answered what it was to answer. The event is written where that is still possible;
 * the caller is told in any case. */
static void give_up(struct snap_run *run, const struct snap_save_job *job,
                    const struct snap_error *error)
{
    if (run->captured_step == job->manifest.step)
        run->captured = false;
    snap_run_request(run, job->request);
    (void)snap_run_add_event(run, "save_failed",
                             json_pack("{s:s, s:o, s:s}", "file", job->name, "step",
                                       snap_json_u64(job->manifest.step), "why", error->text),
                             NULL);
}

/* A save has ended. */
static void take_result(struct snap_run *run, const struct snap_save_job *job,
                        struct snap_ticket *ticket)
{
    unsigned char hash[SNAP_DIGEST_BYTES];
    bool saved = ticket->status == SNAP_OK &&
                 snap_hex_decode(ticket->result.snapshot_hash + strlen("snap1:"),
                                 2 * SNAP_DIGEST_BYTES, hash);
    memcpy(run->agent_trouble, ticket->result.agent_trouble, sizeof run->agent_trouble);
    if (saved) {
        run->written = ticket->result.after;
        if (ticket->result.staged != NULL)
            snap_staging_know(&run->staging, ticket->result.staged, ticket->result.staged_count);
        run->pruned = ticket->result.pruned;
        snap_parent_link_saved(run, job, hash);
    } else {
        free(ticket->result.staged);
        give_up(run, job, &ticket->error);
        ticket->told = snap_run_follows(run); /* rank 0 tells it */
    }
    ticket->result.staged = NULL;
}

/* Those that nobody will wait for, and of which nothing is to be told any more; or all. */
static void drop_tickets(struct snap_run *run, bool all)
{
    for (struct snap_ticket **at = &run->tickets; *at != NULL;) {
        struct snap_ticket *ticket = *at;
        bool settled = ticket->status == SNAP_OK ? ticket != run->saving_ticket : ticket->told;
        if (all || (ticket->unwanted && settled)) {
            *at = ticket->next;
            free(ticket);
        } else {
            at = &ticket->next;
        }
    }
}

void snap_run_settle_saves(struct snap_run *run, bool wait)
{
    struct snap_save_job job = { .capsule = false };
    struct snap_ticket *ticket = run->saving_ticket;
    if (ticket == NULL || !snap_save_behind_end(run, wait, &job, &ticket->result, &ticket->error))
        return;
    ticket->status = ticket->error.status;
    run->saving_ticket = NULL;
    take_result(run, &job, ticket);
    snap_save_job_release(&job);
    drop_tickets(run, false);
}

/* ---- the calls ---- */

static enum snap_status check_capture(const struct snap_run *run, uint64_t step,
                                      struct snap_error *err)
{
    if (run->store == NULL && !snap_run_follows(run))
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

/* May this state be copied, and saved while the training goes on? Else it is saved where it is. */
static bool can_stage(struct snap_run *run)
{
    uint64_t bytes = snap_state_image_staging_bytes(&run->inventory);
    if (run->staging_bytes > 0 && bytes > run->staging_bytes)
        return false;
    if (snap_staging_reserve(&run->staging, bytes, NULL) != SNAP_OK)
        return false;
    for (size_t i = 0; i < run->inventory.storage_count; i++)
        if (snap_storage_is_mirrored(&run->inventory.storages[i]))
            snap_staging_pin(&run->staging, run->inventory.storages[i].mirror.device);
    return true;
}

/* Write the job behind the training, or now. */
static void save(struct snap_run *run, bool staged, struct snap_save_job *job,
                 struct snap_ticket *ticket)
{
    struct snap_error cause = SNAP_ERROR_INIT;
    job->request = take_request(run);
    run->captured = true;
    run->captured_step = job->manifest.step;
    if (staged && snap_save_behind_start(run, job, &cause) == SNAP_OK) {
        run->saving_ticket = ticket;
        return;
    }
    ticket->status = snap_save_job_write(run, job, false, &ticket->result, &ticket->error);
    if (run->agent != NULL) {
        snprintf(ticket->result.agent_trouble, sizeof ticket->result.agent_trouble,
                 "agent %s: %.800s", run->agent,
                 staged ? cause.text
                        : "the state has no room in staging memory, and only that is handed over");
        snap_agent_note_trouble(run, job, ticket->result.agent_trouble);
    }
    take_result(run, job, ticket);
}

enum snap_status snap_run_capture(struct snap_run *run, uint64_t step, void *stream,
                                  struct snap_ticket **ticket, struct snap_error *err)
{
    if (run == NULL)
        return snap_error_set(err, SNAP_INVALID, "capture: no run");
    run->device_stream = stream;
    snap_group_go_on(run->group); /* a capture that failed before is over */
    enum snap_status status = check_capture(run, step, err);
    if (status == SNAP_OK) {
        snap_run_settle_saves(run, true);
        status = snap_run_check_saves(run, err);
    }
    enum snap_status shared = snap_rank_streams_share(run, status == SNAP_OK ? err : NULL);
    if (status == SNAP_OK)
        status = shared;
    if (status == SNAP_OK)
        status = snap_run_freeze(run, err);
    if (status == SNAP_OK)
        status = snap_run_check_alarm(run, err);
    status = snap_run_begin(run, status, err);
    struct snap_save_job job = { .capsule = false };
    struct snap_ticket *made = calloc(1, sizeof *made);
    if (status == SNAP_OK && made == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "capture: out of memory");
    snap_snapshot_name("snapshots", step, job.name);
    bool staged = status == SNAP_OK && snap_group_in_threads(run->group) && can_stage(run);
    if (status == SNAP_OK)
        status = snap_save_job_take(run, SNAP_IMAGE_FOR_SAVE | (staged ? SNAP_IMAGE_STAGED : 0),
                                    &job, err);
    status = snap_group_agree(run->group, status, err);
    if (status == SNAP_OK)
        status = snap_rank_streams_check(run, &job, err);
    if (status == SNAP_OK) {
        made->error = (struct snap_error)SNAP_ERROR_INIT;
        made->next = run->tickets;
        made->unwanted = ticket == NULL;
        run->tickets = made;
        save(run, staged, &job, made);
        if (ticket != NULL)
            *ticket = made;
        drop_tickets(run, false);
    } else {
        free(made);
    }
    snap_save_job_release(&job);
    return status;
}

bool snap_run_ended(struct snap_run *run, const struct snap_ticket *ticket)
{
    if (run == NULL)
        return true;
    snap_run_settle_saves(run, false);
    return ticket == NULL || run->saving_ticket != ticket;
}

const char *snap_run_agent_trouble(const struct snap_run *run)
{
    return run == NULL ? "" : run->agent_trouble;
}

enum snap_status snap_run_wait(struct snap_run *run, struct snap_ticket *ticket,
                               char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err)
{
    if (run != NULL && ticket == NULL) {
        snap_run_settle_saves(run, true);
        return snap_run_check_saves(run, err);
    }
    struct snap_ticket **at = run == NULL ? NULL : &run->tickets;
    while (at != NULL && *at != NULL && *at != ticket)
        at = &(*at)->next;
    if (at == NULL || *at == NULL)
        return snap_error_set(err, SNAP_INVALID, "wait: no run, or no ticket of this run");
    if (run->saving_ticket == ticket)
        snap_run_settle_saves(run, true);
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
    snap_run_settle_saves(run, false);
    enum snap_status status = SNAP_OK;
    for (struct snap_ticket *ticket = run->tickets; status == SNAP_OK && ticket != NULL;
         ticket = ticket->next) {
        if (ticket->status == SNAP_OK || ticket->told)
            continue;
        ticket->told = true;
        status = ticket->status;
        if (err != NULL)
            *err = ticket->error;
    }
    drop_tickets(run, false);
    return status;
}

void snap_run_free_tickets(struct snap_run *run)
{
    drop_tickets(run, true);
}
