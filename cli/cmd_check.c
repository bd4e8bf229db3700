/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>

#include "command.h"
#include "target.h"
#include "trainer.h"

struct check_arguments {
    const char *target;
    const char *dir;
    const char *data_dir;
};

static json_t *files_value(const struct trn_check *check)
{
    json_t *files = json_array();

    for (size_t i = 0; i < check->file_count; i++) {
        const struct trn_check_file *file = &check->files[i];
        json_array_append_new(files, json_pack("{s:o, s:o, s:o, s:s, s:o}", "expected",
                                               cmd_json_text(file->expected), "path",
                                               cmd_json_text(file->path), "problem",
                                               cmd_json_text(file->problem), "role", file->role,
                                               "sha256", cmd_json_text(file->sha256)));
    }
    return files;
}

static json_t *result_value(const struct check_arguments *given, const struct trn_check *check)
{
    json_t *space = json_null();

    if (check->has_space)
        space = json_pack("{s:b, s:o, s:o}", "enough", check->enough_space, "free",
                          cmd_json_uint(check->bytes_free), "needed",
                          cmd_json_uint(check->bytes_needed));
    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "every",
                     cmd_json_uint(check->every), "files", files_value(check), "kind",
                     check->target_kind, "snapshot_bytes", cmd_json_uint(check->snapshot_bytes),
                     "snapshots", cmd_json_uint(check->snapshots), "space", space, "step",
                     cmd_json_uint(check->step), "target", cmd_json_text(given->target), "tier",
                     snap_tier_name(check->tier), "total_steps",
                     cmd_json_uint(check->total_steps), "why", cmd_json_text(check->why));
}

static void print_check(const struct check_arguments *given, const struct trn_check *check)
{
    char one[CMD_SIZE_TEXT_BYTES], needed[CMD_SIZE_TEXT_BYTES], left[CMD_SIZE_TEXT_BYTES];

    cmd_print_field(check->target_kind, "%s", given->target);
    cmd_print_field("tier", "%s%s%s", snap_tier_name(check->tier), check->why[0] ? ": " : "",
                    check->why);
    for (size_t i = 0; i < check->file_count; i++) {
        const struct trn_check_file *file = &check->files[i];
        cmd_print_field(i ? "" : "data", "%-12s  %s%s%s", file->role,
                        file->path[0] ? file->path : "not found", file->problem[0] ? ": " : "",
                        file->problem);
    }
    cmd_print_field("steps", "%" PRIu64 " of %" PRIu64 " done", check->step, check->total_steps);
    cmd_print_field("snapshots", "%" PRIu64 " to come, %s each", check->snapshots,
                    cmd_size_text(check->snapshot_bytes, one));
    if (check->has_space)
        cmd_print_field("disk", "%s needed, %s free%s", cmd_size_text(check->bytes_needed, needed),
                        cmd_size_text(check->bytes_free, left),
                        check->enough_space ? "" : ": not enough");
}

static enum snap_status check(const void *arguments, struct cmd_report *report,
                              struct snap_error *err)
{
    const struct check_arguments *given = arguments;
    struct trn_check found = TRN_CHECK_INIT;
    struct trn_check_options options = TRN_CHECK_OPTIONS_INIT;
    enum cmd_target kind;
    enum snap_status status =
        cmd_target_find(given->target,
                        CMD_TARGET_CONFIG | CMD_TARGET_RUN | CMD_TARGET_ARCHIVE, &kind, err);

    if (status != SNAP_OK)
        return status;
    options.target = given->target;
    options.dir = given->dir;
    options.data_dir = given->data_dir;
    status = trn_check(&options, &found, err);
    if (status != SNAP_OK && status != SNAP_ABSENT)
        return status;
    if (report->json) {
        enum snap_status told = cmd_report_set(report, result_value(given, &found),
                                               status == SNAP_OK ? err : NULL);
        return status == SNAP_OK ? told : status;
    }
    print_check(given, &found);
    return status;
}

#define AT(member) offsetof(struct check_arguments, member)

static const struct cmd_option options[] = {
    { "dir", "DIR", CMD_OPTION_TEXT, AT(dir), false,
      "the folder that a config's run, or an archive that is restored, would write" },
    { "data", "DIR", CMD_OPTION_TEXT, AT(data_dir), false,
      "look for the data files in DIR, by digest" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "CONFIG|RUN|ARCHIVE", AT(target), true },
    { .name = NULL },
};

const struct cmd_command cmd_check = {
    .name = "check",
    .summary = "say what is possible here, without training",
    .description = "Say which tier a restore reaches on this machine, whether every data file is "
                   "there and is the right one, and whether the disk has room for the snapshots to "
                   "come. Nothing is trained or written.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct check_arguments),
    .run = check,
};
