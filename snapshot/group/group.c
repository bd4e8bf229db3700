/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through the table, in pieces that it takes, and what is made of them. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "group/group_ops.h"

/* A positive number in the environment, or 0. */
static int number_of(const char *variable)
{
    const char *text = getenv(variable);
    char *end = NULL;
    long number = text != NULL ? strtol(text, &end, 10) : 0;
    return text != NULL && end != text && *end == '\0' && number > 0 &&
                   number <= SNAP_GROUP_MAX_WORLD
               ? (int)number
               : 0;
}

/* A batch script has SLURM_NTASKS too, of the tasks that its srun would start: it is no task. */
int snap_group_launched(const char **launcher)
{
    static const struct {
        const char *size;
        const char *only_with;
    } variables[] = { { "OMPI_COMM_WORLD_SIZE", NULL },
                      { "PMI_SIZE", NULL },
                      { "SLURM_STEP_NUM_TASKS", NULL },
                      { "SLURM_NTASKS", "SLURM_STEP_ID" } };
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        int size = number_of(variables[i].size);
        if (size == 0 || (variables[i].only_with != NULL && getenv(variables[i].only_with) == NULL))
            continue;
        if (launcher != NULL)
            *launcher = variables[i].size;
        return size;
    }
    if (launcher != NULL)
        *launcher = NULL;
    return 1;
}

enum snap_status snap_group_open(struct snap_group **group, struct snap_error *err)
{
    const char *launcher;
    int launched = snap_group_launched(&launcher);
    return launched == 1 ? snap_group_single_open(group, err)
                         : snap_group_mpi_open(launched, launcher, group, err);
}

int snap_group_rank(const struct snap_group *group)
{
    return group == NULL ? 0 : group->rank;
}

int snap_group_world(const struct snap_group *group)
{
    return group == NULL ? 1 : group->world;
}

int snap_group_local_world(const struct snap_group *group)
{
    return group == NULL ? 1 : group->local_world;
}

struct snap_group *snap_group_beside(struct snap_group *group)
{
    return group == NULL || group->beside == NULL ? group : group->beside;
}

void snap_group_go_on(struct snap_group *group)
{
    if (group != NULL && group->world > 1) /* else two threads may have the same group */
        group->agreed = false;
}

bool snap_group_in_threads(const struct snap_group *group)
{
    return group == NULL || group->world == 1 || group->in_threads;
}

bool snap_group_agreed(const struct snap_group *group)
{
    return group == NULL || group->world == 1 || group->agreed;
}

void snap_group_close(struct snap_group *group, bool in_order, int exit_code)
{
    if (group == NULL)
        return;
    if (!in_order && group->world > 1)
        group->ops->abort(group, exit_code);
    snap_group_close(group->beside, true, 0);
    free(group->begins);
    free(group->numbers);
    snap_shard_sum_free(group->sum);
    group->ops->close(group);
}

enum snap_status snap_group_prepare(struct snap_group *group, struct snap_error *err)
{
    size_t world = (size_t)group->world;
    group->begins = calloc(world + 1, sizeof *group->begins);
    group->numbers = calloc(world * SNAP_GROUP_MOST_NUMBERS, sizeof *group->numbers);
    return group->begins != NULL && group->numbers != NULL
               ? SNAP_OK
               : snap_error_set(err, SNAP_NO_MEMORY, "group: open: out of memory");
}

enum snap_status snap_group_broadcast(struct snap_group *group, void *data, size_t size_bytes,
                                      int root, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (group == NULL || group->world == 1)
        return SNAP_OK;
    for (size_t done = 0; status == SNAP_OK && done < size_bytes;) {
        size_t left = size_bytes - done;
        size_t piece = left < SNAP_GROUP_PIECE_BYTES ? left : SNAP_GROUP_PIECE_BYTES;
        status = group->ops->broadcast(group, (char *)data + done, piece, root, err);
        done += piece;
    }
    return status;
}

enum snap_status snap_group_gather_parts(struct snap_group *group, void *data,
                                         const size_t *begins, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (group == NULL || group->world == 1)
        return SNAP_OK;
    if (begins[group->world] <= SNAP_GROUP_PIECE_BYTES)
        return group->ops->gather_parts(group, data, begins, err);
    for (int rank = 0; status == SNAP_OK && rank < group->world; rank++)
        status = snap_group_broadcast(group, (char *)data + begins[rank],
                                      begins[rank + 1] - begins[rank], rank, err);
    return status;
}

enum snap_status snap_group_gather(struct snap_group *group, const void *mine, size_t size_bytes,
                                   void *all, struct snap_error *err)
{
    if (group == NULL || group->world == 1) {
        memcpy(all, mine, size_bytes);
        return SNAP_OK;
    }
    for (int rank = 0; rank <= group->world; rank++)
        group->begins[rank] = (size_t)rank * size_bytes;
    memcpy((char *)all + group->begins[group->rank], mine, size_bytes);
    return snap_group_gather_parts(group, all, group->begins, err);
}

/* The numbers of all ranks, in group->numbers. */
static enum snap_status gather_numbers(struct snap_group *group, const int64_t *numbers,
                                       size_t count, struct snap_error *err)
{
    if (count > SNAP_GROUP_MOST_NUMBERS)
        return snap_error_set(err, SNAP_INVALID, "group: %zu numbers: at most %d", count,
                              SNAP_GROUP_MOST_NUMBERS);
    return snap_group_gather(group, numbers, count * sizeof *numbers, group->numbers, err);
}

enum snap_status snap_group_max(struct snap_group *group, int64_t *numbers, size_t count,
                                struct snap_error *err)
{
    if (group == NULL || group->world == 1)
        return SNAP_OK;
    enum snap_status status = gather_numbers(group, numbers, count, err);
    for (size_t i = 0; status == SNAP_OK && i < (size_t)group->world * count; i++)
        if (group->numbers[i] > numbers[i % count])
            numbers[i % count] = group->numbers[i];
    return status;
}

enum snap_status snap_group_total(struct snap_group *group, int64_t *numbers, size_t count,
                                  struct snap_error *err)
{
    if (group == NULL || group->world == 1)
        return SNAP_OK;
    enum snap_status status = gather_numbers(group, numbers, count, err);
    for (size_t i = 0; status == SNAP_OK && i < count; i++)
        numbers[i] = 0;
    for (size_t i = 0; status == SNAP_OK && i < (size_t)group->world * count; i++)
        numbers[i % count] += group->numbers[i];
    return status;
}

/* What a rank says of a failure. */
struct failure {
    int32_t os_error;
    char text[sizeof((struct snap_error *)NULL)->text];
};

enum snap_status snap_group_agree(struct snap_group *group, enum snap_status status,
                                  struct snap_error *err)
{
    struct failure failure = { 0, { 0 } };
    int64_t mine = (int64_t)status;
    int first = 0;
    if (group == NULL || group->world == 1 || (status != SNAP_OK && group->agreed))
        return status;
    group->agreed = false;
    enum snap_status gathered = gather_numbers(group, &mine, 1, err);
    if (gathered != SNAP_OK)
        return gathered;
    while (first < group->world && group->numbers[first] == SNAP_OK)
        first++;
    if (first == group->world)
        return SNAP_OK;
    enum snap_status agreed = (enum snap_status)group->numbers[first];
    if (first == group->rank && err != NULL) {
        failure.os_error = err->os_error;
        memcpy(failure.text, err->text, sizeof failure.text);
    }
    gathered = snap_group_broadcast(group, &failure, sizeof failure, first, err);
    if (gathered != SNAP_OK)
        return gathered;
    group->agreed = true;
    if (first != group->rank && err != NULL) {
        failure.text[sizeof failure.text - 1] = '\0';
        snap_error_set(err, agreed, "rank %d of %d: %s", first, group->world, failure.text);
        err->os_error = failure.os_error;
    }
    return agreed;
}
