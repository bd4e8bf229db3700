/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "report.h"
#include "run_files.h"
#include "target.h"
#include "training_report.h"

struct report_arguments {
    const char *output;
    bool no_index;
    struct cmd_list runs;
};

static void find_groups(struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        struct report_run *run = &report->runs[i];
        run->group = i;
        for (size_t k = 0; k < i && run->group == i; k++)
            if (run->config[0] && strcmp(report->runs[k].config, run->config) == 0)
                run->group = report->runs[k].group;
        report->runs[run->group].group_size++;
    }
}

static enum snap_status read_all(const struct report_arguments *given, struct report *report,
                                 struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (given->runs.count > REPORT_RUNS_MOST)
        return snap_error_set(err, SNAP_INVALID, "report: %zu runs; a page has room for %d",
                              given->runs.count, REPORT_RUNS_MOST);
    report->runs = calloc(given->runs.count, sizeof *report->runs);
    if (report->runs == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "report: no memory for the runs");
    while (status == SNAP_OK && report->count < given->runs.count) {
        size_t at = report->count++;
        status = report_read_run(&report->runs[at], given->runs.items[at], !given->no_index, err);
    }
    if (status != SNAP_OK)
        return status;
    find_groups(report);
    report->has_parting = report->count == 2;
    if (report->has_parting)
        status = trn_runs_part(report->runs[0].dir, report->runs[1].dir, &report->parting, err);
    return status;
}

/* The page takes its name when it is whole. */
static enum snap_status write_page(const char *path, const struct report *report, off_t *size,
                                   struct snap_error *err)
{
    char temporary[PATH_MAX];
    bool written;
    FILE *file;
    int os_error;
    if (snprintf(temporary, sizeof temporary, "%s.tmp-%ld", path, (long)getpid()) >=
        (int)sizeof temporary)
        return snap_error_set(err, SNAP_INVALID, "%.100s...: the path is too long", path);
    file = fopen(temporary, "we");
    if (file == NULL)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: making it", path);
    errno = 0;
    if (!report_write_page(file, report)) {
        fclose(file); /* the page is thrown away */
        unlink(temporary);
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for the charts", path);
    }
    *size = ftello(file);
    written = !ferror(file);
    written = fclose(file) == 0 && written;
    os_error = errno;
    if (written && rename(temporary, path) == 0)
        return SNAP_OK;
    os_error = written ? errno : os_error;
    unlink(temporary); /* what was there before stays */
    return snap_error_set_os(err, SNAP_IO, os_error, "%s: writing it", path);
}

static json_t *parting_value(const struct report *report)
{
    const struct trn_parting *parting = &report->parting;
    if (!report->has_parting)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "genesis",
                     parting->begin_apart ? cmd_json_difference(&parting->genesis) : json_null(),
                     "step",
                     parting->part ? cmd_json_difference(&parting->step) : json_null(),
                     "steps_equal", cmd_json_uint(parting->steps_equal));
}

static json_t *runs_value(const struct report *report)
{
    json_t *runs = json_array();
    char hash[SNAP_HASH_TEXT_BYTES];
    for (size_t i = 0; i < report->count; i++) {
        const struct report_run *run = &report->runs[i];
        snprintf(hash, sizeof hash, "run1:%s", run->metrics->chain);
        json_array_append_new(runs, json_pack("{s:o, s:b, s:s, s:o}", "dir",
                                              cmd_json_text(run->dir), "from_index",
                                              (int)run->metrics->from_index, "run_hash", hash,
                                              "step", cmd_json_uint(run->metrics->last_step)));
    }
    return runs;
}

static void print_parting(const struct snap_ledger_difference *difference)
{
    cmd_print_field("part", "step %" PRIu64 ": %s (%s)", difference->step, difference->kind,
                    difference->field);
    cmd_print_field("  first", "%s", difference->left);
    cmd_print_field("  second", "%s", difference->right);
}

static enum snap_status tell(const struct report_arguments *given, const struct report *report,
                             off_t size, struct cmd_report *said, struct snap_error *err)
{
    const struct trn_parting *parting = &report->parting;
    char text[CMD_SIZE_TEXT_BYTES];
    if (said->json)
        return cmd_report_set(said, json_pack("{s:o, s:o, s:o, s:o}", "bytes",
                                              cmd_json_uint((uint64_t)size), "output",
                                              cmd_json_text(given->output), "parting",
                                              parting_value(report), "runs", runs_value(report)),
                              err);
    cmd_print_field("runs", "%zu", report->count);
    if (report->has_parting && parting->begin_apart)
        print_parting(&parting->genesis);
    if (report->has_parting && parting->part)
        print_parting(&parting->step);
    if (report->has_parting && !parting->part)
        cmd_print_field("equal", "%" PRIu64 " step%s, all that both have", parting->steps_equal,
                        cmd_plural(parting->steps_equal));
    cmd_print_field("page", "%s, %s", given->output, cmd_size_text((uint64_t)size, text));
    return SNAP_OK;
}

static enum snap_status report_command(const void *arguments, struct cmd_report *said,
                                       struct snap_error *err)
{
    const struct report_arguments *given = arguments;
    struct report report = { .count = 0 };
    off_t size = 0;
    enum snap_status status = read_all(given, &report, err);
    if (status == SNAP_OK)
        status = write_page(given->output, &report, &size, err);
    if (status == SNAP_OK)
        status = tell(given, &report, size, said, err);
    for (size_t i = 0; i < report.count; i++)
        report_release_run(&report.runs[i]);
    free(report.runs);
    return status;
}

static const struct cmd_option options[] = {
    { "output", "FILE", CMD_OPTION_TEXT, offsetof(struct report_arguments, output), true,
      "the page to write" },
    { "no-index", NULL, CMD_OPTION_FLAG, offsetof(struct report_arguments, no_index), false,
      "read the whole ledgers, and keep no index beside them" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN...", offsetof(struct report_arguments, runs), true },
    { .name = NULL },
};

const struct cmd_command cmd_report = {
    .name = "report",
    .summary = "make a page of the curves and hashes of runs",
    .description = "Write one HTML page with the curves of runs and the band of those that differ "
                   "in their seeds alone, their hashes, snapshots and receipts; of two runs also "
                   "where they part, and in what. It needs no network and no JavaScript.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct report_arguments),
    .run = report_command,
};
