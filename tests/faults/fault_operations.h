/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to a run folder while calls fail or the process is killed, and how the folder is
 * judged after. */
#ifndef SNAP_TESTS_FAULT_OPERATIONS_H
#define SNAP_TESTS_FAULT_OPERATIONS_H

#include <stddef.h>

#include <snapstate/status.h>

struct fault_operation {
    const char *name;
    /* The folder before, made from nothing. */
    enum snap_status (*prepare)(const char *dir, struct snap_error *err);
    /* It is done, in one thread. */
    enum snap_status (*perform)(const char *dir, struct snap_error *err);
};
extern const struct fault_operation fault_operations[];
extern const size_t fault_operation_count;
/* NULL: no such name. */
const struct fault_operation *fault_operation_find(const char *name);

/* Called when an operation is about to begin: what is made for the test alone is there, and calls
 * may fail from here on. NULL: nothing is. */
extern void (*fault_operation_begins)(void);

/* A folder with what the run is in the end, undisturbed. */
enum snap_status fault_reference(const char *dir, struct snap_error *err);
/* A copy of a run folder into a new one. */
void fault_copy_run(const char *from, const char *to);
/* The folder is sound, goes on, and reaches the ledger and the last snapshot of the reference, with
 * nothing left over. NULL, or what is wrong; the text is the caller's to free. */
char *fault_judge(const char *dir, const char *reference);

#endif
