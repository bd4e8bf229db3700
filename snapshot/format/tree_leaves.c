/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/buffer.h"
#include "format/tree_leaves.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "tree: list its leaves: out of memory");
}

/* Note that the next leaf of the list has that path, the nth that has it. */
static enum snap_status add_place(struct snap_leaves *leaves, const char *path, size_t *nth,
                                  struct snap_error *err)
{
    json_t *place = json_integer((json_int_t)leaves->count);
    json_t *known = json_object_get(leaves->index, path);
    *nth = known == NULL ? 0 : json_is_array(known) ? json_array_size(known) : 1;
    if (*nth == 0)
        return json_object_set_new(leaves->index, path, place) == 0 ? SNAP_OK : no_memory(err);
    if (*nth == 1) {
        json_t *places = json_array();
        json_array_append(places, known); /* its failure is seen by its size */
        if (json_array_size(places) != 1 || json_object_set(leaves->index, path, places) != 0) {
            json_decref(places);
            json_decref(place);
            return no_memory(err);
        }
        json_decref(places);
        known = places; /* the index has it */
    }
    return json_array_append_new(known, place) == 0 ? SNAP_OK : no_memory(err);
}

static enum snap_status add_leaf(struct snap_leaves *leaves, const char *path,
                                 const struct snap_node *node, struct snap_error *err)
{
    void *grown = snap_array_grow(leaves->list, leaves->count, sizeof *leaves->list);
    char *copy = strdup(path);
    size_t nth = 0;
    if (grown != NULL)
        leaves->list = grown;
    enum snap_status status =
        grown == NULL || copy == NULL ? no_memory(err) : add_place(leaves, path, &nth, err);
    if (status != SNAP_OK) {
        free(copy);
        return status;
    }
    leaves->list[leaves->count++] = (struct snap_leaf){ copy, node, nth };
    return SNAP_OK;
}

/* `path` is that of `node`, and is put back before the return. Depth is bounded by the reader of
 * state.json. */
static enum snap_status walk(struct snap_leaves *leaves, struct snap_buffer *path,
                             const struct snap_node *node, struct snap_error *err)
{
    enum snap_node_type type = snap_node_type(node);
    size_t count = snap_node_count(node);
    size_t length = path->size;
    enum snap_status status = SNAP_OK;
    if ((type != SNAP_NODE_LIST && type != SNAP_NODE_MAP) || count == 0)
        return add_leaf(leaves, (const char *)path->data, node, err);
    const char *dot = path->data[length - 1] == '/' ? "" : ".";
    for (size_t i = 0; status == SNAP_OK && i < count; i++) {
        int64_t number = (int64_t)i;
        const char *key = type == SNAP_NODE_MAP ? snap_node_key_at(node, i, &number) : NULL;
        if (key != NULL)
            status = snap_buffer_appendf(path, err, "%s%s", dot, key);
        else
            status = snap_buffer_appendf(path, err, "%s%" PRId64, dot, number);
        if (status == SNAP_OK)
            status = walk(leaves, path, snap_node_at(node, i), err);
        path->size = length;
        path->data[length] = '\0';
    }
    return status;
}

enum snap_status snap_leaves_find_all(const struct snap_state_doc *doc, struct snap_leaves *leaves,
                                      struct snap_error *err)
{
    struct snap_buffer path = SNAP_BUFFER_INIT;
    enum snap_status status = SNAP_OK;
    leaves->index = json_object();
    if (leaves->index == NULL)
        return no_memory(err);
    for (size_t i = 0; status == SNAP_OK && i < doc->root_count; i++) {
        snap_buffer_clear(&path);
        status = snap_buffer_appendf(&path, err, "%s/", doc->roots[i].name);
        if (status == SNAP_OK)
            status = walk(leaves, &path, doc->roots[i].node, err);
    }
    snap_buffer_release(&path);
    return status;
}

const struct snap_leaf *snap_leaves_get(const struct snap_leaves *leaves, const char *path,
                                        size_t nth)
{
    const json_t *at = json_object_get(leaves->index, path);
    if (json_is_array(at))
        at = json_array_get(at, nth);
    else if (nth > 0)
        at = NULL;
    return at == NULL ? NULL : &leaves->list[json_integer_value(at)];
}

void snap_leaves_release(struct snap_leaves *leaves)
{
    for (size_t i = 0; i < leaves->count; i++)
        free(leaves->list[i].path);
    free(leaves->list);
    json_decref(leaves->index);
    *leaves = (struct snap_leaves)SNAP_LEAVES_INIT;
}
