/* SPDX-License-Identifier: Apache-2.0 */
/* From argv to a command's arguments, and help, from the same tables; argp does both. */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>

#include <snapstate/status.h>

#include "command.h"

/* What the command line asks for. */
enum cmd_request {
    CMD_REQUEST_RUN = 0,
    CMD_REQUEST_HELP = 1,
    CMD_REQUEST_VERSION = 2
};

/* Read the arguments behind the command's name, argv[0], into `arguments` (command->arguments_size
 * bytes). *json is also right when the rest is not. SNAP_INVALID: the text names the option, and
 * where help is. */
enum snap_status cmd_options_parse(const struct cmd_command *command, int argc, char **argv,
                                   void *arguments, bool *json, enum cmd_request *request,
                                   struct snap_error *err);

/* Print help to stdout: of a command; of the program. */
void cmd_options_help(const struct cmd_command *command);
void cmd_program_help(void);
void cmd_program_version(void);

#endif
