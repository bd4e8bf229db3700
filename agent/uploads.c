/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "uploads.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/store.h>

#include "agent_internal.h"
#include "process/run_paths.h"
#include "run_list.h"
#include "run_state.h"
#include "upload_queue.h"

/* A training that was told that its run is settled takes the lock now. */
#define QUIET_MS 2000

/* ---- from before the agent began ---- */

/* Of each run the snapshot that `latest` names; the push finds out whether the store has it. */
static void resume(struct agn_uploads *uploads)
{
    static const char folder[] = "snapshots/";
    struct agn_run_list list;
    if (!agn_run_list_read(uploads->agent->root, &list)) {
        agn_say(uploads->agent, "what was not uploaded before cannot be told: the runs cannot be "
                                "listed");
        return;
    }
    for (size_t i = 0; i < list.count; i++) {
        struct agn_run_state state = { .stage = AGN_RUN_NEW };
        struct agn_upload dropped;
        uint64_t step;
        agn_run_latest_read(list.runs[i].dir, &state);
        if (strncmp(state.latest, folder, sizeof folder - 1) != 0 ||
            !trn_snapshot_step(state.latest + sizeof folder - 1, &step))
            continue;
        pthread_mutex_lock(&uploads->lock);
        struct agn_upload_run *run = agn_upload_run_find(uploads, list.runs[i].dir, true);
        if (run != NULL)
            (void)agn_upload_push(run, state.latest, step, true, &dropped); /* or the next agent */
        pthread_cond_broadcast(&uploads->changed);
        pthread_mutex_unlock(&uploads->lock);
    }
    agn_run_list_release(&list);
}

/* ---- beginning and end ---- */

/* The folder that the store is, without links; when it is not there, the one that it would be made
 * in. False: neither is there. */
static bool find_place(const char *store, char real[PATH_MAX])
{
    char path[PATH_MAX];
    if (realpath(store, real) != NULL)
        return true;
    if (errno != ENOENT)
        return false;
    snprintf(path, sizeof path, "%s", store);
    return realpath(dirname(path), real) != NULL;
}

/* A store below the root would be one of its runs; none is made there. */
static enum snap_status check_place(const struct agn_uploads *uploads, struct snap_error *err)
{
    const char *store = uploads->store;
    const char *root = uploads->agent->root;
    size_t length = strlen(root);
    char real[PATH_MAX];
    if (strncmp(store, "s3://", 5) == 0)
        return SNAP_OK;
    bool below = find_place(strncmp(store, "file:///", 8) == 0 ? store + 7 : store, real) &&
                 strncmp(real, root, length) == 0 &&
                 (length == 1 || real[length] == '/' || real[length] == '\0');
    return below ? snap_error_set(err, SNAP_INVALID,
                                  "--push: '%s' lies in the folder that is served: give a store "
                                  "elsewhere", store)
                 : SNAP_OK;
}

static enum snap_status start(struct agn_uploads *uploads, struct snap_error *err)
{
    enum snap_status status = check_place(uploads, err);
    if (status == SNAP_OK)
        status = snap_store_check(uploads->store, err);
    if (status != SNAP_OK)
        return status;
    int failed = pthread_create(&uploads->thread, NULL, agn_upload_work, uploads);
    return failed == 0 ? SNAP_OK
                       : snap_error_set_os(err, SNAP_IO, failed, "--push: starting a thread");
}

enum snap_status agn_uploads_start(struct agn_agent *agent, struct agn_uploads **uploads,
                                   struct snap_error *err)
{
    if (agent->options->push == NULL) {
        *uploads = NULL;
        return SNAP_OK;
    }
    struct agn_uploads *made = calloc(1, sizeof *made);
    size_t length = strlen(agent->options->push);
    while (length > 1 && agent->options->push[length - 1] == '/')
        length--;
    char *store = strndup(agent->options->push, length);
    if (made == NULL || store == NULL) {
        free(made);
        free(store);
        return snap_error_set(err, SNAP_NO_MEMORY, "--push: out of memory");
    }
    *made = (struct agn_uploads){ .agent = agent, .store = store };
    pthread_mutex_init(&made->lock, NULL);
    agn_condition_init(&made->changed);
    enum snap_status status = start(made, err);
    if (status == SNAP_OK)
        *uploads = made;
    else
        agn_uploads_release(made);
    return status;
}

void agn_uploads_begin(struct agn_uploads *uploads)
{
    if (uploads == NULL)
        return;
    agn_say(uploads->agent, "uploading to %s", uploads->store);
    resume(uploads);
}

void agn_uploads_stop(struct agn_uploads *uploads)
{
    if (uploads == NULL)
        return;
    int64_t end = agn_clock_ms() + 1000 * (int64_t)uploads->agent->options->push_wait_s;
    atomic_store(&uploads->give_up_ms, end);
    pthread_mutex_lock(&uploads->lock);
    uploads->stopping = true;
    pthread_cond_broadcast(&uploads->changed);
    pthread_mutex_unlock(&uploads->lock);
    pthread_join(uploads->thread, NULL);
    for (struct agn_upload_run *run = uploads->runs; run != NULL; run = run->next) {
        const char *why = run->waiting != NULL && run->problem[0] != '\0' ? run->problem
                                                                          : "the agent ends";
        for (const struct agn_upload *one = run->waiting; one != NULL; one = one->next)
            agn_upload_give_up(uploads, run, one, why);
        agn_upload_pay(uploads, run);
    }
    agn_uploads_release(uploads);
}

/* ---- saves ---- */

void agn_uploads_add(struct agn_uploads *uploads, const char *dir, const char *file, uint64_t step)
{
    struct agn_upload dropped = { .step = step };
    char why[100];
    if (uploads == NULL)
        return;
    pthread_mutex_lock(&uploads->lock);
    struct agn_upload_run *run = agn_upload_run_find(uploads, dir, true);
    bool added = run != NULL && agn_upload_push(run, file, step, false, &dropped);
    if (added) {
        run->due_ms = 0; /* what failed is tried again with it */
        pthread_cond_broadcast(&uploads->changed);
    }
    pthread_mutex_unlock(&uploads->lock);
    if (!added)
        agn_say(uploads->agent, "NOT uploaded %s/%s to %s: out of memory, or of runs at a time",
                dir, file, uploads->store);
    snprintf(why, sizeof why, "%u later ones wait (it is not tried again)", AGN_UPLOADS_WAIT_MOST);
    if (added && dropped.file[0] != '\0')
        agn_upload_give_up(uploads, run, &dropped, why);
}

size_t agn_uploads_waiting(struct agn_uploads *uploads, const char *dir,
                           uint64_t steps[AGN_UPLOADS_WAIT_MOST])
{
    size_t count = 0;
    if (uploads == NULL)
        return 0;
    pthread_mutex_lock(&uploads->lock);
    const struct agn_upload_run *run = agn_upload_run_find(uploads, dir, false);
    for (const struct agn_upload *one = run != NULL ? run->waiting : NULL; one != NULL;
         one = one->next)
        steps[count++] = one->step;
    pthread_mutex_unlock(&uploads->lock);
    return count;
}

void agn_uploads_note(struct agn_uploads *uploads, const char *dir, struct snap_handover *handover)
{
    if (uploads == NULL)
        return;
    pthread_mutex_lock(&uploads->lock);
    struct agn_upload_run *run = agn_upload_run_find(uploads, dir, false);
    struct agn_owed *owed = run != NULL ? run->owed : NULL;
    if (run != NULL)
        run->owed = NULL;
    pthread_mutex_unlock(&uploads->lock);
    while (owed != NULL) {
        struct agn_owed *paid = owed;
        const struct snap_upload_trouble trouble = agn_owed_trouble(run, owed);
        (void)snap_handover_note_upload(handover, &trouble, NULL); /* it was said all the same */
        owed = owed->next;
        free(paid);
    }
}

void agn_uploads_settle(struct agn_uploads *uploads, const char *dir)
{
    if (uploads == NULL)
        return;
    pthread_mutex_lock(&uploads->lock);
    struct agn_upload_run *run = agn_upload_run_find(uploads, dir, false);
    if (run != NULL)
        run->quiet_until_ms = agn_clock_ms() + QUIET_MS;
    while (run != NULL && run->noting)
        pthread_cond_wait(&uploads->changed, &uploads->lock);
    pthread_mutex_unlock(&uploads->lock);
}
