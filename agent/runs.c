/* SPDX-License-Identifier: Apache-2.0 */
/* Which runs came, and what became of their saves. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "agent_internal.h"
#include "uploads.h"

const char *agn_stage_name(enum agn_stage stage)
{
    static const char *const names[] = { "waiting for room", "to be handed over", "queued",
                                         "saving" };
    return names[stage];
}

enum snap_status agn_runs_check(const struct agn_agent *agent, const char *dir,
                                struct snap_error *err)
{
    size_t length = strlen(agent->root);
    struct stat info;
    char *real = realpath(dir, NULL);
    bool is_real = real != NULL && strcmp(real, dir) == 0;
    free(real);
    if (!is_real || stat(dir, &info) != 0 || !S_ISDIR(info.st_mode))
        return snap_error_set(err, SNAP_INVALID, "%s: is no folder by its own path", dir);
    /* The root may be "/" itself. */
    if (strncmp(dir, agent->root, length) != 0 || (length > 1 && dir[length] != '/'))
        return snap_error_set(err, SNAP_INVALID, "%s: the agent serves the folders under %s alone",
                              dir, agent->root);
    if (info.st_uid != geteuid())
        return snap_error_set(err, SNAP_INVALID, "%s: belongs to another user than the agent",
                              dir);
    return SNAP_OK;
}

/* The run's entry, with the lock held; NULL: there is no more room. */
static struct agn_run *find(struct agn_agent *agent, const char *dir)
{
    for (size_t i = 0; i < agent->run_count; i++)
        if (strcmp(agent->runs[i].dir, dir) == 0)
            return &agent->runs[i];
    if (agent->run_count == AGN_RUNS_MOST)
        return NULL;
    struct agn_run *grown = realloc(agent->runs, (agent->run_count + 1) * sizeof *grown);
    char *copy = strdup(dir);
    if (grown != NULL)
        agent->runs = grown;
    if (grown == NULL || copy == NULL) {
        free(copy);
        return NULL;
    }
    grown[agent->run_count] = (struct agn_run){ .dir = copy };
    return &grown[agent->run_count++];
}

void agn_runs_note_save(struct agn_agent *agent, const struct agn_job *job, uint64_t step,
                        const char *hash, uint64_t duration_ms)
{
    pthread_mutex_lock(&agent->lock);
    struct agn_run *run = find(agent, job->dir);
    if (run != NULL) {
        run->pid = job->pid;
        run->saves++;
        run->step = step;
        run->duration_ms = duration_ms;
        run->problem[0] = '\0';
        snprintf(run->hash, sizeof run->hash, "%s", hash);
    }
    pthread_mutex_unlock(&agent->lock);
}

void agn_runs_note_failure(struct agn_agent *agent, const struct agn_job *job, const char *problem)
{
    pthread_mutex_lock(&agent->lock);
    struct agn_run *run = find(agent, job->dir);
    if (run != NULL) {
        run->pid = job->pid;
        run->failures++;
        snprintf(run->problem, sizeof run->problem, "%.299s", problem);
    }
    pthread_mutex_unlock(&agent->lock);
}

void agn_runs_release(struct agn_agent *agent)
{
    for (size_t i = 0; i < agent->run_count; i++)
        free(agent->runs[i].dir);
    free(agent->runs);
}

/* ---- status ---- */

static json_t *copies_value(const struct agn_agent *agent, const char *dir)
{
    json_t *list = json_array();
    for (const struct agn_copy *copy = agent->copies; copy != NULL; copy = copy->next)
        if (strcmp(copy->dir, dir) == 0)
            json_array_append_new(list, json_pack("{s:I, s:s, s:I}", "bytes",
                                                  (json_int_t)copy->bytes, "hash", copy->hash,
                                                  "step", (json_int_t)copy->step));
    return list;
}

json_t *agn_run_value(const struct agn_agent *agent, const struct agn_run *run)
{
    return json_pack("{s:s, s:I, s:I, s:o, s:o, s:I, s:o, s:I, s:I}", "dir", run->dir,
                     "duration_ms", (json_int_t)run->duration_ms, "failures",
                     (json_int_t)run->failures, "hash",
                     run->hash[0] != '\0' ? json_string(run->hash) : json_null(), "in_memory",
                     copies_value(agent, run->dir), "pid", (json_int_t)run->pid, "problem",
                     run->problem[0] != '\0' ? json_string(run->problem) : json_null(), "saves",
                     (json_int_t)run->saves, "step", (json_int_t)run->step);
}

json_t *agn_job_value(const struct agn_job *job)
{
    uint64_t written = job->handover != NULL ? snap_handover_written(job->handover) : 0;
    return json_pack("{s:I, s:I, s:s, s:s, s:I, s:I, s:s, s:I}", "archive_bytes",
                     (json_int_t)job->archive_bytes, "bytes", (json_int_t)job->bytes, "dir",
                     job->dir, "file", job->file, "for_ms",
                     (json_int_t)(agn_clock_ms() - job->since_ms), "pid", (json_int_t)job->pid,
                     "stage", agn_stage_name(job->stage), "written_bytes", (json_int_t)written);
}

char *agn_runs_status(struct agn_agent *agent)
{
    json_t *jobs = json_array();
    json_t *runs = json_array();
    pthread_mutex_lock(&agent->lock);
    for (const struct agn_job *job = agent->jobs; job != NULL; job = job->next)
        json_array_append_new(jobs, agn_job_value(job));
    for (size_t i = 0; i < agent->run_count; i++)
        json_array_append_new(runs, agn_run_value(agent, &agent->runs[i]));
    json_t *document = json_pack(
        "{s:s, s:I, s:o, s:I, s:I, s:s, s:o, s:I, s:o, s:s}", "answer", "status", "connections",
        (json_int_t)agent->connection_count, "jobs", jobs, "memory_bytes", (json_int_t)agent->used,
        "memory_limit_bytes", (json_int_t)agent->limit, "root", agent->root, "runs", runs,
        "up_ms", (json_int_t)(agn_clock_ms() - agent->began_ms), "uploads",
        agn_uploads_value(agent->uploads), "version", PACKAGE_VERSION);
    pthread_mutex_unlock(&agent->lock);
    char *text = document != NULL ? json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(document);
    return text;
}
