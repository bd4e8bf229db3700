/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <snapstate/fsck.h>

#include "command.h"
#include "target.h"

struct fsck_arguments {
    const char *target;
    struct cmd_list from;
    const char *hash;
    const char *output;
    bool repair;
    bool salvage;
};

static enum snap_status check_arguments(const struct fsck_arguments *given, struct snap_error *err)
{
    if (!given->salvage && (given->from.count > 0 || given->hash || given->output))
        return snap_error_set(err, SNAP_INVALID,
                              "archives to take from, --hash and --output go with --salvage");
    if (given->salvage && given->repair)
        return snap_error_set(err, SNAP_INVALID,
                              "--repair is for a run folder, --salvage for an archive; take one");
    return SNAP_OK;
}

static enum snap_status check_run(const struct fsck_arguments *given, struct snap_pool *pool,
                                  struct snap_verdict **verdict, struct snap_error *err)
{
    struct snap_fsck_options options = SNAP_FSCK_OPTIONS_INIT;

    options.repair = given->repair;
    options.pool = pool;
    return snap_fsck_run(given->target, &options, verdict, err);
}

static enum snap_status salvage(const struct fsck_arguments *given, struct snap_pool *pool,
                                struct snap_verdict **verdict, struct snap_error *err)
{
    struct snap_salvage_options options = SNAP_SALVAGE_OPTIONS_INIT;

    options.from = given->from.items;
    options.from_count = given->from.count;
    options.expected = given->hash;
    options.output = given->output;
    options.pool = pool;
    return snap_salvage(given->target, &options, verdict, err);
}

static enum snap_status fsck(const void *arguments, struct cmd_report *report,
                             struct snap_error *err)
{
    const struct fsck_arguments *given = arguments;
    struct snap_verdict *verdict = NULL;
    struct snap_pool *pool = NULL;
    enum cmd_target kind;
    enum snap_status status = check_arguments(given, err);

    if (status == SNAP_OK)
        status = cmd_target_find(given->target,
                                 given->salvage ? CMD_TARGET_ARCHIVE : CMD_TARGET_RUN, &kind, err);
    if (status == SNAP_OK)
        status = snap_pool_new(0, &pool, err);
    if (status != SNAP_OK)
        return status;
    status = given->salvage ? salvage(given, pool, &verdict, err)
                            : check_run(given, pool, &verdict, err);
    status = cmd_report_verdict(report, verdict, NULL, status, err);
    snap_verdict_free(verdict);
    snap_pool_free(pool);
    return status;
}

#define AT(member) offsetof(struct fsck_arguments, member)

static const struct cmd_option options[] = {
    { "repair", NULL, CMD_OPTION_FLAG, AT(repair), false,
      "remove what stopped saves left, and mend 'latest'" },
    { "salvage", NULL, CMD_OPTION_FLAG, AT(salvage), false,
      "list and rescue the members of a damaged archive" },
    { "hash", "HASH", CMD_OPTION_TEXT, AT(hash), false,
      "the snapshot hash that the archive had (snap1:...)" },
    { "output", "FILE", CMD_OPTION_TEXT, AT(output), false,
      "write what was rescued here; FILE must not be there" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN|ARCHIVE", AT(target), true },
    { "FROM...", AT(from), false },
    { .name = NULL },
};

const struct cmd_command cmd_fsck = {
    .name = "fsck",
    .summary = "check a run folder after an accident, rescue a damaged archive",
    .description = "Check all of a run folder, and say what a stopped process left in it. With "
                   "--salvage: look for the members of a truncated or damaged archive, and take "
                   "what is lost from the archives FROM and from those beside it, by digest.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct fsck_arguments),
    .run = fsck,
};
