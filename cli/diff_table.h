/* SPDX-License-Identifier: Apache-2.0 */
/* Differences for people: a table for each kind, the largest difference first. */
#ifndef CMD_DIFF_TABLE_H
#define CMD_DIFF_TABLE_H

#include <jansson.h>

#include <snapstate/status.h>

/* Print a document of schema/diff.schema.json. SNAP_NO_MEMORY: some of it may have been printed. */
enum snap_status cmd_print_diff(const json_t *document, struct snap_error *err);

#endif
