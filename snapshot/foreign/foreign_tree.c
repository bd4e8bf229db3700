/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, tuples, sets and dicts as nodes. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/json_fields.h"
#include "format/limits.h"
#include "foreign/foreign_tensor.h"
#include "foreign/foreign_tree.h"
#include "foreign/foreign_tree_parts.h"
#include "foreign/pickle_names.h"

/* The depth in state.json of the node of a root: the document, "roots", the pair, the node. */
#define ROOT_DEPTH 4

static enum snap_status enter_index(struct snap_foreign_tree *tree, size_t index, size_t *before,
                                    struct snap_error *err)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%zu", index);
    return snap_foreign_enter(tree, digits, (size_t)size, before, err);
}

/* The items from `first` on in steps of `step`, as a JSON array of nodes. */
static enum snap_status encode_items(struct snap_foreign_tree *tree,
                                     const struct snap_pickle_value *value, unsigned depth,
                                     json_t **array, struct snap_error *err)
{
    json_t *made = json_array();
    enum snap_status status = made != NULL ? SNAP_OK : snap_foreign_tree_memory(tree, err);
    for (size_t i = 0; status == SNAP_OK && i < value->count; i++) {
        json_t *item = NULL;
        size_t before;
        status = enter_index(tree, i, &before, err);
        if (status == SNAP_OK)
            status = snap_foreign_encode(tree, value->as.children.items[i], depth, &item, err);
        snap_foreign_leave(tree, before);
        if (status == SNAP_OK && item == NULL)
            item = json_pack("{s:n}", "null");
        if (status == SNAP_OK)
            status = snap_json_append(made, item, err);
    }
    if (status == SNAP_OK)
        *array = made;
    else
        json_decref(made);
    return status;
}

static enum snap_status encode_list(struct snap_foreign_tree *tree,
                                    const struct snap_pickle_value *value, unsigned depth,
                                    json_t **node, struct snap_error *err)
{
    json_t *array = NULL;
    enum snap_status status = encode_items(tree, value, depth + 2, &array, err);
    return status == SNAP_OK ? snap_foreign_wrap(tree, "list", array, node, err) : status;
}

enum snap_status snap_foreign_encode_tagged_list(struct snap_foreign_tree *tree, const char *tag,
                                                 const struct snap_pickle_value *value,
                                                 unsigned depth, json_t **node,
                                                 struct snap_error *err)
{
    json_t *list = NULL;
    size_t before;
    enum snap_status status = snap_foreign_enter(tree, tag, strlen(tag), &before, err);
    if (status == SNAP_OK)
        status = encode_list(tree, value, depth + 3, &list, err);
    snap_foreign_leave(tree, before);
    return status == SNAP_OK ? snap_foreign_wrap_tagged(tree, tag, list, node, err) : status;
}

struct sorted_item {
    char *text;
    json_t *node;
};

static int compare_items(const void *left, const void *right)
{
    const struct sorted_item *a = left;
    const struct sorted_item *b = right;
    return strcmp(a->text, b->text);
}

/* Put the array of nodes into the order of their texts. */
static enum snap_status sort_array(const struct snap_foreign_tree *tree, json_t *array,
                                   struct snap_error *err)
{
    size_t count = json_array_size(array);
    struct sorted_item *items = calloc(count + 1, sizeof *items);
    enum snap_status status = items != NULL ? SNAP_OK : snap_foreign_tree_memory(tree, err);
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        items[i].node = json_incref(json_array_get(array, i));
        items[i].text = json_dumps(items[i].node, JSON_COMPACT | JSON_SORT_KEYS);
        if (items[i].text == NULL)
            status = snap_foreign_tree_memory(tree, err);
    }
    if (status == SNAP_OK)
        qsort(items, count, sizeof *items, compare_items);
    for (size_t i = 0; items != NULL && i < count; i++) {
        if (status == SNAP_OK && json_array_set(array, i, items[i].node) != 0)
            status = snap_foreign_tree_memory(tree, err);
        json_decref(items[i].node);
        free(items[i].text);
    }
    free(items);
    return status;
}

static enum snap_status encode_set(struct snap_foreign_tree *tree,
                                   const struct snap_pickle_value *value, unsigned depth,
                                   json_t **node, struct snap_error *err)
{
    json_t *array = NULL;
    json_t *list = NULL;
    enum snap_status status = encode_items(tree, value, depth + 5, &array, err);
    if (status == SNAP_OK)
        status = sort_array(tree, array, err);
    if (status == SNAP_OK)
        status = snap_foreign_wrap(tree, "list", array, &list, err);
    else
        json_decref(array);
    if (status != SNAP_OK)
        return status;
    return snap_foreign_wrap_tagged(tree, value->type == SNAP_PICKLE_SET ? "~set" : "~frozenset",
                                    list, node, err);
}

static bool is_skipped(const struct snap_foreign_tree *tree, const struct snap_pickle_value *key)
{
    if (tree->path.size > 0 || tree->skip == NULL)
        return false;
    for (size_t i = 0; tree->skip[i] != NULL; i++)
        if (snap_pickle_is_text(key, tree->skip[i]))
            return true;
    return false;
}

static bool is_plain_key(const struct snap_pickle_value *key)
{
    if (key->type == SNAP_PICKLE_INT)
        return key->as.integer <= SNAP_MAX_JSON_INTEGER &&
               key->as.integer >= -SNAP_MAX_JSON_INTEGER;
    return key->type == SNAP_PICKLE_STR && snap_foreign_is_plain(key);
}

static bool has_plain_keys(const struct snap_pickle_value *dict)
{
    for (size_t i = 0; i < dict->count; i += 2)
        if (!is_plain_key(dict->as.children.items[i]))
            return false;
    return true;
}

/* The path goes into the value of a key. */
static enum snap_status enter_key(struct snap_foreign_tree *tree,
                                  const struct snap_pickle_value *key, size_t *before,
                                  struct snap_error *err)
{
    char digits[24];
    if (key->type == SNAP_PICKLE_STR)
        return snap_foreign_enter(tree, (const char *)key->as.bytes.data, key->as.bytes.size,
                                  before, err);
    int size = snprintf(digits, sizeof digits, "%" PRId64, key->as.integer);
    return snap_foreign_enter(tree, digits, (size_t)size, before, err);
}

/* The array of a map: [[key, node]...]. A value that is left out takes its key with it. */
static enum snap_status encode_entries(struct snap_foreign_tree *tree,
                                       const struct snap_pickle_value *dict, unsigned depth,
                                       json_t **array, struct snap_error *err)
{
    json_t *made = json_array();
    enum snap_status status = made != NULL ? SNAP_OK : snap_foreign_tree_memory(tree, err);
    for (size_t i = 0; status == SNAP_OK && i < dict->count; i += 2) {
        const struct snap_pickle_value *key = dict->as.children.items[i];
        json_t *item = NULL;
        size_t before;
        if (is_skipped(tree, key))
            continue;
        status = enter_key(tree, key, &before, err);
        if (status == SNAP_OK)
            status =
                snap_foreign_encode(tree, dict->as.children.items[i + 1], depth + 3, &item, err);
        snap_foreign_leave(tree, before);
        if (status != SNAP_OK || item == NULL)
            continue;
        json_t *name =
            key->type == SNAP_PICKLE_STR
                ? json_stringn_nocheck((const char *)key->as.bytes.data, key->as.bytes.size)
                : json_integer(key->as.integer);
        status = snap_json_append(made, json_pack("[o, o]", name, item), err);
    }
    if (status == SNAP_OK)
        *array = made;
    else
        json_decref(made);
    return status;
}

/* The list of a dict whose keys a map cannot have: [key, value] pairs. */
static enum snap_status encode_pairs(struct snap_foreign_tree *tree,
                                     const struct snap_pickle_value *dict, unsigned depth,
                                     json_t **node, struct snap_error *err)
{
    json_t *made = json_array();
    enum snap_status status = made != NULL ? SNAP_OK : snap_foreign_tree_memory(tree, err);
    for (size_t i = 0; status == SNAP_OK && i < dict->count; i += 2) {
        json_t *parts[2] = { NULL, NULL };
        size_t before;
        status = enter_index(tree, i / 2, &before, err);
        for (size_t part = 0; status == SNAP_OK && part < 2; part++) {
            size_t inside;
            status = enter_index(tree, part, &inside, err);
            if (status == SNAP_OK)
                status = snap_foreign_encode(tree, dict->as.children.items[i + part], depth + 4,
                                             &parts[part], err);
            snap_foreign_leave(tree, inside);
        }
        snap_foreign_leave(tree, before);
        if (status == SNAP_OK && parts[0] != NULL && parts[1] != NULL) {
            status =
                snap_json_append(made, json_pack("{s:[o, o]}", "list", parts[0], parts[1]), err);
        } else {
            json_decref(parts[0]);
            json_decref(parts[1]);
        }
    }
    if (status == SNAP_OK)
        return snap_foreign_wrap(tree, "list", made, node, err);
    json_decref(made);
    return status;
}

/* {"map": ...}, or the list of pairs. */
static enum snap_status encode_plain_dict(struct snap_foreign_tree *tree,
                                          const struct snap_pickle_value *dict, unsigned depth,
                                          json_t **node, struct snap_error *err)
{
    json_t *array = NULL;
    if (!has_plain_keys(dict))
        return encode_pairs(tree, dict, depth, node, err);
    enum snap_status status = encode_entries(tree, dict, depth, &array, err);
    return status == SNAP_OK ? snap_foreign_wrap(tree, "map", array, node, err) : status;
}

/* The same behind a tag. */
static enum snap_status encode_tagged_dict(struct snap_foreign_tree *tree, const char *tag,
                                           const struct snap_pickle_value *dict, unsigned depth,
                                           json_t **node, struct snap_error *err)
{
    json_t *inner = NULL;
    size_t before;
    enum snap_status status = snap_foreign_enter(tree, tag, strlen(tag), &before, err);
    if (status == SNAP_OK)
        status = encode_plain_dict(tree, dict, depth + 3, &inner, err);
    snap_foreign_leave(tree, before);
    return status == SNAP_OK ? snap_foreign_wrap_tagged(tree, tag, inner, node, err) : status;
}

/* defaultdict: its factory by name, and its items. */
static enum snap_status encode_defaultdict(struct snap_foreign_tree *tree,
                                           const struct snap_pickle_value *dict, unsigned depth,
                                           json_t **node, struct snap_error *err)
{
    const struct snap_pickle_value *factory = dict->as.children.extra;
    json_t *items = NULL;
    json_t *name = NULL;
    size_t before;
    enum snap_status status = snap_foreign_enter(tree, "~defaultdict.items", 18, &before, err);
    if (status == SNAP_OK)
        status = encode_plain_dict(tree, dict, depth + 6, &items, err);
    snap_foreign_leave(tree, before);
    if (status != SNAP_OK)
        return status;
    if (snap_pickle_is(factory, SNAP_PICKLE_NAME)) {
        struct snap_buffer text = SNAP_BUFFER_INIT;
        status = snap_buffer_appendf(&text, err, "builtins:%s", factory->as.name->name);
        if (status == SNAP_OK)
            name = json_pack("{s:[[s, {s:s}]]}", "map", "~function", "string", text.data);
        snap_buffer_release(&text);
    } else {
        name = json_pack("{s:n}", "null");
    }
    json_t *parts = json_pack("{s:[[s, o], [s, o]]}", "map", "factory", name, "items", items);
    return status == SNAP_OK ? snap_foreign_wrap_tagged(tree, "~defaultdict", parts, node, err)
                             : status;
}

/* A class of dict. An OrderedDict is written as a map, which has an order: its tensors then keep
 * the names that people know. What else it has, such as the versions of modules that torch keeps
 * with a state_dict, has no form. */
enum snap_status snap_foreign_encode_dict(struct snap_foreign_tree *tree,
                                          const struct snap_pickle_value *dict, unsigned depth,
                                          json_t **node, struct snap_error *err)
{
    const struct snap_pickle_name *class_name = dict->as.children.class_name;
    enum snap_status status = SNAP_OK;
    if (class_name != NULL && class_name->role == SNAP_ROLE_COUNTER)
        return encode_tagged_dict(tree, "~counter", dict, depth, node, err);
    if (class_name != NULL && class_name->role == SNAP_ROLE_DEFAULT_DICT)
        return encode_defaultdict(tree, dict, depth, node, err);
    if (class_name != NULL && dict->as.children.extra != NULL) {
        json_t *ignored;
        size_t before;
        status = snap_foreign_enter(tree, "(attributes)", 12, &before, err);
        if (status == SNAP_OK)
            status = snap_foreign_leave_out(tree,
                                            "the attributes of an OrderedDict: of a state_dict the "
                                            "versions of its modules, which only old layouts need",
                                            &ignored, err);
        snap_foreign_leave(tree, before);
    }
    if (status != SNAP_OK)
        return status;
    if (!has_plain_keys(dict))
        return encode_tagged_dict(tree, "~items", dict, depth, node, err);
    const struct snap_pickle_value *only = dict->count == 2 ? dict->as.children.items[0] : NULL;
    if (snap_pickle_is(only, SNAP_PICKLE_STR) && only->as.bytes.size > 0 &&
        only->as.bytes.data[0] == '~')
        return encode_tagged_dict(tree, "~dict", dict, depth, node, err);
    return encode_plain_dict(tree, dict, depth, node, err);
}

/* Depths of JSON that a node of a value takes below itself, at least. */
static unsigned own_depth(const struct snap_pickle_value *value)
{
    switch (value->type) {
    case SNAP_PICKLE_LIST:
        return 1;
    case SNAP_PICKLE_DICT:
        return value->as.children.class_name != NULL ? 7 : 5;
    case SNAP_PICKLE_TUPLE:
    case SNAP_PICKLE_SET:
    case SNAP_PICKLE_FROZENSET:
    case SNAP_PICKLE_BYTEARRAY:
    case SNAP_PICKLE_STR:
        return 4;
    case SNAP_PICKLE_OBJECT:
        return snap_torch_is_tensor(value) ? 2 : 5;
    case SNAP_PICKLE_NAME:
        return 3;
    default:
        return 0;
    }
}

enum snap_status snap_foreign_encode(struct snap_foreign_tree *tree,
                                     const struct snap_pickle_value *value, unsigned depth,
                                     json_t **node, struct snap_error *err)
{
    *node = NULL;
    if (depth + own_depth(value) > SNAP_MAX_JSON_DEPTH)
        return snap_foreign_leave_out(tree, "it is nested too deeply for state.json", node, err);
    if (tree->path.size > SNAP_MAX_TENSOR_PATH_BYTES)
        return snap_foreign_leave_out(tree, "its path has more bytes than the format allows", node,
                                      err);
    switch (value->type) {
    case SNAP_PICKLE_NONE:
        return snap_foreign_wrap(tree, "null", json_null(), node, err);
    case SNAP_PICKLE_BOOL:
        return snap_foreign_wrap(tree, "bool", json_boolean(value->as.boolean), node, err);
    case SNAP_PICKLE_INT:
    case SNAP_PICKLE_LONG:
        return snap_foreign_encode_integer(tree, value, node, err);
    case SNAP_PICKLE_FLOAT:
        *node = snap_foreign_float_node(value->as.number);
        return *node != NULL ? SNAP_OK : snap_foreign_tree_memory(tree, err);
    case SNAP_PICKLE_STR:
        return snap_foreign_encode_text(tree, value, node, err);
    case SNAP_PICKLE_BYTES:
        *node = snap_foreign_bytes_node(value->as.bytes.data, value->as.bytes.size);
        return *node != NULL ? SNAP_OK : snap_foreign_tree_memory(tree, err);
    case SNAP_PICKLE_BYTEARRAY:
        return snap_foreign_wrap_tagged(
            tree, "~bytearray", snap_foreign_bytes_node(value->as.bytes.data, value->as.bytes.size),
            node, err);
    case SNAP_PICKLE_LIST:
        return encode_list(tree, value, depth, node, err);
    case SNAP_PICKLE_TUPLE:
        return snap_foreign_encode_tagged_list(tree, "~tuple", value, depth, node, err);
    case SNAP_PICKLE_SET:
    case SNAP_PICKLE_FROZENSET:
        return encode_set(tree, value, depth, node, err);
    case SNAP_PICKLE_DICT:
        return snap_foreign_encode_dict(tree, value, depth, node, err);
    case SNAP_PICKLE_NAME:
        return snap_foreign_encode_name(tree, value, node, err);
    case SNAP_PICKLE_OBJECT:
        return snap_foreign_encode_object(tree, value, depth, node, err);
    default:
        return snap_foreign_leave_out(tree, "a storage without a tensor", node, err);
    }
}

enum snap_status snap_foreign_tree_add(struct snap_foreign_source *source, const char *name,
                                       const struct snap_pickle_value *value,
                                       const char *const *skip, struct snap_error *err)
{
    struct snap_foreign_tree tree = { .source = source, .root = name, .skip = skip };
    json_t *node = NULL;
    enum snap_status status = snap_foreign_encode(&tree, value, ROOT_DEPTH, &node, err);
    snap_buffer_release(&tree.path);
    if (status == SNAP_OK && node == NULL) { /* all of it was left out, and that was said */
        free(tree.memory);
        return SNAP_OK;
    }
    if (status == SNAP_OK)
        return snap_foreign_state_add_root(source->state, name, node, tree.memory,
                                           tree.memory_count, err);
    json_decref(node);
    free(tree.memory);
    return status;
}
