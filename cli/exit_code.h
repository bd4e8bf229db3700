/* SPDX-License-Identifier: Apache-2.0 */
/* What the exit status of every command means. Scripts and schedulers depend on these numbers. */
#ifndef CMD_EXIT_CODE_H
#define CMD_EXIT_CODE_H

#include <snapstate/status.h>

enum cmd_exit {
    CMD_EXIT_YES = 0,         /* yes, and complete */
    CMD_EXIT_DIFFERS = 1,     /* two things that should be equal are not */
    CMD_EXIT_USAGE = 2,       /* the command line, or the config, asks for what cannot be */
    CMD_EXIT_ENVIRONMENT = 3, /* a file, a permission, space, another process, memory */
    CMD_EXIT_UNSUPPORTED = 4, /* valid, but not possible with this build, version or machine */
    CMD_EXIT_CORRUPT = 5,     /* bytes are not what their digest or grammar says */
    CMD_EXIT_INCOMPLETE = 6,  /* intact, but members are absent or the tier is too low */
    CMD_EXIT_NONFINITE = 7,   /* stopped on NaN or Inf; a capsule was written */
    CMD_EXIT_BUG = 70,        /* a bug of ours (EX_SOFTWARE) */
    CMD_EXIT_STOPPED = 75     /* stopped by a signal after a durable snapshot (EX_TEMPFAIL) */
};

/* The exit status of a command that ended with `status`. */
enum cmd_exit cmd_exit_code(enum snap_status status);

#endif
