/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of trn_bisect: what the records say, what is made again, and in which words. */
#ifndef TRN_BISECT_PARTS_H
#define TRN_BISECT_PARTS_H

#include <jansson.h>

#include <snapstate/archive.h>
#include <snapstate/ledger.h>

#include "trainer.h"

enum { TRN_LEFT, TRN_RIGHT };

struct trn_bisect_search {
    const struct trn_bisect_options *options; /* borrowed */
    struct trn_bisect_result *result;         /* borrowed */
    const char *dirs[2];
    struct snap_ledger *ledgers[2]; /* owned */
    bool same_genesis;
    bool same_config; /* config, data, profile and binding are; one run may go on from another */
    uint64_t *common;   /* steps of the snapshots that both have, ascending; owned */
    size_t equal_count; /* so many of them, from the front, are equal */
    json_t *differences; /* of the first that is not, as snap_diff_json lists them; owned */
};
void trn_bisect_search_release(struct trn_bisect_search *search);

/* ---- bisect_records.c and bisect_snapshots.c: nothing is trained ---- */

/* Open both ledgers; compare the genesis lines, and find the first line after them that differs. */
enum snap_status trn_bisect_ledgers(struct trn_bisect_search *search, struct snap_error *err);
/* bisect_snapshots.c: find the first common snapshot whose content is not equal: all of the state,
 * but state.json when the configs differ, since config, profile and binding stand in it. */
enum snap_status trn_bisect_snapshots(struct trn_bisect_search *search, struct snap_error *err);

/* The path of the run's snapshot of a step. */
enum snap_status trn_bisect_snapshot_path(const struct trn_bisect_search *search, int side,
                                          uint64_t step, char path[TRN_PATH_SIZE],
                                          struct snap_error *err);
/* The line of a step on that side, NULL when there is none; borrowed from the ledger. */
const char *trn_bisect_line(const struct trn_bisect_search *search, int side, uint64_t step);

/* Do the runs part at a ledger line, and not at a snapshot before it? */
static inline bool trn_bisect_by_line(const struct trn_bisect_result *result)
{
    return result->has_line && (!result->has_different_snapshot ||
                                result->line.step <= result->different_snapshot);
}

/* ---- bisect_replay.c ---- */

/* What making the stretch again has shown. */
enum trn_bisect_made {
    TRN_MADE_NOTHING, /* nothing was made again, or it shows nothing */
    TRN_MADE_LEFT,    /* from the state that both have, the left run's next record is made */
    TRN_MADE_RIGHT,
    TRN_MADE_NEITHER,
    TRN_MADE_BOTH /* from its own state each run's own record */
};

/* Make the stretch again in which the records part, from the last snapshot that is equal, and say
 * what came of it. Where each run makes its own record, the first operator that differs is found.
 * What keeps this trainer from making it again is told in result->not_replayed, and is no
 * failure. */
enum snap_status trn_bisect_replay(struct trn_bisect_search *search, enum trn_bisect_made *made,
                                   struct snap_error *err);

/* ---- bisect_words.c ---- */

/* Fill in kind, first, own, stream and distance. */
void trn_bisect_tell(const struct trn_bisect_search *search, enum trn_bisect_made made);

#endif
