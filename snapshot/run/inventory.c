/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory when all is registered: which tensors share memory, and what the members are. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "format/member_name.h"
#include "run/inventory.h"
#include "save/device_mirror.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "inventory: out of memory");
}

void snap_inventory_release_storages(struct snap_inventory *inventory)
{
    snap_mirrors_release(inventory);
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

void snap_inventory_tensor_release(struct snap_inventory_tensor *tensor)
{
    free(tensor->name);
    free(tensor->before);
}

void snap_inventory_root_release(struct snap_inventory_root *root)
{
    free(root->name);
    free(root->entries);
    snap_node_free(root->tree);
}

void snap_inventory_release(struct snap_inventory *inventory)
{
    snap_inventory_release_storages(inventory);
    for (size_t i = 0; i < inventory->root_count; i++)
        snap_inventory_root_release(&inventory->roots[i]);
    for (size_t i = 0; i < inventory->tensor_count; i++)
        snap_inventory_tensor_release(&inventory->tensors[i]);
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

/* A tensor's memory. */
struct range {
    uintptr_t begin;
    uintptr_t end;
    size_t tensor;
};

/* Tensors that share a storage. */
struct group {
    uintptr_t begin;
    uintptr_t end;
    size_t members;
    bool packed;
    size_t storage; /* SIZE_MAX until a tensor of it was met in the tree */
};

/* All of that, of an inventory. */
struct grouping {
    const struct snap_inventory *inventory;
    struct range *ranges; /* sorted by begin */
    struct group *groups;
    size_t group_count;
    size_t *group_of; /* of each tensor */
};

static int compare_ranges(const void *left, const void *right)
{
    const struct range *a = left;
    const struct range *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return a->tensor < b->tensor ? -1 : a->tensor > b->tensor;
}

/* Which bytes of overlapping tensors are an element of one: a bit for each `unit` bytes. */
struct cover {
    unsigned char *bits;
    uintptr_t begin;
    size_t unit;    /* divides every element's size and place */
    uint64_t taken; /* bits set */
};

static size_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return (size_t)a;
}

/* Visit the elements of a tensor, which has some. With `take`, set their bits; without, tell
 * whether one of the bits is set. */
static bool visit_elements(struct cover *cover, const struct snap_inventory_tensor *tensor,
                           bool take)
{
    uint64_t index[SNAP_MAX_DIMS] = { 0 };
    uint64_t units = snap_dtype_size_bytes(tensor->dtype) / cover->unit;
    uint64_t at = ((uintptr_t)tensor->data - cover->begin) / cover->unit;
    for (;;) {
        for (uint64_t i = at; i < at + units; i++) {
            unsigned char bit = (unsigned char)(1u << (i % 8));
            bool set = (cover->bits[i / 8] & bit) != 0;
            if (set && !take)
                return true;
            if (!set && take) {
                cover->bits[i / 8] |= bit;
                cover->taken++;
            }
        }
        size_t dim = tensor->ndim;
        for (;;) {
            if (dim == 0)
                return false;
            dim--;
            if (tensor->strides[dim] == 0) /* the same elements again */
                continue;
            at += tensor->strides[dim] * units;
            if (++index[dim] < tensor->shape[dim])
                break;
            at -= tensor->shape[dim] * tensor->strides[dim] * units;
            index[dim] = 0;
        }
    }
}

static bool same_view(const struct snap_inventory_tensor *a, const struct snap_inventory_tensor *b)
{
    return a->data == b->data && a->dtype == b->dtype && a->ndim == b->ndim &&
           memcmp(a->shape, b->shape, a->ndim * sizeof *a->shape) == 0 &&
           memcmp(a->strides, b->strides, a->ndim * sizeof *a->strides) == 0;
}

/* The first of the `count` ranges that is the same view as range `at`. */
static size_t first_alike(const struct grouping *grouping, const struct range *ranges, size_t at)
{
    const struct snap_inventory_tensor *tensors = grouping->inventory->tensors;
    size_t first = at;
    for (size_t i = at; i-- > 0 && ranges[i].begin == ranges[at].begin;)
        if (same_view(&tensors[ranges[i].tensor], &tensors[ranges[at].tensor]))
            first = i;
    return first;
}

/* Give every view among `count` ranges a group of its own. */
static void split_group(struct grouping *grouping, const struct range *ranges, size_t count)
{
    struct group *whole = &grouping->groups[grouping->group_of[ranges[0].tensor]];
    for (size_t i = 0; i < count; i++) {
        size_t first = first_alike(grouping, ranges, i);
        size_t *group_of = &grouping->group_of[ranges[i].tensor];
        struct group made = { .begin = ranges[i].begin,
                              .end = ranges[i].end,
                              .packed = !grouping->inventory->tensors[ranges[i].tensor].dense,
                              .storage = SIZE_MAX };
        if (i == 0) {
            *whole = made;
        } else if (first == i) {
            *group_of = grouping->group_count++;
            grouping->groups[*group_of] = made;
        } else {
            *group_of = grouping->group_of[ranges[first].tensor];
        }
        grouping->groups[*group_of].members++;
    }
}

/* The `count` ranges of a group, of which none fills it. Between their elements may lie bytes that
 * nobody registered, which must not be saved, nor written by a restore: then each view is saved by
 * itself, packed, when no two share an element. */
static enum snap_status settle_gaps(struct grouping *grouping, const struct range *ranges,
                                    size_t count, struct snap_error *err)
{
    const struct snap_inventory *inventory = grouping->inventory;
    const struct group *group = &grouping->groups[grouping->group_of[ranges[0].tensor]];
    struct cover cover = { .begin = group->begin };
    size_t shared = SIZE_MAX;
    uint64_t divisor = 0;
    for (size_t i = 0; i < count; i++) {
        const struct snap_inventory_tensor *tensor = &inventory->tensors[ranges[i].tensor];
        divisor = common_divisor(divisor, snap_dtype_size_bytes(tensor->dtype));
        divisor = common_divisor(divisor, ranges[i].begin - group->begin);
    }
    cover.unit = (size_t)divisor;
    uint64_t units = (group->end - group->begin) / cover.unit;
    cover.bits = calloc((size_t)(units / 8 + 1), 1);
    if (cover.bits == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        const struct snap_inventory_tensor *tensor = &inventory->tensors[ranges[i].tensor];
        if (first_alike(grouping, ranges, i) != i)
            continue;
        if (visit_elements(&cover, tensor, false))
            shared = ranges[i].tensor;
        visit_elements(&cover, tensor, true);
    }
    free(cover.bits);
    if (cover.taken == units)
        return SNAP_OK;
    if (shared != SIZE_MAX)
        return snap_error_set(err, SNAP_INVALID,
                              "tensor %s/%s: share memory with others: they have elements in "
                              "common, and between them lies memory that is registered with none: "
                              "register the whole of it as one tensor too",
                              inventory->roots[inventory->tensors[shared].root].name,
                              inventory->tensors[shared].name);
    split_group(grouping, ranges, count);
    return SNAP_OK;
}

/* Does one dense tensor fill the group, or is every one dense? Then no byte of it is a gap. */
static bool is_filled(const struct grouping *grouping, const struct range *ranges, size_t count)
{
    const struct group *group = &grouping->groups[grouping->group_of[ranges[0].tensor]];
    bool all_dense = true;
    for (size_t i = 0; i < count; i++) {
        bool dense = grouping->inventory->tensors[ranges[i].tensor].dense;
        if (dense && ranges[i].begin == group->begin && ranges[i].end == group->end)
            return true;
        all_dense = all_dense && dense;
    }
    return all_dense;
}

/* groups[group_of[t]] for each tensor t. Empty tensors have a group of their own each. */
static enum snap_status find_groups(struct grouping *grouping, struct snap_error *err)
{
    const struct snap_inventory *inventory = grouping->inventory;
    struct range *ranges = grouping->ranges;
    struct group *groups = grouping->groups;
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
            groups[count++] = (struct group){ .begin = range->begin,
                                              .end = range->end,
                                              .members = 1,
                                              .packed = !inventory->tensors[range->tensor].dense,
                                              .storage = SIZE_MAX };
        }
        grouping->group_of[range->tensor] = count - 1;
    }
    grouping->group_count = count;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0, members; status == SNAP_OK && i < inventory->tensor_count; i += members) {
        struct group *group = &groups[grouping->group_of[ranges[i].tensor]];
        members = group->members;
        if (members == 1)
            continue;
        group->packed = false;
        if (!is_filled(grouping, &ranges[i], members))
            status = settle_gaps(grouping, &ranges[i], members, err);
    }
    return status;
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
        storage->packed = group->packed;
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
    struct grouping grouping = { .inventory = inventory };
    enum snap_status status = SNAP_OK;
    grouping.ranges = calloc(count, sizeof *grouping.ranges);
    grouping.groups = calloc(count, sizeof *grouping.groups);
    grouping.group_of = calloc(count, sizeof *grouping.group_of);
    inventory->storages = calloc(count, sizeof *inventory->storages);
    if (grouping.ranges == NULL || grouping.groups == NULL || grouping.group_of == NULL ||
        inventory->storages == NULL)
        status = no_memory(err);
    else
        status = find_groups(&grouping, err);
    for (size_t r = 0; status == SNAP_OK && r < inventory->root_count; r++) {
        const struct snap_inventory_root *root = &inventory->roots[r];
        for (size_t e = 0; status == SNAP_OK && e < root->entry_count; e++) {
            size_t index = root->entries[e].index;
            if (!root->entries[e].scalar)
                status =
                    place_tensor(inventory, index, &grouping.groups[grouping.group_of[index]], err);
        }
    }
    free(grouping.ranges);
    free(grouping.groups);
    free(grouping.group_of);
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
    for (size_t i = 0; i < inventory->tensor_count; i++)
        inventory->tensors[i].data = inventory->tensors[i].memory;
    enum snap_status status = place_tensors(inventory, err);
    if (status == SNAP_OK)
        status =
            snap_inventory_state_doc(inventory, "none", NULL, NULL, NULL, &inventory->doc, err);
    if (status == SNAP_OK)
        status = name_members(inventory, err);
    if (status == SNAP_OK)
        status = snap_mirrors_make(inventory, err);
    if (status != SNAP_OK)
        snap_inventory_release_storages(inventory);
    inventory->frozen = status == SNAP_OK;
    return status;
}
