/* SPDX-License-Identifier: Apache-2.0 */
/* The Nth allocation fails, for every N, while an archive is made, opened and checked: the answer
 * is "out of memory", and nothing is put out; a build with sanitizers sees what leaks. The linker
 * sends the library's own calls of malloc and its kin here (-Wl,--wrap), and Jansson is told;
 * libarchive and OpenSSL keep theirs, for libarchive ends the process when it has no memory. */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "failing_memory.h"
#include "format/archive_read.h"
#include "sample_archive.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;
static struct snap_buffer whole = SNAP_BUFFER_INIT;
static int whole_fd = -1;

static enum snap_status make(void)
{
    struct sample_archive sample;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    enum snap_status status = sample_init(&sample, &err);
    if (status == SNAP_OK)
        status = sample_encode(&sample, NULL, &bytes, &err);
    snap_buffer_release(&bytes);
    sample_release(&sample);
    return status;
}

static enum snap_status open_and_check(void)
{
    struct snap_archive *archive = NULL;
    enum snap_status status = snap_archive_open_fd(dup(whole_fd), "sample", &archive, &err);
    if (status == SNAP_OK)
        status = snap_archive_check(archive, NULL, &err);
    snap_archive_close(archive);
    return status;
}

/* Jansson calls some of its failures a wrong syntax: then any failure will do. */
static void try_each(enum snap_status (*action)(void), bool with_jansson)
{
    failing_memory_with_jansson(with_jansson);
    for (long n = 1; n < 100000; n++) {
        err = (struct snap_error)SNAP_ERROR_INIT;
        failing_memory_set(n);
        enum snap_status status = action();
        failing_memory_set(0);
        if (!failing_memory_hit()) {
            assert_int_equal(status, SNAP_OK);
            assert_true(n > 100);
            return;
        }
        if (with_jansson ? status == SNAP_OK : status != SNAP_NO_MEMORY)
            print_error("allocation %ld: %s: %s\n", n, snap_status_name(status), err.text);
        assert_true(with_jansson ? status != SNAP_OK : status == SNAP_NO_MEMORY);
        assert_int_not_equal(err.text[0], 0);
    }
    fail_msg("it never succeeds");
}

static void test_make(void **state)
{
    (void)state;
    try_each(make, false);
    try_each(make, true);
}

static void test_open(void **state)
{
    struct sample_archive sample;
    (void)state;
    CHECK_OK(sample_init(&sample, &err));
    CHECK_OK(sample_encode(&sample, NULL, &whole, &err));
    sample_release(&sample);
    whole_fd = memory_file(whole.data, whole.size);
    try_each(open_and_check, false);
    try_each(open_and_check, true);
    close(whole_fd);
    snap_buffer_release(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
