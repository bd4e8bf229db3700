/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "replay/replay_capsule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/failure.h"
#include "session/operations.h"
#include "session/train_loop.h"

/* Who sees the operations of the step. */
struct watcher {
    const struct trn_listener *listener;
    struct trn_replay_result *result;
    struct trn_operations recorded; /* empty: the capsule has none */
    size_t next;                    /* of them, that is to come */
    bool astray;                    /* another operation came than the one recorded */
};

static enum trn_recorded compare(struct watcher *watcher, const struct trn_operation *operation)
{
    const struct trn_operation *recorded = &watcher->recorded.list[watcher->next];
    if (watcher->astray || watcher->next == watcher->recorded.count)
        return TRN_RECORDED_NOTHING;
    watcher->next++;
    watcher->result->recorded++;
    watcher->astray = !trn_operation_same_place(recorded, operation);
    return !watcher->astray && memcmp(recorded->sha256, operation->sha256,
                                      sizeof(recorded->sha256)) == 0
               ? TRN_RECORDED_EQUAL
               : TRN_RECORDED_OTHER;
}

static enum snap_status see(void *arg, const struct trn_op_record *record, struct snap_error *err)
{
    struct watcher *watcher = arg;
    struct trn_replay_result *result = watcher->result;
    const struct trn_listener *listener = watcher->listener;
    struct trn_operation operation;
    (void)err;
    trn_operation_of(record, &operation);
    enum trn_recorded recorded = compare(watcher, &operation);
    result->operations++;
    if (operation.nonfinite > 0 && !result->has_nonfinite) {
        result->has_nonfinite = true;
        result->nonfinite = operation;
    }
    if (recorded == TRN_RECORDED_OTHER && !result->has_other) {
        result->has_other = true;
        result->other = operation;
    }
    if (listener != NULL && listener->operation != NULL)
        listener->operation(listener->arg, &operation, recorded);
    return SNAP_OK;
}

static enum snap_status read_recorded(const struct snap_archive *capsule,
                                      struct trn_operations *recorded, struct snap_error *err)
{
    const struct snap_member *member = snap_archive_find(capsule, "extra/" TRN_OPERATIONS);
    if (member == NULL || member->withheld)
        return SNAP_OK;
    if (member->data_size > TRN_OPERATIONS_MAX_BYTES)
        return snap_error_set(err, SNAP_CORRUPT, "capsule: extra/" TRN_OPERATIONS ": too large");
    char *text = malloc((size_t)member->data_size + 1);
    if (text == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "capsule: no memory for its operations");
    enum snap_status status = snap_archive_read(capsule, member, text, err);
    if (status == SNAP_OK)
        status = trn_operations_decode(text, (size_t)member->data_size, recorded, err);
    free(text);
    return status;
}

/* The step, watched; SNAP_OK and SNAP_NONFINITE as it came out, other statuses with `err`. */
static enum snap_status make_step(struct trn_training *t, struct watcher *watcher,
                                  struct trn_step *step, struct snap_error *err)
{
    struct snap_error problem = SNAP_ERROR_INIT;
    const struct trn_op_observer observer = { watcher, see };
    enum snap_status status = trn_op_trace_begin(t->backend, &observer, err);
    if (status != SNAP_OK)
        return status;
    t->config.tensorboard = false; /* the labels that are right are no part of the step */
    status = trn_train_step(t, step, &problem);
    trn_op_trace_end(t->backend);
    if (status != SNAP_OK && status != SNAP_NONFINITE && err != NULL)
        *err = problem;
    return status;
}

/* The first operation that is not as recorded, for an error's text; "" when there is none. */
static void tell_other(const struct trn_replay_result *result, char *text, size_t size)
{
    char where[300];
    text[0] = '\0';
    if (!result->has_other)
        return;
    trn_operation_text(&result->other, where, sizeof(where));
    snprintf(text, size, "; the first that is not as recorded is %s", where);
}

static enum snap_status not_repeated(const struct trn_step *step, struct trn_replay_result *result,
                                     struct snap_error *err)
{
    const struct trn_failure *recorded = &result->failure;
    char other[400];
    result->step = step->step;
    tell_other(result, other, sizeof(other));
    trn_replay_differs(result, step->step, "other", recorded->where, recorded->value, "finite");
    return snap_error_set(err, SNAP_DIFFERS,
                          "replay: step %" PRIu64 " is made here; in the capsule %s is %s%s",
                          step->step, recorded->where, recorded->value, other);
}

static enum snap_status compare_failures(const struct trn_step *step,
                                         struct trn_replay_result *result, struct snap_error *err)
{
    const struct trn_failure *recorded = &result->failure;
    const struct trn_failure *repeated = &result->repeated_failure;
    char other[400];
    tell_other(result, other, sizeof(other));
    if (!trn_failure_is_same(repeated, recorded)) {
        snprintf(result->first_member, sizeof(result->first_member), "%s", repeated->where);
        trn_replay_differs(result, step->step, "other", repeated->where, recorded->value,
                           repeated->value);
        return snap_error_set(err, SNAP_DIFFERS,
                              "replay: step %" PRIu64 " fails otherwise: %s[%" PRIu64 "] is %s "
                              "here, %s[%" PRIu64 "] is %s in the capsule%s",
                              step->step, repeated->where, repeated->element, repeated->value,
                              recorded->where, recorded->element, recorded->value, other);
    }
    if (result->has_other) {
        trn_operation_text(&result->other, result->first_member, sizeof(result->first_member));
        trn_replay_differs(result, step->step, "other", result->first_member, "the capsule",
                           "this replay");
        return snap_error_set(err, SNAP_DIFFERS,
                              "replay: step %" PRIu64 " fails as in the capsule, but by another "
                              "way%s", step->step, other);
    }
    result->reproduced = true;
    return SNAP_OK;
}

enum snap_status trn_replay_capsule(struct trn_training *t, const struct snap_archive *capsule,
                                    const struct trn_listener *listener,
                                    struct trn_replay_result *result, struct snap_error *err)
{
    struct watcher watcher = { .listener = listener,
                               .result = result,
                               .recorded = TRN_OPERATIONS_INIT };
    struct trn_step step;
    enum snap_status status = trn_failure_read(capsule, &result->failure, err);
    if (status == SNAP_OK)
        status = read_recorded(capsule, &watcher.recorded, err);
    if (status == SNAP_OK)
        status = make_step(t, &watcher, &step, err);
    trn_operations_release(&watcher.recorded);
    if (status == SNAP_OK)
        return not_repeated(&step, result, err);
    if (status != SNAP_NONFINITE)
        return status;
    trn_failure_describe(&step, &result->repeated_failure);
    status = trn_failure_compare_batch(t, &step, capsule, result->first_member,
                                       sizeof(result->first_member), err);
    if (status == SNAP_DIFFERS)
        trn_replay_differs(result, step.step, "batch", result->first_member, "the capsule",
                           "this replay");
    return status == SNAP_OK ? compare_failures(&step, result, err) : status;
}
