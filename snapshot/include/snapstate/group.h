/* SPDX-License-Identifier: Apache-2.0 */
/* A group: the processes that make one training together. Each has a rank, 0 <= rank < world; rank
 * 0 leads: it alone has the run folder, and tells what there is to tell.
 *
 * All calls but the plain questions are collective: every rank makes them, in the same order. A
 * NULL group is one process alone, for every call. A group is used by one thread at a time. */
#ifndef SNAPSTATE_GROUP_H
#define SNAPSTATE_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/pool.h>
#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* More ranks than this are a mistake of the caller's. */
#define SNAP_GROUP_MAX_WORLD 65536

struct snap_group;

/* How many processes the launcher that started this one says there are: OMPI_COMM_WORLD_SIZE of
 * mpirun, PMI_SIZE, SLURM_STEP_NUM_TASKS or, inside a step, SLURM_NTASKS of srun; 1 when nobody
 * says. *launcher (NULL: not wanted) is the variable that said so, NULL for none; static. */
int snap_group_launched(const char **launcher);

/* Open the group that this process was started in. One process alone: MPI is not even loaded. More:
 * libmpi is loaded, and MPI is initialised unless the program has done that. SNAP_UNSUPPORTED: this
 * build has no MPI, libmpi cannot be loaded, or MPI finds another number of processes than the
 * launcher has started. Owned by the caller until snap_group_close. */
enum snap_status snap_group_open(struct snap_group **group, struct snap_error *err);

int snap_group_rank(const struct snap_group *group);
int snap_group_world(const struct snap_group *group);
/* How many of the ranks are on this machine. */
int snap_group_local_world(const struct snap_group *group);

/* The status of the first rank whose own `status` is not SNAP_OK, with its text ("rank 2 of 4: ..."
 * where that is another rank), on every rank alike. `err` has the text of a `status` that failed. A
 * failure that all know already is not told again until they go on: so a rank that fails between
 * two agreements is heard at the next one, whichever that is of the others. What was agreed upon is
 * no reason to end them by force. */
enum snap_status snap_group_agree(struct snap_group *group, enum snap_status status,
                                  struct snap_error *err);
/* What was agreed upon is past: the next failure is another one, which the others do not know.
 * Every rank that goes on after a failure calls it, before anything else can fail; opening a run
 * and its restore, steps and saves begin with it. NULL is fine. */
void snap_group_go_on(struct snap_group *group);

/* The largest of each of up to SNAP_GROUP_MOST_NUMBERS numbers, over the ranks; and their sums. */
#define SNAP_GROUP_MOST_NUMBERS 8
enum snap_status snap_group_max(struct snap_group *group, int64_t *numbers, size_t count,
                                struct snap_error *err);
enum snap_status snap_group_total(struct snap_group *group, int64_t *numbers, size_t count,
                                  struct snap_error *err);

/* `data`, size_bytes, of rank `root` to all. */
enum snap_status snap_group_broadcast(struct snap_group *group, void *data, size_t size_bytes,
                                      int root, struct snap_error *err);

/* The same number of bytes of every rank, in rank order: `all` has room for world * size_bytes. */
enum snap_status snap_group_gather(struct snap_group *group, const void *mine, size_t size_bytes,
                                   void *all, struct snap_error *err);

/* Parts of one array: rank r has bytes begins[r] to begins[r + 1] of `data` (world + 1 numbers, the
 * same on every rank), and afterwards every rank has all of them. */
enum snap_status snap_group_gather_parts(struct snap_group *group, void *data,
                                         const size_t *begins, struct snap_error *err);

/* Shards first..first+count-1 of `shards` are those of rank `rank`: floor(rank * shards / world) up
 * to floor((rank + 1) * shards / world). */
void snap_group_shards(const struct snap_group *group, int rank, unsigned shards, unsigned *first,
                       unsigned *count);

/* sum[i] = ((g_0[i] + g_1[i]) + g_2[i]) + ..., in binary32, over the shards in ascending order: the
 * same bits with any number of ranks. `mine` (own shards, count) has those of this rank, `sum`
 * (count) is written on every rank, `pool` does the work. A shard that has nothing to add is -0.0
 * throughout: that changes no sum. Every rank needs memory for two pieces of 4 MiB more. */
enum snap_status snap_group_sum_shards(struct snap_group *group, unsigned shards, const float *mine,
                                       float *sum, size_t count, struct snap_pool *pool,
                                       struct snap_error *err);

/* Leave the group. `in_order`: this rank has done all that the others did, or its failure was
 * agreed upon; then it waits for them, and MPI is ended when snap_group_open began it. Otherwise
 * the others would wait for it for ever: they are ended too, with `exit_code`, and the call does
 * not return. NULL is fine. */
void snap_group_close(struct snap_group *group, bool in_order, int exit_code);
/* Was the last failure of snap_group_agree told to all? */
bool snap_group_agreed(const struct snap_group *group);

#ifdef __cplusplus
}
#endif

#endif
