/* SPDX-License-Identifier: Apache-2.0 */
/* Roots that are set as whole trees, and again whenever they have changed: for callers whose state
 * has another shape from one moment to the next. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "format/json_canonical.h"
#include "format/member_name.h"
#include "format/tree_codec.h"
#include "run/run_internal.h"

static enum snap_status no_memory(const char *root, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "tree %s: set: out of memory", root);
}

/* The tensors of a tree on their way into an inventory. */
struct gathering {
    const char *root;
    size_t root_index;
    const struct snap_tree_memory *memory;
    size_t memory_count;
    struct snap_inventory_tensor *tensors;
    size_t count;
    size_t capacity;
    json_t *paths;
};

static enum snap_status count_tensor(void *arg, const char *path,
                                     const struct snap_tensor_view *view, struct snap_error *err)
{
    (void)path;
    (void)view;
    (void)err;
    (*(size_t *)arg)++;
    return SNAP_OK;
}

static enum snap_status gather_tensor(void *arg, const char *path,
                                      const struct snap_tensor_view *view, struct snap_error *err)
{
    struct gathering *gathering = arg;
    struct snap_inventory_tensor *tensor = &gathering->tensors[gathering->count];
    if (view->storage >= gathering->memory_count || view->offset != 0)
        return snap_error_set(err, SNAP_INVALID,
                              "tree %s: set: tensor %.300s: its storage is the index of one of the "
                              "%zu memories given, and its offset 0",
                              gathering->root, path, gathering->memory_count);
    if (json_object_get(gathering->paths, path) != NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "tree %s: set: two tensors have the path %.300s: a key with a dot in "
                              "it and a nested one look alike",
                              gathering->root, path);
    const struct snap_tree_memory *memory = &gathering->memory[view->storage];
    *tensor = (struct snap_inventory_tensor){ .root = gathering->root_index,
                                              .memory = memory->data,
                                              .data = memory->data,
                                              .dtype = view->dtype,
                                              .ndim = view->ndim,
                                              .requires_grad = view->requires_grad,
                                              .changes_in_forward = memory->changes_in_forward };
    memcpy(tensor->shape, view->shape, sizeof tensor->shape);
    memcpy(tensor->strides, view->strides, sizeof tensor->strides);
    enum snap_status status = snap_inventory_tensor_measure(tensor, path, err);
    if (status == SNAP_OK && tensor->elements > 0 && tensor->data == NULL)
        status = snap_error_set(err, SNAP_INVALID, "tree %s: set: tensor %.300s: its data is NULL",
                                gathering->root, path);
    if (status != SNAP_OK)
        return status;
    tensor->name = strdup(path);
    if (tensor->name == NULL)
        return no_memory(gathering->root, err);
    gathering->count++;
    if (json_object_set_new(gathering->paths, path, json_true()) != 0)
        return no_memory(gathering->root, err);
    return SNAP_OK;
}

/* Room in `next` for the roots and tensors of `now` without those of root `at`, and `spare` tensors
 * more. Names and trees of the other roots are borrowed from `now`. */
static enum snap_status keep_others(const struct snap_inventory *now, size_t at, size_t spare,
                                    struct snap_inventory *next, struct snap_error *err)
{
    *next = *now;
    next->frozen = false;
    next->storages = NULL;
    next->storage_count = 0;
    next->storage_order = NULL;
    next->stream_order = NULL;
    next->doc = (struct snap_state_doc)SNAP_STATE_DOC_INIT;
    next->tensor_count = 0;
    next->tensors = calloc(now->tensor_count + spare + 1, sizeof *next->tensors);
    next->roots = calloc(now->root_count + 1, sizeof *next->roots);
    size_t *moved = calloc(now->tensor_count + 1, sizeof *moved);
    enum snap_status status = SNAP_OK;
    if (next->tensors == NULL || next->roots == NULL || moved == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "tree: set: out of memory");
    for (size_t i = 0; status == SNAP_OK && i < now->tensor_count; i++) {
        moved[i] = next->tensor_count;
        if (now->tensors[i].root != at)
            next->tensors[next->tensor_count++] = now->tensors[i];
    }
    for (size_t r = 0; status == SNAP_OK && r < now->root_count; r++) {
        struct snap_inventory_root *root = &next->roots[r];
        *root = now->roots[r];
        root->entries = calloc(root->entry_count + spare + 1, sizeof *root->entries);
        if (root->entries == NULL)
            status = snap_error_set(err, SNAP_NO_MEMORY, "tree: set: out of memory");
        for (size_t e = 0; root->entries != NULL && e < root->entry_count; e++) {
            root->entries[e] = now->roots[r].entries[e];
            if (!root->entries[e].scalar)
                root->entries[e].index = moved[root->entries[e].index];
        }
    }
    free(moved);
    return status;
}

/* Release what `next` has of its own, and `tensors` of it that are new. */
static void give_up(struct snap_inventory *next, const struct gathering *gathering)
{
    snap_inventory_release_storages(next);
    for (size_t i = 0; i < gathering->count; i++)
        snap_inventory_tensor_release(&gathering->tensors[i]);
    for (size_t r = 0; next->roots != NULL && r < next->root_count; r++)
        free(next->roots[r].entries);
    free(next->roots);
    free(next->tensors);
}

static bool same_tensor(const struct snap_inventory_tensor *a,
                        const struct snap_inventory_tensor *b)
{
    return a->memory == b->memory && a->dtype == b->dtype && a->ndim == b->ndim &&
           memcmp(a->shape, b->shape, a->ndim * sizeof *a->shape) == 0 &&
           strcmp(a->name, b->name) == 0;
}

/* What begin_step kept of a tensor stays with the same tensor. */
static void hand_over(struct snap_inventory_tensor *old, const struct gathering *gathering)
{
    for (size_t i = 0; old->before != NULL && i < gathering->count; i++) {
        struct snap_inventory_tensor *made = &gathering->tensors[i];
        if (made->changes_in_forward && made->before == NULL && same_tensor(old, made)) {
            made->before = old->before;
            old->before = NULL;
        }
    }
}

/* `next` takes the place of `now`. */
static void replace(struct snap_inventory *now, struct snap_inventory *next, size_t at,
                    const struct gathering *gathering)
{
    for (size_t i = 0; i < now->tensor_count; i++) {
        struct snap_inventory_tensor *old = &now->tensors[i];
        if (old->root != at)
            continue;
        hand_over(old, gathering);
        snap_inventory_tensor_release(old);
    }
    snap_inventory_release_storages(now);
    for (size_t r = 0; r < now->root_count; r++)
        free(now->roots[r].entries);
    if (at < now->root_count)
        snap_node_free(now->roots[at].tree);
    free(now->roots);
    free(now->tensors);
    *now = *next;
}

/* Find the root, and whether a tree may be set there. *at: root_count when there is none yet. */
static enum snap_status find_root(const struct snap_inventory *inventory, const char *root,
                                  size_t *at, struct snap_error *err)
{
    *at = 0;
    while (*at < inventory->root_count && strcmp(inventory->roots[*at].name, root) != 0)
        ++*at;
    if (*at < inventory->root_count && inventory->roots[*at].tree == NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "tree %s: set: tensors or scalars were registered there one by one",
                              root);
    return SNAP_OK;
}

static enum snap_status parse(const char *root, const char *text, struct snap_node **node,
                              struct snap_error *err)
{
    json_t *value = NULL;
    struct snap_error cause = SNAP_ERROR_INIT;
    enum snap_status status = snap_json_parse(text, root, &value, err);
    if (status != SNAP_OK)
        return status;
    status = snap_node_decode(value, root, node, &cause);
    json_decref(value);
    if (status == SNAP_CORRUPT)
        return snap_error_set(err, SNAP_INVALID, "tree: set: %.900s", cause.text);
    if (status != SNAP_OK && err != NULL)
        *err = cause;
    return status;
}

/* Put the tree into the copy of the inventory, as its root `at`; `node` is borrowed. */
static enum snap_status put_tree(struct snap_inventory *next, const char *root, size_t at,
                                 struct snap_node *node, struct gathering *gathering,
                                 struct snap_error *err)
{
    struct snap_inventory_root *place = &next->roots[at];
    if (at == next->root_count) {
        place->name = strdup(root);
        place->entries = calloc(gathering->capacity + 1, sizeof *place->entries);
        next->root_count++;
        if (place->name == NULL || place->entries == NULL)
            return no_memory(root, err);
    }
    gathering->tensors = &next->tensors[next->tensor_count];
    gathering->root_index = at;
    gathering->paths = json_object();
    if (gathering->paths == NULL)
        return no_memory(root, err);
    enum snap_status status = snap_node_visit_tensors(node, gather_tensor, gathering, err);
    json_decref(gathering->paths);
    if (status != SNAP_OK)
        return status;
    place->tree = node;
    place->entry_count = gathering->count;
    for (size_t i = 0; i < gathering->count; i++)
        place->entries[i] = (struct snap_inventory_entry){ false, next->tensor_count + i };
    next->tensor_count += gathering->count;
    return SNAP_OK;
}

/* Take root `at` out of the copy. */
static void take_out(struct snap_inventory *next, size_t at)
{
    free(next->roots[at].entries);
    memmove(&next->roots[at], &next->roots[at + 1],
            (next->root_count - at - 1) * sizeof *next->roots);
    next->root_count--;
    for (size_t i = 0; i < next->tensor_count; i++)
        if (next->tensors[i].root > at)
            next->tensors[i].root--;
}

enum snap_status snap_run_drop_tree(struct snap_run *run, const char *root, struct snap_error *err)
{
    struct gathering gathering = { .root = root };
    struct snap_inventory next;
    size_t at;
    if (run == NULL || root == NULL)
        return snap_error_set(err, SNAP_INVALID, "tree: drop: no run or root");
    enum snap_status status = find_root(&run->inventory, root, &at, err);
    if (status != SNAP_OK)
        return status;
    if (at == run->inventory.root_count)
        return snap_error_set(err, SNAP_NOT_FOUND, "tree %s: drop: there is none", root);
    status = keep_others(&run->inventory, at, 0, &next, err);
    if (status == SNAP_OK) {
        char *name = next.roots[at].name;
        take_out(&next, at);
        if (run->inventory.closed)
            status = snap_inventory_freeze(&next, err);
        if (status == SNAP_OK) {
            replace(&run->inventory, &next, at, &gathering);
            for (size_t i = 0; i < run->inventory.scalar_count; i++)
                if (run->inventory.scalars[i].root > at)
                    run->inventory.scalars[i].root--;
            free(name);
            return SNAP_OK;
        }
    }
    give_up(&next, &gathering);
    return status;
}

enum snap_status snap_run_set_tree(struct snap_run *run, const char *root, const char *tree,
                                   const struct snap_tree_memory *memory, size_t count,
                                   struct snap_error *err)
{
    struct snap_inventory next;
    struct snap_node *node = NULL;
    struct gathering gathering = { .root = root, .memory = memory, .memory_count = count };
    size_t at;
    if (run == NULL || root == NULL || tree == NULL || (memory == NULL && count > 0))
        return snap_error_set(err, SNAP_INVALID, "tree: set: no run, root, tree or memory");
    if (!snap_root_name_is_legal(root))
        return snap_error_set(err, SNAP_INVALID,
                              "tree %.100s: set: it is no legal root: [A-Za-z0-9_][A-Za-z0-9._-]*",
                              root);
    enum snap_status status = find_root(&run->inventory, root, &at, err);
    if (status == SNAP_OK)
        status = parse(root, tree, &node, err);
    if (status == SNAP_OK)
        status = snap_node_visit_tensors(node, count_tensor, &gathering.capacity, err);
    if (status != SNAP_OK) {
        snap_node_free(node);
        return status;
    }
    bool is_new = at == run->inventory.root_count;
    status = keep_others(&run->inventory, at, gathering.capacity, &next, err);
    if (status == SNAP_OK)
        status = put_tree(&next, root, at, node, &gathering, err);
    /* Errors of sharing and naming are told here, and not by the next save. */
    if (status == SNAP_OK && run->inventory.closed)
        status = snap_inventory_freeze(&next, err);
    if (status == SNAP_OK) {
        replace(&run->inventory, &next, at, &gathering);
        return SNAP_OK;
    }
    if (is_new && next.root_count > at)
        free(next.roots[at].name);
    give_up(&next, &gathering);
    snap_node_free(node);
    return status;
}
