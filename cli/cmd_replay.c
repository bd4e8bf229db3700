/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "operation_report.h"
#include "target.h"
#include "training_report.h"

struct replay_arguments {
    const char *archive;
    const char *to;
    const char *ledger;
    const char *exec;
    const char *data_dir;
    const char *device;
    unsigned threads;
    bool step_by_step;
};

/* `operations` is borrowed. */
static json_t *result_value(const struct replay_arguments *given,
                            const struct trn_replay_result *result, json_t *operations)
{
    return json_pack(
        "{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o, s:o}",
        "archive", cmd_json_text(given->archive), "capsule", result->capsule, "difference",
        result->has_difference ? cmd_json_difference(&result->difference) : json_null(),
        "expected_from", cmd_json_text(result->expected_from), "failure",
        cmd_json_failure(&result->failure), "first_member", cmd_json_text(result->first_member),
        "first_nonfinite",
        result->has_nonfinite ? cmd_json_operation(&result->nonfinite) : json_null(),
        "first_other", result->has_other ? cmd_json_operation(&result->other) : json_null(),
        "first_step", cmd_json_uint(result->first_step), "lines_compared",
        cmd_json_uint(result->lines_compared), "operations", operations, "operations_recorded",
        cmd_json_uint(result->recorded), "operations_seen", cmd_json_uint(result->operations),
        "repeated_failure",
        cmd_json_failure(&result->repeated_failure), "reproduced",
        result->capsule ? json_boolean(result->reproduced) : json_null(), "run_hash",
        cmd_json_text(result->run_hash), "state_hash", cmd_json_text(result->state_hash),
        "states_compared", cmd_json_uint(result->states_compared), "step",
        cmd_json_uint(result->step));
}

static void print_failure(const char *label, const struct trn_failure *failure)
{
    if (failure->value)
        cmd_print_field(label, "step %" PRIu64 ": %s is %s at element %" PRIu64, failure->step,
                        failure->where, failure->value, failure->element);
    else
        cmd_print_field(label, "the step did not fail");
}

static void print_result(const struct replay_arguments *given,
                         const struct trn_replay_result *result)
{
    cmd_print_field("from", "%s, step %" PRIu64, given->archive, result->first_step);
    if (result->expected_from[0])
        cmd_print_field("against", "%s", result->expected_from);
    if (result->step > result->first_step)
        cmd_print_field("repeated", "steps %" PRIu64 " to %" PRIu64, result->first_step + 1,
                        result->step);
    cmd_print_field("compared", "%" PRIu64 " ledger line%s, %" PRIu64 " whole state%s",
                    result->lines_compared, cmd_plural(result->lines_compared),
                    result->states_compared, cmd_plural(result->states_compared));
    if (result->capsule) {
        print_failure("recorded", &result->failure);
        print_failure("now", &result->repeated_failure);
        if (result->operations == 0 && given->exec == NULL)
            cmd_print_field("operations", "none: the update of step %" PRIu64 " left it so: replay "
                            "to there from the snapshot before", result->first_step);
        else if (result->operations)
            cmd_print_field("operations", "%" PRIu64 " outputs, of which the capsule has %" PRIu64,
                            result->operations, result->recorded);
        if (result->has_nonfinite)
            cmd_print_operation_field("not finite", &result->nonfinite);
        if (result->has_other)
            cmd_print_operation_field("not as then", &result->other);
    }
    if (result->has_difference)
        cmd_print_difference(&result->difference);
    if (result->first_member[0])
        cmd_print_field("first", "%s", result->first_member);
    if (result->run_hash[0])
        cmd_print_field("run hash", "%s", result->run_hash);
    if (result->state_hash[0])
        cmd_print_field("state hash", "%s", result->state_hash);
}

/* --to: a step when it is all digits, else an archive. */
static enum snap_status read_to(const char *to, struct trn_replay_options *options,
                                struct snap_error *err)
{
    enum cmd_target kind;
    char *end;

    if (!isdigit((unsigned char)to[0])) {
        options->to_archive = to;
        return cmd_target_find(to, CMD_TARGET_ARCHIVE, &kind, err);
    }
    errno = 0;
    options->to_step = strtoull(to, &end, 10);
    if (*end) {
        options->to_archive = to;
        return cmd_target_find(to, CMD_TARGET_ARCHIVE, &kind, err);
    }
    if (errno)
        return snap_error_set(err, SNAP_INVALID, "--to: '%s' is past the last step there can be",
                              to);
    options->has_to_step = true;
    return SNAP_OK;
}

static enum snap_status replay(const void *arguments, struct cmd_report *report,
                               struct snap_error *err)
{
    const struct replay_arguments *given = arguments;
    struct trn_replay_result result = TRN_REPLAY_RESULT_INIT;
    struct trn_replay_options options = TRN_REPLAY_OPTIONS_INIT;
    struct cmd_operations operations = { .json = report->json };
    struct trn_listener listener = { .arg = &operations, .progress = stderr };
    enum cmd_target kind;
    enum snap_status status = cmd_target_find(given->archive, CMD_TARGET_ARCHIVE, &kind, err);

    if (status == SNAP_OK && given->ledger)
        status = cmd_target_find(given->ledger, CMD_TARGET_RUN | CMD_TARGET_LEDGER, &kind, err);
    if (status == SNAP_OK && given->to)
        status = read_to(given->to, &options, err);
    if (status != SNAP_OK)
        return status;

    options.archive = given->archive;
    options.ledger = given->ledger;
    options.exec = given->exec;
    options.data_dir = given->data_dir;
    options.threads = given->threads;
    options.device = given->device;
    options.listener = &listener;
    options.step_by_step = given->step_by_step;
    operations.list = given->step_by_step && report->json ? json_array() : json_null();
    if (given->step_by_step)
        listener.operation = cmd_tell_operation;
    status = trn_replay(&options, &result, err);
    if (report->json && (status == SNAP_OK || status == SNAP_DIFFERS)) {
        enum snap_status told = cmd_report_set(report,
                                               result_value(given, &result, operations.list),
                                               status == SNAP_OK ? err : NULL);
        status = status == SNAP_OK ? told : status;
    }
    json_decref(operations.list);
    if (report->json || (status != SNAP_OK && status != SNAP_DIFFERS))
        return status;
    print_result(given, &result);
    if (status == SNAP_OK)
        cmd_print_field("verdict", result.capsule ? "the failure is reproduced"
                                                  : "equal, bit for bit");
    return status;
}

#define AT(member) offsetof(struct replay_arguments, member)

static const struct cmd_option options[] = {
    { "to", "STEP|ARCHIVE", CMD_OPTION_TEXT, AT(to), false,
      "stop after this step, or at this archive and compare the whole state" },
    { "ledger", "FILE", CMD_OPTION_TEXT, AT(ledger), false,
      "compare with this ledger, or that of this run folder" },
    { "exec", "CMD", CMD_OPTION_TEXT, AT(exec), false,
      "have this program train, which uses libsnapstate or snapstate.Run" },
    { "data", "DIR", CMD_OPTION_TEXT, AT(data_dir), false,
      "look for the data files in DIR, by digest" },
    { "threads", "N", CMD_OPTION_THREADS, AT(threads), false,
      "use N threads; the bits are the same with any number" },
    { "device", "D", CMD_OPTION_TEXT, AT(device), false, "compute on D: cpu, or cuda:N" },
    { "step-by-step", NULL, CMD_OPTION_FLAG, AT(step_by_step), false,
      "of a capsule: print every operation of the step, with its range and digest" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "ARCHIVE", AT(archive), true },
    { .name = NULL },
};

const struct cmd_command cmd_replay = {
    .name = "replay",
    .summary = "run a stretch again and compare",
    .description = "Train again in memory from ARCHIVE, and compare every step with the ledger and "
                   "every state with the archives beside it. Of a capsule: make the failed step "
                   "again, and name the first operation whose output is not finite, and the first "
                   "that is not as recorded. Nothing is written.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct replay_arguments),
    .run = replay,
};
