/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a tree a value stands, what is left out there, and the wrapping of nodes. */
#include "config.h"

#include <stdio.h>

#include "core/text.h"
#include "foreign/foreign_tree_parts.h"

enum snap_status snap_foreign_tree_memory(const struct snap_foreign_tree *tree,
                                          struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", tree->source->name);
}

static const char *path_text(const struct snap_foreign_tree *tree)
{
    return tree->path.data != NULL ? (const char *)tree->path.data : "";
}

enum snap_status snap_foreign_enter(struct snap_foreign_tree *tree, const char *key, size_t size,
                                    size_t *before, struct snap_error *err)
{
    *before = tree->path.size;
    enum snap_status status =
        tree->path.size > 0 ? snap_buffer_append_text(&tree->path, ".", err) : SNAP_OK;
    return status == SNAP_OK ? snap_buffer_append(&tree->path, key, size, err) : status;
}

void snap_foreign_leave(struct snap_foreign_tree *tree, size_t before)
{
    tree->path.size = before;
    if (tree->path.data != NULL)
        tree->path.data[before] = '\0';
}

/* "root/path", for messages and gaps. */
void snap_foreign_place_text(const struct snap_foreign_tree *tree, char *text, size_t size)
{
    char clean[300];
    snap_text_clean(path_text(tree), clean, sizeof clean);
    snprintf(text, size, "%s%s%s", tree->root, clean[0] != '\0' ? "/" : "", clean);
}

/* The value at the path is left out: *node is NULL, and why is said. */
enum snap_status snap_foreign_leave_out(struct snap_foreign_tree *tree, const char *reason,
                                        json_t **node, struct snap_error *err)
{
    char place[400];
    snap_foreign_place_text(tree, place, sizeof place);
    *node = NULL;
    return snap_foreign_state_add_gap(tree->source->state, place, reason, err);
}

/* A failure that is the value's own leaves it out; others are the file's. */
enum snap_status snap_foreign_leave_out_with(struct snap_foreign_tree *tree,
                                             enum snap_status status,
                                             const struct snap_error *cause, json_t **node,
                                             struct snap_error *err)
{
    if (status == SNAP_UNSUPPORTED)
        return snap_foreign_leave_out(tree, cause->text, node, err);
    return snap_error_set(err, status, "%s: %s", tree->source->name, cause->text);
}

/* {type: inner}; `inner` is consumed. */
enum snap_status snap_foreign_wrap(const struct snap_foreign_tree *tree, const char *type,
                                   json_t *inner, json_t **node, struct snap_error *err)
{
    *node = json_pack("{s:o}", type, inner);
    return *node != NULL ? SNAP_OK : snap_foreign_tree_memory(tree, err);
}

/* {"map": [[tag, inner]]}; `inner` is a node, and consumed. */
enum snap_status snap_foreign_wrap_tagged(const struct snap_foreign_tree *tree, const char *tag,
                                          json_t *inner, json_t **node, struct snap_error *err)
{
    *node = json_pack("{s:[[s, o]]}", "map", tag, inner);
    return *node != NULL ? SNAP_OK : snap_foreign_tree_memory(tree, err);
}
