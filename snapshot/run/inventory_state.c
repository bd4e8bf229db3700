/* SPDX-License-Identifier: Apache-2.0 */
/* The document of an inventory's state: its roots as trees, their tensors in the storages that were
 * found, and the streams. */
#include "config.h"

#include <string.h>

#include "format/tree_codec.h"
#include "run/inventory.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "inventory: out of memory");
}

uint64_t snap_inventory_scalar_bits(const struct snap_inventory_scalar *scalar)
{
    uint64_t bits = 0;
    if (scalar->type == SNAP_VALUE_BOOL)
        bits = *(const bool *)scalar->value ? 1 : 0;
    else
        memcpy(&bits, scalar->value, sizeof bits);
    return bits;
}

void snap_inventory_scalar_set(const struct snap_inventory_scalar *scalar, uint64_t bits)
{
    if (scalar->type == SNAP_VALUE_BOOL)
        *(bool *)scalar->value = bits != 0;
    else
        memcpy(scalar->value, &bits, sizeof bits);
}

void snap_inventory_view(const struct snap_inventory *inventory,
                         const struct snap_inventory_tensor *tensor, struct snap_tensor_view *view)
{
    *view = (struct snap_tensor_view)SNAP_TENSOR_VIEW_INIT;
    view->dtype = tensor->dtype;
    view->ndim = tensor->ndim;
    memcpy(view->shape, tensor->shape, sizeof view->shape);
    if (inventory->storages[tensor->storage].packed)
        snap_c_order(tensor->ndim, tensor->shape, view->strides);
    else
        memcpy(view->strides, tensor->strides, sizeof view->strides);
    view->offset = tensor->offset;
    view->storage = (uint32_t)tensor->storage;
    view->requires_grad = tensor->requires_grad;
}

static struct snap_node *scalar_node(enum snap_value_type type, uint64_t bits)
{
    double real;
    switch (type) {
    case SNAP_VALUE_BOOL:
        return snap_node_new_bool(bits != 0);
    case SNAP_VALUE_INT64:
        return snap_node_new_int((int64_t)bits);
    default:
        memcpy(&real, &bits, sizeof real);
        return snap_node_new_float(real);
    }
}

/* A root that is a tree, in which views are those of the tensors in their storages. */
struct tree_root {
    const struct snap_inventory *inventory;
    const struct snap_inventory_root *root;
};

static void place_view(void *arg, size_t index, struct snap_tensor_view *view)
{
    const struct tree_root *tree = arg;
    struct snap_tensor_view placed;
    snap_inventory_view(tree->inventory,
                        &tree->inventory->tensors[tree->root->entries[index].index], &placed);
    view->storage = placed.storage;
    view->offset = placed.offset;
    memcpy(view->strides, placed.strides, sizeof view->strides);
}

static enum snap_status add_tree(const struct snap_inventory *inventory,
                                 const struct snap_inventory_root *root, struct snap_state_doc *doc,
                                 struct snap_error *err)
{
    struct tree_root tree = { inventory, root };
    struct snap_node *node = snap_node_copy(root->tree, place_view, &tree);
    return node == NULL ? no_memory(err) : snap_state_doc_add_root(doc, root->name, node, err);
}

static enum snap_status add_root(const struct snap_inventory *inventory,
                                 const struct snap_inventory_root *root, bool on_device,
                                 const uint64_t *scalars, struct snap_state_doc *doc,
                                 struct snap_error *err)
{
    if (root->tree != NULL)
        return add_tree(inventory, root, doc, err);
    struct snap_node *map = snap_node_new_map();
    if (map == NULL)
        return no_memory(err);
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < root->entry_count; i++) {
        size_t index = root->entries[i].index;
        if (root->entries[i].scalar) {
            const struct snap_inventory_scalar *scalar = &inventory->scalars[index];
            uint64_t bits = scalars != NULL ? scalars[index] : snap_inventory_scalar_bits(scalar);
            status = snap_node_set(map, scalar->name, scalar_node(scalar->type, bits), err);
        } else {
            const struct snap_inventory_tensor *tensor = &inventory->tensors[index];
            struct snap_tensor_view view;
            snap_inventory_view(inventory, tensor, &view);
            view.on_device = on_device && tensor->device.kind != SNAP_DEVICE_CPU;
            status = snap_node_set(map, tensor->name, snap_node_new_tensor(&view), err);
        }
    }
    if (status != SNAP_OK) {
        snap_node_free(map);
        return status;
    }
    return snap_state_doc_add_root(doc, root->name, map, err);
}

enum snap_status snap_inventory_state_doc(const struct snap_inventory *inventory,
                                          const char *profile, json_t *binding, json_t *training,
                                          const uint64_t *scalars, struct snap_state_doc *doc,
                                          struct snap_error *err)
{
    /* Where the next step is the same on every device, so is the state. */
    bool on_device = strcmp(profile, "portable-1") != 0;
    enum snap_status status = snap_state_doc_set(doc, profile, binding, training, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->root_count; i++)
        status = add_root(inventory, &inventory->roots[i], on_device, scalars, doc, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->storage_count; i++)
        status = snap_state_doc_add_storage(doc, inventory->storages[i].size, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++)
        status = snap_state_doc_add_stream(doc, inventory->streams[i].name,
                                           inventory->streams[i].kind, err);
    if (status == SNAP_OK)
        status = snap_state_doc_finish(doc, err);
    if (status != SNAP_OK)
        snap_state_doc_release(doc);
    return status;
}
