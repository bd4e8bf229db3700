/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in the memory of a device: the same archives as of host memory, whatever the order in
 * which copies and steps come; back into the device; and no byte of it touched that is not ours. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_device.h"
#include "run/run_internal.h"
#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* ---- a training whose state is in one piece of memory, of the host or of a device ---- */

struct state {
    float weight[6];
    float gaps[8]; /* every second element is registered: 1, 3, 5 and 7 are somebody else's */
    float running[2];
    double moment[6];
};

struct training {
    struct state *state;
    bool on_device;
    const char *profile;
    int64_t seen;
    int stream; /* whose address names a stream */
    struct snap_run *run;
};

static void begin_kernel(const struct training *training)
{
    if (training->on_device)
        fake_kernel_begin();
}

static void end_kernel(const struct training *training)
{
    if (training->on_device)
        fake_kernel_end();
}

static void add(struct training *training, const char *root, const char *name, void *data,
                enum snap_dtype dtype, size_t ndim, const uint64_t *shape, const uint64_t *strides,
                bool changes)
{
    struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
    tensor.root = root;
    tensor.name = name;
    tensor.data = data;
    tensor.device.kind = training->on_device ? SNAP_DEVICE_CUDA : SNAP_DEVICE_CPU;
    tensor.dtype = dtype;
    tensor.ndim = ndim;
    tensor.shape = shape;
    tensor.strides = strides;
    tensor.changes_in_forward = changes;
    CHECK_OK(snap_run_add_tensor(training->run, &tensor, &err));
}

static void open_in(struct training *training, const char *dir, const char *archive)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct state *state = training->state;
    options.dir = dir;
    options.archive = archive;
    options.profile = training->profile;
    options.state_every = 1;
    CHECK_OK(snap_run_open(&options, &training->run, &err));
    add(training, "model", "weight", state->weight, SNAP_F32, 2, (uint64_t[]){ 2, 3 }, NULL, false);
    add(training, "model", "tied", state->weight, SNAP_F32, 2, (uint64_t[]){ 3, 2 },
        (uint64_t[]){ 1, 3 }, false);
    add(training, "model", "gaps", state->gaps, SNAP_F32, 1, (uint64_t[]){ 4 }, (uint64_t[]){ 2 },
        false);
    add(training, "model", "running", state->running, SNAP_F32, 1, (uint64_t[]){ 2 }, NULL, true);
    add(training, "model", "empty", NULL, SNAP_F32, 1, (uint64_t[]){ 0 }, NULL, false);
    add(training, "optimizer", "moment", state->moment, SNAP_F64, 1, (uint64_t[]){ 6 }, NULL,
        false);
    CHECK_OK(snap_run_add_scalar(training->run, "scheduler", "seen", SNAP_VALUE_INT64,
                                 &training->seen, &err));
}

static void make(struct training *training, bool on_device)
{
    *training = (struct training){ .on_device = on_device, .profile = "portable-1" };
    training->state = on_device ? fake_device_memory(sizeof *training->state)
                                : calloc(1, sizeof *training->state);
    begin_kernel(training);
    for (int i = 0; i < 6; i++)
        training->state->weight[i] = 0.5f * (float)i;
    for (int i = 0; i < 8; i++)
        training->state->gaps[i] = (float)i;
    end_kernel(training);
    (void)fake_device_counts();
}

static void forget(struct training *training)
{
    if (training->on_device)
        fake_device_free();
    else
        free(training->state);
}

static void forward(struct training *training)
{
    CHECK_OK(snap_run_begin_step(training->run, &err));
    begin_kernel(training);
    training->state->running[0] += 1;
    end_kernel(training);
}

static void update(struct training *training)
{
    struct state *state = training->state;
    struct snap_step_record record = SNAP_STEP_RECORD_INIT;
    CHECK_OK(snap_run_before_update(training->run, &training->stream, &err));
    begin_kernel(training);
    for (int i = 0; i < 6; i++) {
        state->moment[i] = 0.5 * state->moment[i] + i;
        state->weight[i] -= 0.25f * (float)state->moment[i];
    }
    state->gaps[2] += 1;
    end_kernel(training);
    training->seen++;
    record.step = snap_run_steps_done(training->run) + 1;
    CHECK_OK(snap_run_step(training->run, &record, &err));
}

static void train(struct training *training, uint64_t steps, uint64_t every)
{
    while (snap_run_steps_done(training->run) < steps) {
        forward(training);
        update(training);
        uint64_t step = snap_run_steps_done(training->run);
        if (step % every == 0)
            CHECK_OK(snap_run_capture(training->run, step, &training->stream, NULL, &err));
    }
}

/* Steps 1 to 5, saved after 2 and 4, in the host's memory. */
static char *reference(struct state *last)
{
    struct training training;
    char *dir = toy_folder();
    make(&training, false);
    open_in(&training, dir, NULL);
    CHECK_FAILS(SNAP_NOT_FOUND, "",
                snap_run_restore(training.run, SNAP_TIER_EXACT, NULL, NULL, &err));
    train(&training, 5, 2);
    CHECK_OK(snap_run_close(training.run, &err));
    *last = *training.state;
    forget(&training);
    return dir;
}

static void check_same(const char *left, const char *right)
{
    assert_true(toy_same_files(toy_snapshot(left, 2), toy_snapshot(right, 2)));
    assert_true(toy_same_files(toy_snapshot(left, 4), toy_snapshot(right, 4)));
    assert_true(toy_same_files(toy_path(left, "ledger.jsonl"), toy_path(right, "ledger.jsonl")));
}

static void drop(char *dir)
{
    toy_remove(dir);
    free(dir);
}

/* ---- tests ---- */

static void test_same_archives(void **state)
{
    (void)state;
    struct training training;
    struct state last;
    char *plain = reference(&last);
    char *dir = toy_folder();
    make(&training, true);
    open_in(&training, dir, NULL);
    CHECK_FAILS(SNAP_NOT_FOUND, "",
                snap_run_restore(training.run, SNAP_TIER_EXACT, NULL, NULL, &err));
    train(&training, 5, 2);
    struct fake_counts counts = fake_device_counts();
    /* Weight and moment, twice: gaps are gathered, and the forward pass changes `running`. */
    assert_int_equal(counts.behind, 4);
    /* Weight, running and moment, of the genesis and of each step. */
    assert_int_equal(counts.digested, 3 * 6);
    assert_true(counts.pinned > 0);
    assert_ptr_equal(counts.stream, &training.stream);
    CHECK_OK(snap_run_close(training.run, &err));
    assert_int_equal(fake_device_counts().pinned, 0);
    fake_kernel_begin();
    assert_memory_equal(training.state, &last, sizeof last);
    fake_kernel_end();
    forget(&training);
    check_same(plain, dir);
    drop(plain);
    drop(dir);
}

/* On the device again, after other values were there. */
static void test_restore(void **state)
{
    (void)state;
    struct training training;
    struct state last;
    char *dir = reference(&last);
    make(&training, true);
    fake_kernel_begin();
    memset(training.state, 0x7f, sizeof *training.state);
    for (int i = 1; i < 8; i += 2)
        training.state->gaps[i] = (float)i;
    fake_kernel_end();
    open_in(&training, dir, NULL);
    struct snap_receipt *receipt;
    CHECK_OK(snap_run_restore(training.run, SNAP_TIER_EXACT, &training.stream, &receipt, &err));
    snap_receipt_free(receipt);
    struct fake_counts counts = fake_device_counts();
    assert_int_equal(counts.to_device, 4);
    assert_ptr_equal(counts.stream, &training.stream);
    assert_int_equal(snap_run_steps_done(training.run), 4);
    train(&training, 5, 10); /* the line of step 5 is expected */
    CHECK_OK(snap_run_close(training.run, &err));
    fake_kernel_begin();
    assert_memory_equal(training.state, &last, sizeof last); /* and what lies in the gaps */
    fake_kernel_end();
    forget(&training);
    drop(dir);
}

/* Device memory that does not keep what was written. */
static void test_read_back(void **state)
{
    (void)state;
    struct training training;
    struct state last;
    char *dir = reference(&last);
    make(&training, true);
    open_in(&training, dir, NULL);
    fake_flip = true;
    CHECK_FAILS(SNAP_CORRUPT, "unusable",
                snap_run_restore(training.run, SNAP_TIER_EXACT, NULL, NULL, &err));
    fake_flip = false;
    CHECK_OK(snap_run_close(training.run, &err));
    forget(&training);
    drop(dir);
}

static void test_failures(void **state)
{
    (void)state;
    struct training training;
    struct state last;
    char *plain = reference(&last);
    char *dir = toy_folder();
    struct snap_ticket *ticket;
    struct snap_step_record record = SNAP_STEP_RECORD_INIT;
    make(&training, true);
    open_in(&training, plain, NULL);
    fake_fail_to_device = true;
    CHECK_FAILS(SNAP_IO, "fell off; memory is unusable",
                snap_run_restore(training.run, SNAP_TIER_EXACT, NULL, NULL, &err));
    fake_fail_to_device = false;
    CHECK_OK(snap_run_close(training.run, &err));
    forget(&training);
    make(&training, true);
    open_in(&training, dir, NULL);
    CHECK_FAILS(SNAP_NOT_FOUND, "",
                snap_run_restore(training.run, SNAP_TIER_EXACT, NULL, NULL, &err));
    forward(&training);
    fake_fail_digests = true;
    record.step = 1;
    CHECK_OK(snap_run_before_update(training.run, &training.stream, &err));
    CHECK_FAILS(SNAP_IO, "digest of the state: it fell off",
                snap_run_step(training.run, &record, &err));
    fake_fail_digests = false;
    CHECK_OK(snap_run_step(training.run, &record, &err));
    fake_fail_to_host = true;
    CHECK_FAILS(SNAP_IO, "fell off", snap_run_capture(training.run, 1, NULL, &ticket, &err));
    fake_fail_to_host = false;
    CHECK_OK(snap_run_capture(training.run, 1, NULL, &ticket, &err));
    CHECK_OK(snap_run_wait(training.run, ticket, NULL, &err));
    CHECK_OK(snap_run_close(training.run, &err));
    forget(&training);
    drop(plain);
    drop(dir);
}

/* Under a profile that is bound to its device, the state says where it was. */
static void test_kind_of_device(void **state)
{
    (void)state;
    struct training training;
    char *dir = toy_folder();
    make(&training, true);
    training.profile = "host-1";
    open_in(&training, dir, NULL);
    CHECK_FAILS(SNAP_NOT_FOUND, "",
                snap_run_restore(training.run, SNAP_TIER_EXACT, NULL, NULL, &err));
    train(&training, 2, 2);
    CHECK_OK(snap_run_close(training.run, &err));
    forget(&training);
    make(&training, false);
    training.profile = "host-1";
    open_in(&training, NULL, toy_snapshot(dir, 2));
    CHECK_FAILS(SNAP_ABSENT, "only tier weights",
                snap_run_restore(training.run, SNAP_TIER_EXACT, NULL, NULL, &err));
    CHECK_OK(snap_run_restore(training.run, SNAP_TIER_WEIGHTS, NULL, NULL, &err));
    assert_true(training.state->running[0] == 2);
    CHECK_OK(snap_run_close(training.run, &err));
    forget(&training);
    drop(dir);
}

/* Weights alone, from host memory to a device. */
static void test_weights(void **state)
{
    (void)state;
    struct training training;
    struct state last;
    char *dir = reference(&last);
    make(&training, true);
    training.profile = "none";
    open_in(&training, NULL, toy_snapshot(dir, 4));
    CHECK_OK(snap_run_restore(training.run, SNAP_TIER_WEIGHTS, NULL, NULL, &err));
    fake_kernel_begin();
    assert_true(training.state->running[0] == 4);
    assert_true(training.state->gaps[3] == 3);
    fake_kernel_end();
    CHECK_OK(snap_run_close(training.run, &err));
    forget(&training);
    drop(dir);
}

static void test_no_such_device(void **state)
{
    (void)state;
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
    struct snap_run *run;
    float value = 0;
    CHECK_OK(snap_run_open(&options, &run, &err));
    tensor.root = "model";
    tensor.name = "w";
    tensor.data = &value;
    tensor.dtype = SNAP_F32;
    tensor.device = (struct snap_device){ SNAP_DEVICE_CUDA, 7 };
    CHECK_FAILS(SNAP_UNSUPPORTED, "tensor model/w: register: device cuda:7",
                snap_run_add_tensor(run, &tensor, &err));
    CHECK_OK(snap_run_close(run, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_archives), cmocka_unit_test(test_restore),
        cmocka_unit_test(test_read_back),     cmocka_unit_test(test_failures),
        cmocka_unit_test(test_kind_of_device), cmocka_unit_test(test_weights),
        cmocka_unit_test(test_no_such_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
