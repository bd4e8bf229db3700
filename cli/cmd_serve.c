/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "report.h"
#include "serve.h"

struct serve_arguments {
    const char *dir;
    const char *memory;
    struct cmd_number copies;
    struct cmd_number jobs;
    unsigned threads;
    struct cmd_number last;
    struct cmd_number every;
    const char *best;
    const char *most;
    const char *listen;
    const char *token_file;
    const char *push;
    struct cmd_number push_wait;
    bool status;
};

/* "8G", "512M", "1000": bytes. */
static enum snap_status read_size(const char *text, uint64_t *bytes, struct snap_error *err)
{
    static const char units[] = "KMGT";
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
    unsigned shift = unit == NULL ? 0 : 10 * (unsigned)(unit - units + 1);
    if (text[strspn(text, "0123456789")] != *end || end == text || errno != 0 || number == 0 ||
        (*end != '\0' && (unit == NULL || end[1] != '\0')) || number > UINT64_MAX >> shift)
        return snap_error_set(err, SNAP_INVALID,
                              "--memory: '%s': expected bytes, or a number and K, M, G or T", text);
    *bytes = (uint64_t)number << shift;
    return SNAP_OK;
}

static enum snap_status read_count(const struct cmd_number *number, const char *name,
                                   unsigned least, unsigned most, unsigned *count,
                                   struct snap_error *err)
{
    if (!number->is_set)
        return SNAP_OK;
    if (number->value < least || number->value > most)
        return snap_error_set(err, SNAP_INVALID, "--%s: expected %u to %u", name, least, most);
    *count = (unsigned)number->value;
    return SNAP_OK;
}

/* Nothing is given in vain. */
static enum snap_status check_company(const struct serve_arguments *given, struct snap_error *err)
{
    const struct {
        const char *name;
        bool is_given;
    } of_serving[] = {
        { "listen", given->listen != NULL },   { "token-file", given->token_file != NULL },
        { "memory", given->memory != NULL },   { "copies", given->copies.is_set },
        { "jobs", given->jobs.is_set },        { "threads", given->threads != 0 },
        { "last", given->last.is_set },        { "every", given->every.is_set },
        { "best", given->best != NULL },       { "most", given->most != NULL },
        { "push", given->push != NULL },       { "push-wait", given->push_wait.is_set },
    };
    for (size_t i = 0; given->status && i < sizeof of_serving / sizeof of_serving[0]; i++)
        if (of_serving[i].is_given)
            return snap_error_set(err, SNAP_INVALID, "--%s: with --status nothing is served",
                                  of_serving[i].name);
    if (given->token_file && !given->listen)
        return snap_error_set(err, SNAP_INVALID, "--token-file: it goes with --listen");
    if (given->push_wait.is_set && !given->push)
        return snap_error_set(err, SNAP_INVALID, "--push-wait: it goes with --push");
    return SNAP_OK;
}

static void say(void *arg, const char *line)
{
    const struct cmd_report *report = arg;
    if (report->json)
        return;
    flockfile(stdout); /* a line is printed a piece at a time, and others have lines too */
    cmd_print_line("%s", line);
    fflush(stdout); /* a log is read while it grows; what cannot be written is told at the end */
    funlockfile(stdout);
}

/* One at a time, as the agent has it: a ledger's index is written with it. */
static enum snap_status make_page(void *arg, const char *dir, char **text, struct snap_error *err)
{
    (void)arg;
    return report_page_of(dir, text, err);
}

static enum snap_status serve(const struct serve_arguments *given, struct cmd_report *report,
                              struct snap_error *err)
{
    struct agn_options options = AGN_OPTIONS_INIT;
    struct snap_keep keep = SNAP_KEEP_INIT;
    enum snap_status status = SNAP_OK;
    options.root = given->dir;
    options.threads = given->threads;
    options.listen = given->listen;
    options.token_file = given->token_file;
    options.push = given->push;
    options.page = make_page;
    options.say = say;
    options.arg = report;
    if (given->memory)
        status = read_size(given->memory, &options.memory_bytes, err);
    if (status == SNAP_OK)
        status = read_count(&given->copies, "copies", 0, 1000, &options.copies, err);
    if (status == SNAP_OK)
        status = read_count(&given->jobs, "jobs", 1, 64, &options.jobs, err);
    if (status == SNAP_OK)
        status = read_count(&given->push_wait, "push-wait", 0, 86400, &options.push_wait_s, err);
    if (status == SNAP_OK && given->best && given->most)
        status = snap_error_set(err, SNAP_INVALID, "--best and --most: take one");
    keep.last = given->last.value;
    keep.every = given->every.value;
    keep.best = given->best ? given->best : given->most;
    keep.best_is_most = given->most != NULL;
    if (keep.last > 0 || keep.every > 0 || keep.best)
        options.keep = &keep;
    if (status == SNAP_OK)
        status = agn_serve(&options, err);
    if (status == SNAP_OK && report->json)
        status = cmd_report_set(report,
                                json_pack("{s:s, s:o}", "kind", "served", "root",
                                          cmd_json_text(given->dir)),
                                err);
    return status;
}

/* ---- status ---- */

static void print_job(const json_t *job)
{
    char written[CMD_SIZE_TEXT_BYTES];
    char size[CMD_SIZE_TEXT_BYTES];
    cmd_print_line("%s/%s  %s for %.1f s, %s of %s written, pid %" JSON_INTEGER_FORMAT,
                   json_string_value(json_object_get(job, "dir")),
                   json_string_value(json_object_get(job, "file")),
                   json_string_value(json_object_get(job, "stage")),
                   (double)json_integer_value(json_object_get(job, "for_ms")) / 1000,
                   cmd_size_text(
                       (uint64_t)json_integer_value(json_object_get(job, "written_bytes")),
                       written),
                   cmd_size_text(
                       (uint64_t)json_integer_value(json_object_get(job, "archive_bytes")), size),
                   json_integer_value(json_object_get(job, "pid")));
}

static void print_run(const json_t *run)
{
    const char *problem = json_string_value(json_object_get(run, "problem"));
    const char *hash = json_string_value(json_object_get(run, "hash"));
    cmd_print_line("%s  %" JSON_INTEGER_FORMAT " saves, the last of step %" JSON_INTEGER_FORMAT
                   " %.22s, %zu in memory, pid %" JSON_INTEGER_FORMAT "%s%s",
                   json_string_value(json_object_get(run, "dir")),
                   json_integer_value(json_object_get(run, "saves")),
                   json_integer_value(json_object_get(run, "step")), hash ? hash : "-",
                   json_array_size(json_object_get(run, "in_memory")),
                   json_integer_value(json_object_get(run, "pid")), problem ? "  NOT SAVED: " : "",
                   problem ? problem : "");
}

static json_int_t count_of(const json_t *value, const char *key)
{
    return json_integer_value(json_object_get(value, key));
}

static void print_uploads(const json_t *uploads)
{
    const json_t *now = json_object_get(uploads, "under_way");
    const json_t *runs = json_object_get(uploads, "runs");
    char sent[CMD_SIZE_TEXT_BYTES];
    char size[CMD_SIZE_TEXT_BYTES];
    if (!json_is_object(uploads))
        return;
    cmd_print_field("uploads",
                    "%" JSON_INTEGER_FORMAT " done, %s, %" JSON_INTEGER_FORMAT
                    " waiting, %" JSON_INTEGER_FORMAT " tries failed, %" JSON_INTEGER_FORMAT
                    " dropped, to %s",
                    count_of(uploads, "done"),
                    cmd_size_text((uint64_t)count_of(uploads, "bytes"), size),
                    count_of(uploads, "waiting"), count_of(uploads, "failed"),
                    count_of(uploads, "dropped"),
                    json_string_value(json_object_get(uploads, "store")));
    if (json_is_object(now))
        cmd_print_line("%s/%s  uploading for %.1f s, %s of %s",
                       json_string_value(json_object_get(now, "dir")),
                       json_string_value(json_object_get(now, "file")),
                       (double)count_of(now, "for_ms") / 1000,
                       cmd_size_text((uint64_t)count_of(now, "done_bytes"), sent),
                       cmd_size_text((uint64_t)count_of(now, "bytes"), size));
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i);
        const char *problem = json_string_value(json_object_get(run, "problem"));
        if (problem != NULL)
            cmd_print_line("%s  NOT UPLOADED: %s",
                           json_string_value(json_object_get(run, "dir")), problem);
    }
}

static void print_status(const json_t *status)
{
    char used[CMD_SIZE_TEXT_BYTES];
    char limit[CMD_SIZE_TEXT_BYTES];
    const json_t *jobs = json_object_get(status, "jobs");
    const json_t *runs = json_object_get(status, "runs");
    cmd_print_field("serves", "%s", json_string_value(json_object_get(status, "root")));
    cmd_print_field(
        "memory", "%s of %s",
        cmd_size_text((uint64_t)json_integer_value(json_object_get(status, "memory_bytes")), used),
        cmd_size_text((uint64_t)json_integer_value(json_object_get(status, "memory_limit_bytes")),
                      limit));
    cmd_print_field("under way", "%zu", json_array_size(jobs));
    for (size_t i = 0; i < json_array_size(jobs); i++)
        print_job(json_array_get(jobs, i));
    cmd_print_field("runs", "%zu", json_array_size(runs));
    for (size_t i = 0; i < json_array_size(runs); i++)
        print_run(json_array_get(runs, i));
    print_uploads(json_object_get(status, "uploads"));
}

static enum snap_status tell_status(const struct serve_arguments *given, struct cmd_report *report,
                                    struct snap_error *err)
{
    char *answer = NULL;
    json_t *status_value = NULL;
    enum snap_status status = agn_ask_status(given->dir, &answer, err);
    if (status == SNAP_OK && (status_value = cmd_json_parse(answer)) == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for the answer", given->dir);
    if (status == SNAP_OK && json_object_del(status_value, "answer") != 0)
        status = snap_error_set(err, SNAP_IO, "%s: the agent's answer is not understood",
                                given->dir);
    if (status == SNAP_OK && report->json)
        status = cmd_report_set(report,
                                json_pack("{s:s, s:O}", "kind", "status", "status", status_value),
                                err);
    else if (status == SNAP_OK)
        print_status(status_value);
    json_decref(status_value);
    free(answer);
    return status;
}

static enum snap_status serve_command(const void *arguments, struct cmd_report *report,
                                      struct snap_error *err)
{
    const struct serve_arguments *given = arguments;
    enum snap_status status = check_company(given, err);
    if (status != SNAP_OK)
        return status;
    return given->status ? tell_status(given, report, err) : serve(given, report, err);
}

#define AT(member) offsetof(struct serve_arguments, member)

static const struct cmd_option options[] = {
    { "dir", "ROOT", CMD_OPTION_TEXT, AT(dir), true, "the folder whose runs it serves" },
    { "status", NULL, CMD_OPTION_FLAG, AT(status), false,
      "ask the agent of ROOT who saves what, and how far it is" },
    { "listen", "[ADDRESS:]PORT", CMD_OPTION_TEXT, AT(listen), false,
      "answer HTTP there, read-only; the address is 127.0.0.1" },
    { "token-file", "FILE", CMD_OPTION_TEXT, AT(token_file), false,
      "with --listen: with the SHA-256 of a token that who asks must have" },
    { "memory", "SIZE", CMD_OPTION_TEXT, AT(memory), false,
      "hold so much at most (8G); half of the machine's" },
    { "copies", "K", CMD_OPTION_NUMBER, AT(copies), false,
      "keep the last K snapshots of each run in memory; 1" },
    { "jobs", "N", CMD_OPTION_NUMBER, AT(jobs), false, "N saves at a time; 2" },
    { "threads", "N", CMD_OPTION_THREADS, AT(threads), false,
      "use N threads for each save; the processors" },
    { "last", "N", CMD_OPTION_NUMBER, AT(last), false,
      "after a save, prune: keep the last N of the run" },
    { "every", "K", CMD_OPTION_NUMBER, AT(every), false, "and those whose step is a multiple" },
    { "best", "NUMBER", CMD_OPTION_TEXT, AT(best), false,
      "and the one with the least of this (eval_loss)" },
    { "most", "NUMBER", CMD_OPTION_TEXT, AT(most), false,
      "and the one with the most of this (eval_correct)" },
    { "push", "STORE", CMD_OPTION_TEXT, AT(push), false,
      "upload each snapshot there, to STORE/RUN: a folder, or s3://BUCKET/PREFIX" },
    { "push-wait", "S", CMD_OPTION_NUMBER, AT(push_wait), false,
      "with --push: when it is to end, upload for S seconds at most; 30" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { .name = NULL },
};

const struct cmd_command cmd_serve = {
    .name = "serve",
    .summary = "save for the trainings on this machine, as an agent",
    .description = "Serve the runs in the folders under ROOT: trainings hand their state over and "
                   "go on, and the agent hashes, writes, reads back and keeps the last snapshots "
                   "in memory. It finishes what a killed training has left. SIGTERM and SIGINT end "
                   "it after the saves under way.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct serve_arguments),
    .run = serve_command,
};
