/* SPDX-License-Identifier: Apache-2.0 */
/* The trace of operators: it changes no bit, leaves out no operator, and says of each output what
 * is in it; two traces of which one met a fault part at the operator that had it. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <snapstate/run.h>

#include "model_rig.h"
#include "ops/op_trace.h"

#define MAX_RECORDS 1000

/* What is kept of a record. */
struct seen {
    size_t index;
    const char *op, *output, *phase;
    char name[TRN_TENSOR_NAME_SIZE];
    unsigned shard;
    size_t count, nonfinite, first_nonfinite;
    double least, largest;
    unsigned char sha256[SNAP_DIGEST_BYTES];
};

struct trace {
    struct seen list[MAX_RECORDS];
    size_t count;
    size_t stop_at; /* the observer fails at this record; 0: never */
};

static enum snap_status see(void *arg, const struct trn_op_record *record, struct snap_error *err)
{
    struct trace *trace = arg;
    struct seen *seen = &trace->list[trace->count];
    unsigned char sha256[SNAP_DIGEST_BYTES];
    size_t count = 1;
    assert_true(trace->count < MAX_RECORDS);
    assert_int_equal(record->index,
                     trace->count == 0 ? 0
                                       : seen[-1].index + (strcmp(seen[-1].op, record->op) != 0 ||
                                                           record->index != seen[-1].index));
    for (unsigned i = 0; i < record->rank; i++) {
        count *= record->shape[i];
    }
    assert_int_equal(record->count, count);
    assert_int_equal(snap_bytes_digest(record->data, 4 * count, sha256, NULL), SNAP_OK);
    assert_memory_equal(record->sha256, sha256, sizeof(sha256));
    *seen = (struct seen){ .index = record->index, .op = record->op, .output = record->output,
                           .phase = record->phase, .shard = record->shard, .count = record->count,
                           .nonfinite = record->nonfinite,
                           .first_nonfinite = record->first_nonfinite,
                           .least = record->least, .largest = record->largest };
    strncpy(seen->name, record->name, sizeof(seen->name) - 1);
    memcpy(seen->sha256, record->sha256, sizeof(sha256));
    trace->count++;
    if (trace->count == trace->stop_at) {
        return snap_error_set(err, SNAP_DIFFERS, "enough was seen");
    }
    return SNAP_OK;
}

static struct trace *begin(struct rig *rig, struct trace *trace)
{
    const struct trn_op_observer observer = { trace, see };
    assert_non_null(trace);
    trace->count = 0;
    assert_int_equal(trn_op_trace_begin(rig->backend, &observer, NULL), SNAP_OK);
    return trace;
}

static size_t find(const struct trace *trace, const char *op, const char *output,
                   const char *phase, const char *name, unsigned shard)
{
    for (size_t i = 0; i < trace->count; i++) {
        const struct seen *seen = &trace->list[i];
        if (strcmp(seen->op, op) == 0 && strcmp(seen->output, output) == 0 &&
            strcmp(seen->phase, phase) == 0 && strcmp(seen->name, name) == 0 &&
            seen->shard == shard) {
            return i;
        }
    }
    fail_msg("%s of %s, %s of %s, shard %u: is not in the trace", output, op, phase, name, shard);
    return 0;
}

static void no_bit_changes(void **state)
{
    struct record *plain = calloc(2, sizeof(*plain)), *traced = plain + 1;
    struct trace *trace = calloc(1, sizeof(*trace));
    (void)state;
    assert_non_null(plain);
    for (int i = 0; i < RIG_KINDS * RIG_OPTIMIZERS; i++) {
        const struct trn_optimizer_spec *spec = &rig_optimizers[i % RIG_OPTIMIZERS];
        struct rig rig, other;
        rig_ready_kind(&rig, (enum rig_kind)(i / RIG_OPTIMIZERS), NULL, 2, 2, spec);
        rig_ready_kind(&other, (enum rig_kind)(i / RIG_OPTIMIZERS), NULL, 2, 2, spec);
        plain->size_bytes = traced->size_bytes = 0;
        for (unsigned step = 0; step < 2; step++) {
            const struct trn_ops *ops = other.backend->ops;
            rig_train_step(&rig, step, plain);
            begin(&other, trace);
            rig_train_step(&other, step, traced);
            trn_op_trace_end(other.backend);
            assert_ptr_equal(other.backend->ops, ops);
            assert_true(trace->count > 100);
        }
        record_state(plain, &rig);
        record_state(traced, &other);
        assert_int_equal(plain->size_bytes, traced->size_bytes);
        assert_memory_equal(plain->bytes, traced->bytes, plain->size_bytes);
        rig_dismantle(&rig);
        rig_dismantle(&other);
    }
    free(trace);
    free(plain);
}

/* The table is a row of functions from `copy` on; each that is there is seen, but the one that
 * writes nothing. */
static void no_operator_is_left_out(void **state)
{
    typedef void function(void);
    enum { FIRST = offsetof(struct trn_ops, copy) / sizeof(function *),
           OPTIONAL = offsetof(struct trn_ops, batchnorm_forward) / sizeof(function *),
           END = sizeof(struct trn_ops) / sizeof(function *) };
    union {
        struct trn_ops ops;
        function *list[END];
    } from, to;
    const size_t passed_over = offsetof(struct trn_ops, first_nonfinite) / sizeof(function *);
    (void)state;
    from.ops = *trn_ops_find("scalar");
    from.list[OPTIONAL] = from.list[OPTIONAL + 1] = from.list[FIRST];
    to.ops = from.ops;
    trn_op_trace_fill(&to.ops);
    for (size_t i = 0; i < END; i++) {
        if ((from.list[i] == to.list[i]) != (i < FIRST || i == passed_over)) {
            fail_msg("operator %zu after copy", i - FIRST);
        }
    }
    from.ops.batchnorm_forward = NULL;
    trn_op_trace_fill(&from.ops);
    assert_null(from.ops.batchnorm_forward);
}

static void outputs_are_told(void **state)
{
    struct trace *trace = calloc(1, sizeof(*trace));
    struct record *record = calloc(1, sizeof(*record));
    struct rig rig;
    const struct trn_tensor *tensors;
    const struct seen *seen;
    unsigned char sha256[SNAP_DIGEST_BYTES];
    float inputs[RIG_BATCH * RIG_INPUT], least, largest;
    int32_t labels[RIG_BATCH];
    (void)state;
    rig_ready(&rig, NULL, 2, 2, &rig_optimizers[1]);
    begin(&rig, trace);
    rig_train_step(&rig, 0, record);

    rig_make_batch(0, inputs, labels);
    seen = &trace->list[find(trace, "upload", "inputs", "batch", "", 1)];
    assert_int_equal(seen->count, 7 * RIG_INPUT);
    assert_int_equal(snap_bytes_digest(inputs + 6 * RIG_INPUT, 7 * RIG_INPUT * 4, sha256, NULL),
                     SNAP_OK);
    assert_memory_equal(seen->sha256, sha256, sizeof(sha256));
    assert_string_equal(seen[1].output, "labels");
    assert_int_equal(seen[1].index, seen->index);

    tensors = trn_model_tensors(rig.model);
    for (size_t i = 0; i < trn_model_tensor_count(rig.model); i++) {
        if (tensors[i].role != TRN_PARAMETER) {
            continue;
        }
        seen = &trace->list[find(trace, "sgd", "weight", "update", tensors[i].name, 0)];
        assert_int_equal(snap_bytes_digest(tensors[i].data, 4 * tensors[i].count, sha256, NULL),
                         SNAP_OK);
        assert_memory_equal(seen->sha256, sha256, sizeof(sha256));
        least = largest = *(const float *)tensors[i].data;
        for (size_t k = 0; k < tensors[i].count; k++) {
            const float value = ((const float *)tensors[i].data)[k];
            least = value < least ? value : least;
            largest = value > largest ? value : largest;
        }
        assert_true(seen->least == (double)least && seen->largest == (double)largest);
        assert_int_equal(seen->nonfinite, 0);
        assert_int_equal(seen->first_nonfinite, tensors[i].count);
        find(trace, "reduce_product", "out", "norm", tensors[i].name, 0);
    }
    assert_true(find(trace, "conv_forward", "y", "forward", "conv1", 1) <
                find(trace, "cross_entropy", "losses", "loss", "", 1));
    assert_true(find(trace, "cross_entropy", "gradient", "loss", "", 1) <
                find(trace, "conv_weight_gradient", "dw", "backward", "conv1", 1));
    trn_op_trace_end(rig.backend);
    trn_op_trace_end(rig.backend); /* and once more: nothing */
    rig_dismantle(&rig);
    free(record);
    free(trace);
}

static void what_is_not_finite_is_counted(void **state)
{
    struct trace *trace = calloc(1, sizeof(*trace));
    const struct seen *seen;
    struct rig rig;
    float *bias;
    (void)state;
    rig_ready(&rig, NULL, 1, 1, &rig_optimizers[0]);
    bias = trn_model_tensors(rig.model)[1].data;
    bias[4] = 1.0f / 0.0f;
    begin(&rig, trace);
    rig_pass(&rig, 0, RIG_BATCH);
    seen = &trace->list[find(trace, "conv_forward", "y", "forward", "conv1", 0)];
    assert_int_equal(seen->nonfinite, seen->count / 6);
    assert_int_equal(seen->first_nonfinite, 4);
    assert_true(seen->least < seen->largest && seen->largest < 1e3);
    seen = &trace->list[find(trace, "cross_entropy", "losses", "loss", "", 0)];
    assert_int_equal(seen->nonfinite, RIG_BATCH);
    assert_int_equal(seen->first_nonfinite, 0);
    assert_true(seen->least == 0.0 && seen->largest == 0.0);
    trn_op_trace_end(rig.backend);
    rig_dismantle(&rig);
    free(trace);
}

static void an_observer_can_end_the_step(void **state)
{
    struct trace *trace = calloc(1, sizeof(*trace));
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_shard shard = { .samples = RIG_BATCH, .batch = RIG_BATCH, .device_seed = 42 };
    float inputs[RIG_BATCH * RIG_INPUT];
    int32_t labels[RIG_BATCH];
    struct rig rig;
    (void)state;
    rig_ready(&rig, NULL, 1, 1, &rig_optimizers[0]);
    rig_make_batch(0, inputs, labels);
    shard.inputs = inputs;
    shard.labels = labels;
    begin(&rig, trace)->stop_at = 9;
    assert_int_equal(trn_op_trace_begin(rig.backend, NULL, NULL), SNAP_INVALID);
    assert_int_equal(trn_model_forward_backward(rig.model, &shard, &err), SNAP_DIFFERS);
    assert_string_equal(err.text, "enough was seen");
    assert_int_equal(trace->count, 9);
    trn_op_trace_end(rig.backend);
    rig_dismantle(&rig);
    free(trace);
}

/* ---- a fault ---- */

static const struct trn_ops *true_ops;

static enum snap_status faulty_gelu_backward(struct trn_backend *backend, size_t n, const float *x,
                                             const float *dy, float *dx, struct snap_error *err)
{
    const enum snap_status status = true_ops->gelu_backward(backend, n, x, dy, dx, err);
    ((unsigned char *)dx)[4 * (n / 2)] ^= 1;
    return status;
}

static void a_fault_is_found(void **state)
{
    struct trace *right = calloc(2, sizeof(*right)), *wrong = right + 1;
    struct trn_ops ops;
    struct rig rig;
    size_t first = 0;
    (void)state;
    rig_ready_kind(&rig, RIG_SEQUENCES, NULL, 2, 2, &rig_optimizers[3]);
    begin(&rig, right);
    rig_pass(&rig, 1, RIG_BATCH);
    trn_op_trace_end(rig.backend);
    true_ops = rig.backend->ops;
    ops = *true_ops;
    ops.gelu_backward = faulty_gelu_backward;
    rig.backend->ops = &ops;
    begin(&rig, wrong);
    rig_pass(&rig, 1, RIG_BATCH);
    trn_op_trace_end(rig.backend);
    assert_int_equal(right->count, wrong->count);
    while (first < right->count && memcmp(right->list[first].sha256, wrong->list[first].sha256,
                                          SNAP_DIGEST_BYTES) == 0) {
        first++;
    }
    assert_int_equal(first, find(right, "gelu_backward", "dx", "backward", "h.0.mlp.gelu", 0));
    rig_dismantle(&rig);
    free(right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_bit_changes),
        cmocka_unit_test(no_operator_is_left_out),
        cmocka_unit_test(outputs_are_told),
        cmocka_unit_test(what_is_not_finite_is_counted),
        cmocka_unit_test(an_observer_can_end_the_step),
        cmocka_unit_test(a_fault_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
