/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory of a run: everything that was registered, and how tensors share storages. */
#ifndef SNAP_INVENTORY_H
#define SNAP_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/run.h>

#include "format/limits.h"
#include "format/state_json.h"

typedef char snap_member_name[SNAP_MAX_MEMBER_NAME_BYTES + 1];

struct snap_inventory_tensor {
    size_t root; /* index in roots */
    char *name;
    unsigned char *memory; /* element 0; the caller's, in the memory of `device` */
    struct snap_device device;
    unsigned char *data; /* the same, or where it is in the mirror of its storage */
    enum snap_dtype dtype;
    size_t ndim;
    uint64_t shape[SNAP_MAX_DIMS];
    uint64_t strides[SNAP_MAX_DIMS]; /* elements */
    uint64_t elements;
    uint64_t extent_bytes; /* from element 0 to the end of the last one; 0 when there is none */
    bool dense;            /* its elements fill its extent, each once */
    bool requires_grad;
    bool changes_in_forward;
    /* Set by snap_inventory_freeze. */
    size_t storage;
    uint64_t offset; /* of element 0 in the storage, in elements */
    /* Its elements in C order, as begin_step found them; NULL unless changes_in_forward. */
    unsigned char *before;
};

struct snap_inventory_scalar {
    size_t root;
    char *name;
    enum snap_value_type type;
    void *value; /* the caller's */
};

struct snap_inventory_stream {
    char *name;
    char *member; /* "rng/NAME" */
    char *kind;
    const struct snap_stream_ops *ops;
    void *arg;
    bool on_device; /* its draws stand in the float part of a ledger line */
    /* As begin_step found it. */
    void *before;
    size_t before_size;
    uint64_t words_before;
    /* As a restore left it, until the first begin_step; NULL else. */
    void *restored;
    size_t restored_size;
};

struct snap_inventory_value {
    char *name;
    char *member; /* "extra/NAME" */
    bool in_state;
    unsigned char *data; /* the caller's */
    size_t size;
};

struct snap_inventory_gap {
    char *name;
    char *reason;
};

/* A tensor or a scalar, in the order of registration. */
struct snap_inventory_entry {
    bool scalar;
    size_t index;
};

struct snap_inventory_root {
    char *name;
    struct snap_inventory_entry *entries;
    size_t entry_count;
    /* Set as a whole by snap_run_set_tree: its entries are the tree's tensors in order, and its
     * plain values stand in it alone. NULL: registered one by one. */
    struct snap_node *tree;
};

/* Host memory that stands for a device's: device_mirror.h. */
struct snap_mirror {
    unsigned char *host;
    unsigned char *memory; /* the device's that it stands for */
    size_t bytes;          /* 0: there is none */
    struct snap_device device;
    bool changes_in_forward; /* a tensor in it does */
};

/* Memory that is saved once: what one tensor covers, or the union of the ranges of tensors that
 * overlap, when their elements fill it. Every byte of it is an element of a tensor. Made by
 * snap_inventory_freeze, in the order of the tree. */
struct snap_inventory_storage {
    unsigned char *base; /* first byte in host memory; NULL when packed or empty */
    uint64_t size;       /* bytes of its member */
    bool packed;         /* a tensor with gaps: its elements in C order */
    size_t tensor;       /* the first one in it; when packed, others are the same view */
    const char *member;  /* without part suffix; borrowed from the document */
    const char *label;
    size_t part_count;
    snap_member_name *part_names;
    struct snap_mirror mirror;
};

struct snap_inventory {
    struct snap_inventory_root *roots;
    size_t root_count;
    struct snap_inventory_tensor *tensors;
    size_t tensor_count;
    struct snap_inventory_scalar *scalars;
    size_t scalar_count;
    struct snap_inventory_stream *streams;
    size_t stream_count;
    struct snap_inventory_value *values;
    size_t value_count;
    struct snap_inventory_gap *gaps;
    size_t gap_count;
    json_t *names; /* a set of what was registered: "entry ROOT/NAME", "stream NAME", ... */

    bool closed; /* nothing more is registered; trees can still be set */
    bool frozen; /* what follows is made */
    struct snap_inventory_storage *storages;
    size_t storage_count;
    size_t *storage_order;     /* indices of storages in the order of the file */
    size_t *stream_order;      /* indices of streams in the order of the file */
    struct snap_state_doc doc; /* of the inventory as frozen: names of members come from it */
    uint64_t total_bytes;      /* of all storages and values */
};
#define SNAP_INVENTORY_INIT                                                                        \
    {                                                                                              \
        .root_count = 0                                                                            \
    }

void snap_inventory_release(struct snap_inventory *inventory);

/* No more is registered: find the storages, name the members. `profile`, `binding` and `training`
 * only take their place in the document. On failure nothing is frozen. */
enum snap_status snap_inventory_freeze(struct snap_inventory *inventory, struct snap_error *err);

/* Fill in elements, extent, and whether the elements fill the extent, each once, from data, dtype,
 * shape and strides. SNAP_INVALID, with `name`: larger than a storage can be. */
enum snap_status snap_inventory_tensor_measure(struct snap_inventory_tensor *tensor,
                                               const char *name, struct snap_error *err);

/* Release what a freeze made. */
void snap_inventory_release_storages(struct snap_inventory *inventory);
void snap_inventory_tensor_release(struct snap_inventory_tensor *tensor);
void snap_inventory_root_release(struct snap_inventory_root *root);

/* The value of a scalar as 64 bits: 0 or 1, a two's complement number, the bits of a double. */
uint64_t snap_inventory_scalar_bits(const struct snap_inventory_scalar *scalar);
void snap_inventory_scalar_set(const struct snap_inventory_scalar *scalar, uint64_t bits);

/* The document of the state with these scalars (scalar_count values; NULL: as they are now). *doc
 * must be empty; the caller releases it. `binding` and `training` may be NULL. */
enum snap_status snap_inventory_state_doc(const struct snap_inventory *inventory,
                                          const char *profile, json_t *binding, json_t *training,
                                          const uint64_t *scalars, struct snap_state_doc *doc,
                                          struct snap_error *err);

/* The view of a tensor in its storage. */
void snap_inventory_view(const struct snap_inventory *inventory,
                         const struct snap_inventory_tensor *tensor, struct snap_tensor_view *view);

/* Strides of a C-ordered tensor; a dimension of 0 counts as 1. */
void snap_c_order(size_t ndim, const uint64_t *shape, uint64_t *strides);

/* Copy the elements of a tensor of `ndim` dimensions between two memories, from its elements in C
 * order to its places or back. `element_bytes` is at most 16. */
void snap_gather(unsigned char *packed, const unsigned char *strided, size_t element_bytes,
                 size_t ndim, const uint64_t *shape, const uint64_t *strides);
/* `count` of them alone, from the one that is number `first` in C order; first + count may not be
 * more than there are. */
void snap_gather_some(unsigned char *packed, const unsigned char *strided, size_t element_bytes,
                      size_t ndim, const uint64_t *shape, const uint64_t *strides, uint64_t first,
                      uint64_t count);
void snap_scatter(unsigned char *strided, const unsigned char *packed, size_t element_bytes,
                  size_t ndim, const uint64_t *shape, const uint64_t *strides);

#endif
