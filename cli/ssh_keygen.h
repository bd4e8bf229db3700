/* SPDX-License-Identifier: Apache-2.0 */
/* Signing, which ssh-keygen does: no private key is ever read here. */
#ifndef CMD_SSH_KEYGEN_H
#define CMD_SSH_KEYGEN_H

#include <snapstate/signature.h>
#include <snapstate/status.h>

/* Who `key` signs as: a private key file with its .pub beside it, or a .pub whose private key an
 * agent holds. */
enum snap_status cmd_ssh_signer(const char *key, struct snap_signer *signer,
                                struct snap_error *err);
/* Have ssh-keygen write PATH.sig. It asks for a passphrase on the terminal if it must. SNAP_IO: it
 * cannot be run, or has failed; it has said why. */
enum snap_status cmd_ssh_sign(const char *key, const char *path, struct snap_error *err);

#endif
