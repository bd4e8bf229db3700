/* SPDX-License-Identifier: Apache-2.0 */
/* state.json: the tree of the state, its storages and streams, the training config, profile and
 * binding. */
#ifndef SNAP_FORMAT_STATE_JSON_H
#define SNAP_FORMAT_STATE_JSON_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/status.h>
#include <snapstate/tree.h>

#include "core/buffer.h"
#include "format/limits.h"

struct snap_root_doc {
    char *name;
    struct snap_node *node;
};

struct snap_storage_doc {
    uint64_t size; /* bytes */
    /* Its member, without part suffix; set by snap_state_doc_finish and by decode. */
    char member[SNAP_MAX_STORAGE_NAME_BYTES + 1];
    /* "ROOT/path" of its first tensor, as its owner knows it; set likewise. */
    char *label;
};

struct snap_stream_doc {
    char *name; /* member rng/NAME */
    char *kind;
};

/* All of it owned by the document. */
struct snap_state_doc {
    char *profile;
    json_t *binding;  /* object */
    json_t *training; /* object; NULL stands for null */
    struct snap_root_doc *roots;
    size_t root_count;
    struct snap_storage_doc *storages;
    size_t storage_count;
    struct snap_stream_doc *streams; /* in the order of the file */
    size_t stream_count;
};
#define SNAP_STATE_DOC_INIT { NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, 0 }

/* Building one. `binding` and `training` are borrowed (a reference is taken) and may be NULL: {}
 * and null. */
enum snap_status snap_state_doc_set(struct snap_state_doc *doc, const char *profile,
                                    json_t *binding, json_t *training, struct snap_error *err);
/* `node` is consumed in any case. Roots keep their order. */
enum snap_status snap_state_doc_add_root(struct snap_state_doc *doc, const char *name,
                                         struct snap_node *node, struct snap_error *err);
/* The next storage; its index is the number of those added before. Storages must come in the order
 * in which the tensors of the roots, walked in order, first use them. */
enum snap_status snap_state_doc_add_storage(struct snap_state_doc *doc, uint64_t size,
                                            struct snap_error *err);
/* Any order; duplicates are SNAP_INVALID. */
enum snap_status snap_state_doc_add_stream(struct snap_state_doc *doc, const char *name,
                                           const char *kind, struct snap_error *err);

/* Check the whole (SNAP_INVALID) and name the storages' members. Call it after the last add and
 * before encode. */
enum snap_status snap_state_doc_finish(struct snap_state_doc *doc, struct snap_error *err);

/* Append the document. */
enum snap_status snap_state_doc_encode(const struct snap_state_doc *doc, struct snap_buffer *out,
                                       struct snap_error *err);
/* Read a document and check everything that can be known from it alone: grammar, order of storages,
 * names of members, bounds of views. SNAP_CORRUPT; SNAP_UNSUPPORTED for another version. *doc must
 * be empty; it is filled on success only. */
enum snap_status snap_state_doc_decode(const void *bytes, size_t size_bytes,
                                       struct snap_state_doc *doc, struct snap_error *err);
void snap_state_doc_release(struct snap_state_doc *doc);

/* Indices of the storages in the order of tensors/ in the file, into `order` (storage_count
 * entries, the caller's): by bytes of the name of the first member, so that "a~0000" comes after
 * "ab". */
void snap_state_doc_file_order(const struct snap_state_doc *doc, size_t *order);

#endif
