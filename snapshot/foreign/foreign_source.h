/* SPDX-License-Identifier: Apache-2.0 */
/* One file whose values are being taken: its name, and where the bytes of its tensors come
 * from. */
#ifndef SNAP_FOREIGN_FOREIGN_SOURCE_H
#define SNAP_FOREIGN_FOREIGN_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/status.h>

#include "foreign/foreign_state.h"
#include "foreign/foreign_tensor.h"
#include "foreign/torch_file.h"

struct snap_foreign_source {
    const char *name;              /* of the file; borrowed */
    struct snap_torch_file *torch; /* NULL: a file without storages. Borrowed */
    struct snap_foreign_state *state;
    json_t *blocks; /* what is in memory already: of a storage its key, of an array its place */
    size_t storages; /* of these, how many storages */
    size_t streams_before; /* of files before this one, in the state */
    int rank;       /* whose streams are in it; -1: not known */
    bool must_be_stream; /* the caller says that it is one: a state that is refused is no gap */
};

enum snap_status snap_foreign_source_init(struct snap_foreign_source *source, const char *name,
                                          struct snap_torch_file *torch,
                                          struct snap_foreign_state *state, struct snap_error *err);
void snap_foreign_source_release(struct snap_foreign_source *source);

/* Is it a tensor or an array? */
bool snap_foreign_is_tensor(const struct snap_pickle_value *value);
/* Read a tensor or array (or scalar) and bring its bytes into memory, little-endian, once for all
 * tensors of one storage. *element is element 0, in a block of the state. `what` begins the
 * messages. SNAP_UNSUPPORTED: not one that an archive can hold. */
enum snap_status snap_foreign_source_load(struct snap_foreign_source *source,
                                          const struct snap_pickle_value *value, const char *what,
                                          struct snap_foreign_tensor *tensor,
                                          unsigned char **element, struct snap_error *err);
/* Where it lived: "cpu", "cuda:0"; "" for an array. Borrowed, and not terminated. */
const char *snap_foreign_tensor_location(const struct snap_foreign_tensor *tensor, size_t *size);

#endif
