/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: what is asked on it, by whom. A save that was handed over is finished whether the
 * other side lives or not. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "agent_internal.h"
#include "request.h"
#include "uploads.h"

/* Who asks nothing for so long makes room for others; who waits for room hears of it so often. */
#define IDLE_MS 30000
#define SEND_MS 10000
#define WAIT_MS 5000

/* ---- answers ---- */

static enum snap_status say(const struct agn_connection *connection, const char *answer)
{
    return snap_agent_send(connection->fd, answer, NULL, 0, SEND_MS, NULL);
}

/* "refused": nothing was taken; "failed": a save was, and was not made. */
static void say_why(const struct agn_connection *connection, const char *answer,
                    const struct snap_error *err)
{
    json_t *document = json_pack("{s:s, s:s, s:s}", "answer", answer, "status",
                                 snap_status_name(err->status), "why", err->text);
    char *text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;
    if (text != NULL)
        (void)say(connection, text); /* gone, or it hears of it by the end of the connection */
    free(text);
    json_decref(document);
}

/* ---- a save ---- */

/* What came must not have more memory than room was made for. A file that is no memory is refused
 * when it is opened; sizes are below 2^63, and so are two of them together below 2^64. */
static enum snap_status check_size(const struct snap_agent_message *message, uint64_t offered,
                                   struct snap_error *err)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < message->file_count; i++) {
        struct stat info;
        if (i == 1)
            continue; /* the lock */
        if (fstat(message->files[i], &info) != 0)
            return snap_error_set_os(err, SNAP_IO, errno, "save: its memory cannot be looked at");
        bytes += info.st_size > 0 ? (uint64_t)info.st_size : 0;
    }
    if (bytes > offered)
        return snap_error_set(err, SNAP_INVALID,
                              "save: came with %llu bytes of memory, and %llu were offered",
                              (unsigned long long)bytes, (unsigned long long)offered);
    return SNAP_OK;
}

/* The documents, the lock and the staging memory, as they came. */
static enum snap_status open_handover(const struct agn_request *offer,
                                      const struct agn_request *request,
                                      struct snap_agent_message *message,
                                      struct snap_handover **handover, struct snap_error *err)
{
    struct snap_handover_options options = SNAP_HANDOVER_OPTIONS_INIT;
    enum snap_status status = check_size(message, offer->bytes, err);
    if (status != SNAP_OK)
        return status;
    options.dir = offer->dir;
    options.head_bytes = request->head_bytes;
    options.documents = message->files[0];
    options.lock = message->files[1];
    options.staging = message->file_count > 2 ? message->files[2] : -1;
    message->file_count = 0; /* consumed */
    return snap_handover_open(&options, handover, err);
}

static enum snap_status save(struct agn_connection *connection, struct agn_job *job,
                             struct snap_handover *handover, struct snap_handover_saved *saved,
                             struct snap_error *err)
{
    struct agn_agent *agent = connection->agent;
    struct snap_handover_saving saving = SNAP_HANDOVER_SAVING_INIT;
    uint64_t waiting[AGN_UPLOADS_WAIT_MOST];
    struct snap_keep keep = SNAP_KEEP_INIT;
    if (agent->options->keep != NULL) {
        keep = *agent->options->keep;
        keep.steps = waiting; /* what is to be uploaded stays as long */
        keep.step_count = agn_uploads_waiting(agent->uploads, job->dir, waiting);
        saving.keep = &keep;
    }
    saving.pool = agn_job_start(agent, job, handover, &saving.keep_copy);
    int64_t began = agn_clock_ms();
    uint64_t step = snap_handover_step(handover);
    char file[64];
    snprintf(file, sizeof file, "%s", snap_handover_file(handover));
    enum snap_status status = snap_handover_save(handover, &saving, saved, err);
    uint64_t duration = (uint64_t)(agn_clock_ms() - began);
    agn_job_saved(agent, job);
    agn_uploads_note(agent->uploads, job->dir, handover);
    snap_handover_close(handover);
    if (status == SNAP_OK) {
        agn_uploads_add(agent->uploads, job->dir, file, step);
        agn_runs_note_save(agent, job, step, saved->snapshot_hash, duration);
        if (saved->copy >= 0)
            agn_copies_add(agent, job, step, saved->snapshot_hash, saved->copy,
                           saved->copy_bytes);
        agn_say(agent, "saved %s/%s %.22s... in %llu ms for pid %d", job->dir, job->file,
                saved->snapshot_hash, (unsigned long long)duration, (int)job->pid);
        if (saved->prune_problem[0] != '\0')
            agn_say(agent, "no snapshot was let go: %s", saved->prune_problem);
    } else {
        agn_runs_note_failure(agent, job, err->text);
        agn_say(agent, "NOT saved %s/%s for pid %d: %s", job->dir, job->file, (int)job->pid,
                err->text);
    }
    agn_job_end(agent, job, saving.pool);
    return status;
}

/* Wait for room, and tell the trainer every few seconds. False: the job has ended. */
static bool admit(struct agn_connection *connection, struct agn_job *job)
{
    struct snap_error err = SNAP_ERROR_INIT;
    enum snap_status status = agn_job_admit(connection->agent, job, WAIT_MS, &err);
    while (status == SNAP_BUSY) {
        if (say(connection, "{\"answer\":\"wait\"}") != SNAP_OK)
            break;
        status = agn_job_admit(connection->agent, job, WAIT_MS, &err);
    }
    if (status == SNAP_OK && say(connection, "{\"answer\":\"ready\"}") == SNAP_OK)
        return true;
    if (status != SNAP_OK && status != SNAP_BUSY) {
        agn_runs_note_failure(connection->agent, job, err.text);
        say_why(connection, "refused", &err);
    }
    agn_job_end(connection->agent, job, NULL);
    return false;
}

/* An offer, and what follows it. False: nothing more is to be read from there. */
static bool take_save(struct agn_connection *connection, const struct agn_request *offer)
{
    struct snap_agent_message message = SNAP_AGENT_MESSAGE_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_handover *handover = NULL;
    struct snap_handover_saved saved = { .copy = -1 };
    struct agn_request request;
    struct agn_job job = {
        .dir = offer->dir, .file = offer->file, .bytes = offer->bytes, .pid = connection->pid
    };
    agn_job_begin(connection->agent, &job);
    if (!admit(connection, &job))
        return false;
    enum snap_status status = snap_agent_receive(connection->fd, IDLE_MS, &message, &err);
    if (status == SNAP_OK)
        status = agn_request_read(&message, &request, &err);
    if (status == SNAP_OK && request.kind != AGN_REQUEST_SAVE)
        status = snap_error_set(&err, SNAP_INVALID, "an offer is followed by a save");
    if (status == SNAP_OK)
        status = open_handover(offer, &request, &message, &handover, &err);
    snap_agent_message_release(&message);
    if (status == SNAP_OK)
        status = save(connection, &job, handover, &saved, &err);
    else
        agn_job_end(connection->agent, &job, NULL);
    if (status == SNAP_OK)
        (void)say(connection, saved.answer); /* a trainer that was killed hears nothing */
    else
        say_why(connection, "failed", &err);
    free(saved.answer);
    return status == SNAP_OK;
}

/* ---- other questions ---- */

static void fetch(struct agn_connection *connection, const struct agn_request *request)
{
    int fd = agn_copies_find(connection->agent, request->dir, request->hash);
    if (fd < 0) {
        (void)say(connection, "{\"answer\":\"absent\"}");
        return;
    }
    (void)snap_agent_send(connection->fd, "{\"answer\":\"here\"}", &fd, 1, SEND_MS, NULL);
    close(fd); /* memory */
}

static void tell_status(struct agn_connection *connection)
{
    struct snap_error err = SNAP_ERROR_INIT;
    char *text = agn_runs_status(connection->agent);
    enum snap_status status =
        text == NULL ? snap_error_set(&err, SNAP_NO_MEMORY, "out of memory")
                     : snap_agent_send(connection->fd, text, NULL, 0, SEND_MS, &err);
    if (status != SNAP_OK)
        say_why(connection, "refused", &err);
    free(text);
}

/* ---- the connection ---- */

/* Root may look; only the agent's user has it save, or sees a state. */
static enum snap_status check_asker(const struct agn_connection *connection,
                                    const struct agn_request *request, struct snap_error *err)
{
    if (connection->uid != geteuid() && request->kind != AGN_REQUEST_STATUS)
        return snap_error_set(err, SNAP_INVALID, "the agent is another user's");
    if (request->kind == AGN_REQUEST_SAVE)
        return snap_error_set(err, SNAP_INVALID, "a save comes after an offer");
    if (request->kind != AGN_REQUEST_STATUS)
        return agn_runs_check(connection->agent, request->dir, err);
    return SNAP_OK;
}

static bool answer(struct agn_connection *connection, const struct agn_request *request)
{
    switch (request->kind) {
    case AGN_REQUEST_OFFER:
        return take_save(connection, request);
    case AGN_REQUEST_SETTLE:
        agn_jobs_settle(connection->agent, request->dir);
        return say(connection, "{\"answer\":\"settled\"}") == SNAP_OK;
    case AGN_REQUEST_FETCH:
        fetch(connection, request);
        return true;
    default:
        tell_status(connection);
        return true;
    }
}

void agn_connection_serve(struct agn_connection *connection)
{
    struct agn_request request;
    bool goes_on = true;
    while (goes_on) {
        struct snap_agent_message message = SNAP_AGENT_MESSAGE_INIT;
        struct snap_error err = SNAP_ERROR_INIT;
        enum snap_status status = snap_agent_receive(connection->fd, IDLE_MS, &message, &err);
        if (status == SNAP_NOT_FOUND)
            break;
        if (status == SNAP_OK)
            status = agn_request_read(&message, &request, &err);
        snap_agent_message_release(&message);
        if (status == SNAP_OK)
            status = check_asker(connection, &request, &err);
        goes_on = status == SNAP_OK && answer(connection, &request);
        if (status != SNAP_OK)
            say_why(connection, "refused", &err);
    }
}
