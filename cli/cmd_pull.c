/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include <snapstate/store.h>

#include "command.h"
#include "target.h"

struct pull_arguments {
    const char *source;
    const char *to;
    struct cmd_number step;
    unsigned threads;
    bool all;
};

static void print_pulled(const struct pull_arguments *given, const struct snap_pull_result *result)
{
    char size[CMD_SIZE_TEXT_BYTES];

    cmd_print_field("from", "%s", given->source);
    cmd_print_field("into", "%s", given->to);
    cmd_print_field("pulled", "%" PRIu64 " archive%s, %s", result->pulled,
                    cmd_plural(result->pulled), cmd_size_text(result->bytes, size));
    if (result->there)
        cmd_print_field("there", "%" PRIu64 " already", result->there);
    cmd_print_field("step", "%" PRIu64, result->step);
}

static enum snap_status pull_store(const struct pull_arguments *given, struct snap_pool *pool,
                                   struct cmd_report *report, struct snap_error *err)
{
    struct snap_pull_options options = SNAP_PULL_OPTIONS_INIT;
    struct snap_pull_result result = SNAP_PULL_RESULT_INIT;
    enum snap_status status;

    options.has_step = given->step.is_set;
    options.step = given->step.value;
    options.all = given->all;
    options.pool = pool;
    status = snap_pull(given->source, given->to, &options, &result, err);
    if (status != SNAP_OK)
        return status;
    if (report->json)
        return cmd_report_set(report,
                              json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "bytes",
                                        cmd_json_uint(result.bytes), "from",
                                        cmd_json_text(given->source), "into",
                                        cmd_json_text(given->to), "pulled",
                                        cmd_json_uint(result.pulled), "step",
                                        cmd_json_uint(result.step), "there",
                                        cmd_json_uint(result.there)),
                              err);
    print_pulled(given, &result);
    return SNAP_OK;
}

/* One archive, into a file. */
static enum snap_status pull_archive(const struct pull_arguments *given, struct snap_pool *pool,
                                     struct cmd_report *report, struct snap_error *err)
{
    struct snap_pull_result result = SNAP_PULL_RESULT_INIT;
    struct snap_archive *archive = NULL;
    struct stat info;
    enum snap_status status = snap_pull_archive(given->source, given->to, pool, err);

    if (status == SNAP_OK)
        status = snap_archive_open(given->to, &archive, err);
    if (status != SNAP_OK)
        return status;
    result.pulled = 1;
    result.step = snap_archive_step(archive);
    snap_archive_close(archive);
    if (stat(given->to, &info))
        return snap_error_set(err, SNAP_IO, "%s: was pulled, and cannot be looked at: %s",
                              given->to, strerror(errno));
    result.bytes = (uint64_t)info.st_size;
    if (report->json)
        return cmd_report_set(report,
                              json_pack("{s:o, s:o, s:o, s:i, s:o, s:i}", "bytes",
                                        cmd_json_uint(result.bytes), "from",
                                        cmd_json_text(given->source), "into",
                                        cmd_json_text(given->to), "pulled", 1, "step",
                                        cmd_json_uint(result.step), "there", 0),
                              err);
    print_pulled(given, &result);
    return SNAP_OK;
}

static enum snap_status pull(const void *arguments, struct cmd_report *report,
                             struct snap_error *err)
{
    const struct pull_arguments *given = arguments;
    struct snap_pool *pool = NULL;
    enum cmd_target kind;
    enum snap_status status =
        cmd_target_find(given->source, CMD_TARGET_STORE | CMD_TARGET_ARCHIVE, &kind, err);

    if (status == SNAP_OK && given->all && given->step.is_set)
        status = snap_error_set(err, SNAP_INVALID, "--step: with --all there is nothing to choose");
    else if (status == SNAP_OK && kind == CMD_TARGET_ARCHIVE && (given->all || given->step.is_set))
        status = snap_error_set(err, SNAP_INVALID,
                                "%s: an archive; --step and --all are for stores", given->source);
    if (status == SNAP_OK)
        status = snap_pool_new(given->threads, &pool, err);
    if (status != SNAP_OK)
        return status;
    status = kind == CMD_TARGET_STORE ? pull_store(given, pool, report, err)
                                      : pull_archive(given, pool, report, err);
    snap_pool_free(pool);
    return status;
}

#define AT(member) offsetof(struct pull_arguments, member)

static const struct cmd_option options[] = {
    { "step", "N", CMD_OPTION_NUMBER, AT(step), false,
      "pull the snapshot of step N, and not the latest" },
    { "all", NULL, CMD_OPTION_FLAG, AT(all), false, "pull all archives" },
    { "threads", "N", CMD_OPTION_THREADS, AT(threads), false, "use N threads" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "STORE|ARCHIVE", AT(source), true },
    { "DIR|FILE", AT(to), true },
    { .name = NULL },
};

const struct cmd_command cmd_pull = {
    .name = "pull",
    .summary = "get archives out of a store",
    .description = "Get the latest archive of a store, or others, into the run folder DIR, new or "
                   "of that run, where 'snap restore DIR' goes on; or one archive into FILE, which "
                   "must not be there. Every digest is compared before a file gets its name.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct pull_arguments),
    .run = pull,
};
