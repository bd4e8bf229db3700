/* SPDX-License-Identifier: Apache-2.0 */
/* What a group of processes is made of: one table for each way in which they can speak. */
#ifndef SNAP_GROUP_GROUP_OPS_H
#define SNAP_GROUP_GROUP_OPS_H

#include <snapstate/group.h>

/* Bytes that one call of a table moves at most, all ranks together: MPI counts them as an int. */
#define SNAP_GROUP_PIECE_BYTES ((size_t)1 << 30)

/* The contract of a group; every one passes tests/mpi/check_group. `group` is the group itself. No
 * call moves more than SNAP_GROUP_PIECE_BYTES. After a failure the ranks have parted: nothing
 * collective can follow. */
struct snap_group_ops {
    const char *kind; /* "single", "mpi" */
    enum snap_status (*broadcast)(struct snap_group *group, void *data, size_t size_bytes,
                                  int root, struct snap_error *err);
    /* As snap_group_gather_parts. */
    enum snap_status (*gather_parts)(struct snap_group *group, void *data, const size_t *begins,
                                     struct snap_error *err);
    /* Bytes send_begins[r] to send_begins[r + 1] of `send` go to rank r, and what rank r sent comes
     * to receive_begins[r]; what they are may differ between ranks. */
    enum snap_status (*all_to_all)(struct snap_group *group, const void *send,
                                   const size_t *send_begins, void *receive,
                                   const size_t *receive_begins, struct snap_error *err);
    /* (optional for a group of one) End all ranks with `exit_code`. Does not return. */
    void (*abort)(struct snap_group *group, int exit_code);
    /* Wait for the others, and free the group but for what snap_group_prepare got. */
    void (*close)(struct snap_group *group);
};

/* Every group begins with this. */
struct snap_group {
    const struct snap_group_ops *ops;
    int rank;
    int world;
    int local_world;
    bool agreed; /* the last failure is known to all */
    /* The same ranks, to speak beside it; NULL for one process alone. Its calls wait without taking
     * a processor. */
    struct snap_group *beside;
    bool in_threads; /* `beside` may be used by another thread meanwhile */
    /* For the calls, made with the group, since a rank that had no memory in the middle of one
     * would leave the others waiting; NULL for one process alone. */
    size_t *begins;   /* world + 1 */
    int64_t *numbers; /* world * SNAP_GROUP_MOST_NUMBERS */
    struct snap_shard_sum *sum; /* shard_sum.c's, of the last sum; NULL: there was none */
};

/* Free what sums have got. NULL is fine. */
void snap_shard_sum_free(struct snap_shard_sum *sum);

/* Get that memory; snap_group_close frees it. */
enum snap_status snap_group_prepare(struct snap_group *group, struct snap_error *err);

/* A group of the same ranks for work beside the training: no message of one meets one of the other.
 * Of one process alone it is the group itself. Borrowed; for one save at a time. */
struct snap_group *snap_group_beside(struct snap_group *group);
/* Can that be by another thread? */
bool snap_group_in_threads(const struct snap_group *group);

/* One process alone. */
enum snap_status snap_group_single_open(struct snap_group **group, struct snap_error *err);
/* By MPI (group_mpi.c; where it is not built, group_none.c says so). `launched` processes are
 * expected; `launcher` is who says so. */
enum snap_status snap_group_mpi_open(int launched, const char *launcher,
                                     struct snap_group **group, struct snap_error *err);

#endif
