/* SPDX-License-Identifier: Apache-2.0 */
/* What a run asks its agent when it begins: to finish what it has of the run, and for the last
 * snapshot from memory. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapstate/agent.h>

#include "format/archive_read.h"
#include "handover/sealed_memory.h"
#include "run/run_internal.h"

/* To find an archive in memory takes no time; a save under way takes what it takes. */
#define FETCH_MS 10000

/* {"dir": ..., "request": WHAT, "version": 1} and a hash, to be freed; NULL: it cannot be had. */
static char *make_question(const struct snap_run *run, const char *what, const char *hash)
{
    char *dir = realpath(run->dir, NULL);
    json_t *question = json_pack("{s:s, s:s, s:s*, s:i}", "dir", dir != NULL ? dir : "",
                                 "request", what, "hash", hash, "version", SNAP_AGENT_VERSION);
    char *text = dir != NULL && question != NULL ? json_dumps(question, JSON_COMPACT) : NULL;
    json_decref(question);
    free(dir);
    return text;
}

void snap_agent_settle(const struct snap_run *run)
{
    char *question = make_question(run, "settle", NULL);
    char *answer = NULL;
    if (question != NULL)
        (void)snap_agent_ask(run->agent, question, -1, &answer, NULL); /* as the header says */
    free(answer);
    free(question);
}

/* Ask for it; *fd is the caller's. */
static enum snap_status ask_for_file(const struct snap_run *run, const char *question, int *fd,
                                     struct snap_error *err)
{
    struct snap_agent_message message = SNAP_AGENT_MESSAGE_INIT;
    int socket = -1;
    enum snap_status status = snap_agent_connect(run->agent, &socket, err);
    if (status == SNAP_OK)
        status = snap_agent_send(socket, question, NULL, 0, FETCH_MS, err);
    if (status == SNAP_OK)
        status = snap_agent_receive(socket, FETCH_MS, &message, err);
    if (status == SNAP_OK && message.file_count != 1)
        status = snap_error_set(err, SNAP_NOT_FOUND, "agent %s: has no snapshot of %s in memory",
                                run->agent, run->dir);
    if (status == SNAP_OK) {
        *fd = message.files[0];
        message.files[0] = -1;
    }
    snap_agent_message_release(&message);
    if (socket >= 0)
        close(socket); /* nothing is left to say */
    return status;
}

enum snap_status snap_agent_fetch(const struct snap_run *run, const char *name, const char *hash,
                                  struct snap_archive **archive, struct snap_error *err)
{
    char label[4096];
    struct snap_archive *opened = NULL;
    char *question = make_question(run, "fetch", hash);
    int fd = -1;
    if (question == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "agent %s: out of memory", run->agent);
    enum snap_status status = ask_for_file(run, question, &fd, err);
    free(question);
    if (status != SNAP_OK)
        return status;
    snprintf(label, sizeof label, "%s/%s, from the agent", run->dir, name);
    if (!snap_memory_is_sealed(fd)) {
        close(fd); /* only read */
        return snap_error_set(err, SNAP_INVALID, "%s: is memory that can be changed", label);
    }
    status = snap_archive_open_fd(fd, label, &opened, err);
    if (status == SNAP_OK && strcmp(snap_archive_snapshot_hash(opened), hash) != 0)
        status = snap_error_set(err, SNAP_CORRUPT, "%s: is another snapshot", label);
    else if (status == SNAP_OK && snap_archive_withheld_count(opened) > 0)
        status = snap_error_set(err, SNAP_NOT_FOUND, "%s: leaves members to a file", label);
    if (status == SNAP_OK)
        *archive = opened;
    else
        snap_archive_close(opened);
    return status;
}
