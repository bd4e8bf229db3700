/* SPDX-License-Identifier: Apache-2.0 */
/* Where a run's agent is. */
#ifndef SNAP_HANDOVER_AGENT_SOCKET_H
#define SNAP_HANDOVER_AGENT_SOCKET_H

#include <snapstate/agent.h>
#include <snapstate/status.h>

/* The socket of the agent that serves the run folder `dir`: `option` when it is not NULL, else the
 * environment's SNAP_AGENT ("" in either: none), else the socket in the nearest folder above `dir`
 * that belongs to this user. *path is NULL when there is none, else to be freed with free();
 * whether somebody listens there is not looked at. */
enum snap_status snap_agent_find(const char *option, const char *dir, char **path,
                                 struct snap_error *err);

#endif
