/* SPDX-License-Identifier: Apache-2.0 */
/* What the binding of cudnn-1 refuses, and that a convolution's algorithm is chosen once: with
 * cuDNN and cuBLAS made of the CPU (tests/support/cudnn_on_cpu). */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cudnn_rig.h"

#define NEW cudnn_rig_libraries

static void other_cudnn(bool on) { cudnn_on_cpu.version = on ? 92000 : NEW.version; }
static void other_cudnn_runtime(bool on) { cudnn_on_cpu.runtime = on ? 12090 : NEW.runtime; }
static void other_cublas(bool on)
{
    cudnn_on_cpu.cublas_version = on ? 130200 : NEW.cublas_version;
}
static void other_workspace(bool on) { cudnn_on_cpu.workspace = on ? 44 : NEW.workspace; }
static void other_states(bool on) { cudnn_on_cpu.states = on ? 70 : NEW.states; }
static void other_runtime(bool on) { cuda_on_cpu.runtime = on ? 13010 : 13000; }
static void other_driver_cuda(bool on) { cuda_on_cpu.driver = on ? 13010 : 13000; }
static void other_driver(bool on)
{
    cudnn_rig_write_file("driver-version", on ? "590.10\n" : "580.65.06\n");
}
static void other_gpu(bool on) { cuda_on_cpu.name = on ? "Another" : "Device of a CPU"; }
static void other_capability(bool on) { cuda_on_cpu.major = on ? 10 : 9; }
static void other_processors(bool on) { cuda_on_cpu.processors = on ? 5 : 4; }
static void variable(const char *name, bool on)
{
    assert_int_equal(on ? setenv(name, "1", 1) : unsetenv(name), 0);
}
static void other_tf32(bool on) { variable("NVIDIA_TF32_OVERRIDE", on); }
static void other_cublas_variable(bool on) { variable("CUBLAS_WORKSPACE_CONFIG", on); }
static void other_cudnn_variable(bool on) { variable("CUDNN_SOMETHING", on); }

static const struct {
    void (*change)(bool on);
    const char *told;
} facts[] = {
    { other_cudnn, "cudnn is 91900 in the archive, and 92000 here" },
    { other_cudnn_runtime, "cudnn_runtime is 13000 in the archive, and 12090 here" },
    { other_cublas, "cublas is 130100 in the archive, and 130200 here" },
    { other_workspace, "algorithms.conv1.forward.workspace_bytes is 5200 in the archive, and 5720 "
                       "here" },
    { other_states, "dropout_states_bytes is 536 in the archive, and 560 here" },
    { other_runtime, "cuda_runtime is 13000 in the archive, and 13010 here" },
    { other_driver_cuda, "driver_cuda is 13000 in the archive, and 13010 here" },
    { other_driver, "driver is 580.65.06 in the archive, and 590.10 here" },
    { other_gpu, "gpu is Device of a CPU in the archive, and Another here" },
    { other_capability, "compute_capability is 9.0 in the archive, and 10.0 here" },
    { other_processors, "multiprocessors is 4 in the archive, and 5 here" },
    { other_tf32, "environment.NVIDIA_TF32_OVERRIDE is absent in the archive, and 1 here" },
    { other_cublas_variable,
      "environment.CUBLAS_WORKSPACE_CONFIG is absent in the archive, and 1 here" },
    { other_cudnn_variable, "environment.CUDNN_SOMETHING is absent in the archive, and 1 here" },
};
#define FACTS (sizeof(facts) / sizeof(facts[0]))

/* A restore of `dir` is refused, and nothing of it changes; the receipt's table says `told`. */
static void assert_refused(const char *dir, const char *told)
{
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    const enum snap_status status =
        cudnn_rig_try_restore(dir, NULL, SNAP_TIER_EXACT, STEPS, &result, &err);
    if (status != SNAP_ABSENT) {
        fail_msg("status %d, and not ABSENT, where %s: %s", (int)status, told, err.text);
    }
    assert_non_null(result.receipt);
    assert_int_equal(snap_receipt_tier(result.receipt), SNAP_TIER_STREAMS);
    if (strstr(snap_receipt_table(result.receipt), told) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", told, snap_receipt_table(result.receipt));
    }
    assert_int_equal(result.step, 0);
    trn_result_release(&result);
}

static void a_fact_that_differs_refuses(void **state)
{
    struct trn_result result = TRN_RESULT_INIT;
    (void)state;
    cudnn_rig_run("cnn", "facts", 2, &result);
    trn_result_release(&result);
    for (size_t i = 0; i < FACTS; i++) {
        facts[i].change(true);
        assert_refused("facts", facts[i].told);
        facts[i].change(false);
    }
    for (size_t i = 0; i < FACTS; i++) {
        facts[i].change(true);
    }
    for (size_t i = 0; i < FACTS; i++) { /* all of them are told */
        assert_refused("facts", facts[i].told);
    }
    for (size_t i = 0; i < FACTS; i++) {
        facts[i].change(false);
    }
    variable("CUDNN_LOGLEVEL_DBG", true); /* changes no result */
    cudnn_rig_go_on("facts", STEPS, &result);
    variable("CUDNN_LOGLEVEL_DBG", false);
    cudnn_rig_assert_same(&result, &cudnn_rig_undisturbed);
    trn_result_release(&result);
}

/* A replay and `check` refuse as well; at a lower tier a new run begins. */
static void other_doors_refuse_too(void **state)
{
    static const char archive[] = "doors/snapshots/step-0000000002.snap.tar";
    struct trn_result result = TRN_RESULT_INIT;
    struct trn_replay_options replay = TRN_REPLAY_OPTIONS_INIT;
    struct trn_replay_result replayed = TRN_REPLAY_RESULT_INIT;
    struct trn_check_options checking = TRN_CHECK_OPTIONS_INIT;
    struct trn_check check = TRN_CHECK_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    cudnn_rig_run("cnn", "doors", STEPS, &result);
    trn_result_release(&result);
    replay.archive = archive;
    checking.target = archive;
    assert_int_equal(trn_replay(&replay, &replayed, &err), SNAP_OK);
    assert_int_equal(replayed.lines_compared, STEPS - 2);
    assert_int_equal(trn_check(&checking, &check, &err), SNAP_OK);
    other_cudnn(true);
    replayed = (struct trn_replay_result)TRN_REPLAY_RESULT_INIT;
    check = (struct trn_check)TRN_CHECK_INIT;
    assert_int_equal(trn_replay(&replay, &replayed, &err), SNAP_ABSENT);
    assert_non_null(strstr(err.text, "cudnn is 91900 in the archive, and 92000 here"));
    assert_int_equal(trn_check(&checking, &check, &err), SNAP_ABSENT);
    assert_int_equal(check.tier, SNAP_TIER_STREAMS);
    assert_non_null(strstr(check.why, "cudnn is 91900 in the archive, and 92000 here"));
    assert_int_equal(cudnn_rig_try_restore(archive, "lower", SNAP_TIER_STREAMS, STEPS, &result,
                                           &err), SNAP_OK);
    assert_int_equal(result.first_step, 2);
    trn_result_release(&result);
    other_cudnn(false);
}

/* Stretches of `dir` are made again; where this is another machine than the run's, the host part
 * of them is. */
static struct trn_stretches_result stretches(const char *dir, const char *device,
                                             enum snap_status expected)
{
    struct trn_stretches_options options = TRN_STRETCHES_OPTIONS_INIT;
    struct trn_stretches_result result = TRN_STRETCHES_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    options.dir = dir;
    options.count = 100;
    options.device = device;
    const enum snap_status status = trn_replay_stretches(&options, &result, &err);
    if (status != expected) {
        fail_msg("%s: status %d, and not %d: %s", dir, (int)status, (int)expected, err.text);
    }
    return result;
}

static void assert_host_part(const struct trn_stretches_result *result, const char *why)
{
    assert_true(result->host_part);
    if (strstr(result->why, why) == NULL) {
        fail_msg("\"%s\" is not in: %s", why, result->why);
    }
    for (size_t i = 0; i < result->count; i++) {
        assert_true(result->stretches[i].host_equal);
        assert_false(result->stretches[i].equal);
    }
    assert_int_equal(result->replayed, STEPS);
    assert_int_equal(result->steps, STEPS);
    assert_string_equal(result->last.run_hash, "");
    assert_int_equal(result->last.states_compared, 0);
}

/* Another machine proves the host part of each step, and measures the floats. */
static void another_machine_proves_the_host_part(void **state)
{
    struct trn_result made = TRN_RESULT_INIT;
    struct trn_stretches_result result;
    (void)state;
    cudnn_rig_run("cnn", "elsewhere", STEPS, &made);
    trn_result_release(&made);
    result = stretches("elsewhere", NULL, SNAP_OK);
    assert_false(result.host_part);
    assert_int_equal(result.deviation.lines, 0);
    trn_stretches_result_release(&result);
    /* Another GPU, which computes the same. */
    other_gpu(true);
    result = stretches("elsewhere", NULL, SNAP_OK);
    assert_host_part(&result, "float.binding.gpu: expected Device of a CPU, now Another");
    assert_int_equal(result.deviation.lines, STEPS + 1); /* and the genesis line */
    assert_int_equal(result.deviation.states, STEPS + 1);
    assert_int_equal(result.deviation.states_unequal, 0);
    assert_int_equal(result.deviation.numbers_unequal, 0);
    assert_string_equal(result.deviation.field, "");
    trn_stretches_result_release(&result);
    /* One without the algorithm that the run used. */
    cudnn_on_cpu.no_precomputed = true;
    result = stretches("elsewhere", NULL, SNAP_OK);
    assert_host_part(&result, "IMPLICIT_PRECOMP_GEMM, which is not supported here");
    assert_true(result.deviation.states_unequal > 0);
    assert_true(result.deviation.numbers_unequal > 0);
    assert_true(result.deviation.largest > 0 && result.deviation.largest < 1e-3);
    assert_true(result.deviation.recorded != result.deviation.now);
    trn_stretches_result_release(&result);
    other_gpu(false);
    cudnn_on_cpu = cudnn_rig_libraries;
}

/* Another rate in the ledger, and what follows from it: no other machine excuses that. */
static void a_false_host_part_is_found_elsewhere(void **state)
{
    struct trn_result made = TRN_RESULT_INIT;
    struct trn_stretches_result result;
    (void)state;
    cudnn_rig_run("cnn", "forged", STEPS, &made);
    trn_result_release(&made);
    assert_int_equal(system("rm -rf forged/snapshots forged/latest && "
                            "\"$PYTHON\" \"$top_srcdir/tests/cli/forge.py\" ledger "
                            "forged/ledger.jsonl 3 host.scalars.lr 3f800000"), 0);
    other_gpu(true);
    result = stretches("forged", NULL, SNAP_DIFFERS);
    assert_true(result.host_part);
    assert_int_equal(result.last.difference.step, 3);
    assert_string_equal(result.last.difference.kind, "schedule");
    assert_string_equal(result.last.difference.field, "host.scalars.lr");
    trn_stretches_result_release(&result);
    other_gpu(false);
}

/* Without any CUDA device the kernels of portable-1 stand in; cuDNN's generator of dropout has no
 * state there, and so what needs none is made again: from config, seeds and data. */
static void the_cpu_stands_in(void **state)
{
    struct trn_result made = TRN_RESULT_INIT;
    struct trn_stretches_result result;
    (void)state;
    cudnn_rig_run("cnn", "bare", STEPS, &made);
    trn_result_release(&made);
    assert_int_equal(system("rm -rf bare/snapshots bare/latest"), 0);
    result = stretches("bare", "cpu", SNAP_OK);
    assert_true(result.host_part);
    assert_non_null(strstr(result.why, "it needs a CUDA device"));
    assert_int_equal(result.steps, STEPS);
    assert_int_equal(result.deviation.lines, STEPS + 1);
    assert_true(result.deviation.states_unequal > 0);
    assert_true(result.deviation.largest > 0);
    trn_stretches_result_release(&result);
}

/* ---- algorithms ---- */

static void an_algorithm_is_chosen_once(void **state)
{
    struct trn_result whole = TRN_RESULT_INIT, result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    cudnn_on_cpu.no_precomputed = true;
    cudnn_rig_run("cnn", "implicit", STEPS, &whole);
    cudnn_rig_run("cnn", "implicit-stopped", 2, &result);
    trn_result_release(&result);
    assert_string_not_equal(whole.state_hash, cudnn_rig_undisturbed.state_hash);
    /* The better one is there now, and nobody asks. */
    cudnn_on_cpu = cudnn_rig_libraries;
    cudnn_rig_go_on("implicit-stopped", STEPS, &result);
    cudnn_rig_assert_same(&result, &whole);
    assert_int_equal(cudnn_on_cpu.asked_precomputed, 0);
    assert_true(cudnn_on_cpu.asked_implicit > 0);
    trn_result_release(&result);
    trn_result_release(&whole);
    /* What the run used is gone. */
    cudnn_rig_run("cnn", "gone", 2, &result);
    trn_result_release(&result);
    cudnn_on_cpu.asked_implicit = 0;
    cudnn_on_cpu.no_precomputed = true;
    assert_int_equal(cudnn_rig_try_restore("gone", NULL, SNAP_TIER_WEIGHTS, STEPS, &result, &err),
                     SNAP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "layer conv1: forward: the run used cuDNN's "
                                     "IMPLICIT_PRECOMP_GEMM, which is not supported here"));
    assert_int_equal(cudnn_on_cpu.asked_implicit, 0);
    trn_result_release(&result);
    /* And where there is none. */
    cudnn_on_cpu.no_implicit = true;
    assert_int_equal(cudnn_rig_try_run("cnn", "none", 1, NULL, &result, &err), SNAP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "layer conv1: forward: cuDNN has no deterministic algorithm"));
    trn_result_release(&result);
    cudnn_on_cpu = cudnn_rig_libraries;
    cudnn_on_cpu.no_data_gradient = true; /* the first convolution needs none */
    assert_int_equal(cudnn_rig_try_run("cnn", "none", 1, NULL, &result, &err), SNAP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "layer conv2: data_gradient: cuDNN has no"));
    trn_result_release(&result);
}

/* A run that was killed before its first snapshot has its binding in the ledger. */
static void the_ledger_names_the_algorithms_too(void **state)
{
    struct trn_result result = TRN_RESULT_INIT, whole = TRN_RESULT_INIT;
    (void)state;
    cudnn_on_cpu.no_precomputed = true;
    cudnn_rig_run("cnn", "early-whole", STEPS, &whole);
    cudnn_rig_run("cnn", "early", 1, &result);
    trn_result_release(&result);
    assert_int_equal(system("rm -rf early/snapshots early/latest"), 0);
    cudnn_on_cpu = cudnn_rig_libraries;
    cudnn_rig_go_on("early", STEPS, &result);
    assert_int_equal(cudnn_on_cpu.asked_precomputed, 0);
    assert_string_equal(result.run_hash, whole.run_hash);
    trn_result_release(&result);
    trn_result_release(&whole);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, cudnn_rig_begin, cudnn_rig_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fact_that_differs_refuses),
        TEST(other_doors_refuse_too),
        TEST(another_machine_proves_the_host_part),
        TEST(a_false_host_part_is_found_elsewhere),
        TEST(the_cpu_stands_in),
        TEST(an_algorithm_is_chosen_once),
        TEST(the_ledger_names_the_algorithms_too),
    };
    return cmocka_run_group_tests(tests, cudnn_rig_begin_all, cudnn_rig_end_all);
}
