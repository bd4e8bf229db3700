/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of a state, for people. */
#ifndef CMD_TREE_TEXT_H
#define CMD_TREE_TEXT_H

#include <snapstate/archive.h>

/* Print every root: maps and lists indented, tensors with dtype, shape and storage. */
void cmd_print_tree(const struct snap_archive *archive);

#endif
