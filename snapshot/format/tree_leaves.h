/* SPDX-License-Identifier: Apache-2.0 */
/* The leaves of a tree by their names: tensors and plain values as "ROOT/KEY.KEY". */
#ifndef SNAP_TREE_LEAVES_H
#define SNAP_TREE_LEAVES_H

#include <stddef.h>

#include <jansson.h>

#include "format/state_json.h"

struct snap_leaf {
    char *path;
    const struct snap_node *node; /* borrowed from the document; an empty list or map is a leaf */
    size_t nth; /* of those of its path: a key with a dot, or "1" beside 1, makes more than one */
};

struct snap_leaves {
    struct snap_leaf *list; /* in the order of the tree */
    size_t count;
    json_t *index; /* path -> place in the list, or an array of places where several have it */
};
#define SNAP_LEAVES_INIT                                                                           \
    {                                                                                              \
        NULL, 0, NULL                                                                              \
    }

/* *leaves must be empty, and is released by the caller whatever the answer. */
enum snap_status snap_leaves_find_all(const struct snap_state_doc *doc, struct snap_leaves *leaves,
                                      struct snap_error *err);
/* The nth leaf of that path, from 0, in the order of the tree; NULL when there is none. */
const struct snap_leaf *snap_leaves_get(const struct snap_leaves *leaves, const char *path,
                                        size_t nth);
void snap_leaves_release(struct snap_leaves *leaves);

#endif
