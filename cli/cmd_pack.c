/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <snapstate/keep.h>

#include "command.h"
#include "target.h"

struct pack_arguments {
    const char *target;
    const char *base;
    const char *output;
    struct cmd_number volume_size;
};

static enum snap_status pack(const void *arguments, struct cmd_report *report,
                             struct snap_error *err)
{
    const struct pack_arguments *given = arguments;
    struct snap_pack_options options = SNAP_PACK_OPTIONS_INIT;
    struct snap_error left_over = SNAP_ERROR_INIT;
    struct snap_pool *pool = NULL;
    const char *written = given->output ? given->output : given->target;
    size_t taken = 0;
    size_t volumes = 0;
    enum cmd_target kind;
    enum snap_status status = cmd_target_find(given->target, CMD_TARGET_ARCHIVE, &kind, err);

    if (status == SNAP_OK)
        status = snap_pool_new(0, &pool, err);
    if (status != SNAP_OK)
        return status;
    options.base = given->base;
    options.output = given->output;
    options.pool = pool;
    options.left_over = &left_over;
    options.volume_size = given->volume_size.value;
    status = snap_pack(given->target, &options, &taken, &volumes, err);
    if (status == SNAP_OK && report->json)
        status = cmd_report_set(report,
                                json_pack("{s:o, s:o, s:o}", "taken", cmd_json_uint(taken),
                                          "volumes", cmd_json_uint(volumes), "written",
                                          cmd_json_text(written)),
                                err);
    else if (status == SNAP_OK && volumes)
        cmd_print_line("%s: whole, %zu member%s put back, with %zu volume%s", written, taken,
                       cmd_plural(taken), volumes, cmd_plural(volumes));
    else if (status == SNAP_OK)
        cmd_print_line("%s: whole, %zu member%s put back", written, taken, cmd_plural(taken));
    cmd_warn_left_over(&left_over);
    snap_pool_free(pool);
    return status;
}

#define AT(member) offsetof(struct pack_arguments, member)

static const struct cmd_option options[] = {
    { "base", "ARCHIVE", CMD_OPTION_TEXT, AT(base), false,
      "take members from this one before those beside it" },
    { "output", "FILE", CMD_OPTION_TEXT, AT(output), false,
      "write here, and leave ARCHIVE as it is" },
    { "volume-size", "N", CMD_OPTION_NUMBER, AT(volume_size), false,
      "no file larger than N bytes: an index, and volumes beside it" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "ARCHIVE", AT(target), true },
    { .name = NULL },
};

const struct cmd_command cmd_pack = {
    .name = "pack",
    .summary = "make a thin archive whole again; join or make volumes",
    .description = "Put every withheld member back, from another archive that has it, by its "
                   "digest, and join volumes: the file is again the one that was saved, byte for "
                   "byte. Or cut it into volumes, which have the same hashes.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct pack_arguments),
    .run = pack,
};
