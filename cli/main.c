/* SPDX-License-Identifier: Apache-2.0 */
/* The program: find the command, read its options, run it, and say how it went. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "options.h"
#include "output.h"
#include "suggest.h"

static enum snap_status no_command(const char *name, struct snap_error *err)
{
    const char *nearest = NULL;

    for (size_t i = 0; cmd_table[i]; i++)
        nearest = cmd_nearer(name, nearest, cmd_table[i]->name);
    if (nearest)
        return snap_error_set(err, SNAP_INVALID,
                              "'%s': no such command, but there is '%s'; see '%s --help'", name,
                              nearest, program_invocation_short_name);
    return snap_error_set(err, SNAP_INVALID, "'%s': no such %s; see '%s --help'", name,
                          name[0] == '-' ? "option" : "command", program_invocation_short_name);
}

static enum snap_status run_command(const struct cmd_command *command, int argc, char **argv,
                                    struct cmd_report *report, struct snap_error *err)
{
    enum cmd_request request = CMD_REQUEST_RUN;
    enum snap_status status;
    void *arguments = calloc(1, command->arguments_size);

    if (arguments == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "the arguments: no memory for them");
    if (command->defaults)
        memcpy(arguments, command->defaults, command->arguments_size);

    status = cmd_options_parse(command, argc, argv, arguments, &report->json, &request, err);
    if (status != SNAP_OK)
        goto out;
    switch (request) {
    case CMD_REQUEST_HELP:
        report->json = false;
        cmd_options_help(command);
        break;
    case CMD_REQUEST_VERSION:
        report->json = false;
        cmd_program_version();
        break;
    case CMD_REQUEST_RUN:
        status = command->run(arguments, report, err);
        break;
    }
out:
    free(arguments);
    return status;
}

int main(int argc, char **argv)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct cmd_report report = { .json = false };
    const struct cmd_command *command = NULL;
    enum snap_status status = cmd_standard_files(&err);

    if (status != SNAP_OK) {
        /* Without descriptors there is nothing to be done. */
    } else if (argc < 2) {
        status = snap_error_set(&err, SNAP_INVALID, "a command is missing; see '%s --help'",
                                program_invocation_short_name);
    } else if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        cmd_program_help();
    } else if (strcmp(argv[1], "--version") == 0) {
        cmd_program_version();
    } else if ((command = cmd_find(argv[1])) == NULL) {
        status = no_command(argv[1], &err);
    } else {
        status = run_command(command, argc - 1, argv + 1, &report, &err);
    }
    enum cmd_exit code = cmd_finish(command ? command->name : NULL, &report, status, &err);
    snap_group_close(report.group, status == SNAP_OK || snap_group_agreed(report.group),
                     (int)code);
    return (int)code;
}
