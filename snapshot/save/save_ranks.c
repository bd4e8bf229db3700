/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/array.h"
#include "core/file.h"
#include "group/group_ops.h"
#include "io/write_parts.h"
#include "save/save_ranks.h"

/* Parts are told so many at a time, so that a rank needs memory for its own alone. */
#define PARTS_AT_ONCE 64

/* What rank 0 says first. */
struct order {
    bool writes; /* there is a file to be written; else all is known when the save ends */
    bool no_read_back;
    uint64_t file_size;
    uint64_t part_count;
    char path[PATH_MAX]; /* of the temporary */
};

static struct snap_group *beside(const struct snap_run *run)
{
    return snap_group_beside(run->group);
}

/* Where the digests of each rank's parts lie among all; NULL: memory is out. */
static size_t *digest_begins(int world, const uint64_t *counts)
{
    size_t *begins = calloc((size_t)world + 1, sizeof *begins);
    for (int rank = 0; begins != NULL && rank < world; rank++)
        begins[rank + 1] = begins[rank] + (size_t)counts[rank] * SNAP_DIGEST_BYTES;
    return begins;
}

/* ---- rank 0 ---- */

static enum snap_status tell_parts(struct snap_save_lead *lead, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t done = 0; status == SNAP_OK && done < lead->part_count; done += PARTS_AT_ONCE) {
        size_t left = lead->part_count - done;
        size_t count = left < PARTS_AT_ONCE ? left : PARTS_AT_ONCE;
        status = snap_group_broadcast(beside(lead->run), lead->parts + done,
                                      count * sizeof *lead->parts, 0, err);
    }
    return status;
}

static enum snap_status tell_order(struct snap_save_lead *lead, const struct order *order,
                                   struct snap_error *err)
{
    struct order told = *order;
    lead->told = true;
    lead->writes = order->writes;
    return snap_group_broadcast(beside(lead->run), &told, sizeof told, 0, err);
}

static enum snap_status begin(void *arg, const char *temporary, enum snap_status status,
                              struct snap_error *err)
{
    struct snap_save_lead *lead = arg;
    struct order order = { .no_read_back = lead->run->no_read_back,
                           .file_size = snap_archive_plan_file_size(lead->plan),
                           .part_count = lead->part_count };
    int folder_bytes = (int)(strrchr(lead->job->name, '/') - lead->job->name);
    if (status == SNAP_OK &&
        (size_t)snprintf(order.path, sizeof order.path, "%s/%.*s/%s", lead->run->dir,
                         folder_bytes, lead->job->name, temporary) >= sizeof order.path)
        status = snap_error_set(err, SNAP_INVALID, "%s: its path is too long for ranks",
                                lead->job->name);
    order.writes = status == SNAP_OK;
    enum snap_status told = tell_order(lead, &order, order.writes ? err : NULL);
    if (status == SNAP_OK)
        status = told;
    return status == SNAP_OK ? tell_parts(lead, err) : status;
}

static enum snap_status end(void *arg, enum snap_status status, struct snap_error *err)
{
    struct snap_save_lead *lead = arg;
    struct snap_group *group = beside(lead->run);
    int world = snap_group_world(group);
    unsigned char(*digests)[SNAP_DIGEST_BYTES] = calloc(lead->part_count + 1, sizeof *digests);
    uint64_t *counts = calloc((size_t)world, sizeof *counts);
    size_t *begins = NULL;
    if (!lead->writes)
        goto out; /* the others were told that there is nothing to do */
    for (size_t i = 0; counts != NULL && i < lead->part_count; i++)
        counts[lead->parts[i].writer]++;
    if (counts != NULL)
        begins = digest_begins(world, counts);
    if (status == SNAP_OK && (digests == NULL || begins == NULL))
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: save: out of memory", lead->job->name);
    status = snap_group_agree(group, status, err);
    if (status == SNAP_OK)
        status = snap_group_gather_parts(group, digests, begins, err);
    if (status == SNAP_OK)
        snap_archive_plan_shared(lead->plan, digests);
out:
    free(begins);
    free(counts);
    free(digests);
    return status;
}

enum snap_status snap_save_lead_put(struct snap_save_lead *lead, struct snap_archive_plan *plan,
                                    struct snap_archive_put_options *options,
                                    struct snap_error *err)
{
    const struct snap_put_share share = { .begin = begin, .end = end, .arg = lead };
    struct snap_run *run = lead->run;
    enum snap_status status = SNAP_OK;
    if (snap_group_world(run->group) > 1 && !lead->job->capsule) {
        lead->plan = plan;
        status = snap_archive_plan_share(plan, (unsigned)snap_group_world(run->group),
                                         &lead->parts, &lead->part_count, err);
        options->put.share = &share;
    }
    struct snap_content content = snap_archive_plan_content(plan);
    if (status == SNAP_OK)
        status = snap_archive_put_whole(run->store, lead->job->name, &content, options, err);
    options->put.share = NULL;
    return status;
}

/* What all know in the end. */
struct outcome {
    char hash[SNAP_HASH_TEXT_BYTES];
    bool was_there;
};

static enum snap_status share_outcome(struct snap_run *run, enum snap_status status,
                                      struct snap_save_result *result, struct snap_error *err)
{
    struct outcome outcome = { .was_there = result->was_there };
    memcpy(outcome.hash, result->snapshot_hash, sizeof outcome.hash);
    status = snap_group_agree(beside(run), status, err);
    if (status == SNAP_OK)
        status = snap_group_broadcast(beside(run), &outcome, sizeof outcome, 0, err);
    if (status != SNAP_OK)
        return status;
    memcpy(result->snapshot_hash, outcome.hash, sizeof outcome.hash);
    result->was_there = outcome.was_there;
    return SNAP_OK;
}

enum snap_status snap_save_lead_end(struct snap_save_lead *lead, enum snap_status status,
                                    struct snap_save_result *result, struct snap_error *err)
{
    struct snap_run *run = lead->run;
    const struct order nothing = { .writes = false };
    free(lead->parts);
    lead->parts = NULL;
    if (snap_group_world(run->group) == 1 || lead->job->capsule)
        return status;
    if (!lead->told) {
        enum snap_status told = tell_order(lead, &nothing, status == SNAP_OK ? err : NULL);
        if (told != SNAP_OK)
            return status == SNAP_OK ? told : status;
    }
    return share_outcome(run, status, result, err);
}

/* ---- the others ---- */

/* What this rank writes. */
struct following {
    struct snap_run *run;
    const struct snap_save_job *job;
    struct order order;
    unsigned char (*digests)[SNAP_DIGEST_BYTES]; /* of all parts, in file order */
    uint64_t *counts;                            /* parts of each rank */
    struct snap_segment *segments;
    size_t count;
};

/* The data of that part are those of the own member. */
static enum snap_status add_segment(struct following *following,
                                    const struct snap_archive_part *part, size_t index,
                                    struct snap_error *err)
{
    const struct snap_save_job *job = following->job;
    const struct snap_write_member *member = NULL;
    for (size_t i = 0; member == NULL && i < job->member_count; i++)
        if (strcmp(job->members[i].name, part->name) == 0)
            member = &job->members[i];
    if (member == NULL || member->size != part->size)
        return snap_error_set(err, SNAP_DIFFERS,
                              "%s: member %s: rank 0 has %llu bytes of it, and it is not so here: "
                              "ranks register the same inventory", job->name, part->name,
                              (unsigned long long)part->size);
    struct snap_segment *segments =
        snap_array_grow(following->segments, following->count, sizeof *segments);
    if (segments == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: save: out of memory", job->name);
    following->segments = segments;
    segments[following->count++] =
        (struct snap_segment){ .offset = part->offset,
                               .data = member->data,
                               .size_bytes = (size_t)part->size,
                               .sha256 = following->digests[index] };
    return SNAP_OK;
}

/* All of rank 0's list is taken, whatever goes wrong here. */
static enum snap_status take_parts(struct following *following, enum snap_status status,
                                   struct snap_error *err)
{
    struct snap_group *group = beside(following->run);
    struct snap_archive_part parts[PARTS_AT_ONCE];
    uint64_t left = following->order.part_count;
    if (status == SNAP_OK) {
        following->digests = calloc((size_t)left + 1, sizeof *following->digests);
        following->counts = calloc((size_t)snap_group_world(group), sizeof *following->counts);
        if (following->digests == NULL || following->counts == NULL)
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: save: out of memory",
                                    following->job->name);
    }
    for (size_t index = 0; left > 0;) {
        size_t count = left < PARTS_AT_ONCE ? (size_t)left : PARTS_AT_ONCE;
        enum snap_status told = snap_group_broadcast(group, parts, count * sizeof parts[0], 0,
                                                     status == SNAP_OK ? err : NULL);
        if (told != SNAP_OK)
            return told;
        for (size_t i = 0; status == SNAP_OK && i < count; i++, index++) {
            following->counts[parts[i].writer]++;
            if ((int)parts[i].writer == snap_group_rank(group))
                status = add_segment(following, &parts[i], index, err);
        }
        left -= count;
    }
    return status;
}

/* The file must be the one that rank 0 made: on a folder that is not shared there is none. */
static enum snap_status open_shared(const struct following *following, int *fd,
                                    struct snap_error *err)
{
    const char *path = following->order.path;
    struct stat info;
    int opened;
    enum snap_status status = snap_file_open(AT_FDCWD, path, O_WRONLY, 0, &opened, err);
    if (status == SNAP_NOT_FOUND)
        status = snap_error_set(err, SNAP_IO,
                                "%s: the file of rank 0 is not there: the run folder must be one "
                                "that all ranks see by this path", path);
    if (status != SNAP_OK)
        return status;
    if (fstat(opened, &info) != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: looking at it", path);
    else if ((uint64_t)info.st_size != following->order.file_size)
        status = snap_error_set(err, SNAP_IO, "%s: has %lld bytes, and rank 0 made it of %llu",
                                path, (long long)info.st_size,
                                (unsigned long long)following->order.file_size);
    if (status == SNAP_OK)
        *fd = opened;
    else
        close(opened); /* nothing was written */
    return status;
}

static enum snap_status write_own(const struct following *following, struct snap_error *err)
{
    const struct snap_save_job *job = following->job;
    const char *path = following->order.path;
    int fd;
    if (following->count == 0)
        return SNAP_OK;
    enum snap_status status = open_shared(following, &fd, err);
    if (status != SNAP_OK)
        return status;
    status = snap_write_parts(fd, following->segments, following->count, job->pool, path, err);
    if (status == SNAP_OK)
        status = snap_file_sync(fd, path, err);
    if (status != SNAP_OK) {
        close(fd); /* the file is given up */
        return status;
    }
    status = snap_file_close(fd, path, err);
    if (status != SNAP_OK || following->order.no_read_back)
        return status;
    status = snap_file_open(AT_FDCWD, path, O_RDONLY, 0, &fd, err);
    if (status != SNAP_OK)
        return status == SNAP_NOT_FOUND ? SNAP_IO : status;
    status = snap_read_back_parts(fd, following->segments, following->count, job->pool, path, err);
    close(fd); /* only read: nothing can be lost */
    return status;
}

static enum snap_status follow_order(struct following *following, enum snap_status status,
                                     struct snap_error *err)
{
    struct snap_group *group = beside(following->run);
    size_t *begins = NULL;
    status = take_parts(following, status, err);
    if (status == SNAP_OK)
        status = write_own(following, err);
    if (status == SNAP_OK) {
        begins = digest_begins(snap_group_world(group), following->counts);
        if (begins == NULL)
            status = snap_error_set(err, SNAP_NO_MEMORY, "%s: save: out of memory",
                                    following->job->name);
    }
    status = snap_group_agree(group, status, err);
    if (status == SNAP_OK)
        status = snap_group_gather_parts(group, following->digests, begins, err);
    free(begins);
    return status;
}

enum snap_status snap_save_follow(struct snap_run *run, const struct snap_save_job *job,
                                  struct snap_save_result *result, struct snap_error *err)
{
    struct following following = { .run = run, .job = job };
    struct snap_error problem = SNAP_ERROR_INIT;
    result->after = job->before;
    enum snap_status status = snap_state_image_wait(&job->image, &problem);
    enum snap_status told =
        snap_group_broadcast(beside(run), &following.order, sizeof following.order, 0, err);
    if (told != SNAP_OK)
        return told;
    if (following.order.writes)
        status = follow_order(&following, status, &problem);
    free(following.segments);
    free(following.counts);
    free(following.digests);
    if (status != SNAP_OK && err != NULL)
        *err = problem;
    return share_outcome(run, status, result, err);
}
