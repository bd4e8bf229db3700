/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket of a live run: `control` in its folder, mode 0600, for the owner alone.
 *
 * A client sends one line, {"request":"save"}; the answer is one line too, {"hash":"snap1:...",
 * "step":N} when the snapshot is durable, or {"error":"..."}, and then the end. The socket is
 * bound and connected through /proc/self/fd, so that a folder's path may be longer than a socket
 * address can be. */
#ifndef TRN_CONTROL_SOCKET_H
#define TRN_CONTROL_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include <snapstate/status.h>

#define TRN_CONTROL_NAME "control"

struct trn_control;

/* Listen in the run folder `dir`, whose lock the caller holds: a socket that lies there is
 * nobody's, and is taken away. Owned by the caller. */
enum snap_status trn_control_open(const char *dir, struct trn_control **control,
                                  struct snap_error *err);

/* Take in what clients have sent so far, without waiting. True: at least one waits for a save that
 * has not begun. */
bool trn_control_poll(struct trn_control *control);

/* A save begins: it is that of every client that waits. */
void trn_control_saving(struct trn_control *control);
/* It has ended: they are answered. */
void trn_control_saved(struct trn_control *control, uint64_t step, const char *snapshot_hash);
void trn_control_failed(struct trn_control *control, const char *text);

/* Tell who still waits that the run has ended, and remove the socket. NULL is fine. */
void trn_control_close(struct trn_control *control);

#endif
