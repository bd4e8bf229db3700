/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing two states, wherever they are: in an archive, or in a run's memory. */
#ifndef SNAP_DIFF_INTERNAL_H
#define SNAP_DIFF_INTERNAL_H

#include <snapstate/diff.h>

#include "format/archive_read.h"
#include "format/archive_write.h"
#include "format/tree_leaves.h"
#include "save/state_image.h"

/* ---- a side (diff_side.c) ---- */

struct snap_side {
    const struct snap_state_doc *doc;
    const struct snap_data_doc *data;
    struct snap_leaves leaves;
    /* Of an archive (borrowed), or of a run: */
    const struct snap_archive *archive;
    struct snap_state_image image;
    struct snap_state_doc own_doc;
    struct snap_data_doc own_data;
    struct snap_write_member *members; /* in file order, digests of those in the state known */
    size_t member_count;
};
#define SNAP_SIDE_INIT                                                                             \
    {                                                                                              \
        .member_count = 0                                                                          \
    }

/* *side must be empty, and is released by the caller whatever the answer. */
enum snap_status snap_side_of_archive(const struct snap_archive *archive, struct snap_side *side,
                                      struct snap_error *err);
enum snap_status snap_side_of_run(struct snap_run *run, struct snap_side *side,
                                  struct snap_error *err);
void snap_side_release(struct snap_side *side);

/* A member of the state. False when there is none. */
struct snap_side_member {
    const char *name;
    uint64_t size;
    const unsigned char *sha256;
    bool withheld;
};
bool snap_side_find(const struct snap_side *side, const char *name,
                    struct snap_side_member *member);
/* All members, those outside the state too, for which snap_side_at is false. */
size_t snap_side_count(const struct snap_side *side);
bool snap_side_at(const struct snap_side *side, size_t index, struct snap_side_member *member);
/* A member's content in new memory, to be freed. SNAP_ABSENT when it is withheld. */
enum snap_status snap_side_read(const struct snap_side *side, const char *name, void **data,
                                struct snap_error *err);
/* The same for all parts of a storage. */
enum snap_status snap_side_read_storage(const struct snap_side *side, size_t index, void **data,
                                        struct snap_error *err);

/* ---- the list of differences (diff_report.c) ---- */

enum snap_status snap_diff_new(struct snap_diff **diff, struct snap_error *err);
/* Add an entry; `detail` (an object, consumed, may be NULL) goes into its JSON. */
enum snap_status snap_diff_add(struct snap_diff *diff, struct snap_error *err, const char *kind,
                               const char *name, json_t *detail, const char *format, ...)
    SNAP_PRINTF(6, 7);
/* Make the two texts. `head` (an object, consumed) is what the JSON says of the two sides; `equal`
 * is the line for people when nothing differs. */
enum snap_status snap_diff_finish(struct snap_diff *diff, json_t *head, const char *equal,
                                  struct snap_error *err);

/* ---- comparing (diff_state.c, diff_tensors.c) ---- */

/* Add what differs, in the order: profile, config, data, streams, tensors and values of the tree,
 * extras. */
enum snap_status snap_diff_sides(const struct snap_side *left, const struct snap_side *right,
                                 struct snap_diff *diff, struct snap_error *err);
/* All that snap_diff_archives compares, of two open archives. */
enum snap_status snap_diff_two_archives(const struct snap_archive *left,
                                        const struct snap_archive *right, struct snap_diff *diff,
                                        struct snap_error *err);
/* Tensors and plain values alone. */
enum snap_status snap_diff_trees(const struct snap_side *left, const struct snap_side *right,
                                 struct snap_diff *diff, struct snap_error *err);

/* ---- beside the states ---- */

/* diff_environment.c: *differences is an array of {"left","name","right"}, owned by the caller. */
enum snap_status snap_diff_environments(const struct snap_archive *left,
                                        const struct snap_archive *right, json_t **differences,
                                        struct snap_error *err);
/* diff_snapshots.c: add what differs between the first snapshots from step `from` on that both run
 * folders have (a path that is a ledger's has none). *described becomes {"equal","step"}, owned by
 * the caller, and stays as it is where there are none. */
enum snap_status snap_diff_next_snapshots(const char *left, const char *right, uint64_t from,
                                          struct snap_diff *diff, json_t **described,
                                          struct snap_error *err);

#endif
