/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "command.h"
#include "training_report.h"

struct run_arguments {
    const char *config;
    const char *dir;
    const char *device;
    struct cmd_number steps;
    struct cmd_number seed;
    unsigned threads;
};

static enum snap_status run(const void *arguments, struct cmd_report *report,
                            struct snap_error *err)
{
    const struct run_arguments *given = arguments;
    struct trn_result result = TRN_RESULT_INIT;
    struct trn_listener listener;
    struct trn_run_options options = TRN_RUN_OPTIONS_INIT;
    enum snap_status status = snap_group_open(&report->group, err);

    if (status != SNAP_OK)
        return status;
    cmd_training_listen(&listener, report);
    options.config = given->config;
    options.dir = given->dir;
    options.has_steps = given->steps.is_set;
    options.steps = given->steps.value;
    options.threads = given->threads;
    options.has_seed = given->seed.is_set;
    options.seed = given->seed.value;
    options.device = given->device;
    options.listener = &listener;
    options.group = report->group;
    status = trn_run(&options, &result, err);
    status = cmd_training_tell(&result, status, report, err);
    trn_result_release(&result);
    return status;
}

#define AT(member) offsetof(struct run_arguments, member)

static const struct cmd_option options[] = {
    { "dir", "DIR", CMD_OPTION_TEXT, AT(dir), true, "the run folder, made anew" },
    { "steps", "N", CMD_OPTION_NUMBER, AT(steps), false, "stop after step N" },
    { "threads", "N", CMD_OPTION_THREADS, AT(threads), false,
      "use N threads; the bits are the same with any number" },
    { "seed", "N", CMD_OPTION_NUMBER, AT(seed), false,
      "seed all streams with N, not as in CONFIG" },
    { "device", "D", CMD_OPTION_TEXT, AT(device), false, "compute on D: cpu, or cuda:N" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "CONFIG", AT(config), true },
    { .name = NULL },
};

const struct cmd_command cmd_run = {
    .name = "run",
    .summary = "train in a new run folder",
    .description = "Train as CONFIG says, in a new run folder. SIGUSR1 saves a snapshot and goes "
                   "on; SIGUSR2, SIGTERM and SIGINT save one and stop (exit 75); a second such "
                   "signal stops at once.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct run_arguments),
    .run = run,
};
