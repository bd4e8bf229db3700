/* SPDX-License-Identifier: Apache-2.0 */
/* A save goes on while the training does: what is in its archive, what the next one says, and how a
 * failure reaches the loop. The saving thread is held, or made to fail, in its fsync. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snapstate/keep.h>
#include <snapstate/verify.h>

#include "save/save.h"
#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* ---- the saving thread ---- */

static pthread_t training;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool held;         /* a saving thread waits before it does anything */
static bool fail_archive; /* the next fsync of an archive fails */
static unsigned behind;   /* ledgers that a saving thread made durable */

int __real_fsync(int fd);
int __wrap_fsync(int fd);

static bool is_ledger(int fd)
{
    char link[64];
    char path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size > 0 ? size : 0] = '\0';
    return strstr(path, "/ledger.jsonl") != NULL;
}

int __wrap_fsync(int fd)
{
    if (pthread_equal(pthread_self(), training))
        return __real_fsync(fd);
    pthread_mutex_lock(&lock);
    bool fails = fail_archive && !is_ledger(fd);
    behind += is_ledger(fd);
    while (held)
        pthread_cond_wait(&changed, &lock);
    if (fails)
        fail_archive = false;
    pthread_mutex_unlock(&lock);
    errno = EIO;
    return fails ? -1 : __real_fsync(fd);
}

static bool fail_thread; /* the next thread cannot be started */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*body)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*body)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*body)(void *), void *arg)
{
    if (!fail_thread)
        return __real_pthread_create(thread, attributes, body, arg);
    fail_thread = false;
    return EAGAIN;
}

static void hold(bool value)
{
    pthread_mutex_lock(&lock);
    held = value;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* ---- trainings ---- */

#define TOO_LITTLE 63 /* bytes of staging memory: the state needs more */

/* A step without a save. */
static void step(struct toy *toy, struct snap_run *run)
{
    CHECK_OK(toy_forward(toy, run, &err));
    CHECK_OK(toy_update(toy, run, &err));
}

static void begin(struct toy *toy, uint64_t staging, char **dir, struct snap_run **run)
{
    training = pthread_self();
    *dir = toy_folder();
    toy_init(toy);
    toy->staging_bytes = staging;
    CHECK_OK(toy_open(toy, *dir, NULL, run, &err));
    CHECK_FAILS(SNAP_NOT_FOUND, "", toy_restore(toy, *run, NULL, &err));
}

static void end(struct toy *toy, char *dir)
{
    toy_release(toy);
    toy_remove(dir);
    free(dir);
}

/* Saves at steps 2 and 4 of 5, none of them behind, for want of staging memory. */
static void reference(char **dir)
{
    struct snap_run *run;
    struct toy toy;
    unsigned before = behind;
    begin(&toy, TOO_LITTLE, dir, &run);
    for (int i = 1; i <= 5; i++) {
        step(&toy, run);
        if (i % 2 == 0)
            CHECK_OK(snap_run_capture(run, (uint64_t)i, NULL, NULL, &err));
    }
    assert_int_equal(behind, before);
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
}

static void verify_run(const char *dir)
{
    struct snap_verify_options options = SNAP_VERIFY_OPTIONS_INIT;
    struct snap_verdict *verdict;
    CHECK_OK(snap_verify_run(dir, &options, &verdict, &err));
    snap_verdict_free(verdict);
}

/* ---- tests ---- */

static void test_state_as_captured(void **state)
{
    (void)state;
    char *plain;
    char *dir;
    struct toy toy;
    struct snap_run *run;
    struct snap_ticket *first;
    struct snap_ticket *second;
    char hash[SNAP_HASH_TEXT_BYTES];
    reference(&plain);
    unsigned before = behind;
    begin(&toy, 0, &dir, &run);
    step(&toy, run);
    step(&toy, run);
    hold(true);
    CHECK_OK(snap_run_capture(run, 2, NULL, &first, &err));
    step(&toy, run); /* weights, moments, streams, values and the ledger move */
    step(&toy, run);
    assert_null(toy_read(toy_snapshot(dir, 2), NULL));
    hold(false);
    CHECK_OK(snap_run_wait(run, first, hash, &err));
    assert_int_equal(behind, before + 1);
    hold(true);
    CHECK_OK(snap_run_capture(run, 4, NULL, &second, &err));
    memset(toy.cache, 0x55, sizeof toy.cache); /* bytes of the caller's are copied too */
    step(&toy, run);
    hold(false);
    CHECK_OK(snap_run_wait(run, second, NULL, &err));
    assert_int_equal(behind, before + 2);
    CHECK_OK(snap_run_close(run, &err));
    assert_true(toy_same_files(toy_snapshot(plain, 2), toy_snapshot(dir, 2)));
    assert_true(toy_same_files(toy_snapshot(plain, 4), toy_snapshot(dir, 4)));
    verify_run(dir);
    end(&toy, dir);
    toy_remove(plain);
    free(plain);
}

/* A second save waits for the first; closing waits for the last. */
static void test_waits(void **state)
{
    (void)state;
    char *plain;
    char *dir;
    struct toy toy;
    struct snap_run *run;
    reference(&plain);
    begin(&toy, 0, &dir, &run);
    for (int i = 1; i <= 5; i++) {
        step(&toy, run);
        if (i % 2 == 0)
            CHECK_OK(snap_run_capture(run, (uint64_t)i, NULL, NULL, &err));
    }
    CHECK_OK(snap_run_close(run, &err));
    assert_true(toy_same_files(toy_snapshot(plain, 2), toy_snapshot(dir, 2)));
    assert_true(toy_same_files(toy_snapshot(plain, 4), toy_snapshot(dir, 4)));
    verify_run(dir);
    end(&toy, dir);
    toy_remove(plain);
    free(plain);
}

/* A step that was saved before, and is saved again while the training goes on. */
static void test_same_step_twice(void **state)
{
    (void)state;
    char *plain;
    char *dir;
    struct toy toy;
    struct snap_run *run;
    struct snap_ticket *ticket;
    reference(&plain);
    begin(&toy, 0, &dir, &run);
    step(&toy, run);
    step(&toy, run);
    CHECK_OK(toy_save(run, NULL, &err));
    hold(true);
    CHECK_OK(snap_run_capture(run, 2, NULL, &ticket, &err));
    step(&toy, run);
    hold(false);
    CHECK_OK(snap_run_wait(run, ticket, NULL, &err));
    step(&toy, run);
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    assert_true(toy_same_files(toy_snapshot(plain, 4), toy_snapshot(dir, 4)));
    end(&toy, dir);
    toy_remove(plain);
    free(plain);
}

static void test_failure_reaches_the_loop(void **state)
{
    (void)state;
    char *dir;
    struct toy toy;
    struct snap_run *run;
    struct snap_ticket *ticket;
    begin(&toy, 0, &dir, &run);
    step(&toy, run);
    CHECK_OK(toy_save(run, NULL, &err));
    char *latest = toy_read(toy_path(dir, "latest"), NULL);
    step(&toy, run);
    snap_run_request(run, SNAP_WANTED_SAVE);
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE);
    hold(true);
    fail_archive = true;
    CHECK_OK(snap_run_capture(run, 2, NULL, &ticket, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING); /* it is being answered */
    assert_false(snap_run_ended(run, ticket));
    hold(false);
    while (!snap_run_ended(run, ticket))
        ;
    CHECK_OK(toy_forward(&toy, run, &err));
    CHECK_FAILS(SNAP_IO, "step-0000000002.snap.tar", toy_update(&toy, run, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE); /* nothing was answered */
    char *same = toy_read(toy_path(dir, "latest"), NULL);
    assert_string_equal(latest, same);
    assert_null(toy_read(toy_snapshot(dir, 2), NULL));
    CHECK_OK(snap_run_close(run, &err)); /* told once */
    free(latest);
    free(same);
    end(&toy, dir);
}

/* What is asked for while a save is under way is another save: a plain one when that has ended, a
 * stronger one at once. */
static void test_requests(void **state)
{
    (void)state;
    char *dir;
    struct toy toy;
    struct snap_run *run;
    struct snap_ticket *ticket;
    begin(&toy, 0, &dir, &run);
    step(&toy, run);
    snap_run_request(run, SNAP_WANTED_SAVE);
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE);
    hold(true);
    CHECK_OK(snap_run_capture(run, 1, NULL, &ticket, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING);
    snap_run_request(run, SNAP_WANTED_SAVE);
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING);
    hold(false);
    CHECK_OK(snap_run_wait(run, ticket, NULL, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE);
    hold(true);
    CHECK_OK(snap_run_capture(run, 1, NULL, &ticket, &err));
    snap_run_request(run, SNAP_WANTED_SAVE_AND_STOP);
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE_AND_STOP);
    hold(false);
    CHECK_OK(snap_run_wait(run, ticket, NULL, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_SAVE_AND_STOP);
    CHECK_OK(toy_save(run, NULL, &err));
    assert_int_equal(snap_run_wanted(run), SNAP_WANTED_NOTHING);
    CHECK_OK(snap_run_close(run, &err));
    end(&toy, dir);
}

/* How many members are withheld in the snapshot of a step. */
static size_t withheld(const char *dir, uint64_t step)
{
    struct snap_archive *archive;
    CHECK_OK(snap_archive_open(toy_snapshot(dir, step), &archive, &err));
    size_t count = snap_archive_withheld_count(archive);
    snap_archive_close(archive);
    return count;
}

/* Snapshots go when a later one is durable, by the thread that made it so. */
static void test_lets_others_go(void **state)
{
    (void)state;
    char *dir;
    struct toy toy;
    struct snap_run *run;
    struct snap_ticket *ticket;
    struct snap_keep keep = SNAP_KEEP_INIT;
    uint64_t freed = 1;
    begin(&toy, 0, &dir, &run);
    CHECK_FAILS(SNAP_INVALID, "no rule", snap_run_set_keep(run, &keep, &err));
    keep.last = 1;
    CHECK_OK(snap_run_set_keep(run, &keep, &err));
    step(&toy, run);
    CHECK_OK(snap_run_capture(run, 1, NULL, &ticket, &err));
    CHECK_OK(snap_run_wait(run, ticket, NULL, &err));
    CHECK_OK(snap_run_pruned(run, &freed, &err));
    assert_int_equal(freed, 0);
    step(&toy, run);
    hold(true);
    CHECK_OK(snap_run_capture(run, 2, NULL, &ticket, &err));
    step(&toy, run);
    assert_int_equal(withheld(dir, 1), 0);
    hold(false);
    CHECK_OK(snap_run_wait(run, ticket, NULL, &err));
    CHECK_OK(snap_run_pruned(run, &freed, &err));
    assert_true(freed > 0);
    assert_true(withheld(dir, 1) > 0);
    assert_int_equal(withheld(dir, 2), 0);
    CHECK_OK(snap_run_set_keep(run, NULL, &err));
    CHECK_OK(snap_run_capture(run, 3, NULL, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    assert_int_equal(withheld(dir, 2), 0);
    end(&toy, dir);
}

/* An agent that is not there: the run saves by itself, makes its ledger durable once, and says the
 * true cause of each save that was not the agent's. */
static void test_without_its_agent(void **state)
{
    (void)state;
    char *dir;
    struct toy toy;
    struct snap_run *run;
    struct snap_ticket *ticket;
    unsigned before = behind;
    setenv("SNAP_AGENT", "/nonexistent/agent.sock", 1);
    begin(&toy, 0, &dir, &run);
    step(&toy, run);
    CHECK_OK(snap_run_capture(run, 1, NULL, &ticket, &err));
    CHECK_OK(snap_run_wait(run, ticket, NULL, &err));
    assert_int_equal(behind, before + 1);
    assert_non_null(strstr(snap_run_agent_trouble(run), "its folder cannot be opened"));
    step(&toy, run);
    fail_thread = true;
    CHECK_OK(snap_run_capture(run, 2, NULL, &ticket, &err));
    CHECK_OK(snap_run_wait(run, ticket, NULL, &err));
    assert_non_null(strstr(snap_run_agent_trouble(run), "starting a thread"));
    CHECK_OK(snap_run_close(run, &err));
    end(&toy, dir);
    begin(&toy, TOO_LITTLE, &dir, &run);
    step(&toy, run);
    CHECK_OK(snap_run_capture(run, 1, NULL, &ticket, &err));
    CHECK_OK(snap_run_wait(run, ticket, NULL, &err));
    assert_non_null(strstr(snap_run_agent_trouble(run), "no room in staging memory"));
    CHECK_OK(snap_run_close(run, &err));
    end(&toy, dir);
    unsetenv("SNAP_AGENT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_as_captured),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_same_step_twice),
        cmocka_unit_test(test_failure_reaches_the_loop),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_lets_others_go),
        cmocka_unit_test(test_without_its_agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
