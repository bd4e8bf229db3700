/* SPDX-License-Identifier: Apache-2.0 */
/* Both sides of the figures of ranks, in one program, so that both meet the same MPI.
 *     mpirun -n N bench_ranks COUNT SHARDS TURNS
 * Each rank has the gradients of its shards, COUNT floats each. In turn: the sum over all shards in
 * their order by snap_group_sum_shards; and each rank's own shards added up, then MPI_Allreduce.
 * Rank 0 prints a line a turn: the seconds of the one and of the other, of the slowest rank; then,
 * in how many elements the two differ. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mpi.h>

#include <snapstate/snapstate.h>

static void stop(const char *text)
{
    fprintf(stderr, "bench_ranks: %s\n", text);
    MPI_Abort(MPI_COMM_WORLD, 3);
    exit(3);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float *floats(size_t count)
{
    float *made = malloc(count * sizeof *made);
    if (made == NULL)
        stop("out of memory");
    return made;
}

struct sides {
    struct snap_group *group;
    struct snap_pool *pool;
    unsigned shards, own;
    size_t count;
    float *mine;  /* (own, count) */
    float *local; /* what this rank adds up by itself */
    float *sum, *reduced;
};

static void exact(struct sides *s)
{
    struct snap_error err = SNAP_ERROR_INIT;
    if (snap_group_sum_shards(s->group, s->shards, s->mine, s->sum, s->count, s->pool, &err) !=
        SNAP_OK)
        stop(err.text);
}

static void reduce(struct sides *s)
{
    const float *from = s->mine;
    if (s->own > 1) {
        memcpy(s->local, s->mine, s->count * sizeof *s->local);
        for (unsigned shard = 1; shard < s->own; shard++)
            for (size_t i = 0; i < s->count; i++)
                s->local[i] += s->mine[shard * s->count + i];
        from = s->local;
    }
    if (MPI_Allreduce(from, s->reduced, (int)s->count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD) !=
        MPI_SUCCESS)
        stop("MPI_Allreduce failed");
}

/* Seconds of the slowest rank, from a common start. */
static double timed(struct sides *s, void (*side)(struct sides *))
{
    double slowest = 0.0;
    MPI_Barrier(MPI_COMM_WORLD);
    double began = seconds();
    side(s);
    double took = seconds() - began;
    MPI_Allreduce(&took, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return slowest;
}

int main(int argc, char **argv)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct sides s = { .count = argc == 4 ? strtoull(argv[1], NULL, 10) : 0 };
    int level;
    unsigned first;
    size_t differ = 0;
    if (s.count == 0 || s.count > INT32_MAX)
        return fprintf(stderr, "usage: bench_ranks COUNT SHARDS TURNS\n"), 2;
    s.shards = (unsigned)atoi(argv[2]);
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &level);
    if (snap_group_open(&s.group, &err) != SNAP_OK || snap_pool_new(1, &s.pool, &err) != SNAP_OK)
        stop(err.text);
    int rank = snap_group_rank(s.group);
    snap_group_shards(s.group, rank, s.shards, &first, &s.own);
    s.mine = floats(s.own * s.count + 1);
    s.local = floats(s.count);
    s.sum = floats(s.count);
    s.reduced = floats(s.count);
    uint32_t word = 12345u + first;
    for (size_t i = 0; i < s.own * s.count; i++) {
        word = word * 1664525u + 1013904223u;
        s.mine[i] = (float)(int32_t)word * 4.6566129e-10f;
    }
    for (int turn = atoi(argv[3]); turn > 0; turn--) {
        double ours = timed(&s, exact);
        double peer = timed(&s, reduce);
        if (rank == 0)
            printf("%.9f %.9f\n", ours, peer);
    }
    for (size_t i = 0; i < s.count; i++)
        differ += memcmp(&s.sum[i], &s.reduced[i], sizeof s.sum[i]) != 0;
    if (rank == 0)
        printf("%zu\n", differ);
    free(s.mine);
    free(s.local);
    free(s.sum);
    free(s.reduced);
    snap_pool_free(s.pool);
    snap_group_close(s.group, true, 0);
    MPI_Finalize();
    return 0;
}
