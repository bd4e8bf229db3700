/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "tree_text.h"

/* Columns that a name takes, its indentation counted in, before the value begins. */
#define NAME_COLUMNS 34
/* Of a string or bytes, this much is shown. */
#define MOST_SHOWN 60

static void print_value(int depth, const char *name, const char *value)
{
    int indent = 2 * depth, width = NAME_COLUMNS - indent;

    cmd_print_line("%*s%-*s %s", indent, "", width > 0 ? width : 0, name, value);
}

/* "f32 (8, 1, 3, 3)", and what is not as usual. */
static void tensor_text(const struct snap_archive *archive, const struct snap_tensor_view *view,
                        char *text, size_t text_size)
{
    const char *name = snap_dtype_name(view->dtype);
    uint64_t expected = 1, bytes = 0;
    bool contiguous = true;
    size_t used;

    used = (size_t)snprintf(text, text_size, "%s (", name);
    for (size_t i = 0; i < view->ndim && used < text_size; i++)
        used += (size_t)snprintf(text + used, text_size - used, "%s%" PRIu64, i ? ", " : "",
                                 view->shape[i]);
    for (size_t i = view->ndim; i > 0; i--) {
        contiguous = contiguous && (view->shape[i - 1] == 1 || view->strides[i - 1] == expected);
        expected *= view->shape[i - 1];
    }
    if (used < text_size)
        used += (size_t)snprintf(text + used, text_size - used, ")");
    if (!contiguous && used < text_size) {
        used += (size_t)snprintf(text + used, text_size - used, ", strides (");
        for (size_t i = 0; i < view->ndim && used < text_size; i++)
            used += (size_t)snprintf(text + used, text_size - used, "%s%" PRIu64, i ? ", " : "",
                                     view->strides[i]);
        if (used < text_size)
            used += (size_t)snprintf(text + used, text_size - used, ")");
    }
    if (view->offset && used < text_size)
        used += (size_t)snprintf(text + used, text_size - used, ", from element %" PRIu64,
                                 view->offset);
    if (view->is_piece && used < text_size)
        used += (size_t)snprintf(text + used, text_size - used, ", a piece of a larger one");
    if (view->on_device && used < text_size)
        used += (size_t)snprintf(text + used, text_size - used, ", cuda");
    if (used < text_size)
        snprintf(text + used, text_size - used, "  %s",
                 snap_archive_storage_name(archive, view->storage, &bytes));
}

/* Bytes of `text` that are shown: whole UTF-8 characters. */
static int shown_bytes(const char *text)
{
    size_t length = strlen(text);

    if (length <= MOST_SHOWN)
        return (int)length;
    length = MOST_SHOWN;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    return (int)length;
}

/* The value of a node that has no others below it. */
static void leaf_text(const struct snap_archive *archive, const struct snap_node *node, char *text,
                      size_t text_size)
{
    size_t size_bytes = 0;
    uint64_t large;
    int64_t integer;
    double real;
    bool truth;
    const char *string = snap_node_string(node);

    text[0] = '\0';
    switch (snap_node_type(node)) {
    case SNAP_NODE_NULL:
        snprintf(text, text_size, "null");
        break;
    case SNAP_NODE_BOOL:
        snprintf(text, text_size, "%s", snap_node_bool(node, &truth) && truth ? "true" : "false");
        break;
    case SNAP_NODE_INT:
        if (snap_node_int(node, &integer))
            snprintf(text, text_size, "%" PRId64, integer);
        else if (snap_node_uint(node, &large))
            snprintf(text, text_size, "%" PRIu64, large);
        else
            snprintf(text, text_size, "an integer past 64 bits");
        break;
    case SNAP_NODE_FLOAT:
        if (snap_node_float(node, &real))
            snprintf(text, text_size, "%.17g", real);
        break;
    case SNAP_NODE_STRING:
        snprintf(text, text_size, "\"%.*s\"%s", shown_bytes(string), string,
                 strlen(string) > MOST_SHOWN ? "..." : "");
        break;
    case SNAP_NODE_BYTES:
        snap_node_bytes(node, &size_bytes);
        snprintf(text, text_size, "%zu bytes", size_bytes);
        break;
    case SNAP_NODE_TENSOR:
        tensor_text(archive, snap_node_tensor(node), text, text_size);
        break;
    case SNAP_NODE_LIST:
    case SNAP_NODE_MAP:
        break;
    }
}

/* Recursion is bounded: the format allows 32 levels of JSON. */
static void print_node(const struct snap_archive *archive, int depth, const char *name,
                       const struct snap_node *node)
{
    enum snap_node_type type = snap_node_type(node);
    size_t count = snap_node_count(node);
    char text[1000], index[32];

    if (type != SNAP_NODE_LIST && type != SNAP_NODE_MAP) {
        leaf_text(archive, node, text, sizeof text);
        print_value(depth, name, text);
        return;
    }
    print_value(depth, name, count ? "" : type == SNAP_NODE_LIST ? "[]" : "{}");
    for (size_t i = 0; i < count; i++) {
        int64_t int_key = (int64_t)i;
        const char *key = type == SNAP_NODE_MAP ? snap_node_key_at(node, i, &int_key) : NULL;
        if (key == NULL) {
            snprintf(index, sizeof index, "%" PRId64, int_key);
            key = index;
        }
        print_node(archive, depth + 1, key, snap_node_at(node, i));
    }
}

void cmd_print_tree(const struct snap_archive *archive)
{
    size_t count = snap_archive_root_count(archive);

    for (size_t i = 0; i < count; i++)
        print_node(archive, 1, snap_archive_root_name(archive, i), snap_archive_root(archive, i));
}
