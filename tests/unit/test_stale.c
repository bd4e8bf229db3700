/* SPDX-License-Identifier: Apache-2.0 */
/* Steps are made, and what is saved does not move: the alarm. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static void step(struct snap_run *run, uint64_t number)
{
    struct snap_step_record record = SNAP_STEP_RECORD_INIT;
    record.step = number;
    CHECK_OK(snap_run_begin_step(run, &err));
    CHECK_OK(snap_run_before_update(run, NULL, &err));
    CHECK_OK(snap_run_step(run, &record, &err));
}

static void save(struct snap_run *run, uint64_t number)
{
    struct snap_ticket *ticket;
    CHECK_OK(snap_run_capture(run, number, NULL, &ticket, &err));
    CHECK_OK(snap_run_wait(run, ticket, NULL, &err));
}

static void test_stale(void **state)
{
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
    struct snap_run *run;
    float weight[2] = { 1, 2 };
    const uint64_t shape[1] = { 2 };
    char *dir = toy_folder();
    (void)state;
    options.dir = dir;
    CHECK_OK(snap_run_open(&options, &run, &err));
    tensor.root = "model";
    tensor.name = "weight";
    tensor.data = weight;
    tensor.dtype = SNAP_F32;
    tensor.ndim = 1;
    tensor.shape = shape;
    CHECK_OK(snap_run_add_tensor(run, &tensor, &err));
    step(run, 1);
    save(run, 1);
    save(run, 1); /* of the same step: no step lies between */
    assert_int_equal(snap_run_stale_step(run), 0);
    weight[0] = 3;
    step(run, 2);
    save(run, 2);
    assert_int_equal(snap_run_stale_step(run), 0);
    step(run, 3);
    save(run, 3);
    assert_int_equal(snap_run_stale_step(run), 3);
    CHECK_OK(snap_run_close(run, &err));
    char *events = toy_read(toy_path(dir, "events.jsonl"), NULL);
    assert_non_null(strstr(events, "\"event\":\"stale\",\"since\":2,\"step\":3"));
    free(events);
    toy_remove(dir);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
