/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that uploads. A run's entry is never freed while it lives, so that it is kept over
 * what takes long, which is done without the lock. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/store.h>

#include "agent_internal.h"
#include "upload_queue.h"

/* After a try that failed: doubled each time. The store has tried each request for minutes then. */
#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS 300000

/* ---- what went wrong ---- */

void agn_upload_pay(struct agn_uploads *uploads, struct agn_upload_run *run)
{
    pthread_mutex_lock(&uploads->lock);
    struct agn_owed *owed = run->owed;
    if (owed == NULL || agn_clock_ms() < run->quiet_until_ms) {
        pthread_mutex_unlock(&uploads->lock);
        return;
    }
    run->noting = true;
    run->owed = NULL;
    pthread_mutex_unlock(&uploads->lock);
    while (owed != NULL) {
        const struct snap_upload_trouble trouble = agn_owed_trouble(run, owed);
        if (snap_upload_note(run->dir, &trouble, NULL) == SNAP_BUSY)
            break; /* a training has it: with its next save */
        struct agn_owed *paid = owed; /* what cannot be written there was said all the same */
        owed = owed->next;
        free(paid);
    }
    pthread_mutex_lock(&uploads->lock);
    struct agn_owed **end = &owed;
    while (*end != NULL)
        end = &(*end)->next;
    *end = run->owed; /* what came meanwhile is later */
    run->owed = owed;
    run->noting = false;
    pthread_cond_broadcast(&uploads->changed);
    pthread_mutex_unlock(&uploads->lock);
}

void agn_upload_give_up(struct agn_uploads *uploads, struct agn_upload_run *run,
                        const struct agn_upload *upload, const char *why)
{
    agn_say(uploads->agent, "NOT uploaded %s/%s to %s: %s", run->dir, upload->file, run->store,
            why);
    pthread_mutex_lock(&uploads->lock);
    agn_upload_owe(run, upload, why);
    pthread_mutex_unlock(&uploads->lock);
}

/* ---- one upload ---- */

static void note_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
    struct agn_uploads *uploads = arg;
    atomic_store(&uploads->sent_bytes, done_bytes);
    atomic_store(&uploads->total_bytes, total_bytes);
}

static bool is_over(void *arg)
{
    struct agn_uploads *uploads = arg;
    int64_t give_up = atomic_load(&uploads->give_up_ms);
    return give_up != 0 && agn_clock_ms() >= give_up;
}

/* Folders make one level at a time; prefixes of objects need none. */
static enum snap_status make_parents(const struct agn_uploads *uploads,
                                     const struct agn_upload_run *run, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    size_t root = strlen(uploads->store) + 1;
    if (strncmp(run->store, "s3://", 5) == 0)
        return SNAP_OK;
    for (const char *slash = strchr(run->store + root, '/'); status == SNAP_OK && slash != NULL;
         slash = strchr(slash + 1, '/')) {
        char *parent = strndup(run->store, (size_t)(slash - run->store));
        status = parent != NULL ? snap_store_check(parent, err)
                                : snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory",
                                                 run->store);
        free(parent);
    }
    return status;
}

/* Is it there, and whole? A training's own rules may have made a stub of it meanwhile. */
static enum snap_status check_archive(const char *path, struct snap_error *err)
{
    struct snap_archive *archive = NULL;
    enum snap_status status = snap_archive_open(path, &archive, err);
    for (size_t i = 0; status == SNAP_OK && i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (member->withheld && !member->elsewhere)
            status = snap_error_set(err, SNAP_ABSENT,
                                    "it lacks members: it was pruned before its turn came");
    }
    snap_archive_close(archive);
    return status;
}

/* *lost: the snapshot itself is not to be had, and no store's fault. */
static enum snap_status upload(struct agn_uploads *uploads, const struct agn_upload_run *run,
                               const struct agn_upload *one, struct snap_push_result *result,
                               bool *lost, struct snap_error *err)
{
    struct snap_push_options options = SNAP_PUSH_OPTIONS_INIT;
    char path[PATH_MAX + sizeof one->file + 1];
    options.progress = note_progress;
    options.stopped = is_over;
    options.arg = uploads;
    options.run_dir = run->dir;
    snprintf(path, sizeof path, "%.*s/%s", PATH_MAX, run->dir, one->file);
    atomic_store(&uploads->sent_bytes, 0);
    atomic_store(&uploads->total_bytes, 0);
    enum snap_status status = check_archive(path, err);
    *lost = status != SNAP_OK && status != SNAP_NO_MEMORY;
    if (status == SNAP_OK)
        status = make_parents(uploads, run, err);
    return status == SNAP_OK ? snap_push(path, run->store, &options, result, err) : status;
}

/* ---- what became of it ---- */

static void note_done(struct agn_uploads *uploads, struct agn_upload_run *run,
                      struct agn_upload *one, const struct snap_push_result *result)
{
    char file[sizeof one->file];
    int64_t took = agn_clock_ms() - uploads->active_since_ms;
    uint64_t sent = result->was_there ? 0 : result->bytes - result->kept_bytes;
    bool is_news = !result->was_there || result->latest_moved || !one->resumed;
    snprintf(file, sizeof file, "%s", one->file);
    pthread_mutex_lock(&uploads->lock);
    run->done += is_news;
    run->bytes += sent;
    if (run->hash[0] == '\0' || one->step >= run->step) {
        run->step = one->step;
        snprintf(run->hash, sizeof run->hash, "%s", result->snapshot_hash);
    }
    run->problem[0] = '\0';
    run->problem_status = SNAP_OK;
    run->tries = 0;
    run->due_ms = 0;
    agn_upload_remove(run, one);
    pthread_mutex_unlock(&uploads->lock);
    if (is_news)
        agn_say(uploads->agent, "uploaded %s/%s to %s, %llu bytes sent in %lld ms", run->dir, file,
                run->store, (unsigned long long)sent, (long long)took);
}

/* Does waiting help? What is of another run, or broken, stays so. */
static bool is_passing(enum snap_status status)
{
    return status == SNAP_IO || status == SNAP_BUSY || status == SNAP_NO_MEMORY ||
           status == SNAP_NOT_FOUND;
}

static void note_failure(struct agn_uploads *uploads, struct agn_upload_run *run,
                         struct agn_upload *one, enum snap_status status, bool lost,
                         const struct snap_error *err)
{
    struct agn_upload given_up = *one;
    bool again = !lost && is_passing(status);
    pthread_mutex_lock(&uploads->lock);
    bool is_news = run->problem[0] == '\0' || run->problem_status != status || lost;
    int64_t pause = LONGEST_PAUSE_MS;
    if (run->tries < 9 && FIRST_PAUSE_MS << run->tries < LONGEST_PAUSE_MS)
        pause = FIRST_PAUSE_MS << run->tries;
    run->failed++;
    run->tries += again;
    run->due_ms = again ? agn_clock_ms() + pause : 0;
    run->problem_status = status;
    snprintf(run->problem, sizeof run->problem, "%.299s", err->text);
    one->under_way = false;
    if (!again) {
        run->dropped++;
        agn_upload_remove(run, one);
    }
    bool stopping = uploads->stopping; /* what is left is told of at the end */
    pthread_mutex_unlock(&uploads->lock);
    if (is_news && !(again && stopping)) {
        char why[1000];
        snprintf(why, sizeof why, "%.940s%s", err->text,
                 again ? " (it is tried again)" : " (it is not tried again)");
        agn_upload_give_up(uploads, run, &given_up, why);
    }
}

/* With the lock, which is not held on the way. */
static void work_on(struct agn_uploads *uploads, struct agn_upload_run *run)
{
    struct snap_push_result result = SNAP_PUSH_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    struct agn_upload *one = run->waiting;
    bool lost = false;
    one->under_way = true;
    uploads->active = run;
    uploads->active_since_ms = agn_clock_ms();
    pthread_mutex_unlock(&uploads->lock);
    enum snap_status status = upload(uploads, run, one, &result, &lost, &err);
    if (status == SNAP_OK)
        note_done(uploads, run, one, &result);
    else
        note_failure(uploads, run, one, status, lost, &err);
    agn_upload_pay(uploads, run);
    pthread_mutex_lock(&uploads->lock);
    uploads->active = NULL;
}

void *agn_upload_work(void *arg)
{
    struct agn_uploads *uploads = arg;
    pthread_mutex_lock(&uploads->lock);
    for (;;) {
        int64_t due;
        struct agn_upload_run *run = agn_upload_next(uploads, agn_clock_ms(), &due);
        if (uploads->stopping && (run == NULL || is_over(uploads)))
            break;
        if (run != NULL) {
            work_on(uploads, run);
        } else if (due < 0) {
            pthread_cond_wait(&uploads->changed, &uploads->lock);
        } else {
            struct timespec until = { .tv_sec = due / 1000, .tv_nsec = due % 1000 * 1000000 };
            pthread_cond_timedwait(&uploads->changed, &uploads->lock, &until);
        }
    }
    pthread_mutex_unlock(&uploads->lock);
    return NULL;
}
