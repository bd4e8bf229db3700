/* SPDX-License-Identifier: Apache-2.0 */
/* A save by the agent, from the trainer's side: the memory is handed over, and the trainer waits,
 * in the thread that would else write. Until the save is handed over a silent agent is given up
 * after a while; after that it may be writing, and only its end ends the waiting: two must not save
 * from one memory when one of them goes on. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digest/sha256.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "handover/agent_socket.h"
#include "save/handover.h"

/* An agent that waits for room says so every few seconds; without a word for so long it is given
 * up. */
#define SILENCE_MS 30000

/* One save on its way to the agent. */
struct passing {
    const struct snap_run *run;
    const struct snap_save_job *job;
    int fd;
    struct snap_sealed_memory documents;
    uint64_t head_bytes;
};

static enum snap_status send(const struct passing *p, json_t *document, const int *files,
                             size_t file_count, struct snap_error *err)
{
    char *text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;
    enum snap_status status =
        text == NULL ? snap_error_set(err, SNAP_NO_MEMORY, "agent %s: out of memory",
                                      p->run->agent)
                     : snap_agent_send(p->fd, text, files, file_count, SILENCE_MS, err);
    free(text);
    json_decref(document);
    return status;
}

/* The next answer that is not "wait"; *word is its kind, borrowed from *answer. */
static enum snap_status receive(const struct passing *p, int timeout_ms, json_t **answer,
                                const char **word, struct snap_error *err)
{
    struct snap_agent_message message = SNAP_AGENT_MESSAGE_INIT;
    json_t *document = NULL;
    enum snap_status status = SNAP_OK;
    *word = "wait";
    while (status == SNAP_OK && strcmp(*word, "wait") == 0) {
        json_decref(document);
        document = NULL;
        status = snap_agent_receive(p->fd, timeout_ms, &message, err);
        if (status == SNAP_OK)
            status = snap_json_decode(message.text, message.size_bytes, "agent", &document, err);
        if (status == SNAP_OK)
            status = snap_json_field_string(document, "answer", "agent", word, err);
        snap_agent_message_release(&message);
    }
    if (status == SNAP_OK)
        *answer = document;
    else
        json_decref(document);
    return status;
}

/* The next answer must be `wanted`; others say why not. */
static enum snap_status expect(const struct passing *p, int timeout_ms, const char *wanted,
                               json_t **answer, struct snap_error *err)
{
    json_t *document = NULL;
    const char *word;
    enum snap_status status = receive(p, timeout_ms, &document, &word, err);
    if (status != SNAP_OK)
        return status;
    if (strcmp(word, wanted) == 0) {
        *answer = document;
        return SNAP_OK;
    }
    const char *why = json_string_value(json_object_get(document, "why"));
    status = snap_error_set(err, SNAP_IO, "agent %s: %.700s", p->run->agent,
                            why != NULL ? why : "its answer is not understood");
    json_decref(document);
    return status;
}

static enum snap_status offer(const struct passing *p, const char *dir, struct snap_error *err)
{
    json_t *answer = NULL;
    uint64_t bytes = p->run->staging.capacity + p->documents.size_bytes;
    enum snap_status status =
        send(p,
             json_pack("{s:o, s:s, s:s, s:s, s:i}", "bytes", snap_json_u64(bytes), "dir", dir,
                       "file", p->job->name, "request", "offer", "version", SNAP_AGENT_VERSION),
             NULL, 0, err);
    if (status == SNAP_OK)
        status = expect(p, SILENCE_MS, "ready", &answer, err);
    json_decref(answer);
    return status;
}

static enum snap_status hand_over(const struct passing *p, json_t **answer, struct snap_error *err)
{
    const struct snap_run *run = p->run;
    int files[3] = { p->documents.fd, snap_store_lock_file(run->store, run->lock),
                     run->staging.fd };
    size_t count = run->staging.fd >= 0 ? 3 : 2;
    enum snap_status status =
        send(p,
             json_pack("{s:o, s:s, s:i}", "head_bytes", snap_json_u64(p->head_bytes), "request",
                       "save", "version", SNAP_AGENT_VERSION),
             files, count, err);
    return status == SNAP_OK ? expect(p, -1, "saved", answer, err) : status;
}

static enum snap_status take_answer(const json_t *answer, const struct snap_save_job *job,
                                    struct snap_save_result *result, struct snap_error *err)
{
    struct snap_save_result read = { .after = job->before };
    unsigned char digest[SNAP_DIGEST_BYTES];
    enum snap_status status =
        snap_json_field_digest(answer, "hash", "snap1", "agent", digest, err);
    if (status == SNAP_OK)
        status = snap_written_decode(json_object_get(answer, "written"), &read.after, err);
    if (status != SNAP_OK)
        return status;
    snap_hash_text("snap1", digest, read.snapshot_hash);
    read.was_there = json_is_true(json_object_get(answer, "was_there"));
    *result = read;
    return SNAP_OK;
}

void snap_agent_note_trouble(const struct snap_run *run, const struct snap_save_job *job,
                             const char *why)
{
    (void)snap_event_add(run->store, "agent_trouble",
                         json_pack("{s:s, s:o, s:s}", "file", job->name, "step",
                                   snap_json_u64(job->manifest.step), "why", why),
                         NULL);
}

bool snap_agent_save(struct snap_run *run, const struct snap_save_job *job,
                     struct snap_save_result *result, struct snap_error *trouble)
{
    struct passing p = {
        .run = run, .job = job, .fd = -1, .documents = SNAP_SEALED_MEMORY_INIT
    };
    json_t *answer = NULL;
    char *dir = realpath(run->dir, NULL);
    enum snap_status status = SNAP_OK;
    if (dir == NULL)
        status = snap_error_set(trouble, SNAP_IO, "agent %s: where %s is cannot be told",
                                run->agent, run->dir);
    if (status == SNAP_OK)
        status = snap_agent_connect(run->agent, &p.fd, trouble);
    if (status == SNAP_OK)
        status = snap_handover_encode(run, job, &p.documents, &p.head_bytes, trouble);
    if (status == SNAP_OK)
        status = offer(&p, dir, trouble);
    if (status == SNAP_OK)
        status = hand_over(&p, &answer, trouble);
    if (status == SNAP_OK)
        status = take_answer(answer, job, result, trouble);
    json_decref(answer);
    snap_sealed_memory_release(&p.documents);
    if (p.fd >= 0)
        close(p.fd); /* the answer was had, or the agent is given up */
    free(dir);
    if (status != SNAP_OK) {
        /* What an agent that was killed left goes: it is not writing for this run any more. The
         * next process that opens the run does it else. */
        (void)snap_folder_sweep(run->store, run->dirfd, NULL);
        snap_agent_note_trouble(run, job, trouble->text);
    }
    return status == SNAP_OK;
}
