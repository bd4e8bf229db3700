/* SPDX-License-Identifier: Apache-2.0 */
/* A command: its options and operands as data, and a function. Each stands in one cmd_*.c, and
 * command_table.c has a row for it. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#include "output.h"

/* What stands behind an option, and the type of its place in the command's arguments. */
enum cmd_option_type {
    CMD_OPTION_FLAG = 1,    /* bool: it was given */
    CMD_OPTION_TEXT = 2,    /* const char *: borrowed from argv; NULL when not given */
    CMD_OPTION_NUMBER = 3,  /* struct cmd_number */
    CMD_OPTION_THREADS = 4, /* unsigned: 1 to SNAP_POOL_MAX_THREADS; 0 when not given */
    CMD_OPTION_TIER = 5     /* enum snap_tier: untouched when not given */
};

struct cmd_number {
    bool is_set;
    uint64_t value;
};

struct cmd_option {
    const char *name;  /* "steps" is --steps; NULL ends a table; "output" is -o too */
    const char *value; /* what help calls its value ("N"); NULL for a flag */
    enum cmd_option_type type;
    size_t offset;     /* of its place in the command's arguments */
    bool required;
    const char *help;
};

/* Most arguments of a list: a file for each of a thousand ranks, and some. */
#define CMD_LIST_MOST 1024

/* Arguments that are no options, of which there can be many. */
struct cmd_list {
    const char *items[CMD_LIST_MOST]; /* borrowed from argv */
    size_t count;
};

/* An argument that is no option; its place is a const char *, NULL when not given. Optional ones
 * come last. */
struct cmd_operand {
    /* "ARCHIVE"; NULL ends a table. One that ends in "..." takes all that are left: its place is a
     * struct cmd_list. */
    const char *name;
    size_t offset;
    bool required;
};

struct cmd_command {
    const char *name;
    const char *summary;     /* one line for `snap --help` */
    const char *description; /* for `snap NAME --help` */
    const struct cmd_option *options;
    const struct cmd_operand *operands;
    /* The command's arguments: `defaults` (NULL: zeros), `arguments_size` bytes, into which options
     * and operands are written. */
    size_t arguments_size;
    const void *defaults;
    /* Do it. What it has to say goes to stdout, or with report->json into report->result. On
     * failure `err` has the line for stderr; an empty one says that stdout has said all. */
    enum snap_status (*run)(const void *arguments, struct cmd_report *report,
                            struct snap_error *err);
};

extern const struct cmd_command cmd_run, cmd_save, cmd_restore, cmd_replay, cmd_verify, cmd_hash,
    cmd_show, cmd_cat, cmd_list, cmd_diff, cmd_check, cmd_rng, cmd_import, cmd_export,
    cmd_fsck, cmd_thin, cmd_pack, cmd_prune, cmd_sweep, cmd_report, cmd_cite, cmd_publish,
    cmd_prove, cmd_serve, cmd_bisect, cmd_push, cmd_pull;

/* All of them, in the order of the help; NULL ends it. */
extern const struct cmd_command *const cmd_table[];

/* The command of that name, NULL when there is none. */
const struct cmd_command *cmd_find(const char *name);

#endif
