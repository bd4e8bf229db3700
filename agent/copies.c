/* SPDX-License-Identifier: Apache-2.0 */
/* The last snapshots of each run in memory, within what the agent may hold: the oldest go first. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_internal.h"

/* Take the copy that `at` points to out of the list. */
static void drop(struct agn_agent *agent, struct agn_copy **at)
{
    struct agn_copy *copy = *at;
    *at = copy->next;
    agent->used -= copy->bytes;
    close(copy->fd); /* memory: the file on the disk stays */
    free(copy->dir);
    free(copy);
}

static void drop_oldest(struct agn_agent *agent)
{
    struct agn_copy **at = &agent->copies;
    while ((*at)->next != NULL)
        at = &(*at)->next;
    drop(agent, at);
}

bool agn_copies_make_room(struct agn_agent *agent, uint64_t bytes)
{
    uint64_t copies = 0;
    for (const struct agn_copy *copy = agent->copies; copy != NULL; copy = copy->next)
        copies += copy->bytes;
    /* None goes in vain. */
    if (bytes > agent->limit || agent->used - copies > agent->limit - bytes)
        return false;
    while (agent->used > agent->limit - bytes)
        drop_oldest(agent);
    return true;
}

/* Of this run, so many stay. */
static void drop_older(struct agn_agent *agent, const char *dir)
{
    unsigned seen = 0;
    for (struct agn_copy **at = &agent->copies; *at != NULL;) {
        if (strcmp((*at)->dir, dir) == 0 && ++seen > agent->options->copies)
            drop(agent, at);
        else
            at = &(*at)->next;
    }
}

void agn_copies_add(struct agn_agent *agent, struct agn_job *job, uint64_t step,
                    const char *hash, int fd, uint64_t bytes)
{
    struct agn_copy *copy = calloc(1, sizeof *copy);
    char *dir = strdup(job->dir);
    if (copy == NULL || dir == NULL) {
        free(copy);
        free(dir);
        close(fd); /* memory: the file on the disk stays */
        return;
    }
    *copy = (struct agn_copy){ .dir = dir, .step = step, .bytes = bytes, .fd = fd };
    snprintf(copy->hash, sizeof copy->hash, "%s", hash);
    pthread_mutex_lock(&agent->lock);
    copy->next = agent->copies;
    agent->copies = copy;
    agent->used += bytes;
    agent->used -= job->copy_bytes;
    job->copy_bytes = 0;
    drop_older(agent, dir);
    pthread_mutex_unlock(&agent->lock);
}

int agn_copies_find(struct agn_agent *agent, const char *dir, const char *hash)
{
    int fd = -1;
    pthread_mutex_lock(&agent->lock);
    for (const struct agn_copy *copy = agent->copies; copy != NULL; copy = copy->next)
        if (fd < 0 && strcmp(copy->dir, dir) == 0 && strcmp(copy->hash, hash) == 0)
            fd = fcntl(copy->fd, F_DUPFD_CLOEXEC, 0);
    pthread_mutex_unlock(&agent->lock);
    return fd;
}

void agn_copies_release(struct agn_agent *agent)
{
    while (agent->copies != NULL)
        drop(agent, &agent->copies);
}
