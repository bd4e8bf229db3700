/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <inttypes.h>

#include "core/buffer.h"
#include "core/bytes.h"
#include "format/limits.h"
#include "format/tree_codec.h"

uint64_t snap_view_elements(const struct snap_tensor_view *view)
{
    uint64_t elements = 1;
    for (size_t i = 0; i < view->ndim; i++)
        elements *= view->shape[i];
    return elements;
}

static const char *find_fault(const struct snap_tensor_view *view, uint64_t storage_bytes)
{
    uint64_t item = snap_dtype_size_bytes(view->dtype);
    if (item == 0)
        return "no such dtype";
    if (view->ndim > SNAP_MAX_DIMS)
        return "too many dimensions";
    bool empty = false;
    for (size_t i = 0; i < view->ndim; i++)
        if (view->shape[i] == 0)
            empty = true;
    /* A stride of 0 makes many elements of few bytes; whoever copies them out must be able to. The
     * other dimensions of an empty tensor count too: their product is taken by somebody. */
    uint64_t bytes = item;
    for (size_t i = 0; i < view->ndim; i++)
        if (!snap_mul_u64(bytes, view->shape[i] == 0 ? 1 : view->shape[i], &bytes) ||
            bytes > SNAP_MAX_STORAGE_BYTES)
            return "its elements are more than a storage can hold";
    /* One past the last element, in elements. */
    uint64_t end = view->offset;
    for (size_t i = 0; i < view->ndim && !empty; i++) {
        uint64_t reach;
        if (!snap_mul_u64(view->shape[i] - 1, view->strides[i], &reach) ||
            !snap_add_u64(end, reach, &end))
            return "it reaches outside its storage";
    }
    if ((!empty && !snap_add_u64(end, 1, &end)) || !snap_mul_u64(end, item, &end) ||
        end > storage_bytes)
        return "it reaches outside its storage";
    for (size_t i = 0; i < view->ndim && view->is_piece; i++) {
        uint64_t piece_end;
        if (!snap_add_u64(view->global_offset[i], view->shape[i], &piece_end) ||
            piece_end > view->global_shape[i])
            return "the piece reaches outside its whole";
    }
    return NULL;
}

enum snap_status snap_view_check(const struct snap_tensor_view *view, uint64_t storage_bytes,
                                 const char *what, enum snap_status status,
                                 struct snap_error *err)
{
    const char *fault = find_fault(view, storage_bytes);
    if (fault != NULL)
        return snap_error_set(err, status, "%s: a view of storage %u (%" PRIu64 " bytes): %s", what,
                              view->storage, storage_bytes, fault);
    return SNAP_OK;
}

struct walk {
    snap_tensor_visit *visit;
    void *arg;
    struct snap_buffer path;
};

static enum snap_status walk_node(struct walk *walk, const struct snap_node *node,
                                  struct snap_error *err)
{
    const struct snap_tensor_view *view = snap_node_tensor(node);
    if (view != NULL)
        return walk->visit(walk->arg, walk->path.data != NULL ? (const char *)walk->path.data : "",
                           view, err);
    enum snap_status status = SNAP_OK;
    size_t before = walk->path.size;
    for (size_t i = 0; i < snap_node_count(node) && status == SNAP_OK; i++) {
        int64_t number = (int64_t)i;
        const char *key = snap_node_key_at(node, i, &number);
        const char *dot = before > 0 ? "." : "";
        if (key != NULL)
            status = snap_buffer_appendf(&walk->path, err, "%s%s", dot, key);
        else
            status = snap_buffer_appendf(&walk->path, err, "%s%" PRId64, dot, number);
        /* Whoever lists the leaves keeps a path for each; a tensor's is for `visit` to refuse. */
        if (status == SNAP_OK && walk->path.size > SNAP_MAX_TENSOR_PATH_BYTES &&
            snap_node_tensor(snap_node_at(node, i)) == NULL)
            status = snap_error_set(err, SNAP_INVALID,
                                    "state.json: %.80s...: a path of %zu bytes: at most %u",
                                    (const char *)walk->path.data, walk->path.size,
                                    SNAP_MAX_TENSOR_PATH_BYTES);
        if (status == SNAP_OK)
            status = walk_node(walk, snap_node_at(node, i), err);
        walk->path.size = before;
        if (walk->path.data != NULL)
            walk->path.data[before] = '\0';
    }
    return status;
}

enum snap_status snap_node_visit_tensors(const struct snap_node *node, snap_tensor_visit *visit,
                                         void *arg, struct snap_error *err)
{
    struct walk walk = { .visit = visit, .arg = arg, .path = SNAP_BUFFER_INIT };
    enum snap_status status = walk_node(&walk, node, err);
    snap_buffer_release(&walk.path);
    return status;
}
