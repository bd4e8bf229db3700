/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <snapstate/diff.h>

#include "command.h"
#include "diff_table.h"
#include "target.h"

struct diff_arguments {
    const char *left;
    const char *right;
};

/* As the report's document, or as tables. */
static enum snap_status tell(const struct snap_diff *found, struct cmd_report *report,
                             struct snap_error *err)
{
    json_t *document = cmd_json_parse(snap_diff_json(found));
    enum snap_status status = SNAP_OK;

    if (report->json)
        return cmd_report_set(report, document, err);
    if (document == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "diff: no memory for its tables");
    if (snap_diff_count(found) == 0)
        cmd_print_text(snap_diff_text(found));
    status = cmd_print_diff(document, err);
    json_decref(document);
    return status;
}

static enum snap_status diff(const void *arguments, struct cmd_report *report,
                             struct snap_error *err)
{
    const unsigned wanted = CMD_TARGET_RUN | CMD_TARGET_ARCHIVE | CMD_TARGET_LEDGER;
    const struct diff_arguments *given = arguments;
    struct snap_diff *found = NULL;
    enum cmd_target left, right;
    bool archives;
    enum snap_status status = cmd_target_find(given->left, wanted, &left, err);

    if (status == SNAP_OK)
        status = cmd_target_find(given->right, wanted, &right, err);
    if (status != SNAP_OK)
        return status;
    archives = left == CMD_TARGET_ARCHIVE;
    if (archives != (right == CMD_TARGET_ARCHIVE))
        return snap_error_set(err, SNAP_INVALID,
                              "%s and %s: one is an archive and the other a run or a ledger; name "
                              "two archives, or two runs or ledgers", given->left, given->right);

    status = archives ? snap_diff_archives(given->left, given->right, &found, err)
                      : snap_diff_ledgers(given->left, given->right, &found, err);
    if (status != SNAP_OK && status != SNAP_DIFFERS)
        return status;
    enum snap_status told = tell(found, report, err);
    snap_diff_free(found);
    status = told == SNAP_OK ? status : told;
    /* That they differ is the answer, and stands on stdout. */
    if (status == SNAP_DIFFERS)
        err->text[0] = '\0';
    return status;
}

static const struct cmd_option options[] = {
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "A", offsetof(struct diff_arguments, left), true },
    { "B", offsetof(struct diff_arguments, right), true },
    { .name = NULL },
};

const struct cmd_command cmd_diff = {
    .name = "diff",
    .summary = "say what differs between two snapshots or runs",
    .description = "Compare two archives: config, place in the data, streams, tensors, extras, the "
                   "largest difference first. Or two ledgers or run folders: the first step, and "
                   "in it the first field, that is not equal; and the first tensor, or what "
                   "differs in the next snapshots that both have.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct diff_arguments),
    .run = diff,
};
