/* SPDX-License-Identifier: Apache-2.0 */
/* MPI as it is called here: libmpi is loaded when a program was started as one of several ranks, so
 * that every other one runs without it. */
#ifndef SNAP_GROUP_MPI_CALLS_H
#define SNAP_GROUP_MPI_CALLS_H

#include <mpi.h>

#include <snapstate/status.h>

#define SNAP_MPI_FUNCTIONS(X)                                                                      \
    X(MPI_Initialized) X(MPI_Init_thread) X(MPI_Finalize) X(MPI_Abort)                             \
    X(MPI_Comm_dup) X(MPI_Comm_free) X(MPI_Comm_rank) X(MPI_Comm_size)                             \
    X(MPI_Comm_split_type) X(MPI_Comm_set_errhandler) X(MPI_Error_string)                          \
    X(MPI_Query_thread) X(MPI_Bcast) X(MPI_Allgatherv) X(MPI_Alltoallv)                            \
    X(MPI_Ibcast) X(MPI_Iallgatherv) X(MPI_Test)

/* Each function as mpi.h declares it, and the objects that its constants are the addresses of. */
struct snap_mpi_calls {
#define SNAP_MPI_MEMBER(name) __typeof__(&name) name;
    SNAP_MPI_FUNCTIONS(SNAP_MPI_MEMBER)
#undef SNAP_MPI_MEMBER
    MPI_Comm world;
    MPI_Datatype byte;
    MPI_Errhandler errors_return;
    MPI_Info no_info;
};

/* Load libmpi, which stays loaded. SNAP_UNSUPPORTED: there is none, or it is another MPI. */
enum snap_status snap_mpi_load(struct snap_mpi_calls *calls, struct snap_error *err);

#endif
