/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <snapstate/verify.h>

#include "command.h"
#include "target.h"

struct verify_arguments {
    const char *target;
    const char *hash;
    const char *only;
    bool allow_withheld;
};

static enum snap_status verify(const void *arguments, struct cmd_report *report,
                               struct snap_error *err)
{
    const struct verify_arguments *given = arguments;
    struct snap_verify_options options = SNAP_VERIFY_OPTIONS_INIT;
    struct snap_verdict *verdict = NULL;
    struct snap_pool *pool = NULL;
    enum cmd_target kind;
    enum snap_status status =
        cmd_target_find(given->target, CMD_TARGET_RUN | CMD_TARGET_ARCHIVE, &kind, err);

    if (status == SNAP_OK)
        status = snap_pool_new(0, &pool, err);
    if (status != SNAP_OK)
        return status;
    options.only = given->only;
    options.expected = given->hash;
    options.allow_withheld = given->allow_withheld;
    options.pool = pool;
    status = kind == CMD_TARGET_RUN
                 ? snap_verify_run(given->target, &options, &verdict, err)
                 : snap_verify_archive(given->target, &options, &verdict, err);
    status = cmd_report_verdict(report, verdict, status, err);
    snap_verdict_free(verdict);
    snap_pool_free(pool);
    return status;
}

#define AT(member) offsetof(struct verify_arguments, member)

static const struct cmd_option options[] = {
    { "only", "MEMBER", CMD_OPTION_TEXT, AT(only), false,
      "check the content of this member alone" },
    { "allow-withheld", NULL, CMD_OPTION_FLAG, AT(allow_withheld), false,
      "members that are absent by design are no failure" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN|ARCHIVE", AT(target), true },
    { "HASH", AT(hash), false },
    { .name = NULL },
};

const struct cmd_command cmd_verify = {
    .name = "verify",
    .summary = "check an archive or a run folder",
    .description = "Check every byte of an archive, or ledger, snapshots and 'latest' of a run "
                   "folder, against their own hashes, and against HASH (snap1:, state1: or run1:) "
                   "if one is given.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct verify_arguments),
    .run = verify,
};
