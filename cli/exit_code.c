/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "exit_code.h"

enum cmd_exit cmd_exit_code(enum snap_status status)
{
    switch (status) {
    case SNAP_OK:
        return CMD_EXIT_YES;
    case SNAP_DIFFERS:
        return CMD_EXIT_DIFFERS;
    case SNAP_INVALID:
        return CMD_EXIT_USAGE;
    case SNAP_IO:
    case SNAP_NOT_FOUND:
    case SNAP_NO_MEMORY:
    case SNAP_BUSY:
        return CMD_EXIT_ENVIRONMENT;
    case SNAP_UNSUPPORTED:
        return CMD_EXIT_UNSUPPORTED;
    case SNAP_CORRUPT:
        return CMD_EXIT_CORRUPT;
    case SNAP_ABSENT:
        return CMD_EXIT_INCOMPLETE;
    case SNAP_NONFINITE:
        return CMD_EXIT_NONFINITE;
    case SNAP_INTERNAL:
        break;
    }
    return CMD_EXIT_BUG;
}
