/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing a file under faults: the system calls are taken over here, and the Nth of them fails,
 * for every N. After each, a reader sees the old file, the new one, or none, and no litter. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <snapstate/archive.h>

#include "core/file.h"
#include "store/publish.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* ---- the calls ---- */

/* Which call fails, and how; 0: none. `trace` gets a letter for each call that changes
 * something. */
static struct {
    bool active;
    int countdown; /* the call that fails, from 1 */
    int error;
    bool hit;
    bool lie;          /* pwrite says it wrote, and does not */
    int short_bytes;   /* pwrite writes so many at most */
    int interruptions; /* so many calls are interrupted first */
    bool no_noreplace; /* renameat2 is not there */
    bool no_tmpfile;   /* O_TMPFILE is not there */
    bool no_link;      /* linkat does not work, as on some overlays */
    char trace[64];
} fault;

static bool fails(char letter)
{
    if (!fault.active)
        return false;
    size_t used = strlen(fault.trace);
    if (letter != 0 && used + 1 < sizeof fault.trace &&
        (used == 0 || fault.trace[used - 1] != letter))
        fault.trace[used] = letter;
    if (fault.countdown == 0 || --fault.countdown > 0)
        return false;
    fault.hit = true;
    errno = fault.error;
    return true;
}

static bool interrupted(void)
{
    if (!fault.active || fault.interruptions == 0)
        return false;
    fault.interruptions--;
    errno = EINTR;
    return true;
}

int openat(int dirfd, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, int) : 0;
    va_end(arguments);
    if (fault.active && fault.no_tmpfile && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (fails(0))
        return -1;
    return (int)syscall(SYS_openat, dirfd, path, flags, mode);
}

int fsync(int fd)
{
    return fails('s') ? -1 : (int)syscall(SYS_fsync, fd);
}

int close(int fd)
{
    bool failing = fails(0);
    int error = errno;
    int result = (int)syscall(SYS_close, fd);
    if (!failing)
        return result;
    errno = error;
    return -1;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    if (fails('w') || interrupted())
        return -1;
    if (fault.active && fault.lie)
        return (ssize_t)size;
    if (fault.active && fault.short_bytes > 0 && size > (size_t)fault.short_bytes)
        size = (size_t)fault.short_bytes;
    return syscall(SYS_pwrite64, fd, data, size, offset);
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    if (fails('r') || interrupted())
        return -1;
    return syscall(SYS_pread64, fd, data, size, offset);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    if (fault.active && fault.no_link) {
        errno = ENOENT;
        return -1;
    }
    return fails('n') ? -1 : (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return fails('n') ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    if (fault.active && fault.no_noreplace) {
        errno = EINVAL;
        return -1;
    }
    return fails('n') ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int unlinkat(int dirfd, const char *path, int flags)
{
    return fails('u') ? -1 : (int)syscall(SYS_unlinkat, dirfd, path, flags);
}

/* ---- what they are done to ---- */

static char folder_name[] = "snap-test-XXXXXX";
static int folder = -1;

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder_name) == NULL)
        return -1;
    folder = open(folder_name, O_RDONLY | O_DIRECTORY);
    return folder >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlinkat(folder, "file", 0);
    close(folder);
    return rmdir(folder_name);
}

static const char old_text[] = "what was there before";
static const char new_text[] = "what is to be there, in two segments";

static enum snap_status publish(enum snap_put_mode mode, bool named, bool read_back)
{
    unsigned char digest[SNAP_DIGEST_BYTES];
    const struct snap_segment segments[] = {
        { .offset = 0, .data = new_text, .size_bytes = 10, .sha256 = digest },
        { .offset = 10, .data = new_text + 10, .size_bytes = sizeof new_text - 11 },
    };
    const struct snap_content content = { .segments = segments,
                                          .count = 2,
                                          .size_bytes = sizeof new_text - 1 };
    const struct snap_publish_options options = { .mode = mode,
                                                  .no_read_back = !read_back,
                                                  .named_temporary = named };
    err = (struct snap_error)SNAP_ERROR_INIT;
    fault.active = true;
    enum snap_status status = snap_publish(folder, "file", &content, &options, &err);
    fault.active = false;
    return status;
}

/* Entries of a folder, '.' and '..' not counted. */
static int count_entries(const char *path)
{
    int count = 0;
    DIR *stream = opendir(path);
    assert_non_null(stream);
    while (readdir(stream) != NULL)
        count++;
    closedir(stream);
    return count - 2;
}

/* Is the file there with this content? */
static bool holds(const char *text)
{
    struct snap_buffer content = SNAP_BUFFER_INIT;
    bool equal = snap_file_read(folder, "file", 1000, &content, NULL) == SNAP_OK &&
                 content.size == strlen(text) &&
                 (content.size == 0 || memcmp(content.data, text, content.size) == 0);
    snap_buffer_release(&content);
    return equal;
}

static void put_old(void)
{
    int fd;
    unlinkat(folder, "file", 0);
    CHECK_OK(snap_file_open(folder, "file", O_WRONLY | O_CREAT, 0644, &fd, &err));
    CHECK_OK(snap_file_write(fd, old_text, strlen(old_text), "file", &err));
    close(fd);
}

/* The ways to publish. */
static const struct {
    const char *what;
    enum snap_put_mode mode;
    bool named;
    bool no_noreplace;
    bool no_tmpfile;
    bool no_link;
    const char *order; /* write, sync, read back, name (and unlink), sync of the folder */
} ways[] = {
    { "no name until complete", SNAP_PUT_CREATE, false, false, false, false, "wsrns" },
    { "a temporary", SNAP_PUT_CREATE, true, false, false, false, "wsrns" },
    { "a temporary, linked", SNAP_PUT_CREATE, true, true, false, false, "wsrnus" },
    { "a temporary for want of O_TMPFILE", SNAP_PUT_CREATE, false, false, true, false, "wsrns" },
    { "again with a temporary", SNAP_PUT_CREATE, false, false, false, true, "wsrwsrns" },
    { "replaced", SNAP_PUT_REPLACE, false, false, false, false, "wsrns" },
};
#define WAYS (sizeof ways / sizeof ways[0])

static void prepare(size_t way)
{
    memset(&fault, 0, sizeof fault);
    fault.no_noreplace = ways[way].no_noreplace;
    fault.no_tmpfile = ways[way].no_tmpfile;
    fault.no_link = ways[way].no_link;
    put_old();
    if (ways[way].mode == SNAP_PUT_CREATE)
        unlinkat(folder, "file", 0);
}

/* Calls are made in the order that makes them safe. */
static void test_order(void **state)
{
    (void)state;
    for (size_t way = 0; way < WAYS; way++) {
        prepare(way);
        CHECK_OK(publish(ways[way].mode, ways[way].named, true));
        assert_string_equal(fault.trace, ways[way].order);
        assert_true(holds(new_text));
        assert_int_equal(count_entries(folder_name), 1);
    }
}

/* One failure at a time, at each call in turn, until all goes well. */
static void test_each_call_fails(void **state)
{
    (void)state;
    static const int errors[] = { EIO, ENOSPC };
    for (size_t way = 0; way < WAYS; way++)
        for (size_t e = 0; e < 2; e++) {
            int failures = 0;
            for (int call = 1; call < 100; call++) {
                prepare(way);
                int descriptors = count_entries("/proc/self/fd");
                fault.countdown = call;
                fault.error = errors[e];
                enum snap_status status = publish(ways[way].mode, ways[way].named, true);
                assert_int_equal(count_entries("/proc/self/fd"), descriptors);
                if (!fault.hit) {
                    assert_int_equal(status, SNAP_OK);
                    break;
                }
                if (status == SNAP_OK) {
                    /* What failed had no part in it: O_DIRECT, a descriptor only read from, or the
                     * removal of the second name of a file that is complete. */
                    assert_true(holds(new_text));
                    if (!ways[way].no_noreplace)
                        assert_int_equal(count_entries(folder_name), 1);
                    CHECK_OK(snap_publish_leftovers(folder, true, NULL, NULL, &err));
                    assert_int_equal(count_entries(folder_name), 1);
                    continue;
                }
                failures++;
                if (status != SNAP_IO)
                    print_error("%s, call %d: %s\n", ways[way].what, call, err.text);
                assert_int_equal(status, SNAP_IO);
                assert_int_equal(err.os_error, errors[e]);
                if (strstr(err.text, "written, durability unknown") != NULL) {
                    assert_true(holds(new_text));
                    assert_int_equal(count_entries(folder_name), 1);
                } else if (ways[way].mode == SNAP_PUT_REPLACE) {
                    assert_true(holds(old_text));
                    assert_int_equal(count_entries(folder_name), 1);
                } else {
                    assert_int_equal(count_entries(folder_name), 0);
                }
            }
            /* Opening, writing, syncing, closing, reading back, naming, syncing the folder. */
            assert_true(failures >= 6);
        }
}

/* A disk that says it wrote: the read-back sees it, and without one nobody does. */
static void test_lying_disk(void **state)
{
    (void)state;
    for (size_t way = 0; way < WAYS; way++) {
        prepare(way);
        fault.lie = true;
        CHECK_FAILS(SNAP_CORRUPT, "reading it back",
                    publish(ways[way].mode, ways[way].named, true));
        if (ways[way].mode == SNAP_PUT_REPLACE)
            assert_true(holds(old_text));
        assert_int_equal(count_entries(folder_name), ways[way].mode == SNAP_PUT_REPLACE);
        prepare(way);
        fault.lie = true;
        CHECK_OK(publish(ways[way].mode, ways[way].named, false));
        assert_true(holds(""));
    }
}

static void test_short_and_interrupted(void **state)
{
    (void)state;
    for (size_t way = 0; way < WAYS; way++) {
        prepare(way);
        fault.short_bytes = 3;
        fault.interruptions = 5;
        CHECK_OK(publish(ways[way].mode, ways[way].named, true));
        assert_true(holds(new_text));
    }
}

/* A name that is taken, by each way of creating. */
static void test_taken(void **state)
{
    (void)state;
    for (size_t way = 0; way < WAYS; way++) {
        if (ways[way].mode != SNAP_PUT_CREATE || ways[way].no_link)
            continue;
        prepare(way);
        put_old();
        CHECK_FAILS(SNAP_DIFFERS, "file: is there already",
                    publish(SNAP_PUT_CREATE, ways[way].named, true));
        assert_true(holds(old_text));
        assert_int_equal(count_entries(folder_name), 1);
        prepare(way);
        CHECK_OK(publish(SNAP_PUT_CREATE, ways[way].named, true));
        CHECK_OK(publish(SNAP_PUT_CREATE, ways[way].named, true));
        assert_true(holds(new_text));
        assert_int_equal(count_entries(folder_name), 1);
    }
    /* By a folder, and by a link to somewhere else. */
    memset(&fault, 0, sizeof fault);
    unlinkat(folder, "file", 0);
    assert_int_equal(mkdirat(folder, "file", 0700), 0);
    CHECK_FAILS(SNAP_DIFFERS, "regular", publish(SNAP_PUT_CREATE, false, true));
    assert_int_equal(unlinkat(folder, "file", AT_REMOVEDIR), 0);
    assert_int_equal(symlinkat("/dev/null", folder, "file"), 0);
    CHECK_FAILS(SNAP_IO, "file", publish(SNAP_PUT_CREATE, false, true));
    CHECK_OK(publish(SNAP_PUT_REPLACE, false, true));
    assert_true(holds(new_text));
}

static void test_sweep(void **state)
{
    (void)state;
    static const char *const names[] = {
        ".file.tmp-0123456789abcdef", /* the only leftover */
        ".file.tmp-0123456789abcdeg", ".file.tmp-0123456789abcde", "file.tmp-0123456789abcdef",
        ".tmp-0123456789abcdef",      "file",
    };
    memset(&fault, 0, sizeof fault);
    for (size_t i = 0; i < 6; i++) {
        int fd;
        CHECK_OK(snap_file_open(folder, names[i], O_WRONLY | O_CREAT, 0644, &fd, &err));
        close(fd);
    }
    CHECK_OK(snap_publish_leftovers(folder, true, NULL, NULL, &err));
    assert_int_equal(count_entries(folder_name), 5);
    assert_int_not_equal(unlinkat(folder, names[0], 0), 0);
    for (size_t i = 1; i < 6; i++)
        assert_int_equal(unlinkat(folder, names[i], 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),      cmocka_unit_test(test_each_call_fails),
        cmocka_unit_test(test_lying_disk), cmocka_unit_test(test_short_and_interrupted),
        cmocka_unit_test(test_taken),      cmocka_unit_test(test_sweep),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
