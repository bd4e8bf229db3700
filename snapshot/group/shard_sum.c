/* SPDX-License-Identifier: Apache-2.0 */
/* The sum over shards that does not depend on the number of ranks: each rank owns a slice of the
 * elements, gets that slice of all shards, adds them up in shard order, and gives its sums to all.
 * Rank 0 has the first shards, and adds up its own before. MPI_Allreduce adds in an order of its
 * own, which changes with the number of ranks. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "group/group_ops.h"

/* What is received at a time, the slice of all shards: 4 MiB, which stay in a cache until they are
 * added up. 64 MiB took twice as long. */
#define PIECE_ELEMENTS ((size_t)1 << 20)
/* Elements that a thread adds up at a time: they stay in its first cache. */
#define RUN_ELEMENTS ((size_t)2048)

/* The rows of one slice: row s is that of shard s. */
struct addition {
    const float *rows;
    size_t stride; /* elements from row to row */
    unsigned shards;
    float *sum;
    size_t count;
};

static void add_run(void *arg, size_t index, unsigned worker)
{
    const struct addition *addition = arg;
    size_t first = index * RUN_ELEMENTS;
    size_t left = addition->count - first;
    size_t count = left < RUN_ELEMENTS ? left : RUN_ELEMENTS;
    float *sum = addition->sum + first;
    (void)worker;
    memcpy(sum, addition->rows + first, count * sizeof *sum);
    for (unsigned shard = 1; shard < addition->shards; shard++) {
        const float *row = addition->rows + shard * addition->stride + first;
        for (size_t i = 0; i < count; i++)
            sum[i] = sum[i] + row[i];
    }
}

static void add(const struct addition *addition, struct snap_pool *pool)
{
    struct addition given = *addition;
    if (given.count > 0)
        snap_pool_run(pool, (given.count + RUN_ELEMENTS - 1) / RUN_ELEMENTS, add_run, &given);
}

/* One piece of the elements under way, kept for sums of as many shards and elements: training makes
 * the same one at each step. */
struct snap_shard_sum {
    struct snap_group *group;
    unsigned shards;
    size_t count; /* of all elements */
    size_t slice; /* of a piece, of one rank; the last ranks may have fewer, or none */
    float *send;
    float *receive;
    size_t *send_begins; /* world + 1, in bytes; likewise the others */
    size_t *receive_begins;
    size_t *sum_begins;
};

static size_t at_most(size_t value, size_t limit)
{
    return value < limit ? value : limit;
}

/* Rows that a rank sends, and how many come before them: its shards, but the sum of those of rank
 * 0, which are the first that are added. */
static void rows_of(const struct snap_shard_sum *piece, int rank, unsigned *before,
                    unsigned *rows)
{
    unsigned first;
    unsigned lead;
    snap_group_shards(piece->group, 0, piece->shards, &first, &lead);
    snap_group_shards(piece->group, rank, piece->shards, before, rows);
    if (rank == 0)
        *rows = lead > 0;
    else if (lead > 0)
        *before -= lead - 1;
}

/* Where everything lies. *rows: how many are received of each element. */
static void lay_out(struct snap_shard_sum *piece, size_t count, size_t my_count,
                    unsigned *rows)
{
    struct snap_group *group = piece->group;
    unsigned before;
    unsigned mine;
    size_t sent = 0;
    rows_of(piece, group->rank, &before, &mine);
    *rows = 0;
    for (int rank = 0; rank < group->world; rank++) {
        size_t first = at_most((size_t)rank * piece->slice, count);
        unsigned theirs;
        rows_of(piece, rank, &before, &theirs);
        piece->send_begins[rank] = sent * sizeof(float);
        piece->receive_begins[rank] = before * my_count * sizeof(float);
        piece->sum_begins[rank] = first * sizeof(float);
        sent += mine * (at_most(first + piece->slice, count) - first);
        *rows += theirs;
    }
    piece->send_begins[group->world] = sent * sizeof(float);
    piece->receive_begins[group->world] = *rows * my_count * sizeof(float);
    piece->sum_begins[group->world] = count * sizeof(float);
}

/* The own rows, by slice: of rank 0 their sum. A single row lies as it is to be sent. */
static const float *pack(struct snap_shard_sum *piece, const float *mine, size_t stride,
                         size_t count, struct snap_pool *pool)
{
    unsigned first_shard;
    unsigned own;
    float *to = piece->send;
    snap_group_shards(piece->group, piece->group->rank, piece->shards, &first_shard, &own);
    if (own == 1)
        return mine;
    if (piece->group->rank == 0 && own > 0) {
        const struct addition lead = { mine, stride, own, piece->send, count };
        add(&lead, pool);
        return piece->send;
    }
    for (int rank = 0; rank < piece->group->world; rank++) {
        size_t first = at_most((size_t)rank * piece->slice, count);
        size_t slice = at_most(first + piece->slice, count) - first;
        for (unsigned shard = 0; shard < own; shard++, to += slice)
            memcpy(to, mine + shard * stride + first, slice * sizeof *to);
    }
    return piece->send;
}

/* Elements first..first+count-1 of the whole, cut into slices. */
static enum snap_status sum_piece(struct snap_shard_sum *piece, const float *mine, size_t stride,
                                  float *sum, size_t count, struct snap_pool *pool,
                                  struct snap_error *err)
{
    struct snap_group *group = piece->group;
    size_t my_first = at_most((size_t)group->rank * piece->slice, count);
    size_t my_count = at_most(my_first + piece->slice, count) - my_first;
    unsigned rows;
    lay_out(piece, count, my_count, &rows);
    enum snap_status status =
        group->ops->all_to_all(group, pack(piece, mine, stride, count, pool), piece->send_begins,
                               piece->receive, piece->receive_begins, err);
    if (status != SNAP_OK)
        return status;
    const struct addition addition = { piece->receive, my_count, rows, sum + my_first, my_count };
    add(&addition, pool);
    return snap_group_gather_parts(group, sum, piece->sum_begins, err);
}

void snap_group_shards(const struct snap_group *group, int rank, unsigned shards, unsigned *first,
                       unsigned *count)
{
    uint64_t world = (uint64_t)snap_group_world(group);
    uint64_t begin = (uint64_t)rank * shards / world;
    uint64_t end = ((uint64_t)rank + 1) * shards / world;
    *first = (unsigned)begin;
    *count = (unsigned)(end - begin);
}

void snap_shard_sum_free(struct snap_shard_sum *sum)
{
    if (sum == NULL)
        return;
    free(sum->send);
    free(sum->receive);
    free(sum->send_begins);
    free(sum);
}

/* Memory for sums of so many. *made stays NULL when there is none. */
static void make_sum(struct snap_group *group, unsigned shards, size_t count,
                     struct snap_shard_sum **made)
{
    size_t world = (size_t)group->world;
    struct snap_shard_sum *sum = calloc(1, sizeof *sum);
    unsigned first;
    unsigned own;
    if (sum == NULL)
        return;
    *sum = (struct snap_shard_sum){ .group = group, .shards = shards, .count = count };
    snap_group_shards(group, group->rank, shards, &first, &own);
    sum->slice = PIECE_ELEMENTS / shards + 1;
    if (count < sum->slice * world)
        sum->slice = (count + world - 1) / world;
    sum->send = malloc(own * sum->slice * world * sizeof *sum->send + 1);
    sum->receive = malloc(shards * sum->slice * sizeof *sum->receive + 1);
    sum->send_begins = calloc(3 * (world + 1), sizeof *sum->send_begins);
    if (sum->send == NULL || sum->receive == NULL || sum->send_begins == NULL) {
        snap_shard_sum_free(sum);
        return;
    }
    sum->receive_begins = sum->send_begins + world + 1;
    sum->sum_begins = sum->receive_begins + world + 1;
    *made = sum;
}

/* That of the group, made anew where it is of other sizes: so on every rank alike. */
static enum snap_status prepare(struct snap_group *group, unsigned shards, size_t count,
                                struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (group->sum != NULL && group->sum->shards == shards && group->sum->count == count)
        return SNAP_OK;
    snap_shard_sum_free(group->sum);
    group->sum = NULL;
    make_sum(group, shards, count, &group->sum);
    if (group->sum == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "group: sum of %u shards: out of memory",
                                shards);
    status = snap_group_agree(group, status, err);
    if (status != SNAP_OK) {
        snap_shard_sum_free(group->sum);
        group->sum = NULL;
    }
    return status;
}

enum snap_status snap_group_sum_shards(struct snap_group *group, unsigned shards, const float *mine,
                                       float *sum, size_t count, struct snap_pool *pool,
                                       struct snap_error *err)
{
    if (shards < 1)
        return snap_error_set(err, SNAP_INVALID, "group: sum of shards: there are none");
    if (snap_group_world(group) == 1) {
        const struct addition all = { mine, count, shards, sum, count };
        add(&all, pool);
        return SNAP_OK;
    }
    enum snap_status status = prepare(group, shards, count, err);
    size_t whole = status == SNAP_OK ? group->sum->slice * (size_t)group->world : 0;
    for (size_t done = 0; status == SNAP_OK && done < count; done += whole)
        status = sum_piece(group->sum, mine + done, count, sum + done, at_most(whole, count - done),
                           pool, err);
    return status;
}
