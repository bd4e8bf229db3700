/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of a state: named roots ("model", "optimizer", ...) of null, bool, integer, float,
 * string, bytes, list, ordered map and tensor. Tensors point into storages, so that tied weights
 * and views stay tied. docs/format.md, "state.json", is the form on disk. */
#ifndef SNAPSTATE_TREE_H
#define SNAPSTATE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Most dimensions of a tensor: twice what any framework in use allows in practice. */
#define SNAP_MAX_DIMS 16

/* Element types. Numbers are never used again; names are what stands in state.json. */
enum snap_dtype {
    SNAP_BOOL = 1, /* "bool", one byte, 0 or 1 */
    SNAP_U8 = 2,
    SNAP_I8 = 3,
    SNAP_U16 = 4,
    SNAP_I16 = 5,
    SNAP_U32 = 6,
    SNAP_I32 = 7,
    SNAP_U64 = 8,
    SNAP_I64 = 9,
    SNAP_F16 = 10,
    SNAP_BF16 = 11,
    SNAP_F32 = 12,
    SNAP_F64 = 13,
    SNAP_F8_E4M3FN = 14,
    SNAP_F8_E5M2 = 15,
    SNAP_F8_E4M3FNUZ = 16,
    SNAP_F8_E5M2FNUZ = 17,
    SNAP_F8_E8M0FNU = 18,
    SNAP_C32 = 19, /* complex of two f16 */
    SNAP_C64 = 20, /* complex of two f32 */
    SNAP_C128 = 21 /* complex of two f64 */
};

/* Bytes of an element, 0 for a number that is no dtype. */
size_t snap_dtype_size_bytes(enum snap_dtype dtype);
/* The name in state.json ("f32"), NULL for a number that is no dtype. Static. */
const char *snap_dtype_name(enum snap_dtype dtype);
/* The dtype of a name; false when there is none. */
bool snap_dtype_from_name(const char *name, enum snap_dtype *dtype);

enum snap_node_type {
    SNAP_NODE_NULL = 1,
    SNAP_NODE_BOOL = 2,
    SNAP_NODE_INT = 3,
    SNAP_NODE_FLOAT = 4, /* a double, kept by its bits */
    SNAP_NODE_STRING = 5,
    SNAP_NODE_BYTES = 6,
    SNAP_NODE_LIST = 7,
    SNAP_NODE_MAP = 8, /* ordered; keys are strings or integers */
    SNAP_NODE_TENSOR = 9
};

/* A tensor as a view of a storage. Sizes and strides count elements. */
struct snap_tensor_view {
    size_t size_bytes; /* sizeof(struct snap_tensor_view) */
    enum snap_dtype dtype;
    size_t ndim;
    uint64_t shape[SNAP_MAX_DIMS];
    uint64_t strides[SNAP_MAX_DIMS];
    uint64_t offset;  /* of element 0 in the storage, in elements */
    uint32_t storage; /* index in the tree's storages */
    bool requires_grad;
    bool on_device; /* it lived on an accelerator ("cuda"), not on the host ("cpu") */
    bool is_piece;  /* global_shape and global_offset say of which whole this is a piece */
    uint64_t global_shape[SNAP_MAX_DIMS];
    uint64_t global_offset[SNAP_MAX_DIMS];
};
#define SNAP_TENSOR_VIEW_INIT { .size_bytes = sizeof(struct snap_tensor_view) }

/* A node; owned by the node or tree that it was put into, else by the caller. */
struct snap_node;

enum snap_node_type snap_node_type(const struct snap_node *node);

/* New nodes, owned by the caller until put into a list, map or tree; NULL when memory is out.
 * Strings must be UTF-8 without NUL (checked when encoded). */
struct snap_node *snap_node_new_null(void);
struct snap_node *snap_node_new_bool(bool value);
struct snap_node *snap_node_new_int(int64_t value);
struct snap_node *snap_node_new_uint(uint64_t value);
struct snap_node *snap_node_new_float(double value);
struct snap_node *snap_node_new_string(const char *text);
struct snap_node *snap_node_new_bytes(const void *data, size_t size_bytes);
struct snap_node *snap_node_new_list(void);
struct snap_node *snap_node_new_map(void);
struct snap_node *snap_node_new_tensor(const struct snap_tensor_view *view);
void snap_node_free(struct snap_node *node);

/* Append `item` to a list, or set a key of a map. `item` is consumed in any case: on failure (wrong
 * type, a key that is there already, no memory, item NULL) it is freed. */
enum snap_status snap_node_append(struct snap_node *list, struct snap_node *item,
                                  struct snap_error *err);
enum snap_status snap_node_set(struct snap_node *map, const char *key, struct snap_node *item,
                               struct snap_error *err);
enum snap_status snap_node_set_int_key(struct snap_node *map, int64_t key, struct snap_node *item,
                                       struct snap_error *err);

/* Reading. A call on a node of another type gives false, 0 or NULL. Pointers are borrowed until
 * the node is freed. */
bool snap_node_bool(const struct snap_node *node, bool *value);
/* An integer that fits; false for one past the range (read it as text then). */
bool snap_node_int(const struct snap_node *node, int64_t *value);
bool snap_node_uint(const struct snap_node *node, uint64_t *value);
bool snap_node_float(const struct snap_node *node, double *value);
const char *snap_node_string(const struct snap_node *node);
const void *snap_node_bytes(const struct snap_node *node, size_t *size_bytes);
const struct snap_tensor_view *snap_node_tensor(const struct snap_node *node);
/* Entries of a list or map. */
size_t snap_node_count(const struct snap_node *node);
const struct snap_node *snap_node_at(const struct snap_node *node, size_t index);
/* The key of entry `index` of a map: a string, or NULL and *int_key. */
const char *snap_node_key_at(const struct snap_node *node, size_t index, int64_t *int_key);
const struct snap_node *snap_node_get(const struct snap_node *map, const char *key);

#ifdef __cplusplus
}
#endif

#endif
