/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that are stopped, or lose a call or a file, at places where that once cost the run. Calls of
 * the system fail through the linker's --wrap. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/limits.h"
#include "run/run_internal.h"
#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* ---- calls that fail ---- */

static bool short_write;      /* the next write to a ledger takes half */
static unsigned fail_cuts;    /* this many cuts of a ledger fail */
static bool fail_sync;        /* the next fsync of a ledger fails */
static unsigned folder_syncs; /* of snapshots/ */
static unsigned file_syncs;   /* of an archive */

int __real_fsync(int fd);
int __real_ftruncate(int fd, off_t size);
ssize_t __real_write(int fd, const void *data, size_t size);
int __wrap_fsync(int fd);
int __wrap_ftruncate(int fd, off_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);

static bool ends_in(int fd, const char *end)
{
    char link[64];
    char path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path);
    size_t length = strlen(end);
    return size >= (ssize_t)length && memcmp(path + size - length, end, length) == 0;
}

int __wrap_fsync(int fd)
{
    if (fail_sync && ends_in(fd, "/ledger.jsonl")) {
        fail_sync = false;
        errno = EIO;
        return -1;
    }
    folder_syncs += ends_in(fd, "/snapshots");
    file_syncs += ends_in(fd, ".snap.tar");
    return __real_fsync(fd);
}

int __wrap_ftruncate(int fd, off_t size)
{
    if (fail_cuts > 0 && ends_in(fd, "/ledger.jsonl")) {
        fail_cuts--;
        errno = EIO;
        return -1;
    }
    return __real_ftruncate(fd, size);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (short_write && ends_in(fd, "/ledger.jsonl")) {
        short_write = false;
        size /= 2;
    }
    return __real_write(fd, data, size);
}

/* ---- folders ---- */

static void drop(char *dir)
{
    toy_remove(dir);
    free(dir);
}

static char *trained(uint64_t every, uint64_t steps)
{
    char *dir = toy_folder();
    CHECK_OK(toy_train_in(dir, every, steps, &err));
    return dir;
}

static void assert_event(const char *dir, const char *fragment, bool there)
{
    char *events = toy_read(toy_path(dir, "events.jsonl"), NULL);
    assert_int_equal(strstr(events, fragment) != NULL, there);
    free(events);
}

static size_t count_lines(const char *dir)
{
    char *text = toy_read(toy_path(dir, "ledger.jsonl"), NULL);
    size_t count = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    free(text);
    return count;
}

/* The run of `dir`, gone on to 12 steps, is the run that was never stopped. */
static void assert_goes_on(const char *dir, uint64_t every)
{
    char *whole = trained(every, 12);
    CHECK_OK(toy_train_in(dir, every, 12, &err));
    assert_true(toy_same_files(toy_path(dir, "ledger.jsonl"), toy_path(whole, "ledger.jsonl")));
    assert_true(toy_same_files(toy_snapshot(dir, 12), toy_snapshot(whole, 12)));
    assert_true(toy_same_files(toy_path(dir, "latest"), toy_path(whole, "latest")));
    drop(whole);
}

/* Spoil 40 bytes of a line of the ledger, the genesis line being 0. */
static void spoil(const char *dir, unsigned line)
{
    size_t size;
    char *text = toy_read(toy_path(dir, "ledger.jsonl"), &size);
    char *at = text;
    while (line-- > 0)
        at = strchr(at, '\n') + 1;
    memset(at, 'x', 40);
    toy_write(toy_path(dir, "ledger.jsonl"), text, size);
    free(text);
}

static void cut_member(const char *path, const char *name)
{
    struct snap_archive *archive;
    size_t size;
    char *bytes = toy_read(path, &size);
    CHECK_OK(snap_archive_open(path, &archive, &err));
    const struct snap_member *member = snap_archive_find(archive, name);
    assert_non_null(member);
    size_t begin = (size_t)member->data_offset - 512;
    size_t end = (size_t)(member->data_offset + (member->data_size + 511) / 512 * 512);
    snap_archive_close(archive);
    memmove(bytes + begin, bytes + end, size - end);
    toy_write(path, bytes, size - (end - begin));
    free(bytes);
}

/* ---- the tests ---- */

/* A relative folder, and another working directory by the time of the restore. */
static void test_working_directory(void **state)
{
    (void)state;
    char *dir = trained(4, 6);
    char *back = getcwd(NULL, 0);
    char *parent = strdup(dir);
    struct toy toy;
    struct snap_run *run;
    *strrchr(parent, '/') = '\0';
    toy_init(&toy);
    toy.every = 4;
    assert_int_equal(chdir(parent), 0);
    CHECK_OK(toy_open(&toy, strrchr(dir, '/') + 1, NULL, &run, &err));
    assert_int_equal(chdir("/"), 0);
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    assert_int_equal(snap_run_expected_last(run), 6);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    assert_int_equal(chdir(back), 0);
    assert_event(dir, "rebuilt_lines", false);
    assert_int_equal(count_lines(dir), 7);
    assert_goes_on(dir, 4);
    free(parent);
    free(back);
    drop(dir);
}

static void test_failed_cut(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct toy before;
    struct snap_run *run;
    struct snap_ledger *ledger;
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 3, &err));
    size_t size;
    char *bytes = toy_read(toy_path(dir, "ledger.jsonl"), &size);
    CHECK_OK(toy_forward(&toy, run, &err));
    before = toy;
    short_write = true;
    fail_cuts = 2;
    CHECK_FAILS(SNAP_IO, "a torn line is left", toy_update(&toy, run, &err));
    assert_int_equal(fail_cuts, 1);
    /* The record is made again: not on top of the torn line. */
    struct snap_step_record record = SNAP_STEP_RECORD_INIT;
    record.step = 4;
    record.epoch = before.position.epoch;
    CHECK_FAILS(SNAP_IO, "cut off", snap_run_step(run, &record, &err));
    CHECK_OK(snap_run_step(run, &record, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    CHECK_OK(snap_ledger_open(toy_path(dir, "ledger.jsonl"), &ledger, NULL, &err));
    assert_int_equal(snap_ledger_last_step(ledger), 4);
    snap_ledger_free(ledger);
    free(bytes);
    drop(dir);
}

static void test_failed_sync(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 2, &err));
    fail_sync = true;
    CHECK_FAILS(SNAP_IO, "fsync", toy_save(run, NULL, &err));
    CHECK_FAILS(SNAP_IO, "an fsync of it failed before", toy_save(run, NULL, &err));
    CHECK_FAILS(SNAP_IO, "an fsync of it failed before", toy_step(&toy, run, &err));
    CHECK_FAILS(SNAP_IO, "an fsync of it failed before", snap_run_close(run, &err));
    toy_release(&toy);
    assert_null(toy_read(toy_path(dir, "latest"), NULL));
    drop(dir);
}

static void test_first_snapshot(void **state)
{
    (void)state;
    char *dir = trained(4, 6);
    assert_int_equal(unlink(toy_path(dir, "latest")), 0);
    assert_goes_on(dir, 4);
    assert_event(dir, "\"event\":\"latest\"", true);
    drop(dir);
    /* Damaged, off the ledger's chain, or not the first: it is for a person to say. */
    for (int way = 0; way < 3; way++) {
        struct toy toy;
        struct snap_run *run;
        dir = trained(4, way == 2 ? 8 : 6);
        assert_int_equal(unlink(toy_path(dir, "latest")), 0);
        if (way == 0) {
            size_t size;
            char *bytes = toy_read(toy_snapshot(dir, 4), &size);
            bytes[size / 2] ^= 1;
            toy_write(toy_snapshot(dir, 4), bytes, size);
            free(bytes);
        } else if (way == 1) {
            assert_int_equal(unlink(toy_path(dir, "ledger.jsonl")), 0);
        } else {
            assert_int_equal(unlink(toy_snapshot(dir, 4)), 0);
        }
        toy_init(&toy);
        CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
        CHECK_FAILS(SNAP_CORRUPT, "latest: is missing", toy_restore(&toy, run, NULL, &err));
        assert_non_null(strstr(err.text, "snap restore "));
        assert_non_null(strstr(err.text, "options.archive"));
        CHECK_OK(snap_run_close(run, &err));
        toy_release(&toy);
        assert_null(toy_read(toy_path(dir, "latest"), NULL));
        drop(dir);
    }
}

/* A torn genesis line is no run: another run may begin there, with a parent too. */
static void test_torn_genesis(void **state)
{
    (void)state;
    char *dir = toy_folder();
    char *parent = trained(4, 4);
    struct toy toy;
    struct snap_run *run;
    struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
    toy_write(toy_path(dir, "ledger.jsonl"), "{\"chain\":\"ab", 12);
    options.dir = dir;
    options.must_be_new = true;
    CHECK_OK(snap_run_open(&options, &run, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, toy_snapshot(parent, 4), &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_OK(toy_train(&toy, run, 5, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    char *ledger = toy_read(toy_path(dir, "ledger.jsonl"), NULL);
    assert_non_null(strstr(ledger, "\"parent\":{"));
    free(ledger);
    assert_int_equal(count_lines(dir), 2);
    assert_event(dir, "\"torn_bytes\":12", true);
    CHECK_FAILS(SNAP_INVALID, "holds a run", snap_run_open(&options, &run, &err));
    drop(dir);
    drop(parent);
}

static void test_existing_is_synced(void **state)
{
    (void)state;
    char *dir = trained(4, 4);
    struct toy toy;
    struct snap_run *run;
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    folder_syncs = 0;
    file_syncs = 0;
    CHECK_OK(toy_save(run, NULL, &err));
    assert_int_equal(folder_syncs, 1);
    assert_int_equal(file_syncs, 1);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    drop(dir);
}

static void test_existing_withheld(void **state)
{
    (void)state;
    char *dir = trained(4, 8);
    char *whole = trained(4, 8);
    struct toy toy;
    struct snap_run *run;
    cut_member(toy_snapshot(dir, 8), "tensors/model/weight");
    toy_init(&toy);
    toy.every = 4;
    CHECK_OK(toy_open(&toy, dir, toy_snapshot(dir, 4), &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_OK(toy_train(&toy, run, 8, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    assert_true(toy_same_files(toy_snapshot(dir, 8), toy_snapshot(whole, 8)));
    assert_event(dir, "1 members are withheld", true);
    drop(dir);
    drop(whole);
}

/* A lost ledger, or lost last lines of it, and an older archive: what later snapshots tell is
 * expected again. */
static void test_lost_later_lines(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        char *dir = trained(2, 8);
        struct toy toy;
        struct snap_run *run;
        char *text = toy_read(toy_path(dir, "ledger.jsonl"), NULL);
        char *end = text;
        for (int line = 0; line < 5; line++)
            end = strchr(end, '\n') + 1;
        if (way == 0)
            assert_int_equal(unlink(toy_path(dir, "ledger.jsonl")), 0);
        else
            toy_write(toy_path(dir, "ledger.jsonl"), text, (size_t)(end - text));
        toy_init(&toy);
        CHECK_OK(toy_open(&toy, dir, toy_snapshot(dir, 2), &run, &err));
        CHECK_OK(toy_restore(&toy, run, NULL, &err));
        assert_int_equal(snap_run_expected_last(run), 8);
        toy.bend = 1;
        CHECK_FAILS(SNAP_DIFFERS, "step 3: loss", toy_step(&toy, run, &err));
        CHECK_OK(snap_run_close(run, &err));
        toy_release(&toy);
        char *again = toy_read(toy_path(dir, "ledger.jsonl"), NULL);
        assert_string_equal(text, again);
        free(text);
        free(again);
        drop(dir);
    }
}

static void test_damaged_later_lines(void **state)
{
    (void)state;
    /* Nobody has the lines: those before are kept, and still expected. */
    char *dir = trained(4, 7);
    struct toy toy;
    struct snap_run *run;
    spoil(dir, 6);
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    assert_int_equal(snap_run_expected_last(run), 5);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    assert_int_equal(count_lines(dir), 6);
    assert_event(dir, "\"damaged_bytes\":", true);
    assert_goes_on(dir, 4);
    drop(dir);
    /* A later snapshot has them. */
    dir = trained(4, 8);
    spoil(dir, 6);
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, toy_snapshot(dir, 4), &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    assert_int_equal(snap_run_expected_last(run), 8);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    assert_event(dir, "\"damaged_bytes\":", true);
    assert_goes_on(dir, 4);
    drop(dir);
    /* Before the archive's step: refused, with the way out, which works. */
    dir = trained(4, 7);
    spoil(dir, 2);
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_FAILS(SNAP_CORRUPT, "move it out of the folder", toy_restore(&toy, run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    assert_int_equal(unlink(toy_path(dir, "ledger.jsonl")), 0);
    assert_goes_on(dir, 4);
    drop(dir);
}

/* `latest` stays on a later snapshot of the same lines. */
static void test_latest_stays(void **state)
{
    (void)state;
    char *dir = trained(4, 8);
    struct toy toy;
    struct snap_run *run;
    char *before = toy_read(toy_path(dir, "latest"), NULL);
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, toy_snapshot(dir, 4), &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_OK(toy_train(&toy, run, 6, &err));
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    char *after = toy_read(toy_path(dir, "latest"), NULL);
    assert_string_equal(before, after);
    free(after);
    /* A damaged one is not worth it. */
    toy_write(toy_snapshot(dir, 8), "", 0);
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, toy_snapshot(dir, 4), &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_OK(toy_train(&toy, run, 6, &err));
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    after = toy_read(toy_path(dir, "latest"), NULL);
    assert_non_null(strstr(after, "step-0000000006"));
    free(after);
    free(before);
    drop(dir);
}

static enum snap_status deny_set(void *arg, const void *bytes, size_t size,
                                 struct snap_error *error)
{
    (void)arg;
    (void)bytes;
    (void)size;
    return snap_error_set(error, SNAP_INVALID, "the owner says no");
}

/* Profile none: a stream refuses, nothing is changed, and the later lines are there still. */
static void test_ledger_cut_last(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    struct snap_stream_ops ops = *snap_stream_ops();
    toy_init(&toy);
    toy.profile = "none";
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 3, &err));
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(toy_train(&toy, run, 6, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_init(&toy);
    toy.profile = "none";
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    ops.set = deny_set;
    run->inventory.streams[0].ops = &ops;
    CHECK_FAILS(SNAP_INVALID, "the owner says no",
                snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
    assert_int_equal(count_lines(dir), 7);
    assert_event(dir, "dropped_lines", false);
    run->inventory.streams[0].ops = snap_stream_ops();
    CHECK_OK(snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
    assert_int_equal(count_lines(dir), 4);
    assert_event(dir, "\"dropped_lines\":3", true);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    /* The cut itself fails: memory is as the archive says, and the run is not. */
    toy_init(&toy);
    toy.profile = "none";
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
    CHECK_OK(toy_take_position(&toy, run, &err));
    CHECK_OK(toy_train(&toy, run, 5, &err));
    CHECK_OK(snap_run_close(run, &err));
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    fail_cuts = 1;
    CHECK_FAILS(SNAP_IO, "memory is unusable",
                snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
    assert_int_equal(fail_cuts, 0);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    assert_int_equal(count_lines(dir), 6);
    drop(dir);
}

/* Profile none before the first snapshot: the run begins again, with other floats too. */
static void test_begin_anew(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        char *dir = toy_folder();
        struct toy toy;
        struct snap_run *run;
        toy_init(&toy);
        toy.profile = "none";
        CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
        CHECK_OK(toy_train(&toy, run, 3, &err));
        CHECK_OK(snap_run_close(run, &err));
        toy_release(&toy);
        toy_init(&toy);
        toy.profile = "none";
        if (way == 2)
            toy.training = "{\"lr\":\"7\"}";
        CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
        CHECK_FAILS(SNAP_NOT_FOUND, NULL,
                    snap_run_restore(run, SNAP_TIER_STREAMS, NULL, NULL, &err));
        toy.bend = 1;
        if (way == 1)
            toy.weight[0] += 1;
        if (way == 2) {
            CHECK_FAILS(SNAP_DIFFERS, "host.training", toy_step(&toy, run, &err));
            CHECK_OK(snap_run_close(run, &err));
            assert_int_equal(count_lines(dir), 4);
        } else {
            CHECK_OK(toy_train(&toy, run, 2, &err));
            CHECK_OK(toy_save(run, NULL, &err));
            CHECK_OK(snap_run_close(run, &err));
            assert_int_equal(count_lines(dir), 3);
            assert_event(dir, way == 0 ? "\"dropped_lines\":3" : "\"dropped_lines\":4", true);
            struct snap_verdict *verdict;
            CHECK_OK(snap_verify_run(dir, NULL, &verdict, &err));
            snap_verdict_free(verdict);
        }
        toy_release(&toy);
        drop(dir);
    }
}

/* A save is wanted before the lines since the last one are more than an archive can hold. */
static void test_many_lines(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    assert_null(snap_run_difference(NULL));
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 3, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING);
    size_t size = run->link.lines.size;
    run->link.lines.size = SNAP_MAX_LEDGER_BYTES - 2 * SNAP_MAX_LEDGER_LINE_BYTES;
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE);
    run->link.lines.size = size;
    CHECK_OK(toy_save(run, NULL, &err));
    run->link.lines.size = SNAP_MAX_LEDGER_BYTES - 2 * SNAP_MAX_LEDGER_LINE_BYTES;
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING); /* it was saved */
    run->link.lines.size = size;
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_working_directory), cmocka_unit_test(test_failed_cut),
        cmocka_unit_test(test_failed_sync),       cmocka_unit_test(test_first_snapshot),
        cmocka_unit_test(test_torn_genesis),      cmocka_unit_test(test_existing_is_synced),
        cmocka_unit_test(test_existing_withheld), cmocka_unit_test(test_lost_later_lines),
        cmocka_unit_test(test_damaged_later_lines), cmocka_unit_test(test_latest_stays),
        cmocka_unit_test(test_ledger_cut_last),   cmocka_unit_test(test_begin_anew),
        cmocka_unit_test(test_many_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
