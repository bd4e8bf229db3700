/* SPDX-License-Identifier: Apache-2.0 */
/* Making again the stretch in which two runs part: once from the state that both have, or, of two
 * configs, once from each. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/run.h>

#include "ops/op_trace.h"
#include "process/progress.h"
#include "replay/bisect_parts.h"
#include "replay/replay_open.h"
#include "session/train_loop.h"

/* A training in memory, in the state of one of the runs. */
struct player {
    int side;
    struct trn_training *training;    /* owned */
    struct trn_bisect_stretch *stretch; /* in the result */
};

/* What one side's operators wrote in a step, and how far the other's agree. */
struct outputs {
    struct trn_bisect_search *search;
    int side;                       /* whose come first, and are kept */
    struct trn_bisect_output *list; /* owned */
    size_t count;
    size_t next; /* of the other side's */
};

/* ---- states to start from ---- */

static bool is_whole(const struct snap_archive *archive)
{
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (member->in_state && member->withheld && !member->elsewhere)
            return false;
    }
    return true;
}

static enum snap_status open_player(struct trn_bisect_search *search, int side, bool snapshot,
                                    uint64_t step, struct player *player, struct snap_error *err)
{
    struct trn_bisect_result *result = search->result;
    struct trn_replay_options options = TRN_REPLAY_OPTIONS_INIT;
    struct trn_bisect_stretch stretch = { .of_right = side == TRN_RIGHT,
                                          .first = step,
                                          .last = step,
                                          .reproduced = step };
    struct snap_archive *archive = NULL;
    struct snap_error problem = SNAP_ERROR_INIT;
    enum snap_status status = SNAP_OK;
    options.ledger = search->dirs[side];
    options.data_dir = search->options->data_dir;
    options.threads = search->options->threads;
    options.device = search->options->device;
    player->side = side;
    if (snapshot) {
        status = trn_bisect_snapshot_path(search, side, step, stretch.archive, err);
        options.archive = stretch.archive;
        if (status == SNAP_OK)
            status = snap_archive_open(stretch.archive, &archive, err);
        if (status != SNAP_OK)
            return status;
        status = trn_replay_open(&options, archive, &player->training, &problem);
        snap_archive_close(archive);
    } else {
        status = trn_replay_open_first(&options, search->ledgers[side], &player->training,
                                       &problem);
    }
    if (status == SNAP_INVALID || status == SNAP_UNSUPPORTED)
        return snap_error_set(err, status, "%s: this trainer cannot make its steps: %.700s",
                              search->dirs[side], problem.text);
    if (status != SNAP_OK && err != NULL)
        *err = problem;
    if (status != SNAP_OK)
        return status;
    result->stretches[result->stretch_count] = stretch;
    player->stretch = &result->stretches[result->stretch_count++];
    return SNAP_OK;
}

/* The last snapshot before `step` that both have, equal and whole. */
static enum snap_status find_start(const struct trn_bisect_search *search, uint64_t step,
                                   bool *found, uint64_t *start, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    *found = false;
    for (size_t i = search->equal_count; status == SNAP_OK && !*found && i-- > 0;) {
        if (search->common[i] >= step)
            continue;
        *found = true;
        *start = search->common[i];
        for (int side = 0; status == SNAP_OK && side < 2; side++) {
            struct snap_archive *archive = NULL;
            char path[TRN_PATH_SIZE];
            status = trn_bisect_snapshot_path(search, side, *start, path, err);
            if (status == SNAP_OK)
                status = snap_archive_open(path, &archive, err);
            if (status == SNAP_OK)
                *found = *found && is_whole(archive);
            snap_archive_close(archive);
        }
    }
    return status;
}

/* The same, or the state before the first step. */
static enum snap_status open_start(struct trn_bisect_search *search, int side, uint64_t step,
                                   struct player *player, struct snap_error *err)
{
    bool snapshot = false;
    uint64_t start = 0;
    enum snap_status status = find_start(search, step, &snapshot, &start, err);
    if (status == SNAP_OK && !snapshot && snap_ledger_first_step(search->ledgers[side]) != 0)
        status = snap_error_set(err, SNAP_NOT_FOUND,
                                "there is no whole snapshot before step %llu that both have, and "
                                "%s begins with a state of another run",
                                (unsigned long long)step, search->dirs[side]);
    return status == SNAP_OK ? open_player(search, side, snapshot, start, player, err) : status;
}

/* ---- a step ---- */

/* Has the player, after the step just made, the chain that side's ledger has there? */
static bool has_chain(const struct trn_bisect_search *search, const struct player *player,
                      int side)
{
    char hash[SNAP_HASH_TEXT_BYTES], host[SNAP_HASH_TEXT_BYTES];
    const struct snap_run *run = player->training->run;
    size_t index;
    return snap_ledger_find(search->ledgers[side], snap_run_steps_done(run), &index) &&
           snap_run_hash(run, hash, host, NULL) == SNAP_OK &&
           strcmp(hash + strlen("run1:"), snap_ledger_chain(search->ledgers[side], index)) == 0;
}

/* `observer` NULL: nobody looks at the operators. */
static enum snap_status make_step(struct trn_bisect_search *search, struct player *player,
                                  const struct trn_op_observer *observer, struct snap_error *err)
{
    struct trn_backend *backend = player->training->backend;
    struct trn_step step;
    enum snap_status status = SNAP_OK;
    if (observer != NULL)
        status = trn_op_trace_begin(backend, observer, err);
    if (status != SNAP_OK)
        return status;
    status = trn_train_step(player->training, &step, err);
    trn_op_trace_end(backend);
    if (status != SNAP_OK)
        return status;
    player->stretch->last = step.step;
    search->result->steps_repeated++;
    if (has_chain(search, player, player->side) && player->stretch->reproduced == step.step - 1)
        player->stretch->reproduced = step.step;
    return SNAP_OK;
}

/* ---- what operators wrote ---- */

static void describe(const struct trn_op_record *record, struct trn_bisect_output *output)
{
    size_t at = 1;
    *output = (struct trn_bisect_output){ .made = true,
                                          .index = record->index,
                                          .shard = record->shard,
                                          .least = record->least,
                                          .largest = record->largest,
                                          .nonfinite = record->nonfinite };
    snprintf(output->op, sizeof(output->op), "%s", record->op);
    snprintf(output->output, sizeof(output->output), "%s", record->output);
    snprintf(output->phase, sizeof(output->phase), "%s", record->phase);
    snprintf(output->name, sizeof(output->name), "%s", record->name);
    output->shape[0] = '[';
    for (unsigned i = 0; i < record->rank && at < sizeof(output->shape); i++)
        at += (size_t)snprintf(output->shape + at, sizeof(output->shape) - at, "%s%zu",
                               i > 0 ? ", " : "", record->shape[i]);
    if (at < sizeof(output->shape) - 1)
        memcpy(output->shape + at, "]", 2);
    for (size_t i = 0; i < sizeof(record->sha256); i++)
        snprintf(output->sha256 + 2 * i, 3, "%02x", record->sha256[i]);
}

static enum snap_status keep(void *arg, const struct trn_op_record *record, struct snap_error *err)
{
    struct outputs *outputs = arg;
    struct trn_bisect_output *grown = outputs->list;
    if ((outputs->count & (outputs->count - 1)) == 0) /* as much again */
        grown = realloc(grown, (2 * outputs->count + 1) * sizeof(*grown));
    if (grown == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "bisect: no memory for what a step computes");
    outputs->list = grown;
    describe(record, &grown[outputs->count++]);
    return SNAP_OK;
}

static bool same_output(const struct trn_bisect_output *a, const struct trn_bisect_output *b)
{
    return a->index == b->index && strcmp(a->op, b->op) == 0 &&
           strcmp(a->output, b->output) == 0 && strcmp(a->phase, b->phase) == 0 &&
           strcmp(a->name, b->name) == 0 && a->shard == b->shard &&
           strcmp(a->shape, b->shape) == 0 && strcmp(a->sha256, b->sha256) == 0;
}

/* `kept` is of outputs->side, `other` of the other side; NULL: it has no more. */
static void note(struct outputs *outputs, uint64_t step, const struct trn_bisect_output *kept,
                 const struct trn_bisect_output *other)
{
    struct trn_bisect_result *result = outputs->search->result;
    if (result->has_operation)
        return;
    result->has_operation = true;
    result->operation_step = step;
    if (outputs->side == TRN_RIGHT) {
        const struct trn_bisect_output *left = other;
        other = kept;
        kept = left;
    }
    if (kept != NULL)
        result->left_output = *kept;
    if (other != NULL)
        result->right_output = *other;
}

struct comparing {
    struct outputs *outputs;
    uint64_t step;
};

static enum snap_status compare(void *arg, const struct trn_op_record *record,
                                struct snap_error *err)
{
    struct comparing *comparing = arg;
    struct outputs *outputs = comparing->outputs;
    struct trn_bisect_output other;
    const struct trn_bisect_output *kept =
        outputs->next < outputs->count ? &outputs->list[outputs->next] : NULL;
    (void)err;
    describe(record, &other);
    outputs->next++;
    if (kept == NULL || !same_output(kept, &other))
        note(outputs, comparing->step, kept, &other);
    return SNAP_OK;
}

/* The next step of both, each operator compared. */
static enum snap_status compare_step(struct trn_bisect_search *search, struct player *first,
                                     struct player *second, struct snap_error *err)
{
    struct outputs outputs = { .search = search, .side = first->side };
    struct comparing comparing = { &outputs, snap_run_steps_done(first->training->run) + 1 };
    const struct trn_op_observer keeping = { &outputs, keep };
    const struct trn_op_observer looking = { &comparing, compare };
    enum snap_status status = make_step(search, first, &keeping, err);
    if (status == SNAP_OK)
        status = make_step(search, second, &looking, err);
    if (status == SNAP_OK && outputs.next < outputs.count)
        note(&outputs, comparing.step, &outputs.list[outputs.next], NULL);
    free(outputs.list);
    return status;
}

/* ---- one stretch for both runs ---- */

static enum snap_status has_state(const struct trn_bisect_search *search,
                                  const struct player *player, int side, uint64_t step,
                                  bool *equal, struct snap_error *err)
{
    struct snap_archive *archive = NULL;
    char path[TRN_PATH_SIZE];
    enum snap_status status = trn_bisect_snapshot_path(search, side, step, path, err);
    if (status == SNAP_OK)
        status = snap_archive_open(path, &archive, err);
    if (status == SNAP_OK)
        status = snap_run_compare(player->training->run, archive, NULL, 0, err);
    snap_archive_close(archive);
    *equal = status == SNAP_OK;
    return status == SNAP_DIFFERS ? SNAP_OK : status;
}

static enum trn_bisect_made which(bool left, bool right)
{
    return left ? TRN_MADE_LEFT : right ? TRN_MADE_RIGHT : TRN_MADE_NEITHER;
}

/* The snapshots of `step` part: whose is made here? Then the step after it, from each state: what
 * the difference did first. */
static enum snap_status compare_states(struct trn_bisect_search *search, struct player *player,
                                       uint64_t step, enum trn_bisect_made *made,
                                       struct snap_error *err)
{
    const struct trn_bisect_result *result = search->result;
    struct player other = { .training = NULL };
    bool left = false, right = false;
    enum snap_status status = has_state(search, player, TRN_LEFT, step, &left, err);
    if (status == SNAP_OK)
        status = has_state(search, player, TRN_RIGHT, step, &right, err);
    if (status != SNAP_OK)
        return status;
    *made = which(left, right);
    if (*made == TRN_MADE_NEITHER || step >= result->left_last || step >= result->right_last)
        return SNAP_OK;
    player->side = left ? TRN_LEFT : TRN_RIGHT;
    player->stretch->of_right = right;
    status = open_player(search, left ? TRN_RIGHT : TRN_LEFT, true, step, &other, err);
    if (status == SNAP_OK)
        status = compare_step(search, player, &other, err);
    trn_training_free(other.training, NULL); /* in memory */
    return status;
}

static enum snap_status make_one(struct trn_bisect_search *search, uint64_t target, bool by_line,
                                 struct player *player, enum trn_bisect_made *made,
                                 struct snap_error *err)
{
    const struct trn_listener *listener = search->options->listener;
    struct trn_progress progress;
    uint64_t done = snap_run_steps_done(player->training->run);
    enum snap_status status = SNAP_OK;
    trn_progress_begin(&progress, listener != NULL ? listener->progress : NULL, done, target);
    while (status == SNAP_OK && *made == TRN_MADE_NOTHING && done < target) {
        bool left, right;
        status = make_step(search, player, NULL, err);
        if (status != SNAP_OK)
            break;
        done++;
        left = has_chain(search, player, TRN_LEFT);
        right = has_chain(search, player, TRN_RIGHT);
        if ((!left && !right) || (by_line && done == target))
            *made = which(left, right);
        trn_progress_step(&progress, done, 0, trn_model_loss(player->training->model), 0);
    }
    trn_progress_end(&progress);
    if (status == SNAP_OK && *made == TRN_MADE_NOTHING)
        status = compare_states(search, player, target, made, err);
    return status;
}

/* ---- a stretch for each ---- */

static enum snap_status make_both(struct trn_bisect_search *search, uint64_t target, bool by_line,
                                  struct player players[2], enum trn_bisect_made *made,
                                  struct snap_error *err)
{
    const struct trn_bisect_result *result = search->result;
    enum snap_status status = SNAP_OK;
    while (status == SNAP_OK && !result->has_operation &&
           snap_run_steps_done(players[0].training->run) < target) {
        if (!by_line || snap_run_steps_done(players[0].training->run) + 1 == target) {
            status = compare_step(search, &players[0], &players[1], err);
            continue;
        }
        status = make_step(search, &players[0], NULL, err);
        if (status == SNAP_OK)
            status = make_step(search, &players[1], NULL, err);
    }
    if (status != SNAP_OK)
        return status;
    bool left = result->stretches[0].reproduced == result->stretches[0].last;
    bool right = result->stretches[1].reproduced == result->stretches[1].last;
    *made = left && right ? TRN_MADE_BOTH : which(left, right);
    return SNAP_OK;
}

/* What kept it from being made again is told, and the records say what they say. */
static enum snap_status forgive(enum snap_status status, const struct snap_error *problem,
                                struct trn_bisect_result *result, struct snap_error *err)
{
    if (status == SNAP_OK)
        return SNAP_OK;
    if (status == SNAP_NO_MEMORY || status == SNAP_INTERNAL) {
        if (err != NULL)
            *err = *problem;
        return status;
    }
    snprintf(result->not_replayed, sizeof(result->not_replayed), "%.900s", problem->text);
    return SNAP_OK;
}

enum snap_status trn_bisect_replay(struct trn_bisect_search *search, enum trn_bisect_made *made,
                                   struct snap_error *err)
{
    struct trn_bisect_result *result = search->result;
    struct player players[2] = { { .training = NULL }, { .training = NULL } };
    struct snap_error problem = SNAP_ERROR_INIT;
    bool by_line = trn_bisect_by_line(result);
    uint64_t target = by_line ? result->line.step : result->different_snapshot;
    enum snap_status status;
    *made = TRN_MADE_NOTHING;
    if (!result->has_line && !result->has_different_snapshot)
        return SNAP_OK; /* no step differs */
    if (search->options->no_replay) {
        snprintf(result->not_replayed, sizeof(result->not_replayed),
                 "nothing was made again: --no-replay");
        return SNAP_OK;
    }
    status = open_start(search, TRN_LEFT, target, &players[0], &problem);
    if (status == SNAP_OK && !search->same_genesis)
        status = open_start(search, TRN_RIGHT, target, &players[1], &problem);
    if (status == SNAP_OK)
        status = search->same_genesis
                     ? make_one(search, target, by_line, &players[0], made, &problem)
                     : make_both(search, target, by_line, players, made, &problem);
    trn_training_free(players[0].training, NULL); /* in memory */
    trn_training_free(players[1].training, NULL);
    return forgive(status, &problem, result, err);
}
