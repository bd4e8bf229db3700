/* SPDX-License-Identifier: Apache-2.0 */
/* What the actions of `snap rng` share: the arguments, and where a state comes from. */
#ifndef CMD_RNG_H
#define CMD_RNG_H

#include <limits.h>
#include <stddef.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>
#include <snapstate/stream.h>

#include "command.h"

struct cmd_rng_arguments {
    const char *action;
    const char *first, *second; /* operands of the action */
    const char *stream, *kind, *form, *to, *what, *out;
    struct cmd_number n, seed, limit;
};

/* ---- where states are: rng_place.c ---- */

/* An archive, the snapshot that a run's `latest` names, or a file with one state. */
struct cmd_rng_place {
    const char *path;             /* as it was given; borrowed */
    struct snap_archive *archive; /* NULL: a state file */
    char opened[PATH_MAX];        /* the archive's path */
};

enum snap_status cmd_rng_place_open(const char *path, struct cmd_rng_place *place,
                                    struct snap_error *err);
void cmd_rng_place_close(struct cmd_rng_place *place);
/* The name of a stream of the archive, in their order; NULL past the last one, and for a file. */
const char *cmd_rng_place_name(const struct cmd_rng_place *place, size_t index);

/* The state of stream `name` (NULL: of the only one), as `kind` and `form` say; either may be NULL
 * and is then found out. *stream is owned by the caller. SNAP_INVALID: there are several to choose
 * from, and the text names them; SNAP_NOT_FOUND: no such stream. */
enum snap_status cmd_rng_place_state(const struct cmd_rng_place *place, const char *name,
                                     const char *kind, const char *form,
                                     struct snap_stream **stream, struct snap_error *err);
/* The same for an operand and the options --stream, --kind and --form. */
enum snap_status cmd_rng_state(const struct cmd_rng_arguments *given, const char *path,
                               struct snap_stream **stream, struct snap_error *err);
/* A new stream of a kind that the user named: SNAP_INVALID, and the kinds there are, for another
 * name. */
enum snap_status cmd_rng_new(const char *kind, struct snap_stream **stream, struct snap_error *err);

/* ---- what is told: rng_write.c ---- */

/* The stream's state in the form --to, into the file --out or to stdout. With report->json the
 * result is made, which tells the content unless it went into a file. */
enum snap_status cmd_rng_write(const struct cmd_rng_arguments *given,
                               const struct snap_stream *stream, struct cmd_report *report,
                               struct snap_error *err);
/* The same without stdout and result, when there is an --out. */
enum snap_status cmd_rng_write_file(const struct cmd_rng_arguments *given,
                                    const struct snap_stream *stream, struct snap_error *err);

/* ---- the actions, each in a file of its name; rng_write.c has seed and convert ---- */

typedef enum snap_status cmd_rng_action(const struct cmd_rng_arguments *given,
                                        struct cmd_report *report, struct snap_error *err);

cmd_rng_action cmd_rng_seed, cmd_rng_draw, cmd_rng_show, cmd_rng_convert, cmd_rng_distance;

/* A whole number below 2^64 of decimal digits. */
bool cmd_rng_read_number(const char *text, uint64_t *value);

#endif
