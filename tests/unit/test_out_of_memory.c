/* SPDX-License-Identifier: Apache-2.0 */
/* The Nth allocation fails, for every N, while an archive is made, opened and checked: the answer
 * is "out of memory", nothing is leaked, and nothing is put out. malloc is taken over here, which a
 * sanitizer does not allow. */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "format/archive_read.h"
#include "sample_archive.h"
#include "unit_check.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifndef SANITIZED

static struct {
    long live;      /* allocations less frees */
    long countdown; /* the allocation that fails, from 1; 0: none */
    bool hit;
} memory;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *pointer);

static bool fails(void)
{
    if (memory.countdown == 0 || --memory.countdown > 0)
        return false;
    memory.hit = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    if (fails())
        return NULL;
    memory.live++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (fails())
        return NULL;
    memory.live++;
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    if (fails())
        return NULL;
    memory.live += old == NULL;
    return __libc_realloc(old, size);
}

void free(void *pointer)
{
    memory.live -= pointer != NULL;
    __libc_free(pointer);
}

/* ---- what is tried ---- */

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

static void try_each(enum snap_status (*action)(void))
{
    CHECK_OK(action()); /* what libraries make once and keep */
    for (long n = 1; n < 100000; n++) {
        err = (struct snap_error)SNAP_ERROR_INIT;
        long before = memory.live;
        memory.hit = false;
        memory.countdown = n;
        enum snap_status status = action();
        memory.countdown = 0;
        long after = memory.live;
        if (after != before)
            print_error("allocation %ld: %ld leaked: %s\n", n, after - before, err.text);
        assert_int_equal(after, before);
        if (!memory.hit) {
            assert_int_equal(status, SNAP_OK);
            assert_true(n > 100);
            return;
        }
        /* OpenSSL does not say that memory was the cause, and some callers do without. */
        if (status != SNAP_OK && status != SNAP_NO_MEMORY && status != SNAP_INTERNAL)
            print_error("allocation %ld: %s: %s\n", n, snap_status_name(status), err.text);
        assert_true(status == SNAP_OK || status == SNAP_NO_MEMORY || status == SNAP_INTERNAL);
        if (status != SNAP_OK)
            assert_int_not_equal(err.text[0], 0);
    }
    fail_msg("it never succeeds");
}

static void test_make(void **state)
{
    (void)state;
    try_each(make);
}

static void test_open(void **state)
{
    struct sample_archive sample;
    (void)state;
    CHECK_OK(sample_init(&sample, &err));
    CHECK_OK(sample_encode(&sample, NULL, &whole, &err));
    sample_release(&sample);
    whole_fd = memory_file(whole.data, whole.size);
    try_each(open_and_check);
    close(whole_fd);
    snap_buffer_release(&whole);
}

#else

static void test_make(void **state)
{
    (void)state;
    print_message("the sanitizer has malloc\n");
}
#define test_open test_make

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
