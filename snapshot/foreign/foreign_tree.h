/* SPDX-License-Identifier: Apache-2.0 */
/* Values of a pickle as a tree of state.json. Python's types that the format does not have are
 * maps of one key that begins with `~`, as the Python package writes them
 * (docs/foreign-files.md). */
#ifndef SNAP_FOREIGN_FOREIGN_TREE_H
#define SNAP_FOREIGN_FOREIGN_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <snapstate/status.h>

#include "foreign/foreign_source.h"

/* Make `value` the root `name` of the state. `skip` (NULL: none) are keys of it, when it is a
 * dict, that were taken otherwise. What has no form in a tree is left out (null in a list), and is
 * a gap of the state that names its path. */
enum snap_status snap_foreign_tree_add(struct snap_foreign_source *source, const char *name,
                                       const struct snap_pickle_value *value,
                                       const char *const *skip, struct snap_error *err);

/* {"tensor":{...}}: the leaf of a tensor whose memory is number `index` of its root. NULL when
 * memory is out. */
json_t *snap_foreign_tensor_node(const struct snap_foreign_tensor *tensor, bool on_device,
                                 size_t index);

#endif
