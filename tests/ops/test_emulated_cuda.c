/* SPDX-License-Identifier: Apache-2.0 */
/* The CUDA kernels on the CPU (tests/support/cuda_on_cpu): the bits of every operator, of whole
 * steps and of trainings, in several orders of threads and each way of a product; what a failing
 * device leaves behind; and that faults of kernels would show. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cuda_device_test.h"
#include "cuda_on_cpu.h"
#include "model_rig.h"
#include "op_cases.h"
#include "planted_kernels.h"
#include "trainer.h"

/* The ways to compute, and an order of threads for each. */
static const struct {
    struct trn_cuda_ways ways;
    enum cuda_on_cpu_order order;
} variants[] = {
    { { 0, 0, false }, CUDA_ON_CPU_ASCENDING },    { { 32, -1, true }, CUDA_ON_CPU_SHUFFLED },
    { { 64, -1, false }, CUDA_ON_CPU_DESCENDING }, { { 128, -1, false }, CUDA_ON_CPU_SHUFFLED },
    { { 32, 1, false }, CUDA_ON_CPU_DESCENDING },  { { 64, 1, false }, CUDA_ON_CPU_SHUFFLED },
    { { 128, 1, true }, CUDA_ON_CPU_DESCENDING },
};
#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

/* Cases come in fives that differ in their operands: each shape is done in every way, with some of
 * them. */
static void operators_equal_goldens(void **state)
{
    (void)state;
    for (size_t i = 0; i < VARIANTS; i++) {
        cuda_on_cpu.order = variants[i].order;
        cuda_test_operators(&variants[i].ways, i % OP_FLAVOURS, OP_FLAVOURS);
    }
    cuda_on_cpu.order = CUDA_ON_CPU_ASCENDING;
    assert_int_equal(cuda_on_cpu.held, 0);
}

/* Before anything is read or written. */
static void images_that_are_too_large_are_refused(void **state)
{
    static const struct trn_conv large[] = {
        { 1, 1 << 16, 1 << 15, 1, 1, 1, 1, { 1, 1, 1, 1, 0, 0 } },
        { 1, 1, 1, 1, 1 << 15, 1 << 15, 2, { 1, 1, 1, 1, 0, 0 } },
        { 1, 4, 4, 1, 4, 1 << 15, 1, { 1, 1, 1, 1 << 15, 0, 0 } },
    };
    struct snap_pool *pool = NULL;
    struct trn_backend *backend;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    assert_int_equal(snap_pool_new(1, &pool, NULL), SNAP_OK);
    backend = cuda_test_open(pool, &variants[0].ways);
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        const struct trn_ops *ops = backend->ops;
        const enum snap_status found[] = {
            ops->conv_forward(backend, &large[i], NULL, NULL, NULL, NULL, &err),
            ops->conv_data_gradient(backend, &large[i], NULL, NULL, NULL, &err),
            ops->conv_weight_gradient(backend, &large[i], NULL, NULL, NULL, &err),
        };
        for (size_t f = 0; f < 3; f++) {
            assert_int_equal(found[f], SNAP_UNSUPPORTED);
        }
        assert_non_null(strstr(err.text, "device cuda:0: conv2d: images of "));
    }
    trn_backend_close(backend);
    snap_pool_free(pool);
}

static void steps_equal_goldens(void **state)
{
    (void)state;
    for (size_t i = 0; i < VARIANTS; i++) {
        cuda_on_cpu.order = variants[i].order;
        cuda_test_steps(&variants[i].ways, i, VARIANTS);
    }
    cuda_on_cpu.order = CUDA_ON_CPU_ASCENDING;
    assert_int_equal(cuda_on_cpu.held, 0);
}

static void traces_equal_the_cpus(void **state)
{
    (void)state;
    cuda_test_trace(&variants[0].ways);
}

static void digests_equal_those_of_openssl(void **state)
{
    (void)state;
    cuda_test_digests();
    assert_int_equal(cuda_on_cpu.held, 0);
}

static void train(const char *config, const char *device, const char *work, uint64_t steps,
                  struct trn_result *result)
{
    char dir[300], file[300];
    struct trn_run_options options = TRN_RUN_OPTIONS_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    snprintf(dir, sizeof(dir), "%s/%s-%s", work, config, device[0] == 'c' && device[1] == 'u'
                                                             ? "cuda" : "cpu");
    snprintf(file, sizeof(file), "%s/examples/%s.json", getenv("top_srcdir"), config);
    options.config = file;
    options.dir = dir;
    options.has_steps = true;
    options.steps = steps;
    options.threads = 1;
    options.device = device;
    if (trn_run(&options, result, &err) != SNAP_OK) {
        fail_msg("%s on %s: %s", config, device, err.text);
    }
}

static void go_on(const char *config, const char *from, const char *device, const char *work,
                  uint64_t steps, struct trn_result *result)
{
    char dir[300];
    struct trn_restore_options options = TRN_RESTORE_OPTIONS_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    snprintf(dir, sizeof(dir), "%s/%s-%s", work, config, from);
    options.target = dir;
    options.has_steps = true;
    options.steps = steps;
    options.threads = 1;
    options.device = device;
    if (trn_restore(&options, result, &err) != SNAP_OK) {
        fail_msg("%s, from %s on %s: %s", config, from, device, err.text);
    }
}

/* The same ledger and state on both, and again when each goes on where the other was. */
static void trainings_equal_those_of_the_cpu(void **state)
{
    static const struct {
        const char *config;
        uint64_t steps;
    } trainings[] = { { "digits-mlp", 12 }, { "digits-cnn", 4 } };
    char work[] = "/tmp/snap-cuda-XXXXXX", command[100];
    (void)state;
    assert_non_null(mkdtemp(work));
    for (size_t i = 0; i < sizeof(trainings) / sizeof(trainings[0]); i++) {
        const char *config = trainings[i].config;
        const uint64_t steps = trainings[i].steps;
        struct trn_result cpu = TRN_RESULT_INIT, cuda = TRN_RESULT_INIT;
        train(config, "cpu", work, steps, &cpu);
        train(config, "cuda:0", work, steps, &cuda);
        assert_int_equal(cuda.step, steps);
        assert_string_equal(cuda.run_hash, cpu.run_hash);
        assert_string_equal(cuda.state_hash, cpu.state_hash);
        assert_string_equal(cuda.snapshot_hash, cpu.snapshot_hash);
        trn_result_release(&cpu);
        trn_result_release(&cuda);
        cpu = cuda = (struct trn_result)TRN_RESULT_INIT;
        go_on(config, "cuda", "cpu", work, steps + 2, &cpu);
        go_on(config, "cpu", "cuda:0", work, steps + 2, &cuda);
        assert_int_equal(cuda.step, steps + 2);
        assert_string_equal(cuda.run_hash, cpu.run_hash);
        assert_string_equal(cuda.state_hash, cpu.state_hash);
        trn_result_release(&cpu);
        trn_result_release(&cuda);
    }
    assert_int_equal(cuda_on_cpu.held, 0);
    snprintf(command, sizeof(command), "rm -rf %s", work);
    assert_int_equal(system(command), 0);
}

/* A network whose first rate is absurd: some step is not finite. Batch normalisation and dropout
 * have what must be put back before the step is made once more. */
static const char absurd[] =
    "{\"training\":{\"seed\":42,\"evaluate\":0,\"epochs\":3,\"batch_size\":120,"
    "\"data\":{\"shape\":[8,8,1],\"classes\":10,\"mean\":\"0.0192\",\"std\":\"0.0236\"},"
    "\"augment\":{\"shift\":1,\"noise\":\"0.1\"},\"model\":["
    "{\"name\":\"conv1\",\"kind\":\"conv2d\",\"features\":4,\"kernel\":3,\"padding\":1},"
    "{\"name\":\"bn1\",\"kind\":\"batchnorm\"},{\"name\":\"relu1\",\"kind\":\"relu\"},"
    "{\"name\":\"drop1\",\"kind\":\"dropout\",\"probability\":\"0.25\"},"
    "{\"name\":\"flatten\",\"kind\":\"flatten\"},"
    "{\"name\":\"fc1\",\"kind\":\"linear\",\"features\":10}],"
    "\"optimizer\":{\"kind\":\"sgd\",\"learning_rate\":\"1e6\",\"momentum\":\"0.9\"}},"
    "\"running\":{\"threads\":1,\"every\":0,\"data\":{"
    "\"train_images\":\"%s/data/digits-test-images.idx3-ubyte\","
    "\"train_labels\":\"%s/data/digits-test-labels.idx1-ubyte\"}}}";

static void make_capsule(const char *work, const char *device, const char *name, char path[300])
{
    struct trn_run_options options = TRN_RUN_OPTIONS_INIT;
    struct trn_result result = TRN_RESULT_INIT;
    struct snap_error err = SNAP_ERROR_INIT;
    char config[300], dir[300];
    FILE *file;
    snprintf(config, sizeof(config), "%s/absurd.json", work);
    snprintf(dir, sizeof(dir), "%s/%s", work, name);
    file = fopen(config, "w");
    assert_non_null(file);
    fprintf(file, absurd, getenv("top_srcdir"), getenv("top_srcdir"));
    assert_int_equal(fclose(file), 0);
    options.config = config;
    options.dir = dir;
    options.device = device;
    assert_int_equal(trn_run(&options, &result, &err), SNAP_NONFINITE);
    assert_true(strlen(result.failure.capsule) < 300);
    memcpy(path, result.failure.capsule, strlen(result.failure.capsule) + 1);
    trn_result_release(&result);
}

/* A capsule of one is replayed on the other, every operation as recorded. */
static void a_capsule_is_replayed_on_the_other(void **state)
{
    char work[] = "/tmp/snap-cuda-XXXXXX", command[700], paths[2][300];
    static const char *const devices[] = { "cpu", "cuda:0" };
    (void)state;
    assert_non_null(mkdtemp(work));
    for (int i = 0; i < 2; i++) {
        make_capsule(work, devices[i], i == 0 ? "cpu" : "cuda", paths[i]);
    }
    for (int i = 0; i < 2; i++) {
        struct trn_replay_options options = TRN_REPLAY_OPTIONS_INIT;
        struct trn_replay_result result = TRN_REPLAY_RESULT_INIT;
        struct snap_error err = SNAP_ERROR_INIT;
        options.archive = paths[i];
        options.device = devices[1 - i];
        options.threads = 1;
        if (trn_replay(&options, &result, &err) != SNAP_OK) {
            fail_msg("%s on %s: %s", paths[i], options.device, err.text);
        }
        assert_true(result.reproduced && result.has_nonfinite && !result.has_other);
        assert_true(result.operations > 20);
        assert_int_equal(result.recorded, result.operations);
    }
    snprintf(command, sizeof(command), "cmp %s %s && rm -rf %s", paths[0], paths[1], work);
    assert_int_equal(system(command), 0);
    assert_int_equal(cuda_on_cpu.held, 0);
}

static void a_device_that_is_not_there_is_told(void **state)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_backend *backend = NULL;
    struct snap_pool *pool = NULL;
    (void)state;
    assert_int_equal(snap_pool_new(1, &pool, NULL), SNAP_OK);
    cuda_on_cpu.devices = 0;
    assert_int_equal(trn_device_backend_open(0, pool, &backend, &err), SNAP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "device cuda:0: cannot be used: no CUDA-capable device"));
    assert_non_null(strstr(err.text, "--device cpu"));
    cuda_on_cpu.devices = 1;
    assert_int_equal(trn_device_backend_open(1, pool, &backend, &err), SNAP_UNSUPPORTED);
    assert_non_null(strstr(err.text, "device cuda:1: cannot be used: this machine has 1"));
    assert_null(backend);
    snap_pool_free(pool);
}

/* A backend, a model and a step, with the call of number `fail_at` failing. */
static enum snap_status try_all(long fail_at, struct snap_error *err)
{
    static float inputs[RIG_BATCH * RIG_INPUT];
    static int32_t labels[RIG_BATCH];
    const struct trn_model_options options = rig_options(RIG_IMAGES, 1);
    struct trn_shard shard = { inputs, labels, RIG_BATCH, 0, RIG_BATCH, 0, 42, 0, NULL };
    struct trn_scalar scalars[TRN_OPTIMIZER_MAX_SCALARS];
    struct trn_backend *backend = NULL;
    struct trn_model *model = NULL;
    struct trn_optimizer *optimizer = NULL;
    struct snap_stream *host = NULL;
    struct snap_pool *pool = NULL;
    float norm = 0.0f;
    enum snap_status status;
    assert_int_equal(snap_pool_new(1, &pool, NULL), SNAP_OK);
    assert_int_equal(snap_stream_new("torch_cpu", &host, NULL), SNAP_OK);
    assert_int_equal(snap_stream_seed(host, 42, NULL), SNAP_OK);
    rig_make_batch(0, inputs, labels);
    cuda_on_cpu.calls = 0;
    cuda_on_cpu.fail_at = fail_at;
    status = trn_device_backend_open(0, pool, &backend, err);
    if (status == SNAP_OK) {
        status = trn_model_new(&options, backend, &model, err);
    }
    if (status == SNAP_OK) {
        status = trn_model_init(model, host, err);
    }
    if (status == SNAP_OK) {
        status = trn_optimizer_new(&rig_optimizers[3], trn_model_tensors(model),
                                   trn_model_tensor_count(model), backend, &optimizer, err);
    }
    if (status == SNAP_OK) {
        status = trn_model_forward_backward(model, &shard, err);
    }
    if (status == SNAP_OK) {
        status = trn_model_check_finite(model, NULL, err);
    }
    if (status == SNAP_OK) {
        status = trn_optimizer_gradient_norm(optimizer, &norm, err);
    }
    if (status == SNAP_OK) {
        const size_t count = trn_optimizer_scalars(optimizer, 0.05f, norm, scalars);
        status = trn_optimizer_update(optimizer, scalars, count, err);
    }
    cuda_on_cpu.fail_at = 0;
    trn_optimizer_free(optimizer);
    trn_model_free(model);
    trn_backend_close(backend);
    snap_stream_free(host);
    snap_pool_free(pool);
    return status;
}

static void every_failure_is_told_and_nothing_is_held(void **state)
{
    struct snap_error err = SNAP_ERROR_INIT;
    long calls;
    (void)state;
    assert_int_equal(try_all(0, &err), SNAP_OK);
    calls = cuda_on_cpu.calls;
    assert_true(calls > 300);
    for (long fail_at = 1; fail_at <= calls; fail_at += fail_at < 60 ? 1 : 29) {
        const enum snap_status status = try_all(fail_at, &err);
        if (status == SNAP_OK && cuda_on_cpu.calls >= fail_at) {
            /* Only what is given back may fail unheard. */
            continue;
        }
        assert_true(status == SNAP_IO || status == SNAP_NO_MEMORY || status == SNAP_UNSUPPORTED);
        assert_non_null(strstr(err.text, "device cuda:0: "));
        assert_int_equal(cuda_on_cpu.held, 0);
    }
}

/* Whether a call ends the program by itself. */
static bool aborts(void (*call)(void))
{
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = { 0, 0 };
        setrlimit(RLIMIT_CORE, &none);
        if (!freopen("/dev/null", "w", stderr)) {
            _exit(0);
        }
        call();
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
}

static void faults_of_kernels_show(void **state)
{
    float right[PLANTED_THREADS], found[PLANTED_THREADS], sum = 0.0f;
    unsigned different = 0, late = 0, early = 0;
    (void)state;
    for (int order = CUDA_ON_CPU_ASCENDING; order <= CUDA_ON_CPU_SHUFFLED; order++) {
        cuda_on_cpu.order = (enum cuda_on_cpu_order)order;
        planted_reverse(1, right);
        for (int i = 0; i < PLANTED_THREADS; i++) {
            assert_true(right[i] == (float)(i * i));
        }
        planted_reverse(0, found);
        different += memcmp(right, found, sizeof(right)) != 0;
        planted_shuffles(&sum);
        assert_true(sum == 10416.0f); /* 0 + 1 + 4 + ... + 31 * 31 */
        planted_copies(1, right, found);
        for (int i = 0; i < PLANTED_THREADS; i++) {
            assert_true(found[PLANTED_THREADS - 1 - i] == right[i]);
        }
        planted_copies(0, right, found);
        late += found[0] == -1.0f;
        planted_early_copy(1, right, found);
        assert_memory_equal(found, right, sizeof(right));
        planted_early_copy(0, right, found);
        early += memcmp(found, right, sizeof(right)) != 0;
    }
    cuda_on_cpu.order = CUDA_ON_CPU_ASCENDING;
    assert_true(different > 0);
    assert_true(late > 0);
    assert_true(early > 0);
    assert_true(aborts(planted_half_barrier));
    assert_true(aborts(planted_half_shuffle));
    assert_true(aborts(planted_lost_copy));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_kernels_show),
        cmocka_unit_test(a_device_that_is_not_there_is_told),
        cmocka_unit_test(operators_equal_goldens),
        cmocka_unit_test(images_that_are_too_large_are_refused),
        cmocka_unit_test(steps_equal_goldens),
        cmocka_unit_test(traces_equal_the_cpus),
        cmocka_unit_test(digests_equal_those_of_openssl),
        cmocka_unit_test(trainings_equal_those_of_the_cpu),
        cmocka_unit_test(a_capsule_is_replayed_on_the_other),
        cmocka_unit_test(every_failure_is_told_and_nothing_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
