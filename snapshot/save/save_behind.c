/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that writes one save while the training goes on. */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "save/save.h"

struct snap_save_behind {
    struct snap_run *run;
    struct snap_save_job job;
    struct snap_save_result result;
    struct snap_error error; /* its status is SNAP_OK when all went well */
    pthread_t thread;
    atomic_bool ended;
};

static void *write_job(void *arg)
{
    struct snap_save_behind *behind = arg;
    struct snap_run *run = behind->run;
    struct snap_error trouble = SNAP_ERROR_INIT;
    enum snap_status status = SNAP_OK;
    bool saved = false;
    if (run->agent != NULL) {
        status = snap_save_job_ready(run, &behind->job, &behind->error);
        saved = status == SNAP_OK && snap_agent_save(run, &behind->job, &behind->result, &trouble);
        memcpy(behind->result.agent_trouble, trouble.text, sizeof trouble.text);
        if (saved)
            snap_save_let_go(run, &behind->job, &behind->result);
    }
    if (status == SNAP_OK && !saved)
        status = snap_save_job_write(run, &behind->job, run->agent != NULL, &behind->result,
                                     &behind->error);
    behind->error.status = status;
    atomic_store(&behind->ended, true);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(struct snap_save_behind *behind)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&behind->thread, NULL, write_job, behind);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

enum snap_status snap_save_behind_start(struct snap_run *run, struct snap_save_job *job,
                                        struct snap_error *err)
{
    /* Threads of its own: the training is not to wait for those of the run. */
    if (run->save_pool == NULL) {
        enum snap_status status =
            snap_pool_new(snap_pool_threads(run->pool), &run->save_pool, err);
        if (status != SNAP_OK)
            return status;
    }
    struct snap_save_behind *behind = calloc(1, sizeof *behind);
    if (behind == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: save: out of memory", job->name);
    behind->run = run;
    behind->error = (struct snap_error)SNAP_ERROR_INIT;
    atomic_init(&behind->ended, false);
    behind->job = *job;
    behind->job.pool = run->save_pool;
    behind->job.behind = true;
    behind->job.stall_ms = snap_save_clock_ms() - job->began_ms;
    int failed = start_thread(behind);
    if (failed != 0) {
        free(behind);
        return snap_error_set_os(err, SNAP_IO, failed, "%s: save: starting a thread", job->name);
    }
    run->saving = behind;
    *job = (struct snap_save_job){ .capsule = false };
    return SNAP_OK;
}

enum snap_status snap_save_behind_fence(struct snap_run *run, void *stream,
                                        struct snap_error *err)
{
    return run->saving == NULL ? SNAP_OK
                               : snap_state_image_fence(&run->saving->job.image, stream, err);
}

bool snap_save_behind_end(struct snap_run *run, bool wait, struct snap_save_job *job,
                          struct snap_save_result *result, struct snap_error *error)
{
    struct snap_save_behind *behind = run->saving;
    if (behind == NULL || (!wait && !atomic_load(&behind->ended)))
        return false;
    pthread_join(behind->thread, NULL);
    *job = behind->job;
    *result = behind->result;
    *error = behind->error;
    free(behind);
    run->saving = NULL;
    return true;
}
