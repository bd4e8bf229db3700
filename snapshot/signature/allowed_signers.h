/* SPDX-License-Identifier: Apache-2.0 */
/* The file of `ssh-keygen -Y verify -f`: who may sign (ssh-keygen(1), "ALLOWED SIGNERS"). */
#ifndef SNAP_SIGNATURE_ALLOWED_SIGNERS_H
#define SNAP_SIGNATURE_ALLOWED_SIGNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <snapstate/status.h>

#include "signature/ssh_bytes.h"

/* The first line that lets `key` sign in `name_space` at the time `now`; *found tells whether there
 * is one, and `principals` (of principals_bytes) is what that line begins with. SNAP_INVALID: a
 * line that cannot be read; the text names it. Lines of certificate authorities let nobody sign
 * here. */
enum snap_status snap_allowed_signers_find(const char *text, size_t size_bytes,
                                           const struct snap_ssh_bytes *key,
                                           const char *name_space, time_t now, bool *found,
                                           char *principals, size_t principals_bytes,
                                           struct snap_error *err);

#endif
