/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of a run: options, their order, the inventory, requests, the lock, events. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static void test_requests(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    toy_init(&toy);
    toy.every = 3;
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING);
    CHECK_OK(toy_forward(&toy, run, &err));
    CHECK_OK(toy_update(&toy, run, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING);
    snap_run_request(run, SNAP_WANTED_SAVE);
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE);
    CHECK_OK(toy_save(run, NULL, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING);
    /* A stronger request wins, in either order, and one that comes after the answer stays. */
    snap_run_request(run, SNAP_WANTED_SAVE_AND_STOP);
    snap_run_request(run, SNAP_WANTED_SAVE);
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE_AND_STOP);
    CHECK_OK(toy_save(run, NULL, &err));
    snap_run_request(run, SNAP_WANTED_SAVE);
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE);
    snap_run_request(run, SNAP_WANTED_SAVE_AND_STOP);
    CHECK_OK(toy_save(run, NULL, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE_AND_STOP);
    CHECK_OK(toy_save(run, NULL, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING);
    /* A capture that nobody had asked about takes back a plain request alone. */
    snap_run_request(run, SNAP_WANTED_SAVE_AND_STOP);
    CHECK_OK(toy_save(run, NULL, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE_AND_STOP);
    CHECK_OK(toy_save(run, NULL, &err));
    snap_run_request(run, SNAP_WANTED_SAVE);
    CHECK_OK(toy_save(run, NULL, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING);
    /* By interval, once. */
    CHECK_OK(toy_forward(&toy, run, &err));
    CHECK_OK(toy_update(&toy, run, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING);
    CHECK_OK(toy_forward(&toy, run, &err));
    CHECK_OK(toy_update(&toy, run, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE);
    CHECK_OK(toy_save(run, NULL, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    /* A restored step is saved already; at an interval a request to stop is still one. */
    toy_init(&toy);
    toy.every = 3;
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    assert_int_equal(snap_run_steps_done(run), 3);
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING);
    CHECK_OK(toy_train(&toy, run, 5, &err));
    CHECK_OK(toy_forward(&toy, run, &err));
    CHECK_OK(toy_update(&toy, run, &err));
    snap_run_request(run, SNAP_WANTED_SAVE_AND_STOP);
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE_AND_STOP);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_remove(dir);
    free(dir);
}

static void test_order_of_calls(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    struct snap_ticket *ticket = NULL;
    struct snap_step_record record = SNAP_STEP_RECORD_INIT;
    char hash[SNAP_HASH_TEXT_BYTES];
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    record.step = 1;
    CHECK_FAILS(SNAP_INVALID, "begin_step", snap_run_step(run, &record, &err));
    CHECK_FAILS(SNAP_INVALID, "begin_step", snap_run_before_update(run, NULL, &err));
    CHECK_FAILS(SNAP_INVALID, NULL, snap_run_hash(run, hash, NULL, &err));
    CHECK_FAILS(SNAP_INVALID, "last done", snap_run_capture(run, 1, NULL, &ticket, &err));
    CHECK_FAILS(SNAP_INVALID, "ticket",
                snap_run_wait(run, (struct snap_ticket *)(void *)&toy, hash, &err));
    CHECK_OK(snap_run_wait(run, NULL, NULL, &err)); /* no save is under way */
    CHECK_OK(snap_run_begin_step(run, &err));
    CHECK_FAILS(SNAP_INVALID, "begun already", snap_run_begin_step(run, &err));
    CHECK_FAILS(SNAP_INVALID, "under way", snap_run_capture(run, 0, NULL, &ticket, &err));
    CHECK_FAILS(SNAP_INVALID, "closed", snap_run_add_value(run, "late", true, &toy, 1, &err));
    CHECK_FAILS(SNAP_INVALID, "begun", snap_run_restore(run, SNAP_TIER_EXACT, NULL, NULL, &err));
    record.step = 2;
    CHECK_FAILS(SNAP_INVALID, "step 1 is the next", snap_run_step(run, &record, &err));
    record.step = 1;
    struct snap_scalar twice[] = { snap_scalar_f32("a", 1), snap_scalar_f32("a", 2) };
    record.float_scalars = twice;
    record.float_scalar_count = 2;
    CHECK_FAILS(SNAP_INVALID, "twice", snap_run_step(run, &record, &err));
    twice[0] = snap_scalar_int("b", (uint64_t)1 << 54);
    CHECK_FAILS(SNAP_INVALID, "2^53", snap_run_step(run, &record, &err));
    record.float_scalar_count = 0;
    record.skipped = true;
    CHECK_OK(snap_run_step(run, &record, &err));
    char *ledger = toy_read(toy_path(dir, "ledger.jsonl"), NULL);
    assert_non_null(strstr(ledger, "\"skipped\":true"));
    free(ledger);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_remove(dir);
    free(dir);
}

static void test_options(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct snap_run *run = NULL;
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    options.profile = "portable-2";
    CHECK_FAILS(SNAP_UNSUPPORTED, "portable-2", snap_run_open(&options, &run, &err));
    options.profile = NULL;
    options.binding = "[]";
    CHECK_FAILS(SNAP_INVALID, "binding", snap_run_open(&options, &run, &err));
    options.binding = "{\"x\": 1.5}";
    CHECK_FAILS(SNAP_INVALID, "binding", snap_run_open(&options, &run, &err));
    options.binding = NULL;
    options.training = "{\"lr\":";
    CHECK_FAILS(SNAP_INVALID, "training", snap_run_open(&options, &run, &err));
    options.training = NULL;
    options.must_exist = true;
    CHECK_FAILS(SNAP_INVALID, "must_exist", snap_run_open(&options, &run, &err));
    options.dir = toy_path(dir, "none");
    CHECK_FAILS(SNAP_NOT_FOUND, NULL, snap_run_open(&options, &run, &err));
    options.dir = dir; /* there, and without a run; and it stays so */
    CHECK_FAILS(SNAP_NOT_FOUND, "holds no run", snap_run_open(&options, &run, &err));
    assert_null(toy_read(toy_path(dir, "events.jsonl"), NULL));
    options.must_exist = false;
    options.dir = toy_path(dir, "a/b");
    CHECK_FAILS(SNAP_IO, NULL, snap_run_open(&options, &run, &err));
    CHECK_OK(toy_train_in(dir, 2, 2, &err));
    options.dir = dir;
    options.must_be_new = true;
    CHECK_FAILS(SNAP_INVALID, "holds a run", snap_run_open(&options, &run, &err));
    options.size_bytes = 3;
    CHECK_FAILS(SNAP_INVALID, "SNAP_RUN_OPTIONS_INIT", snap_run_open(&options, &run, &err));
    assert_null(run);
    toy_remove(dir);
    free(dir);
}

/* A second run in the folder, in this process and in another one. */
static void test_busy(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct toy other;
    struct snap_run *run;
    struct snap_run *second;
    char pid[40];
    toy_init(&toy);
    toy_init(&other);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    snprintf(pid, sizeof pid, "pid %lld", (long long)getpid());
    CHECK_FAILS(SNAP_BUSY, pid, toy_open(&other, dir, NULL, &second, &err));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(toy_open(&other, dir, NULL, &second, NULL) == SNAP_BUSY ? 0 : 1);
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    CHECK_OK(snap_run_close(run, &err));
    CHECK_OK(toy_open(&other, dir, NULL, &second, &err));
    CHECK_OK(snap_run_close(second, &err));
    toy_release(&toy);
    toy_release(&other);
    toy_remove(dir);
    free(dir);
}

static struct snap_run_tensor tensor(const char *name, void *data, enum snap_dtype dtype,
                                     size_t ndim, const uint64_t *shape, const uint64_t *strides)
{
    struct snap_run_tensor made = SNAP_RUN_TENSOR_INIT;
    made.root = "model";
    made.name = name;
    made.data = data;
    made.dtype = dtype;
    made.ndim = ndim;
    made.shape = shape;
    made.strides = strides;
    return made;
}

static void test_inventory(void **state)
{
    (void)state;
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run;
    char hash[SNAP_HASH_TEXT_BYTES];
    float memory[16] = { 0 };
    int64_t number = 0;
    const uint64_t four[] = { 4 };
    const uint64_t huge[] = { UINT64_MAX, 2 };
    const uint64_t far[] = { UINT64_MAX / 2 };
    struct snap_run_tensor t;
    CHECK_OK(snap_run_open(&options, &run, &err));
    t = tensor("a", memory, SNAP_F32, 1, four, NULL);
    CHECK_OK(snap_run_add_tensor(run, &t, &err));
    CHECK_FAILS(SNAP_INVALID, "taken", snap_run_add_tensor(run, &t, &err));
    t.name = "";
    CHECK_FAILS(SNAP_INVALID, "UTF-8", snap_run_add_tensor(run, &t, &err));
    t.name = "\xff";
    CHECK_FAILS(SNAP_INVALID, "UTF-8", snap_run_add_tensor(run, &t, &err));
    t.name = "b";
    t.root = "no/slash";
    CHECK_FAILS(SNAP_INVALID, "legal root", snap_run_add_tensor(run, &t, &err));
    t.root = "model";
    t.ndim = 2;
    t.shape = huge;
    CHECK_FAILS(SNAP_INVALID, "larger", snap_run_add_tensor(run, &t, &err));
    t.ndim = 1;
    t.shape = four;
    t.strides = far;
    CHECK_FAILS(SNAP_INVALID, "larger", snap_run_add_tensor(run, &t, &err));
    t.strides = NULL;
    t.dtype = (enum snap_dtype)77;
    CHECK_FAILS(SNAP_INVALID, "dtype", snap_run_add_tensor(run, &t, &err));
    t.dtype = SNAP_F32;
    t.data = NULL;
    CHECK_FAILS(SNAP_INVALID, "NULL", snap_run_add_tensor(run, &t, &err));
    t.data = memory + 8;
    t.device = (struct snap_device){ SNAP_DEVICE_CUDA, 999 }; /* no machine has so many */
    CHECK_FAILS(SNAP_UNSUPPORTED, "register: device cuda:999", snap_run_add_tensor(run, &t, &err));
    CHECK_FAILS(SNAP_INVALID, "taken",
                snap_run_add_scalar(run, "model", "a", SNAP_VALUE_INT64, &number, &err));
    CHECK_FAILS(SNAP_INVALID, "a name is", snap_run_add_value(run, "a/b", true, &number, 8, &err));
    CHECK_FAILS(SNAP_UNSUPPORTED, NULL,
                snap_run_add_stream(run, "s", "marble", snap_stream_ops(), NULL, &err));
    CHECK_FAILS(SNAP_INVALID, NULL,
                snap_run_add_stream(run, "a b", "opaque", snap_stream_ops(), NULL, &err));
    /* Overlapping by half an element. */
    t = tensor("odd", (char *)memory + 2, SNAP_F32, 1, four, NULL);
    CHECK_OK(snap_run_add_tensor(run, &t, &err));
    CHECK_FAILS(SNAP_INVALID, "whole number", snap_run_state_hash(run, hash, &err));
    CHECK_OK(snap_run_close(run, &err));
    CHECK_OK(snap_run_close(NULL, &err));
}

/* A slab is many tensors; one that overlaps two others ties them. */
static void test_storages(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run;
    struct snap_archive *archive;
    float memory[12];
    const char *names[] = { "one", "two", "three", "none" };
    const uint64_t counts[] = { 3, 4, 5, 0 };
    const uint64_t two[] = { 2, 2 };
    const uint64_t apart[] = { 6, 1 };
    const uint64_t every_third[] = { 3 };
    float alone[4] = { 1, 2, 3, 4 };
    uint64_t size;
    for (int i = 0; i < 12; i++)
        memory[i] = (float)i;
    options.dir = dir;
    options.no_read_back = true;
    CHECK_OK(snap_run_open(&options, &run, &err));
    CHECK_OK(snap_run_add_slab(run, "model", memory, (struct snap_device){ SNAP_DEVICE_CPU, 0 },
                               SNAP_F32, 4, names, counts, &err));
    struct snap_run_tensor view = tensor("view", memory + 4, SNAP_F32, 2, two, apart);
    view.root = "views";
    CHECK_OK(snap_run_add_tensor(run, &view, &err)); /* elements 4, 5, 10, 11 */
    struct snap_run_tensor gaps = tensor("gaps", alone, SNAP_F32, 1, two, every_third);
    gaps.root = "views";
    CHECK_OK(snap_run_add_tensor(run, &gaps, &err));
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    CHECK_OK(snap_archive_open(toy_snapshot(dir, 0), &archive, &err));
    assert_int_equal(snap_archive_storage_count(archive), 4);
    assert_string_equal(snap_archive_storage_name(archive, 0, &size), "tensors/model/one");
    assert_int_equal(size, 12);
    assert_string_equal(snap_archive_storage_name(archive, 1, &size), "tensors/model/two");
    assert_int_equal(size, 36);
    assert_string_equal(snap_archive_storage_name(archive, 2, &size), "tensors/model/none");
    const struct snap_tensor_view *seen =
        snap_node_tensor(snap_node_get(snap_archive_root(archive, 1), "view"));
    assert_int_equal(seen->storage, 1);
    assert_int_equal(seen->offset, 1);
    assert_int_equal(seen->strides[0], 6);
    /* One with gaps that overlaps no other is kept without them. */
    assert_string_equal(snap_archive_storage_name(archive, 3, &size), "tensors/views/gaps");
    assert_int_equal(size, 2 * sizeof(float));
    snap_archive_close(archive);
    toy_remove(dir);
    free(dir);
}

/* Member names: a name that is no legal one, and one that differs by case alone. */
static void test_long_and_odd_names(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run;
    struct snap_archive *archive;
    float memory[3] = { 1, 2, 3 };
    const uint64_t one[] = { 1 };
    static const char *const names[] = { "Weight", "weight", "gewicht \xc3\xa4/1" };
    options.dir = dir;
    options.no_read_back = true;
    for (int pass = 0; pass < 2; pass++) {
        CHECK_OK(snap_run_open(&options, &run, &err));
        for (int i = 0; i < 3; i++) {
            struct snap_run_tensor t = tensor(names[i], &memory[i], SNAP_F32, 1, one, NULL);
            CHECK_OK(snap_run_add_tensor(run, &t, &err));
        }
        if (pass == 0) {
            CHECK_OK(toy_save(run, NULL, &err));
        } else {
            memset(memory, 0, sizeof memory);
            CHECK_OK(snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
            assert_true(memory[0] == 1 && memory[1] == 2 && memory[2] == 3);
        }
        CHECK_OK(snap_run_close(run, &err));
    }
    CHECK_OK(snap_archive_open(toy_snapshot(dir, 0), &archive, &err));
    assert_string_equal(snap_archive_storage_name(archive, 1, NULL), "tensors/model/~000001");
    assert_string_equal(snap_archive_storage_name(archive, 2, NULL), "tensors/model/~000002");
    snap_archive_close(archive);
    toy_remove(dir);
    free(dir);
}

/* Events hold times; nothing else does. */
static void test_events(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(snap_run_event(run, "signal", "{\"number\": 10}", &err));
    CHECK_FAILS(SNAP_INVALID, NULL, snap_run_event(run, "", NULL, &err));
    CHECK_FAILS(SNAP_INVALID, NULL, snap_run_event(run, "Big", NULL, &err));
    CHECK_FAILS(SNAP_INVALID, NULL, snap_run_event(run, "signal", "[1]", &err));
    assert_string_equal(snap_run_dir(run), dir);
    CHECK_OK(snap_run_close(run, &err));
    /* A torn event does not spoil the next one. */
    const char *path = toy_path(dir, "events.jsonl");
    size_t size;
    char *events = toy_read(path, &size);
    assert_non_null(strstr(events, "{\"event\":\"signal\",\"number\":10,\"time\":\"2"));
    toy_write(path, events, size - 20);
    free(events);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(snap_run_close(run, &err));
    events = toy_read(path, &size);
    const char *last = strrchr(events, '{');
    assert_true(last == events || last[-1] == '\n');
    free(events);
    toy_release(&toy);
    toy_remove(dir);
    free(dir);
}

/* A child that was forked keeps the folder locked when its parent is gone, unless it gave up its
 * share. */
static void test_after_fork(void **state)
{
    (void)state;
    for (int gives_up = 0; gives_up < 2; gives_up++) {
        char *dir = toy_folder();
        struct toy toy;
        struct snap_run *run;
        int told[2]; /* from the child: it is there */
        int held[2]; /* open as long as the child is to live */
        char byte;
        toy_init(&toy);
        CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
        assert_int_equal(pipe(told), 0);
        assert_int_equal(pipe(held), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(held[1]);
            if (gives_up)
                snap_run_after_fork(run);
            _exit(write(told[1], "x", 1) == 1 && read(held[0], &byte, 1) == 0 ? 0 : 1);
        }
        assert_int_equal(read(told[0], &byte, 1), 1);
        CHECK_OK(snap_run_close(run, &err)); /* as the end of the process does */
        run = NULL;
        if (gives_up)
            CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
        else
            CHECK_FAILS(SNAP_BUSY, NULL, toy_open(&toy, dir, NULL, &run, &err));
        CHECK_OK(snap_run_close(run, &err));
        close(held[1]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(held[0]);
        close(told[0]);
        close(told[1]);
        toy_release(&toy);
        toy_remove(dir);
        free(dir);
    }
    snap_run_after_fork(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_order_of_calls),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_inventory),
        cmocka_unit_test(test_storages),
        cmocka_unit_test(test_long_and_odd_names),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_after_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
