/* SPDX-License-Identifier: Apache-2.0 */
/* Ranks of MPI. They speak on a communicator of their own, so that no message of the program's
 * meets one of theirs; everything is bytes, for all machines of a group are of one kind. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "group/group_ops.h"
#include "group/mpi_calls.h"

struct mpi_group {
    struct snap_group group;
    struct snap_mpi_calls mpi;
    MPI_Comm comm;
    bool began;   /* MPI was initialised here, and is ended here */
    bool patient; /* looks now and then, and lets others have the processor */
    int *counts;  /* and places of a call: 4 * world */
};

static struct mpi_group *as_mpi(struct snap_group *group)
{
    return (struct mpi_group *)group;
}

static enum snap_status failed(const struct mpi_group *mpi, const char *call, int code,
                               struct snap_error *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    mpi->mpi.MPI_Error_string(code, text, &length); /* or the text stays empty */
    return snap_error_set(err, SNAP_IO, "rank %d of %d: %s: %s", mpi->group.rank, mpi->group.world,
                          call, text);
}

/* How long a patient call sleeps before it looks again. */
#define PATIENCE_NS 500000

/* The answer of a call that was begun with answer `code`. */
static int finish(const struct mpi_group *mpi, int code, MPI_Request *request)
{
    const struct timespec pause = { 0, PATIENCE_NS };
    int done = 0;
    while (code == MPI_SUCCESS && !done) {
        code = mpi->mpi.MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (code == MPI_SUCCESS && !done)
            nanosleep(&pause, NULL); /* or shorter, by a signal */
    }
    return code;
}

static enum snap_status broadcast(struct snap_group *group, void *data, size_t size_bytes, int root,
                                  struct snap_error *err)
{
    struct mpi_group *mpi = as_mpi(group);
    MPI_Request request;
    int size = (int)size_bytes;
    int code = mpi->patient
                   ? finish(mpi, mpi->mpi.MPI_Ibcast(data, size, mpi->mpi.byte, root, mpi->comm,
                                                     &request), &request)
                   : mpi->mpi.MPI_Bcast(data, size, mpi->mpi.byte, root, mpi->comm);
    return code == MPI_SUCCESS ? SNAP_OK : failed(mpi, "MPI_Bcast", code, err);
}

/* Counts and places as MPI has them, from where each rank's part begins. */
static void cut(const struct mpi_group *mpi, const size_t *begins, int *counts, int *places)
{
    for (int rank = 0; rank < mpi->group.world; rank++) {
        counts[rank] = (int)(begins[rank + 1] - begins[rank]);
        places[rank] = (int)begins[rank];
    }
}

static enum snap_status gather_parts(struct snap_group *group, void *data, const size_t *begins,
                                     struct snap_error *err)
{
    struct mpi_group *mpi = as_mpi(group);
    int *counts = mpi->counts;
    int *places = counts + group->world;
    cut(mpi, begins, counts, places);
    MPI_Request request;
    int code = mpi->patient
                   ? finish(mpi, mpi->mpi.MPI_Iallgatherv(MPI_IN_PLACE, 0, mpi->mpi.byte, data,
                                                          counts, places, mpi->mpi.byte, mpi->comm,
                                                          &request), &request)
                   : mpi->mpi.MPI_Allgatherv(MPI_IN_PLACE, 0, mpi->mpi.byte, data, counts, places,
                                             mpi->mpi.byte, mpi->comm);
    return code == MPI_SUCCESS ? SNAP_OK : failed(mpi, "MPI_Allgatherv", code, err);
}

static enum snap_status all_to_all(struct snap_group *group, const void *send,
                                   const size_t *send_begins, void *receive,
                                   const size_t *receive_begins, struct snap_error *err)
{
    struct mpi_group *mpi = as_mpi(group);
    int *send_counts = mpi->counts;
    int *send_places = send_counts + group->world;
    int *receive_counts = send_places + group->world;
    int *receive_places = receive_counts + group->world;
    cut(mpi, send_begins, send_counts, send_places);
    cut(mpi, receive_begins, receive_counts, receive_places);
    int code = mpi->mpi.MPI_Alltoallv(send, send_counts, send_places, mpi->mpi.byte, receive,
                                      receive_counts, receive_places, mpi->mpi.byte, mpi->comm);
    return code == MPI_SUCCESS ? SNAP_OK : failed(mpi, "MPI_Alltoallv", code, err);
}

static void end_all(struct snap_group *group, int exit_code)
{
    struct mpi_group *mpi = as_mpi(group);
    mpi->mpi.MPI_Abort(mpi->comm, exit_code);
}

/* Nothing can be told any more: every result is in by now. */
static void close_group(struct snap_group *group)
{
    struct mpi_group *mpi = as_mpi(group);
    if (mpi->comm != NULL)
        mpi->mpi.MPI_Comm_free(&mpi->comm);
    if (mpi->began)
        mpi->mpi.MPI_Finalize();
    free(mpi->counts);
    free(mpi);
}

static const struct snap_group_ops mpi_ops = {
    .kind = "mpi",
    .broadcast = broadcast,
    .gather_parts = gather_parts,
    .all_to_all = all_to_all,
    .abort = end_all,
    .close = close_group,
};

/* How many of the ranks can share memory, and so a machine. */
static enum snap_status count_local(struct mpi_group *mpi, struct snap_error *err)
{
    MPI_Comm local;
    int code = mpi->mpi.MPI_Comm_split_type(mpi->comm, MPI_COMM_TYPE_SHARED, 0,
                                             mpi->mpi.no_info, &local);
    if (code == MPI_SUCCESS)
        code = mpi->mpi.MPI_Comm_size(local, &mpi->group.local_world);
    if (code == MPI_SUCCESS)
        code = mpi->mpi.MPI_Comm_free(&local);
    return code == MPI_SUCCESS ? SNAP_OK : failed(mpi, "MPI_Comm_split_type", code, err);
}

/* A communicator of our own beside `comm`. */
static enum snap_status duplicate(struct mpi_group *mpi, MPI_Comm comm, struct snap_error *err)
{
    int code = mpi->mpi.MPI_Comm_dup(comm, &mpi->comm);
    if (code == MPI_SUCCESS)
        code = mpi->mpi.MPI_Comm_set_errhandler(mpi->comm, mpi->mpi.errors_return);
    if (code == MPI_SUCCESS)
        code = mpi->mpi.MPI_Comm_rank(mpi->comm, &mpi->group.rank);
    if (code == MPI_SUCCESS)
        code = mpi->mpi.MPI_Comm_size(mpi->comm, &mpi->group.world);
    if (code != MPI_SUCCESS)
        return failed(mpi, "MPI_Comm_dup", code, err);
    mpi->counts = calloc(4 * (size_t)mpi->group.world, sizeof *mpi->counts);
    if (mpi->counts == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "group: open: out of memory");
    return snap_group_prepare(&mpi->group, err);
}

/* MPI from its beginning. */
static enum snap_status begin(struct mpi_group *mpi, struct snap_error *err)
{
    int initialised = 0;
    int level = 0;
    int code = mpi->mpi.MPI_Initialized(&initialised);
    if (code == MPI_SUCCESS && !initialised) {
        code = mpi->mpi.MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level);
        mpi->began = code == MPI_SUCCESS;
    }
    if (code == MPI_SUCCESS)
        code = mpi->mpi.MPI_Query_thread(&level);
    if (code != MPI_SUCCESS)
        return failed(mpi, "MPI_Init_thread", code, err);
    mpi->group.in_threads = level == MPI_THREAD_MULTIPLE;
    return duplicate(mpi, mpi->mpi.world, err);
}

static struct mpi_group *new_group(const struct snap_mpi_calls *calls)
{
    struct mpi_group *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    made->group = (struct snap_group){ .ops = &mpi_ops, .world = 1, .local_world = 1 };
    made->mpi = *calls;
    return made;
}

/* What speaks beside the training. */
static enum snap_status add_beside(struct mpi_group *mpi, struct snap_error *err)
{
    struct mpi_group *made = new_group(&mpi->mpi);
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "group: open: out of memory");
    made->patient = true;
    mpi->group.beside = &made->group;
    return duplicate(made, mpi->comm, err);
}

enum snap_status snap_group_mpi_open(int launched, const char *launcher,
                                     struct snap_group **group, struct snap_error *err)
{
    struct snap_mpi_calls calls;
    enum snap_status status = snap_mpi_load(&calls, err);
    struct mpi_group *made = status == SNAP_OK ? new_group(&calls) : NULL;
    if (status == SNAP_OK && made == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "group: open: out of memory");
    if (status != SNAP_OK)
        return status;
    status = begin(made, err);
    /* Processes that do not know of each other would each write the same folder. */
    if (status == SNAP_OK && made->group.world != launched)
        status = snap_error_set(err, SNAP_UNSUPPORTED,
                                "ranks: %s says that this is one of %d processes, and MPI has %d: "
                                "the launcher and Open MPI do not know each other; with srun it is "
                                "--mpi=pmix that they need", launcher, launched, made->group.world);
    if (status == SNAP_OK)
        status = count_local(made, err);
    if (status == SNAP_OK)
        status = add_beside(made, err);
    if (status != SNAP_OK) {
        snap_group_close(&made->group, true, 0);
        return status;
    }
    *group = &made->group;
    return SNAP_OK;
}
