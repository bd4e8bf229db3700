/* SPDX-License-Identifier: Apache-2.0 */
/* A value that lies in the memory of a tensor cannot be what both were: a restore must not say that
 * it is, whichever was written last. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <snapstate/snapstate.h>

#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;
static char path[] = "snap-test-XXXXXX";

struct memory {
    float weight[2000];
    float apart[4];
};

static struct snap_run *open_run(const char *archive, struct memory *memory, float *value)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
    struct snap_run *run;
    options.archive = archive;
    CHECK_OK(snap_run_open(&options, &run, &err));
    tensor.root = "model";
    tensor.name = "weight";
    tensor.data = memory->weight;
    tensor.dtype = SNAP_F32;
    tensor.ndim = 1;
    tensor.shape = (const uint64_t[]){ 2000 };
    CHECK_OK(snap_run_add_tensor(run, &tensor, &err));
    CHECK_OK(snap_run_add_value(run, "scale", true, value, 4 * sizeof *value, &err));
    return run;
}

static void test_overlap(void **state)
{
    (void)state;
    struct memory saved = { .weight = { 1, 2, 3 }, .apart = { 7, 8, 9, 10 } };
    struct memory restored = { .weight = { 0 } };
    struct snap_run *run = open_run(NULL, &saved, saved.apart);
    CHECK_OK(snap_run_save_as(run, path, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));

    run = open_run(path, &restored, restored.apart);
    CHECK_OK(snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    assert_memory_equal(&restored, &saved, sizeof saved);

    run = open_run(path, &restored, restored.weight + 1000);
    CHECK_FAILS(SNAP_CORRUPT, "it is not what was set",
                snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "unusable"));
    CHECK_OK(snap_run_close(run, &err));
}

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd >= 0 ? close(fd) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_overlap) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
