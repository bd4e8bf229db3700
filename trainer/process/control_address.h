/* SPDX-License-Identifier: Apache-2.0 */
/* Where a run's control socket is, however long the folder's path. */
#ifndef TRN_CONTROL_ADDRESS_H
#define TRN_CONTROL_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>

#include <snapstate/status.h>

/* Open the folder as a handle; -1 in *fd on failure. SNAP_NOT_FOUND: no such folder. */
enum snap_status trn_control_open_dir(const char *dir, int *fd, struct snap_error *err);

/* The address of the socket in the folder of `dir_fd`, valid while that is open. */
void trn_control_address(int dir_fd, struct sockaddr_un *address);

#endif
