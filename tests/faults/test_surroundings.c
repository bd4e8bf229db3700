/* SPDX-License-Identifier: Apache-2.0 */
/* What else happens to a run folder: two that write, one that reads while another prunes, a folder
 * that may not be written, a clock that jumps, file systems that lack calls. (A file system that
 * fills up is in tests/cli/test_bad_input.sh and, call by call, in test_faults.) The linker sends
 * the calls here that begin with __wrap_. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fault_operations.h"
#include "toy_run.h"
#include "unit_check.h"

#define NOBODY 65534
#define WRITERS 4

static struct snap_error err = SNAP_ERROR_INIT;

/* ---- the calls ---- */

static struct {
    bool no_unnamed_files;
    bool no_rename_without_replacing;
    bool clock_jumps;
    unsigned refused;
    atomic_uint looks; /* at the clock: the saver is a thread */
} system_calls;

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
    mode_t mode = (flags & O_CREAT) != 0 || unnamed ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (unnamed && system_calls.no_unnamed_files) {
        system_calls.refused++;
        errno = EOPNOTSUPP;
        return -1;
    }
    return __real_openat(dir, path, flags, mode);
}

int __real_renameat2(int from, const char *old, int to, const char *path, unsigned flags);
int __wrap_renameat2(int from, const char *old, int to, const char *path, unsigned flags);
int __wrap_renameat2(int from, const char *old, int to, const char *path, unsigned flags)
{
    if (system_calls.no_rename_without_replacing) {
        system_calls.refused++;
        errno = EINVAL;
        return -1;
    }
    return __real_renameat2(from, old, to, path, flags);
}

/* An hour back, two on, a day back, before 1970. */
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    static const long jumps[] = { 0, -3600, 7200, -86400, -4000000000L, 4000000000L };
    int result = __real_clock_gettime(clock, now);
    if (system_calls.clock_jumps && clock == CLOCK_REALTIME)
        now->tv_sec += jumps[atomic_fetch_add(&system_calls.looks, 1) % 6];
    return result;
}

/* Somebody who looks at an archive while others change it. */
static struct {
    const char *path; /* NULL: nobody */
    bool looking;
    unsigned whole;
    unsigned stubs;
    unsigned neither;
} visitor;

static void look(void)
{
    struct snap_archive *archive = NULL;
    int before = errno;
    if (visitor.path == NULL || visitor.looking)
        return;
    visitor.looking = true;
    enum snap_status status = snap_archive_open(visitor.path, &archive, NULL);
    if (status == SNAP_OK)
        status = snap_archive_check(archive, NULL, NULL);
    if (status != SNAP_OK)
        visitor.neither++;
    else if (snap_archive_withheld_count(archive) > 0)
        visitor.stubs++;
    else
        visitor.whole++;
    snap_archive_close(archive);
    visitor.looking = false;
    errno = before;
}

int __real_renameat(int from, const char *old, int to, const char *path);
int __wrap_renameat(int from, const char *old, int to, const char *path);
int __wrap_renameat(int from, const char *old, int to, const char *path)
{
    look();
    int result = __real_renameat(from, old, to, path);
    look();
    return result;
}

int __real_unlinkat(int dir, const char *path, int flags);
int __wrap_unlinkat(int dir, const char *path, int flags);
int __wrap_unlinkat(int dir, const char *path, int flags)
{
    int result = __real_unlinkat(dir, path, flags);
    look();
    return result;
}

ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    ssize_t result = __real_pwrite(fd, data, size, offset);
    look();
    return result;
}

/* ---- small things ---- */

static const struct fault_operation *saving(void)
{
    return fault_operation_find("save");
}

/* A folder in which the run has come to its end, undisturbed. */
static char *reference(void)
{
    char *dir = toy_folder();
    CHECK_OK(fault_reference(dir, &err));
    return dir;
}

static void drop(char *dir)
{
    toy_remove(dir);
    free(dir);
}

static void check_sound(const char *dir, const char *expected)
{
    char *wrong = fault_judge(saving(), dir, expected, 0);
    if (wrong != NULL)
        fail_msg("%s", wrong);
}

static enum snap_status prune_to_last(const char *dir)
{
    struct snap_keep keep = SNAP_KEEP_INIT;
    keep.last = 1;
    err = (struct snap_error)SNAP_ERROR_INIT;
    return snap_prune_run(dir, &keep, false, NULL, NULL, NULL, &err);
}

static int wait_for(pid_t child)
{
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    return WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
}

/* ---- two that write ---- */

static void test_two_writers(void **state)
{
    struct snap_fsck_options repair = SNAP_FSCK_OPTIONS_INIT;
    char *expected = reference();
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    (void)state;
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 2, &err));
    CHECK_OK(toy_save(run, NULL, &err));
    repair.repair = true;
    CHECK_FAILS(SNAP_BUSY, NULL, fault_reference(dir, &err));
    CHECK_FAILS(SNAP_BUSY, "prune", prune_to_last(dir));
    CHECK_FAILS(SNAP_BUSY, "repair", snap_fsck_run(dir, &repair, NULL, &err));
    CHECK_OK(snap_fsck_run(dir, NULL, NULL, &err)); /* looking is nobody's business */
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    check_sound(dir, expected);
    drop(dir);
    drop(expected);
}

/* All begin at once in a folder that is empty: one trains, and nobody does harm. */
static void test_writers_race(void **state)
{
    char *expected = reference();
    char *dir = toy_folder();
    pid_t children[WRITERS];
    unsigned trained = 0;
    (void)state;
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            enum snap_status status = fault_reference(dir, NULL);
            _exit(status == SNAP_OK ? 0 : status == SNAP_BUSY ? 1 : 2);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int ended = wait_for(children[i]);
        assert_in_range(ended, 0, 1);
        trained += ended == 0;
    }
    assert_true(trained > 0);
    check_sound(dir, expected);
    drop(dir);
    drop(expected);
}

/* ---- a reader during a prune ---- */

static void test_open_reader_keeps_its_file(void **state)
{
    char *dir = reference();
    struct snap_archive *archive;
    (void)state;
    CHECK_OK(snap_archive_open(toy_snapshot(dir, 2), &archive, &err));
    CHECK_OK(prune_to_last(dir));
    assert_int_equal(snap_archive_withheld_count(archive), 0);
    CHECK_OK(snap_archive_check(archive, NULL, &err));
    snap_archive_close(archive);
    CHECK_OK(snap_archive_open(toy_snapshot(dir, 2), &archive, &err));
    assert_true(snap_archive_withheld_count(archive) > 0);
    CHECK_OK(snap_archive_check(archive, NULL, &err));
    snap_archive_close(archive);
    drop(dir);
}

/* Whoever opens it meanwhile finds the one or the other, whole: before and after each call that
 * changes something. */
static void test_reader_meets_either(void **state)
{
    struct snap_pack_options options = SNAP_PACK_OPTIONS_INIT;
    char *dir = reference();
    char *whole = toy_folder();
    char *copy = strdup(toy_path(whole, "copy"));
    char *path = strdup(toy_snapshot(dir, 2));
    (void)state;
    toy_copy(path, copy);
    options.base = copy;
    visitor.path = path;
    CHECK_OK(prune_to_last(dir));
    CHECK_OK(snap_pack(path, &options, NULL, NULL, &err));
    visitor.path = NULL;
    assert_true(visitor.whole > 0);
    assert_true(visitor.stubs > 0);
    assert_int_equal(visitor.neither, 0);
    assert_true(toy_same_files(path, copy));
    free(path);
    free(copy);
    drop(whole);
    drop(dir);
}

/* ---- a folder without write permission ---- */

/* Exit status 0: everything that writes is refused with the cause, and reading works. */
static int as_a_guest(const char *dir)
{
    struct snap_verdict *verdict = NULL;
    struct snap_fsck_options repair = SNAP_FSCK_OPTIONS_INIT;
    struct snap_thin_options thin = SNAP_THIN_OPTIONS_INIT;
    repair.repair = true;
    thin.base = toy_snapshot(dir, 2);
    err = (struct snap_error)SNAP_ERROR_INIT;
    if (fault_reference(dir, &err) != SNAP_IO || strstr(err.text, "Permission denied") == NULL)
        return 1;
    err = (struct snap_error)SNAP_ERROR_INIT;
    if (prune_to_last(dir) != SNAP_IO || strstr(err.text, "Permission denied") == NULL)
        return 2;
    err = (struct snap_error)SNAP_ERROR_INIT;
    if (snap_fsck_run(dir, &repair, NULL, &err) != SNAP_IO)
        return 3;
    err = (struct snap_error)SNAP_ERROR_INIT;
    if (snap_thin(toy_snapshot(dir, 4), &thin, NULL, NULL, &err) != SNAP_IO)
        return 4;
    if (snap_fsck_run(dir, NULL, &verdict, &err) != SNAP_OK)
        return 5;
    snap_verdict_free(verdict);
    return 0;
}

static void test_read_only_folder(void **state)
{
    char *dir = reference();
    char *expected = reference();
    (void)state;
    assert_int_equal(chmod(dir, 0555), 0);
    assert_int_equal(chmod(toy_path(dir, "snapshots"), 0555), 0);
    pid_t guest = fork();
    assert_true(guest >= 0);
    if (guest == 0) /* root may write anywhere */
        _exit(getuid() == 0 && setuid(NOBODY) != 0 ? 9 : as_a_guest(dir));
    assert_int_equal(wait_for(guest), 0);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(chmod(toy_path(dir, "snapshots"), 0755), 0);
    check_sound(dir, expected);
    drop(dir);
    drop(expected);
}

/* ---- a clock that jumps ---- */

static void test_clock(void **state)
{
    char *expected = reference();
    char *dir = toy_folder();
    (void)state;
    system_calls.clock_jumps = true;
    for (int i = 0; i < 2; i++) {
        fault_staging_bytes = (uint64_t)i; /* behind the training, and in its thread */
        CHECK_OK(fault_reference(dir, &err));
        check_sound(dir, expected);
        assert_true(toy_same_files(toy_snapshot(dir, 4), toy_snapshot(expected, 4)));
        drop(dir);
        dir = toy_folder();
    }
    system_calls.clock_jumps = false;
    assert_true(atomic_load(&system_calls.looks) > 6);
    drop(dir);
    drop(expected);
}

/* ---- file systems that lack calls ---- */

static void check_without(bool unnamed_files, bool rename_without_replacing)
{
    char *expected = reference();
    char *dir = toy_folder();
    system_calls.refused = 0;
    system_calls.no_unnamed_files = unnamed_files;
    system_calls.no_rename_without_replacing = rename_without_replacing;
    CHECK_OK(fault_reference(dir, &err));
    assert_true(system_calls.refused > 0);
    check_sound(dir, expected);
    assert_true(toy_same_files(toy_snapshot(dir, 4), toy_snapshot(expected, 4)));
    CHECK_OK(prune_to_last(dir));
    CHECK_OK(snap_fsck_run(dir, NULL, NULL, &err));
    system_calls.no_unnamed_files = false;
    system_calls.no_rename_without_replacing = false;
    drop(dir);
    drop(expected);
}

static void test_no_unnamed_files(void **state)
{
    (void)state;
    check_without(true, false);
}

static void test_neither(void **state)
{
    (void)state;
    check_without(true, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_writers),
        cmocka_unit_test(test_writers_race),
        cmocka_unit_test(test_open_reader_keeps_its_file),
        cmocka_unit_test(test_reader_meets_either),
        cmocka_unit_test(test_read_only_folder),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_no_unnamed_files),
        cmocka_unit_test(test_neither),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
