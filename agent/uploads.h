/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots on their way to a store, behind the saves: a save is answered when it is on the disk,
 * and waits here for its upload. One thread uploads, of each run the last snapshot first; nothing
 * of it is done under a lock of the agent's. `uploads` may be NULL everywhere: the agent has no
 * store. */
#ifndef AGN_UPLOADS_H
#define AGN_UPLOADS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include <snapstate/agent.h>
#include <snapstate/status.h>

/* Of a run at most so many snapshots wait, and are kept from being pruned: an older one is dropped
 * then, in so many words. */
#define AGN_UPLOADS_WAIT_MOST 8u

struct agn_agent;
struct agn_uploads;

/* Look at the options' store, and be ready to upload. SNAP_INVALID: it is no store, or lies below
 * the root; else as snap_store_check. *uploads is NULL when the options have none. */
enum snap_status agn_uploads_start(struct agn_agent *agent, struct agn_uploads **uploads,
                                   struct snap_error *err);
/* Say so, and begin with what is not in the store of the runs that are there: of each the last
 * snapshot. */
void agn_uploads_begin(struct agn_uploads *uploads);
/* What waits is uploaded within the options' time, and told when it is not. */
void agn_uploads_stop(struct agn_uploads *uploads);

/* A snapshot is durable: `file` in the run folder `dir`. */
void agn_uploads_add(struct agn_uploads *uploads, const char *dir, const char *file, uint64_t step);
/* The steps of the run that wait; the answer is how many. */
size_t agn_uploads_waiting(struct agn_uploads *uploads, const char *dir,
                           uint64_t steps[AGN_UPLOADS_WAIT_MOST]);
/* Write down in the run what went wrong since, under the lock that the handover has. */
void agn_uploads_note(struct agn_uploads *uploads, const char *dir,
                      struct snap_handover *handover);
/* Wait while the run's lock is taken to write that down; it is not taken in the next seconds. */
void agn_uploads_settle(struct agn_uploads *uploads, const char *dir);

/* ---- upload_view.c ---- */

/* All of them, and those of a run (null: it has none), as the status has them; new references. */
json_t *agn_uploads_value(struct agn_uploads *uploads);
json_t *agn_uploads_run_value(struct agn_uploads *uploads, const char *dir);
/* Counters for Prometheus. */
void agn_uploads_write_metrics(struct agn_uploads *uploads, const struct agn_agent *agent,
                               FILE *file);

#endif
