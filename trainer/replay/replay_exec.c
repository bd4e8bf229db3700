/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "replay/replay_exec.h"
#include "session/failure.h"

#define REPORT_FORMAT "snap-replay-report-1"
/* A report has a few short texts. */
#define REPORT_BYTES 65536

/* What the program is told. The folder holds the ledger and, later, the report. */
struct request {
    char dir[TRN_PATH_SIZE];
    char ledger[TRN_PATH_SIZE + 16]; /* "": nothing to compare lines with */
    char report[TRN_PATH_SIZE + 16];
    char *archive; /* absolute; owned */
    char *states;  /* "STEP PATH" lines; owned */
    bool host_part;
    char to[24];
};

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "replay: out of memory");
}

static enum snap_status write_ledger(const struct snap_ledger *ledger, const char *path,
                                     struct snap_error *err)
{
    FILE *file = fopen(path, "wx");
    if (file == NULL)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: make it for the replay", path);
    bool good = true;
    for (size_t i = 0; good && i < snap_ledger_line_count(ledger); i++) {
        size_t size;
        const char *line = snap_ledger_line(ledger, i, &size);
        good = fwrite(line, 1, size, file) == size;
    }
    int failed = good ? 0 : errno;
    if (fclose(file) != 0 && good)
        failed = errno;
    if (failed != 0)
        return snap_error_set_os(err, SNAP_IO, failed, "%s: write it for the replay", path);
    return SNAP_OK;
}

/* The archives to compare whole states with, an absolute path each. */
static enum snap_status list_states(const struct trn_expectation *expectation, uint64_t last,
                                    char **states, struct snap_error *err)
{
    size_t size = 0;
    FILE *out = open_memstream(states, &size);
    if (out == NULL)
        return no_memory(err);
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < expectation->archive_count; i++) {
        const struct trn_later_archive *archive = &expectation->archives[i];
        char *path = archive->step > last ? NULL : realpath(archive->path, NULL);
        if (archive->step <= last && path == NULL)
            status = snap_error_set_os(err, SNAP_IO, errno, "%s: find it", archive->path);
        else if (path != NULL && strchr(path, '\n') != NULL)
            status = snap_error_set(err, SNAP_INVALID, "%s: a newline in its path", archive->path);
        else if (path != NULL)
            fprintf(out, "%" PRIu64 " %s\n", archive->step, path);
        free(path);
    }
    if (fclose(out) != 0 && status == SNAP_OK)
        status = no_memory(err);
    return status;
}

static void request_release(struct request *request)
{
    if (request->dir[0] != '\0') {
        if (request->ledger[0] != '\0')
            unlink(request->ledger); /* leftovers in a temporary folder at worst */
        unlink(request->report);
        rmdir(request->dir);
    }
    free(request->archive);
    free(request->states);
}

static enum snap_status request_make(const struct trn_replay_options *options,
                                     const struct trn_expectation *expectation, uint64_t last,
                                     struct request *request, struct snap_error *err)
{
    const char *base = getenv("TMPDIR");
    snprintf(request->to, sizeof(request->to), "%" PRIu64, last);
    request->host_part = options->host_part;
    request->archive = realpath(options->archive, NULL);
    if (request->archive == NULL)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: find it", options->archive);
    /* Whole states hold floats: nothing is promised of them. */
    enum snap_status status = list_states(expectation, options->host_part ? 0 : last,
                                          &request->states, err);
    if (status != SNAP_OK)
        return status;
    char dir[TRN_PATH_SIZE];
    int length = snprintf(dir, sizeof(dir), "%s/snap-replay-XXXXXX",
                          base != NULL && base[0] == '/' ? base : "/tmp");
    if (length >= (int)sizeof(dir) || mkdtemp(dir) == NULL)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: make a folder for the replay", dir);
    memcpy(request->dir, dir, sizeof(dir));
    snprintf(request->report, sizeof(request->report), "%s/report.json", dir);
    if (expectation->ledger == NULL)
        return SNAP_OK;
    snprintf(request->ledger, sizeof(request->ledger), "%s/ledger.jsonl", dir);
    return write_ledger(expectation->ledger, request->ledger, err);
}

/* In the child. What the program prints is not the answer of this one. */
static _Noreturn void become(const char *command, const struct request *request)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ||
        setenv("SNAPSTATE_REPLAY_ARCHIVE", request->archive, 1) != 0 ||
        setenv("SNAPSTATE_REPLAY_LEDGER", request->ledger, 1) != 0 ||
        setenv("SNAPSTATE_REPLAY_TO", request->to, 1) != 0 ||
        setenv("SNAPSTATE_REPLAY_STATES", request->states, 1) != 0 ||
        setenv("SNAPSTATE_REPLAY_HOST_PART", request->host_part ? "1" : "", 1) != 0 ||
        setenv("SNAPSTATE_REPLAY_REPORT", request->report, 1) != 0)
        _exit(126);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

/* Run it, and wait: *wait_status as of waitpid. Signals of the terminal are for the program. */
static enum snap_status run_command(const char *command, const struct request *request,
                                    int *wait_status, struct snap_error *err)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    struct sigaction old_interrupt;
    struct sigaction old_quit;
    sigemptyset(&ignore.sa_mask);
    fflush(NULL);
    sigaction(SIGINT, &ignore, &old_interrupt);
    sigaction(SIGQUIT, &ignore, &old_quit);
    pid_t child = fork();
    if (child == 0)
        become(command, request);
    enum snap_status status = SNAP_OK;
    if (child < 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "replay: start \"%.200s\"", command);
    while (status == SNAP_OK && waitpid(child, wait_status, 0) < 0)
        if (errno != EINTR)
            status = snap_error_set_os(err, SNAP_IO, errno, "replay: wait for \"%.200s\"", command);
    sigaction(SIGINT, &old_interrupt, NULL);
    sigaction(SIGQUIT, &old_quit, NULL);
    return status;
}

static void describe_end(int wait_status, char text[64])
{
    if (WIFSIGNALED(wait_status))
        snprintf(text, 64, "by signal %d", WTERMSIG(wait_status));
    else
        snprintf(text, 64, "with status %d", WEXITSTATUS(wait_status));
}

/* The report, an object of this format. */
static enum snap_status read_report(const char *command, const struct request *request,
                                    int wait_status, json_t **report, struct snap_error *err)
{
    char end[64];
    char text[REPORT_BYTES];
    json_error_t problem;
    describe_end(wait_status, end);
    FILE *file = fopen(request->report, "r");
    if (file == NULL)
        return snap_error_set(err, SNAP_IO,
                              "replay: \"%.200s\" ended %s and wrote no report: it must train with "
                              "snapstate.Run, or follow snap-replay(1)",
                              command, end);
    size_t size = fread(text, 1, sizeof(text), file);
    fclose(file); /* only read */
    *report = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    const char *format = json_string_value(json_object_get(*report, "format"));
    const char *refused = json_string_value(json_object_get(*report, "refused"));
    enum snap_status status = SNAP_OK;
    if (format != NULL && strcmp(format, REPORT_FORMAT) == 0 && refused != NULL)
        status = snap_error_set(err, SNAP_ABSENT, "%s", refused);
    if (format != NULL && strcmp(format, REPORT_FORMAT) == 0)
        return status;
    json_decref(*report);
    *report = NULL;
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "replay: the report of \"%.200s\" is none of the format " REPORT_FORMAT,
                          command);
}

static void take_text(const json_t *object, const char *key, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(object, key));
    snprintf(text, size, "%s", value == NULL ? "" : value);
}

static uint64_t take_number(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

static void take_failure(const json_t *failure, struct trn_failure *found)
{
    char what[64];
    char name[64];
    take_text(failure, "what", what, sizeof(what));
    take_text(failure, "name", name, sizeof(name));
    trn_failure_where(what, name, found->where, sizeof(found->where));
    found->step = take_number(failure, "step");
    found->element = take_number(failure, "element");
    found->value = trn_failure_value(json_string_value(json_object_get(failure, "value")));
}

/* The bits of a double as 16 hex digits. */
static double take_double(const json_t *object, const char *key)
{
    const char *digits = json_string_value(json_object_get(object, key));
    uint64_t bits = digits != NULL ? strtoull(digits, NULL, 16) : 0;
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void take_deviation(const json_t *deviation, struct snap_float_deviation *found)
{
    found->lines = take_number(deviation, "lines");
    found->numbers = take_number(deviation, "numbers");
    found->numbers_unequal = take_number(deviation, "numbers_unequal");
    found->states = take_number(deviation, "states");
    found->states_unequal = take_number(deviation, "states_unequal");
    found->step = take_number(deviation, "step");
    take_text(deviation, "field", found->field, sizeof(found->field));
    found->largest = take_double(deviation, "largest");
    found->recorded = take_double(deviation, "recorded");
    found->now = take_double(deviation, "now");
}

static void take_report(const json_t *report, struct trn_replay_result *result)
{
    const json_t *difference = json_object_get(report, "difference");
    result->step = take_number(report, "step");
    result->lines_compared = take_number(report, "lines_compared");
    result->states_compared = take_number(report, "states_compared");
    take_text(report, "run_hash", result->run_hash, sizeof(result->run_hash));
    take_text(report, "state_hash", result->state_hash, sizeof(result->state_hash));
    take_text(report, "first_member", result->first_member, sizeof(result->first_member));
    take_failure(json_object_get(report, "failure"), &result->repeated_failure);
    take_deviation(json_object_get(report, "deviation"), &result->deviation);
    result->has_difference = json_is_object(difference);
    if (!result->has_difference)
        return;
    struct snap_ledger_difference *found = &result->difference;
    *found = (struct snap_ledger_difference)SNAP_LEDGER_DIFFERENCE_INIT;
    found->step = take_number(difference, "step");
    take_text(difference, "kind", found->kind, sizeof(found->kind));
    take_text(difference, "field", found->field, sizeof(found->field));
    take_text(difference, "left", found->left, sizeof(found->left));
    take_text(difference, "right", found->right, sizeof(found->right));
}

static enum snap_status judge_capsule(struct trn_replay_result *result, struct snap_error *err)
{
    const struct trn_failure *recorded = &result->failure;
    const struct trn_failure *repeated = &result->repeated_failure;
    if (repeated->value == NULL)
        return snap_error_set(err, SNAP_DIFFERS,
                              "replay: step %" PRIu64 " is made here; in the capsule %s is %s",
                              result->step, recorded->where, recorded->value);
    if (!trn_failure_is_same(repeated, recorded))
        return snap_error_set(err, SNAP_DIFFERS,
                              "replay: step %" PRIu64 " fails otherwise: %s[%" PRIu64 "] is %s "
                              "here, %s[%" PRIu64 "] is %s in the capsule",
                              repeated->step, repeated->where, repeated->element, repeated->value,
                              recorded->where, recorded->element, recorded->value);
    result->reproduced = true;
    return SNAP_OK;
}

static enum snap_status judge(const char *command, int wait_status, uint64_t last,
                              struct trn_replay_result *result, struct snap_error *err)
{
    char end[64];
    describe_end(wait_status, end);
    if (result->has_difference)
        return snap_error_set(
            err, SNAP_DIFFERS, "replay: step %" PRIu64 ": %s differs: %s: expected %s, now %s",
            result->difference.step, result->difference.kind, result->difference.field,
            result->difference.left, result->difference.right);
    if (result->capsule)
        return judge_capsule(result, err);
    if (result->step < last)
        return snap_error_set(err, SNAP_IO,
                              "replay: \"%.200s\" ended %s after step %" PRIu64 ", before step "
                              "%" PRIu64,
                              command, end, result->step, last);
    return SNAP_OK;
}

enum snap_status trn_replay_exec(const struct trn_replay_options *options,
                                 const struct trn_expectation *expectation, uint64_t last,
                                 struct trn_replay_result *result, struct snap_error *err)
{
    struct request request = { .archive = NULL };
    json_t *report = NULL;
    int wait_status = 0;
    enum snap_status status = request_make(options, expectation, last, &request, err);
    if (status == SNAP_OK)
        status = run_command(options->exec, &request, &wait_status, err);
    if (status == SNAP_OK)
        status = read_report(options->exec, &request, wait_status, &report, err);
    if (status == SNAP_OK) {
        take_report(report, result);
        status = judge(options->exec, wait_status, last, result, err);
    }
    json_decref(report);
    request_release(&request);
    return status;
}
