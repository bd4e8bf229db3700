/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/keep.h>

#include "command.h"
#include "target.h"

struct prune_arguments {
    const char *target;
    struct cmd_list steps;
    struct cmd_number last;
    struct cmd_number every;
    const char *best;
    const char *most;
    bool dry_run;
};

/* Decimal digits alone. */
static enum snap_status read_steps(const struct cmd_list *list, uint64_t *steps,
                                   struct snap_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *text = list->items[i];
        char *end = NULL;
        errno = 0;
        steps[i] = strtoull(text, &end, 10);
        if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0' || errno != 0)
            return snap_error_set(err, SNAP_INVALID, "%s: is no step to keep", text);
    }
    return SNAP_OK;
}

static json_t *row_value(const struct snap_pruned *row)
{
    return json_pack("{s:o, s:b, s:o, s:b, s:o}", "bytes", cmd_json_uint(row->bytes), "pruned",
                     row->pruned, "step", cmd_json_uint(row->step), "was_stub", row->was_stub,
                     "why", cmd_json_text(row->why));
}

static enum snap_status tell(const struct prune_arguments *given, const struct snap_pruned *rows,
                             size_t count, struct cmd_report *report, struct snap_error *err)
{
    json_t *list = report->json ? json_array() : NULL;
    char size[CMD_SIZE_TEXT_BYTES];
    uint64_t bytes = 0;
    enum snap_status status = SNAP_OK;

    for (size_t i = 0; i < count; i++) {
        const struct snap_pruned *row = &rows[i];
        bytes += row->bytes;
        if (report->json && json_array_append_new(list, row_value(row)))
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for the list",
                                    given->target);
        else if (!report->json)
            cmd_print_line("%10" PRIu64 "  %s", row->step,
                           row->pruned     ? given->dry_run ? "would be pruned" : "pruned"
                           : row->was_stub ? "a stub already"
                                           : row->why);
    }
    if (!report->json)
        cmd_print_line("%s %s", cmd_size_text(bytes, size),
                       given->dry_run ? "would be given back" : "given back");
    else if (status == SNAP_OK)
        status = cmd_report_set(report,
                                json_pack("{s:o, s:b, s:O}", "bytes", cmd_json_uint(bytes),
                                          "dry_run", given->dry_run, "snapshots", list),
                                err);
    json_decref(list);
    return status;
}

static enum snap_status prune(const void *arguments, struct cmd_report *report,
                              struct snap_error *err)
{
    const struct prune_arguments *given = arguments;
    struct snap_keep keep = SNAP_KEEP_INIT;
    struct snap_pruned *rows = NULL;
    struct snap_pool *pool = NULL;
    uint64_t steps[CMD_LIST_MOST];
    size_t count = 0;
    enum cmd_target kind;
    enum snap_status status = cmd_target_find(given->target, CMD_TARGET_RUN, &kind, err);

    if (status == SNAP_OK)
        status = read_steps(&given->steps, steps, err);
    if (status == SNAP_OK && given->best && given->most)
        status = snap_error_set(err, SNAP_INVALID, "--best and --most: take one");
    if (status == SNAP_OK)
        status = snap_pool_new(0, &pool, err);
    if (status != SNAP_OK)
        return status;
    keep.last = given->last.value;
    keep.every = given->every.value;
    keep.best = given->best ? given->best : given->most;
    keep.best_is_most = given->most != NULL;
    keep.steps = steps;
    keep.step_count = given->steps.count;
    status = snap_prune_run(given->target, &keep, given->dry_run, pool, &rows, &count, err);
    if (status == SNAP_OK)
        status = tell(given, rows, count, report, err);
    free(rows);
    snap_pool_free(pool);
    return status;
}

#define AT(member) offsetof(struct prune_arguments, member)

static const struct cmd_option options[] = {
    { "last", "N", CMD_OPTION_NUMBER, AT(last), false, "keep the last N" },
    { "every", "K", CMD_OPTION_NUMBER, AT(every), false, "keep those whose step is a multiple" },
    { "best", "NUMBER", CMD_OPTION_TEXT, AT(best), false,
      "keep the one with the least of this (eval_loss)" },
    { "most", "NUMBER", CMD_OPTION_TEXT, AT(most), false,
      "keep the one with the most of this (eval_correct)" },
    { "dry-run", NULL, CMD_OPTION_FLAG, AT(dry_run), false, "only say what would be done" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN", AT(target), true },
    { "STEP...", AT(steps), false },
    { .name = NULL },
};

const struct cmd_command cmd_prune = {
    .name = "prune",
    .summary = "leave stubs of the snapshots that no rule keeps",
    .description = "Take tensors, streams and extras out of the snapshots of a run that no rule "
                   "keeps; hashes and ledger lines stay. The last one, named ones (STEP), and what "
                   "a thin one needs are kept in any case. The last one is read through first.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct prune_arguments),
    .run = prune,
};
