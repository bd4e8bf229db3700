/* SPDX-License-Identifier: Apache-2.0 */
/* A run: steps, ledger, saves, requests; a run that stops and goes on is the run that never
 * stopped. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static const char *snapshot(const char *dir, unsigned step)
{
    char name[64];
    snprintf(name, sizeof name, "snapshots/step-%010u.snap.tar", step);
    return toy_path(dir, name);
}

/* Train in `dir` until `steps` are done, from wherever it stands, and close. */
static void train(const char *dir, uint64_t every, uint64_t steps)
{
    struct toy toy;
    struct snap_run *run;
    toy_init(&toy);
    toy.every = every;
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    enum snap_status status = toy_restore(&toy, run, NULL, &err);
    assert_true(status == SNAP_OK || status == SNAP_NOT_FOUND);
    CHECK_OK(toy_train(&toy, run, steps, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
}

static void assert_same_runs(const char *left, const char *right, unsigned every, unsigned steps)
{
    assert_true(toy_same_files(toy_path(left, "ledger.jsonl"), toy_path(right, "ledger.jsonl")));
    for (unsigned step = every; step <= steps; step += every)
        assert_true(toy_same_files(snapshot(left, step), snapshot(right, step)));
}

/* Stop and go on after every step. */
static void test_every_step(void **state)
{
    (void)state;
    char *whole = toy_folder();
    char *pieces = toy_folder();
    train(whole, 1, 16);
    for (uint64_t step = 1; step <= 16; step++)
        train(pieces, 1, step);
    assert_same_runs(whole, pieces, 1, 16);
    toy_remove(whole);
    toy_remove(pieces);
    free(whole);
    free(pieces);
}

/* Stop between snapshots, at every place: steps are made again, and must come out as they were. */
static void test_every_place(void **state)
{
    (void)state;
    char *whole = toy_folder();
    train(whole, 4, 12);
    for (uint64_t stop = 1; stop <= 12; stop++) {
        char *dir = toy_folder();
        train(dir, 4, stop);
        train(dir, 4, stop); /* a second restore in a row */
        train(dir, 4, 12);
        assert_same_runs(whole, dir, 4, 12);
        toy_remove(dir);
        free(dir);
    }
    toy_remove(whole);
    free(whole);
}

/* The same state by other numbers of threads is the same file. */
static void test_threads(void **state)
{
    (void)state;
    static const unsigned threads[] = { 1, 2, 3, 7 };
    char *dirs[4];
    for (size_t i = 0; i < 4; i++) {
        struct toy toy;
        struct snap_run *run;
        struct snap_pool *pool;
        dirs[i] = toy_folder();
        CHECK_OK(snap_pool_new(threads[i], &pool, &err));
        toy_init(&toy);
        toy.pool = pool;
        toy.every = 3;
        CHECK_OK(toy_open(&toy, dirs[i], NULL, &run, &err));
        CHECK_OK(toy_train(&toy, run, 6, &err));
        CHECK_OK(snap_run_close(run, &err));
        toy_release(&toy);
        snap_pool_free(pool);
        assert_same_runs(dirs[0], dirs[i], 3, 6);
    }
    for (size_t i = 0; i < 4; i++) {
        toy_remove(dirs[i]);
        free(dirs[i]);
    }
}

/* A save that nobody else makes moves no hash of the run; the later snapshot has another parent. */
static void test_extra_save(void **state)
{
    (void)state;
    char *plain = toy_folder();
    char *extra = toy_folder();
    char hash[SNAP_HASH_TEXT_BYTES];
    struct toy toy;
    struct snap_run *run;
    struct snap_archive *left;
    struct snap_archive *right;
    train(plain, 4, 8);
    toy_init(&toy);
    toy.every = 4;
    CHECK_OK(toy_open(&toy, extra, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 6, &err));
    CHECK_OK(toy_save(run, hash, &err));
    char *first = toy_read(snapshot(extra, 6), NULL);
    CHECK_OK(toy_save(run, hash, &err)); /* and once more: the same file */
    char *second = toy_read(snapshot(extra, 6), NULL);
    assert_string_equal(first, second);
    free(first);
    free(second);
    CHECK_OK(toy_train(&toy, run, 8, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    assert_true(toy_same_files(toy_path(plain, "ledger.jsonl"), toy_path(extra, "ledger.jsonl")));
    CHECK_OK(snap_archive_open(snapshot(plain, 8), &left, &err));
    CHECK_OK(snap_archive_open(snapshot(extra, 8), &right, &err));
    assert_string_equal(snap_archive_state_hash(left), snap_archive_state_hash(right));
    assert_string_equal(snap_archive_run_hash(left), snap_archive_run_hash(right));
    assert_string_not_equal(snap_archive_snapshot_hash(left), snap_archive_snapshot_hash(right));
    assert_string_equal(snap_archive_parent(right), hash);
    char *kept = strdup(snap_archive_snapshot_hash(right));
    snap_archive_close(left);
    snap_archive_close(right);
    /* From step 4 again, without the extra save: the file of step 8 is there and stays. */
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, extra, snapshot(extra, 4), &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_OK(toy_train(&toy, run, 8, &err));
    CHECK_OK(toy_save(run, hash, &err));
    assert_string_equal(hash, kept);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    char *latest = toy_read(toy_path(extra, "latest"), NULL);
    assert_non_null(strstr(latest, kept));
    free(latest);
    free(kept);
    toy_remove(plain);
    toy_remove(extra);
    free(plain);
    free(extra);
}

/* A snapshot that is there with another state is not overwritten; a damaged one is made again. */
static void test_existing(void **state)
{
    (void)state;
    char *dir = toy_folder();
    char *good = toy_folder();
    struct toy toy;
    struct snap_run *run;
    size_t size;
    train(good, 4, 8);
    train(dir, 4, 4);
    char *bytes = toy_read(snapshot(good, 4), &size);
    toy_write(snapshot(dir, 8), bytes, size); /* the state of step 4 under the name of step 8 */
    toy_init(&toy);
    toy.every = 4;
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_FAILS(SNAP_DIFFERS, "another state", toy_train(&toy, run, 8, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    char *now = toy_read(snapshot(dir, 8), NULL);
    assert_memory_equal(now, bytes, size);
    free(now);
    free(bytes);
    /* One bit of a tensor. */
    bytes = toy_read(snapshot(good, 8), &size);
    bytes[size / 2] ^= 1;
    toy_write(snapshot(dir, 8), bytes, size);
    free(bytes);
    train(dir, 4, 8);
    assert_same_runs(good, dir, 4, 8);
    char *events = toy_read(toy_path(dir, "events.jsonl"), NULL);
    assert_non_null(strstr(events, "\"event\":\"replaced\""));
    free(events);
    toy_remove(dir);
    toy_remove(good);
    free(dir);
    free(good);
}

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
    CHECK_FAILS(SNAP_INVALID, "ticket", snap_run_wait(run, ticket, hash, &err));
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
    options.world = 2;
    CHECK_FAILS(SNAP_UNSUPPORTED, "one process", snap_run_open(&options, &run, &err));
    options.world = 1;
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
    train(dir, 2, 2);
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

/* The first step that comes out otherwise is named, and nothing is written. */
static void test_expectation(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    train(dir, 4, 7);
    char *before = toy_read(toy_path(dir, "ledger.jsonl"), NULL);
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    assert_int_equal(snap_run_steps_done(run), 4);
    assert_int_equal(snap_run_expected_last(run), 7);
    assert_null(snap_run_difference(run));
    CHECK_OK(toy_train(&toy, run, 5, &err));
    toy.bend = 0.5f;
    CHECK_FAILS(SNAP_DIFFERS, "step 6: loss differs from the ledger: float.scalars.loss",
                toy_train(&toy, run, 6, &err));
    const struct snap_ledger_difference *difference = snap_run_difference(run);
    assert_non_null(difference);
    assert_int_equal(difference->step, 6);
    assert_string_equal(difference->kind, "loss");
    assert_int_equal(snap_run_steps_done(run), 5);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    char *after = toy_read(toy_path(dir, "ledger.jsonl"), NULL);
    assert_string_equal(before, after);
    free(before);
    free(after);
    /* A run that never made a snapshot begins again: from the same genesis line. */
    toy_remove(dir);
    assert_int_equal(mkdir(dir, 0777), 0);
    train(dir, 0, 3);
    train(dir, 0, 5);
    toy_init(&toy);
    toy.weight[0] += 1;
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_FAILS(SNAP_DIFFERS, "genesis line: genesis differs from the ledger: float.state",
                toy_step(&toy, run, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_remove(dir);
    free(dir);
}

/* Runs in memory: a replay against a ledger. */
static void test_memory(void **state)
{
    (void)state;
    char *dir = toy_folder();
    char hash[SNAP_HASH_TEXT_BYTES];
    char text[200];
    struct toy toy;
    struct snap_run *run;
    struct snap_ledger *ledger;
    struct snap_archive *archive;
    struct snap_ticket *ticket;
    train(dir, 4, 9);
    CHECK_OK(snap_ledger_open(toy_path(dir, "ledger.jsonl"), &ledger, NULL, &err));
    CHECK_OK(snap_archive_open(snapshot(dir, 8), &archive, &err));
    /* From an archive. */
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, NULL, snapshot(dir, 4), &run, &err));
    CHECK_FAILS(SNAP_INVALID, "restore first", snap_run_expect(run, ledger, &err));
    CHECK_FAILS(SNAP_INVALID, "snap_run_restore", toy_step(&toy, run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_OK(snap_run_expect(run, ledger, &err));
    assert_int_equal(snap_run_expected_last(run), 9);
    CHECK_OK(toy_train(&toy, run, 6, &err));
    CHECK_FAILS(SNAP_DIFFERS, "step 8: archive and run: epoch: 2 and 1",
                snap_run_compare(run, archive, text, sizeof text, &err));
    assert_string_equal(text, "epoch: 2 and 1");
    CHECK_OK(toy_train(&toy, run, 8, &err));
    CHECK_OK(snap_run_compare(run, archive, text, sizeof text, &err));
    CHECK_OK(snap_run_state_hash(run, hash, &err));
    assert_string_equal(hash, snap_archive_state_hash(archive));
    toy.weight[4] = 100;
    CHECK_FAILS(SNAP_DIFFERS, "model/weight: 1 of 6 elements differ",
                snap_run_compare(run, archive, text, sizeof text, &err));
    CHECK_FAILS(SNAP_DIFFERS, "step 9: state differs from the ledger",
                toy_train(&toy, run, 9, &err));
    CHECK_FAILS(SNAP_UNSUPPORTED, "no folder", snap_run_capture(run, 8, NULL, &ticket, &err));
    assert_null(snap_run_dir(run));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    /* From the beginning. */
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, NULL, NULL, &run, &err));
    CHECK_OK(snap_run_expect(run, ledger, &err));
    CHECK_OK(toy_train(&toy, run, 12, &err)); /* past the ledger's end too */
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    /* Against the ledger of another run. */
    toy_init(&toy);
    toy.training = "{\"lr\":\"0.1\"}";
    CHECK_OK(toy_open(&toy, NULL, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 3, &err));
    CHECK_FAILS(SNAP_DIFFERS, "another run", snap_run_expect(run, ledger, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    snap_ledger_free(ledger);
    snap_archive_close(archive);
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
    t.device.kind = SNAP_DEVICE_CUDA;
    CHECK_FAILS(SNAP_UNSUPPORTED, "host memory", snap_run_add_tensor(run, &t, &err));
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
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    CHECK_OK(snap_archive_open(snapshot(dir, 0), &archive, &err));
    assert_int_equal(snap_archive_storage_count(archive), 3);
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
    CHECK_OK(snap_archive_open(snapshot(dir, 0), &archive, &err));
    assert_string_equal(snap_archive_storage_name(archive, 1, NULL), "tensors/model/~000001");
    assert_string_equal(snap_archive_storage_name(archive, 2, NULL), "tensors/model/~000002");
    snap_archive_close(archive);
    toy_remove(dir);
    free(dir);
}

static void test_staging_limit(void **state)
{
    (void)state;
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run;
    unsigned char bytes[100] = { 0 };
    char hash[SNAP_HASH_TEXT_BYTES];
    options.staging_bytes = 99;
    CHECK_OK(snap_run_open(&options, &run, &err));
    CHECK_OK(snap_run_add_value(run, "bytes", true, bytes, sizeof bytes, &err));
    CHECK_FAILS(SNAP_UNSUPPORTED, "staging", snap_run_state_hash(run, hash, &err));
    CHECK_OK(snap_run_close(run, &err));
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

/* A disk that takes part of a line: none of it stays. */
static void test_full_disk(void **state)
{
    (void)state;
    char *dir = toy_folder();
    char *whole = toy_folder();
    struct toy toy;
    struct snap_run *run;
    struct rlimit old;
    size_t size;
    train(whole, 4, 6);
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 3, &err));
    char *before = toy_read(toy_path(dir, "ledger.jsonl"), &size);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = { size + 10, old.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    CHECK_FAILS(SNAP_IO, "add a line", toy_step(&toy, run, &err));
    assert_int_equal(snap_run_steps_done(run), 3);
    CHECK_OK(snap_run_close(run, &err));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    toy_release(&toy);
    char *after = toy_read(toy_path(dir, "ledger.jsonl"), NULL);
    assert_string_equal(before, after);
    free(before);
    free(after);
    train(dir, 4, 6);
    assert_same_runs(whole, dir, 4, 6);
    toy_remove(dir);
    toy_remove(whole);
    free(dir);
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_step),     cmocka_unit_test(test_every_place),
        cmocka_unit_test(test_threads),        cmocka_unit_test(test_extra_save),
        cmocka_unit_test(test_existing),       cmocka_unit_test(test_requests),
        cmocka_unit_test(test_order_of_calls), cmocka_unit_test(test_options),
        cmocka_unit_test(test_busy),           cmocka_unit_test(test_expectation),
        cmocka_unit_test(test_memory),         cmocka_unit_test(test_inventory),
        cmocka_unit_test(test_storages),       cmocka_unit_test(test_long_and_odd_names),
        cmocka_unit_test(test_staging_limit),  cmocka_unit_test(test_events),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
