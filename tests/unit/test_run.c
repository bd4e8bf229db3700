/* SPDX-License-Identifier: Apache-2.0 */
/* A run that stops and goes on is the run that never stopped. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static void assert_same_runs(const char *left, const char *right, unsigned every, unsigned steps)
{
    assert_true(toy_same_files(toy_path(left, "ledger.jsonl"), toy_path(right, "ledger.jsonl")));
    for (unsigned step = every; step <= steps; step += every)
        assert_true(toy_same_files(toy_snapshot(left, step), toy_snapshot(right, step)));
}

/* Stop and go on after every step. */
static void test_every_step(void **state)
{
    (void)state;
    char *whole = toy_folder();
    char *pieces = toy_folder();
    CHECK_OK(toy_train_in(whole, 1, 16, &err));
    for (uint64_t step = 1; step <= 16; step++)
        CHECK_OK(toy_train_in(pieces, 1, step, &err));
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
    CHECK_OK(toy_train_in(whole, 4, 12, &err));
    for (uint64_t stop = 1; stop <= 12; stop++) {
        char *dir = toy_folder();
        CHECK_OK(toy_train_in(dir, 4, stop, &err));
        CHECK_OK(toy_train_in(dir, 4, stop, &err)); /* a second restore in a row */
        CHECK_OK(toy_train_in(dir, 4, 12, &err));
        assert_same_runs(whole, dir, 4, 12);
        toy_remove(dir);
        free(dir);
    }
    toy_remove(whole);
    free(whole);
}

/* What a line says of the draws: of this step alone, device streams in the float part. */
static void test_draws(void **state)
{
    (void)state;
    char *dir = toy_folder();
    CHECK_OK(toy_train_in(dir, 0, 2, &err));
    char *ledger = toy_read(toy_path(dir, "ledger.jsonl"), NULL);
    char *second = strstr(ledger, "\"step\":1}");
    assert_non_null(second);
    second = strchr(second, '\n') + 1;
    assert_non_null(strstr(second, "\"float\":{\"draws\":{\"device\":2},"));
    assert_non_null(strstr(second, "\"host\":{\"draws\":{\"host\":0,\"numpy\":5,\"python\":0},"));
    free(ledger);
    toy_remove(dir);
    free(dir);
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
    CHECK_OK(toy_train_in(plain, 4, 8, &err));
    toy_init(&toy);
    toy.every = 4;
    CHECK_OK(toy_open(&toy, extra, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 6, &err));
    CHECK_OK(toy_save(run, hash, &err));
    char *first = toy_read(toy_snapshot(extra, 6), NULL);
    CHECK_OK(toy_save(run, hash, &err)); /* and once more: the same file */
    char *second = toy_read(toy_snapshot(extra, 6), NULL);
    assert_string_equal(first, second);
    free(first);
    free(second);
    CHECK_OK(toy_train(&toy, run, 8, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    assert_true(toy_same_files(toy_path(plain, "ledger.jsonl"), toy_path(extra, "ledger.jsonl")));
    CHECK_OK(snap_archive_open(toy_snapshot(plain, 8), &left, &err));
    CHECK_OK(snap_archive_open(toy_snapshot(extra, 8), &right, &err));
    assert_string_equal(snap_archive_state_hash(left), snap_archive_state_hash(right));
    assert_string_equal(snap_archive_run_hash(left), snap_archive_run_hash(right));
    assert_string_not_equal(snap_archive_snapshot_hash(left), snap_archive_snapshot_hash(right));
    assert_string_equal(snap_archive_parent(right), hash);
    char *kept = strdup(snap_archive_snapshot_hash(right));
    snap_archive_close(left);
    snap_archive_close(right);
    /* From step 4 again, without the extra save: the file of step 8 is there and stays. */
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, extra, toy_snapshot(extra, 4), &run, &err));
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
    CHECK_OK(toy_train_in(good, 4, 8, &err));
    CHECK_OK(toy_train_in(dir, 4, 4, &err));
    char *bytes = toy_read(toy_snapshot(good, 4), &size);
    toy_write(toy_snapshot(dir, 8), bytes, size); /* the state of step 4 under the name of step 8 */
    toy_init(&toy);
    toy.every = 4;
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_FAILS(SNAP_DIFFERS, "another state", toy_train(&toy, run, 8, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    char *now = toy_read(toy_snapshot(dir, 8), NULL);
    assert_memory_equal(now, bytes, size);
    free(now);
    free(bytes);
    /* The same lines, and another state: something was changed after the line of the step. */
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    toy.half[0] ^= 1;
    CHECK_FAILS(SNAP_DIFFERS, "another state", toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    /* One bit of a tensor. */
    bytes = toy_read(toy_snapshot(good, 8), &size);
    bytes[size / 2] ^= 1;
    toy_write(toy_snapshot(dir, 8), bytes, size);
    free(bytes);
    CHECK_OK(toy_train_in(dir, 4, 8, &err));
    assert_same_runs(good, dir, 4, 8);
    char *events = toy_read(toy_path(dir, "events.jsonl"), NULL);
    assert_non_null(strstr(events, "\"event\":\"replaced\""));
    free(events);
    toy_remove(dir);
    toy_remove(good);
    free(dir);
    free(good);
}

/* The first step that comes out otherwise is named, and nothing is written. */
static void test_expectation(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    CHECK_OK(toy_train_in(dir, 4, 7, &err));
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
    CHECK_OK(toy_train_in(dir, 0, 3, &err));
    CHECK_OK(toy_train_in(dir, 0, 5, &err));
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
    CHECK_OK(toy_train_in(dir, 4, 9, &err));
    CHECK_OK(snap_ledger_open(toy_path(dir, "ledger.jsonl"), &ledger, NULL, &err));
    CHECK_OK(snap_archive_open(toy_snapshot(dir, 8), &archive, &err));
    /* From an archive. */
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, NULL, toy_snapshot(dir, 4), &run, &err));
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
    CHECK_OK(toy_train_in(whole, 4, 6, &err));
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
    CHECK_OK(toy_train_in(dir, 4, 6, &err));
    assert_same_runs(whole, dir, 4, 6);
    toy_remove(dir);
    toy_remove(whole);
    free(dir);
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_step),  cmocka_unit_test(test_every_place),
        cmocka_unit_test(test_draws),       cmocka_unit_test(test_threads),
        cmocka_unit_test(test_extra_save),  cmocka_unit_test(test_existing),
        cmocka_unit_test(test_expectation), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
