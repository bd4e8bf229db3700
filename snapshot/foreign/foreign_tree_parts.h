/* SPDX-License-Identifier: Apache-2.0 */
/* A tree under way; for the files of foreign_tree alone. */
#ifndef SNAP_FOREIGN_FOREIGN_TREE_PARTS_H
#define SNAP_FOREIGN_FOREIGN_TREE_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "core/buffer.h"
#include "foreign/foreign_source.h"
#include "foreign/pickle_value.h"

struct snap_foreign_tree {
    struct snap_foreign_source *source;
    const char *root;
    const char *const *skip; /* keys of the outermost dict; NULL: none */
    struct snap_buffer path; /* keys and indices joined by dots */
    void **memory;
    size_t memory_count;
};

/* The node of a value, which stands at `depth` in state.json. *node is NULL when the value was
 * left out, which was then said. */
enum snap_status snap_foreign_encode(struct snap_foreign_tree *tree,
                                     const struct snap_pickle_value *value, unsigned depth,
                                     json_t **node, struct snap_error *err);
/* The same, of the parts of foreign_tree.c: a list, a tuple under a tag, a dict of any class. */
enum snap_status snap_foreign_encode_tagged_list(struct snap_foreign_tree *tree, const char *tag,
                                                 const struct snap_pickle_value *value,
                                                 unsigned depth, json_t **node,
                                                 struct snap_error *err);
enum snap_status snap_foreign_encode_dict(struct snap_foreign_tree *tree,
                                          const struct snap_pickle_value *dict, unsigned depth,
                                          json_t **node, struct snap_error *err);
/* And of foreign_leaves.c. */
enum snap_status snap_foreign_encode_integer(struct snap_foreign_tree *tree,
                                             const struct snap_pickle_value *value, json_t **node,
                                             struct snap_error *err);
enum snap_status snap_foreign_encode_text(struct snap_foreign_tree *tree,
                                          const struct snap_pickle_value *value, json_t **node,
                                          struct snap_error *err);
enum snap_status snap_foreign_encode_object(struct snap_foreign_tree *tree,
                                            const struct snap_pickle_value *value, unsigned depth,
                                            json_t **node, struct snap_error *err);
enum snap_status snap_foreign_encode_name(struct snap_foreign_tree *tree,
                                          const struct snap_pickle_value *value, json_t **node,
                                          struct snap_error *err);
json_t *snap_foreign_bytes_node(const unsigned char *data, size_t size);
json_t *snap_foreign_float_node(double number);
/* Can the format hold it as a string? */
bool snap_foreign_is_plain(const struct snap_pickle_value *text);

/* Go into a key, which becomes part of the path, and out again. */
enum snap_status snap_foreign_enter(struct snap_foreign_tree *tree, const char *key, size_t size,
                                    size_t *before, struct snap_error *err);
void snap_foreign_leave(struct snap_foreign_tree *tree, size_t before);
/* "root/path", for messages and gaps. */
void snap_foreign_place_text(const struct snap_foreign_tree *tree, char *text, size_t size);
/* The value at the path is left out: *node is NULL, and why is said. */
enum snap_status snap_foreign_leave_out(struct snap_foreign_tree *tree, const char *reason,
                                        json_t **node, struct snap_error *err);
/* A failure that is the value's own (SNAP_UNSUPPORTED) leaves it out; others are the file's. */
enum snap_status snap_foreign_leave_out_with(struct snap_foreign_tree *tree,
                                             enum snap_status status,
                                             const struct snap_error *cause, json_t **node,
                                             struct snap_error *err);

/* {type: inner}, and {"map": [[tag, inner]]}; `inner` is consumed. */
enum snap_status snap_foreign_wrap(const struct snap_foreign_tree *tree, const char *type,
                                   json_t *inner, json_t **node, struct snap_error *err);
enum snap_status snap_foreign_wrap_tagged(const struct snap_foreign_tree *tree, const char *tag,
                                          json_t *inner, json_t **node, struct snap_error *err);
enum snap_status snap_foreign_tree_memory(const struct snap_foreign_tree *tree,
                                          struct snap_error *err);

#endif
