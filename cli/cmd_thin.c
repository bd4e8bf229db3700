/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>

#include <snapstate/keep.h>

#include "command.h"
#include "target.h"

struct thin_arguments {
    const char *target;
    const char *base;
    const char *drop;
    const char *output;
};

static enum snap_status thin(const void *arguments, struct cmd_report *report,
                             struct snap_error *err)
{
    const struct thin_arguments *given = arguments;
    struct snap_thin_options options = SNAP_THIN_OPTIONS_INIT;
    struct snap_error left_over = SNAP_ERROR_INIT;
    struct snap_pool *pool = NULL;
    const char *written = given->output ? given->output : given->target;
    char size[CMD_SIZE_TEXT_BYTES];
    size_t withheld = 0;
    uint64_t bytes = 0;
    enum cmd_target kind;
    enum snap_status status = cmd_target_find(given->target, CMD_TARGET_ARCHIVE, &kind, err);

    if (status == SNAP_OK)
        status = snap_pool_new(0, &pool, err);
    if (status != SNAP_OK)
        return status;
    options.base = given->base;
    options.drop = given->drop;
    options.output = given->output;
    options.pool = pool;
    options.left_over = &left_over;
    status = snap_thin(given->target, &options, &withheld, &bytes, err);
    if (status == SNAP_OK && report->json)
        status = cmd_report_set(report,
                                json_pack("{s:o, s:o, s:o}", "bytes", cmd_json_uint(bytes),
                                          "withheld", cmd_json_uint(withheld), "written",
                                          cmd_json_text(written)),
                                err);
    else if (status == SNAP_OK)
        cmd_print_line("%s: %zu member%s withheld, %s", written, withheld, cmd_plural(withheld),
                       cmd_size_text(bytes, size));
    cmd_warn_left_over(&left_over);
    snap_pool_free(pool);
    return status;
}

#define AT(member) offsetof(struct thin_arguments, member)

static const struct cmd_option options[] = {
    { "base", "ARCHIVE", CMD_OPTION_TEXT, AT(base), false,
      "withhold the tensors that this archive has" },
    { "drop", "KIND", CMD_OPTION_TEXT, AT(drop), false,
      "withhold a root's tensors (optimizer), or rng, or extra" },
    { "output", "FILE", CMD_OPTION_TEXT, AT(output), false,
      "write here, and leave ARCHIVE as it is" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "ARCHIVE", AT(target), true },
    { .name = NULL },
};

const struct cmd_command cmd_thin = {
    .name = "thin",
    .summary = "leave members out of an archive; its hashes stand",
    .description = "Leave the tensors to another archive that has them, or leave out what is not "
                   "to be given away. Every hash stays as it is. One of --base and --drop is "
                   "needed; --drop needs --output.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct thin_arguments),
    .run = thin,
};
