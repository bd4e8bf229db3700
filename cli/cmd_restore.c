/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>

#include <snapstate/store.h>

#include "command.h"
#include "target.h"
#include "training_report.h"

struct restore_arguments {
    const char *target;
    const char *dir;
    const char *data_dir;
    const char *device;
    struct cmd_number steps;
    unsigned threads;
    enum snap_tier require;
    bool dry_run;
};

static enum snap_status restore(const void *arguments, struct cmd_report *report,
                                struct snap_error *err)
{
    const struct restore_arguments *given = arguments;
    struct trn_result result = TRN_RESULT_INIT;
    struct trn_listener listener;
    struct trn_restore_options options = TRN_RESTORE_OPTIONS_INIT;
    enum cmd_target kind;
    char *stored = NULL;
    enum snap_status status = snap_group_open(&report->group, err);

    if (status != SNAP_OK)
        return status;
    status = cmd_target_find(given->target, CMD_TARGET_ANY_ARCHIVE, &kind, err);
    if (status == SNAP_OK && kind == CMD_TARGET_STORE)
        status = snap_stored_latest(given->target, &stored, err);
    status = snap_group_agree(report->group, status, err);
    if (status != SNAP_OK) {
        free(stored);
        return status;
    }

    cmd_training_listen(&listener, report);
    options.target = stored ? stored : given->target;
    options.dir = given->dir;
    options.data_dir = given->data_dir;
    options.has_steps = given->steps.is_set;
    options.steps = given->steps.value;
    options.threads = given->threads;
    options.device = given->device;
    options.require = given->require;
    options.dry_run = given->dry_run;
    options.listener = &listener;
    options.group = report->group;
    status = trn_restore(&options, &result, err);
    if (status == SNAP_ABSENT && result.receipt && !report->json &&
        !cmd_is_silent(report, status))
        cmd_print_text(snap_receipt_table(result.receipt));
    status = cmd_training_tell(&result, status, report, err);
    trn_result_release(&result);
    free(stored);
    return status;
}

#define AT(member) offsetof(struct restore_arguments, member)

static const struct cmd_option options[] = {
    { "dir", "NEW", CMD_OPTION_TEXT, AT(dir), false,
      "go on in NEW: a new folder, or the run that the archive is of" },
    { "data", "DIR", CMD_OPTION_TEXT, AT(data_dir), false,
      "look for the data files in DIR, by digest" },
    { "steps", "N", CMD_OPTION_NUMBER, AT(steps), false,
      "stop after step N, counted from the start of the run" },
    { "threads", "N", CMD_OPTION_THREADS, AT(threads), false,
      "use N threads; the bits are the same with any number" },
    { "device", "D", CMD_OPTION_TEXT, AT(device), false, "compute on D: cpu, or cuda:N" },
    { "require", "T", CMD_OPTION_TIER, AT(require), false,
      "the least that will do: exact (the default), streams or weights" },
    { "dry-run", NULL, CMD_OPTION_FLAG, AT(dry_run), false,
      "restore in memory, print the receipt, and leave everything as it is" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN|ARCHIVE", AT(target), true },
    { .name = NULL },
};

static const struct restore_arguments defaults = { .require = SNAP_TIER_EXACT };

const struct cmd_command cmd_restore = {
    .name = "restore",
    .summary = "bring a state back and train on",
    .description = "Bring back the state of a run's latest snapshot, or of an archive, print the "
                   "receipt of what was restored, and train on. Steps that are made again must "
                   "equal the run's ledger, bit for bit. Signals are as in 'snap run'.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct restore_arguments),
    .defaults = &defaults,
    .run = restore,
};
