/* SPDX-License-Identifier: Apache-2.0 */
/* What an archive and the inventory have in common, and so how much a restore can promise. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/archive_fill.h"
#include "format/tree_codec.h"
#include "ledger/json_differences.h"
#include "run/rank_streams.h"

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

static enum snap_status add_component(struct snap_restore *restore, const char *kind,
                                      const char *name, size_t *index, struct snap_error *err)
{
    *index = json_array_size(restore->receipt->components);
    return snap_receipt_add(restore->receipt, kind, name, "kept", NULL, err);
}

static enum snap_status missing(struct snap_restore *restore, const char *kind, const char *name,
                                struct snap_error *err)
{
    enum snap_status status =
        snap_receipt_add(restore->receipt, kind, name, "missing", "not registered", err);
    if (status == SNAP_OK)
        status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                    "%s %s is in the archive and not registered", kind, name);
    return status;
}

/* ---- tensors and scalars ---- */

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
        add_component(restore, "tensor", path, &restore->tensor_components[index], err);
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
        add_component(restore, "scalar", path, &restore->scalar_components[index], err);
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
            status = add_component(restore, "tree", root->name, &restore->tree_components[r], err);
        if (status == SNAP_OK)
            status = match_plain(restore, prefix, &here, seen, err);
    }
    snap_leaves_release(&here);
    return status;
}

/* Each entry of the inventory, then what of the archive nobody asked for. */
static enum snap_status match_tree(struct snap_restore *restore, struct snap_error *err)
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
            status = missing(restore, snap_node_tensor(leaf->node) != NULL ? "tensor" : "scalar",
                             leaf->path, err);
    }
    json_decref(seen);
    return status;
}

/* ---- streams, values, data ---- */

static enum snap_status match_streams(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    const struct snap_state_doc *doc = snap_archive_state_doc(restore->archive);
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->stream_count; i++) {
        const struct snap_inventory_stream *stream = &inventory->streams[i];
        const char *kind = snap_archive_stream_kind(restore->archive, stream->name);
        const struct snap_member *member = snap_archive_find(restore->archive, stream->member);
        status =
            add_component(restore, "stream", stream->member, &restore->stream_components[i], err);
        if (status != SNAP_OK)
            break;
        if (kind == NULL)
            status = snap_rank_stream_match(restore, i, &restore->made_streams[i], err);
        restore->other_ranks = restore->other_ranks || restore->made_streams[i];
        if (status != SNAP_OK || restore->made_streams[i])
            continue;
        if (kind == NULL || member == NULL)
            status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                        "stream %s is not in the archive", stream->name);
        else if (strcmp(kind, stream->kind) != 0)
            status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                        "stream %s is of "
                                        "kind %s in the archive, and %s here",
                                        stream->name, kind, stream->kind);
        else if (snap_member_is_absent(member))
            status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                        "stream %s is withheld from the archive", stream->name);
    }
    for (size_t i = 0; status == SNAP_OK && i < doc->stream_count; i++) {
        size_t at = 0;
        while (at < inventory->stream_count &&
               strcmp(inventory->streams[at].name, doc->streams[i].name) != 0)
            at++;
        bool left = false;
        if (at == inventory->stream_count)
            status = snap_rank_stream_left(restore, doc->streams[i].name, &left, err);
        restore->other_ranks = restore->other_ranks || left;
        if (status == SNAP_OK && at == inventory->stream_count && !left) {
            snap_member_name member;
            snprintf(member, sizeof member, "rng/%s", doc->streams[i].name);
            status = missing(restore, "stream", member, err);
        }
    }
    return status;
}

static const struct snap_inventory_value *find_value(const struct snap_inventory *inventory,
                                                     const char *member)
{
    for (size_t i = 0; i < inventory->value_count; i++)
        if (inventory->values[i].in_state && strcmp(inventory->values[i].member, member) == 0)
            return &inventory->values[i];
    return NULL;
}

static enum snap_status match_values(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < inventory->value_count; i++) {
        const struct snap_inventory_value *value = &inventory->values[i];
        const struct snap_member *member = snap_archive_find(restore->archive, value->member);
        restore->value_components[i] = SIZE_MAX;
        if (!value->in_state)
            continue;
        status = add_component(restore, "value", value->member, &restore->value_components[i], err);
        if (status == SNAP_OK && (member == NULL || !member->in_state))
            status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                        "value %s is not in the archive's state", value->name);
        else if (status == SNAP_OK && member->data_size != value->size)
            status =
                snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                   "value %s has %" PRIu64 " bytes in the archive, and %zu here",
                                   value->name, member->data_size, value->size);
        else if (status == SNAP_OK && snap_member_is_absent(member))
            status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                        "value %s is withheld from the archive", value->name);
    }
    for (size_t i = 0; status == SNAP_OK && i < snap_archive_member_count(restore->archive); i++) {
        const struct snap_member *member = snap_archive_member(restore->archive, i);
        if (member->kind == SNAP_MEMBER_EXTRA && member->in_state &&
            find_value(inventory, member->name) == NULL)
            status = missing(restore, "value", member->name, err);
    }
    return status;
}

static enum snap_status match_data(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_data_doc *there = snap_archive_data_doc(restore->archive);
    const struct snap_data_doc *here = &restore->run->data;
    enum snap_status status =
        add_component(restore, "position", "data.json", &restore->position_component, err);
    if (status == SNAP_OK && there->file_count != here->file_count)
        return snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                  "the archive's run has "
                                  "%zu data files, and %zu are registered",
                                  there->file_count, here->file_count);
    for (size_t i = 0; status == SNAP_OK && i < there->file_count; i++) {
        const struct snap_data_file *a = &there->files[i];
        const struct snap_data_file *b = &here->files[i];
        if (strcmp(a->role, b->role) != 0 || a->size != b->size ||
            memcmp(a->sha256, b->sha256, sizeof a->sha256) != 0)
            status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                        "data file %s is another one than in the archive's run",
                                        a->role);
    }
    return status;
}

/* ---- promise ---- */

/* The state here, with the archive's scalars, must be the archive's state.json to the byte: that
 * also sees the order of entries, requires_grad, and whatever was not compared one by one. */
static enum snap_status match_document(struct snap_restore *restore, struct snap_error *err)
{
    struct snap_state_doc doc = SNAP_STATE_DOC_INIT;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    const struct snap_state_doc *there = snap_archive_state_doc(restore->archive);
    enum snap_status status =
        snap_inventory_state_doc(&restore->run->inventory, there->profile, there->binding,
                                 there->training, restore->scalars, &doc, err);
    if (status == SNAP_OK)
        status = snap_state_doc_encode(&doc, &text, err);
    const char *theirs = snap_archive_json(restore->archive, "state.json");
    if (status == SNAP_OK && strcmp((const char *)text.data, theirs) != 0 &&
        !(restore->other_ranks &&
          snap_rank_streams_alone_differ(theirs, (const char *)text.data)))
        status = snap_receipt_lower(restore->receipt, SNAP_TIER_WEIGHTS, err,
                                    "the tree has another "
                                    "shape here: order of registration, requires_grad or nesting");
    snap_state_doc_release(&doc);
    snap_buffer_release(&text);
    return status;
}

bool snap_same_training(const json_t *there, const json_t *here)
{
    if (there == NULL || json_is_null(there))
        return here == NULL || json_is_null(here);
    return here != NULL && json_equal(there, here);
}

struct binding_facts {
    struct snap_restore *restore;
    enum snap_status status;
    struct snap_error *err;
};

/* A fact of the binding, a reason each: together they are the table of what differs. */
static void fact_differs(void *arg, const char *path, const json_t *there, const json_t *here)
{
    struct binding_facts *facts = arg;
    char there_text[120];
    char here_text[120];
    if (facts->status != SNAP_OK)
        return;
    snap_json_value_text(there, there_text, sizeof there_text);
    snap_json_value_text(here, here_text, sizeof here_text);
    facts->status = snap_receipt_lower(facts->restore->receipt, SNAP_TIER_STREAMS, facts->err,
                                       "the binding is another one: %s is %s in the archive, and "
                                       "%s here", path, there_text, here_text);
}

static enum snap_status match_promise(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_state_doc *there = snap_archive_state_doc(restore->archive);
    const struct snap_run *run = restore->run;
    if (strcmp(there->profile, run->profile) != 0)
        return snap_receipt_lower(restore->receipt, SNAP_TIER_STREAMS, err,
                                  "the profile is %s in the archive, and %s here", there->profile,
                                  run->profile);
    if (strcmp(run->profile, "none") == 0)
        return snap_receipt_lower(restore->receipt, SNAP_TIER_STREAMS, err,
                                  "the profile is none: nothing is promised of the next step");
    if (!snap_same_training(there->training, run->training))
        return snap_receipt_lower(restore->receipt, SNAP_TIER_STREAMS, err,
                                  "the training config is another one here: the next step follows "
                                  "from it too");
    struct binding_facts facts = { restore, SNAP_OK, err };
    snap_json_differences(there->binding, run->binding, fact_differs, &facts);
    return facts.status;
}

static enum snap_status match_weights(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    size_t registered = 0;
    size_t found = 0;
    for (size_t i = 0; i < inventory->tensor_count; i++) {
        if (strcmp(inventory->roots[inventory->tensors[i].root].name, "model") != 0)
            continue;
        registered++;
        found += restore->views[i] != NULL;
    }
    if (found == 0)
        return snap_receipt_lower(restore->receipt, SNAP_TIER_NONE, err,
                                  "no tensor of root model is on both sides");
    if (found < registered)
        return snap_receipt_lower(restore->receipt, SNAP_TIER_NONE, err,
                                  "only %zu of the %zu tensors of root model are in the archive as "
                                  "they are here",
                                  found, registered);
    return SNAP_OK;
}

enum snap_status snap_restore_match(struct snap_restore *restore, struct snap_error *err)
{
    const struct snap_inventory *inventory = &restore->run->inventory;
    restore->views = calloc(inventory->tensor_count + 1, sizeof *restore->views);
    restore->tensor_components = calloc(inventory->tensor_count + 1, sizeof(size_t));
    restore->scalars = calloc(inventory->scalar_count + 1, sizeof *restore->scalars);
    restore->scalar_components = calloc(inventory->scalar_count + 1, sizeof(size_t));
    restore->tree_components = calloc(inventory->root_count + 1, sizeof(size_t));
    restore->stream_components = calloc(inventory->stream_count + 1, sizeof(size_t));
    restore->made_streams = calloc(inventory->stream_count + 1, sizeof *restore->made_streams);
    restore->value_components = calloc(inventory->value_count + 1, sizeof(size_t));
    if (restore->views == NULL || restore->tensor_components == NULL || restore->scalars == NULL ||
        restore->scalar_components == NULL || restore->tree_components == NULL ||
        restore->stream_components == NULL || restore->made_streams == NULL ||
        restore->value_components == NULL)
        return no_memory(err);
    enum snap_status status = match_tree(restore, err);
    if (status == SNAP_OK)
        status = match_streams(restore, err);
    if (status == SNAP_OK)
        status = match_values(restore, err);
    if (status == SNAP_OK)
        status = match_data(restore, err);
    if (status == SNAP_OK)
        status = match_promise(restore, err);
    if (status == SNAP_OK && restore->receipt->tier >= SNAP_TIER_STREAMS)
        status = match_document(restore, err);
    if (status == SNAP_OK && restore->receipt->tier == SNAP_TIER_WEIGHTS)
        status = match_weights(restore, err);
    return status;
}
