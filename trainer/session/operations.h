/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of a step as a capsule keeps them, extra/operations.json
 * (schema/operations.schema.json): what each wrote, by its digest. */
#ifndef TRN_OPERATIONS_H
#define TRN_OPERATIONS_H

#include <stddef.h>

#include <snapstate/status.h>

#include "ops/op_trace.h"
#include "trainer.h"

#define TRN_OPERATIONS "operations.json"
#define TRN_OPERATIONS_FORMAT "snap-operations-1"
/* A step has some hundred bytes for each output of an operation; a capsule that has more than this
 * was not made by this trainer. */
#define TRN_OPERATIONS_MAX_BYTES ((size_t)256 << 20)

struct trn_operations {
    struct trn_operation *list; /* in the order of the step; owned */
    size_t count;
};
#define TRN_OPERATIONS_INIT { NULL, 0 }

/* A record of a trace as plain values. */
void trn_operation_of(const struct trn_op_record *record, struct trn_operation *operation);
/* The same output of the same operation, whatever is in it. */
bool trn_operation_same_place(const struct trn_operation *a, const struct trn_operation *b);
/* "conv_forward of conv1, forward": without the step's number. */
void trn_operation_text(const struct trn_operation *operation, char *text, size_t size);

enum snap_status trn_operations_add(struct trn_operations *operations,
                                    const struct trn_operation *operation, struct snap_error *err);
/* *text is freed with free(). */
enum snap_status trn_operations_encode(const struct trn_operations *operations, char **text,
                                       struct snap_error *err);
/* SNAP_CORRUPT: not of the grammar. `operations` is empty before, and to be released after
 * SNAP_OK. */
enum snap_status trn_operations_decode(const void *bytes, size_t size_bytes,
                                       struct trn_operations *operations, struct snap_error *err);
void trn_operations_release(struct trn_operations *operations);

#endif
