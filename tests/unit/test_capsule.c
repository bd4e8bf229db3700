/* SPDX-License-Identifier: Apache-2.0 */
/* Capsules: the state from before a step that failed, its batch, and what went wrong. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "format/archive_read.h"
#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* Steps 1 to 6 with a save after 4; then the forward pass of step 7, which ends in a NaN. */
static void fail_at_seven(struct toy *toy, const char *dir, struct snap_run **run)
{
    toy_init(toy);
    toy->every = 4;
    CHECK_OK(toy_open(toy, dir, NULL, run, &err));
    enum snap_status status = toy_restore(toy, *run, NULL, &err);
    assert_true(status == SNAP_OK || status == SNAP_NOT_FOUND);
    CHECK_OK(toy_train(toy, *run, 6, &err));
    CHECK_OK(toy_forward(toy, *run, &err));
}

static struct snap_failure failure_of(const struct snap_attachment *attachments, size_t count)
{
    struct snap_failure failure = SNAP_FAILURE_INIT;
    failure.step = 7;
    failure.what = "gradient";
    failure.name = "model/weight";
    failure.value = "nan";
    failure.element = 3;
    failure.attachments = attachments;
    failure.attachment_count = count;
    return failure;
}

static void test_capsule(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct toy whole;
    struct snap_run *run;
    struct snap_run *other;
    struct snap_archive *archive;
    char path[4096];
    char there[SNAP_HASH_TEXT_BYTES];
    unsigned char before[SNAP_DIGEST_BYTES];
    unsigned char after[SNAP_DIGEST_BYTES];
    fail_at_seven(&toy, dir, &run);
    struct snap_attachment batch[] = { { "batch.samples", toy.order, 16 },
                                       { "batch.images", "xyz", 3 } };
    struct snap_failure failure = failure_of(batch, 2);
    char *latest = toy_read(toy_path(dir, "latest"), NULL);
    CHECK_FAILS(SNAP_INVALID, "too few", snap_run_capsule(run, &failure, path, 10, &err));
    CHECK_OK(snap_run_capsule(run, &failure, path, sizeof path, &err));
    assert_string_equal(path, toy_path(dir, "capsules/step-0000000007.snap.tar"));
    char *latest_after = toy_read(toy_path(dir, "latest"), NULL);
    assert_string_equal(latest, latest_after);
    free(latest);
    free(latest_after);
    /* The state of it is the state after step 6 of a run that had no failure. */
    toy_init(&whole);
    CHECK_OK(toy_open(&whole, NULL, NULL, &other, &err));
    CHECK_OK(toy_train(&whole, other, 6, &err));
    CHECK_OK(snap_run_state_hash(other, there, &err));
    CHECK_OK(snap_archive_open(path, &archive, &err));
    CHECK_OK(snap_archive_check(archive, NULL, &err));
    assert_string_equal(snap_archive_kind(archive), "capsule");
    assert_int_equal(snap_archive_step(archive), 6);
    assert_string_equal(snap_archive_state_hash(archive), there);
    assert_non_null(strstr(snap_archive_json(archive, "manifest.json"),
                           "\"failure\":{\"element\":3,\"name\":\"model/weight\",\"step\":7,"
                           "\"value\":\"nan\",\"what\":\"gradient\"}"));
    const struct snap_member *member = snap_archive_find(archive, "extra/batch.images");
    assert_non_null(member);
    assert_false(member->in_state);
    assert_int_equal(member->data_size, 3);
    snap_archive_close(archive);
    CHECK_OK(snap_run_close(other, &err));
    /* The same failure again is the same file. */
    size_t size;
    size_t size_again;
    char *bytes = toy_read(path, &size);
    CHECK_OK(snap_run_capsule(run, &failure, NULL, 0, &err));
    char *again = toy_read(path, &size_again);
    assert_int_equal(size, size_again);
    assert_memory_equal(bytes, again, size);
    free(bytes);
    free(again);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    /* A replay of the capsule stands before step 7 and makes it. */
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, NULL, path, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    assert_int_equal(snap_run_steps_done(run), 6);
    toy_digest(&whole, before);
    toy_digest(&toy, after);
    assert_memory_equal(before, after, sizeof before);
    CHECK_OK(toy_train(&toy, run, 7, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_release(&whole);
    toy_remove(dir);
    free(dir);
}

/* A step made once more is the step: streams, running tensors and place are as before it. */
static void test_repeat(void **state)
{
    (void)state;
    char *dir = toy_folder();
    char *whole = toy_folder();
    struct toy toy;
    struct snap_run *run;
    struct snap_position moved = SNAP_POSITION_INIT;
    toy_init(&toy);
    toy.every = 0;
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_FAILS(SNAP_INVALID, "none was begun", snap_run_repeat_step(run, NULL, &err));
    CHECK_OK(toy_train(&toy, run, 6, &err));
    for (int again = 0; again < 2; again++) {
        struct snap_position before = toy.position;
        CHECK_OK(toy_forward(&toy, run, &err));
        moved.epoch = 77;
        CHECK_OK(snap_run_set_position(run, &moved, &err));
        CHECK_OK(snap_run_repeat_step(run, NULL, &err));
        CHECK_OK(snap_run_position(run, &moved, &err));
        assert_true(moved.epoch < 77);
        toy.position = before;
        CHECK_OK(snap_run_cancel_step(run, &err));
    }
    CHECK_OK(toy_forward(&toy, run, &err));
    CHECK_OK(snap_run_before_update(run, NULL, &err));
    CHECK_FAILS(SNAP_INVALID, "its update has begun", snap_run_repeat_step(run, NULL, &err));
    CHECK_OK(toy_update(&toy, run, &err));
    CHECK_OK(toy_train(&toy, run, 9, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    CHECK_OK(toy_train_in(whole, 0, 9, &err));
    char *repeated = toy_read(toy_path(dir, "ledger.jsonl"), NULL);
    char *undisturbed = toy_read(toy_path(whole, "ledger.jsonl"), NULL);
    assert_string_equal(repeated, undisturbed);
    free(repeated);
    free(undisturbed);
    toy_remove(dir);
    toy_remove(whole);
    free(dir);
    free(whole);
}

/* A restored run that fails again gives the same capsule; and a run goes on from one. */
static void test_again(void **state)
{
    (void)state;
    char *dir = toy_folder();
    char *whole = toy_folder();
    struct toy toy;
    struct snap_run *run;
    char path[4096];
    size_t size;
    size_t size_again;
    struct snap_failure failure = failure_of(NULL, 0);
    fail_at_seven(&toy, dir, &run);
    CHECK_OK(snap_run_capsule(run, &failure, path, sizeof path, &err));
    char *bytes = toy_read(path, &size);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    fail_at_seven(&toy, dir, &run);
    CHECK_OK(snap_run_capsule(run, &failure, path, sizeof path, &err));
    char *again = toy_read(path, &size_again);
    assert_int_equal(size, size_again);
    assert_memory_equal(bytes, again, size);
    free(again);
    /* Another failure takes its place, with an event. */
    failure.value = "+inf";
    CHECK_OK(snap_run_capsule(run, &failure, path, sizeof path, &err));
    again = toy_read(path, &size_again);
    assert_true(size != size_again || memcmp(bytes, again, size) != 0);
    char *events = toy_read(toy_path(dir, "events.jsonl"), NULL);
    assert_non_null(strstr(events, "\"event\":\"replaced\""));
    assert_non_null(strstr(events, "\"event\":\"failure\""));
    free(events);
    free(again);
    free(bytes);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    /* Into its own folder: the snapshot of step 8 is that of the run that never failed. */
    toy_init(&toy);
    toy.every = 4;
    CHECK_OK(toy_open(&toy, whole, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 8, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_init(&toy);
    toy.every = 4;
    CHECK_OK(toy_open(&toy, dir, path, &run, &err));
    CHECK_OK(toy_restore(&toy, run, NULL, &err));
    CHECK_OK(toy_train(&toy, run, 8, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    assert_true(toy_same_files(toy_path(dir, "ledger.jsonl"), toy_path(whole, "ledger.jsonl")));
    assert_true(toy_same_files(toy_path(dir, "snapshots/step-0000000008.snap.tar"),
                               toy_path(whole, "snapshots/step-0000000008.snap.tar")));
    toy_remove(dir);
    toy_remove(whole);
    free(dir);
    free(whole);
}

static void test_refused(void **state)
{
    (void)state;
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    struct snap_attachment bad[] = { { "a/b", "x", 1 } };
    struct snap_failure failure = failure_of(NULL, 0);
    fail_at_seven(&toy, dir, &run);
    failure.step = 6;
    CHECK_FAILS(SNAP_INVALID, "not the step under way",
                snap_run_capsule(run, &failure, NULL, 0, &err));
    failure = failure_of(bad, 1);
    CHECK_FAILS(SNAP_INVALID, "attachment 0", snap_run_capsule(run, &failure, NULL, 0, &err));
    failure = failure_of(NULL, 0);
    failure.size_bytes = 1;
    CHECK_FAILS(SNAP_INVALID, NULL, snap_run_capsule(run, &failure, NULL, 0, &err));
    failure = failure_of(NULL, 0);
    CHECK_OK(snap_run_before_update(run, NULL, &err));
    CHECK_FAILS(SNAP_INVALID, "the update has begun",
                snap_run_capsule(run, &failure, NULL, 0, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    /* In memory there is no place for it. */
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, NULL, NULL, &run, &err));
    CHECK_OK(toy_forward(&toy, run, &err));
    failure.step = 1;
    CHECK_FAILS(SNAP_UNSUPPORTED, "no folder", snap_run_capsule(run, &failure, NULL, 0, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    toy_remove(dir);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capsule),
        cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
