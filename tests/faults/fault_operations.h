/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to a run folder while calls fail or the process is killed, and how the folder is
 * judged after. */
#ifndef SNAP_TESTS_FAULT_OPERATIONS_H
#define SNAP_TESTS_FAULT_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

struct fault_operation {
    const char *name;
    /* The folder before, made from nothing. */
    enum snap_status (*prepare)(const char *dir, struct snap_error *err);
    /* It is done, in one thread. */
    enum snap_status (*perform)(const char *dir, struct snap_error *err);
    bool mends; /* the folder before is broken, until the operation has been done once */
};
extern const struct fault_operation fault_operations[];
extern const size_t fault_operation_count;
/* NULL: no such name. */
const struct fault_operation *fault_operation_find(const char *name);

/* How the operations save: 1 in the thread that trains, 0 behind it; and without reading back. */
extern uint64_t fault_staging_bytes;
extern bool fault_unread;

/* Called when the operation has come to an end that is promised to survive: a save that was
 * reported, with the step that `latest` names then; 0: it is the one it was before. NULL: nothing
 * is. */
extern void (*fault_operation_reports)(uint64_t step);
/* Called when an operation is about to begin: what is made for the test alone is there, and calls
 * may fail from here on. NULL: nothing is. */
extern void (*fault_operation_begins)(void);

/* A folder with what the run is in the end, undisturbed. */
enum snap_status fault_reference(const char *dir, struct snap_error *err);
/* A copy of a run folder into a new one. */
void fault_copy_run(const char *from, const char *to);
/* The folder is sound, names by `latest` the snapshot of step `reported` at least (0: it may name
 * none), goes on, and reaches the ledger and the last snapshot of the reference, with nothing left
 * over. NULL, or what is wrong; the text is the caller's to free. */
char *fault_judge(const struct fault_operation *operation, const char *dir, const char *reference,
                  uint64_t reported);

#endif
