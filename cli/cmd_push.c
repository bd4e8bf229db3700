/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapstate/store.h>

#include "command.h"
#include "run_files.h"
#include "target.h"

#define MIB ((uint64_t)1 << 20)
#define MOST_CONNECTIONS 32
#define LEAST_PART 5
#define MOST_PART 5120

struct push_arguments {
    const char *target;
    const char *store;
    struct cmd_number connections;
    struct cmd_number part;
    bool give_up;
};

/* What was pushed. */
struct pushed {
    struct snap_push_result *results;
    size_t count;
    uint64_t left_out; /* snapshots that lack members, of a run */
    struct snap_push_run_result files; /* of a run */
};

static enum snap_status read_options(const struct push_arguments *given,
                                     struct snap_push_options *options, struct snap_error *err)
{
    if (given->give_up && given->store)
        return snap_error_set(err, SNAP_INVALID, "%s: --give-up takes a store alone",
                              given->store);
    if (!given->give_up && given->store == NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: name the store too: a folder, or s3://BUCKET/PREFIX",
                              given->target);
    if (given->connections.is_set &&
        (given->connections.value < 1 || given->connections.value > MOST_CONNECTIONS))
        return snap_error_set(err, SNAP_INVALID, "--connections: %" PRIu64 " is not from 1 to %d",
                              given->connections.value, MOST_CONNECTIONS);
    if (given->part.is_set && (given->part.value < LEAST_PART || given->part.value > MOST_PART))
        return snap_error_set(err, SNAP_INVALID, "--part-size: %" PRIu64 " is not from %d to %d",
                              given->part.value, LEAST_PART, MOST_PART);
    options->connections = (unsigned)given->connections.value;
    options->part_bytes = given->part.value * MIB;
    return SNAP_OK;
}

/* ---- what is said ---- */

static void print_result(const struct snap_push_result *result)
{
    char size[CMD_SIZE_TEXT_BYTES], kept[CMD_SIZE_TEXT_BYTES];

    if (result->was_there)
        cmd_print_line("%s  %s, there already", result->file, cmd_size_text(result->bytes, size));
    else if (result->kept_bytes)
        cmd_print_line("%s  %s, of which %s were there", result->file,
                       cmd_size_text(result->bytes, size), cmd_size_text(result->kept_bytes, kept));
    else
        cmd_print_line("%s  %s", result->file, cmd_size_text(result->bytes, size));
}

static void print_pushed(const struct push_arguments *given, const struct pushed *pushed)
{
    bool not_exclusive = pushed->files.not_exclusive;
    const char *latest = NULL;

    for (size_t i = 0; i < pushed->count; i++) {
        not_exclusive = not_exclusive || pushed->results[i].not_exclusive;
        if (pushed->results[i].latest_moved)
            latest = pushed->results[i].file;
    }
    if (pushed->left_out)
        cmd_print_field("left out", "%" PRIu64 " snapshot%s that lack%s members", pushed->left_out,
                        cmd_plural(pushed->left_out), pushed->left_out == 1 ? "s" : "");
    cmd_print_field("store", "%s", given->store);
    cmd_print_field("latest", "%s", latest ? latest : "stays");
    if (pushed->files.newer_there)
        cmd_print_field("ledger", "stays, and config.json: the store's goes on from this one");
    if (not_exclusive)
        cmd_print_field("note", "the server has no create-only writes: push from one place at a "
                                "time");
}

static json_t *pushed_value(const struct push_arguments *given, const struct pushed *pushed)
{
    json_t *archives = json_array();
    bool not_exclusive = pushed->files.not_exclusive;
    const char *latest = NULL;

    for (size_t i = 0; i < pushed->count; i++) {
        const struct snap_push_result *result = &pushed->results[i];
        json_t *value = json_pack("{s:o, s:s, s:o, s:o, s:s, s:b}", "bytes",
                                  cmd_json_uint(result->bytes), "file", result->file, "kept",
                                  cmd_json_uint(result->kept_bytes), "sent",
                                  cmd_json_uint(result->sent_bytes), "snapshot_hash",
                                  result->snapshot_hash, "was_there", result->was_there);
        if (json_array_append_new(archives, value)) {
            json_decref(archives);
            return NULL;
        }
        not_exclusive = not_exclusive || result->not_exclusive;
        if (result->latest_moved)
            latest = result->file;
    }
    return json_pack("{s:o, s:b, s:o, s:b, s:o, s:o}", "archives", archives, "exclusive",
                     !not_exclusive, "latest", latest ? json_string(latest) : json_null(),
                     "ledger_stays", pushed->files.newer_there, "left_out",
                     cmd_json_uint(pushed->left_out), "store", cmd_json_text(given->store));
}

/* One line on a terminal that is written over; nothing elsewhere. */
static void show_progress(void *arg, uint64_t done, uint64_t total)
{
    char done_text[CMD_SIZE_TEXT_BYTES], total_text[CMD_SIZE_TEXT_BYTES];
    bool *shown = arg;

    *shown = true;
    fprintf(stderr, "\r%s of %s\033[K", cmd_size_text(done, done_text),
            cmd_size_text(total, total_text));
    fflush(stderr);
}

static void wipe_progress(const bool *shown)
{
    if (*shown)
        fputs("\r\033[K", stderr);
}

/* ---- doing it ---- */

static enum snap_status push_one(const char *path, const struct push_arguments *given,
                                 const struct snap_push_options *options, struct pushed *pushed,
                                 const struct cmd_report *report, struct snap_error *err)
{
    struct snap_push_result *grown =
        realloc(pushed->results, (pushed->count + 1) * sizeof *pushed->results);
    enum snap_status status;

    if (grown == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory to push it", path);
    pushed->results = grown;
    grown[pushed->count] = (struct snap_push_result)SNAP_PUSH_RESULT_INIT;
    status = snap_push(path, given->store, options, &grown[pushed->count], err);
    if (status != SNAP_OK)
        return status;
    if (options->progress)
        wipe_progress(options->arg);
    if (!report->json)
        print_result(&grown[pushed->count]);
    pushed->count++;
    return SNAP_OK;
}

/* A stub, or one whose other archive is gone: a store is for what can be gone on from. */
static enum snap_status lacks_members(const char *path, bool *lacks, struct snap_error *err)
{
    struct snap_archive *archive = NULL;
    enum snap_status status = snap_archive_open(path, &archive, err);

    if (status != SNAP_OK)
        return status;
    *lacks = false;
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        *lacks = *lacks || (member->withheld && !member->elsewhere);
    }
    snap_archive_close(archive);
    return SNAP_OK;
}

/* The run's other files, which tell whether the store is of this run, then all snapshots and
 * capsules, and `latest` with the last. What is trained meanwhile is for the next push: the ledger
 * is read after the list, so that it reaches every archive on it. */
static enum snap_status push_run(const struct push_arguments *given,
                                 struct snap_push_options *options, struct pushed *pushed,
                                 const struct cmd_report *report, struct snap_error *err)
{
    struct cmd_snapshot_file *files = NULL;
    struct cmd_latest latest;
    char path[PATH_MAX];
    size_t count = 0;
    enum snap_status status = cmd_run_latest(given->target, &latest, err);

    if (status == SNAP_OK)
        status = cmd_run_files(given->target, &files, &count, err);
    if (status == SNAP_OK)
        status = snap_push_run_files(given->target, given->store, &pushed->files, err);
    options->keep_latest = true;
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        bool lacks = false;
        if (strcmp(files[i].name, latest.file) == 0)
            continue;
        status = cmd_path_join(given->target, files[i].name, path, err);
        if (status == SNAP_OK)
            status = lacks_members(path, &lacks, err);
        pushed->left_out += lacks;
        if (status == SNAP_OK && !lacks)
            status = push_one(path, given, options, pushed, report, err);
    }
    free(files);
    if (status == SNAP_OK)
        status = cmd_path_join(given->target, latest.file, path, err);
    options->keep_latest = false;
    return status == SNAP_OK ? push_one(path, given, options, pushed, report, err) : status;
}

static enum snap_status give_up(const struct push_arguments *given, struct cmd_report *report,
                                struct snap_error *err)
{
    char size[CMD_SIZE_TEXT_BYTES];
    uint64_t count = 0, bytes = 0;
    enum snap_status status = snap_stored_give_up(given->target, &count, &bytes, err);

    if (status != SNAP_OK)
        return status;
    if (report->json)
        return cmd_report_set(report,
                              json_pack("{s:o, s:o, s:o}", "bytes", cmd_json_uint(bytes),
                                        "given_up", cmd_json_uint(count), "store",
                                        cmd_json_text(given->target)),
                              err);
    cmd_print_line("%s: %" PRIu64 " unfinished upload%s given up, %s", given->target, count,
                   cmd_plural(count), cmd_size_text(bytes, size));
    return SNAP_OK;
}

static enum snap_status push(const void *arguments, struct cmd_report *report,
                             struct snap_error *err)
{
    const struct push_arguments *given = arguments;
    struct snap_push_options options = SNAP_PUSH_OPTIONS_INIT;
    struct pushed pushed = { .files = SNAP_PUSH_RUN_RESULT_INIT };
    struct snap_pool *pool = NULL;
    bool shown = false;
    enum cmd_target kind;
    enum snap_status status = read_options(given, &options, err);

    if (status == SNAP_OK && given->give_up)
        return give_up(given, report, err);
    if (status == SNAP_OK)
        status = cmd_target_find(given->target, CMD_TARGET_RUN | CMD_TARGET_ARCHIVE, &kind, err);
    if (status == SNAP_OK)
        status = snap_pool_new(0, &pool, err);
    if (status != SNAP_OK)
        return status;
    options.pool = pool;
    if (isatty(STDERR_FILENO)) {
        options.progress = show_progress;
        options.arg = &shown;
    }
    status = kind == CMD_TARGET_RUN ? push_run(given, &options, &pushed, report, err)
                                    : push_one(given->target, given, &options, &pushed, report,
                                               err);
    wipe_progress(&shown);
    if (status == SNAP_OK && report->json)
        status = cmd_report_set(report, pushed_value(given, &pushed), err);
    else if (status == SNAP_OK)
        print_pushed(given, &pushed);
    free(pushed.results);
    snap_pool_free(pool);
    return status;
}

#define AT(member) offsetof(struct push_arguments, member)

static const struct cmd_option options[] = {
    { "connections", "N", CMD_OPTION_NUMBER, AT(connections), false,
      "send N parts at a time (4)" },
    { "part-size", "MIB", CMD_OPTION_NUMBER, AT(part), false,
      "send parts of so many MiB (16); more, where an archive has very many" },
    { "give-up", NULL, CMD_OPTION_FLAG, AT(give_up), false,
      "have the server forget the unfinished uploads of a store, the only argument" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "RUN|ARCHIVE", AT(target), true },
    { "STORE", AT(store), false },
    { .name = NULL },
};

const struct cmd_command cmd_push = {
    .name = "push",
    .summary = "put archives into a store: a folder, or object storage",
    .description = "Put an archive, or all of a run, into a store: a folder, or "
                   "s3://BUCKET/PREFIX. An archive is there as a whole or not at all, and 'latest' "
                   "moves when it is. Pushed again, what was broken off goes on, and what is there "
                   "is not sent.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct push_arguments),
    .run = push,
};
