/* SPDX-License-Identifier: Apache-2.0 */
/* The profile cudnn-1 with cuDNN and cuBLAS made of the CPU (tests/support/cudnn_on_cpu): trainings
 * that are stopped and killed and go on, operators, the generator of the dropout, and what failing
 * libraries leave behind. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cudnn_device_test.h"
#include "cudnn_rig.h"
#include "session/train_loop.h"
#include "session/training.h"

static void twice_is_the_same(void **state)
{
    struct trn_result again = TRN_RESULT_INIT;
    (void)state;
    cudnn_rig_run("cnn", "again", STEPS, &again);
    cudnn_rig_assert_same(&again, &cudnn_rig_undisturbed);
    assert_int_equal(again.total_steps, STEPS);
    assert_true(again.has_evaluation);
    assert_int_equal(cudnn_on_cpu.free_products, 0);
    assert_int_equal(cudnn_on_cpu.seeded, 1);
    trn_result_release(&again);
}

/* cuDNN rounds to TF32 unless it is told not to; cuBLAS where it is told to. */
static void tf32_is_off_unless_asked_for(void **state)
{
    struct trn_result result = TRN_RESULT_INIT;
    (void)state;
    cudnn_rig_run("cnn", "exact-math", 1, &result);
    assert_int_equal(cudnn_on_cpu.tf32, 0);
    trn_result_release(&result);
    cudnn_rig_run("rounded", "rounded", STEPS, &result);
    assert_true(cudnn_on_cpu.tf32 > STEPS);
    assert_string_not_equal(result.state_hash, cudnn_rig_undisturbed.state_hash);
    trn_result_release(&result);
}

static void stopped_at_every_step(void **state)
{
    struct trn_result result = TRN_RESULT_INIT;
    (void)state;
    cudnn_rig_run("cnn", "stopped", 1, &result);
    for (uint64_t step = 2; step <= STEPS; step++) {
        trn_result_release(&result);
        cudnn_rig_go_on("stopped", step, &result);
    }
    cudnn_rig_assert_same(&result, &cudnn_rig_undisturbed);
    assert_int_equal(cudnn_on_cpu.seeded, STEPS);
    assert_true(cudnn_on_cpu.restored > STEPS);
    trn_result_release(&result);
}

static void die_at(void *arg, uint64_t step, const char *hash, const char *path)
{
    (void)hash;
    (void)path;
    if (step == *(const uint64_t *)arg) {
        raise(SIGKILL);
    }
}

static void killed_at_every_step(void **state)
{
    (void)state;
    for (uint64_t step = 1; step < STEPS; step++) {
        char dir[40];
        int status = 0;
        struct trn_result result = TRN_RESULT_INIT;
        const struct trn_listener listener = { .arg = &step, .saved = die_at };
        snprintf(dir, sizeof(dir), "killed-%d", (int)step);
        const pid_t child = fork();
        if (child == 0) {
            cudnn_rig_try_run("cnn", dir, STEPS, &listener, &result, NULL);
            _exit(0);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        cudnn_rig_go_on(dir, STEPS, &result);
        assert_true(result.first_step >= step && result.first_step < STEPS);
        cudnn_rig_assert_same(&result, &cudnn_rig_undisturbed);
        trn_result_release(&result);
    }
}

/* ---- operators, and the generator ---- */

static void operators_of_whole_numbers_are_exact(void **state)
{
    (void)state;
    cudnn_test_operators();
    assert_int_equal(cudnn_on_cpu.free_products, 0);
}

static struct trn_training *new_training(void)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_training_options options = { .expected = NULL };
    struct trn_training *training = NULL;
    struct trn_config config;
    assert_int_equal(trn_config_load("cnn.json", NULL, &config, &err), SNAP_OK);
    if (trn_training_new(&config, &options, &training, &err) != SNAP_OK) {
        fail_msg("%s", err.text);
    }
    return training;
}

static void the_generator_goes_round(void **state)
{
    (void)state;
    cudnn_test_generator();
}

/* A restore whose generator is changed afterwards is found at the first step. */
static void a_generator_that_moved_is_told(void **state)
{
    struct snap_run_options opening = SNAP_RUN_OPTIONS_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_training *t = new_training();
    struct trn_backend *backend = t->backend;
    struct trn_step step;
    unsigned char *bytes = NULL;
    void *got = NULL;
    size_t size = 0;
    (void)state;
    opening.archive = "undisturbed/snapshots/step-0000000003.snap.tar";
    assert_int_equal(trn_training_open_run(t, &opening, &err), SNAP_OK);
    assert_int_equal(trn_training_restore(t, SNAP_TIER_EXACT, NULL, &err), SNAP_OK);
    assert_int_equal(backend->ops->dropout_stream->get(backend, &got, &size, &err), SNAP_OK);
    bytes = got;
    bytes[5] ^= 1;
    assert_int_equal(backend->ops->dropout_stream->set(backend, bytes, size, &err), SNAP_OK);
    assert_int_equal(trn_train_step(t, &step, &err), SNAP_DIFFERS);
    assert_non_null(strstr(err.text, "stream device"));
    free(got);
    assert_int_equal(trn_training_free(t, NULL), SNAP_OK);
}

/* ---- what cannot be ---- */

static void what_is_missing_is_told(void **state)
{
    struct trn_run_options options = TRN_RUN_OPTIONS_INIT;
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    options.config = "cnn.json";
    options.dir = "missing";
    options.device = "cpu";
    assert_int_equal(trn_run(&options, &result, &err), SNAP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "profile cudnn-1: it needs a CUDA device, and the device is "
                                     "\"cpu\""));
    trn_result_release(&result);
    options.device = "cuda:0";
    cudnn_on_cpu.missing = "cuDNN";
    assert_int_equal(trn_run(&options, &result, &err), SNAP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "cuDNN cannot be loaded"));
    trn_result_release(&result);
}

/* Both kinds of calls, each in its turn. */
static void every_failure_is_told_and_nothing_is_held(void **state)
{
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        long *calls = kind == 0 ? &cudnn_on_cpu.calls : &cuda_on_cpu.calls;
        long *fail_at = kind == 0 ? &cudnn_on_cpu.fail_at : &cuda_on_cpu.fail_at;
        long last = 0;
        for (long at = 0; at <= last; at += at < 70 ? 1 : 41) { /* 0: none fails */
            struct trn_result result = TRN_RESULT_INIT;
            assert_int_equal(system("rm -rf failing"), 0);
            *calls = 0;
            *fail_at = at;
            const enum snap_status status =
                cudnn_rig_try_run("cnn", "failing", 2, NULL, &result, &err);
            *fail_at = 0;
            last = at == 0 ? *calls : last;
            assert_true(status == SNAP_OK || err.text[0] != '\0');
            if (status == SNAP_OK && kind == 0 && at != 0) { /* only closing may fail unheard */
                assert_true(at > last - 5);
            }
            assert_int_equal(cudnn_on_cpu.held, 0);
            assert_int_equal(cuda_on_cpu.held, 0);
            trn_result_release(&result);
        }
        assert_true(last > 100);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cudnn_rig_begin, cudnn_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(twice_is_the_same),
        TEST(tf32_is_off_unless_asked_for),
        TEST(stopped_at_every_step),
        TEST(killed_at_every_step),
        TEST(operators_of_whole_numbers_are_exact),
        TEST(the_generator_goes_round),
        TEST(a_generator_that_moved_is_told),
        TEST(what_is_missing_is_told),
        TEST(every_failure_is_told_and_nothing_is_held),
    };
    return cmocka_run_group_tests(tests, cudnn_rig_begin_all, cudnn_rig_end_all);
}
