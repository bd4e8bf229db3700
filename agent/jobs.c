/* SPDX-License-Identifier: Apache-2.0 */
/* Saves wait for memory in the order in which they came, and then for one of a few places: more at
 * a time would share the same processors and disk. */
#include "config.h"

#include <string.h>
#include <time.h>

#include "agent_internal.h"
#include "uploads.h"

int64_t agn_clock_ms(void)
{
    struct timespec now = { 0, 0 };
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void agn_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void enter(struct agn_job *job, enum agn_stage stage)
{
    job->stage = stage;
    job->since_ms = agn_clock_ms();
}

void agn_job_begin(struct agn_agent *agent, struct agn_job *job)
{
    pthread_mutex_lock(&agent->lock);
    struct agn_job **at = &agent->jobs;
    while (*at != NULL)
        at = &(*at)->next;
    job->next = NULL;
    enter(job, AGN_STAGE_WAITING);
    *at = job;
    pthread_mutex_unlock(&agent->lock);
}

/* Is an earlier one still waiting? A large one would else wait for ever. */
static bool is_first(const struct agn_agent *agent, const struct agn_job *job)
{
    const struct agn_job *earlier = agent->jobs;
    while (earlier != job && earlier->stage != AGN_STAGE_WAITING)
        earlier = earlier->next;
    return earlier == job;
}

/* pthread_cond_timedwait for so long, on the clock that the condition was made with. */
static void wait_for_change(struct agn_agent *agent, int64_t until_ms)
{
    struct timespec until = { .tv_sec = until_ms / 1000,
                              .tv_nsec = until_ms % 1000 * 1000000 };
    pthread_cond_timedwait(&agent->changed, &agent->lock, &until);
}

enum snap_status agn_job_admit(struct agn_agent *agent, struct agn_job *job, int timeout_ms,
                               struct snap_error *err)
{
    int64_t until = agn_clock_ms() + timeout_ms;
    enum snap_status status = SNAP_BUSY;
    pthread_mutex_lock(&agent->lock);
    if (job->bytes > agent->limit)
        status = snap_error_set(err, SNAP_NO_MEMORY,
                                "the save takes %llu bytes of memory, and the agent may hold %llu: "
                                "give it more (--memory)",
                                (unsigned long long)job->bytes, (unsigned long long)agent->limit);
    while (status == SNAP_BUSY) {
        if (agent->stopping) {
            status = snap_error_set(err, SNAP_NO_MEMORY, "the agent stops");
        } else if (is_first(agent, job) && agn_copies_make_room(agent, job->bytes)) {
            agent->used += job->bytes;
            enter(job, AGN_STAGE_READY);
            status = SNAP_OK;
        } else if (agn_clock_ms() >= until) {
            break;
        } else {
            wait_for_change(agent, until);
        }
    }
    pthread_cond_broadcast(&agent->changed); /* the next one is the first now */
    pthread_mutex_unlock(&agent->lock);
    return status;
}

struct snap_pool *agn_job_start(struct agn_agent *agent, struct agn_job *job,
                                const struct snap_handover *handover, bool *keep_copy)
{
    struct snap_pool *pool = NULL;
    uint64_t archive_bytes = snap_handover_archive_bytes(handover);
    pthread_mutex_lock(&agent->lock);
    enter(job, AGN_STAGE_QUEUED);
    for (;;) {
        for (unsigned i = 0; pool == NULL && i < agent->pool_count; i++) {
            pool = agent->pools[i];
            agent->pools[i] = NULL;
        }
        if (pool != NULL)
            break;
        pthread_cond_wait(&agent->changed, &agent->lock);
    }
    *keep_copy = agent->options->copies > 0 && agn_copies_make_room(agent, archive_bytes);
    if (*keep_copy) {
        job->copy_bytes = archive_bytes;
        agent->used += archive_bytes;
    }
    job->handover = handover;
    job->archive_bytes = snap_handover_bytes(handover);
    enter(job, AGN_STAGE_SAVING);
    pthread_mutex_unlock(&agent->lock);
    return pool;
}

void agn_job_saved(struct agn_agent *agent, struct agn_job *job)
{
    pthread_mutex_lock(&agent->lock);
    job->handover = NULL;
    pthread_mutex_unlock(&agent->lock);
}

void agn_job_end(struct agn_agent *agent, struct agn_job *job, struct snap_pool *pool)
{
    pthread_mutex_lock(&agent->lock);
    struct agn_job **at = &agent->jobs;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    if (job->stage != AGN_STAGE_WAITING)
        agent->used -= job->bytes;
    agent->used -= job->copy_bytes;
    for (unsigned i = 0; pool != NULL && i < agent->pool_count; i++)
        if (agent->pools[i] == NULL) {
            agent->pools[i] = pool;
            break;
        }
    pthread_cond_broadcast(&agent->changed);
    pthread_mutex_unlock(&agent->lock);
}

static bool is_under_way(const struct agn_agent *agent, const char *dir)
{
    for (const struct agn_job *job = agent->jobs; job != NULL; job = job->next)
        if (job->stage >= AGN_STAGE_QUEUED && strcmp(job->dir, dir) == 0)
            return true;
    return false;
}

void agn_jobs_settle(struct agn_agent *agent, const char *dir)
{
    pthread_mutex_lock(&agent->lock);
    while (is_under_way(agent, dir))
        pthread_cond_wait(&agent->changed, &agent->lock);
    pthread_mutex_unlock(&agent->lock);
    agn_uploads_settle(agent->uploads, dir);
}
