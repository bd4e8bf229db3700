/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "training_report.h"

static void tell_restored(void *arg, const struct snap_receipt *receipt)
{
    const struct cmd_report *report = arg;

    if (report->json)
        return;
    cmd_print_text(snap_receipt_table(receipt));
    fflush(stdout); /* an error stays with the stream, and is told at the end */
}

/* Thousandths, rounded down: all is right only at 100.0 %. */
static unsigned per_mille(uint64_t part, uint64_t whole)
{
    return whole ? (unsigned)((double)part / (double)whole * 1000.0) : 0;
}

static void tell_evaluated(void *arg, uint64_t epoch, uint64_t step, float loss, uint64_t correct,
                           uint64_t samples)
{
    const struct cmd_report *report = arg;
    unsigned right = per_mille(correct, samples);

    if (report->json)
        return;
    cmd_print_line("step %6" PRIu64 "  epoch %3" PRIu64 " done  held-out loss %.4f, %" PRIu64
                   " of %" PRIu64 " right (%u.%u %%)", step, epoch + 1, (double)loss, correct,
                   samples, right / 10, right % 10);
    fflush(stdout);
}

static void tell_saved(void *arg, uint64_t step, const char *snapshot_hash, const char *path)
{
    const struct cmd_report *report = arg;
    const char *name = strrchr(path, '/');

    if (report->json)
        return;
    /* Fourteen characters tell one from another; `list` has them whole. */
    cmd_print_line("step %6" PRIu64 "  saved %s  %.14s...", step, name ? name + 1 : path,
                   snapshot_hash);
    fflush(stdout);
}

static void tell_certified(void *arg, uint64_t step)
{
    const struct cmd_report *report = arg;

    if (report->json)
        return;
    cmd_print_line("step %6" PRIu64 "  certified: restored from the disk, it gives step %" PRIu64
                   " again", step, step + 1);
    fflush(stdout);
}

/* Also beside --json: it must not be missed. */
static void tell_warned(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "snap: warning: %s\n", text);
}

void cmd_training_listen(struct trn_listener *listener, struct cmd_report *report)
{
    signal(SIGPIPE, SIG_IGN);
    *listener = (struct trn_listener){ .arg = report };
    if (snap_group_rank(report->group) != 0)
        return; /* rank 0 tells it */
    *listener = (struct trn_listener){ .arg = report,
                                       .restored = tell_restored,
                                       .evaluated = tell_evaluated,
                                       .saved = tell_saved,
                                       .certified = tell_certified,
                                       .warned = tell_warned,
                                       .progress = stderr };
}

json_t *cmd_json_failure(const struct trn_failure *failure)
{
    if (failure->value == NULL)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:s, s:o}", "capsule", cmd_json_text(failure->capsule),
                     "element", cmd_json_uint(failure->element), "step",
                     cmd_json_uint(failure->step), "value", failure->value, "where",
                     cmd_json_text(failure->where));
}

json_t *cmd_json_difference(const struct snap_ledger_difference *difference)
{
    return json_pack("{s:o, s:s, s:o, s:o, s:o}", "field", cmd_json_text(difference->field),
                     "kind", difference->kind, "left", cmd_json_text(difference->left), "right",
                     cmd_json_text(difference->right), "step", cmd_json_uint(difference->step));
}

void cmd_print_difference(const struct snap_ledger_difference *difference)
{
    cmd_print_field("differs", "step %" PRIu64 ": %s (%s)", difference->step, difference->kind,
                    difference->field);
    cmd_print_field("  recorded", "%s", difference->left);
    cmd_print_field("  now", "%s", difference->right);
}

static json_t *snapshot_value(const struct trn_result *result)
{
    if (result->snapshot_hash[0] == '\0')
        return json_null();
    return json_pack("{s:o, s:s, s:o}", "file", cmd_json_text(result->snapshot_path), "hash",
                     result->snapshot_hash, "step", cmd_json_uint(result->snapshot_step));
}

static json_t *evaluation_value(const struct trn_result *result)
{
    if (!result->has_evaluation)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o}", "correct", cmd_json_uint(result->evaluation_correct),
                     "loss", cmd_json_f32(result->evaluation_loss), "samples",
                     cmd_json_uint(result->evaluation_samples), "step",
                     cmd_json_uint(result->evaluation_step));
}

/* "SIGTERM" */
static const char *signal_name(int number, char text[32])
{
    const char *name = sigabbrev_np(number);

    if (name)
        snprintf(text, 32, "SIG%s", name);
    else
        snprintf(text, 32, "signal %d", number);
    return text;
}

static json_t *result_value(const struct trn_result *result)
{
    bool stopped = result->stop == TRN_STOP_SIGNAL;
    char name[32];

    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "dir",
        cmd_json_text(result->dir), "difference",
        result->has_difference ? cmd_json_difference(&result->difference) : json_null(),
        "duration_ms", cmd_json_uint((uint64_t)(result->seconds * 1000.0)), "evaluation",
        evaluation_value(result), "failure",
        result->stop == TRN_STOP_NONFINITE ? cmd_json_failure(&result->failure) : json_null(),
        "first_step", cmd_json_uint(result->first_step), "host_chain",
        cmd_json_text(result->host_chain), "loss",
        result->has_loss ? cmd_json_f32(result->loss) : json_null(), "receipt",
        result->receipt ? cmd_json_parse(snap_receipt_json(result->receipt)) : json_null(),
        "run_hash", cmd_json_text(result->run_hash), "signal",
        stopped ? json_string(signal_name(result->signal, name)) : json_null(), "snapshot",
        snapshot_value(result), "state_hash", cmd_json_text(result->state_hash), "stop",
        trn_stop_name(result->stop), "step", cmd_json_uint(result->step), "total_steps",
        cmd_json_uint(result->total_steps));
}

static void print_end(const struct trn_result *result)
{
    uint64_t steps = result->step - result->first_step;
    char name[32];

    if (result->stop == TRN_STOP_SIGNAL)
        cmd_print_field("stopped", "by %s after step %" PRIu64 " of %" PRIu64
                        "; 'snap restore %s' goes on", signal_name(result->signal, name),
                        result->step, result->total_steps, result->dir);
    else if (result->stop == TRN_STOP_NONFINITE)
        cmd_print_field("stopped", "before step %" PRIu64 ": %s is %s at element %" PRIu64,
                        result->failure.step, result->failure.where, result->failure.value,
                        result->failure.element);
    else if (result->dir[0] == '\0')
        cmd_print_field("dry run", "restored in memory at step %" PRIu64 " of %" PRIu64
                        "; nothing was written", result->step, result->total_steps);
    else
        cmd_print_field("done", "%" PRIu64 " step%s, to step %" PRIu64 " of %" PRIu64
                        ", in %.1f s", steps, cmd_plural(steps), result->step,
                        result->total_steps, result->seconds);
    if (result->stop == TRN_STOP_NONFINITE && result->failure.capsule[0])
        cmd_print_field("capsule", "%s", result->failure.capsule);
    if (result->run_hash[0])
        cmd_print_field("run hash", "%s", result->run_hash);
    if (result->state_hash[0])
        cmd_print_field("state hash", "%s", result->state_hash);
    if (result->snapshot_hash[0]) {
        cmd_print_field("snapshot", "%s", result->snapshot_hash);
        cmd_print_field("", "%s", result->snapshot_path);
    }
}

enum snap_status cmd_training_tell(const struct trn_result *result, enum snap_status status,
                                   struct cmd_report *report, struct snap_error *err)
{
    bool ended = status == SNAP_OK || status == SNAP_NONFINITE;

    report->stopped = status == SNAP_OK && result->stop == TRN_STOP_SIGNAL;
    if (cmd_is_silent(report, status))
        return status;
    if (report->json) {
        /* Before the folder is known nothing was found out. */
        enum snap_status told = result->dir[0] || result->receipt
                                    ? cmd_report_set(report, result_value(result),
                                                     status == SNAP_OK ? err : NULL)
                                    : SNAP_OK;
        return status == SNAP_OK ? told : status;
    }
    if (ended)
        print_end(result);
    else if (result->has_difference)
        cmd_print_difference(&result->difference);
    return status;
}
