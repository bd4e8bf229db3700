/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "tree_text.h"

/* Columns that a name takes, its indentation counted in, before the value begins. */
#define NAME_COLUMNS 38
/* Columns of dtype and shape, before the member. */
#define SHAPE_COLUMNS 20
/* Of a string, this many bytes are shown. */
#define MOST_SHOWN 60

/* "(8, 1, 3, 3)"; the characters written. */
static int write_sizes(FILE *text, const uint64_t *sizes, size_t ndim)
{
    int columns = fprintf(text, "(");

    for (size_t i = 0; i < ndim; i++)
        columns += fprintf(text, "%s%" PRIu64, i ? ", " : "", sizes[i]);
    return columns + fprintf(text, ")");
}

static bool is_contiguous(const struct snap_tensor_view *view)
{
    uint64_t expected = 1;

    for (size_t i = view->ndim; i > 0; i--) {
        if (view->shape[i - 1] != 1 && view->strides[i - 1] != expected)
            return false;
        expected *= view->shape[i - 1];
    }
    return true;
}

/* dtype, shape and member, and what is not as usual. */
static void write_tensor(FILE *text, const struct snap_archive *archive,
                         const struct snap_tensor_view *view)
{
    uint64_t bytes = 0;
    int columns = fprintf(text, "%s ", snap_dtype_name(view->dtype));

    columns += write_sizes(text, view->shape, view->ndim);
    fprintf(text, "%*s  %s", columns < SHAPE_COLUMNS ? SHAPE_COLUMNS - columns : 0, "",
            snap_archive_storage_name(archive, view->storage, &bytes));
    if (!is_contiguous(view)) {
        fputs(", strides ", text);
        write_sizes(text, view->strides, view->ndim);
    }
    if (view->offset)
        fprintf(text, ", from element %" PRIu64, view->offset);
    if (view->is_piece) {
        fputs(", a piece of ", text);
        write_sizes(text, view->global_shape, view->ndim);
        fputs(" at ", text);
        write_sizes(text, view->global_offset, view->ndim);
    }
    if (view->on_device)
        fputs(", cuda", text);
}

/* A string, cut between two characters when it is long. */
static void write_string(FILE *text, const char *string)
{
    size_t length = strlen(string), shown = length;

    if (length > MOST_SHOWN) {
        shown = MOST_SHOWN;
        while (shown > 0 && ((unsigned char)string[shown] & 0xc0) == 0x80)
            shown--;
    }
    fprintf(text, "\"%.*s\"%s", (int)shown, string, shown < length ? "..." : "");
}

static void write_integer(FILE *text, const struct snap_node *node)
{
    uint64_t large;
    int64_t integer;

    if (snap_node_int(node, &integer))
        fprintf(text, "%" PRId64, integer);
    else if (snap_node_uint(node, &large))
        fprintf(text, "%" PRIu64, large);
    else
        fputs("an integer past 64 bits", text);
}

/* What stands behind the name of a node; nothing for one that has others below it. */
static void write_value(FILE *text, const struct snap_archive *archive,
                        const struct snap_node *node)
{
    size_t size_bytes = 0;
    double real = 0;
    bool truth = false;

    switch (snap_node_type(node)) {
    case SNAP_NODE_NULL:
        fputs("null", text);
        break;
    case SNAP_NODE_BOOL:
        snap_node_bool(node, &truth);
        fputs(truth ? "true" : "false", text);
        break;
    case SNAP_NODE_INT:
        write_integer(text, node);
        break;
    case SNAP_NODE_FLOAT:
        snap_node_float(node, &real);
        fprintf(text, "%.17g", real);
        break;
    case SNAP_NODE_STRING:
        write_string(text, snap_node_string(node));
        break;
    case SNAP_NODE_BYTES:
        snap_node_bytes(node, &size_bytes);
        fprintf(text, "%zu byte%s", size_bytes, cmd_plural(size_bytes));
        break;
    case SNAP_NODE_LIST:
        fputs(snap_node_count(node) ? "" : "[]", text);
        break;
    case SNAP_NODE_MAP:
        fputs(snap_node_count(node) ? "" : "{}", text);
        break;
    case SNAP_NODE_TENSOR:
        write_tensor(text, archive, snap_node_tensor(node));
        break;
    }
}

/* The bytes of a name that take no column of their own: those that continue a UTF-8 sequence. */
static int continuation_bytes(const char *name)
{
    int count = 0;

    for (; *name; name++)
        count += ((unsigned char)*name & 0xc0) == 0x80;
    return count;
}

/* False: no memory. */
static bool print_line(const struct snap_archive *archive, int depth, const char *name,
                       const struct snap_node *node)
{
    int indent = 2 * depth, width = indent < NAME_COLUMNS ? NAME_COLUMNS - indent : 0;
    char *value = NULL;
    size_t size = 0;
    FILE *text = open_memstream(&value, &size);

    if (text == NULL)
        return false;
    write_value(text, archive, node);
    if (fclose(text) != 0) {
        free(value);
        return false;
    }
    if (*value)
        cmd_print_line("%*s%-*s %s", indent, "", width + continuation_bytes(name), name, value);
    else
        cmd_print_line("%*s%s", indent, "", name);
    free(value);
    return true;
}

/* Recursion is bounded: the format allows 32 levels of JSON. */
static bool print_node(const struct snap_archive *archive, int depth, const char *name,
                       const struct snap_node *node)
{
    bool is_map = snap_node_type(node) == SNAP_NODE_MAP;
    size_t count = snap_node_count(node);
    char index[32];

    if (!print_line(archive, depth, name, node))
        return false;
    for (size_t i = 0; i < count; i++) {
        int64_t int_key = (int64_t)i;
        const char *key = is_map ? snap_node_key_at(node, i, &int_key) : NULL;
        if (key == NULL) {
            snprintf(index, sizeof index, "%" PRId64, int_key);
            key = index;
        }
        if (!print_node(archive, depth + 1, key, snap_node_at(node, i)))
            return false;
    }
    return true;
}

enum snap_status cmd_print_tree(const struct snap_archive *archive, struct snap_error *err)
{
    size_t count = snap_archive_root_count(archive);

    for (size_t i = 0; i < count; i++)
        if (!print_node(archive, 1, snap_archive_root_name(archive, i),
                        snap_archive_root(archive, i)))
            return snap_error_set(err, SNAP_NO_MEMORY, "the tree: no memory to show it");
    return SNAP_OK;
}
