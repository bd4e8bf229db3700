/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory when all is registered: which tensors share memory, and what the members are. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "format/member_name.h"
#include "inventory.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "inventory: out of memory");
}

static void release_storages(struct snap_inventory *inventory)
{
    for (size_t i = 0; inventory->storages != NULL && i < inventory->storage_count; i++)
        free(inventory->storages[i].part_names);
    free(inventory->storages);
    free(inventory->storage_order);
    free(inventory->stream_order);
    snap_state_doc_release(&inventory->doc);
    inventory->storages = NULL;
    inventory->storage_count = 0;
    inventory->storage_order = NULL;
    inventory->stream_order = NULL;
    inventory->doc = (struct snap_state_doc)SNAP_STATE_DOC_INIT;
}

void snap_inventory_release(struct snap_inventory *inventory)
{
    release_storages(inventory);
    for (size_t i = 0; i < inventory->root_count; i++) {
        free(inventory->roots[i].name);
        free(inventory->roots[i].entries);
    }
    for (size_t i = 0; i < inventory->tensor_count; i++) {
        free(inventory->tensors[i].name);
        free(inventory->tensors[i].before);
    }
    for (size_t i = 0; i < inventory->scalar_count; i++)
        free(inventory->scalars[i].name);
    for (size_t i = 0; i < inventory->stream_count; i++) {
        struct snap_inventory_stream *stream = &inventory->streams[i];
        free(stream->name);
        free(stream->member);
        free(stream->kind);
        free(stream->before);
        free(stream->restored);
    }
    for (size_t i = 0; i < inventory->value_count; i++) {
        free(inventory->values[i].name);
        free(inventory->values[i].member);
    }
    for (size_t i = 0; i < inventory->gap_count; i++) {
        free(inventory->gaps[i].name);
        free(inventory->gaps[i].reason);
    }
    free(inventory->roots);
    free(inventory->tensors);
    free(inventory->scalars);
    free(inventory->streams);
    free(inventory->values);
    free(inventory->gaps);
    json_decref(inventory->names);
    *inventory = (struct snap_inventory)SNAP_INVENTORY_INIT;
}

/* A tensor's memory, and the group of overlapping ones that it falls into. */
struct range {
    uintptr_t begin;
    uintptr_t end;
    size_t tensor;
    size_t group;
};

struct group {
    uintptr_t begin;
    uintptr_t end;
    size_t members;
    size_t storage; /* SIZE_MAX until a tensor of it was met in the tree */
};

static int compare_ranges(const void *left, const void *right)
{
    const struct range *a = left;
    const struct range *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return a->tensor < b->tensor ? -1 : a->tensor > b->tensor;
}

/* groups[group_of[t]] for each tensor t. Empty tensors have a group of their own each. */
static size_t find_groups(const struct snap_inventory *inventory, struct range *ranges,
                          struct group *groups, size_t *group_of)
{
    for (size_t i = 0; i < inventory->tensor_count; i++) {
        const struct snap_inventory_tensor *tensor = &inventory->tensors[i];
        ranges[i].begin = tensor->extent_bytes == 0 ? 0 : (uintptr_t)tensor->data;
        ranges[i].end = ranges[i].begin + (uintptr_t)tensor->extent_bytes;
        ranges[i].tensor = i;
    }
    qsort(ranges, inventory->tensor_count, sizeof *ranges, compare_ranges);
    size_t count = 0;
    for (size_t i = 0; i < inventory->tensor_count; i++) {
        const struct range *range = &ranges[i];
        if (count > 0 && range->begin < groups[count - 1].end && range->begin < range->end) {
            struct group *group = &groups[count - 1];
            group->members++;
            if (range->end > group->end)
                group->end = range->end;
        } else {
            groups[count++] = (struct group){ range->begin, range->end, 1, SIZE_MAX };
        }
        group_of[range->tensor] = count - 1;
    }
    return count;
}

/* Give tensor `index` its place in a storage, a new one when its group has none yet. */
static enum snap_status place_tensor(struct snap_inventory *inventory, size_t index,
                                     struct group *group, struct snap_error *err)
{
    struct snap_inventory_tensor *tensor = &inventory->tensors[index];
    size_t element_bytes = snap_dtype_size_bytes(tensor->dtype);
    if (group->storage == SIZE_MAX) {
        struct snap_inventory_storage *storage = &inventory->storages[inventory->storage_count];
        storage->tensor = index;
        storage->packed = group->members == 1 && !tensor->dense;
        storage->size = storage->packed ? tensor->elements * element_bytes
                                        : (uint64_t)(group->end - group->begin);
        storage->base = storage->packed || storage->size == 0
                            ? NULL
                            : tensor->data - ((uintptr_t)tensor->data - group->begin);
        group->storage = inventory->storage_count++;
    }
    const struct snap_inventory_storage *storage = &inventory->storages[group->storage];
    tensor->storage = group->storage;
    tensor->offset = 0;
    if (storage->base != NULL) {
        uint64_t bytes = (uint64_t)(tensor->data - storage->base);
        if (bytes % element_bytes != 0)
            return snap_error_set(err, SNAP_INVALID,
                                  "tensor %s/%s: share memory with %s/%s: it "
                                  "begins %llu bytes after it, which is no whole number of its "
                                  "elements",
                                  inventory->roots[tensor->root].name, tensor->name,
                                  inventory->roots[inventory->tensors[storage->tensor].root].name,
                                  inventory->tensors[storage->tensor].name,
                                  (unsigned long long)bytes);
        tensor->offset = bytes / element_bytes;
    }
    return SNAP_OK;
}

static enum snap_status place_tensors(struct snap_inventory *inventory, struct snap_error *err)
{
    size_t count = inventory->tensor_count;
    if (count == 0)
        return SNAP_OK;
    struct range *ranges = calloc(count, sizeof *ranges);
    struct group *groups = calloc(count, sizeof *groups);
    size_t *group_of = calloc(count, sizeof *group_of);
    enum snap_status status = SNAP_OK;
    inventory->storages = calloc(count, sizeof *inventory->storages);
    if (ranges == NULL || groups == NULL || group_of == NULL || inventory->storages == NULL)
        status = no_memory(err);
    else
        find_groups(inventory, ranges, groups, group_of);
    for (size_t r = 0; status == SNAP_OK && r < inventory->root_count; r++) {
        const struct snap_inventory_root *root = &inventory->roots[r];
        for (size_t e = 0; status == SNAP_OK && e < root->entry_count; e++) {
            size_t index = root->entries[e].index;
            if (!root->entries[e].scalar)
                status = place_tensor(inventory, index, &groups[group_of[index]], err);
        }
    }
    free(ranges);
    free(groups);
    free(group_of);
    return status;
}

/* Take the members' names from the document. */
static enum snap_status name_members(struct snap_inventory *inventory, struct snap_error *err)
{
    inventory->storage_order = calloc(inventory->storage_count + 1, sizeof(size_t));
    inventory->stream_order = calloc(inventory->stream_count + 1, sizeof(size_t));
    if (inventory->storage_order == NULL || inventory->stream_order == NULL)
        return no_memory(err);
    for (size_t i = 0; i < inventory->storage_count; i++) {
        struct snap_inventory_storage *storage = &inventory->storages[i];
        storage->member = inventory->doc.storages[i].member;
        storage->label = inventory->doc.storages[i].label;
        storage->part_count = snap_storage_part_count(storage->size);
        storage->part_names = calloc(storage->part_count, sizeof *storage->part_names);
        if (storage->part_names == NULL)
            return no_memory(err);
        for (size_t part = 0; part < storage->part_count; part++)
            snap_storage_part_name(storage->member, storage->part_count, part,
                                   storage->part_names[part]);
        inventory->total_bytes += storage->size;
    }
    for (size_t i = 0; i < inventory->value_count; i++)
        inventory->total_bytes += inventory->values[i].size;
    snap_state_doc_file_order(&inventory->doc, inventory->storage_order);
    for (size_t i = 0; i < inventory->stream_count; i++) {
        size_t at = 0;
        while (strcmp(inventory->streams[at].name, inventory->doc.streams[i].name) != 0)
            at++;
        inventory->stream_order[i] = at;
    }
    return SNAP_OK;
}

enum snap_status snap_inventory_freeze(struct snap_inventory *inventory, struct snap_error *err)
{
    if (inventory->frozen)
        return SNAP_OK;
    inventory->total_bytes = 0;
    enum snap_status status = place_tensors(inventory, err);
    if (status == SNAP_OK)
        status =
            snap_inventory_state_doc(inventory, "none", NULL, NULL, NULL, &inventory->doc, err);
    if (status == SNAP_OK)
        status = name_members(inventory, err);
    if (status != SNAP_OK)
        release_storages(inventory);
    inventory->frozen = status == SNAP_OK;
    return status;
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

static enum snap_status add_root(const struct snap_inventory *inventory,
                                 const struct snap_inventory_root *root, const uint64_t *scalars,
                                 struct snap_state_doc *doc, struct snap_error *err)
{
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
    enum snap_status status = snap_state_doc_set(doc, profile, binding, training, err);
    for (size_t i = 0; status == SNAP_OK && i < inventory->root_count; i++)
        status = add_root(inventory, &inventory->roots[i], scalars, doc, err);
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
