/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ops/op_trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <snapstate/run.h>

struct trn_op_trace {
    struct trn_op_observer observer;
    const struct trn_ops *true_ops;
    struct trn_ops ops; /* what the backend's points to */
    size_t operators;   /* seen so far */
    void *copy;         /* host memory for one output */
    size_t copy_bytes;
};

enum snap_status trn_op_trace_begin(struct trn_backend *backend,
                                    const struct trn_op_observer *observer, struct snap_error *err)
{
    struct trn_op_trace *trace;
    if (backend->trace) {
        return snap_error_set(err, SNAP_INVALID, "operator trace: it is on already");
    }
    trace = calloc(1, sizeof(*trace));
    if (!trace) {
        return snap_error_set(err, SNAP_NO_MEMORY, "operator trace: out of memory");
    }
    trace->observer = *observer;
    trace->true_ops = backend->ops;
    trace->ops = *backend->ops;
    trn_op_trace_fill(&trace->ops);
    backend->trace = trace;
    backend->ops = &trace->ops;
    trn_op_trace_at(backend, "", "", 0);
    return SNAP_OK;
}

void trn_op_trace_end(struct trn_backend *backend)
{
    struct trn_op_trace *trace = backend->trace;
    if (!trace) {
        return;
    }
    backend->ops = trace->true_ops;
    backend->trace = NULL;
    free(trace->copy);
    free(trace);
}

const struct trn_ops *trn_op_trace_true_ops(const struct trn_backend *backend)
{
    return backend->trace->true_ops;
}

const char *trn_op_dtype_name(enum trn_op_dtype dtype)
{
    return dtype == TRN_OP_F32 ? "f32" : "i32";
}

static double element(const struct trn_op_record *record, size_t i)
{
    if (record->dtype == TRN_OP_F32) {
        return (double)((const float *)record->data)[i];
    }
    return (double)((const int32_t *)record->data)[i];
}

static void measure(struct trn_op_record *record)
{
    bool any = false;
    record->first_nonfinite = record->count;
    for (size_t i = 0; i < record->count; i++) {
        const double value = element(record, i);
        if (!isfinite(value)) {
            record->first_nonfinite = record->nonfinite == 0 ? i : record->first_nonfinite;
            record->nonfinite++;
        } else {
            record->least = !any || value < record->least ? value : record->least;
            record->largest = !any || value > record->largest ? value : record->largest;
            any = true;
        }
    }
}

/* The output's elements in host memory. */
static enum snap_status fetch(struct trn_backend *backend, const struct trn_op_output *output,
                              size_t size_bytes, const void **data, struct snap_error *err)
{
    struct trn_op_trace *trace = backend->trace;
    enum snap_status status;
    if (output->on_host) {
        *data = output->data;
        return SNAP_OK;
    }
    if (size_bytes > trace->copy_bytes) {
        void *grown = realloc(trace->copy, size_bytes);
        if (!grown) {
            return snap_error_set(err, SNAP_NO_MEMORY, "operator trace: out of memory for %s of %s",
                                  output->name, output->op);
        }
        trace->copy = grown;
        trace->copy_bytes = size_bytes;
    }
    status = trace->true_ops->download(backend, trace->copy, output->data, size_bytes, err);
    if (status == SNAP_OK) {
        *data = trace->copy;
    }
    return status;
}

enum snap_status trn_op_trace_see(struct trn_backend *backend, enum snap_status status,
                                  const struct trn_op_output *output, struct snap_error *err)
{
    struct trn_op_trace *trace = backend->trace;
    struct trn_op_record record = { .count = 1 };
    if (status != SNAP_OK || !trace) {
        return status;
    }
    trace->operators += output->first;
    if (!output->data) {
        return SNAP_OK;
    }
    record.index = trace->operators - 1;
    record.op = output->op;
    record.output = output->name;
    record.phase = backend->place.phase;
    record.name = backend->place.name;
    record.shard = backend->place.shard;
    record.dtype = output->dtype;
    record.rank = output->rank;
    for (unsigned i = 0; i < output->rank; i++) {
        record.shape[i] = output->shape[i];
        record.count *= output->shape[i];
    }
    /* An f32 and an i32 are as large as each other. */
    status = fetch(backend, output, record.count * sizeof(float), &record.data, err);
    if (status == SNAP_OK) {
        status = snap_bytes_digest(record.data, record.count * sizeof(float), record.sha256, err);
    }
    if (status != SNAP_OK) {
        return status;
    }
    measure(&record);
    return trace->observer.see(trace->observer.arg, &record, err);
}
