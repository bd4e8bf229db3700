/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <limits.h>

#include "command.h"
#include "target.h"
#include "trainer.h"

struct save_arguments {
    const char *run;
    struct cmd_number timeout_s;
};

static enum snap_status save(const void *arguments, struct cmd_report *report,
                             struct snap_error *err)
{
    const struct save_arguments *given = arguments;
    struct trn_saved saved;
    enum cmd_target kind;
    enum snap_status status;

    if (given->timeout_s.value > UINT_MAX / 1000)
        return snap_error_set(err, SNAP_INVALID, "--timeout: at most %u seconds",
                              UINT_MAX / 1000);
    status = cmd_target_find(given->run, CMD_TARGET_RUN, &kind, err);
    if (status == SNAP_OK)
        status = trn_save_request(given->run, (unsigned)given->timeout_s.value * 1000, &saved,
                                  err);
    if (status != SNAP_OK)
        return status;
    if (report->json)
        return cmd_report_set(report,
                              json_pack("{s:o, s:s, s:o}", "run", cmd_json_text(given->run),
                                        "snapshot_hash", saved.snapshot_hash, "step",
                                        cmd_json_uint(saved.step)),
                              err);
    cmd_print_field("saved", "step %" PRIu64, saved.step);
    cmd_print_field("snapshot", "%s", saved.snapshot_hash);
    return SNAP_OK;
}

#define AT(member) offsetof(struct save_arguments, member)

static const struct cmd_option options[] = {
    { "timeout", "SECONDS", CMD_OPTION_NUMBER, AT(timeout_s), false,
      "give up waiting after so long; 0, the default: never" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN", AT(run), true },
    { .name = NULL },
};

const struct cmd_command cmd_save = {
    .name = "save",
    .summary = "ask a live run for a snapshot",
    .description = "Ask the process that trains in RUN for a snapshot, wait until it is durable, "
                   "and print its hash. The run goes on.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct save_arguments),
    .run = save,
};
