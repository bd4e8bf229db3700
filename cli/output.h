/* SPDX-License-Identifier: Apache-2.0 */
/* What a command says: text for people or one JSON document on stdout, one line on stderr. */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/group.h>
#include <snapstate/status.h>

#include "exit_code.h"

/* What a command reports beside its status. */
struct cmd_report {
    bool json;      /* --json: print nothing to stdout, fill `result` */
    json_t *result; /* an object, or NULL: nothing was found out. Owned by the report */
    bool stopped;   /* a signal stopped the training, after a durable snapshot */
    struct snap_group *group; /* the ranks that do this together; NULL: this process alone */
};

/* Does another rank tell what there is to tell? */
bool cmd_is_silent(const struct cmd_report *report, enum snap_status status);

/* Open /dev/null for each of the descriptors 0, 1, 2 that is closed, so that no file of ours gets
 * its number; writing to a stdout that was closed still fails. */
enum snap_status cmd_standard_files(struct snap_error *err);

/* ---- text for people, to stdout ---- */

/* Print a line; the newline is added. Control characters, and bytes that are no UTF-8, are shown as
 * \xHH: names come from archives and file systems, and must not speak to a terminal. */
void cmd_print_line(const char *format, ...) SNAP_PRINTF(1, 2);
/* The same in two columns: `label`, padded, and a value. */
void cmd_print_field(const char *label, const char *format, ...) SNAP_PRINTF(2, 3);
/* Lines that the library has laid out, each treated like that. */
void cmd_print_text(const char *text);
/* A number of bytes for people ("12.4 MiB"), in `text`, which is returned. */
#define CMD_SIZE_TEXT_BYTES 32
const char *cmd_size_text(uint64_t bytes, char text[CMD_SIZE_TEXT_BYTES]);
/* "s" unless count is 1. */
const char *cmd_plural(uint64_t count);

/* ---- and to stderr ---- */

/* A warning, when volumes of a file that was replaced could not be removed: the status of
 * `left_over` is not SNAP_OK then. */
void cmd_warn_left_over(const struct snap_error *left_over);

/* ---- JSON ---- */

/* Values for json_pack's "o": integers past 2^53 as decimal strings, floats as their bits in hex,
 * strings whose bytes are not UTF-8 with U+FFFD in their place (NULL and "": null). NULL when
 * memory is out, which json_pack passes on. */
json_t *cmd_json_uint(uint64_t value);
json_t *cmd_json_f32(float value);
json_t *cmd_json_f64(double value);
json_t *cmd_json_text(const char *text);
/* A document of the library as a value. */
json_t *cmd_json_parse(const char *text);
/* Make `result` the report's; NULL: SNAP_NO_MEMORY. */
enum snap_status cmd_report_set(struct cmd_report *report, json_t *result, struct snap_error *err);

/* A verdict as text, or as the report's result; NULL: there is none. `extra`: members that the
 * result has beside the verdict's, borrowed; NULL: none. Returns `status`, unless it is SNAP_OK and
 * there is no memory. */
struct snap_verdict;
enum snap_status cmd_report_verdict(struct cmd_report *report, const struct snap_verdict *verdict,
                                    json_t *extra, enum snap_status status,
                                    struct snap_error *err);

/* ---- the end ---- */

/* Print what is left to print, on the rank that tells it: the line on stderr, and the JSON
 * document; then make sure that stdout took everything. `command` is NULL when there was none.
 * Returns the exit status. */
enum cmd_exit cmd_finish(const char *command, struct cmd_report *report, enum snap_status status,
                         const struct snap_error *err);

#endif
