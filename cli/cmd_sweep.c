/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "run_files.h"
#include "sweep.h"

struct sweep_arguments {
    const char *config;
    const char *dir;
    const char *seeds;
    struct cmd_number jobs;
    struct cmd_number steps;
    struct cmd_number confidence;
    unsigned threads;
};

/* DIR when none was given: the name of the config, without .json, and -sweep. */
static enum snap_status default_dir(const char *config, char dir[PATH_MAX], struct snap_error *err)
{
    const char *slash = strrchr(config, '/');
    const char *name = slash ? slash + 1 : config;
    size_t length = strlen(name);
    if (length > 5 && strcmp(name + length - 5, ".json") == 0)
        length -= 5;
    if (snprintf(dir, PATH_MAX, "%.*s-sweep", (int)length, name) >= PATH_MAX)
        return snap_error_set(err, SNAP_INVALID, "%.100s...: the path is too long", config);
    return SNAP_OK;
}

static enum snap_status read_arguments(const struct sweep_arguments *given, struct sweep *sweep,
                                       struct snap_error *err)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t jobs = given->jobs.is_set ? given->jobs.value : 1;
    uint64_t confidence = given->confidence.is_set ? given->confidence.value : 95;
    if (jobs < 1 || jobs > SWEEP_SEEDS_MOST)
        return snap_error_set(err, SNAP_INVALID, "--jobs: expected from 1 to %d",
                              SWEEP_SEEDS_MOST);
    if (confidence < 1 || confidence > 99)
        return snap_error_set(err, SNAP_INVALID, "--confidence: expected from 1 to 99 percent");
    sweep->config = given->config;
    sweep->jobs = (unsigned)jobs;
    sweep->confidence = (unsigned)confidence;
    sweep->threads = given->threads;
    if (sweep->threads == 0)
        sweep->threads = processors > (long)jobs ? (unsigned)(processors / (long)jobs) : 1;
    sweep->has_steps = given->steps.is_set;
    sweep->steps = given->steps.value;
    return sweep_parse_seeds(given->seeds, &sweep->seeds, &sweep->count, err);
}

static json_t *seeds_value(const struct sweep *sweep)
{
    json_t *seeds = json_array();
    for (size_t i = 0; i < sweep->count; i++) {
        const struct sweep_seed *seed = &sweep->seeds[i];
        json_array_append_new(
            seeds, json_pack("{s:o, s:i, s:o, s:o, s:o, s:s, s:o}", "dir", cmd_json_text(seed->dir),
                             "exit", seed->exit_code, "problem", cmd_json_text(seed->problem),
                             "run_hash", cmd_json_text(seed->run_hash), "seed",
                             cmd_json_uint(seed->seed), "state", sweep_state_name(seed->state),
                             "step", cmd_json_uint(seed->step)));
    }
    return seeds;
}

static size_t count_state(const struct sweep *sweep, enum sweep_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < sweep->count; i++)
        count += sweep->seeds[i].state == state;
    return count;
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "-";
}

static void print_table(const struct sweep *sweep, const json_t *ends)
{
    size_t index;
    const json_t *row;
    cmd_print_line("%s", "");
    cmd_print_line("%-16s %8s %6s %14s %14s  %u %% interval of the mean", "metric", "step", "seeds",
                   "mean", "deviation", sweep->confidence);
    json_array_foreach(ends, index, row) {
        bool spread = json_is_string(json_object_get(row, "low"));
        cmd_print_line("%-16s %8" JSON_INTEGER_FORMAT " %6" JSON_INTEGER_FORMAT
                       " %14s %14s  %s%s%s", text_of(row, "name"),
                       json_integer_value(json_object_get(row, "step")),
                       json_integer_value(json_object_get(row, "count")), text_of(row, "mean"),
                       text_of(row, "deviation"), text_of(row, "low"), spread ? " to " : "",
                       spread ? text_of(row, "high") : "");
    }
    cmd_print_line("%s", "");
    cmd_print_field("by step", "%s/sweep.csv, %s/sweep.json", sweep->dir, sweep->dir);
}

static enum snap_status tell(const struct sweep *sweep, json_t *ends, struct cmd_report *report,
                             struct snap_error *err)
{
    char csv[PATH_MAX], json[PATH_MAX];
    bool written = json_array_size(ends) > 0;
    enum snap_status status = SNAP_OK;
    if (!report->json) {
        if (written)
            print_table(sweep, ends);
        return SNAP_OK;
    }
    status = cmd_path_join(sweep->dir, "sweep.csv", csv, err);
    if (status == SNAP_OK)
        status = cmd_path_join(sweep->dir, "sweep.json", json, err);
    if (status != SNAP_OK)
        return status;
    return cmd_report_set(report,
                          json_pack("{s:i, s:o, s:o, s:o, s:o, s:O, s:o}", "confidence",
                                    (int)sweep->confidence, "config",
                                    cmd_json_text(sweep->config), "csv",
                                    written ? cmd_json_text(csv) : json_null(), "dir",
                                    cmd_json_text(sweep->dir), "json",
                                    written ? cmd_json_text(json) : json_null(), "metrics",
                                    ends, "seeds",
                                    seeds_value(sweep)),
                          err);
}

/* The status that a process had which ended with this exit code. */
static enum snap_status status_of_exit(int code)
{
    static const enum snap_status known[] = { SNAP_DIFFERS, SNAP_INVALID, SNAP_IO,
                                              SNAP_UNSUPPORTED, SNAP_CORRUPT, SNAP_ABSENT,
                                              SNAP_NONFINITE, SNAP_INTERNAL };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if ((int)cmd_exit_code(known[i]) == code)
            return known[i];
    return SNAP_IO;
}

/* Seeds that failed: the status is the first one's. */
static enum snap_status failures(const struct sweep *sweep, struct snap_error *err)
{
    for (size_t i = 0; i < sweep->count; i++) {
        const struct sweep_seed *seed = &sweep->seeds[i];
        if (seed->state == SWEEP_FAILED)
            return snap_error_set(err, status_of_exit(seed->exit_code),
                                  "sweep %s: %zu of %zu seeds failed; seed %" PRIu64 ": %s",
                                  sweep->dir, count_state(sweep, SWEEP_FAILED), sweep->count,
                                  seed->seed, seed->problem);
    }
    return SNAP_OK;
}

static enum snap_status sweep_command(const void *arguments, struct cmd_report *report,
                                      struct snap_error *err)
{
    const struct sweep_arguments *given = arguments;
    struct sweep sweep = { .quiet = report->json };
    char dir[PATH_MAX];
    json_t *ends = NULL;
    const char *launcher;
    int launched = snap_group_launched(&launcher);
    if (launched > 1)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "sweep: %s says that this is one of %d processes, and a sweep starts "
                              "its own: run it once, outside mpirun and srun", launcher, launched);
    enum snap_status status = read_arguments(given, &sweep, err);
    sweep.dir = given->dir;
    if (status == SNAP_OK && sweep.dir == NULL) {
        status = default_dir(given->config, dir, err);
        sweep.dir = dir;
    }
    if (status == SNAP_OK)
        status = sweep_run(&sweep, err);
    if (status == SNAP_OK)
        status = sweep_summarize(&sweep, &ends, err);
    if (status == SNAP_OK)
        status = tell(&sweep, ends, report, err);
    if (status == SNAP_OK)
        status = failures(&sweep, err);
    if (status == SNAP_OK)
        report->stopped = count_state(&sweep, SWEEP_DONE) < sweep.count;
    if (report->stopped && !report->json)
        cmd_print_field("stopped", "%zu of %zu seeds are done; the same command goes on",
                        count_state(&sweep, SWEEP_DONE), sweep.count);
    json_decref(ends);
    free(sweep.seeds);
    return status;
}

#define AT(member) offsetof(struct sweep_arguments, member)

static const struct cmd_option options[] = {
    { "seeds", "LIST", CMD_OPTION_TEXT, AT(seeds), true, "the seeds: 0..9, or 1,5,9" },
    { "jobs", "N", CMD_OPTION_NUMBER, AT(jobs), false, "N trainings at a time; 1" },
    { "dir", "DIR", CMD_OPTION_TEXT, AT(dir), false,
      "the folder of the runs; CONFIG's name and -sweep" },
    { "threads", "N", CMD_OPTION_THREADS, AT(threads), false,
      "use N threads for each training; the processors, shared out" },
    { "steps", "N", CMD_OPTION_NUMBER, AT(steps), false, "stop each training after step N" },
    { "confidence", "P", CMD_OPTION_NUMBER, AT(confidence), false,
      "the level of the intervals in percent; 95" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "CONFIG", AT(config), true },
    { .name = NULL },
};

const struct cmd_command cmd_sweep = {
    .name = "sweep",
    .summary = "train with many seeds, and say what they have in common",
    .description = "Train as CONFIG says once with each seed, each in a run folder of its own in "
                   "DIR. What is complete there is left as it is, and what was interrupted is gone "
                   "on with. SIGTERM and SIGINT stop all after a snapshot (exit 75).",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct sweep_arguments),
    .run = sweep_command,
};
