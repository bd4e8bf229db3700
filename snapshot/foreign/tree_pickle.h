/* SPDX-License-Identifier: Apache-2.0 */
/* A tree of an archive as a pickle of Python's own types: the way back from foreign_tree.c. */
#ifndef SNAP_FOREIGN_TREE_PICKLE_H
#define SNAP_FOREIGN_TREE_PICKLE_H

#include <stdbool.h>

#include <snapstate/status.h>
#include <snapstate/tree.h>

#include "core/buffer.h"
#include "foreign/pickle_writer.h"

struct snap_tree_pickle {
    struct snap_pickle_writer *writer;
    /* Push a tensor of torch's, or an array of NumPy's. */
    enum snap_status (*put_tensor)(void *arg, const struct snap_tensor_view *view, bool is_array,
                                   struct snap_error *err);
    void *arg;
    const char *root;            /* its name, for `left_out` */
    struct snap_buffer path;     /* to the node under way */
    struct snap_buffer left_out; /* a line for each value that has no form; None stands there */
};

/* Push the value of a node. */
enum snap_status snap_tree_pickle_put(struct snap_tree_pickle *tree, const struct snap_node *node,
                                      struct snap_error *err);
/* Say that what is at the path is left out. */
enum snap_status snap_tree_pickle_leave_out(struct snap_tree_pickle *tree, const char *reason,
                                            struct snap_error *err);

#endif
