/* SPDX-License-Identifier: Apache-2.0 */
/* Restores: damaged and lost files, the alarm, other folders. When a restore is refused, nothing is
 * changed. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* A folder of 10 steps with snapshots after 4 and 8, made once and copied; and the same run when it
 * went on to step 12. */
static char *pattern;
static char *finished;

static int make_pattern(void **state)
{
    (void)state;
    pattern = toy_folder();
    finished = toy_folder();
    CHECK_OK(toy_train_in(pattern, 4, 10, &err));
    CHECK_OK(toy_train_in(finished, 4, 12, &err));
    return 0;
}

static int drop_pattern(void **state)
{
    (void)state;
    toy_remove(pattern);
    toy_remove(finished);
    free(pattern);
    free(finished);
    return 0;
}

static char *copy_pattern(void)
{
    static const char *const files[] = { "config.json",
                                         "events.jsonl",
                                         "latest",
                                         "ledger.jsonl",
                                         "snapshots/step-0000000004.snap.tar",
                                         "snapshots/step-0000000008.snap.tar" };
    char *dir = toy_folder();
    assert_int_equal(mkdir(toy_path(dir, "snapshots"), 0777), 0);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        toy_copy(toy_path(pattern, files[i]), toy_path(dir, files[i]));
    return dir;
}

static void drop(char *dir)
{
    toy_remove(dir);
    free(dir);
}

/* A restore of `dir` (and `archive`) must be refused with that status and text, and change
 * nothing. */
static void refuse_at(const char *dir, const char *archive, enum snap_tier require,
                      enum snap_status status, const char *fragment)
{
    struct toy toy;
    struct snap_run *run;
    unsigned char before[SNAP_DIGEST_BYTES];
    unsigned char after[SNAP_DIGEST_BYTES];
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, archive, &run, &err));
    toy_digest(&toy, before);
    CHECK_FAILS(status, fragment, snap_run_restore(run, require, NULL, NULL, &err));
    toy_digest(&toy, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(snap_run_steps_done(run), 0);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
}

static void refuse(const char *dir, enum snap_status status, const char *fragment)
{
    refuse_at(dir, NULL, SNAP_TIER_EXACT, status, fragment);
}

/* And the run must go on as if nothing had been. */
static void assert_goes_on(const char *dir)
{
    CHECK_OK(toy_train_in(dir, 4, 12, &err));
    assert_true(toy_same_files(toy_path(dir, "ledger.jsonl"), toy_path(finished, "ledger.jsonl")));
    assert_true(toy_same_files(toy_snapshot(dir, 12), toy_snapshot(finished, 12)));
}

static char *read_events(const char *dir)
{
    return toy_read(toy_path(dir, "events.jsonl"), NULL);
}

static void test_torn_line(void **state)
{
    (void)state;
    char *dir = copy_pattern();
    const char *path = toy_path(dir, "ledger.jsonl");
    size_t size;
    char *bytes = toy_read(path, &size);
    toy_write(path, bytes, size - 17);
    free(bytes);
    assert_goes_on(dir);
    char *events = read_events(dir);
    assert_non_null(strstr(events, "\"torn_bytes\":"));
    free(events);
    drop(dir);
}

/* Cut in the middle, before the snapshot: built again. */
static void test_lost_tail(void **state)
{
    (void)state;
    for (unsigned keep = 0; keep < 9; keep += 2) {
        char *dir = copy_pattern();
        const char *path = toy_path(dir, "ledger.jsonl");
        char *bytes = toy_read(path, NULL);
        char *end = bytes;
        for (unsigned line = 0; line < keep; line++)
            end = strchr(end, '\n') + 1;
        toy_write(path, bytes, (size_t)(end - bytes) + 30); /* and a torn line */
        free(bytes);
        assert_goes_on(dir);
        char *events = read_events(dir);
        assert_non_null(strstr(events, "\"rebuilt_lines\":"));
        free(events);
        drop(dir);
    }
}

static void test_lost_ledger(void **state)
{
    (void)state;
    char *dir = copy_pattern();
    assert_int_equal(unlink(toy_path(dir, "ledger.jsonl")), 0);
    assert_goes_on(dir);
    drop(dir);
    /* Without the ancestor it cannot be built. */
    dir = copy_pattern();
    assert_int_equal(unlink(toy_path(dir, "ledger.jsonl")), 0);
    assert_int_equal(unlink(toy_snapshot(dir, 4)), 0);
    refuse(dir, SNAP_CORRUPT, "is not in snapshots/");
    assert_null(toy_read(toy_path(dir, "ledger.jsonl"), NULL));
    /* With a beginning that reaches the ancestor, it can. */
    char *bytes = toy_read(toy_path(pattern, "ledger.jsonl"), NULL);
    char *end = bytes;
    for (unsigned line = 0; line < 5; line++)
        end = strchr(end, '\n') + 1;
    toy_write(toy_path(dir, "ledger.jsonl"), bytes, (size_t)(end - bytes));
    free(bytes);
    assert_goes_on(dir);
    drop(dir);
}

/* Exchange a piece of a file's text for another of the same length. */
static void falsify(const char *path, const char *from, const char *to)
{
    size_t size;
    char *bytes = toy_read(path, &size);
    char *at = strstr(bytes, from);
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
    toy_write(path, bytes, size);
    free(bytes);
}

static void test_falsified_line(void **state)
{
    (void)state;
    char *dir = copy_pattern();
    const char *path = toy_path(dir, "ledger.jsonl");
    falsify(path, "\"loss\":\"40be0000\"", "\"loss\":\"40be0001\""); /* step 1 */
    refuse(dir, SNAP_CORRUPT,
           "line 2 (step 1) was changed: loss: float.scalars.loss is 40be0001, and "
           "40be0000 in the snapshot");
    drop(dir);
    dir = copy_pattern();
    falsify(toy_path(dir, "ledger.jsonl"), "\"samples\":\"57ef", "\"samples\":\"57ee");
    refuse(dir, SNAP_CORRUPT, "line 2 (step 1) was changed: order: host.samples");
    drop(dir);
    /* After the last snapshot nobody has the true line: it is made again. */
    dir = copy_pattern();
    falsify(toy_path(dir, "ledger.jsonl"), "\"seen\":40", "\"seen\":41"); /* step 10 */
    assert_goes_on(dir);
    char *events = read_events(dir);
    assert_non_null(strstr(events, "\"why\":"));
    assert_non_null(strstr(events, "line 11 (step 10): off the chain"));
    free(events);
    drop(dir);
}

/* A ledger that is in order by itself, and of other steps. */
static void test_other_ledger(void **state)
{
    (void)state;
    char *dir = copy_pattern();
    char *bent = toy_folder();
    struct toy toy;
    struct snap_run *run;
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, bent, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 5, &err));
    toy.bend = 0.5f;
    CHECK_OK(toy_train(&toy, run, 9, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_copy(toy_path(bent, "ledger.jsonl"), toy_path(dir, "ledger.jsonl"));
    refuse(dir, SNAP_CORRUPT, "line 7 (step 6) was changed: loss");
    /* Of another run altogether. */
    toy_remove(bent);
    assert_int_equal(mkdir(bent, 0777), 0);
    toy_init(&toy);
    toy.weight[0] = 5;
    CHECK_OK(toy_open(&toy, bent, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 9, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_copy(toy_path(bent, "ledger.jsonl"), toy_path(dir, "ledger.jsonl"));
    refuse(dir, SNAP_INVALID, "and the archive is of run");
    drop(dir);
    drop(bent);
}

static void test_latest(void **state)
{
    (void)state;
    char *dir = copy_pattern();
    const char *path = toy_path(dir, "latest");
    assert_int_equal(unlink(path), 0);
    refuse(dir, SNAP_CORRUPT, "snap restore ");
    refuse(dir, SNAP_CORRUPT, "/snapshots/step-0000000008.snap.tar");
    toy_write(path, "{}\n", 3);
    refuse(dir, SNAP_CORRUPT, "is broken");
    toy_write(path, "", 0);
    refuse(dir, SNAP_CORRUPT, "is broken");
    toy_copy(toy_path(pattern, "latest"), path);
    falsify(path, "step-0000000008", "step-0000000004");
    refuse(dir, SNAP_CORRUPT, "names snapshots/step-0000000004.snap.tar with snap1:");
    toy_copy(toy_path(pattern, "latest"), path);
    falsify(path, "step-0000000008", "step-0000000007");
    refuse(dir, SNAP_CORRUPT, "which is not there");
    toy_copy(toy_path(pattern, "latest"), path);
    falsify(path, "snapshots/step-0", "snapshots/../../");
    refuse(dir, SNAP_CORRUPT, "is no name of a snapshot");
    drop(dir);
    /* The advice works: one of the snapshots, named. */
    dir = copy_pattern();
    assert_int_equal(unlink(toy_path(dir, "latest")), 0);
    struct toy toy;
    struct snap_run *run;
    toy_init(&toy);
    toy.every = 4;
    CHECK_OK(toy_open(&toy, dir, toy_snapshot(dir, 4), &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    assert_int_equal(snap_run_expected_last(run), 10);
    CHECK_OK(toy_train(&toy, run, 8, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    assert_goes_on(dir);
    drop(dir);
}

/* Every 61st byte of the archive changed, and the file cut: refused, nothing changed. */
static void test_damaged_archive(void **state)
{
    (void)state;
    char *dir = copy_pattern();
    size_t size;
    char *bytes = toy_read(toy_snapshot(dir, 8), &size);
    for (size_t i = 0; i < size; i += 997) {
        bytes[i] ^= 4;
        toy_write(toy_snapshot(dir, 8), bytes, size);
        bytes[i] ^= 4;
        refuse(dir, SNAP_CORRUPT, NULL);
    }
    for (size_t i = 0; i < size; i += 4096) {
        toy_write(toy_snapshot(dir, 8), bytes, i);
        refuse(dir, SNAP_CORRUPT, NULL);
    }
    free(bytes);
    drop(dir);
}

static void test_other_config(void **state)
{
    (void)state;
    char *dir = copy_pattern();
    char *fresh = toy_folder();
    struct toy toy;
    struct snap_run *run;
    struct snap_receipt *receipt = NULL;
    toy_init(&toy);
    toy.training = "{\"lr\":\"0.1\"}";
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_FAILS(SNAP_INVALID, "under another training needs a new folder",
                toy_restore(&toy, run, &receipt, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy.training = TOY_TRAINING;
    toy.profile = "host-1";
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_FAILS(SNAP_INVALID, "another profile needs a new folder",
                toy_restore(&toy, run, &receipt, &err));
    CHECK_OK(snap_run_close(run, &err));
    assert_null(receipt);
    toy_release(&toy);
    /* In a new folder, with another config. */
    toy_init(&toy);
    toy.training = "{\"lr\":\"0.1\"}";
    CHECK_OK(toy_open(&toy, fresh, toy_snapshot(dir, 8), &run, &err));
    CHECK_FAILS(SNAP_ABSENT, "the training config is another one",
                toy_restore(&toy, run, &receipt, &err));
    assert_int_equal(snap_receipt_tier(receipt), SNAP_TIER_STREAMS);
    snap_receipt_free(receipt);
    CHECK_OK(snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
    CHECK_OK(toy_take_position(&toy, run, &err));
    CHECK_OK(toy_train(&toy, run, 9, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    char *ledger = toy_read(toy_path(fresh, "ledger.jsonl"), NULL);
    assert_non_null(strstr(ledger, "\"parent\":{\"chain\":"));
    assert_non_null(strstr(ledger, "\"step\":8}"));
    assert_non_null(strstr(ledger, "\"step\":9}"));
    free(ledger);
    /* Stopped before its first snapshot: only the same archive begins it again. */
    refuse(fresh, SNAP_INVALID, "restore that one into it again");
    refuse_at(fresh, toy_snapshot(dir, 4), SNAP_TIER_EXACT, SNAP_INVALID, "");
    toy_init(&toy);
    toy.training = "{\"lr\":\"0.1\"}";
    CHECK_OK(toy_open(&toy, fresh, toy_snapshot(dir, 8), &run, &err));
    CHECK_OK(snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
    CHECK_OK(toy_take_position(&toy, run, &err));
    CHECK_OK(toy_train(&toy, run, 10, &err));
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    /* And then it is a run of its own. */
    toy_init(&toy);
    toy.training = "{\"lr\":\"0.1\"}";
    CHECK_OK(toy_open(&toy, fresh, NULL, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    assert_int_equal(snap_run_steps_done(run), 10);
    CHECK_OK(toy_train(&toy, run, 11, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    /* Another run's archive does not go into it. */
    refuse_at(dir, toy_snapshot(fresh, 10), SNAP_TIER_EXACT, SNAP_INVALID, "needs a new folder");
    drop(dir);
    drop(fresh);
}

/* The same, with the archive's chain going on under the same config: lines are those of the run. */
static void test_new_folder(void **state)
{
    (void)state;
    char *fresh = toy_folder();
    struct toy toy;
    struct snap_run *run;
    char left[SNAP_HASH_TEXT_BYTES];
    char right[SNAP_HASH_TEXT_BYTES];
    for (int pass = 0; pass < 2; pass++) {
        toy_init(&toy);
        CHECK_OK(toy_open(&toy, pass == 0 ? fresh : NULL, toy_snapshot(pattern, 8), &run, &err));
        CHECK_OK(toy_restore(&toy, run, NULL, &err));
        CHECK_OK(toy_train(&toy, run, 12, &err));
        CHECK_OK(snap_run_state_hash(run, pass == 0 ? left : right, &err));
        CHECK_OK(snap_run_close(run, &err));
        toy_release(&toy);
    }
    assert_string_equal(left, right);
    drop(fresh);
}

/* Under profile none a run goes on at tier streams, and old lines are not expected. */
static void test_profile_none(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    struct snap_receipt *receipt;
    toy_init(&toy);
    toy.profile = "none";
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 4, &err));
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(toy_train(&toy, run, 7, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_init(&toy);
    toy.profile = "none";
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_FAILS(SNAP_ABSENT, "the profile is none", toy_restore(&toy, run, &receipt, &err));
    snap_receipt_free(receipt);
    CHECK_OK(snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
    CHECK_OK(toy_take_position(&toy, run, &err));
    assert_int_equal(snap_run_expected_last(run), 0);
    toy.bend = 1;
    CHECK_OK(toy_train(&toy, run, 6, &err));
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    char *events = read_events(dir);
    assert_non_null(strstr(events, "\"dropped_lines\":3"));
    free(events);
    struct snap_ledger *ledger;
    CHECK_OK(snap_ledger_open(toy_path(dir, "ledger.jsonl"), &ledger, NULL, &err));
    assert_int_equal(snap_ledger_last_step(ledger), 6);
    snap_ledger_free(ledger);
    /* Not while a later snapshot stands there. */
    toy_init(&toy);
    toy.profile = "none";
    CHECK_OK(toy_open(&toy, dir, toy_snapshot(dir, 4), &run, &err));
    CHECK_FAILS(SNAP_INVALID, "has one of step 6",
                snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    drop(dir);
}

/* A binding that differs: the run does not go on in its own folder at a lower tier. */
static void test_own_folder_tier(void **state)
{
    (void)state;
    char *dir = copy_pattern();
    struct toy toy;
    struct snap_run *run;
    struct snap_receipt *receipt = NULL;
    toy_init(&toy);
    toy.binding = "{\"gpu\":\"H100\"}";
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_FAILS(SNAP_ABSENT, "in its own folder at tier exact",
                snap_run_restore(run, SNAP_TIER_STREAMS, NULL, &receipt, &err));
    assert_int_equal(snap_receipt_tier(receipt), SNAP_TIER_STREAMS);
    snap_receipt_free(receipt);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    assert_goes_on(dir);
    drop(dir);
}

static void test_moved_stream(void **state)
{
    (void)state;
    char *dir = copy_pattern();
    struct toy toy;
    struct snap_run *run;
    struct snap_ticket *ticket = NULL;
    double real;
    int64_t integers[2];
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_OK(snap_python_random(toy.python, &real, &err)); /* two words */
    CHECK_FAILS(SNAP_DIFFERS, "stream python: moved by 2 draws of 32 bits between the restore and",
                snap_run_begin_step(run, &err));
    CHECK_FAILS(SNAP_DIFFERS, "restore last", snap_run_begin_step(run, &err));
    CHECK_FAILS(SNAP_DIFFERS, "stream python", snap_run_capture(run, 8, NULL, &ticket, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_OK(snap_stream_seed(toy.numpy, 7, &err));
    CHECK_FAILS(SNAP_DIFFERS, "stream numpy: is another one", snap_run_begin_step(run, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    /* After the first step it is the ledger that sees it. */
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_OK(toy_step(&toy, run, &err));
    CHECK_OK(snap_numpy_randint(toy.numpy, 0, 10, integers, 2, &err));
    CHECK_FAILS(SNAP_DIFFERS, "step 10: ", toy_step(&toy, run, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    drop(dir);
}

static void test_not_restored(void **state)
{
    (void)state;
    char *dir = copy_pattern();
    struct toy toy;
    struct snap_run *run;
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_FAILS(SNAP_INVALID, "call snap_run_restore first", toy_step(&toy, run, &err));
    CHECK_FAILS(SNAP_INVALID, NULL, snap_run_restore(run, SNAP_TIER_NONE, NULL, NULL, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_FAILS(SNAP_INVALID, "already", toy_restore(&toy, run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    refuse_at(NULL, "/nowhere/at.all", SNAP_TIER_EXACT, SNAP_IO, "/nowhere/at.all");
    drop(dir);
}

/* A stream whose owner refuses the state: those set before are put back. */
static enum snap_status deny_set(void *arg, const void *bytes, size_t size,
                                 struct snap_error *error)
{
    (void)arg;
    (void)bytes;
    (void)size;
    return snap_error_set(error, SNAP_INVALID, "the owner says no");
}

static void test_refused_stream(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    struct snap_run *run;
    struct snap_stream *streams[2];
    struct snap_stream_ops ops = *snap_stream_ops();
    float weight = 1;
    options.dir = dir;
    options.profile = "host-1";
    options.no_read_back = true;
    for (int pass = 0; pass < 2; pass++) {
        struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
        tensor.root = "model";
        tensor.name = "w";
        tensor.data = &weight;
        tensor.dtype = SNAP_F32;
        for (int i = 0; i < 2; i++) {
            CHECK_OK(snap_stream_new("philox_dropout", &streams[i], &err));
            CHECK_OK(snap_philox_dropout_advance(streams[i], pass == 0 ? 5 : 1, &err));
        }
        CHECK_OK(snap_run_open(&options, &run, &err));
        CHECK_OK(snap_run_add_tensor(run, &tensor, &err));
        CHECK_OK(
            snap_run_add_stream(run, "a", "philox_dropout", snap_stream_ops(), streams[0], &err));
        if (pass == 1)
            ops.set = deny_set;
        CHECK_OK(snap_run_add_stream(run, "b", "philox_dropout", &ops, streams[1], &err));
        if (pass == 0) {
            CHECK_OK(toy_save(run, NULL, &err));
            weight = 2;
        } else {
            uint32_t counter;
            CHECK_FAILS(SNAP_INVALID, "the owner says no",
                        snap_run_restore(run, SNAP_TIER_EXACT, NULL, NULL, &err));
            CHECK_OK(snap_philox_dropout_counter(streams[0], &counter, &err));
            assert_int_equal(counter, 1);
            assert_true(weight == 2);
        }
        CHECK_OK(snap_run_close(run, &err));
        snap_stream_free(streams[0]);
        snap_stream_free(streams[1]);
    }
    drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torn_line),       cmocka_unit_test(test_lost_tail),
        cmocka_unit_test(test_lost_ledger),     cmocka_unit_test(test_falsified_line),
        cmocka_unit_test(test_other_ledger),    cmocka_unit_test(test_latest),
        cmocka_unit_test(test_damaged_archive), cmocka_unit_test(test_other_config),
        cmocka_unit_test(test_new_folder),      cmocka_unit_test(test_profile_none),
        cmocka_unit_test(test_own_folder_tier), cmocka_unit_test(test_moved_stream),
        cmocka_unit_test(test_not_restored),    cmocka_unit_test(test_refused_stream),
    };
    return cmocka_run_group_tests(tests, make_pattern, drop_pattern);
}
