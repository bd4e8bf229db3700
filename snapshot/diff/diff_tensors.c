/* SPDX-License-Identifier: Apache-2.0 */
/* The trees of two states: tensors element by element, and plain values. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "diff/diff_internal.h"
#include "diff/tensor_compare.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/member_name.h"
#include "format/tree_codec.h"
#include "ledger/json_differences.h"

static enum snap_status no_memory(struct snap_error *err)
{
    return snap_error_set(err, SNAP_NO_MEMORY, "compare: out of memory");
}

/* The storage that was read last on a side: tensors that share one are neighbours as a rule. */
struct cache {
    const struct snap_side *side;
    size_t storage; /* SIZE_MAX: nothing */
    void *data;
};

static enum snap_status read_storage(struct cache *cache, size_t storage, struct snap_error *err)
{
    if (cache->storage == storage)
        return SNAP_OK;
    free(cache->data);
    cache->data = NULL;
    cache->storage = SIZE_MAX;
    enum snap_status status = snap_side_read_storage(cache->side, storage, &cache->data, err);
    if (status == SNAP_OK)
        cache->storage = storage;
    return status;
}

/* Are the bytes of both storages known to be equal by their digests? *withheld: one of them cannot
 * be read. */
static bool equal_storages(const struct snap_side *left, size_t left_index,
                           const struct snap_side *right, size_t right_index, bool *withheld)
{
    const struct snap_storage_doc *a = &left->doc->storages[left_index];
    const struct snap_storage_doc *b = &right->doc->storages[right_index];
    const struct snap_side *sides[2] = { left, right };
    const struct snap_storage_doc *storages[2] = { a, b };
    bool equal = a->size == b->size;
    *withheld = false;
    for (int side = 0; side < 2; side++) {
        size_t parts = snap_storage_part_count(storages[side]->size);
        for (size_t part = 0; part < parts; part++) {
            char name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
            struct snap_side_member member;
            snap_storage_part_name(storages[side]->member, parts, part, name);
            if (snap_side_find(sides[side], name, &member))
                *withheld = *withheld || member.withheld;
        }
    }
    size_t parts = snap_storage_part_count(a->size);
    for (size_t part = 0; equal && part < parts; part++) {
        char a_name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
        char b_name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
        struct snap_side_member a_member;
        struct snap_side_member b_member;
        snap_storage_part_name(a->member, parts, part, a_name);
        snap_storage_part_name(b->member, parts, part, b_name);
        equal = snap_side_find(left, a_name, &a_member) &&
                snap_side_find(right, b_name, &b_member) &&
                memcmp(a_member.sha256, b_member.sha256, SNAP_DIGEST_BYTES) == 0;
    }
    return equal;
}

static bool same_shape(const struct snap_tensor_view *a, const struct snap_tensor_view *b)
{
    return a->dtype == b->dtype && a->ndim == b->ndim &&
           memcmp(a->shape, b->shape, a->ndim * sizeof *a->shape) == 0;
}

static bool same_view(const struct snap_tensor_view *a, const struct snap_tensor_view *b)
{
    return memcmp(a->strides, b->strides, a->ndim * sizeof *a->strides) == 0 &&
           a->offset == b->offset;
}

/* Elements that are taken out of their storages at a time: a view with strides of 0 has many more
 * than its file has bytes. */
#define PIECE_ELEMENTS 65536u

static void gather(const struct cache *cache, const struct snap_tensor_view *view, uint64_t first,
                   uint64_t count, unsigned char *packed)
{
    size_t element_bytes = snap_dtype_size_bytes(view->dtype);
    snap_gather_some(packed, (unsigned char *)cache->data + view->offset * element_bytes,
                     element_bytes, view->ndim, view->shape, view->strides, first, count);
}

static enum snap_status compare_elements(struct cache *left, struct cache *right,
                                         const struct snap_tensor_view *a,
                                         const struct snap_tensor_view *b,
                                         struct snap_tensor_difference *found,
                                         struct snap_error *err)
{
    size_t element_bytes = snap_dtype_size_bytes(a->dtype);
    uint64_t elements = snap_view_elements(a);
    uint64_t piece = elements < PIECE_ELEMENTS ? elements : PIECE_ELEMENTS;
    enum snap_status status = read_storage(left, a->storage, err);
    if (status == SNAP_OK)
        status = read_storage(right, b->storage, err);
    if (status != SNAP_OK || elements == 0)
        return status;
    unsigned char *packed = malloc(2 * (size_t)piece * element_bytes);
    if (packed == NULL)
        return no_memory(err);
    unsigned char *other = packed + (size_t)piece * element_bytes;
    for (uint64_t first = 0; first < elements; first += piece) {
        uint64_t count = elements - first < piece ? elements - first : piece;
        gather(left, a, first, count, packed);
        gather(right, b, first, count, other);
        snap_tensor_compare_more(a->dtype, count, packed, other, found);
    }
    free(packed);
    return SNAP_OK;
}

static enum snap_status tell_elements(const char *path, const struct snap_tensor_view *view,
                                      const struct snap_tensor_difference *found,
                                      struct snap_diff *diff, struct snap_error *err)
{
    char index[200];
    char apart[80] = "";
    enum snap_status status = SNAP_OK;
    snap_tensor_index_text(found->first, view->ndim, view->shape, index, sizeof index);
    json_t *detail =
        json_pack("{s:s, s:o, s:o, s:o, s:s, s:s, s:s}", "dtype", snap_dtype_name(view->dtype),
                  "elements", snap_json_u64(found->elements), "differing",
                  snap_json_u64(found->differing), "first", snap_json_u64(found->first), "index",
                  index, "left", found->left, "right", found->right);
    if (detail == NULL)
        return no_memory(err);
    if (found->has_ulp) {
        snprintf(apart, sizeof apart, ", at most %" PRIu64 " ulp apart%s", found->max_ulp,
                 found->nan_pairs > 0 ? " where neither is NaN" : "");
        status = snap_json_set(detail, "max_ulp", snap_json_u64(found->max_ulp), err);
        if (status == SNAP_OK)
            status = snap_json_set(detail, "nan_pairs", snap_json_u64(found->nan_pairs), err);
    } else if (found->has_difference) {
        snprintf(apart, sizeof apart, ", at most %" PRIu64 " apart", found->max_difference);
        status = snap_json_set(detail, "max_difference", snap_json_u64(found->max_difference),
                               err);
    }
    if (status != SNAP_OK) {
        json_decref(detail);
        return status;
    }
    return snap_diff_add(
        diff, err, "tensor", path, detail,
        "%s: %" PRIu64 " of %" PRIu64 " elements differ%s; the first is %s: %s and %s", path,
        found->differing, found->elements, apart, index, found->left, found->right);
}

static enum snap_status diff_tensor(struct cache *left, struct cache *right, const char *path,
                                    const struct snap_tensor_view *a,
                                    const struct snap_tensor_view *b, struct snap_diff *diff,
                                    struct snap_error *err)
{
    struct snap_tensor_difference found = { .differing = 0 };
    bool withheld;
    if (!same_shape(a, b))
        return snap_diff_add(diff, err, "tensor", path, NULL,
                             "%s: of another dtype or shape (%s, "
                             "%zu dimensions, and %s, %zu dimensions)",
                             path, snap_dtype_name(a->dtype), a->ndim, snap_dtype_name(b->dtype),
                             b->ndim);
    bool equal = equal_storages(left->side, a->storage, right->side, b->storage, &withheld);
    if (equal && same_view(a, b))
        return SNAP_OK;
    if (withheld)
        return snap_diff_add(diff, err, "tensor", path, NULL,
                             "%s: other bytes (withheld, so no "
                             "more can be told)",
                             path);
    enum snap_status status = compare_elements(left, right, a, b, &found, err);
    if (status == SNAP_OK && found.differing > 0)
        status = tell_elements(path, a, &found, diff, err);
    else if (status == SNAP_OK && !same_view(a, b))
        status = snap_diff_add(diff, err, "tensor", path, NULL,
                               "%s: equal elements, with other "
                               "strides",
                               path);
    return status;
}

/* Plain values are compared whole, and shown cut to fit. */
static enum snap_status diff_value(const struct snap_leaf *a, const struct snap_leaf *b,
                                   struct snap_diff *diff, struct snap_error *err)
{
    json_t *left = NULL;
    json_t *right = NULL;
    char left_text[160];
    char right_text[160];
    enum snap_status status = snap_node_encode(a->node, &left, err);
    if (status == SNAP_OK)
        status = snap_node_encode(b->node, &right, err);
    if (status == SNAP_OK && !json_equal(left, right)) {
        snap_json_value_text(left, left_text, sizeof left_text);
        snap_json_value_text(right, right_text, sizeof right_text);
        status = snap_diff_add(diff, err, "value", a->path, NULL, "%s: %s and %s%s", a->path,
                               left_text, right_text,
                               strcmp(left_text, right_text) == 0 ? " (they differ further on)"
                                                                  : "");
    }
    json_decref(left);
    json_decref(right);
    return status;
}

static enum snap_status diff_leaf(struct cache *left, struct cache *right,
                                  const struct snap_leaf *a, const struct snap_leaf *b,
                                  struct snap_diff *diff, struct snap_error *err)
{
    const struct snap_tensor_view *a_view = snap_node_tensor(a->node);
    const struct snap_tensor_view *b_view = snap_node_tensor(b->node);
    if (a_view != NULL && b_view != NULL)
        return diff_tensor(left, right, a->path, a_view, b_view, diff, err);
    if (a_view != NULL || b_view != NULL)
        return snap_diff_add(diff, err, "tensor", a->path, NULL, "%s: a tensor on one side alone",
                             a->path);
    return diff_value(a, b, diff, err);
}

enum snap_status snap_diff_trees(const struct snap_side *left, const struct snap_side *right,
                                 struct snap_diff *diff, struct snap_error *err)
{
    struct cache left_cache = { left, SIZE_MAX, NULL };
    struct cache right_cache = { right, SIZE_MAX, NULL };
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < left->leaves.count; i++) {
        const struct snap_leaf *a = &left->leaves.list[i];
        const struct snap_leaf *b = snap_leaves_get(&right->leaves, a->path, a->nth);
        bool tensor = snap_node_tensor(a->node) != NULL;
        if (b == NULL)
            status = snap_diff_add(diff, err, tensor ? "tensor" : "value", a->path, NULL,
                                   "%s: on the left alone", a->path);
        else
            status = diff_leaf(&left_cache, &right_cache, a, b, diff, err);
    }
    for (size_t i = 0; status == SNAP_OK && i < right->leaves.count; i++) {
        const struct snap_leaf *b = &right->leaves.list[i];
        bool tensor = snap_node_tensor(b->node) != NULL;
        if (snap_leaves_get(&left->leaves, b->path, b->nth) == NULL)
            status = snap_diff_add(diff, err, tensor ? "tensor" : "value", b->path, NULL,
                                   "%s: on the right alone", b->path);
    }
    free(left_cache.data);
    free(right_cache.data);
    return status;
}
