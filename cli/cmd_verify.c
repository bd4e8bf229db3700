/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/store.h>
#include <snapstate/verify.h>

#include "command.h"
#include "run_files.h"
#include "stretches_report.h"
#include "target.h"

struct verify_arguments {
    struct cmd_list given; /* targets, and a hash at the end */
    const char *only;
    const char *signers;
    const char *challenge;
    const char *data_dir;
    const char *device;
    const char *exec;
    struct cmd_number replay;
    unsigned threads;
    bool allow_withheld;
};

/* What the list of arguments means. */
struct request {
    const char *const *targets;
    size_t count;
    const char *hash; /* NULL: none */
    enum cmd_target kind;
};

static bool is_hash(const char *text)
{
    return strncmp(text, "snap1:", 6) == 0 || strncmp(text, "state1:", 7) == 0 ||
           strncmp(text, "run1:", 5) == 0;
}

static enum snap_status read_request(const struct verify_arguments *given, struct request *request,
                                     struct snap_error *err)
{
    const unsigned one = CMD_TARGET_ANY_ARCHIVE | CMD_TARGET_CHECKPOINT | CMD_TARGET_LISTING;
    const struct cmd_list *list = &given->given;
    enum snap_status status = SNAP_OK;

    *request = (struct request){ .targets = list->items, .count = list->count };
    if (list->count > 1 && is_hash(list->items[list->count - 1]))
        request->hash = list->items[--request->count];
    for (size_t i = 0; status == SNAP_OK && i < request->count; i++)
        status = cmd_target_find(list->items[i], request->count == 1 ? one : CMD_TARGET_ARCHIVE,
                                 &request->kind, err);
    if (status != SNAP_OK)
        return status;
    if (given->replay.is_set && request->kind != CMD_TARGET_RUN)
        return snap_error_set(err, SNAP_INVALID,
                              "%s: --replay needs the folder of a run, or a published one: "
                              "stretches are between its snapshots", list->items[0]);
    if (given->replay.is_set && given->replay.value == 0)
        return snap_error_set(err, SNAP_INVALID, "--replay: expected one stretch or more");
    if (!given->replay.is_set && (given->challenge || given->data_dir || given->device ||
                                  given->exec))
        return snap_error_set(err, SNAP_INVALID, "%s: it goes with --replay",
                              given->challenge  ? "--challenge"
                              : given->data_dir ? "--data"
                              : given->device   ? "--device"
                                                : "--exec");
    return SNAP_OK;
}

/* Every archive of a store. That `latest` names one of them the list has looked at. */
static enum snap_status check_store(const char *store, const struct snap_verify_options *options,
                                    struct snap_verdict **verdict, struct snap_error *err)
{
    struct snap_stored_list list = SNAP_STORED_LIST_INIT;
    enum snap_status status = snap_stored_list_read(store, &list, err);
    char(*paths)[PATH_MAX] = NULL;
    const char **names = NULL;

    if (status == SNAP_OK && list.count == 0)
        status = snap_error_set(err, SNAP_NOT_FOUND, "%s: the store is empty", store);
    if (status == SNAP_OK) {
        paths = calloc(list.count, sizeof *paths);
        names = calloc(list.count, sizeof *names);
        if (paths == NULL || names == NULL)
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: no memory for its list", store);
    }
    for (size_t i = 0; status == SNAP_OK && i < list.count; i++) {
        status = cmd_path_join(store, list.archives[i].file, paths[i], err);
        names[i] = paths[i];
    }
    if (status == SNAP_OK)
        status = snap_verify_archives(names, list.count, options, verdict, err);
    free(names);
    free(paths);
    snap_stored_list_release(&list);
    return status;
}

static enum snap_status check(const struct request *request,
                              const struct snap_verify_options *options,
                              struct snap_verdict **verdict, struct snap_error *err)
{
    if (request->kind == CMD_TARGET_RUN)
        return snap_verify_run(request->targets[0], options, verdict, err);
    if (request->kind == CMD_TARGET_LISTING)
        return snap_verify_listing(request->targets[0], options, verdict, err);
    if (request->kind == CMD_TARGET_STORE)
        return check_store(request->targets[0], options, verdict, err);
    if (request->kind == CMD_TARGET_CHECKPOINT)
        return snap_verify_checkpoint(request->targets[0], options, verdict, err);
    return snap_verify_archives(request->targets, request->count, options, verdict, err);
}

/* Make stretches again, and put what comes of it into the verdict. */
static enum snap_status replay(const struct verify_arguments *given, const char *dir,
                               struct trn_stretches_result *result, struct snap_verdict *verdict,
                               struct snap_error *err)
{
    struct trn_stretches_options options = TRN_STRETCHES_OPTIONS_INIT;
    struct trn_listener listener = { .progress = stderr };
    enum snap_status status, told;

    options.dir = dir;
    options.count = given->replay.value;
    options.challenge = given->challenge;
    options.data_dir = given->data_dir;
    options.device = given->device;
    options.exec = given->exec;
    options.threads = given->threads;
    options.listener = &listener;
    status = trn_replay_stretches(&options, result, err);
    if (status != SNAP_OK && status != SNAP_DIFFERS)
        return status;
    told = cmd_verdict_replayed(verdict, result, status, err);
    return status == SNAP_OK ? told : status;
}

static enum snap_status tell(const struct snap_verdict *verdict,
                             const struct trn_stretches_result *replayed, enum snap_status status,
                             struct cmd_report *report, struct snap_error *err)
{
    json_t *extra = NULL;

    if (replayed->replayed && report->json) {
        extra = json_pack("{s:o}", "replay", cmd_json_stretches(replayed));
        if (!extra && status == SNAP_OK)
            return cmd_report_set(report, NULL, err);
    } else if (replayed->replayed) {
        cmd_print_stretches(replayed);
    }
    status = cmd_report_verdict(report, verdict, extra, status, err);
    json_decref(extra);
    return status;
}

static enum snap_status verify(const void *arguments, struct cmd_report *report,
                               struct snap_error *err)
{
    const struct verify_arguments *given = arguments;
    struct snap_verify_options options = SNAP_VERIFY_OPTIONS_INIT;
    struct trn_stretches_result replayed = TRN_STRETCHES_RESULT_INIT;
    struct snap_verdict *verdict = NULL;
    struct snap_pool *pool = NULL;
    struct request request;
    enum snap_status status = read_request(given, &request, err);

    if (status == SNAP_OK)
        status = snap_pool_new(given->threads, &pool, err);
    if (status != SNAP_OK)
        return status;
    options.only = given->only;
    options.expected = request.hash;
    options.allow_withheld = given->allow_withheld;
    options.signers = given->signers;
    options.pool = pool;
    status = check(&request, &options, &verdict, err);
    if (given->replay.is_set && verdict && (status == SNAP_OK || status == SNAP_ABSENT)) {
        enum snap_status again = replay(given, request.targets[0], &replayed, verdict, err);
        status = again == SNAP_OK ? status : again;
    }
    if (verdict)
        status = tell(verdict, &replayed, status, report, err);
    trn_stretches_result_release(&replayed);
    snap_verdict_free(verdict);
    snap_pool_free(pool);
    return status;
}

#define AT(member) offsetof(struct verify_arguments, member)

static const struct cmd_option options[] = {
    { "only", "MEMBER", CMD_OPTION_TEXT, AT(only), false,
      "check the content of this member alone" },
    { "allow-withheld", NULL, CMD_OPTION_FLAG, AT(allow_withheld), false,
      "members that are absent by design are no failure" },
    { "signers", "FILE", CMD_OPTION_TEXT, AT(signers), false,
      "whose signature is believed, as ssh-keygen -Y verify -f takes it" },
    { "replay", "K", CMD_OPTION_NUMBER, AT(replay), false,
      "make K stretches between snapshots again, chosen by chance" },
    { "challenge", "HEX", CMD_OPTION_TEXT, AT(challenge), false,
      "choose the stretches that this number chooses" },
    { "data", "DIR", CMD_OPTION_TEXT, AT(data_dir), false,
      "look for the data files in DIR, by digest" },
    { "exec", "CMD", CMD_OPTION_TEXT, AT(exec), false,
      "have this program train, which uses libsnapstate or snapstate.Run" },
    { "device", "D", CMD_OPTION_TEXT, AT(device), false, "compute on D: cpu, or cuda:N" },
    { "threads", "N", CMD_OPTION_THREADS, AT(threads), false, "use N threads" },
    { .name = NULL },
};

static const struct cmd_operand operands[] = {
    { "TARGET...", AT(given), true },
    { .name = NULL },
};

const struct cmd_command cmd_verify = {
    .name = "verify",
    .summary = "check archives, a run, a published folder, a checkpoint or a listing",
    .description = "Check every byte of archives, of a run folder or published folder, of a "
                   "checkpoint, or of a listing with what lies beside it, against their own "
                   "hashes, and against a hash (snap1:, state1: or run1:) if one is the last "
                   "TARGET. The verdict says what that proves, what is taken on trust, and what "
                   "is absent.",
    .options = options,
    .operands = operands,
    .arguments_size = sizeof(struct verify_arguments),
    .run = verify,
};
