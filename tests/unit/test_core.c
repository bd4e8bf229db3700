/* SPDX-License-Identifier: Apache-2.0 */
/* core/: status texts, hex, bytes, buffers, files, the thread pool. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <snapstate/pool.h>
#include <snapstate/snapstate.h>

#include "core/array.h"
#include "core/buffer.h"
#include "core/bytes.h"
#include "core/file.h"
#include "core/hex.h"
#include "core/text.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static void test_error_text(void **state)
{
    (void)state;
    assert_int_equal(snap_error_set(NULL, SNAP_CORRUPT, "nobody listens"), SNAP_CORRUPT);
    assert_int_equal(snap_error_set(&err, SNAP_INVALID, "%s: %d", "a\nb\033[31m\xFF", 7),
                     SNAP_INVALID);
    assert_string_equal(err.text, "a?b?[31m?: 7");
    assert_int_equal(err.status, SNAP_INVALID);
    assert_int_equal(err.os_error, 0);

    /* Its own text may be among the arguments. */
    snap_error_set(&err, SNAP_IO, "outer: %s", err.text);
    assert_string_equal(err.text, "outer: a?b?[31m?: 7");

    snap_error_set_os(&err, SNAP_IO, ENOSPC, "file: writing");
    assert_string_equal(err.text, "file: writing: No space left on device");
    assert_int_equal(err.os_error, ENOSPC);

    /* Cut at a whole character: "é" is two bytes. */
    char longer[sizeof err.text + 10];
    for (size_t i = 0; i + 2 < sizeof longer; i += 2)
        memcpy(longer + i, "\xC3\xA9", 3);
    snap_error_set(&err, SNAP_IO, "%s", longer);
    assert_true(snap_utf8_is_valid(err.text, strlen(err.text)));
    assert_true(strlen(err.text) >= sizeof err.text - 2);
}

static void test_status_names(void **state)
{
    (void)state;
    for (int i = 0; i <= SNAP_BUSY; i++)
        assert_string_not_equal(snap_status_name((enum snap_status)i), "unknown");
    assert_string_equal(snap_status_name((enum snap_status)99), "unknown");
    assert_string_equal(snap_version(), PACKAGE_VERSION);
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        { "", true },
        { "abc", true },
        { "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", true },
        { "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF", true },
        { "\x80", false },
        { "\xC0\x80", false },     /* overlong */
        { "\xC1\xBF", false },     /* overlong */
        { "\xE0\x9F\xBF", false }, /* overlong */
        { "\xF0\x8F\xBF\xBF", false },
        { "\xED\xA0\x80", false },     /* surrogate */
        { "\xF4\x90\x80\x80", false }, /* past U+10FFFF */
        { "\xF5\x80\x80\x80", false },
        { "\xE2\x82", false },
        { "\xC3", false },
        { "\xC3(", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(snap_utf8_is_valid(cases[i].text, strlen(cases[i].text)),
                         cases[i].valid);
}

static void test_hex(void **state)
{
    (void)state;
    unsigned char bytes[4] = { 0 };
    char text[17];
    uint64_t wide;
    uint32_t narrow;
    snap_hex_encode("\x00\x7F\x80\xFF", 4, text);
    assert_string_equal(text, "007f80ff");
    assert_true(snap_hex_decode("007f80ff", 8, bytes));
    assert_memory_equal(bytes, "\x00\x7F\x80\xFF", 4);
    /* Nothing is written when a digit is wrong, at any place. */
    const char *wrong[] = { "007F80ff", "007f80fg", "g07f80ff", "007f80f", " 07f80ff" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memset(bytes, 0x55, sizeof bytes);
        assert_false(snap_hex_decode(wrong[i], strlen(wrong[i]), bytes));
        assert_memory_equal(bytes, "\x55\x55\x55\x55", 4);
    }
    snap_hex_encode_u64(0x3FB99999A0000001u, text);
    assert_string_equal(text, "3fb99999a0000001");
    assert_true(snap_hex_decode_u64("3fb99999a0000001", &wide));
    assert_true(wide == 0x3FB99999A0000001u);
    snap_hex_encode_u32(0x3F800000u, text);
    assert_string_equal(text, "3f800000");
    assert_true(snap_hex_decode_u32("3f800000", &narrow));
    assert_int_equal(narrow, 0x3F800000u);
    assert_false(snap_hex_decode_u32("3f80000", &narrow));
    assert_false(snap_hex_decode_u32("3f8000000", &narrow));
    assert_false(snap_hex_decode_u64("3f800000", &wide));
}

static void test_bytes(void **state)
{
    (void)state;
    unsigned char out[8];
    uint64_t sum;
    size_t size;
    snap_put_u32(out, 0x01020304u);
    assert_memory_equal(out, "\x04\x03\x02\x01", 4);
    assert_int_equal(snap_get_u32(out), 0x01020304u);
    snap_put_u64(out, 0x0102030405060708u);
    assert_memory_equal(out, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    assert_true(snap_get_u64(out) == 0x0102030405060708u);
    assert_true(snap_add_u64(UINT64_MAX - 1, 1, &sum) && sum == UINT64_MAX);
    assert_false(snap_add_u64(UINT64_MAX, 1, &sum));
    assert_false(snap_mul_u64(UINT64_MAX / 2 + 1, 2, &sum));
    assert_true(snap_add_size(1, 2, &size) && size == 3);
    assert_false(snap_mul_size(SIZE_MAX, 2, &size));
}

static void test_buffer(void **state)
{
    (void)state;
    struct snap_buffer buffer = SNAP_BUFFER_INIT;
    CHECK_OK(snap_buffer_append(&buffer, NULL, 0, &err));
    for (int i = 0; i < 1000; i++)
        CHECK_OK(snap_buffer_appendf(&buffer, &err, "%03d", i));
    assert_int_equal(buffer.size, 3000);
    assert_memory_equal(buffer.data + 2997, "999", 4);
    CHECK_FAILS(SNAP_NO_MEMORY, "too large", snap_buffer_reserve(&buffer, SIZE_MAX, &err));
    assert_int_equal(buffer.size, 3000);
    snap_buffer_clear(&buffer);
    CHECK_OK(snap_buffer_append_text(&buffer, "text", &err));
    size_t size;
    char *text = (char *)snap_buffer_steal(&buffer, &size);
    assert_string_equal(text, "text");
    assert_int_equal(size, 4);
    assert_null(buffer.data);
    free(text);
    snap_buffer_release(&buffer);
}

static void test_array(void **state)
{
    (void)state;
    int *numbers = NULL;
    for (size_t i = 0; i < 100; i++) {
        int *grown = snap_array_grow(numbers, i, sizeof *grown);
        assert_non_null(grown);
        numbers = grown;
        numbers[i] = (int)i;
    }
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(numbers[i], i);
    free(numbers);
}

static void test_file(void **state)
{
    (void)state;
    char folder[] = "snap-test-XXXXXX";
    struct snap_buffer content = SNAP_BUFFER_INIT;
    int fd;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    CHECK_FAILS(SNAP_NOT_FOUND, "absent", snap_file_open(AT_FDCWD, "absent", O_RDONLY, 0, &fd,
                                                         &err));
    CHECK_OK(snap_file_open(AT_FDCWD, "file", O_RDWR | O_CREAT, 0600, &fd, &err));
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_OK(snap_file_write(fd, "0123456789", 10, "file", &err));
    CHECK_OK(snap_file_pwrite(fd, "ab", 2, 4, "file", &err));
    char part[4] = { 0 };
    CHECK_OK(snap_file_pread(fd, part, 3, 3, "file", &err));
    assert_string_equal(part, "3ab");
    CHECK_FAILS(SNAP_CORRUPT, "ends at byte 10", snap_file_pread(fd, part, 3, 8, "file", &err));
    CHECK_OK(snap_file_sync(fd, "file", &err));
    CHECK_OK(snap_file_close(fd, "file", &err));
    CHECK_FAILS(SNAP_IO, "closing", snap_file_close(fd, "file", &err));

    CHECK_OK(snap_file_read(AT_FDCWD, "file", 10, &content, &err));
    assert_memory_equal(content.data, "0123ab6789", 11);
    CHECK_FAILS(SNAP_CORRUPT, "at most 9", snap_file_read(AT_FDCWD, "file", 9, &content, &err));
    assert_int_equal(content.size, 10);
    CHECK_FAILS(SNAP_NOT_FOUND, NULL, snap_file_read(AT_FDCWD, "absent", 9, &content, &err));
    CHECK_FAILS(SNAP_IO, "regular", snap_file_read(AT_FDCWD, ".", 9, &content, &err));
    assert_int_equal(mkfifo("pipe", 0600), 0);
    CHECK_FAILS(SNAP_IO, "regular", snap_file_read(AT_FDCWD, "pipe", 9, &content, &err));
    CHECK_OK(snap_file_open(AT_FDCWD, "/dev/full", O_WRONLY, 0, &fd, &err));
    CHECK_FAILS(SNAP_IO, "No space", snap_file_write(fd, "x", 1, "full", &err));
    assert_int_equal(err.os_error, ENOSPC);
    CHECK_OK(snap_file_close(fd, "full", &err));

    snap_buffer_release(&content);
    unlink("pipe");
    unlink("file");
    assert_int_equal(chdir(".."), 0);
    assert_int_equal(rmdir(folder), 0);
}

#define ITEMS 10000

struct counted {
    atomic_uint times[ITEMS];
    atomic_uint inside[8]; /* items a worker is in: never two */
    atomic_uint faults;
};

static void count_item(void *arg, size_t index, unsigned worker)
{
    struct counted *counted = arg;
    if (atomic_fetch_add(&counted->inside[worker], 1) != 0)
        atomic_fetch_add(&counted->faults, 1);
    atomic_fetch_add(&counted->times[index], 1);
    if (fegetround() != FE_TONEAREST)
        atomic_fetch_add(&counted->faults, 1);
    /* Subnormals must not be flushed: the smallest normal number, halved. */
    volatile float small = 0x1p-126f;
    if (small * 0.5f == 0.0f)
        atomic_fetch_add(&counted->faults, 1);
    atomic_fetch_sub(&counted->inside[worker], 1);
}

#if defined(__x86_64__)
/* Round up, and flush subnormals to zero, as -ffast-math programs do. */
#define HOSTILE_MXCSR (0x1F80u | 0x4000u | 0x8040u)
static void set_hostile_arithmetic(void)
{
    __builtin_ia32_ldmxcsr(HOSTILE_MXCSR);
}
static bool is_hostile_arithmetic(void)
{
    return (__builtin_ia32_stmxcsr() & ~0x3Fu) == HOSTILE_MXCSR;
}
#else
static void set_hostile_arithmetic(void)
{
    fesetround(FE_UPWARD);
}
static bool is_hostile_arithmetic(void)
{
    return fegetround() == FE_UPWARD;
}
#endif

static void test_pool(void **state)
{
    (void)state;
    static const unsigned threads[] = { 1, 2, 3, 7 };
    struct counted *counted = calloc(1, sizeof *counted);
    assert_non_null(counted);
    for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
        struct snap_pool *pool = NULL;
        unsigned runs = 0;
        set_hostile_arithmetic();
        CHECK_OK(snap_pool_new(threads[t], &pool, &err));
        assert_int_equal(snap_pool_threads(pool), threads[t]);
        snap_pool_run(pool, 0, count_item, counted);
        for (size_t count = 1; count <= ITEMS; count = count * 3 + 1, runs++)
            snap_pool_run(pool, count, count_item, counted);
        assert_true(is_hostile_arithmetic());
        fesetenv(FE_DFL_ENV);
        snap_pool_free(pool);
        assert_int_equal(atomic_load(&counted->faults), 0);
        assert_int_equal(atomic_load(&counted->times[0]), runs);
        /* count runs over 1, 4, 13, 40, 121, 364, 1093, 3280, 9841. */
        assert_int_equal(atomic_load(&counted->times[5000]), 1);
        assert_int_equal(atomic_load(&counted->times[9840]), 1);
        assert_int_equal(atomic_load(&counted->times[9841]), 0);
        memset(counted, 0, sizeof *counted);
    }
    free(counted);
    struct snap_pool *pool = NULL;
    CHECK_FAILS(SNAP_INVALID, "at most 1024", snap_pool_new(1025, &pool, &err));
    assert_null(pool);
    CHECK_OK(snap_pool_new(0, &pool, &err));
    assert_true(snap_pool_threads(pool) >= 1);
    snap_pool_free(pool);
    snap_pool_free(NULL);
}

/* As many items as threads, each waiting for all the others: every thread has one. */
struct meeting {
    pthread_barrier_t barrier;
    struct counted *counted;
};

static void meet(void *arg, size_t index, unsigned worker)
{
    struct meeting *meeting = arg;
    pthread_barrier_wait(&meeting->barrier);
    count_item(meeting->counted, index, worker);
}

static void test_pool_every_thread(void **state)
{
    (void)state;
    struct meeting meeting = { .counted = calloc(1, sizeof *meeting.counted) };
    struct snap_pool *pool = NULL;
    assert_non_null(meeting.counted);
    assert_int_equal(pthread_barrier_init(&meeting.barrier, NULL, 4), 0);
    set_hostile_arithmetic();
    CHECK_OK(snap_pool_new(4, &pool, &err));
    for (int i = 0; i < 20; i++)
        snap_pool_run(pool, 4, meet, &meeting);
    assert_true(is_hostile_arithmetic());
    fesetenv(FE_DFL_ENV);
    snap_pool_free(pool);
    assert_int_equal(atomic_load(&meeting.counted->faults), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(atomic_load(&meeting.counted->times[i]), 20);
    pthread_barrier_destroy(&meeting.barrier);
    free(meeting.counted);
}

struct caller {
    struct snap_pool *pool;
    struct counted *counted;
};

static void *call_pool(void *arg)
{
    struct caller *caller = arg;
    for (int i = 0; i < 50; i++)
        snap_pool_run(caller->pool, 20, count_item, caller->counted);
    return NULL;
}

static void test_pool_callers(void **state)
{
    (void)state;
    struct caller caller = { NULL, calloc(1, sizeof *caller.counted) };
    pthread_t threads[3];
    assert_non_null(caller.counted);
    CHECK_OK(snap_pool_new(3, &caller.pool, &err));
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_pool, &caller), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 20; i++)
        assert_int_equal(atomic_load(&caller.counted->times[i]), 150);
    assert_int_equal(atomic_load(&caller.counted->faults), 0);
    snap_pool_free(caller.pool);
    free(caller.counted);
}

static void test_device(void **state)
{
    (void)state;
    struct snap_device device = { SNAP_DEVICE_CUDA, 5 };
#if HAVE_CUDA
    /* 999 of them are in no machine; without any, that is said. */
    CHECK_FAILS(SNAP_UNSUPPORTED, "device cuda:999: this machine has",
                snap_device_parse("cuda:999", &device, &err));
#else
    CHECK_FAILS(SNAP_UNSUPPORTED, "device cuda:0: not built in",
                snap_device_parse("cuda:0", &device, &err));
#endif
    const char *wrong[] = { "", "CPU", "cpu:0", "cuda", "cuda:", "cuda:01", "cuda:-1", "cuda:1x",
                            "cuda:1000", "gpu" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_FAILS(SNAP_INVALID, "expected", snap_device_parse(wrong[i], &device, &err));
    assert_int_equal(device.index, 5);
    CHECK_OK(snap_device_parse("cpu", &device, &err));
    assert_int_equal(device.kind, SNAP_DEVICE_CPU);
    assert_int_equal(device.index, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_text), cmocka_unit_test(test_status_names),
        cmocka_unit_test(test_utf8),       cmocka_unit_test(test_hex),
        cmocka_unit_test(test_bytes),      cmocka_unit_test(test_buffer),
        cmocka_unit_test(test_array),      cmocka_unit_test(test_file),
        cmocka_unit_test(test_pool),       cmocka_unit_test(test_pool_callers),
        cmocka_unit_test(test_device),     cmocka_unit_test(test_pool_every_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
