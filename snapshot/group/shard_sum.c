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

/* One piece of the elements under way. */
struct piece {
    struct snap_group *group;
    unsigned shards;
    size_t slice; /* elements of one rank; the last ranks may have fewer, or none */
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
static void rows_of(const struct piece *piece, int rank, unsigned *before, unsigned *rows)
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
static void lay_out(struct piece *piece, size_t count, size_t my_count, unsigned *rows)
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
static const float *pack(struct piece *piece, const float *mine, size_t stride, size_t count,
                         struct snap_pool *pool)
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
static enum snap_status sum_piece(struct piece *piece, const float *mine, size_t stride, float *sum,
                                  size_t count, struct snap_pool *pool, struct snap_error *err)
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

enum snap_status snap_group_sum_shards(struct snap_group *group, unsigned shards, const float *mine,
                                       float *sum, size_t count, struct snap_pool *pool,
                                       struct snap_error *err)
{
    int world = snap_group_world(group);
    struct piece piece = { .group = group, .shards = shards };
    enum snap_status status = SNAP_OK;
    unsigned first;
    unsigned own;
    if (shards < 1)
        return snap_error_set(err, SNAP_INVALID, "group: sum of shards: there are none");
    if (world == 1) {
        const struct addition all = { mine, count, shards, sum, count };
        add(&all, pool);
        return SNAP_OK;
    }
    snap_group_shards(group, group->rank, shards, &first, &own);
    piece.slice = PIECE_ELEMENTS / shards + 1;
    size_t whole = piece.slice * (size_t)world; /* elements of a piece */
    if (count < whole) {
        piece.slice = (count + (size_t)world - 1) / (size_t)world;
        whole = piece.slice * (size_t)world;
    }
    piece.send = malloc(own * whole * sizeof *piece.send + 1);
    piece.receive = malloc(shards * piece.slice * sizeof *piece.receive + 1);
    piece.send_begins = calloc(3 * ((size_t)world + 1), sizeof *piece.send_begins);
    if (piece.send == NULL || piece.receive == NULL || piece.send_begins == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "group: sum of %u shards: out of memory",
                                shards);
    } else {
        piece.receive_begins = piece.send_begins + world + 1;
        piece.sum_begins = piece.receive_begins + world + 1;
    }
    status = snap_group_agree(group, status, err);
    for (size_t done = 0; status == SNAP_OK && done < count; done += whole)
        status = sum_piece(&piece, mine + done, count, sum + done, at_most(whole, count - done),
                           pool, err);
    free(piece.send);
    free(piece.receive);
    free(piece.send_begins);
    return status;
}
