/* SPDX-License-Identifier: Apache-2.0 */
/* Registering what decides the next step. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/text.h"
#include "device/device_ops.h"
#include "digest/sha256.h"
#include "format/member_name.h"
#include "run/run_internal.h"
#include "save/state_image.h"

/* The longest name of a tensor, scalar or thing not captured. */
#define NAME_BYTES 1024

static enum snap_status no_memory(const char *what, const char *name, struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "%s %s: register: out of memory", what, name);
}

/* The key of "`what` NAME" in the set of names. Streams and values are members of their own name,
 * and no two members may be equal but for capitals. */
static void name_key(const char *what, const char *name, char *key, size_t key_bytes)
{
    bool fold = strcmp(what, "stream") == 0 || strcmp(what, "value") == 0;
    snprintf(key, key_bytes, "%s %s", what, name);
    for (char *at = key; fold && *at != '\0'; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
}

/* Check the state of the run and the name, and that "`what` NAME" is new. */
static enum snap_status check_new(struct snap_run *run, const char *what, const char *name,
                                  struct snap_error *err)
{
    if (name == NULL)
        return snap_error_set(err, SNAP_INVALID, "%s: register: the name is NULL", what);
    if (run->inventory.closed)
        return snap_error_set(err, SNAP_INVALID,
                              "%s %.100s: register: the inventory is closed since "
                              "the first restore, begin_step or capture",
                              what, name);
    if (name[0] == '\0' || strlen(name) > NAME_BYTES || !snap_utf8_is_valid(name, strlen(name)))
        return snap_error_set(err, SNAP_INVALID, "%s: register: a name is 1 to %d bytes of UTF-8",
                              what, NAME_BYTES);
    if (run->inventory.names == NULL)
        run->inventory.names = json_object();
    char key[NAME_BYTES + 200];
    name_key(what, name, key, sizeof key);
    if (run->inventory.names == NULL)
        return no_memory(what, name, err);
    if (json_object_get(run->inventory.names, key) != NULL)
        return snap_error_set(
            err, SNAP_INVALID, "%s %.100s: register: the name is taken%s", what, name,
            strcmp(what, "stream") == 0 || strcmp(what, "value") == 0 ? ", capitals apart" : "");
    return SNAP_OK;
}

/* Remember the name; last, when nothing else can fail. */
static enum snap_status take_name(struct snap_run *run, const char *what, const char *name,
                                  struct snap_error *err)
{
    char key[NAME_BYTES + 200];
    name_key(what, name, key, sizeof key);
    if (json_object_set_new(run->inventory.names, key, json_null()) != 0)
        return no_memory(what, name, err);
    return SNAP_OK;
}

/* Make room for element `count` of an array, zeroed. False, and the array as it was, when memory is
 * out. */
#define GROW(array, count)                                                                         \
    ((moved = snap_array_grow((array), (count), sizeof *(array))) != NULL &&                       \
     ((array) = moved, memset(&(array)[count], 0, sizeof *(array)), true))

/* The root of that name, made when it is new; not one that was set as a whole tree. */
static enum snap_status find_flat_root(struct snap_inventory *inventory, const char *what,
                                       const char *name, size_t *index, struct snap_error *err)
{
    void *moved;
    for (size_t i = 0; i < inventory->root_count; i++) {
        if (strcmp(inventory->roots[i].name, name) != 0)
            continue;
        if (inventory->roots[i].tree != NULL)
            return snap_error_set(err, SNAP_INVALID,
                                  "%s in %s: register: that root was set as a whole tree", what,
                                  name);
        *index = i;
        return SNAP_OK;
    }
    if (!GROW(inventory->roots, inventory->root_count) ||
        (inventory->roots[inventory->root_count].name = strdup(name)) == NULL)
        return no_memory("root", name, err);
    *index = inventory->root_count++;
    return SNAP_OK;
}

static enum snap_status add_entry(struct snap_inventory *inventory, size_t root, bool scalar,
                                  size_t index, const char *name, struct snap_error *err)
{
    void *moved;
    struct snap_inventory_root *place = &inventory->roots[root];
    if (!GROW(place->entries, place->entry_count))
        return no_memory(scalar ? "scalar" : "tensor", name, err);
    place->entries[place->entry_count++] = (struct snap_inventory_entry){ scalar, index };
    return SNAP_OK;
}

/* "ROOT/NAME", as entries are named in messages and in the set of names. */
static enum snap_status entry_name(const char *what, const char *root, const char *name,
                                   char *joined, size_t joined_bytes, struct snap_error *err)
{
    if (root == NULL || name == NULL)
        return snap_error_set(err, SNAP_INVALID, "%s: register: root or name is NULL", what);
    if (!snap_root_name_is_legal(root))
        return snap_error_set(err, SNAP_INVALID,
                              "%s %.100s: register: \"%.100s\" is no legal root: "
                              "[A-Za-z0-9_][A-Za-z0-9._-]*",
                              what, name, root);
    if (strlen(name) == 0 || strlen(name) > NAME_BYTES - 100)
        return snap_error_set(err, SNAP_INVALID,
                              "%s in %s: register: a name is 1 to %d bytes of "
                              "UTF-8",
                              what, root, NAME_BYTES - 100);
    snprintf(joined, joined_bytes, "%s/%s", root, name);
    return SNAP_OK;
}

enum snap_status snap_run_add_tensor(struct snap_run *run, const struct snap_run_tensor *tensor,
                                     struct snap_error *err)
{
    void *moved;
    if (run == NULL || tensor == NULL || tensor->size_bytes != sizeof *tensor)
        return snap_error_set(err, SNAP_INVALID,
                              "tensor: register: no run or tensor, or a tensor "
                              "that is not SNAP_RUN_TENSOR_INIT");
    char name[NAME_BYTES];
    enum snap_status status =
        entry_name("tensor", tensor->root, tensor->name, name, sizeof name, err);
    if (status == SNAP_OK)
        status = check_new(run, "entry", name, err);
    if (status != SNAP_OK)
        return status;
    const struct snap_device_ops *ops;
    struct snap_error cause = SNAP_ERROR_INIT;
    status = snap_device_find(tensor->device, &ops, &cause);
    if (status != SNAP_OK)
        return snap_error_set(err, status, "tensor %.100s: register: %.800s", name, cause.text);
    if (snap_dtype_size_bytes(tensor->dtype) == 0)
        return snap_error_set(err, SNAP_INVALID, "tensor %.100s: register: %d is no dtype", name,
                              (int)tensor->dtype);
    if (tensor->ndim > SNAP_MAX_DIMS || (tensor->ndim > 0 && tensor->shape == NULL))
        return snap_error_set(err, SNAP_INVALID,
                              "tensor %.100s: register: a tensor has 0 to %d "
                              "dimensions, and a shape",
                              name, SNAP_MAX_DIMS);
    struct snap_inventory *inventory = &run->inventory;
    struct snap_inventory_tensor made = { .memory = tensor->data,
                                          .device = tensor->device,
                                          .data = tensor->data,
                                          .dtype = tensor->dtype,
                                          .ndim = tensor->ndim,
                                          .requires_grad = tensor->requires_grad,
                                          .changes_in_forward = tensor->changes_in_forward };
    if (tensor->ndim > 0)
        memcpy(made.shape, tensor->shape, tensor->ndim * sizeof *made.shape);
    if (tensor->ndim > 0 && tensor->strides != NULL)
        memcpy(made.strides, tensor->strides, tensor->ndim * sizeof *made.strides);
    else
        snap_c_order(made.ndim, made.shape, made.strides);
    status = snap_inventory_tensor_measure(&made, name, err);
    if (status != SNAP_OK)
        return status;
    if (made.elements > 0 && made.data == NULL)
        return snap_error_set(err, SNAP_INVALID, "tensor %.100s: register: its data is NULL", name);
    status = find_flat_root(inventory, "tensor", tensor->root, &made.root, err);
    if (status != SNAP_OK)
        return status;
    if (!GROW(inventory->tensors, inventory->tensor_count) ||
        (made.name = strdup(tensor->name)) == NULL)
        return no_memory("tensor", name, err);
    status = take_name(run, "entry", name, err);
    if (status == SNAP_OK)
        status = add_entry(inventory, made.root, false, inventory->tensor_count, name, err);
    if (status != SNAP_OK) {
        free(made.name);
        return status;
    }
    inventory->tensors[inventory->tensor_count++] = made;
    return SNAP_OK;
}

enum snap_status snap_run_add_slab(struct snap_run *run, const char *root, void *base,
                                   struct snap_device device, enum snap_dtype dtype, size_t n,
                                   const char *const *names, const uint64_t *counts,
                                   struct snap_error *err)
{
    if (n > 0 && (names == NULL || counts == NULL))
        return snap_error_set(err, SNAP_INVALID, "slab: register: names or counts are NULL");
    unsigned char *at = base;
    for (size_t i = 0; i < n; i++) {
        struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
        tensor.root = root;
        tensor.name = names[i];
        tensor.data = at;
        tensor.device = device;
        tensor.dtype = dtype;
        tensor.ndim = 1;
        tensor.shape = &counts[i];
        enum snap_status status = snap_run_add_tensor(run, &tensor, err);
        if (status != SNAP_OK)
            return status;
        at += counts[i] * snap_dtype_size_bytes(dtype);
    }
    return SNAP_OK;
}

enum snap_status snap_run_add_scalar(struct snap_run *run, const char *root, const char *name,
                                     enum snap_value_type type, void *value, struct snap_error *err)
{
    void *moved;
    if (run == NULL || value == NULL || type < SNAP_VALUE_BOOL || type > SNAP_VALUE_DOUBLE)
        return snap_error_set(err, SNAP_INVALID,
                              "scalar: register: no run or value, or a type "
                              "that is none");
    char joined[NAME_BYTES];
    enum snap_status status = entry_name("scalar", root, name, joined, sizeof joined, err);
    if (status == SNAP_OK)
        status = check_new(run, "entry", joined, err);
    struct snap_inventory *inventory = &run->inventory;
    struct snap_inventory_scalar made = { .type = type, .value = value };
    if (status == SNAP_OK)
        status = find_flat_root(inventory, "scalar", root, &made.root, err);
    if (status != SNAP_OK)
        return status;
    if (!GROW(inventory->scalars, inventory->scalar_count) || (made.name = strdup(name)) == NULL)
        return no_memory("scalar", joined, err);
    status = take_name(run, "entry", joined, err);
    if (status == SNAP_OK)
        status = add_entry(inventory, made.root, true, inventory->scalar_count, joined, err);
    if (status != SNAP_OK) {
        free(made.name);
        return status;
    }
    inventory->scalars[inventory->scalar_count++] = made;
    return SNAP_OK;
}

static char *member_name(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *member = malloc(size);
    if (member != NULL)
        snprintf(member, size, "%s/%s", folder, name);
    return member;
}

enum snap_status snap_run_add_stream(struct snap_run *run, const char *name, const char *kind,
                                     const struct snap_stream_ops *ops, void *arg,
                                     struct snap_error *err)
{
    void *moved;
    if (run == NULL || kind == NULL || ops == NULL || ops->size_bytes != sizeof *ops ||
        ops->get == NULL || ops->set == NULL)
        return snap_error_set(err, SNAP_INVALID,
                              "stream: register: no run, kind or ops, or ops "
                              "without get, set or size_bytes");
    enum snap_status status = check_new(run, "stream", name, err);
    if (status != SNAP_OK)
        return status;
    if (!snap_stream_name_is_legal(name))
        return snap_error_set(err, SNAP_INVALID,
                              "stream %.100s: register: the name is not legal: "
                              "[A-Za-z0-9_][A-Za-z0-9._-]*",
                              name);
    /* The kind must be known: a restore checks states by it. */
    struct snap_stream *probe;
    status = snap_stream_new(kind, &probe, err);
    if (status != SNAP_OK)
        return status;
    snap_stream_free(probe);
    struct snap_inventory *inventory = &run->inventory;
    struct snap_inventory_stream made = { .ops = ops, .arg = arg };
    made.on_device = strcmp(kind, "torch_cuda") == 0 || strcmp(kind, "philox_dropout") == 0;
    made.name = strdup(name);
    made.member = member_name("rng", name);
    made.kind = strdup(kind);
    if (made.name == NULL || made.member == NULL || made.kind == NULL ||
        !GROW(inventory->streams, inventory->stream_count))
        status = no_memory("stream", name, err);
    else
        status = take_name(run, "stream", name, err);
    if (status != SNAP_OK) {
        free(made.name);
        free(made.member);
        free(made.kind);
        return status;
    }
    inventory->streams[inventory->stream_count++] = made;
    return SNAP_OK;
}

enum snap_status snap_run_add_value(struct snap_run *run, const char *name, bool in_state,
                                    void *data, size_t size_bytes, struct snap_error *err)
{
    void *moved;
    if (run == NULL || (data == NULL && size_bytes > 0))
        return snap_error_set(err, SNAP_INVALID, "value: register: no run, or its data is NULL");
    enum snap_status status = check_new(run, "value", name, err);
    if (status != SNAP_OK)
        return status;
    if (!snap_extra_name_is_legal(name) || size_bytes > SNAP_MAX_MEMBER_BYTES)
        return snap_error_set(err, SNAP_INVALID,
                              "value %.100s: register: a name is "
                              "[A-Za-z0-9_][A-Za-z0-9._-]*, and a size at most %llu bytes",
                              name, (unsigned long long)SNAP_MAX_MEMBER_BYTES);
    struct snap_inventory *inventory = &run->inventory;
    struct snap_inventory_value made = { .in_state = in_state, .data = data, .size = size_bytes };
    made.name = strdup(name);
    made.member = member_name("extra", name);
    if (made.name == NULL || made.member == NULL ||
        !GROW(inventory->values, inventory->value_count))
        status = no_memory("value", name, err);
    else
        status = take_name(run, "value", name, err);
    if (status != SNAP_OK) {
        free(made.name);
        free(made.member);
        return status;
    }
    inventory->values[inventory->value_count++] = made;
    return SNAP_OK;
}

enum snap_status snap_run_add_not_captured(struct snap_run *run, const char *name,
                                           const char *reason, struct snap_error *err)
{
    void *moved;
    if (run == NULL || reason == NULL || !snap_utf8_is_valid(reason, strlen(reason)))
        return snap_error_set(err, SNAP_INVALID,
                              "not captured: register: no run, or a reason that "
                              "is no UTF-8");
    enum snap_status status = check_new(run, "not captured", name, err);
    if (status != SNAP_OK)
        return status;
    struct snap_inventory *inventory = &run->inventory;
    struct snap_inventory_gap made = { strdup(name), strdup(reason) };
    if (made.name == NULL || made.reason == NULL || !GROW(inventory->gaps, inventory->gap_count))
        status = no_memory("not captured", name, err);
    else
        status = take_name(run, "not captured", name, err);
    if (status != SNAP_OK) {
        free(made.name);
        free(made.reason);
        return status;
    }
    inventory->gaps[inventory->gap_count++] = made;
    return SNAP_OK;
}

enum snap_status snap_run_add_data_file(struct snap_run *run, const char *role,
                                        const unsigned char sha256[SNAP_DIGEST_BYTES],
                                        uint64_t file_size, struct snap_error *err)
{
    if (run == NULL || sha256 == NULL)
        return snap_error_set(err, SNAP_INVALID, "data file: register: no run or digest");
    enum snap_status status = check_new(run, "data file", role, err);
    if (status == SNAP_OK)
        status = snap_data_doc_add_file(&run->data, role, sha256, file_size, err);
    return status;
}

enum snap_status snap_run_freeze(struct snap_run *run, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    if (!run->inventory.closed)
        status = snap_streams_check(&run->inventory, err);
    if (status == SNAP_OK)
        status = snap_inventory_freeze(&run->inventory, err);
    if (status == SNAP_OK)
        run->inventory.closed = true;
    /* A run that saves: before it makes steps that it cannot save. */
    if (status == SNAP_OK && run->store != NULL)
        status = snap_volumes_check(run, err);
    return status;
}
