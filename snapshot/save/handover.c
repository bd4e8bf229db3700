/* SPDX-License-Identifier: Apache-2.0 */
/* A save that was handed over, in the agent: the trainer may live or not. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <snapstate/agent.h>

#include "folder/upload_note.h"
#include "format/json_canonical.h"
#include "format/tar_layout.h"
#include "save/handover.h"
#include "save/memory_copy.h"
#include "save/prune.h"

#define EVENTS "events.jsonl"

struct snap_handover {
    struct snap_store *store;
    int lock;
    struct snap_sealed_memory documents;
    struct snap_sealed_memory staging;
    struct snap_handover_head head;
    bool has_head;
    uint64_t head_bytes;
    atomic_ullong written;
};

/* The descriptor must be of the run's own lock, and hold it. Its lock is shared with the trainer's
 * descriptor, and so is held until both are closed. */
static enum snap_status check_lock(const struct snap_handover *handover, const char *dir,
                                   struct snap_error *err)
{
    struct stat given;
    struct stat named;
    int fd;
    enum snap_status status = snap_store_open_file(handover->store, EVENTS, &fd, err);
    if (status != SNAP_OK)
        return status;
    bool same = fstat(handover->lock, &given) == 0 && fstat(fd, &named) == 0 &&
                given.st_ino == named.st_ino && given.st_dev == named.st_dev;
    close(fd); /* only read */
    if (!same)
        return snap_error_set(err, SNAP_BUSY, "%s: handover: the lock given is not this run's",
                              dir);
    if (flock(handover->lock, LOCK_EX | LOCK_NB) != 0)
        return snap_error_set_os(err, SNAP_BUSY, errno,
                                 "%s: handover: who gave it does not hold the run", dir);
    return SNAP_OK;
}

static enum snap_status take_memory(struct snap_handover *handover,
                                    const struct snap_handover_options *options,
                                    struct snap_error *err)
{
    enum snap_status status = snap_sealed_memory_take(options->documents, SNAP_SEAL_CONTENT,
                                                      "handover: the documents",
                                                      &handover->documents, err);
    if (options->staging < 0)
        return status;
    if (status != SNAP_OK) {
        close(options->staging); /* only read */
        return status;
    }
    return snap_sealed_memory_take(options->staging, SNAP_SEAL_SIZE, "handover: the staging memory",
                                   &handover->staging, err);
}

enum snap_status snap_handover_open(const struct snap_handover_options *options,
                                    struct snap_handover **handover, struct snap_error *err)
{
    struct snap_handover *made = calloc(1, sizeof *made);
    if (made == NULL) {
        close(options->lock); /* nothing was written through any of them */
        close(options->documents);
        if (options->staging >= 0)
            close(options->staging);
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: handover: out of memory", options->dir);
    }
    atomic_init(&made->written, 0);
    made->lock = options->lock;
    made->head_bytes = options->head_bytes;
    made->documents = (struct snap_sealed_memory)SNAP_SEALED_MEMORY_INIT;
    made->staging = (struct snap_sealed_memory)SNAP_SEALED_MEMORY_INIT;
    enum snap_status status = take_memory(made, options, err);
    if (status == SNAP_OK)
        status = snap_store_dir_open(options->dir, false, &made->store, err);
    if (status == SNAP_OK)
        status = check_lock(made, options->dir, err);
    if (status == SNAP_OK)
        status = snap_handover_decode(made->documents.base, made->documents.size_bytes,
                                      options->head_bytes, made->staging.base,
                                      made->staging.size_bytes, &made->head, err);
    made->has_head = status == SNAP_OK;
    if (status == SNAP_OK)
        *handover = made;
    else
        snap_handover_close(made);
    return status;
}

void snap_handover_close(struct snap_handover *handover)
{
    if (handover == NULL)
        return;
    if (handover->has_head)
        snap_handover_head_release(&handover->head);
    snap_sealed_memory_release(&handover->staging);
    snap_sealed_memory_release(&handover->documents);
    snap_store_close(handover->store);
    close(handover->lock); /* nothing was written through it */
    free(handover);
}

uint64_t snap_handover_step(const struct snap_handover *handover)
{
    return handover->head.job.manifest.step;
}

const char *snap_handover_file(const struct snap_handover *handover)
{
    return handover->head.job.name;
}

uint64_t snap_handover_bytes(const struct snap_handover *handover)
{
    const struct snap_save_job *job = &handover->head.job;
    uint64_t bytes = 0;
    for (size_t i = 0; i < job->member_count; i++)
        bytes += job->members[i].size;
    return bytes;
}

/* The manifest, which is in the head, has the size of every other member. */
uint64_t snap_handover_archive_bytes(const struct snap_handover *handover)
{
    uint64_t bytes = snap_tar_member_bytes(handover->head_bytes) + 2 * SNAP_TAR_BLOCK_BYTES;
    for (size_t i = 0; i < handover->head.named_count; i++)
        bytes += snap_tar_member_bytes(handover->head.named[i].size);
    return bytes;
}

uint64_t snap_handover_written(const struct snap_handover *handover)
{
    return atomic_load_explicit(&handover->written, memory_order_relaxed);
}

/* What the trainer is told. */
static enum snap_status make_answer(const struct snap_save_result *result, char **answer,
                                    struct snap_error *err)
{
    json_t *document = json_pack("{s:s, s:s, s:b, s:o}", "answer", "saved", "hash",
                                 result->snapshot_hash, "was_there", result->was_there, "written",
                                 snap_written_encode(&result->after));
    *answer = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    return *answer != NULL ? SNAP_OK
                           : snap_error_set(err, SNAP_NO_MEMORY, "handover: out of memory");
}

enum snap_status snap_handover_save(struct snap_handover *handover,
                                    const struct snap_handover_saving *saving,
                                    struct snap_handover_saved *saved, struct snap_error *err)
{
    struct snap_memory_copy copy = SNAP_MEMORY_COPY_INIT;
    struct snap_save_result result = { .was_there = false };
    struct snap_error problem = SNAP_ERROR_INIT;
    struct snap_handover_saved made = { .copy = -1 };
    struct snap_save_place place = { .store = handover->store,
                                     .dir = snap_store_path(handover->store),
                                     .thin = handover->head.thin,
                                     .volume_size = handover->head.volume_size,
                                     .no_read_back = handover->head.no_read_back,
                                     .by_agent = true,
                                     .written = &handover->written,
                                     .copy = saving->keep_copy ? &copy : NULL };
    handover->head.job.pool = saving->pool;
    enum snap_status status = snap_save_job_put(&place, &handover->head.job, &result, err);
    if (status == SNAP_OK)
        status = make_answer(&result, &made.answer, err);
    if (status == SNAP_OK && copy.memory.fd >= 0 &&
        snap_sealed_memory_seal(&copy.memory, NULL) == SNAP_OK) {
        made.copy_bytes = copy.memory.size_bytes;
        made.copy = snap_sealed_memory_give(&copy.memory);
    }
    snap_memory_copy_release(&copy);
    if (status != SNAP_OK)
        return status;
    if (saving->keep != NULL &&
        snap_prune_locked(handover->store, saving->keep, &handover->head.job.held, saving->pool,
                          &problem) != SNAP_OK)
        memcpy(made.prune_problem, problem.text, sizeof made.prune_problem);
    memcpy(made.snapshot_hash, result.snapshot_hash, sizeof made.snapshot_hash);
    *saved = made;
    return SNAP_OK;
}

enum snap_status snap_handover_note_upload(struct snap_handover *handover,
                                           const struct snap_upload_trouble *trouble,
                                           struct snap_error *err)
{
    return snap_upload_event_add(handover->store, trouble, err);
}
