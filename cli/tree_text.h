/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of a state, for people. */
#ifndef CMD_TREE_TEXT_H
#define CMD_TREE_TEXT_H

#include <snapstate/archive.h>

/* Print every root: maps and lists indented, tensors with dtype, shape and member. SNAP_NO_MEMORY:
 * the rest is not printed. */
enum snap_status cmd_print_tree(const struct snap_archive *archive, struct snap_error *err);

#endif
