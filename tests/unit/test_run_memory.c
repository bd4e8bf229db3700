/* SPDX-License-Identifier: Apache-2.0 */
/* The Nth allocation fails, for many N, while a run is opened, restored, stepped, saved and
 * compared: the call that met it fails, a restore has changed nothing or says "unusable", and the
 * folder stays one that a later run goes on from. A build with sanitizers sees what leaks. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "failing_memory.h"
#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;
static struct snap_pool *pool; /* one thread: the countdown is nobody else's */
static char *pattern;          /* 4 steps, with a snapshot after each second */

static int make_pattern(void **state)
{
    (void)state;
    CHECK_OK(snap_pool_new(1, &pool, &err));
    pattern = toy_folder();
    CHECK_OK(toy_train_in(pattern, 2, 4, &err));
    return 0;
}

static int drop_pattern(void **state)
{
    (void)state;
    snap_pool_free(pool);
    toy_remove(pattern);
    free(pattern);
    return 0;
}

/* What fails with `status` has failed because of the allocation that was taken away. */
static void check_failure(long n, enum snap_status status)
{
    if (status == SNAP_OK || err.text[0] == '\0') {
        print_error("allocation %ld: %s: %s\n", n, snap_status_name(status), err.text);
        fail();
    }
}

/* In memory: restore, steps that are compared with the ledger, and the state with the archive's. */
static enum snap_status replay(struct toy *toy, bool compare, bool *refused)
{
    struct snap_run *run = NULL;
    struct snap_archive *archive = NULL;
    struct snap_ledger *ledger = NULL;
    struct snap_receipt *receipt = NULL;
    char hash[SNAP_HASH_TEXT_BYTES];
    char text[100];
    *refused = false;
    enum snap_status status = toy_open(toy, NULL, toy_snapshot(pattern, 2), &run, &err);
    if (status == SNAP_OK) {
        status = snap_run_restore(run, SNAP_TIER_EXACT, NULL, &receipt, &err);
        *refused = status != SNAP_OK;
    }
    if (status == SNAP_OK)
        status = toy_take_position(toy, run, &err);
    if (status == SNAP_OK)
        status = snap_ledger_open(toy_path(pattern, "ledger.jsonl"), &ledger, NULL, &err);
    if (status == SNAP_OK)
        status = snap_run_expect(run, ledger, &err);
    if (status == SNAP_OK)
        status = toy_train(toy, run, 4, &err);
    if (status == SNAP_OK)
        status = snap_run_state_hash(run, hash, &err);
    if (status == SNAP_OK && compare)
        status = snap_archive_open(toy_snapshot(pattern, 2), &archive, &err);
    if (status == SNAP_OK && compare) {
        status = snap_run_compare(run, archive, text, sizeof text, &err);
        status = status == SNAP_DIFFERS ? SNAP_OK : status == SNAP_OK ? SNAP_INTERNAL : status;
    }
    snap_receipt_free(receipt);
    snap_ledger_free(ledger);
    snap_archive_close(archive);
    enum snap_status closed = snap_run_close(run, status == SNAP_OK ? &err : NULL);
    return status == SNAP_OK ? closed : status;
}

static void try_replay(long stride, bool compare)
{
    for (long n = 1; n < 1000000; n += stride) {
        struct toy toy;
        unsigned char before[SNAP_DIGEST_BYTES];
        unsigned char after[SNAP_DIGEST_BYTES];
        bool refused;
        toy_init(&toy);
        toy.pool = pool;
        toy_digest(&toy, before);
        err = (struct snap_error)SNAP_ERROR_INIT;
        failing_memory_set(n);
        enum snap_status status = replay(&toy, compare, &refused);
        failing_memory_set(0);
        toy_digest(&toy, after);
        if (failing_memory_hit())
            check_failure(n, status);
        else
            unit_check_status(SNAP_OK, status, NULL, &err, __FILE__, __LINE__);
        if (refused && strstr(err.text, "unusable") == NULL)
            assert_memory_equal(before, after, sizeof before);
        toy_release(&toy);
        if (!failing_memory_hit()) {
            assert_true(n > 500);
            return;
        }
    }
    fail_msg("it never succeeds");
}

static void test_replay(void **state)
{
    (void)state;
    failing_memory_with_jansson(false);
    try_replay(2, true);
}

static void test_replay_with_jansson(void **state)
{
    (void)state;
    failing_memory_with_jansson(true);
    /* A comparison cannot tell Jansson's want of memory from a state that is none. */
    try_replay(61, false);
    failing_memory_with_jansson(false);
}

/* In a folder: two steps and a save. Whatever failed, the next run goes on from there. */
static void try_folder(long first, long stride)
{
    for (long n = first; n < 1000000; n += stride) {
        char *dir = toy_folder();
        struct toy toy;
        struct snap_run *run = NULL;
        toy_init(&toy);
        toy.pool = pool;
        toy.every = 2;
        err = (struct snap_error)SNAP_ERROR_INIT;
        failing_memory_set(n);
        enum snap_status status = toy_open(&toy, dir, NULL, &run, &err);
        if (status == SNAP_OK)
            status = toy_train(&toy, run, 2, &err);
        enum snap_status closed = snap_run_close(run, status == SNAP_OK ? &err : NULL);
        failing_memory_set(0);
        toy_release(&toy);
        bool hit = failing_memory_hit();
        if (hit)
            check_failure(n, status == SNAP_OK ? closed : status);
        CHECK_OK(toy_train_in(dir, 2, 4, &err));
        assert_true(
            toy_same_files(toy_path(dir, "ledger.jsonl"), toy_path(pattern, "ledger.jsonl")));
        assert_true(toy_same_files(toy_snapshot(dir, 4), toy_snapshot(pattern, 4)));
        toy_remove(dir);
        free(dir);
        if (!hit)
            return;
    }
    fail_msg("it never succeeds");
}

static void test_folder(void **state)
{
    (void)state;
    failing_memory_with_jansson(false);
    try_folder(1, 79);
    failing_memory_with_jansson(true);
    try_folder(7, 401);
    failing_memory_with_jansson(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_replay_with_jansson),
        cmocka_unit_test(test_folder),
    };
    return cmocka_run_group_tests(tests, make_pattern, drop_pattern);
}
