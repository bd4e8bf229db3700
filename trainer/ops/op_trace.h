/* SPDX-License-Identifier: Apache-2.0 */
/* A trace of operators: what each wrote, told to an observer as soon as it is written. The
 * backend's table is replaced by one whose functions call the true one and then look at its
 * outputs; while no trace is on, the table is the true one and nothing is asked.
 *
 *     struct trn_op_observer observer = { .see = print_one };
 *     trn_op_trace_begin(training->backend, &observer, err);
 *     trn_train_step(training, &step, err);
 *     trn_op_trace_end(training->backend);
 *
 * The operators compute what they would without: outputs are copied to the host and read there. */
#ifndef TRN_OP_TRACE_H
#define TRN_OP_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

#include "ops/ops.h"

#define TRN_OP_MAX_RANK 5

enum trn_op_dtype { TRN_OP_F32, TRN_OP_I32 };

/* One tensor that an operator wrote. An operator that writes several gives a record for each, in
 * the order of its arguments, all with the same index. Masks and chosen taps are not told: what
 * was made by them is. */
struct trn_op_record {
    size_t index;       /* of the operator, from 0 since trn_op_trace_begin */
    const char *op;     /* its name in ops.h: "conv_forward"; of a shard's batch "upload"; static */
    const char *output; /* the argument's name there: "y", "dw"; static */
    const char *phase;  /* "batch", "forward", "loss", "backward", "norm", "clip", "update",
                         * "evaluate"; static */
    const char *name;   /* the layer, of norm, clip and update the parameter; "": neither; borrowed
                         * until the observer returns */
    unsigned shard;     /* of batch, forward, loss and backward; else 0 */
    enum trn_op_dtype dtype;
    unsigned rank;
    size_t shape[TRN_OP_MAX_RANK]; /* the first `rank` are used; row-major */
    size_t count;                  /* elements */
    const void *data;              /* host, `count` elements; borrowed until the observer returns */
    double least, largest;         /* of the finite elements; 0 and 0 where there is none */
    size_t nonfinite;              /* elements that are NaN or infinite */
    size_t first_nonfinite;        /* index of the first of them; `count`: none */
    unsigned char sha256[SNAP_DIGEST_BYTES]; /* of the elements, little-endian */
};

struct trn_op_observer {
    void *arg;
    /* What is not SNAP_OK ends the operator, and so the step, with that status and error. */
    enum snap_status (*see)(void *arg, const struct trn_op_record *record, struct snap_error *err);
};

/* Tell every operator of `backend` to `observer` (copied) from now on. SNAP_INVALID: a trace is on
 * already. */
enum snap_status trn_op_trace_begin(struct trn_backend *backend,
                                    const struct trn_op_observer *observer, struct snap_error *err);
/* Put the true table back. Where no trace is on, nothing. To be called before the backend is
 * closed. */
void trn_op_trace_end(struct trn_backend *backend);

/* "f32", "i32"; static. */
const char *trn_op_dtype_name(enum trn_op_dtype dtype);

/* ---- for those who make records ---- */

/* Where the operators that follow belong. `phase` is static, `name` is borrowed until the next
 * call. */
static inline void trn_op_trace_at(struct trn_backend *backend, const char *phase,
                                   const char *name, unsigned shard)
{
    backend->place = (struct trn_op_place){ phase, name, shard };
}

/* An output of an operator that ended with `status`, which is passed on when it is not SNAP_OK.
 * `data` is backend memory; NULL: the operator was not asked for this output. `first`: a new
 * operator begins with this record. */
struct trn_op_output {
    const char *op, *name;
    const void *data;
    enum trn_op_dtype dtype;
    unsigned rank;
    size_t shape[TRN_OP_MAX_RANK];
    bool first;
    bool on_host; /* `data` is host memory */
};
enum snap_status trn_op_trace_see(struct trn_backend *backend, enum snap_status status,
                                  const struct trn_op_output *output, struct snap_error *err);

/* The table that is traced; a trace must be on. */
const struct trn_ops *trn_op_trace_true_ops(const struct trn_backend *backend);
/* Replace every operator that `ops` has by one that is seen (op_trace_table.c). */
void trn_op_trace_fill(struct trn_ops *ops);

#endif
