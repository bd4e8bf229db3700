/* SPDX-License-Identifier: Apache-2.0 */
/* The state tree of an archive and the inventory's: tensors, scalars, plain values of trees. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/archive_fill.h"
#include "format/tree_codec.h"
#include "ledger/json_differences.h"
#include "restore/restore_match.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "restore: out of memory");
}

/* "ROOT/NAME" of an entry of the inventory. */
static char *entry_path(const struct snap_inventory *inventory, size_t root, const char *name)
{
    size_t size = strlen(inventory->roots[root].name) + strlen(name) + 2;
    char *path = malloc(size);
    if (path != NULL)
        snprintf(path, size, "%s/%s", inventory->roots[root].name, name);
    return path;
}

static bool same_shape(const struct snap_tensor_view *view,
                       const struct snap_inventory_tensor *tensor)
{
    return view->dtype == tensor->dtype && view->ndim == tensor->ndim &&
           memcmp(view->shape, tensor->shape, tensor->ndim * sizeof *view->shape) == 0;
}

static bool same_place(const struct snap_restore *restore, const struct snap_tensor_view *view,
                       const struct snap_inventory_tensor *tensor)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    const struct snap_inventory_storage *storage = &inventory->storages[tensor->storage];
    struct snap_tensor_view here;
    uint64_t size = 0;
    const char *member = snap_archive_storage_name(restore->archive, view->storage, &size);
    snap_inventory_view(inventory, tensor, &here);
    return memcmp(view->strides, here.strides, here.ndim * sizeof *here.strides) == 0 &&
           view->offset == here.offset && member != NULL && strcmp(member, storage->member) == 0 &&
           size == storage->size;
}

/* The first member of the storage that is absent; NULL: none is. */
static enum snap_status find_absent(const struct snap_archive *archive, size_t storage,
                                    const struct snap_member **absent, struct snap_error *err)
{
    size_t first;
    size_t count;
    *absent = NULL;
    enum snap_status status = snap_archive_storage_members(archive, storage, &first, &count, err);
    for (size_t i = 0; status == SNAP_OK && *absent == NULL && i < count; i++)
        if (snap_member_is_absent(snap_archive_member(archive, first + i)))
            *absent = snap_archive_member(archive, first + i);
    return status;
}

static enum snap_status match_tensor(struct snap_restore *restore, size_t index, const char *path,
                                     struct snap_error *err)
{
    const struct snap_inventory_tensor *tensor = &restore->run->inventory.tensors[index];
    struct snap_receipt *receipt = restore->receipt;
    const struct snap_leaf *leaf = NULL;
    const struct snap_tensor_view *view = NULL;
    const struct snap_member *absent = NULL;
    size_t nth = 0;
    do { /* no two tensors have one path, but a plain value may */
        leaf = snap_leaves_get(&restore->leaves, path, nth++);
        view = leaf == NULL ? NULL : snap_node_tensor(leaf->node);
    } while (leaf != NULL && view == NULL);
    enum snap_status status =
        snap_restore_add_component(restore, "tensor", path, &restore->tensor_components[index],
                                   err);
    if (status != SNAP_OK)
        return status;
    if (view == NULL)
        return snap_receipt_lower(receipt, SNAP_TIER_WEIGHTS, err,
                                  "tensor %s is not in the archive", path);
    if (!same_shape(view, tensor))
        return snap_receipt_lower(receipt, SNAP_TIER_WEIGHTS, err,
                                  "tensor %s has another dtype or shape in the archive", path);
    status = find_absent(restore->archive, view->storage, &absent, err);
    if (status != SNAP_OK)
        return status;
    if (absent != NULL && absent->volume != NULL)
        return snap_receipt_lower(receipt, SNAP_TIER_WEIGHTS, err,
                                  "tensor %s is in volume %s, which is not there", path,
                                  absent->volume);
    if (absent != NULL)
        return snap_receipt_lower(receipt, SNAP_TIER_WEIGHTS, err,
                                  "tensor %s is withheld from the archive", path);
    restore->views[index] = view;
    if (!same_place(restore, view, tensor))
        return snap_receipt_lower(receipt, SNAP_TIER_WEIGHTS, err,
                                  "tensor %s has other strides in "
                                  "the archive, or shares memory with other tensors",
                                  path);
    return SNAP_OK;
}

/* The bits of a value of that type; false when the node is none. */
static bool scalar_bits(const struct snap_node *node, enum snap_value_type type, uint64_t *bits)
{
    bool boolean;
    int64_t integer;
    double real;
    if (type == SNAP_VALUE_BOOL && snap_node_bool(node, &boolean))
        *bits = boolean;
    else if (type == SNAP_VALUE_INT64 && snap_node_int(node, &integer))
        *bits = (uint64_t)integer;
    else if (type == SNAP_VALUE_DOUBLE && snap_node_float(node, &real))
        memcpy(bits, &real, sizeof *bits);
    else
        return false;
    return true;
}

static enum snap_status match_scalar(struct snap_restore *restore, size_t index, const char *path,
                                     struct snap_error *err)
{
    const struct snap_inventory_scalar *scalar = &restore->run->inventory.scalars[index];
    const struct snap_leaf *leaf = snap_leaves_get(&restore->leaves, path, 0);
    enum snap_status status =
        snap_restore_add_component(restore, "scalar", path, &restore->scalar_components[index],
                                   err);
    if (status != SNAP_OK)
        return status;
    if (leaf == NULL || !scalar_bits(leaf->node, scalar->type, &restore->scalars[index]))
        return snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                  "value %s is not in the archive, or of another type", path);
    return SNAP_OK;
}

/* A plain value here and in the archive (NULL: it has none). */
static enum snap_status compare_plain(struct snap_restore *restore, const struct snap_leaf *here,
                                      const struct snap_leaf *there, struct snap_error *err)
{
    json_t *mine = NULL;
    json_t *theirs = NULL;
    char mine_text[80];
    char theirs_text[80];
    enum snap_status status = snap_node_encode(here->node, &mine, err);
    if (status == SNAP_OK && there != NULL)
        status = snap_node_encode(there->node, &theirs, err);
    snap_json_value_text(mine, mine_text, sizeof mine_text);
    snap_json_value_text(theirs, theirs_text, sizeof theirs_text);
    if (status == SNAP_OK && (theirs == NULL || !json_equal(mine, theirs)))
        status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                    "value %s is %s in the archive, and %s here", here->path,
                                    theirs_text, mine_text);
    json_decref(mine);
    json_decref(theirs);
    return status;
}

/* Plain values of a tree must be the archive's: its owner has put them there before. `here` are the
 * leaves of the inventory. */
static enum snap_status match_plain(struct snap_restore *restore, const char *prefix,
                                    const struct snap_leaves *here, json_t *seen,
                                    struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    size_t length = strlen(prefix);
    for (size_t i = 0; status == SNAP_OK && i < here->count; i++) {
        const struct snap_leaf *leaf = &here->list[i];
        if (strncmp(leaf->path, prefix, length) != 0 || snap_node_tensor(leaf->node) != NULL)
            continue;
        if (json_object_set_new(seen, leaf->path, json_null()) != 0)
            status = no_memory(err);
        else
            status = compare_plain(
                restore, leaf, snap_leaves_get(&restore->leaves, leaf->path, leaf->nth), err);
    }
    return status;
}

/* One component for all plain values of each tree. */
static enum snap_status match_trees(struct snap_restore *restore, json_t *seen,
                                    struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    struct snap_leaves here = SNAP_LEAVES_INIT;
    bool listed = false;
    enum snap_status status = SNAP_OK;
    for (size_t r = 0; status == SNAP_OK && r < inventory->root_count; r++) {
        const struct snap_inventory_root *root = &inventory->roots[r];
        snap_member_name prefix;
        if (root->tree == NULL)
            continue;
        if (!listed)
            status = snap_leaves_find_all(&inventory->doc, &here, err);
        listed = true;
        snprintf(prefix, sizeof prefix, "%s/", root->name);
        if (status == SNAP_OK)
            status = snap_restore_add_component(restore, "tree", root->name,
                                                &restore->tree_components[r], err);
        if (status == SNAP_OK)
            status = match_plain(restore, prefix, &here, seen, err);
    }
    snap_leaves_release(&here);
    return status;
}

enum snap_status snap_restore_match_tree(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    json_t *seen = json_object();
    enum snap_status status =
        snap_leaves_find_all(snap_archive_state_doc(restore->archive), &restore->leaves, err);
    if (status == SNAP_OK && seen == NULL)
        status = no_memory(err);
    for (size_t r = 0; status == SNAP_OK && r < inventory->root_count; r++) {
        const struct snap_inventory_root *root = &inventory->roots[r];
        for (size_t e = 0; status == SNAP_OK && e < root->entry_count; e++) {
            size_t index = root->entries[e].index;
            bool scalar = root->entries[e].scalar;
            char *path = entry_path(inventory, r,
                                    scalar ? inventory->scalars[index].name
                                           : inventory->tensors[index].name);
            if (path == NULL || json_object_set_new(seen, path, json_null()) != 0)
                status = no_memory(err);
            else if (scalar)
                status = match_scalar(restore, index, path, err);
            else
                status = match_tensor(restore, index, path, err);
            free(path);
        }
    }
    if (status == SNAP_OK)
        status = match_trees(restore, seen, err);
    for (size_t i = 0; status == SNAP_OK && i < restore->leaves.count; i++) {
        const struct snap_leaf *leaf = &restore->leaves.list[i];
        if (json_object_get(seen, leaf->path) == NULL)
            status = snap_restore_add_missing(
                restore, snap_node_tensor(leaf->node) != NULL ? "tensor" : "scalar", leaf->path,
                err);
    }
    json_decref(seen);
    return status;
}
