/* SPDX-License-Identifier: Apache-2.0 */
/* The first difference between two lines, and between two ledgers. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "format/json_canonical.h"
#include "ledger/json_differences.h"
#include "ledger/ledger_line.h"

/* In the order in which a step makes them: the first that differs is nearest to the cause. */
enum rank {
    RANK_GENESIS,
    RANK_DATA,
    RANK_ORDER,
    RANK_BATCH,
    RANK_SCHEDULE,
    RANK_STREAM,
    RANK_OUTPUT,
    RANK_LOSS,
    RANK_GRADIENT,
    RANK_STATE,
    RANK_EVALUATION,
    RANK_OTHER,
    RANK_NONE
};

static const char *const rank_names[] = {
    "genesis", "data", "order",    "batch", "schedule",   "stream",
    "output",  "loss", "gradient", "state", "evaluation", "other",
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* What a field is, by its path. */
static enum rank rank_of(const char *field, bool genesis)
{
    static const struct {
        const char *begin;
        enum rank rank;
    } steps[] = {
        { "host.epoch", RANK_DATA },
        { "host.step", RANK_DATA },
        { "host.samples", RANK_ORDER },
        { "host.batch", RANK_BATCH },
        { "host.scalars.", RANK_SCHEDULE },
        { "host.draws.", RANK_STREAM },
        { "float.draws.", RANK_STREAM },
        { "float.scalars.loss", RANK_LOSS },
        { "float.scalars.grad", RANK_GRADIENT },
        { "float.skipped", RANK_GRADIENT },
        { "float.scalars.eval", RANK_EVALUATION },
        { "float.state", RANK_STATE },
    };

    if (genesis)
        return begins(field, "host.data") ? RANK_DATA : RANK_GENESIS;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (begins(field, steps[i].begin))
            return steps[i].rank;
    }
    return RANK_OTHER;
}

struct search {
    bool genesis;
    enum rank rank; /* of `found`; RANK_NONE: nothing yet */
    struct snap_ledger_difference found;
};

/* Keep the difference at `field` when it comes before the one kept. */
static void note(void *arg, const char *field, const json_t *left, const json_t *right)
{
    struct search *search = arg;
    struct snap_ledger_difference *found = &search->found;
    enum rank rank = rank_of(field, search->genesis);
    if (rank >= search->rank)
        return;
    search->rank = rank;
    snprintf(found->kind, sizeof found->kind, "%s", rank_names[rank]);
    snap_text_clean(field, found->field, sizeof found->field);
    snap_json_value_text(left, found->left, sizeof found->left);
    snap_json_value_text(right, found->right, sizeof found->right);
}

/* The same for a tensor of both lines, or of one. */
static void note_tensor(struct search *search, const json_t *left, const json_t *right)
{
    static const struct {
        const char *role;
        enum rank rank;
    } roles[] = {
        { SNAP_LEDGER_OUTPUT, RANK_OUTPUT },
        { SNAP_LEDGER_GRADIENT, RANK_GRADIENT },
        { SNAP_LEDGER_WEIGHT, RANK_STATE },
    };
    const json_t *either = left != NULL ? left : right;
    const char *role = json_string_value(json_array_get(either, 0));
    const char *name = json_string_value(json_array_get(either, 1));
    struct snap_ledger_difference *found = &search->found;
    enum rank rank = RANK_OTHER;
    char field[400];
    for (size_t i = 0; role != NULL && i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(roles[i].role, role) == 0)
            rank = roles[i].rank;
    if (rank >= search->rank)
        return;
    search->rank = rank;
    snprintf(found->kind, sizeof found->kind, "%s", rank_names[rank]);
    snprintf(field, sizeof field, "float.tensors: %s %.300s", role == NULL ? "?" : role,
             name == NULL ? "?" : name);
    snap_text_clean(field, found->field, sizeof found->field);
    snap_json_value_text(left == NULL ? NULL : json_array_get(left, 2), found->left,
                         sizeof found->left);
    snap_json_value_text(right == NULL ? NULL : json_array_get(right, 2), found->right,
                         sizeof found->right);
}

static bool same_item(const json_t *left, const json_t *right, size_t index)
{
    return json_equal(json_array_get(left, index), json_array_get(right, index));
}

/* The first of two lists of tensors that differs, in the order in which the step made them. Where
 * the lists name different tensors from some place on, the one on the left is told. */
static void compare_tensors(struct search *search, const json_t *left, const json_t *right)
{
    size_t count = json_array_size(left) > json_array_size(right) ? json_array_size(left)
                                                                  : json_array_size(right);
    for (size_t i = 0; i < count; i++) {
        const json_t *a = json_array_get(left, i);
        const json_t *b = json_array_get(right, i);
        if (a != NULL && b != NULL && json_equal(a, b))
            continue;
        bool same = a != NULL && b != NULL && same_item(a, b, 0) && same_item(a, b, 1);
        note_tensor(search, a, same || a == NULL ? b : NULL);
        return;
    }
}

/* Take the list of tensors out of a line's document. NULL: it has none. */
static json_t *take_tensors(json_t *document)
{
    json_t *floats = json_object_get(document, "float");
    json_t *tensors = json_incref(json_object_get(floats, SNAP_LEDGER_TENSORS));
    json_object_del(floats, SNAP_LEDGER_TENSORS);
    return tensors;
}

static enum snap_status report(const struct snap_ledger_difference *found, bool genesis,
                               struct snap_error *err)
{
    char where[40] = "genesis line";
    if (!genesis)
        snprintf(where, sizeof where, "step %" PRIu64, found->step);
    return snap_error_set(err, SNAP_DIFFERS, "%s: %s: %s is %s on the left and %s on the right",
                          where, found->kind, found->field, found->left, found->right);
}

static enum snap_status read_line(const char *line, const char *side, json_t **document,
                                  struct snap_error *err)
{
    enum snap_status status = snap_json_decode(line, strlen(line), side, document, err);
    if (status != SNAP_OK)
        return status;
    json_object_del(*document, "chain");
    json_object_del(*document, "host_chain");
    return SNAP_OK;
}

enum snap_status snap_ledger_compare_lines(const char *left, const char *right,
                                           struct snap_ledger_difference *difference,
                                           struct snap_error *err)
{
    if (left == NULL || right == NULL)
        return snap_error_set(err, SNAP_INVALID, "ledger: compare lines: a line is NULL");
    json_t *left_document = NULL;
    json_t *right_document = NULL;
    enum snap_status status = read_line(left, "the line on the left", &left_document, err);
    if (status == SNAP_OK)
        status = read_line(right, "the line on the right", &right_document, err);
    if (status == SNAP_OK) {
        struct search search = { .rank = RANK_NONE, .found = SNAP_LEDGER_DIFFERENCE_INIT };
        search.genesis = json_object_get(left_document, "format") != NULL ||
                         json_object_get(right_document, "format") != NULL;
        const json_t *host = json_object_get(left_document, "host");
        const json_t *step = json_object_get(host, "step");
        if (search.genesis && json_is_object(json_object_get(host, "parent")))
            step = json_object_get(json_object_get(host, "parent"), "step");
        snap_json_get_u64(step, &search.found.step); /* no such field: 0 */
        json_t *left_tensors = take_tensors(left_document);
        json_t *right_tensors = take_tensors(right_document);
        snap_json_differences(left_document, right_document, note, &search);
        compare_tensors(&search, left_tensors, right_tensors);
        json_decref(left_tensors);
        json_decref(right_tensors);
        if (search.rank != RANK_NONE) {
            if (difference != NULL)
                *difference = search.found;
            status = report(&search.found, search.genesis, err);
        }
    }
    json_decref(left_document);
    json_decref(right_document);
    return status;
}

enum snap_status snap_ledger_compare(const struct snap_ledger *left,
                                     const struct snap_ledger *right, uint64_t *steps_compared,
                                     struct snap_ledger_difference *difference,
                                     struct snap_error *err)
{
    if (left == NULL || right == NULL)
        return snap_error_set(err, SNAP_INVALID, "ledger: compare: a ledger is NULL");
    uint64_t first = snap_ledger_first_step(left);
    uint64_t last = snap_ledger_last_step(left);
    uint64_t compared = 0;
    enum snap_status status = SNAP_OK;
    if (snap_ledger_first_step(right) > first)
        first = snap_ledger_first_step(right);
    if (snap_ledger_last_step(right) < last)
        last = snap_ledger_last_step(right);
    if (snap_ledger_has_genesis(left) && snap_ledger_has_genesis(right))
        status = snap_ledger_compare_lines(snap_ledger_line(left, 0, NULL),
                                           snap_ledger_line(right, 0, NULL), difference, err);
    for (uint64_t step = first + 1; status == SNAP_OK && step <= last; step++) {
        size_t at_left;
        size_t at_right;
        size_t left_size;
        size_t right_size;
        if (!snap_ledger_find(left, step, &at_left) || !snap_ledger_find(right, step, &at_right))
            continue;
        const char *left_line = snap_ledger_line(left, at_left, &left_size);
        const char *right_line = snap_ledger_line(right, at_right, &right_size);
        compared++;
        if (left_size != right_size || memcmp(left_line, right_line, left_size) != 0)
            status = snap_ledger_compare_lines(left_line, right_line, difference, err);
    }
    if (steps_compared != NULL && (status == SNAP_OK || status == SNAP_DIFFERS))
        *steps_compared = compared;
    return status;
}

enum snap_status snap_ledger_compare_tensors(const struct snap_ledger *left,
                                             const struct snap_ledger *right, uint64_t from,
                                             struct snap_ledger_difference *difference,
                                             struct snap_error *err)
{
    struct search search = { .rank = RANK_NONE, .found = SNAP_LEDGER_DIFFERENCE_INIT };
    uint64_t last = snap_ledger_last_step(left) < snap_ledger_last_step(right)
                        ? snap_ledger_last_step(left)
                        : snap_ledger_last_step(right);
    enum snap_status status = SNAP_OK;
    for (uint64_t step = from; status == SNAP_OK && search.rank == RANK_NONE && step <= last;
         step++) {
        json_t *a = NULL;
        json_t *b = NULL;
        size_t at_left;
        size_t at_right;
        if (!snap_ledger_find(left, step, &at_left) || !snap_ledger_find(right, step, &at_right))
            continue;
        status = snap_ledger_document(left, at_left, &a, err);
        if (status == SNAP_OK)
            status = snap_ledger_document(right, at_right, &b, err);
        search.found.step = step;
        if (status == SNAP_OK)
            compare_tensors(&search,
                            json_object_get(json_object_get(a, "float"), SNAP_LEDGER_TENSORS),
                            json_object_get(json_object_get(b, "float"), SNAP_LEDGER_TENSORS));
        json_decref(a);
        json_decref(b);
    }
    if (status != SNAP_OK || search.rank == RANK_NONE)
        return status;
    *difference = search.found;
    return report(&search.found, false, err);
}
