/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a run: names of snapshots, `latest`, events. */
#ifndef SNAP_RUN_FOLDER_H
#define SNAP_RUN_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/archive.h>

#include "store/store_ops.h"

/* "snapshots/step-18446744073709551615.snap.tar" and a NUL, rounded up. */
#define SNAP_SNAPSHOT_NAME_BYTES 64

/* "snapshots/step-0000000100.snap.tar" */
void snap_snapshot_name(const char *folder, uint64_t step, char name[SNAP_SNAPSHOT_NAME_BYTES]);
/* The step of "step-0000000100.snap.tar"; false for a name of another form. */
bool snap_snapshot_name_parse(const char *file, uint64_t *step);
/* Steps of the snapshots in the folder, ascending; *steps is freed with free(). */
enum snap_status snap_snapshots_list(struct snap_store *store, uint64_t **steps, size_t *count,
                                     struct snap_error *err);
/* The same for "snapshots" or "capsules". */
enum snap_status snap_archives_list(struct snap_store *store, const char *folder, uint64_t **steps,
                                    size_t *count, struct snap_error *err);
/* Open a file of the folder as an archive; `name` is relative to it. */
enum snap_status snap_run_open_archive(struct snap_store *store, const char *name,
                                       struct snap_archive **archive, struct snap_error *err);
/* Read `latest`: the file it names, opened, and its snapshot hash compared. SNAP_NOT_FOUND: there
 * is no such file (whether there should be one is for the caller to say). */
enum snap_status snap_latest_open(struct snap_store *store, struct snap_archive **archive,
                                  char name[SNAP_SNAPSHOT_NAME_BYTES], struct snap_error *err);
/* The same without opening the file: what is in `latest`. */
enum snap_status snap_latest_read(struct snap_store *store, char name[SNAP_SNAPSHOT_NAME_BYTES],
                                  char hash[SNAP_HASH_TEXT_BYTES], struct snap_error *err);
/* Move `latest`. */
enum snap_status snap_latest_write(struct snap_store *store, const char *name, const char *hash,
                                   struct snap_error *err);
/* Add an event. `fields` is an object, consumed in any case; NULL: memory was out when it was made.
 * The caller holds the folder's lock; a `store` of NULL writes nothing. */
enum snap_status snap_event_add(struct snap_store *store, const char *event, json_t *fields,
                                struct snap_error *err);
/* Write down, where that is possible, why volumes that `file` had before could not be removed; one
 * whose status is SNAP_OK says nothing. They are found again when the run is opened. */
void snap_left_over_note(struct snap_store *store, const char *file,
                         const struct snap_error *left_over);

/* Remove what a process that was killed left half-written, while nobody writes there. `dirfd` is of
 * the folder of `store`. */
enum snap_status snap_folder_sweep(struct snap_store *store, int dirfd, struct snap_error *err);

#endif
