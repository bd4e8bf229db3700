/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cudnn_rig.h"

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
const struct cudnn_on_cpu cudnn_rig_libraries = { .version = 91900,
                                                  .runtime = 13000,
                                                  .cublas_version = 130100,
                                                  .states = 67,
                                                  .workspace = 40 };

void cudnn_rig_write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void cudnn_rig_write_config(const char *name, const char *extra)
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
    cudnn_rig_write_file(path, text);
}

enum snap_status cudnn_rig_try_run(const char *config, const char *dir, uint64_t steps,
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

void cudnn_rig_run(const char *config, const char *dir, uint64_t steps, struct trn_result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    if (cudnn_rig_try_run(config, dir, steps, NULL, result, &err) != SNAP_OK) {
        fail_msg("%s in %s: %s", config, dir, err.text);
    }
}

enum snap_status cudnn_rig_try_restore(const char *target, const char *dir, enum snap_tier require,
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

void cudnn_rig_go_on(const char *dir, uint64_t steps, struct trn_result *result)
{
    struct snap_error err = SNAP_ERROR_INIT;
    if (cudnn_rig_try_restore(dir, NULL, SNAP_TIER_EXACT, steps, result, &err) != SNAP_OK) {
        fail_msg("restore %s: %s", dir, err.text);
    }
}

void cudnn_rig_assert_same(const struct trn_result *a, const struct trn_result *b)
{
    assert_int_equal(a->step, b->step);
    assert_string_equal(a->run_hash, b->run_hash);
    assert_string_equal(a->state_hash, b->state_hash);
    assert_string_equal(a->snapshot_hash, b->snapshot_hash);
}

struct trn_result cudnn_rig_undisturbed = TRN_RESULT_INIT;

int cudnn_rig_begin(void **state)
{
    (void)state;
    cudnn_on_cpu = cudnn_rig_libraries;
    return 0;
}

int cudnn_rig_end(void **state)
{
    (void)state;
    assert_int_equal(cudnn_on_cpu.held, 0);
    assert_int_equal(cuda_on_cpu.held, 0);
    return 0;
}

int cudnn_rig_begin_all(void **state)
{
    (void)state;
    if (mkdtemp(work) == NULL || chdir(work) != 0) {
        return 1;
    }
    unsetenv("NVIDIA_TF32_OVERRIDE");
    cudnn_rig_write_file("driver-version", "580.65.06\n");
    cudnn_rig_write_config("cnn", "");
    cudnn_rig_write_config("rounded", "\"tf32\":true,");
    cudnn_rig_run("cnn", "undisturbed", STEPS, &cudnn_rig_undisturbed);
    return 0;
}

int cudnn_rig_end_all(void **state)
{
    char command[100];
    (void)state;
    trn_result_release(&cudnn_rig_undisturbed);
    snprintf(command, sizeof(command), "cd / && rm -rf %s", work);
    return system(command);
}
