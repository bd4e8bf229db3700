/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "upload_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_internal.h"

/* The run's path below the root, which may be "/" itself. */
static const char *name_of(const struct agn_agent *agent, const char *dir)
{
    size_t length = strlen(agent->root);
    return dir + length + (length > 1);
}

static void release_run(struct agn_upload_run *run)
{
    while (run->waiting != NULL)
        agn_upload_remove(run, run->waiting);
    while (run->owed != NULL) {
        struct agn_owed *owed = run->owed;
        run->owed = owed->next;
        free(owed);
    }
    free(run->dir);
    free(run->store);
    free(run);
}

struct agn_upload_run *agn_upload_run_find(struct agn_uploads *uploads, const char *dir, bool make)
{
    struct agn_upload_run **at = &uploads->runs;
    while (*at != NULL && strcmp((*at)->dir, dir) != 0)
        at = &(*at)->next;
    if (*at != NULL || !make || uploads->run_count == AGN_RUNS_MOST)
        return *at;
    struct agn_upload_run *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    made->dir = strdup(dir);
    if (asprintf(&made->store, "%s/%s", uploads->store, name_of(uploads->agent, dir)) < 0)
        made->store = NULL; /* as it is undefined then */
    if (made->dir == NULL || made->store == NULL) {
        release_run(made);
        return NULL;
    }
    *at = made;
    uploads->run_count++;
    return made;
}

/* The oldest that is not under way. */
static struct agn_upload *oldest(const struct agn_upload_run *run)
{
    struct agn_upload *found = NULL;
    for (struct agn_upload *one = run->waiting; one != NULL; one = one->next)
        if (!one->under_way)
            found = one;
    return found;
}

bool agn_upload_push(struct agn_upload_run *run, const char *file, uint64_t step, bool resumed,
                     struct agn_upload *dropped)
{
    dropped->file[0] = '\0';
    for (const struct agn_upload *one = run->waiting; one != NULL; one = one->next)
        if (strcmp(one->file, file) == 0)
            return true; /* saved again: a file of that name has the same bytes */
    struct agn_upload *made = calloc(1, sizeof *made);
    if (made == NULL)
        return false;
    if (run->waiting_count == AGN_UPLOADS_WAIT_MOST) {
        struct agn_upload *out = oldest(run);
        *dropped = *out;
        agn_upload_remove(run, out);
        run->dropped++;
    }
    *made = (struct agn_upload){ .next = run->waiting, .step = step, .resumed = resumed };
    snprintf(made->file, sizeof made->file, "%s", file);
    run->waiting = made;
    run->waiting_count++;
    return true;
}

void agn_upload_remove(struct agn_upload_run *run, struct agn_upload *upload)
{
    struct agn_upload **at = &run->waiting;
    while (*at != upload)
        at = &(*at)->next;
    *at = upload->next;
    run->waiting_count--;
    free(upload);
}

struct agn_upload_run *agn_upload_next(struct agn_uploads *uploads, int64_t now_ms,
                                       int64_t *due_ms)
{
    struct agn_upload_run **found = NULL;
    *due_ms = -1;
    for (struct agn_upload_run **at = &uploads->runs; *at != NULL; at = &(*at)->next) {
        if ((*at)->waiting == NULL)
            continue;
        if ((*at)->due_ms <= now_ms && found == NULL)
            found = at;
        if (*due_ms < 0 || (*at)->due_ms < *due_ms)
            *due_ms = (*at)->due_ms;
    }
    if (found == NULL)
        return NULL;
    struct agn_upload_run *run = *found;
    struct agn_upload_run **end = found;
    *found = run->next;
    while (*end != NULL)
        end = &(*end)->next;
    run->next = NULL;
    *end = run;
    return run;
}

void agn_upload_owe(struct agn_upload_run *run, const struct agn_upload *upload, const char *why)
{
    struct agn_owed **at = &run->owed;
    unsigned count = 0;
    for (; *at != NULL; at = &(*at)->next)
        count++;
    struct agn_owed *made = count < AGN_OWED_MOST ? calloc(1, sizeof *made) : NULL;
    if (made == NULL)
        return;
    made->step = upload->step;
    snprintf(made->file, sizeof made->file, "%s", upload->file);
    snprintf(made->why, sizeof made->why, "%s", why);
    *at = made;
}

struct snap_upload_trouble agn_owed_trouble(const struct agn_upload_run *run,
                                            const struct agn_owed *owed)
{
    return (struct snap_upload_trouble){ .size_bytes = sizeof(struct snap_upload_trouble),
                                         .file = owed->file,
                                         .step = owed->step,
                                         .store = run->store,
                                         .why = owed->why };
}

void agn_uploads_release(struct agn_uploads *uploads)
{
    while (uploads->runs != NULL) {
        struct agn_upload_run *run = uploads->runs;
        uploads->runs = run->next;
        release_run(run);
    }
    pthread_cond_destroy(&uploads->changed);
    pthread_mutex_destroy(&uploads->lock);
    free(uploads->store);
    free(uploads);
}
