/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "format/limits.h"
#include "format/tree_node.h"

/* The most bytes of a key in messages. */
#define KEY_SHOWN 80

static struct snap_node *new_node(enum snap_node_type type)
{
    struct snap_node *node = calloc(1, sizeof *node);
    if (node != NULL)
        node->type = type;
    return node;
}

struct snap_node *snap_node_new_null(void)
{
    return new_node(SNAP_NODE_NULL);
}

struct snap_node *snap_node_new_bool(bool value)
{
    struct snap_node *node = new_node(SNAP_NODE_BOOL);
    if (node != NULL)
        node->as.boolean = value;
    return node;
}

struct snap_node *snap_node_new_int(int64_t value)
{
    struct snap_node *node = new_node(SNAP_NODE_INT);
    if (node != NULL) {
        node->as.integer.negative = value < 0;
        node->as.integer.magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    }
    return node;
}

struct snap_node *snap_node_new_uint(uint64_t value)
{
    struct snap_node *node = new_node(SNAP_NODE_INT);
    if (node != NULL)
        node->as.integer.magnitude = value;
    return node;
}

struct snap_node *snap_node_new_digits(const char *digits)
{
    bool negative = digits[0] == '-';
    char *end;
    errno = 0;
    uint64_t magnitude = strtoull(digits + negative, &end, 10);
    if (errno == 0 && (!negative || magnitude <= (uint64_t)INT64_MAX + 1)) {
        struct snap_node *node = snap_node_new_uint(magnitude);
        if (node != NULL)
            node->as.integer.negative = negative && magnitude != 0;
        return node;
    }
    struct snap_node *node = new_node(SNAP_NODE_INT);
    if (node == NULL)
        return NULL;
    node->as.integer.digits = strdup(digits);
    if (node->as.integer.digits == NULL) {
        free(node);
        return NULL;
    }
    return node;
}

struct snap_node *snap_node_new_float(double value)
{
    struct snap_node *node = new_node(SNAP_NODE_FLOAT);
    if (node != NULL)
        memcpy(&node->as.float_bits, &value, sizeof value);
    return node;
}

struct snap_node *snap_node_new_string(const char *text)
{
    struct snap_node *node = new_node(SNAP_NODE_STRING);
    if (node == NULL || text == NULL || (node->as.string = strdup(text)) == NULL) {
        free(node);
        return NULL;
    }
    return node;
}

struct snap_node *snap_node_new_bytes(const void *data, size_t size_bytes)
{
    struct snap_node *node = new_node(SNAP_NODE_BYTES);
    if (node == NULL)
        return NULL;
    node->as.bytes.data = malloc(size_bytes > 0 ? size_bytes : 1);
    if (node->as.bytes.data == NULL) {
        free(node);
        return NULL;
    }
    if (size_bytes > 0)
        memcpy(node->as.bytes.data, data, size_bytes);
    node->as.bytes.size_bytes = size_bytes;
    return node;
}

struct snap_node *snap_node_new_list(void)
{
    return new_node(SNAP_NODE_LIST);
}

struct snap_node *snap_node_new_map(void)
{
    struct snap_node *node = new_node(SNAP_NODE_MAP);
    if (node == NULL || (node->as.children.places = json_object()) == NULL) {
        free(node);
        return NULL;
    }
    return node;
}

struct snap_node *snap_node_new_tensor(const struct snap_tensor_view *view)
{
    struct snap_node *node = new_node(SNAP_NODE_TENSOR);
    if (node == NULL || (node->as.view = calloc(1, sizeof *view)) == NULL) {
        free(node);
        return NULL;
    }
    /* A caller compiled against an older header has fewer fields. */
    size_t known = view->size_bytes < sizeof *view ? view->size_bytes : sizeof *view;
    memcpy(node->as.view, view, known);
    node->as.view->size_bytes = sizeof *view;
    return node;
}

void snap_node_free(struct snap_node *node)
{
    if (node == NULL)
        return;
    switch (node->type) {
    case SNAP_NODE_INT:
        free(node->as.integer.digits);
        break;
    case SNAP_NODE_STRING:
        free(node->as.string);
        break;
    case SNAP_NODE_BYTES:
        free(node->as.bytes.data);
        break;
    case SNAP_NODE_LIST:
    case SNAP_NODE_MAP:
        for (size_t i = 0; i < node->as.children.count; i++) {
            free(node->as.children.entries[i].key);
            snap_node_free(node->as.children.entries[i].value);
        }
        free(node->as.children.entries);
        json_decref(node->as.children.places);
        break;
    case SNAP_NODE_TENSOR:
        free(node->as.view);
        break;
    default:
        break;
    }
    free(node);
}

enum snap_status snap_node_insert(struct snap_node *parent, const char *key,
                                  struct snap_node *item, struct snap_error *err)
{
    char *copy = NULL;
    enum snap_status status = SNAP_OK;
    json_t *places = parent->as.children.places;
    if (item == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "tree: the node to put in is NULL");
        goto out;
    }
    if (key != NULL && json_object_get(places, key) != NULL) {
        status = snap_error_set(err, SNAP_INVALID, "tree: key \"%.*s\" is there twice", KEY_SHOWN,
                                key + 1);
        goto out;
    }
    struct snap_entry *entries = snap_array_grow(parent->as.children.entries,
                                                 parent->as.children.count, sizeof *entries);
    if (entries == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "tree: out of memory");
        goto out;
    }
    parent->as.children.entries = entries;
    if (key != NULL) {
        copy = strdup(key);
        if (copy == NULL ||
            json_object_set_new_nocheck(
                places, key, json_integer((json_int_t)parent->as.children.count)) != 0) {
            status = snap_error_set(err, SNAP_NO_MEMORY, "tree: out of memory");
            goto out;
        }
    }
    entries[parent->as.children.count++] = (struct snap_entry){ copy, item };
    copy = NULL;
    item = NULL;
out:
    free(copy);
    snap_node_free(item);
    return status;
}

/* A parent that is NULL could not be made: its caller need not have looked. */
static enum snap_status wrong_parent(const struct snap_node *parent, const char *fault,
                                     struct snap_error *err)
{
    if (parent == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "tree: the node to put into is NULL");
    return snap_error_set(err, SNAP_INVALID, "tree: %s", fault);
}

enum snap_status snap_node_append(struct snap_node *list, struct snap_node *item,
                                  struct snap_error *err)
{
    if (list == NULL || list->type != SNAP_NODE_LIST) {
        snap_node_free(item);
        return wrong_parent(list, "appending to a node that is no list", err);
    }
    return snap_node_insert(list, NULL, item, err);
}

enum snap_status snap_node_set(struct snap_node *map, const char *key, struct snap_node *item,
                               struct snap_error *err)
{
    if (map == NULL || map->type != SNAP_NODE_MAP) {
        snap_node_free(item);
        return wrong_parent(map, "setting a key of a node that is no map", err);
    }
    size_t length = strlen(key);
    char *typed = malloc(length + 2);
    if (typed == NULL) {
        snap_node_free(item);
        return snap_error_set(err, SNAP_NO_MEMORY, "tree: out of memory");
    }
    typed[0] = 's';
    memcpy(typed + 1, key, length + 1);
    enum snap_status status = snap_node_insert(map, typed, item, err);
    free(typed);
    return status;
}

enum snap_status snap_node_set_int_key(struct snap_node *map, int64_t key, struct snap_node *item,
                                       struct snap_error *err)
{
    if (map == NULL || map->type != SNAP_NODE_MAP) {
        snap_node_free(item);
        return wrong_parent(map, "setting a key of a node that is no map", err);
    }
    if (key > SNAP_MAX_JSON_INTEGER || key < -SNAP_MAX_JSON_INTEGER) {
        snap_node_free(item);
        return snap_error_set(err, SNAP_INVALID,
                              "tree: setting key %" PRId64 ": a key that is an integer is at most "
                              "2^53",
                              key);
    }
    char typed[32];
    snprintf(typed, sizeof typed, "i%" PRId64, key);
    return snap_node_insert(map, typed, item, err);
}

enum snap_node_type snap_node_type(const struct snap_node *node)
{
    return node->type;
}

bool snap_node_bool(const struct snap_node *node, bool *value)
{
    if (node->type != SNAP_NODE_BOOL)
        return false;
    *value = node->as.boolean;
    return true;
}

bool snap_node_int(const struct snap_node *node, int64_t *value)
{
    if (node->type != SNAP_NODE_INT || node->as.integer.digits != NULL)
        return false;
    uint64_t magnitude = node->as.integer.magnitude;
    if (node->as.integer.negative) {
        *value = (int64_t)(0 - magnitude);
        return true;
    }
    if (magnitude > INT64_MAX)
        return false;
    *value = (int64_t)magnitude;
    return true;
}

bool snap_node_uint(const struct snap_node *node, uint64_t *value)
{
    if (node->type != SNAP_NODE_INT || node->as.integer.digits != NULL ||
        node->as.integer.negative)
        return false;
    *value = node->as.integer.magnitude;
    return true;
}

bool snap_node_float(const struct snap_node *node, double *value)
{
    if (node->type != SNAP_NODE_FLOAT)
        return false;
    memcpy(value, &node->as.float_bits, sizeof *value);
    return true;
}

const char *snap_node_string(const struct snap_node *node)
{
    if (node->type == SNAP_NODE_INT)
        return node->as.integer.digits;
    return node->type == SNAP_NODE_STRING ? node->as.string : NULL;
}

const void *snap_node_bytes(const struct snap_node *node, size_t *size_bytes)
{
    if (node->type != SNAP_NODE_BYTES)
        return NULL;
    *size_bytes = node->as.bytes.size_bytes;
    return node->as.bytes.data;
}

const struct snap_tensor_view *snap_node_tensor(const struct snap_node *node)
{
    return node->type == SNAP_NODE_TENSOR ? node->as.view : NULL;
}

static bool has_children(const struct snap_node *node)
{
    return node->type == SNAP_NODE_LIST || node->type == SNAP_NODE_MAP;
}

size_t snap_node_count(const struct snap_node *node)
{
    return has_children(node) ? node->as.children.count : 0;
}

const struct snap_node *snap_node_at(const struct snap_node *node, size_t index)
{
    return index < snap_node_count(node) ? node->as.children.entries[index].value : NULL;
}

const char *snap_node_key_at(const struct snap_node *node, size_t index, int64_t *int_key)
{
    if (node->type != SNAP_NODE_MAP || index >= node->as.children.count)
        return NULL;
    const char *key = node->as.children.entries[index].key;
    if (key[0] == 's')
        return key + 1;
    *int_key = strtoll(key + 1, NULL, 10);
    return NULL;
}

const struct snap_node *snap_node_get(const struct snap_node *map, const char *key)
{
    if (map->type != SNAP_NODE_MAP)
        return NULL;
    size_t length = strlen(key);
    char *typed = malloc(length + 2);
    if (typed == NULL)
        return NULL;
    typed[0] = 's';
    memcpy(typed + 1, key, length + 1);
    const json_t *place = json_object_get(map->as.children.places, typed);
    free(typed);
    return place != NULL ? snap_node_at(map, (size_t)json_integer_value(place)) : NULL;
}
