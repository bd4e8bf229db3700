/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "foreign/foreign_tensor.h"
#include "foreign/tree_pickle.h"

static enum snap_status put_node(struct snap_tree_pickle *tree, const struct snap_node *node,
                                 struct snap_error *err)
{
    return snap_tree_pickle_put(tree, node, err);
}

/* ---- the path ---- */

static enum snap_status enter(struct snap_tree_pickle *tree, const char *key, int64_t index,
                              size_t *before, struct snap_error *err)
{
    const char *dot = tree->path.size > 0 ? "." : "";
    *before = tree->path.size;
    if (key != NULL)
        return snap_buffer_appendf(&tree->path, err, "%s%s", dot, key);
    return snap_buffer_appendf(&tree->path, err, "%s%" PRId64, dot, index);
}

static void leave(struct snap_tree_pickle *tree, size_t before)
{
    tree->path.size = before;
    if (tree->path.data != NULL)
        tree->path.data[before] = '\0';
}

enum snap_status snap_tree_pickle_leave_out(struct snap_tree_pickle *tree, const char *reason,
                                            struct snap_error *err)
{
    char clean[500];
    snap_text_clean(tree->path.data != NULL ? (const char *)tree->path.data : "", clean,
                    sizeof clean);
    return snap_buffer_appendf(&tree->left_out, err, "%s%s%s: %s\n", tree->root,
                               clean[0] != '\0' ? "/" : "", clean, reason);
}

/* None, and a line that says why. */
static enum snap_status put_nothing(struct snap_tree_pickle *tree, const char *reason,
                                    struct snap_error *err)
{
    enum snap_status status = snap_tree_pickle_leave_out(tree, reason, err);
    return status == SNAP_OK ? snap_pickle_put_none(tree->writer, err) : status;
}

/* ---- containers ---- */

/* The items of a list. */
static enum snap_status put_items(struct snap_tree_pickle *tree, const struct snap_node *list,
                                  struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < snap_node_count(list); i++) {
        size_t before;
        status = enter(tree, NULL, (int64_t)i, &before, err);
        if (status == SNAP_OK)
            status = put_node(tree, snap_node_at(list, i), err);
        leave(tree, before);
    }
    return status;
}

static enum snap_status put_list(struct snap_tree_pickle *tree, const struct snap_node *list,
                                 struct snap_error *err)
{
    enum snap_status status = snap_pickle_put_list(tree->writer, err);
    if (status == SNAP_OK)
        status = put_items(tree, list, err);
    return status == SNAP_OK ? snap_pickle_put_list_end(tree->writer, err) : status;
}

static enum snap_status put_tuple(struct snap_tree_pickle *tree, const struct snap_node *list,
                                  struct snap_error *err)
{
    enum snap_status status = snap_pickle_put_mark(tree->writer, err);
    if (status == SNAP_OK)
        status = put_items(tree, list, err);
    return status == SNAP_OK ? snap_pickle_put_tuple(tree->writer, err) : status;
}

/* The entries of a map, or the pairs of a list, into the dict that was begun. */
static enum snap_status put_entries(struct snap_tree_pickle *tree, const struct snap_node *node,
                                    struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    bool is_map = snap_node_type(node) == SNAP_NODE_MAP;
    for (size_t i = 0; status == SNAP_OK && i < snap_node_count(node); i++) {
        const struct snap_node *item = snap_node_at(node, i);
        int64_t index = (int64_t)i;
        const char *key = is_map ? snap_node_key_at(node, i, &index) : NULL;
        size_t before;
        status = enter(tree, key, index, &before, err);
        if (status == SNAP_OK && !is_map) {
            status = put_node(tree, snap_node_at(item, 0), err);
            item = snap_node_at(item, 1);
        } else if (status == SNAP_OK && key != NULL) {
            status = snap_pickle_put_string(tree->writer, key, err);
        } else if (status == SNAP_OK) {
            status = snap_pickle_put_int(tree->writer, index, err);
        }
        if (status == SNAP_OK)
            status = put_node(tree, item, err);
        leave(tree, before);
    }
    return status == SNAP_OK ? snap_pickle_put_dict_end(tree->writer, err) : status;
}

static enum snap_status put_dict(struct snap_tree_pickle *tree, const struct snap_node *node,
                                 struct snap_error *err)
{
    enum snap_status status = snap_pickle_put_dict(tree->writer, err);
    return status == SNAP_OK ? put_entries(tree, node, err) : status;
}

static enum snap_status put_ordered(struct snap_tree_pickle *tree, const struct snap_node *node,
                                    struct snap_error *err)
{
    enum snap_status status = snap_pickle_put_name(tree->writer, "collections", "OrderedDict", err);
    if (status == SNAP_OK)
        status = snap_pickle_put_mark(tree->writer, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_tuple(tree->writer, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_call(tree->writer, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_mark(tree->writer, err);
    return status == SNAP_OK ? put_entries(tree, node, err) : status;
}

/* module.name(inner), where inner is one argument. */
static enum snap_status
put_called(struct snap_tree_pickle *tree, const char *module, const char *name,
           enum snap_status (*put)(struct snap_tree_pickle *tree, const struct snap_node *node,
                                   struct snap_error *err),
           const struct snap_node *inner, struct snap_error *err)
{
    struct snap_pickle_writer *writer = tree->writer;
    enum snap_status status = snap_pickle_put_name(writer, module, name, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_mark(writer, err);
    if (status == SNAP_OK)
        status = put(tree, inner, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_tuple(writer, err);
    return status == SNAP_OK ? snap_pickle_put_call(writer, err) : status;
}

/* module.name(*list). */
static enum snap_status put_spread(struct snap_tree_pickle *tree, const char *module,
                                   const char *name, const struct snap_node *list,
                                   struct snap_error *err)
{
    enum snap_status status = snap_pickle_put_name(tree->writer, module, name, err);
    if (status == SNAP_OK)
        status = put_tuple(tree, list, err);
    return status == SNAP_OK ? snap_pickle_put_call(tree->writer, err) : status;
}

/* ---- what stands behind a tag ---- */

static enum snap_status put_text(struct snap_tree_pickle *tree, const struct snap_node *node,
                                 struct snap_error *err)
{
    size_t size = 0;
    const char *data = snap_node_bytes(node, &size);
    return snap_pickle_put_text(tree->writer, data != NULL ? data : "", size, err);
}

/* "torch.float32" is the name of a constant; of NumPy's the class dtype makes it. */
static enum snap_status put_dtype(struct snap_tree_pickle *tree, const struct snap_node *node,
                                  struct snap_error *err)
{
    const char *text = snap_node_string(node);
    enum snap_dtype dtype;
    if (text != NULL && strncmp(text, "torch.", 6) == 0)
        for (dtype = SNAP_BOOL; snap_dtype_name(dtype) != NULL; dtype++)
            if (snap_torch_dtype_text(dtype) != NULL &&
                strcmp(snap_torch_dtype_text(dtype), text) == 0)
                return snap_pickle_put_name(tree->writer, "torch", text + 6, err);
    return put_nothing(tree, "a dtype that has no form in a pickle", err);
}

static enum snap_status put_scalar(struct snap_tree_pickle *tree, const struct snap_node *node,
                                   struct snap_error *err)
{
    const struct snap_node *name = snap_node_at(node, 0);
    const struct snap_node *bytes = snap_node_at(node, 1);
    enum snap_dtype dtype;
    size_t size = 0;
    const void *data = bytes != NULL ? snap_node_bytes(bytes, &size) : NULL;
    const char *text = name != NULL ? snap_node_string(name) : NULL;
    if (data == NULL || text == NULL || !snap_dtype_from_name(text, &dtype) ||
        snap_numpy_dtype_text(dtype) == NULL || size != snap_dtype_size_bytes(dtype))
        return put_nothing(tree, "a scalar that NumPy has no dtype for", err);
    return snap_pickle_put_scalar(tree->writer, snap_numpy_dtype_text(dtype), data, size, err);
}

static enum snap_status put_array(struct snap_tree_pickle *tree, const struct snap_node *node,
                                  struct snap_error *err)
{
    const struct snap_tensor_view *view = snap_node_tensor(node);
    if (view == NULL)
        return put_nothing(tree, "an array without elements", err);
    return tree->put_tensor(tree->arg, view, true, err);
}

/* The value of a key; NULL when it is not there. (snap_node_get takes memory for the question.) */
static const struct snap_node *find_key(const struct snap_node *map, const char *key)
{
    for (size_t i = 0; i < snap_node_count(map); i++) {
        int64_t ignored;
        const char *name = snap_node_key_at(map, i, &ignored);
        if (name != NULL && strcmp(name, key) == 0)
            return snap_node_at(map, i);
    }
    return NULL;
}

/* collections.deque(items, maxlen). */
static enum snap_status put_deque(struct snap_tree_pickle *tree, const struct snap_node *node,
                                  struct snap_error *err)
{
    const struct snap_node *items = find_key(node, "items");
    const struct snap_node *most = find_key(node, "maxlen");
    if (items == NULL || most == NULL)
        return put_nothing(tree, "a deque without items", err);
    enum snap_status status = snap_pickle_put_name(tree->writer, "collections", "deque", err);
    if (status == SNAP_OK)
        status = snap_pickle_put_mark(tree->writer, err);
    if (status == SNAP_OK)
        status = put_list(tree, items, err);
    if (status == SNAP_OK)
        status = put_node(tree, most, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_tuple(tree->writer, err);
    return status == SNAP_OK ? snap_pickle_put_call(tree->writer, err) : status;
}

/* What Module.state_dict() of torch gives: an OrderedDict with an attribute. */
static enum snap_status put_state_dict(struct snap_tree_pickle *tree, const struct snap_node *node,
                                       struct snap_error *err)
{
    const struct snap_node *items = find_key(node, "items");
    const struct snap_node *metadata = find_key(node, "metadata");
    if (items == NULL || metadata == NULL)
        return put_nothing(tree, "a state_dict without items", err);
    enum snap_status status = put_ordered(tree, items, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_dict(tree->writer, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_string(tree->writer, "_metadata", err);
    if (status == SNAP_OK)
        status = put_node(tree, metadata, err);
    if (status == SNAP_OK)
        status = snap_pickle_put_dict_end(tree->writer, err);
    return status == SNAP_OK ? snap_pickle_put_state(tree->writer, err) : status;
}

/* A defaultdict is called with its factory, a name of the program: its items are a dict. */
static enum snap_status put_default(struct snap_tree_pickle *tree, const struct snap_node *node,
                                    struct snap_error *err)
{
    const struct snap_node *items = find_key(node, "items");
    if (items == NULL)
        return put_nothing(tree, "a defaultdict without items", err);
    enum snap_status status = snap_tree_pickle_leave_out(
        tree, "the factory of a defaultdict, which is written as a dict", err);
    return status == SNAP_OK ? put_dict(tree, items, err) : status;
}

static enum snap_status put_device(struct snap_tree_pickle *tree, const struct snap_node *node,
                                   struct snap_error *err)
{
    return put_called(tree, "torch", "device", put_node, node, err);
}

static enum snap_status put_size(struct snap_tree_pickle *tree, const struct snap_node *node,
                                 struct snap_error *err)
{
    return put_called(tree, "torch", "Size", put_tuple, node, err);
}

static enum snap_status put_set(struct snap_tree_pickle *tree, const struct snap_node *node,
                                struct snap_error *err)
{
    return put_called(tree, "__builtin__", "set", put_list, node, err);
}

static enum snap_status put_frozenset(struct snap_tree_pickle *tree, const struct snap_node *node,
                                      struct snap_error *err)
{
    return put_called(tree, "__builtin__", "frozenset", put_list, node, err);
}

static enum snap_status put_bytearray(struct snap_tree_pickle *tree, const struct snap_node *node,
                                      struct snap_error *err)
{
    return put_called(tree, "__builtin__", "bytearray", put_node, node, err);
}

static enum snap_status put_counter(struct snap_tree_pickle *tree, const struct snap_node *node,
                                    struct snap_error *err)
{
    return put_called(tree, "collections", "Counter", put_dict, node, err);
}

static enum snap_status put_complex(struct snap_tree_pickle *tree, const struct snap_node *node,
                                    struct snap_error *err)
{
    return put_spread(tree, "__builtin__", "complex", node, err);
}

static enum snap_status put_slice(struct snap_tree_pickle *tree, const struct snap_node *node,
                                  struct snap_error *err)
{
    return put_spread(tree, "__builtin__", "slice", node, err);
}

static enum snap_status put_range(struct snap_tree_pickle *tree, const struct snap_node *node,
                                  struct snap_error *err)
{
    return put_spread(tree, "__builtin__", "xrange", node, err);
}

static const struct {
    const char *tag;
    enum snap_status (*put)(struct snap_tree_pickle *tree, const struct snap_node *node,
                            struct snap_error *err);
} tags[] = {
    { "~tuple", put_tuple },
    { "~set", put_set },
    { "~frozenset", put_frozenset },
    { "~ordered", put_ordered },
    { "~state_dict", put_state_dict },
    { "~counter", put_counter },
    { "~deque", put_deque },
    { "~defaultdict", put_default },
    { "~items", put_dict },
    { "~dict", put_dict },
    { "~complex", put_complex },
    { "~text", put_text },
    { "~bytearray", put_bytearray },
    { "~slice", put_slice },
    { "~range", put_range },
    { "~dtype", put_dtype },
    { "~device", put_device },
    { "~size", put_size },
    { "~array", put_array },
    { "~scalar", put_scalar },
};

static enum snap_status put_tagged(struct snap_tree_pickle *tree, const char *tag,
                                   const struct snap_node *inner, struct snap_error *err)
{
    char reason[120];
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (strcmp(tags[i].tag, tag) == 0)
            return tags[i].put(tree, inner, err);
    snprintf(reason, sizeof reason,
             "%.40s: a name of a program, which a pickle would have to import", tag);
    return put_nothing(tree, reason, err);
}

static enum snap_status put_map(struct snap_tree_pickle *tree, const struct snap_node *node,
                                struct snap_error *err)
{
    int64_t index;
    const char *only = snap_node_count(node) == 1 ? snap_node_key_at(node, 0, &index) : NULL;
    if (only != NULL && only[0] == '~')
        return put_tagged(tree, only, snap_node_at(node, 0), err);
    return put_dict(tree, node, err);
}

static enum snap_status put_integer(struct snap_tree_pickle *tree, const struct snap_node *node,
                                    struct snap_error *err)
{
    int64_t small;
    uint64_t large;
    char digits[24];
    if (snap_node_int(node, &small))
        return snap_pickle_put_int(tree->writer, small, err);
    if (!snap_node_uint(node, &large))
        return snap_pickle_put_digits(tree->writer, snap_node_string(node), err);
    snprintf(digits, sizeof digits, "%" PRIu64, large);
    return snap_pickle_put_digits(tree->writer, digits, err);
}

enum snap_status snap_tree_pickle_put(struct snap_tree_pickle *tree, const struct snap_node *node,
                                      struct snap_error *err)
{
    struct snap_pickle_writer *writer = tree->writer;
    bool truth = false;
    double number = 0.0;
    size_t size = 0;
    const void *data;
    if (node == NULL)
        return put_nothing(tree, "a tag without its value", err);
    switch (snap_node_type(node)) {
    case SNAP_NODE_BOOL:
        snap_node_bool(node, &truth);
        return snap_pickle_put_bool(writer, truth, err);
    case SNAP_NODE_INT:
        return put_integer(tree, node, err);
    case SNAP_NODE_FLOAT:
        snap_node_float(node, &number);
        return snap_pickle_put_float(writer, number, err);
    case SNAP_NODE_STRING:
        return snap_pickle_put_string(writer, snap_node_string(node), err);
    case SNAP_NODE_BYTES:
        data = snap_node_bytes(node, &size);
        return snap_pickle_put_bytes(writer, data, size, err);
    case SNAP_NODE_LIST:
        return put_list(tree, node, err);
    case SNAP_NODE_MAP:
        return put_map(tree, node, err);
    case SNAP_NODE_TENSOR:
        return tree->put_tensor(tree->arg, snap_node_tensor(node), false, err);
    default:
        return snap_pickle_put_none(writer, err);
    }
}
