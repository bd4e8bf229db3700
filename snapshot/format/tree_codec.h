/* SPDX-License-Identifier: Apache-2.0 */
/* A node of the tree as JSON, and what a reader of a tree needs to know of its views. */
#ifndef SNAP_FORMAT_TREE_CODEC_H
#define SNAP_FORMAT_TREE_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/status.h>
#include <snapstate/tree.h>

/* *value is a new reference. SNAP_INVALID: no canonical form (text that is not UTF-8, too deep). */
enum snap_status snap_node_encode(const struct snap_node *node, json_t **value,
                                  struct snap_error *err);
/* `what` names the document and root in messages. SNAP_CORRUPT: not of the grammar. Views are not
 * checked against storages: see snap_view_check. */
enum snap_status snap_node_decode(const json_t *value, const char *what, struct snap_node **node,
                                  struct snap_error *err);

/* Must lie inside a storage of `storage_bytes`; no product or sum may overflow; a piece must lie
 * inside its whole. `status` is what a view outside is (SNAP_INVALID, SNAP_CORRUPT). */
enum snap_status snap_view_check(const struct snap_tensor_view *view, uint64_t storage_bytes,
                                 const char *what, enum snap_status status,
                                 struct snap_error *err);
/* Elements of the view; checked views do not overflow. */
uint64_t snap_view_elements(const struct snap_tensor_view *view);

/* Call `visit` for every tensor of a tree in order. `path` is the keys and indices joined with
 * '.', "" for a root that is a tensor; borrowed for the call. The first status but SNAP_OK ends
 * the walk and is returned. */
typedef enum snap_status snap_tensor_visit(void *arg, const char *path,
                                           const struct snap_tensor_view *view,
                                           struct snap_error *err);
enum snap_status snap_node_visit_tensors(const struct snap_node *node, snap_tensor_visit *visit,
                                         void *arg, struct snap_error *err);

/* Change the view of tensor `index`, counted from 0 in the order of the tree. */
typedef void snap_view_place(void *arg, size_t index, struct snap_tensor_view *view);
/* A copy of a tree, in which `place` may change each view. NULL when memory is out. */
struct snap_node *snap_node_copy(const struct snap_node *node, snap_view_place *place, void *arg);

#endif
