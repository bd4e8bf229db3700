/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of device_cuda.c that leave the device by a copy within it: on a CUDA runtime that is made
 * of the CPU, whose streams work as late as they may. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include "cuda_on_cpu.h"
#include "device/device_ops.h"
#include "device_copies_test.h"
#include "toy_run.h"
#include "unit_check.h"

#define BYTES ((size_t)20000)
/* What the three tensors take of the device, each a multiple of 256. */
#define ROOM_BYTES ((size_t)(2 * 20224 + 5120))

static struct snap_error err = SNAP_ERROR_INIT;
static char *expected; /* the folder of the same in host memory */

static int make_expected(void **state)
{
    (void)state;
    expected = copied_run_two_steps(BYTES, true, NULL);
    cuda_on_cpu.late = true;
    return 0;
}

static int drop_expected(void **state)
{
    (void)state;
    toy_remove(expected);
    free(expected);
    return 0;
}

static void drop(char *dir)
{
    toy_remove(dir);
    free(dir);
}

/* Is the first copy within the device, for this option and so much free memory? Either way the
 * archive is of the tensors as they were captured, though they change as soon as they may. */
static bool goes_within(const char *device_copy, size_t available)
{
    struct copied_run training = { .bytes = BYTES };
    char *dir = toy_folder();
    cuda_on_cpu.available = available;
    CHECK_OK(copied_run_open(&training, dir, device_copy, &err));
    CHECK_OK(copied_run_forward(&training, &err));
    CHECK_OK(copied_run_update(&training, &err));
    cuda_on_cpu_hold(true); /* the save waits in vain for its copies */
    CHECK_OK(copied_run_capture(&training, &err));
    const size_t pooled = cuda_on_cpu.pooled;
    const bool within = pooled > 0;
    CHECK_OK(copied_run_forward(&training, &err));
    const long before = cuda_on_cpu.copied[cudaMemcpyDeviceToHost];
    CHECK_OK(copied_run_update(&training, &err));
    assert_int_equal(cudaStreamSynchronize(training.stream), cudaSuccess);
    assert_int_equal(training.memory[0], 16 + 2); /* the update was made */
    /* It waited until all were in host memory, or for none of that. */
    assert_int_equal(cuda_on_cpu.copied[cudaMemcpyDeviceToHost] - before, within ? 0 : 2);
    assert_int_equal(pooled, within ? ROOM_BYTES : 0);
    cuda_on_cpu_hold(false);
    CHECK_OK(copied_run_wait(&training, &err));
    assert_int_equal(cuda_on_cpu.pooled, 0); /* given back before the run ends */
    CHECK_OK(copied_run_close(&training, &err));
    assert_int_equal(cuda_on_cpu.held, 0);
    copied_run_check_same(expected, dir);
    drop(dir);
    return within;
}

static void within_where_room_is_plenty(void **state)
{
    (void)state;
    assert_true(goes_within(NULL, 5 * ROOM_BYTES));
    assert_false(goes_within(NULL, 5 * ROOM_BYTES - 1));
    assert_true(goes_within("plenty", 5 * ROOM_BYTES));
    assert_false(goes_within("plenty", 5 * ROOM_BYTES - 1));
}

static void always_and_never(void **state)
{
    (void)state;
    assert_true(goes_within("always", ROOM_BYTES));
    assert_false(goes_within("always", ROOM_BYTES - 1)); /* the device does not give it */
    assert_false(goes_within("never", 100 * ROOM_BYTES));
}

static void the_environment_is_asked_where_no_option_is_given(void **state)
{
    (void)state;
    assert_int_equal(setenv("SNAP_DEVICE_COPY", "never", 1), 0);
    assert_false(goes_within(NULL, 100 * ROOM_BYTES));
    assert_true(goes_within("plenty", 100 * ROOM_BYTES));
    assert_int_equal(setenv("SNAP_DEVICE_COPY", "always", 1), 0);
    assert_true(goes_within(NULL, ROOM_BYTES));
    assert_int_equal(setenv("SNAP_DEVICE_COPY", "often", 1), 0);
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run;
    CHECK_FAILS(SNAP_INVALID, "SNAP_DEVICE_COPY \"often\": expected \"plenty\"",
                snap_run_open(&options, &run, &err));
    assert_int_equal(unsetenv("SNAP_DEVICE_COPY"), 0);
    options.device_copy = "";
    CHECK_FAILS(SNAP_INVALID, "device_copy \"\": expected", snap_run_open(&options, &run, &err));
}

/* A loop's own copies to the host do not come behind the whole state. */
static void what_leaves_leaves_room_for_others(void **state)
{
    const size_t turn = (size_t)4 << 20, sizes[] = { turn / 2, turn, 4 * turn + 4096 };
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        cuda_on_cpu.late = false;
        char *same = copied_run_two_steps(sizes[i], true, NULL);
        cuda_on_cpu.late = true;
        cuda_on_cpu.available = (size_t)1 << 30;
        cuda_on_cpu.most_leaving = 0;
        char *dir = copied_run_two_steps(sizes[i], false, "always");
        assert_int_equal(cuda_on_cpu.leaving, 0);
        /* Beside it, the loop reads what a digest is made of. */
        const size_t most = sizes[i] < turn ? 2 * sizes[i] + sizes[i] / 4 : 2 * turn;
        assert_in_range(cuda_on_cpu.most_leaving, most, most + turn / 4);
        copied_run_check_same(same, dir);
        drop(same);
        drop(dir);
    }
}

#define PIECES 200
#define PIECE_BYTES SNAP_DEVICE_ALIGN

/* Copies of many small pieces, from the memory of a device. */
struct small_pieces {
    void *device, *host;
    cudaStream_t stream;
    struct snap_device_copies *copies;
};

static void add_small_pieces(struct small_pieces *pieces)
{
    const struct snap_device_ops *ops = snap_device_cuda();
    const struct snap_device_room room = { SNAP_DEVICE_FIRST_ALWAYS, PIECES * PIECE_BYTES };
    pieces->host = calloc(PIECES, PIECE_BYTES);
    assert_non_null(pieces->host);
    assert_int_equal(cudaMalloc(&pieces->device, PIECES * PIECE_BYTES), cudaSuccess);
    assert_int_equal(cudaStreamCreateWithFlags(&pieces->stream, cudaStreamNonBlocking),
                     cudaSuccess);
    for (size_t i = 0; i < PIECES * PIECE_BYTES; i++)
        ((unsigned char *)pieces->device)[i] = (unsigned char)(i * 7 + i / PIECE_BYTES);
    CHECK_OK(ops->copies_new(0, &room, pieces->stream, &pieces->copies, &err));
    for (size_t i = 0; i < PIECES * PIECE_BYTES; i += PIECE_BYTES)
        CHECK_OK(ops->copies_add(pieces->copies, (unsigned char *)pieces->host + i,
                                 (unsigned char *)pieces->device + i, PIECE_BYTES, false, &err));
    CHECK_OK(ops->copies_close(pieces->copies, &err));
}

static void drop_small_pieces(struct small_pieces *pieces)
{
    snap_device_cuda()->copies_free(pieces->copies);
    (void)cudaStreamDestroy(pieces->stream);
    (void)cudaFree(pieces->device);
    free(pieces->host);
    assert_int_equal(cuda_on_cpu.held, 0);
    assert_int_equal(cuda_on_cpu.pooled, 0);
}

static void *wait_for_small_pieces(void *arg)
{
    const struct small_pieces *pieces = arg;
    struct snap_error late = SNAP_ERROR_INIT;
    const bool right = snap_device_cuda()->copies_wait(pieces->copies, &late) == SNAP_OK &&
                       memcmp(pieces->host, pieces->device, PIECES * PIECE_BYTES) == 0;
    return right ? arg : NULL;
}

/* A turn is of 64 copies at most. Whoever waits finds all of them in host memory. */
static void two_wait_for_many_small_pieces(void **state)
{
    struct small_pieces pieces;
    pthread_t waiters[2];
    (void)state;
    cuda_on_cpu.available = (size_t)1 << 30;
    cuda_on_cpu.most_leaving = 0;
    add_small_pieces(&pieces);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&waiters[i], NULL, wait_for_small_pieces, &pieces), 0);
    for (int i = 0; i < 2; i++) {
        void *right = NULL;
        assert_int_equal(pthread_join(waiters[i], &right), 0);
        assert_ptr_equal(right, &pieces);
    }
    assert_int_equal(cuda_on_cpu.most_leaving, 2 * 64 * PIECE_BYTES);
    drop_small_pieces(&pieces);
}

/* Every call that a wait makes fails in turn: all who wait are told. */
static void who_waits_later_is_told_of_a_failure_too(void **state)
{
    long told = 0;
    (void)state;
    cuda_on_cpu.available = (size_t)1 << 30;
    for (bool reached = true; reached; told++) {
        struct small_pieces pieces;
        add_small_pieces(&pieces);
        cuda_on_cpu.calls = 0;
        cuda_on_cpu.fail_at = told + 1;
        const enum snap_status first = snap_device_cuda()->copies_wait(pieces.copies, &err);
        reached = cuda_on_cpu.calls >= told + 1;
        cuda_on_cpu.fail_at = 0;
        assert_int_equal(first, reached ? SNAP_IO : SNAP_OK);
        if (reached)
            assert_true(strncmp(err.text, "device cuda:0: ", 15) == 0);
        /* Those who came before any copy was asked for, or after all were made, lose nothing. */
        if (snap_device_cuda()->copies_wait(pieces.copies, &err) == SNAP_OK)
            assert_memory_equal(pieces.host, pieces.device, PIECES * PIECE_BYTES);
        drop_small_pieces(&pieces);
    }
    assert_true(told > PIECES);
}

/* A copy within the device that fails when it is made, long after it was asked for. */
static void a_copy_that_fails_late_fails_the_save(void **state)
{
    struct copied_run training = { .bytes = BYTES };
    (void)state;
    for (long copy = 1; copy <= 3; copy++) {
        char *dir = toy_folder();
        cuda_on_cpu.available = 5 * ROOM_BYTES;
        CHECK_OK(copied_run_open(&training, dir, NULL, &err));
        CHECK_OK(copied_run_forward(&training, &err));
        CHECK_OK(copied_run_update(&training, &err));
        cuda_on_cpu.break_at = cuda_on_cpu.copied[cudaMemcpyDeviceToDevice] + copy;
        CHECK_OK(copied_run_capture(&training, &err));
        CHECK_FAILS(SNAP_IO, "device cuda:0: wait for copies: an illegal memory access",
                    copied_run_wait(&training, &err));
        cuda_on_cpu.break_at = 0;
        cuda_on_cpu.broken = false;
        assert_null(toy_read(toy_snapshot(dir, 1), NULL));
        CHECK_OK(copied_run_close(&training, &err));
        assert_int_equal(cuda_on_cpu.held, 0);
        drop(dir);
    }
}

/* Two steps and a save, with the call of the runtime of number `fail_at`, from the capture on,
 * failing; *calls is how many there were. */
static enum snap_status try_all(const char *dir, size_t bytes, long fail_at, long *calls)
{
    struct copied_run training = { .bytes = bytes };
    CHECK_OK(copied_run_open(&training, dir, NULL, &err));
    CHECK_OK(copied_run_forward(&training, &err));
    CHECK_OK(copied_run_update(&training, &err));
    cuda_on_cpu.calls = 0;
    cuda_on_cpu.fail_at = fail_at;
    enum snap_status status = copied_run_capture(&training, &err);
    if (status == SNAP_OK)
        status = copied_run_forward(&training, &err);
    if (status == SNAP_OK)
        status = copied_run_update(&training, &err);
    struct snap_error late = SNAP_ERROR_INIT;
    enum snap_status saved = SNAP_OK;
    if (training.ticket != NULL)
        saved = copied_run_wait(&training, &late);
    *calls = cuda_on_cpu.calls;
    cuda_on_cpu.fail_at = 0;
    if (status == SNAP_OK && saved != SNAP_OK) {
        status = saved;
        err = late;
    }
    (void)copied_run_close(&training, NULL);
    return status;
}

static void every_call_fails(size_t bytes, const char *same)
{
    long calls = 0, told = 0, right = 0;
    cuda_on_cpu.available = 12 * bytes;
    char *dir = toy_folder();
    CHECK_OK(try_all(dir, bytes, 0, &calls));
    copied_run_check_same(same, dir);
    drop(dir);
    assert_true(calls > 20);
    for (long fail_at = 1, made; fail_at <= calls; fail_at++) {
        dir = toy_folder();
        err = (struct snap_error)SNAP_ERROR_INIT;
        if (try_all(dir, bytes, fail_at, &made) == SNAP_OK) {
            copied_run_check_same(same, dir); /* it went straight, or unpinned */
            right++;
        } else {
            assert_true(strncmp(err.text, "device cuda:0: ", 15) == 0);
            told++;
        }
        assert_int_equal(cuda_on_cpu.held, 0);
        assert_int_equal(cuda_on_cpu.pooled, 0);
        drop(dir);
    }
    assert_true(told > right);
    assert_true(right >= 2);
}

static void every_call_that_fails_is_told_and_nothing_is_held(void **state)
{
    const size_t turn = (size_t)4 << 20; /* of 9 MiB, two turns and some */
    (void)state;
    every_call_fails(BYTES, expected);
    cuda_on_cpu.late = false;
    char *same = copied_run_two_steps(turn, true, NULL);
    cuda_on_cpu.late = true;
    every_call_fails(turn, same);
    drop(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(within_where_room_is_plenty),
        cmocka_unit_test(always_and_never),
        cmocka_unit_test(the_environment_is_asked_where_no_option_is_given),
        cmocka_unit_test(what_leaves_leaves_room_for_others),
        cmocka_unit_test(two_wait_for_many_small_pieces),
        cmocka_unit_test(who_waits_later_is_told_of_a_failure_too),
        cmocka_unit_test(a_copy_that_fails_late_fails_the_save),
        cmocka_unit_test(every_call_that_fails_is_told_and_nothing_is_held),
    };
    return cmocka_run_group_tests(tests, make_expected, drop_expected);
}
