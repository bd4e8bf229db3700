/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "format/tree_codec.h"
#include "format/tree_node.h"

struct copying {
    snap_view_place *place;
    void *arg;
    size_t tensors; /* met so far */
};

static struct snap_node *copy_leaf(const struct snap_node *node, struct copying *copying)
{
    struct snap_tensor_view view;
    switch (node->type) {
    case SNAP_NODE_NULL:
        return snap_node_new_null();
    case SNAP_NODE_BOOL:
        return snap_node_new_bool(node->as.boolean);
    case SNAP_NODE_FLOAT: {
        double value;
        memcpy(&value, &node->as.float_bits, sizeof value);
        return snap_node_new_float(value);
    }
    case SNAP_NODE_STRING:
        return snap_node_new_string(node->as.string);
    case SNAP_NODE_BYTES:
        return snap_node_new_bytes(node->as.bytes.data, node->as.bytes.size_bytes);
    case SNAP_NODE_TENSOR:
        view = *node->as.view;
        copying->place(copying->arg, copying->tensors++, &view);
        return snap_node_new_tensor(&view);
    default: /* SNAP_NODE_INT */
        if (node->as.integer.digits != NULL)
            return snap_node_new_digits(node->as.integer.digits);
        if (!node->as.integer.negative)
            return snap_node_new_uint(node->as.integer.magnitude);
        return snap_node_new_int((int64_t)(0 - node->as.integer.magnitude));
    }
}

/* Depth is bounded by the reader of the text that the tree came from. */
static struct snap_node *copy(const struct snap_node *node, struct copying *copying)
{
    if (node->type != SNAP_NODE_LIST && node->type != SNAP_NODE_MAP)
        return copy_leaf(node, copying);
    struct snap_node *made =
        node->type == SNAP_NODE_LIST ? snap_node_new_list() : snap_node_new_map();
    for (size_t i = 0; made != NULL && i < node->as.children.count; i++) {
        const struct snap_entry *entry = &node->as.children.entries[i];
        if (snap_node_insert(made, entry->key, copy(entry->value, copying), NULL) != SNAP_OK) {
            snap_node_free(made);
            return NULL;
        }
    }
    return made;
}

struct snap_node *snap_node_copy(const struct snap_node *node, snap_view_place *place, void *arg)
{
    struct copying copying = { place, arg, 0 };
    return copy(node, &copying);
}
