/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of which every rank has one of its own. Each rank's inventory has those of all, so that a
 * save, a ledger line and a restore are the same on all ranks: its own is the caller's, and for
 * another stands what that rank has told last. */
#ifndef SNAP_RANK_STREAMS_H
#define SNAP_RANK_STREAMS_H

#include "restore/restore.h"

struct snap_rank_streams;

/* Ask every rank for its own, of each name. Nothing where there are none. Collective; a failure of
 * one rank is that of all. */
enum snap_status snap_rank_streams_share(struct snap_run *run, struct snap_error *err);

/* Is the state of the ranks what it should be, before it is saved? SNAP_DIFFERS on a rank: it has
 * registered other streams or has another chain than rank 0, a stream that all share is another one
 * here, or its own one is that of another rank. Collective. */
enum snap_status snap_rank_streams_check(struct snap_run *run,
                                         const struct snap_save_job *job, struct snap_error *err);

void snap_rank_streams_release(struct snap_run *run);

/* ---- a restore on another number of ranks: rank_streams_restore.c ---- */

/* Is stream `index`, which the archive does not have, one that the rule makes? Then the receipt
 * says so. */
enum snap_status snap_rank_stream_match(struct snap_restore *restore, size_t index, bool *made,
                                        struct snap_error *err);
/* Is that stream of the archive one of a rank that there is no more? Then the receipt says so. */
enum snap_status snap_rank_stream_left(struct snap_restore *restore, const char *name, bool *left,
                                       struct snap_error *err);
/* The state that the rule makes for stream `index`, as its kind writes it; *bytes is freed with
 * free(). */
enum snap_status snap_rank_stream_make(const struct snap_restore *restore, size_t index,
                                       void **bytes, size_t *size, struct snap_error *err);
/* Are the two texts of state.json the same but for streams of ranks? */
bool snap_rank_streams_alone_differ(const char *there, const char *here);

#endif
