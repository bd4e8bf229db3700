/* SPDX-License-Identifier: Apache-2.0 */
/* Which kind of difference came first, and the sentences about it. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/bisect_parts.h"

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* ---- genesis lines ---- */

static const char *kind_of_key(const char *name)
{
    if (begins(name, "training") || begins(name, "parent"))
        return "config";
    if (begins(name, "data"))
        return "data";
    return begins(name, "state") ? "weights" : "environment";
}

/* Keys stand in the order config, data, profile and binding, state, so that the first is nearest to
 * the cause. */
static void tell_genesis(const struct trn_bisect_search *search)
{
    struct trn_bisect_result *result = search->result;
    const struct trn_bisect_key *key = &result->keys[0];
    size_t others = 0;
    char more[48] = "", step[400];
    for (size_t i = 1; i < result->key_count; i++)
        others += !begins(result->keys[i].name, "state");
    if (others > 0)
        snprintf(more, sizeof(more), ", and %zu more key%s", others, others == 1 ? "" : "s");
    if (result->has_line)
        snprintf(step, sizeof(step), "; the first step that differs is %" PRIu64 ": %s: %s",
                 result->line.step, result->line.kind, result->line.field);
    else
        snprintf(step, sizeof(step), "; no step that both have differs");
    result->kind = kind_of_key(key->name);
    if (begins(key->name, "state"))
        snprintf(result->first, sizeof(result->first),
                 "weights: with one config and one environment, the runs begin with other weights, "
                 "moments or streams%s",
                 step);
    else
        snprintf(result->first, sizeof(result->first), "%s: %s is %s in run A and %s in run B%s%s",
                 result->kind, key->name, key->left, key->right, more, step);
}

/* ---- streams ---- */

static json_t *part_of_line(const struct trn_bisect_search *search, int side, uint64_t step,
                            const char *part, const char *key)
{
    const char *line = trn_bisect_line(search, side, step);
    json_t *document = line != NULL ? json_loads(line, 0, NULL) : NULL;
    json_t *found = json_incref(json_object_get(json_object_get(document, part), key));
    json_decref(document);
    return found;
}

/* The first stream of which the lines of `step` count other draws. */
static bool find_drawn(const struct trn_bisect_search *search, uint64_t step)
{
    static const char *const parts[] = { "host", "float" };
    struct trn_bisect_result *result = search->result;
    bool found = false;
    for (size_t p = 0; p < 2 && !found; p++) {
        json_t *left = part_of_line(search, TRN_LEFT, step, parts[p], "draws");
        json_t *right = part_of_line(search, TRN_RIGHT, step, parts[p], "draws");
        const char *name;
        json_t *drawn;
        json_object_foreach(left, name, drawn) {
            const json_t *other = json_object_get(right, name);
            if (found || json_equal(drawn, json_object_get(right, name)))
                continue;
            found = true;
            snprintf(result->stream, sizeof(result->stream), "%s", name);
            result->has_distance = json_is_integer(drawn) && json_is_integer(other);
            result->distance = json_integer_value(other) - json_integer_value(drawn);
        }
        json_decref(left);
        json_decref(right);
    }
    return found;
}

static const char *text_of(const json_t *entry, const char *key)
{
    const char *text = json_string_value(json_object_get(entry, key));
    return text != NULL ? text : "";
}

/* The first entry of that kind among what differs in the first snapshots that do. */
static const json_t *find_entry(const struct trn_bisect_search *search, const char *kind)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(search->differences, i, entry) {
        if (strcmp(text_of(entry, "kind"), kind) == 0)
            return entry;
    }
    return NULL;
}

static bool find_moved(const struct trn_bisect_search *search)
{
    struct trn_bisect_result *result = search->result;
    const json_t *entry = find_entry(search, "stream");
    const json_t *words = json_object_get(json_object_get(entry, "detail"), "words");
    if (entry == NULL)
        return false;
    snprintf(result->stream, sizeof(result->stream), "%s", text_of(entry, "name"));
    result->has_distance = words != NULL;
    result->distance = json_integer_value(words);
    return true;
}

static void tell_stream(struct trn_bisect_result *result, uint64_t step, const char *where)
{
    const int64_t words = result->distance;
    char apart[80] = "no number of draws leads from one state to the other";
    if (result->has_distance)
        snprintf(apart, sizeof(apart), "run B is %" PRId64 " word%s of 32 bits %s",
                 words < 0 ? -words : words, words == 1 || words == -1 ? "" : "s",
                 words < 0 ? "behind" : "ahead");
    result->kind = "stream";
    snprintf(result->first, sizeof(result->first), "stream %s: %s step %" PRIu64 ": %s",
             result->stream, where, step, apart);
}

/* ---- tensors ---- */

/* Of the first snapshots that differ: "optimizer" when no other tensor does. */
static const char *kind_of_tensors(const struct trn_bisect_search *search, const json_t **first)
{
    size_t i;
    const json_t *entry;
    *first = NULL;
    json_array_foreach(search->differences, i, entry) {
        if (strcmp(text_of(entry, "kind"), "tensor") != 0)
            continue;
        if (*first == NULL)
            *first = entry;
        if (!begins(text_of(entry, "name"), "optimizer/")) {
            *first = entry;
            return "weights";
        }
    }
    return *first != NULL ? "optimizer" : "unknown";
}

/* Loss of the step after: other weights give another one, other moments do not yet. */
static const char *kind_by_next_loss(const struct trn_bisect_search *search, uint64_t step)
{
    json_t *left = part_of_line(search, TRN_LEFT, step + 1, "float", "scalars");
    json_t *right = part_of_line(search, TRN_RIGHT, step + 1, "float", "scalars");
    const json_t *loss = json_object_get(left, "loss");
    bool equal = loss == NULL || json_equal(json_object_get(left, "loss"),
                                            json_object_get(right, "loss"));
    json_decref(left);
    json_decref(right);
    return equal ? "optimizer" : "weights";
}

/* The snapshots part before any line does. */
static void tell_snapshot(const struct trn_bisect_search *search)
{
    struct trn_bisect_result *result = search->result;
    uint64_t step = result->different_snapshot;
    const json_t *entry = find_entry(search, "data");
    if (entry == NULL && find_moved(search)) {
        tell_stream(result, step, "in the snapshot of");
        return;
    }
    result->kind = "data";
    if (entry == NULL)
        result->kind = kind_of_tensors(search, &entry);
    if (entry == NULL)
        entry = json_array_get(search->differences, 0);
    snprintf(result->first, sizeof(result->first),
             "%s: in the snapshot of step %" PRIu64 ", after equal ledger lines, %.900s",
             result->kind, step, text_of(entry, "text"));
}

static void tell_state(const struct trn_bisect_search *search, uint64_t step)
{
    struct trn_bisect_result *result = search->result;
    const json_t *entry = NULL;
    const char *what = "";
    if (result->has_different_snapshot && result->different_snapshot == step)
        result->kind = kind_of_tensors(search, &entry);
    else
        result->kind = kind_by_next_loss(search, step);
    if (entry != NULL)
        what = text_of(entry, "text");
    else if (begins(result->line.field, "float.tensors"))
        what = result->line.field;
    snprintf(result->first, sizeof(result->first),
             "%s: batch, streams, loss and gradient norm of step %" PRIu64 " are equal, and the "
             "state after it is not%s%.900s",
             result->kind, step, what[0] != '\0' ? ": " : "", what);
}

/* ---- the first line that differs ---- */

/* The line alone says otherwise: the next snapshots that both have, and the last, are equal. */
static bool tell_record(struct trn_bisect_result *result)
{
    if (result->has_different_snapshot || !result->has_equal_snapshot ||
        result->equal_snapshot < result->line.step)
        return false;
    result->kind = "record";
    snprintf(result->first, sizeof(result->first),
             "record: the ledger lines of step %" PRIu64 " differ alone (%s: %s in run A and %s in "
             "run B); the states after it are equal",
             result->line.step, result->line.field, result->line.left, result->line.right);
    return true;
}

static void tell_line(const struct trn_bisect_search *search)
{
    struct trn_bisect_result *result = search->result;
    const struct snap_ledger_difference *line = &result->line;
    const char *kind = line->kind;
    bool data = strcmp(kind, "data") == 0 || strcmp(kind, "order") == 0 ||
                strcmp(kind, "batch") == 0;
    if ((data || strcmp(kind, "stream") == 0) && find_drawn(search, line->step)) {
        tell_stream(result, line->step, "by the draws of");
    } else if (data && strcmp(kind, "data") != 0 && find_moved(search)) {
        tell_stream(result, result->different_snapshot, "by the snapshots of");
    } else if (tell_record(result)) {
        return;
    } else if (data) {
        result->kind = "data";
        snprintf(result->first, sizeof(result->first),
                 "data: step %" PRIu64 " takes %s: %s is %s in run A and %s in run B; no stream "
                 "differs",
                 line->step,
                 strcmp(kind, "batch") == 0 ? "the same samples with other bytes"
                                            : "other samples, or in another order",
                 line->field, line->left, line->right);
    } else if (strcmp(kind, "state") == 0) {
        tell_state(search, line->step);
    } else if (strcmp(kind, "loss") == 0 || strcmp(kind, "output") == 0) {
        result->kind = "weights";
        snprintf(result->first, sizeof(result->first),
                 "weights: batch, schedule and streams of step %" PRIu64 " are equal, and its %s "
                 "is not (%s: %s in run A and %s in run B)",
                 line->step, kind, line->field, line->left, line->right);
    } else {
        bool schedule = strcmp(kind, "schedule") == 0;
        bool computed = strcmp(kind, "gradient") == 0 || strcmp(kind, "evaluation") == 0;
        result->kind = schedule ? "config" : computed ? "operation" : "unknown";
        snprintf(result->first, sizeof(result->first),
                 "%s: step %" PRIu64 ": all that comes before in the step is equal, and %s is %s "
                 "in run A and %s in run B",
                 result->kind, line->step, line->field, line->left, line->right);
    }
}

/* ---- whose record is not what its state makes ---- */

/* Where the state must have changed, for a kind that is state. */
static void tell_change(const struct trn_bisect_result *result, bool by_line, uint64_t step,
                        char *text, size_t text_size)
{
    const char *what = strcmp(result->kind, "weights") == 0     ? "weights"
                       : strcmp(result->kind, "optimizer") == 0 ? "the optimizer's state"
                                                                : NULL;
    text[0] = '\0';
    if (what == NULL)
        return;
    if (!by_line)
        snprintf(text, text_size, ": %s changed between steps, after the ledger line of step "
                 "%" PRIu64 " and before its snapshot", what, step);
    else if (strcmp(result->line.kind, "state") == 0)
        snprintf(text, text_size, ": %s changed in the update of step %" PRIu64 ", or after it",
                 what, step);
    else
        snprintf(text, text_size, ": %s changed between steps %" PRIu64 " and %" PRIu64, what,
                 step - 1, step);
}

static void tell_other(const struct trn_bisect_search *search, char letter)
{
    struct trn_bisect_result *result = search->result;
    const struct trn_bisect_stretch *stretch = &result->stretches[0];
    bool by_line = trn_bisect_by_line(result);
    uint64_t step = by_line ? result->line.step : result->different_snapshot;
    char before[100] = "";
    char changed[160];
    tell_change(result, by_line, step, changed, sizeof(changed));
    if (by_line && step > stretch->first + 1)
        snprintf(before, sizeof(before), "the steps up to %" PRIu64 " come out as recorded, ",
                 step - 1);
    else if (!by_line)
        snprintf(before, sizeof(before), "every ledger line comes out as recorded, ");
    snprintf(result->own, sizeof(result->own),
             "run %c's own %s is not what its state at step %" PRIu64 " makes: %s%s %" PRIu64
             " as run %c's%s%s",
             letter, by_line ? "ledger" : "snapshot", stretch->first, before,
             by_line ? "step" : "the state after step", step, letter == 'B' ? 'A' : 'B',
             changed,
             result->stretch_count == 2 &&
                     result->stretches[1].reproduced == result->stretches[1].last
                 ? "; the step after it is what that changed state makes"
                 : "");
}

static void tell_made(const struct trn_bisect_search *search, enum trn_bisect_made made)
{
    struct trn_bisect_result *result = search->result;
    uint64_t first = result->stretches[0].first;
    char letter = made == TRN_MADE_LEFT ? 'B' : 'A';
    if (made == TRN_MADE_BOTH)
        snprintf(result->own, sizeof(result->own),
                 "each run's ledger is what its own config and its state at step %" PRIu64 " make",
                 first);
    else if (made == TRN_MADE_NEITHER)
        snprintf(result->own, sizeof(result->own),
                 "step %" PRIu64 " as it is made here from step %" PRIu64 " is neither run's: both "
                 "were changed, or they were computed by another build or machine",
                 result->stretches[0].last, first);
    else if (search->same_genesis)
        tell_other(search, letter);
    else
        snprintf(result->own, sizeof(result->own),
                 "run %c's own ledger is not what its config and its state at step %" PRIu64
                 " make",
                 letter, first);
}

void trn_bisect_tell(const struct trn_bisect_search *search, enum trn_bisect_made made)
{
    struct trn_bisect_result *result = search->result;
    const json_t *entry;
    size_t i;
    json_array_foreach(search->differences, i, entry) {
        const char *kind = text_of(entry, "kind");
        if (strcmp(kind, "config") == 0 || strcmp(kind, "profile") == 0)
            continue;
        snprintf(result->state_difference, sizeof(result->state_difference), "%s",
                 text_of(entry, "text"));
        break;
    }
    if (!search->same_config)
        tell_genesis(search);
    else if (trn_bisect_by_line(result))
        tell_line(search);
    else if (result->has_different_snapshot)
        tell_snapshot(search);
    if (made != TRN_MADE_NOTHING)
        tell_made(search, made);
}
