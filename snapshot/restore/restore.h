/* SPDX-License-Identifier: Apache-2.0 */
/* A restore under way: match (what archive and inventory have in common), place (memory). */
#ifndef SNAP_RESTORE_H
#define SNAP_RESTORE_H

#include "format/tree_leaves.h"
#include "restore/receipt_build.h"
#include "run/run_internal.h"

struct snap_save_job;

struct snap_restore {
    struct snap_run *run;
    struct snap_archive *archive;
    /* The archive is whole in memory that nobody can change, from the agent. One pass is enough: a
     * digest that differs there is found while memory is filled, and then the file is taken. */
    bool from_memory;
    bool touched; /* memory is not what it was */
    struct snap_receipt *receipt;

    /* By restore_match*.c. Components are indices in the receipt. */
    struct snap_leaves leaves;
    const struct snap_tensor_view *
        *views; /* of each tensor; NULL: not in the archive as it is here */
    size_t *tensor_components;
    uint64_t *scalars; /* of each scalar, as in the archive; 0 when it has none */
    size_t *scalar_components;
    size_t *tree_components; /* of each root that is a tree */
    size_t *stream_components;
    bool *made_streams; /* of each stream: not in the archive, and made by rank-streams-1 */
    bool other_ranks;   /* the archive has other streams of ranks */
    size_t *value_components;
    size_t position_component;

    /* By restore_place.c: read and checked, not yet in place. */
    void **streams;
    size_t *stream_sizes;
    void **old_streams; /* as they were before */
    size_t *old_sizes;
    void **values;
};

/* Are two training configs the same? NULL or a JSON null for none (restore_match_promise.c). */
bool snap_same_training(const json_t *there, const json_t *here);

/* snap_run_restore on this rank, of what its options name; and on every rank of a group, of what
 * rank 0 finds (run_group.c). */
enum snap_status snap_restore_here(struct snap_run *run, enum snap_tier require,
                                   struct snap_receipt **receipt, struct snap_error *err);
enum snap_status snap_restore_together(struct snap_run *run, enum snap_tier require,
                                       struct snap_receipt **receipt, struct snap_error *err);

/* The archive that the run's options name, or that `latest` of its folder does (restore_source.c);
 * `name` receives its place in the folder, when it was found there. One snapshot that is the first
 * is taken where `latest` is missing, which then names it. SNAP_NOT_FOUND: the run is a fresh one;
 * SNAP_CORRUPT: there are snapshots, and `latest` is missing. *archive is the caller's. */
enum snap_status snap_restore_find(struct snap_run *run, struct snap_archive **archive,
                                   char name[SNAP_SNAPSHOT_NAME_BYTES], struct snap_error *err);
/* The snapshot that `latest` names, from the agent's memory. False: from the file, then. */
bool snap_restore_find_in_memory(struct snap_run *run, struct snap_archive **archive);

/* Find the tier, and fill the receipt's components and reasons. */
enum snap_status snap_restore_match(struct snap_restore *restore, struct snap_error *err);

/* Pass one: every member that is there (from memory: those that are not tensors) is read and its
 * digest compared; streams and values stay in memory, and streams are decoded once by their kind.
 * Nothing of the run is changed. */
enum snap_status snap_restore_read(struct snap_restore *restore, struct snap_error *err);
/* Pass two: streams, tensors, scalars, values and the place in the data; tensors alone at tier
 * weights. Then everything is read back and compared, and the receipt has the digests. A failure
 * before the first tensor changes nothing; after that the text says "unusable". */
enum snap_status snap_restore_place(struct snap_restore *restore, struct snap_error *err);

/* The status of `cause`, and a text that says that memory was changed already. */
enum snap_status snap_restore_unusable(const struct snap_error *cause, struct snap_error *err);

void snap_restore_release(struct snap_restore *restore);

#endif
