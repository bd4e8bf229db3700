/* SPDX-License-Identifier: Apache-2.0 */
/* What every group must do, with any number of ranks: run alone, and under mpirun. Each rank knows
 * what all the others give, and so what must come out. Exit 1: the line on stderr says what not.
 * With LINK_MPI it is a program that uses MPI itself, and has begun it before. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef LINK_MPI
#include <mpi.h>
#endif

#include <snapstate/group.h>

static struct snap_group *group;
static int rank, world;

static void expect(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "check_group: rank %d of %d: %s\n", rank, world, what);
    snap_group_close(group, false, 1);
    exit(1);
}

static void expect_ok(enum snap_status status, const struct snap_error *err, const char *what)
{
    if (status != SNAP_OK)
        fprintf(stderr, "check_group: %s\n", err->text);
    expect(status == SNAP_OK, what);
}

static void check_exchanges(void)
{
    struct snap_error err = SNAP_ERROR_INIT;
    int32_t *all = calloc((size_t)world, sizeof *all);
    size_t *begins = calloc((size_t)world + 1, sizeof *begins);
    expect(all != NULL && begins != NULL, "no memory");
    int32_t mine = 100 + rank;
    expect_ok(snap_group_gather(group, &mine, sizeof mine, all, &err), &err, "gather");
    for (int r = 0; r < world; r++)
        expect(all[r] == 100 + r, "gather: a number in its place");

    for (int root = 0; root < world; root++) {
        int32_t data[3] = { rank, rank, rank };
        expect_ok(snap_group_broadcast(group, data, sizeof data, root, &err), &err, "broadcast");
        expect(data[0] == root && data[2] == root, "broadcast: of that rank");
    }

    /* Parts of r bytes each: rank 0 has none. */
    for (int r = 0; r < world; r++)
        begins[r + 1] = begins[r] + (size_t)r;
    unsigned char *parts = calloc(begins[world] + 1, 1);
    expect(parts != NULL, "no memory");
    memset(parts + begins[rank], 'a' + rank, (size_t)rank);
    expect_ok(snap_group_gather_parts(group, parts, begins, &err), &err, "gather parts");
    for (int r = 0; r < world; r++)
        for (size_t i = begins[r]; i < begins[r + 1]; i++)
            expect(parts[i] == 'a' + r, "gather parts: each in its place");

    int64_t numbers[2] = { rank, -rank };
    expect_ok(snap_group_max(group, numbers, 2, &err), &err, "max");
    expect(numbers[0] == world - 1 && numbers[1] == 0, "max: the largest");
    numbers[0] = 1;
    numbers[1] = rank;
    expect_ok(snap_group_total(group, numbers, 2, &err), &err, "total");
    expect(numbers[0] == world && numbers[1] == world * (world - 1) / 2, "total: the sums");
    free(parts);
    free(begins);
    free(all);
}

static void check_agreement(void)
{
    struct snap_error err = SNAP_ERROR_INIT;
    char told[64];
    expect_ok(snap_group_agree(group, SNAP_OK, &err), &err, "agree on success");
    /* The last two fail: the first of them is told. */
    enum snap_status status = SNAP_OK;
    int failing = world > 1 ? world - 2 : 0;
    if (rank >= failing)
        status = snap_error_set(&err, rank == failing ? SNAP_IO : SNAP_CORRUPT, "disk %d", rank);
    status = snap_group_agree(group, status, &err);
    expect(status == SNAP_IO, "agree: the status of the first that failed");
    snprintf(told, sizeof told, rank == failing ? "disk %d" : "rank %d of %d: disk %d", failing,
             world, failing);
    expect(strcmp(err.text, told) == 0, "agree: its text");
    expect(snap_group_agreed(group), "agree: and it is known that all know");
    /* Whoever was heard already need not take part again. */
    if (rank % 2 == 0)
        expect(snap_group_agree(group, status, &err) == SNAP_IO, "agree: told already");
    expect_ok(snap_group_agree(group, SNAP_OK, &err), &err, "agree on success after a failure");
}

/* Numbers of many sizes, so that every order of addition gives other bits. */
static float element(unsigned shard, size_t index)
{
    uint32_t bits = (uint32_t)(index * 2654435761u) ^ (shard * 0x9e3779b9u);
    bits ^= bits >> 15;
    bits *= 0x2c1b3c6du;
    bits ^= bits >> 12;
    float value = (float)(int32_t)bits;
    return (bits & 3) == 0 ? value * 1e-6f : value;
}

static void check_sum(unsigned shards, size_t count, struct snap_pool *pool)
{
    struct snap_error err = SNAP_ERROR_INIT;
    unsigned first, own;
    snap_group_shards(group, rank, shards, &first, &own);
    float *mine = malloc((own * count + 1) * sizeof *mine);
    float *sum = malloc((count + 1) * sizeof *sum);
    expect(mine != NULL && sum != NULL, "no memory");
    for (unsigned s = 0; s < own; s++)
        for (size_t i = 0; i < count; i++)
            mine[s * count + i] = element(first + s, i);
    expect_ok(snap_group_sum_shards(group, shards, mine, sum, count, pool, &err), &err, "sum");
    for (size_t i = 0; i < count; i++) {
        float expected = element(0, i);
        for (unsigned s = 1; s < shards; s++)
            expected = expected + element(s, i);
        expect(memcmp(&expected, &sum[i], sizeof expected) == 0, "sum: in shard order");
    }
    free(sum);
    free(mine);
}

int main(int argc, char **argv)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_pool *pool = NULL;
    int wanted = argc > 1 ? atoi(argv[1]) : 1;
#ifdef LINK_MPI
    MPI_Init(&argc, &argv);
#endif
    if (snap_group_open(&group, &err) != SNAP_OK || snap_pool_new(2, &pool, &err) != SNAP_OK) {
        fprintf(stderr, "check_group: %s\n", err.text);
        return 1;
    }
    rank = snap_group_rank(group);
    world = snap_group_world(group);
    expect(world == wanted, "the number of ranks");
    expect(snap_group_local_world(group) == world, "all are on this machine");
    check_exchanges();
    check_agreement();
    const size_t counts[] = { 0, 1, 2, 5, 4099, 1000003 };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (unsigned shards = 1; shards <= 9; shards += 2)
            check_sum(shards, counts[i], pool);
    check_sum(4096, 9000, pool); /* more than one piece of the elements */
    snap_pool_free(pool);
    snap_group_close(group, true, 0);
#ifdef LINK_MPI
    int sum = 0;
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD); /* it is still there */
    MPI_Finalize();
    return sum != world * (world - 1) / 2;
#endif
    return 0;
}
