/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>

#include "command.h"
#include "target.h"
#include "training_report.h"

struct bisect_arguments {
    const char *left;
    const char *right;
    const char *data_dir;
    const char *device;
    bool no_replay;
    unsigned threads;
};

/* ---- as JSON ---- */

static json_t *keys_value(const struct trn_bisect_result *result)
{
    json_t *list = json_array();
    for (size_t i = 0; i < result->key_count; i++) {
        const struct trn_bisect_key *key = &result->keys[i];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "left", cmd_json_text(key->left),
                                              "name", cmd_json_text(key->name), "right",
                                              cmd_json_text(key->right)));
    }
    return list;
}

static json_t *step_or_null(bool has, uint64_t step)
{
    return has ? cmd_json_uint(step) : json_null();
}

static json_t *stretches_value(const struct trn_bisect_result *result)
{
    json_t *list = json_array();
    for (size_t i = 0; i < result->stretch_count; i++) {
        const struct trn_bisect_stretch *stretch = &result->stretches[i];
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:o, s:s}", "archive", cmd_json_text(stretch->archive),
                            "first", cmd_json_uint(stretch->first), "last",
                            cmd_json_uint(stretch->last), "reproduced",
                            cmd_json_uint(stretch->reproduced), "run",
                            stretch->of_right ? "B" : "A"));
    }
    return list;
}

/* Reals have no place in the document: a range is told by the bits of its ends. */
static json_t *output_value(const struct trn_bisect_output *output)
{
    if (!output->made)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:s, s:s, s:s, s:o, s:s}", "index",
                     cmd_json_uint(output->index), "largest", cmd_json_f32((float)output->largest),
                     "least", cmd_json_f32((float)output->least), "nonfinite",
                     cmd_json_uint(output->nonfinite), "op", output->op, "name",
                     cmd_json_text(output->name), "output", output->output, "phase", output->phase,
                     "shape", output->shape, "shard", cmd_json_uint(output->shard), "sha256",
                     output->sha256);
}

static json_t *operation_value(const struct trn_bisect_result *result)
{
    if (!result->has_operation)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "left", output_value(&result->left_output), "right",
                     output_value(&result->right_output), "step",
                     cmd_json_uint(result->operation_step));
}

static json_t *snapshots_value(const struct trn_bisect_result *result)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "common", cmd_json_uint(result->common),
                     "different",
                     step_or_null(result->has_different_snapshot, result->different_snapshot),
                     "difference", cmd_json_text(result->state_difference), "equal",
                     step_or_null(result->has_equal_snapshot, result->equal_snapshot), "opened",
                     cmd_json_uint(result->opened));
}

static json_t *stream_value(const struct trn_bisect_result *result)
{
    if (!result->stream[0])
        return json_null();
    return json_pack("{s:o, s:o}", "name", cmd_json_text(result->stream), "words",
                     result->has_distance ? json_integer(result->distance) : json_null());
}

static json_t *result_value(const struct trn_bisect_result *result)
{
    return json_pack(
        "{s:o, s:b, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "difference",
        result->has_line ? cmd_json_difference(&result->line) : json_null(), "equal",
        result->first[0] == '\0', "first", cmd_json_text(result->first), "keys",
        keys_value(result), "kind", result->kind, "left_last", cmd_json_uint(result->left_last),
        "not_replayed", cmd_json_text(result->not_replayed), "operation", operation_value(result),
        "own", cmd_json_text(result->own), "right_last", cmd_json_uint(result->right_last),
        "snapshots", snapshots_value(result), "steps_compared",
        cmd_json_uint(result->steps_compared), "stream", stream_value(result), "stretches",
        stretches_value(result));
}

/* ---- for people ---- */

static void print_records(const struct trn_bisect_result *result)
{
    for (size_t i = 0; i < result->key_count; i++)
        cmd_print_field(i == 0 ? "begin with" : "", "%s: %s and %s", result->keys[i].name,
                        result->keys[i].left, result->keys[i].right);
    if (result->has_line)
        cmd_print_field("lines", "the first that differs is of step %" PRIu64 ": %s: %s: %s and %s",
                        result->line.step, result->line.kind, result->line.field,
                        result->line.left, result->line.right);
    else
        cmd_print_field("lines", "equal over %" PRIu64 " step%s", result->steps_compared,
                        cmd_plural(result->steps_compared));
    if (result->has_equal_snapshot)
        cmd_print_field("snapshots", "equal up to step %" PRIu64, result->equal_snapshot);
    if (result->has_different_snapshot)
        cmd_print_field(result->has_equal_snapshot ? "" : "snapshots",
                        "of step %" PRIu64 " not: %s", result->different_snapshot,
                        result->state_difference);
    cmd_print_field("", "%" PRIu64 " in both, %" PRIu64 " looked at", result->common,
                    result->opened);
}

static void print_output(const char *run, const struct trn_bisect_output *output)
{
    if (!output->made) {
        cmd_print_field("", "run %s: no more operators", run);
        return;
    }
    cmd_print_field("", "run %s: %s, %s%s%s: %s %s, %.9g to %.9g%s, SHA-256 %.16s", run, output->op,
                    output->phase, output->name[0] ? " of " : "", output->name, output->output,
                    output->shape, output->least, output->largest,
                    output->nonfinite ? ", not all finite" : "", output->sha256);
}

static void print_replay(const struct trn_bisect_result *result)
{
    if (result->stretch_count > 0)
        cmd_print_field("made again", "%zu stretch%s, %" PRIu64 " step%s", result->stretch_count,
                        result->stretch_count == 1 ? "" : "es", result->steps_repeated,
                        cmd_plural(result->steps_repeated));
    for (size_t i = 0; i < result->stretch_count; i++) {
        const struct trn_bisect_stretch *stretch = &result->stretches[i];
        cmd_print_field("", "from step %" PRIu64 " of run %s to step %" PRIu64
                        ": its ledger up to step %" PRIu64,
                        stretch->first, stretch->of_right ? "B" : "A", stretch->last,
                        stretch->reproduced);
    }
    if (result->not_replayed[0])
        cmd_print_field("not again", "%s", result->not_replayed);
    if (result->has_operation) {
        cmd_print_field("operation", "the first whose results differ, in step %" PRIu64 ":",
                        result->operation_step);
        print_output("A", &result->left_output);
        print_output("B", &result->right_output);
    }
}

static enum snap_status tell(const struct bisect_arguments *given,
                             const struct trn_bisect_result *result, struct cmd_report *report,
                             struct snap_error *err)
{
    if (report->json)
        return cmd_report_set(report, result_value(result), err);
    cmd_print_field("run A", "%s, %" PRIu64 " steps", given->left, result->left_last);
    cmd_print_field("run B", "%s, %" PRIu64 " steps", given->right, result->right_last);
    print_records(result);
    print_replay(result);
    if (result->own[0])
        cmd_print_field("own state", "%s", result->own);
    cmd_print_field("first", "%s", result->first[0] ? result->first : "nothing differs");
    return SNAP_OK;
}

static enum snap_status bisect(const void *arguments, struct cmd_report *report,
                               struct snap_error *err)
{
    const struct bisect_arguments *given = arguments;
    struct trn_bisect_result result = TRN_BISECT_RESULT_INIT;
    struct trn_bisect_options options = TRN_BISECT_OPTIONS_INIT;
    struct trn_listener listener = { .progress = stderr };
    enum cmd_target kind;
    enum snap_status status = cmd_target_find(given->left, CMD_TARGET_RUN, &kind, err);

    if (status == SNAP_OK)
        status = cmd_target_find(given->right, CMD_TARGET_RUN, &kind, err);
    if (status != SNAP_OK)
        return status;
    options.left = given->left;
    options.right = given->right;
    options.no_replay = given->no_replay;
    options.data_dir = given->data_dir;
    options.threads = given->threads;
    options.device = given->device;
    options.listener = &listener;
    status = trn_bisect(&options, &result, err);
    if (status == SNAP_OK || status == SNAP_DIFFERS) {
        enum snap_status told = tell(given, &result, report, err);
        status = told == SNAP_OK ? status : told;
    }
    trn_bisect_result_release(&result);
    /* That they differ is the answer, and stands on stdout. */
    if (status == SNAP_DIFFERS)
        err->text[0] = '\0';
    return status;
}

#define AT(member) offsetof(struct bisect_arguments, member)

static const struct cmd_option options[] = {
    { "no-replay", NULL, CMD_OPTION_FLAG, AT(no_replay), false,
      "look at what the runs recorded, and make nothing again" },
    { "data", "DIR", CMD_OPTION_TEXT, AT(data_dir), false,
      "look for the data files in DIR, by digest" },
    { "threads", "N", CMD_OPTION_THREADS, AT(threads), false,
      "use N threads; the bits are the same with any number" },
    { "device", "D", CMD_OPTION_TEXT, AT(device), false, "compute on D: cpu, or cuda:N" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "A", AT(left), true },
    { "B", AT(right), true },
    { .name = NULL },
};

const struct cmd_command cmd_bisect = {
    .name = "bisect",
    .summary = "find when, where and why two runs part",
    .description = "Find the first snapshot and the first ledger line in which run folders A and B "
                   "differ, make the stretch before again, and say what came first: config, "
                   "environment, data, a stream, weights, the optimizer, or an operation. Nothing "
                   "is written.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct bisect_arguments),
    .run = bisect,
};
