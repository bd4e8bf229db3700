/* SPDX-License-Identifier: Apache-2.0 */
/* What was found in the files of other libraries: roots, streams, and what could not be taken. */
#ifndef SNAP_FOREIGN_FOREIGN_STATE_H
#define SNAP_FOREIGN_FOREIGN_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/status.h>

#include "format/limits.h"

/* A tree: a node as state.json has it, in which a tensor's `storage` is an index in `memory` and
 * its `offset` 0. */
struct snap_foreign_root {
    char *name;
    json_t *tree;
    void **memory; /* element 0 of each tensor, in the order of the tree; in blocks of the state */
    size_t memory_count;
};

struct snap_foreign_stream {
    char *name; /* without the shard */
    char *kind;
    int rank;    /* -1: of no rank in particular */
    void *bytes; /* its member */
    size_t size_bytes;
};

/* Something that is known to exist and was not taken. */
struct snap_foreign_gap {
    char *name;
    char *reason;
};

/* All of it owned by the state. */
struct snap_foreign_state {
    struct snap_foreign_root *roots;
    size_t root_count;
    struct snap_foreign_stream *streams;
    size_t stream_count;
    json_t *stream_names; /* for the functions here */
    struct snap_foreign_gap *gaps;
    size_t gap_count;
    unsigned char **blocks; /* memory of tensors */
    size_t block_count;
    bool has_step; /* a file says how many steps were done */
    uint64_t step;
    uint64_t epoch;
};
#define SNAP_FOREIGN_STATE_INIT                                                                    \
    {                                                                                              \
        .root_count = 0                                                                            \
    }

void snap_foreign_state_release(struct snap_foreign_state *state);

/* Each takes what it is given by pointer, on failure too; texts are copied. */
enum snap_status snap_foreign_state_add_root(struct snap_foreign_state *state, const char *name,
                                             json_t *tree, void **memory, size_t memory_count,
                                             struct snap_error *err);
enum snap_status snap_foreign_state_add_stream(struct snap_foreign_state *state, const char *name,
                                               const char *kind, int rank, void *bytes,
                                               size_t size_bytes, struct snap_error *err);
/* A reason that begins with the name, as messages do, is kept without it. */
enum snap_status snap_foreign_state_add_gap(struct snap_foreign_state *state, const char *name,
                                            const char *reason, struct snap_error *err);
enum snap_status snap_foreign_state_add_block(struct snap_foreign_state *state,
                                              unsigned char *block, struct snap_error *err);

/* Where a stream has the name already, put a number behind it: "name_2". */
enum snap_status snap_foreign_state_number_stream(struct snap_foreign_state *state, int rank,
                                                  char name[SNAP_MAX_WORD_BYTES + 1],
                                                  struct snap_error *err);

/* What stands behind "NAME: " at the beginning of a message; all of it where it has no such. */
const char *snap_foreign_text_behind(const char *text, const char *name);

/* Two files may say the step; SNAP_INVALID when they differ. `what` is the second. */
enum snap_status snap_foreign_state_set_step(struct snap_foreign_state *state, uint64_t step,
                                             const char *what, struct snap_error *err);

#endif
