/* SPDX-License-Identifier: Apache-2.0 */
/* A build without MPI: several processes would each make the whole training, in one folder. */
#include "config.h"

#include "group/group_ops.h"

enum snap_status snap_group_mpi_open(int launched, const char *launcher,
                                     struct snap_group **group, struct snap_error *err)
{
    (void)group;
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "ranks: %s says that this is one of %d processes, and MPI is not built "
                          "in: configure with --with-mpi=yes, or start one process", launcher,
                          launched);
}
