/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include <snapstate/archive.h>
#include <snapstate/ledger.h>

#include "command.h"
#include "run_files.h"
#include "target.h"

struct hash_arguments {
    const char *target;
};

/* The head of a run's ledger. */
struct ledger_head {
    bool is_known;
    uint64_t step;
    char run_hash[SNAP_HASH_TEXT_BYTES];
};

static void take_line(const struct snap_ledger *ledger, size_t index, uint64_t step,
                      struct ledger_head *head)
{
    head->is_known = true;
    head->step = step;
    snprintf(head->run_hash, sizeof head->run_hash, "run1:%s", snap_ledger_chain(ledger, index));
}

/* Read the ledger of run folder `dir`, which the archive must be on, as far as the ledger goes (its
 * tail may be lost; a restore writes it again). */
static enum snap_status read_ledger(const char *dir, const struct snap_archive *archive,
                                    struct ledger_head *head, struct snap_error *err)
{
    uint64_t step = snap_archive_step(archive);
    struct snap_ledger *ledger = NULL;
    char path[PATH_MAX];
    struct ledger_head at;
    size_t index;
    enum snap_status status = cmd_path_join(dir, "ledger.jsonl", path, err);

    if (status == SNAP_OK)
        status = snap_ledger_open(path, &ledger, NULL, err);
    if (status == SNAP_NOT_FOUND)
        return SNAP_OK; /* lost: a restore makes it again from the archives */
    if (status != SNAP_OK)
        return status;
    if (snap_ledger_find(ledger, step, &index)) {
        take_line(ledger, index, step, &at);
        if (strcmp(at.run_hash, snap_archive_run_hash(archive)) != 0)
            status = snap_error_set(err, SNAP_CORRUPT,
                                    "%s: step %" PRIu64 " is %s there, and %s in the snapshot",
                                    path, step, at.run_hash, snap_archive_run_hash(archive));
    }
    if (status == SNAP_OK)
        take_line(ledger, snap_ledger_line_count(ledger) - 1, snap_ledger_last_step(ledger), head);
    snap_ledger_free(ledger);
    return status;
}

static json_t *result_value(const char *path, const struct snap_archive *archive,
                            const struct ledger_head *head)
{
    json_t *ledger = head->is_known ? json_pack("{s:s, s:o}", "run_hash", head->run_hash, "step",
                                                cmd_json_uint(head->step))
                                    : json_null();

    return json_pack("{s:o, s:o, s:s, s:s, s:s, s:s, s:o}", "archive", cmd_json_text(path),
                     "ledger", ledger, "run_hash", snap_archive_run_hash(archive), "run_id",
                     snap_archive_run_id(archive), "snapshot_hash",
                     snap_archive_snapshot_hash(archive), "state_hash",
                     snap_archive_state_hash(archive), "step",
                     cmd_json_uint(snap_archive_step(archive)));
}

static enum snap_status hash(const void *arguments, struct cmd_report *report,
                             struct snap_error *err)
{
    const struct hash_arguments *given = arguments;
    struct ledger_head head = { .is_known = false };
    struct snap_archive *archive = NULL;
    char path[PATH_MAX];
    enum cmd_target kind;
    enum snap_status status =
        cmd_target_find(given->target, CMD_TARGET_ANY_ARCHIVE, &kind, err);

    if (status == SNAP_OK)
        status = cmd_target_open(given->target, kind, path, &archive, err);
    if (status == SNAP_OK && kind == CMD_TARGET_RUN)
        status = read_ledger(given->target, archive, &head, err);
    if (status != SNAP_OK)
        goto out;
    if (report->json) {
        status = cmd_report_set(report, result_value(path, archive, &head), err);
        goto out;
    }
    cmd_print_field("step", "%" PRIu64, snap_archive_step(archive));
    cmd_print_field("run hash", "%s", snap_archive_run_hash(archive));
    cmd_print_field("state hash", "%s", snap_archive_state_hash(archive));
    cmd_print_field("snapshot", "%s", snap_archive_snapshot_hash(archive));
    if (head.is_known && head.step > snap_archive_step(archive))
        cmd_print_field("ledger", "goes on to step %" PRIu64 ": %s", head.step, head.run_hash);
out:
    snap_archive_close(archive);
    return status;
}

static const struct cmd_option options[] = {
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN|ARCHIVE", offsetof(struct hash_arguments, target), true },
    { .name = NULL },
};

const struct cmd_command cmd_hash = {
    .name = "hash",
    .summary = "print run hash, state hash and snapshot hash",
    .description = "Print the three hashes of an archive, or of a run's latest snapshot. They are "
                   "what the archive says of itself: 'snap verify' checks that its content agrees.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct hash_arguments),
    .run = hash,
};
