/* SPDX-License-Identifier: Apache-2.0 */
/* The profile cudnn-1 with cuDNN and cuBLAS made of the CPU (tests/support/cudnn_on_cpu): trainings
 * that are killed and go on, what a run's binding refuses, which algorithms are asked for, the
 * generator of the dropout, and what failing libraries leave behind. */
#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cuda_on_cpu.h"
#include "cudnn_device_test.h"
#include "cudnn_on_cpu.h"
#include "train_loop.h"
#include "trainer.h"
#include "training.h"

#define STEPS 6
#define MODEL                                                                                     \
    "{\"name\":\"conv1\",\"kind\":\"conv2d\",\"features\":4,\"kernel\":3,\"padding\":1},"         \
    "{\"name\":\"bn1\",\"kind\":\"batchnorm\"},"                                                  \
    "{\"name\":\"relu1\",\"kind\":\"relu\"},"                                                     \
    "{\"name\":\"drop1\",\"kind\":\"dropout\",\"probability\":\"0.125\"},"                        \
    "{\"name\":\"pool1\",\"kind\":\"maxpool\",\"kernel\":3,\"stride\":2,\"padding\":1},"          \
    "{\"name\":\"conv2\",\"kind\":\"conv2d\",\"features\":6,\"kernel\":2},"                       \
    "{\"name\":\"pool2\",\"kind\":\"avgpool\",\"kernel\":2,\"stride\":1},"                        \
    "{\"name\":\"flatten\",\"kind\":\"flatten\"},"                                                \
    "{\"name\":\"fc1\",\"kind\":\"linear\",\"features\":12},"                                     \
    "{\"name\":\"drop2\",\"kind\":\"dropout\",\"probability\":\"0.5\"},"                          \
    "{\"name\":\"fc2\",\"kind\":\"linear\",\"features\":10}"

static char work[] = "/tmp/snap-cudnn-XXXXXX";
static const struct cudnn_on_cpu libraries = { .version = 91900,
                                               .runtime = 13000,
                                               .cublas_version = 130100,
                                               .states = 67,
                                               .workspace = 40 };

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* NAME.json in the working folder, with `extra` among the keys of `training`; two epochs of three
 * steps, the last of each with fewer samples. */
static void write_config(const char *name, const char *extra)
{
    char text[4000], path[100];
    const char *top = getenv("top_srcdir");
    snprintf(path, sizeof(path), "%s.json", name);
    snprintf(text, sizeof(text),
             "{\"training\":{\"profile\":\"cudnn-1\",%s\"seed\":42,\"data\":{\"shape\":[8,8,1],"
             "\"classes\":10,\"mean\":\"0.0192\",\"std\":\"0.0236\"},\"model\":[" MODEL "],"
             "\"optimizer\":{\"kind\":\"sgd\",\"learning_rate\":\"0.02\",\"momentum\":\"0.9\"},"
             "\"epochs\":2,\"batch_size\":130},\"running\":{\"device\":\"cuda:0\",\"threads\":1,"
             "\"every\":1,\"data\":{\"train_images\":\"%s/data/digits-test-images.idx3-ubyte\","
             "\"train_labels\":\"%s/data/digits-test-labels.idx1-ubyte\","
             "\"test_images\":\"%s/data/digits-test-images.idx3-ubyte\","
             "\"test_labels\":\"%s/data/digits-test-labels.idx1-ubyte\"}}}",
             extra, top, top, top, top);
    write_file(path, text);
}

static enum snap_status try_run(const char *config, const char *dir, uint64_t steps,
                                const struct trn_listener *listener, struct trn_result *result,
                                struct snap_error *err)
{
    char file[100];
    struct trn_run_options options = TRN_RUN_OPTIONS_INIT;
    snprintf(file, sizeof(file), "%s.json", config);
    options.config = file;
    options.dir = dir;
    options.has_steps = true;
    options.steps = steps;
    options.listener = listener;
    return trn_run(&options, result, err);
}

static void run(const char *config, const char *dir, uint64_t steps, struct trn_result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    if (try_run(config, dir, steps, NULL, result, &err) != SNAP_OK) {
        fail_msg("%s in %s: %s", config, dir, err.text);
    }
}

static enum snap_status try_restore(const char *target, const char *dir, enum snap_tier require,
                                    uint64_t steps, struct trn_result *result,
                                    struct snap_error *err)
{
    struct trn_restore_options options = TRN_RESTORE_OPTIONS_INIT;
    options.target = target;
    options.dir = dir;
    options.require = require;
    options.has_steps = true;
    options.steps = steps;
    return trn_restore(&options, result, err);
}

static void go_on(const char *dir, uint64_t steps, struct trn_result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    if (try_restore(dir, NULL, SNAP_TIER_EXACT, steps, result, &err) != SNAP_OK) {
        fail_msg("restore %s: %s", dir, err.text);
    }
}

static void assert_same(const struct trn_result *a, const struct trn_result *b)
{
    assert_int_equal(a->step, b->step);
    assert_string_equal(a->run_hash, b->run_hash);
    assert_string_equal(a->state_hash, b->state_hash);
    assert_string_equal(a->snapshot_hash, b->snapshot_hash);
}

/* The libraries as new; `undisturbed` is a run of all steps with them. */
static struct trn_result undisturbed = TRN_RESULT_INIT;

static int begin(void **state)
{
    (void)state;
    cudnn_on_cpu = libraries;
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(cudnn_on_cpu.held, 0);
    assert_int_equal(cuda_on_cpu.held, 0);
    return 0;
}

static int begin_all(void **state)
{
    (void)state;
    if (mkdtemp(work) == NULL || chdir(work) != 0) {
        return 1;
    }
    unsetenv("NVIDIA_TF32_OVERRIDE");
    write_file("driver-version", "580.65.06\n");
    write_config("cnn", "");
    write_config("rounded", "\"tf32\":true,");
    run("cnn", "undisturbed", STEPS, &undisturbed);
    return 0;
}

static int end_all(void **state)
{
    char command[100];
    (void)state;
    trn_result_release(&undisturbed);
    snprintf(command, sizeof(command), "cd / && rm -rf %s", work);
    return system(command);
}

static void twice_is_the_same(void **state)
{
    struct trn_result again = TRN_RESULT_INIT;
    (void)state;
    run("cnn", "again", STEPS, &again);
    assert_same(&again, &undisturbed);
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
    run("cnn", "exact-math", 1, &result);
    assert_int_equal(cudnn_on_cpu.tf32, 0);
    trn_result_release(&result);
    run("rounded", "rounded", STEPS, &result);
    assert_true(cudnn_on_cpu.tf32 > STEPS);
    assert_string_not_equal(result.state_hash, undisturbed.state_hash);
    trn_result_release(&result);
}

static void stopped_at_every_step(void **state)
{
    struct trn_result result = TRN_RESULT_INIT;
    (void)state;
    run("cnn", "stopped", 1, &result);
    for (uint64_t step = 2; step <= STEPS; step++) {
        trn_result_release(&result);
        go_on("stopped", step, &result);
    }
    assert_same(&result, &undisturbed);
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
            try_run("cnn", dir, STEPS, &listener, &result, NULL);
            _exit(0);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        go_on(dir, STEPS, &result);
        assert_true(result.first_step >= step && result.first_step < STEPS);
        assert_same(&result, &undisturbed);
        trn_result_release(&result);
    }
}

/* ---- the binding ---- */

static void other_cudnn(bool on) { cudnn_on_cpu.version = on ? 92000 : libraries.version; }
static void other_cudnn_runtime(bool on) { cudnn_on_cpu.runtime = on ? 12090 : libraries.runtime; }
static void other_cublas(bool on)
{
    cudnn_on_cpu.cublas_version = on ? 130200 : libraries.cublas_version;
}
static void other_workspace(bool on) { cudnn_on_cpu.workspace = on ? 44 : libraries.workspace; }
static void other_runtime(bool on) { cuda_on_cpu.runtime = on ? 13010 : 13000; }
static void other_driver_cuda(bool on) { cuda_on_cpu.driver = on ? 13010 : 13000; }
static void other_driver(bool on)
{
    write_file("driver-version", on ? "590.10\n" : "580.65.06\n");
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
        try_restore(dir, NULL, SNAP_TIER_EXACT, STEPS, &result, &err);
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
    run("cnn", "facts", 2, &result);
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
    go_on("facts", STEPS, &result);
    variable("CUDNN_LOGLEVEL_DBG", false);
    assert_same(&result, &undisturbed);
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
    run("cnn", "doors", STEPS, &result);
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
    assert_int_equal(try_restore(archive, "lower", SNAP_TIER_STREAMS, STEPS, &result, &err),
                     SNAP_OK);
    assert_int_equal(result.first_step, 2);
    trn_result_release(&result);
    other_cudnn(false);
}

/* ---- algorithms ---- */

static void an_algorithm_is_chosen_once(void **state)
{
    struct trn_result whole = TRN_RESULT_INIT, result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    cudnn_on_cpu.no_precomputed = true;
    run("cnn", "implicit", STEPS, &whole);
    run("cnn", "implicit-stopped", 2, &result);
    trn_result_release(&result);
    assert_string_not_equal(whole.state_hash, undisturbed.state_hash);
    /* The better one is there now, and nobody asks. */
    cudnn_on_cpu = libraries;
    go_on("implicit-stopped", STEPS, &result);
    assert_same(&result, &whole);
    assert_int_equal(cudnn_on_cpu.asked_precomputed, 0);
    assert_true(cudnn_on_cpu.asked_implicit > 0);
    trn_result_release(&result);
    trn_result_release(&whole);
    /* What the run used is gone. */
    run("cnn", "gone", 2, &result);
    trn_result_release(&result);
    cudnn_on_cpu.asked_implicit = 0;
    cudnn_on_cpu.no_precomputed = true;
    assert_int_equal(try_restore("gone", NULL, SNAP_TIER_WEIGHTS, STEPS, &result, &err),
                     SNAP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "layer conv1: forward: the run used cuDNN's "
                                     "IMPLICIT_PRECOMP_GEMM, which is not supported here"));
    assert_int_equal(cudnn_on_cpu.asked_implicit, 0);
    trn_result_release(&result);
    /* And where there is none. */
    cudnn_on_cpu.no_implicit = true;
    assert_int_equal(try_run("cnn", "none", 1, NULL, &result, &err), SNAP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "layer conv1: forward: cuDNN has no deterministic algorithm"));
    trn_result_release(&result);
    cudnn_on_cpu = libraries;
    cudnn_on_cpu.no_data_gradient = true; /* the first convolution needs none */
    assert_int_equal(try_run("cnn", "none", 1, NULL, &result, &err), SNAP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "layer conv2: data_gradient: cuDNN has no"));
    trn_result_release(&result);
}

/* A run that was killed before its first snapshot has its binding in the ledger. */
static void the_ledger_names_the_algorithms_too(void **state)
{
    struct trn_result result = TRN_RESULT_INIT, whole = TRN_RESULT_INIT;
    (void)state;
    cudnn_on_cpu.no_precomputed = true;
    run("cnn", "early-whole", STEPS, &whole);
    run("cnn", "early", 1, &result);
    trn_result_release(&result);
    assert_int_equal(system("rm -rf early/snapshots early/latest"), 0);
    cudnn_on_cpu = libraries;
    go_on("early", STEPS, &result);
    assert_int_equal(cudnn_on_cpu.asked_precomputed, 0);
    assert_string_equal(result.run_hash, whole.run_hash);
    trn_result_release(&result);
    trn_result_release(&whole);
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
            const enum snap_status status = try_run("cnn", "failing", 2, NULL, &result, &err);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(twice_is_the_same),
        TEST(tf32_is_off_unless_asked_for),
        TEST(stopped_at_every_step),
        TEST(killed_at_every_step),
        TEST(a_fact_that_differs_refuses),
        TEST(other_doors_refuse_too),
        TEST(an_algorithm_is_chosen_once),
        TEST(the_ledger_names_the_algorithms_too),
        TEST(operators_of_whole_numbers_are_exact),
        TEST(the_generator_goes_round),
        TEST(a_generator_that_moved_is_told),
        TEST(what_is_missing_is_told),
        TEST(every_failure_is_told_and_nothing_is_held),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
