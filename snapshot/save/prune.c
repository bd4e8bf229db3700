/* SPDX-License-Identifier: Apache-2.0 */
/* Which snapshots stay by the rules, and stubs of the others. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/keep.h>

#include "core/array.h"
#include "core/hex.h"
#include "folder/archive_put.h"
#include "format/archive_fill.h"
#include "format/json_canonical.h"
#include "format/member_name.h"
#include "ledger/ledger_line.h"
#include "run/run_internal.h"
#include "save/prune.h"
#include "save/save.h"

#define EVENTS "events.jsonl"

/* The folder while it is gone through. */
struct pruning {
    struct snap_store *store;
    const struct snap_keep *keep;
    struct snap_held held; /* borrowed */
    struct snap_pool *pool;
    uint64_t *steps;
    size_t count;
    struct snap_pruned *pruned;
    uint64_t latest; /* the step of the snapshot that `latest` names */
};

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "prune: out of memory");
}

/* ---- best ---- */

/* The value of a scalar of a line, in an order in which integers compare; false: it has none, or it
 * is NaN. */
static bool scalar_of(const json_t *line, const char *name, double *value)
{
    static const char *const parts[] = {"float", "host"};
    const json_t *found = NULL;
    for (size_t i = 0; found == NULL && i < 2; i++)
        found = json_object_get(json_object_get(json_object_get(line, parts[i]), "scalars"), name);
    const char *digits = json_string_value(found);
    unsigned char bytes[8];
    if (json_is_integer(found)) {
        *value = (double)json_integer_value(found);
        return true;
    }
    if (digits == NULL || strlen(digits) > 2 * sizeof bytes ||
        !snap_hex_decode(digits, strlen(digits), bytes))
        return false;
    uint64_t bits = 0;
    for (size_t i = 0; i < strlen(digits) / 2; i++)
        bits = bits << 8 | bytes[i];
    if (strlen(digits) == 8) {
        uint32_t low = (uint32_t)bits;
        float number;
        memcpy(&number, &low, sizeof number);
        *value = (double)number;
    } else if (strlen(digits) == 16) {
        memcpy(value, &bits, sizeof *value);
    } else {
        return false;
    }
    return *value == *value;
}

/* Keep the one whose line has the best value. */
static enum snap_status keep_best(struct pruning *p, struct snap_error *err)
{
    struct snap_ledger *ledger = NULL;
    char path[4096];
    size_t best = p->count;
    double best_value = 0;
    if (p->keep->best == NULL)
        return SNAP_OK;
    snprintf(path, sizeof path, "%s/" SNAP_LEDGER_FILE, snap_store_path(p->store));
    enum snap_status status = snap_ledger_open(path, &ledger, NULL, err);
    for (size_t i = 0; status == SNAP_OK && i < p->count; i++) {
        json_t *line = NULL;
        size_t index;
        double value;
        if (!snap_ledger_find(ledger, p->steps[i], &index))
            continue;
        status = snap_ledger_document(ledger, index, &line, err);
        if (status == SNAP_OK && !p->pruned[i].was_stub && scalar_of(line, p->keep->best, &value) &&
            (best == p->count ||
             (p->keep->best_is_most ? value > best_value : value < best_value))) {
            best = i;
            best_value = value;
        }
        json_decref(line);
    }
    snap_ledger_free(ledger);
    if (status == SNAP_OK && best < p->count && p->pruned[best].why == NULL)
        p->pruned[best].why = "best";
    return status;
}

/* ---- the rules ---- */

static const char *by_rule(const struct pruning *p, size_t i)
{
    const struct snap_keep *keep = p->keep;
    uint64_t step = p->steps[i];
    if (step == p->latest)
        return "latest";
    if (step > p->latest)
        return "later"; /* its lines are expected again */
    for (size_t h = 0; h < p->held.count; h++)
        if (p->held.steps[h] == step)
            return "held";
    if (keep->last > 0 && p->count - i <= keep->last)
        return "last";
    if (keep->every > 0 && step % keep->every == 0)
        return "every";
    for (size_t named = 0; named < keep->step_count; named++)
        if (keep->steps[named] == step)
            return "named";
    return NULL;
}

static size_t index_of(const struct pruning *p, const char *file)
{
    uint64_t step;
    for (size_t i = 0; snap_snapshot_name_parse(file, &step) && i < p->count; i++)
        if (p->steps[i] == step)
            return i;
    return p->count;
}

/* Look into every file for stubs. One that cannot be opened may hold what can be rescued. */
static enum snap_status look(struct pruning *p, struct snap_error *err)
{
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    for (size_t i = 0; i < p->count; i++) {
        struct snap_archive *archive = NULL;
        struct snap_pruned *pruned = &p->pruned[i];
        snap_snapshot_name("snapshots", p->steps[i], name);
        enum snap_status status = snap_run_open_archive(p->store, name, &archive, NULL);
        if (status == SNAP_NO_MEMORY)
            return no_memory(err);
        if (status != SNAP_OK) {
            pruned->why = "damaged";
            continue;
        }
        pruned->was_stub = snap_archive_is_stub(archive);
        snap_archive_close(archive);
    }
    return SNAP_OK;
}

/* What a thin one that is kept takes its members from. */
static enum snap_status keep_needed(struct pruning *p, struct snap_error *err)
{
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    for (size_t i = 0; i < p->count; i++) {
        struct snap_archive *archive = NULL;
        size_t fillers = 0;
        if (p->pruned[i].was_stub || p->pruned[i].why == NULL)
            continue;
        snap_snapshot_name("snapshots", p->steps[i], name);
        enum snap_status status = snap_run_open_archive(p->store, name, &archive, NULL);
        if (status == SNAP_NO_MEMORY)
            return no_memory(err);
        if (status != SNAP_OK)
            continue; /* it is damaged, and stays */
        const char *const *names = snap_archive_filled_by(archive, &fillers);
        for (size_t f = 0; f < fillers; f++) {
            size_t needed = index_of(p, names[f]);
            if (needed < p->count && p->pruned[needed].why == NULL)
                p->pruned[needed].why = "needed";
        }
        snap_archive_close(archive);
    }
    return SNAP_OK;
}

/* ---- the stubs ---- */

static bool leave_out(const void *arg, const struct snap_member *member)
{
    (void)arg;
    return member->kind != SNAP_MEMBER_LEDGER;
}

static enum snap_status make_stub(const struct pruning *p, size_t i, bool dry_run,
                                  struct snap_error *err)
{
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    char path[4096];
    struct snap_archive *archive = NULL;
    struct snap_archive_plan *plan = NULL;
    struct snap_error left_over = SNAP_ERROR_INIT;
    const struct snap_archive_put_options put = {
        .put = {.mode = SNAP_PUT_REPLACE, .pool = p->pool}, .left_over = &left_over};
    uint64_t bytes = 0;
    snap_snapshot_name("snapshots", p->steps[i], name);
    snprintf(path, sizeof path, "%s/%s", snap_store_path(p->store), name);
    enum snap_status status = snap_archive_open_alone(path, &archive, err);
    for (size_t m = 0; status == SNAP_OK && m < snap_archive_member_count(archive); m++) {
        const struct snap_member *member = snap_archive_member(archive, m);
        if (!member->withheld && snap_member_may_be_withheld(member->kind) &&
            leave_out(NULL, member))
            bytes += member->data_size;
    }
    if (status == SNAP_OK && !dry_run)
        status = snap_archive_again(archive, leave_out, NULL, &plan, err);
    if (status == SNAP_OK && !dry_run)
        status = snap_archive_put(p->store, name, plan, &put, err);
    snap_left_over_note(p->store, name, &left_over);
    if (status == SNAP_OK && !dry_run)
        status =
            snap_event_add(p->store, "pruned",
                           json_pack("{s:s, s:s, s:o, s:o}", "file", name, "hash",
                                     snap_archive_snapshot_hash(archive), "step",
                                     snap_json_u64(p->steps[i]), "bytes", snap_json_u64(bytes)),
                           err);
    if (status == SNAP_OK) {
        p->pruned[i].pruned = true;
        p->pruned[i].bytes = bytes;
    }
    snap_archive_plan_free(plan);
    snap_archive_close(archive);
    return status;
}

/* The snapshot that the run would go on from: nothing goes while it is not whole. */
static enum snap_status check_latest(struct pruning *p, struct snap_error *err)
{
    char name[SNAP_SNAPSHOT_NAME_BYTES];
    struct snap_archive *archive = NULL;
    enum snap_status status = snap_latest_open(p->store, &archive, name, err);
    if (status == SNAP_NOT_FOUND)
        return snap_error_set(err, SNAP_NOT_FOUND,
                              "%s: prune: no snapshot is named by latest, so that none can go",
                              snap_store_path(p->store));
    if (status != SNAP_OK)
        return status;
    p->latest = snap_archive_step(archive);
    if (snap_archive_absent_count(archive) > 0)
        status = snap_error_set(err, SNAP_ABSENT,
                                "%s/%s: prune: the last snapshot lacks members, so that no other "
                                "can go",
                                snap_store_path(p->store), name);
    if (status == SNAP_OK)
        status = snap_archive_check(archive, p->pool, err);
    snap_archive_close(archive);
    return status;
}

static enum snap_status prune(struct pruning *p, bool dry_run, struct snap_error *err)
{
    enum snap_status status = check_latest(p, err);
    if (status == SNAP_OK)
        status = snap_snapshots_list(p->store, &p->steps, &p->count, err);
    if (status != SNAP_OK)
        return status;
    p->pruned = calloc(p->count + 1, sizeof *p->pruned);
    if (p->pruned == NULL)
        return no_memory(err);
    for (size_t i = 0; i < p->count; i++) {
        p->pruned[i].step = p->steps[i];
        p->pruned[i].why = by_rule(p, i);
    }
    status = look(p, err);
    if (status == SNAP_OK)
        status = keep_best(p, err);
    if (status == SNAP_OK)
        status = keep_needed(p, err);
    for (size_t i = 0; status == SNAP_OK && i < p->count; i++)
        if (p->pruned[i].why == NULL && !p->pruned[i].was_stub)
            status = make_stub(p, i, dry_run, err);
    return status;
}

static enum snap_status check_keep(const struct snap_keep *keep, struct snap_error *err)
{
    if (keep == NULL || keep->size_bytes != sizeof *keep)
        return snap_error_set(err, SNAP_INVALID, "prune: rules that are not SNAP_KEEP_INIT");
    if (keep->last == 0 && keep->every == 0 && keep->best == NULL && keep->step_count == 0)
        return snap_error_set(err, SNAP_INVALID,
                              "prune: no rule is given, and so nothing would be kept but the last "
                              "snapshot: say so by keeping the last 1");
    return SNAP_OK;
}

enum snap_status snap_prune_run(const char *dir, const struct snap_keep *keep, bool dry_run,
                                struct snap_pool *pool, struct snap_pruned **pruned, size_t *count,
                                struct snap_error *err)
{
    struct pruning p = {.keep = keep, .pool = pool};
    struct snap_store_lock *lock = NULL;
    enum snap_status status = check_keep(keep, err);
    if (status == SNAP_OK)
        status = snap_store_dir_open(dir, false, &p.store, err);
    if (status == SNAP_NOT_FOUND)
        status = snap_error_set(err, SNAP_IO, "%s: no such folder", dir);
    if (status == SNAP_OK && !dry_run)
        status = snap_store_lock(p.store, EVENTS, &lock, err);
    if (status == SNAP_BUSY)
        status = snap_error_set(err, SNAP_BUSY,
                                "%s: prune: a process is training in it; give it rules of its own "
                                "(running.keep), or stop it first",
                                dir);
    if (status == SNAP_OK)
        status = prune(&p, dry_run, err);
    if (status == SNAP_OK && pruned != NULL) {
        *pruned = p.pruned;
        *count = p.count;
        p.pruned = NULL;
    }
    free(p.pruned);
    free(p.steps);
    snap_store_unlock(p.store, lock);
    snap_store_close(p.store);
    return status;
}

/* Where the caller has the lock. */
static enum snap_status prune_locked(struct pruning *p, uint64_t *freed, struct snap_error *err)
{
    uint64_t bytes = 0;
    enum snap_status status = check_keep(p->keep, err);
    if (status == SNAP_OK)
        status = prune(p, false, err);
    for (size_t i = 0; status == SNAP_OK && i < p->count; i++)
        bytes += p->pruned[i].bytes;
    if (status == SNAP_OK && freed != NULL)
        *freed = bytes;
    free(p->pruned);
    free(p->steps);
    return status;
}

enum snap_status snap_prune_locked(struct snap_store *store, const struct snap_keep *keep,
                                   const struct snap_held *held, struct snap_pool *pool,
                                   struct snap_error *err)
{
    struct pruning p = {.keep = keep, .held = *held, .pool = pool, .store = store};
    return prune_locked(&p, NULL, err);
}

enum snap_status snap_held_fill(struct snap_held *held, const uint64_t *steps, size_t count,
                                struct snap_error *err)
{
    uint64_t *copy = calloc(count + 1, sizeof *copy);
    if (copy == NULL)
        return no_memory(err);
    if (count > 0)
        memcpy(copy, steps, count * sizeof *copy);
    *held = (struct snap_held){copy, count};
    return SNAP_OK;
}

enum snap_status snap_run_hold(struct snap_run *run, const uint64_t *steps, size_t count,
                               struct snap_error *err)
{
    if (run == NULL || (steps == NULL && count > 0))
        return snap_error_set(err, SNAP_INVALID, "prune: hold: no run, or no steps");
    struct snap_held held;
    enum snap_status status = snap_held_fill(&held, steps, count, err);
    if (status != SNAP_OK)
        return status;
    free(run->held.steps);
    run->held = held;
    return SNAP_OK;
}

enum snap_status snap_run_set_keep(struct snap_run *run, const struct snap_keep *keep,
                                   struct snap_error *err)
{
    if (run == NULL || run->store == NULL)
        return snap_error_set(err, SNAP_INVALID, "prune: no run, or one without a folder");
    enum snap_status status = keep != NULL ? check_keep(keep, err) : SNAP_OK;
    if (status != SNAP_OK)
        return status;
    snap_run_settle_saves(run, true); /* whose thread reads the rules */
    run->keep = keep;
    return SNAP_OK;
}

void snap_prune_after_save(const struct snap_run *run, const struct snap_save_job *job,
                           struct snap_prune_result *result)
{
    struct pruning p = {
        .keep = run->keep, .held = job->held, .pool = job->pool, .store = run->store};
    result->error = (struct snap_error)SNAP_ERROR_INIT;
    result->freed = 0;
    result->error.status = prune_locked(&p, &result->freed, &result->error);
}

enum snap_status snap_run_prune(struct snap_run *run, struct snap_error *err)
{
    if (run == NULL)
        return snap_error_set(err, SNAP_INVALID, "prune: no run");
    snap_run_settle_saves(run, true);
    struct pruning p = {
        .keep = run->keep, .held = run->held, .pool = run->pool, .store = run->store};
    return run->keep == NULL ? SNAP_OK : prune_locked(&p, NULL, err);
}

enum snap_status snap_run_pruned(const struct snap_run *run, uint64_t *freed,
                                 struct snap_error *err)
{
    if (run == NULL)
        return snap_error_set(err, SNAP_INVALID, "prune: no run");
    if (freed != NULL)
        *freed = run->pruned.freed;
    if (run->pruned.error.status != SNAP_OK && err != NULL)
        *err = run->pruned.error;
    return run->pruned.error.status;
}
