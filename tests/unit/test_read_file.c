/* SPDX-License-Identifier: Apache-2.0 */
/* Stretches of a file read by many threads: from the page cache, past it, with gaps, from a slow
 * disk, from a damaged one. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "core/file.h"
#include "digest/sha256.h"
#include "io/read_file.h"
#include "io_material.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* Write the material and open it for reading; in the page cache or not. */
static int open_material(struct material *material, bool cached)
{
    CHECK_OK(write_material(material, cached ? SNAP_IO_CACHED : SNAP_IO_DIRECT, io_pool, &err));
    int fd = open(io_path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    if (!cached) {
        assert_int_equal(fsync(fd), 0);
        assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    }
    return fd;
}

/* Every segment that is not in a gap: compared, digested, or digested in a place. */
static size_t make_spans(const struct material *material, bool gaps, struct snap_span *spans,
                         unsigned char (*digests)[SNAP_DIGEST_BYTES], unsigned char *place)
{
    size_t count = 0;
    for (size_t i = 0; i < material->count + material->rest_count; i++) {
        const struct snap_segment *segment = &material->segments[i];
        if (gaps && i % 5 > 1)
            continue;
        spans[count] = (struct snap_span){ .offset = segment->offset,
                                           .size_bytes = segment->size_bytes };
        if (i % 2 == 0)
            spans[count].sha256 = digests[count];
        else
            spans[count].data = segment->data;
        if (i % 4 == 0)
            spans[count].place = place + segment->offset;
        count++;
    }
    return count;
}

static void check_spans(const struct material *material, const struct snap_span *spans,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char digest[SNAP_DIGEST_BYTES];
        const unsigned char *expected = material->bytes + spans[i].offset;
        assert_false(spans[i].differs);
        if (spans[i].sha256 != NULL) {
            CHECK_OK(snap_sha256(expected, spans[i].size_bytes, digest, &err));
            assert_memory_equal(spans[i].sha256, digest, sizeof digest);
        }
        if (spans[i].place != NULL && spans[i].size_bytes > 0)
            assert_memory_equal(spans[i].place, expected, spans[i].size_bytes);
    }
}

static void test_read(void **state)
{
    (void)state;
    const size_t sizes[] = { 1, 3 * IO_BLOCK + 17, IO_LARGE };
    unsigned char(*digests)[SNAP_DIGEST_BYTES] = calloc(MOST_SEGMENTS, sizeof *digests);
    struct snap_span *spans = calloc(MOST_SEGMENTS, sizeof *spans);
    assert_true(digests != NULL && spans != NULL);
    /* The file, where it lies and is read from, gaps, threads, odd calls. */
    for (int i = 0; i < 3 * 2 * 2 * 2 * 2 * 2; i++) {
        struct material material;
        make_material(&material, sizes[i / 32], sizes[i / 32] / 10000, sizes[i / 32] / 100 + 1);
        unsigned char *place = calloc(1, material.size);
        assert_non_null(place);
        int fd = open_material(&material, (i & 1) != 0);
        size_t count = make_spans(&material, (i & 4) != 0, spans, digests, place);
        size_t failed = SIZE_MAX;
        fault.no_direct = (i & 16) != 0;
        fault.most_bytes = (i & 16) != 0 ? 100001 : 0;
        atomic_store(&fault.interruptions, i & 16);
        CHECK_OK(snap_read_spans(fd, spans, count,
                                 (i & 2) != 0 ? SNAP_READ_DISK : SNAP_READ_FASTEST,
                                 (i & 8) != 0 ? io_pool : NULL, io_path, &failed, &err));
        no_faults();
        assert_int_equal(failed, count);
        check_spans(&material, spans, count);
        close(fd);
        free(place);
        free(material.bytes);
    }
    free(spans);
    free(digests);
}

/* SNAP_IO forces a way, also for what is in the cache, or small. */
static void test_forced(void **state)
{
    (void)state;
    struct material material;
    unsigned char(*digests)[SNAP_DIGEST_BYTES] = calloc(MOST_SEGMENTS, sizeof *digests);
    struct snap_span *spans = calloc(MOST_SEGMENTS, sizeof *spans);
    make_material(&material, 3 * IO_BLOCK + 17, 0, 1000);
    unsigned char *place = calloc(1, material.size);
    assert_true(digests != NULL && spans != NULL && place != NULL);
    for (int source = SNAP_READ_FASTEST; source <= SNAP_READ_DISK; source++) {
        int fd = open_material(&material, true);
        size_t count = make_spans(&material, false, spans, digests, place);
        setenv("SNAP_IO", "cached", 1);
        fault.no_direct = true;
        CHECK_OK(snap_read_spans(fd, spans, count, (enum snap_read_source)source, io_pool, io_path,
                                 NULL, &err));
        assert_false(atomic_load(&fault.hit));
        check_spans(&material, spans, count);
        setenv("SNAP_IO", "direct", 1);
        CHECK_FAILS(SNAP_UNSUPPORTED, "SNAP_IO=direct",
                    snap_read_spans(fd, spans, count, (enum snap_read_source)source, io_pool,
                                    io_path, NULL, &err));
        no_faults();
        CHECK_OK(snap_read_spans(fd, spans, count, (enum snap_read_source)source, io_pool, io_path,
                                 NULL, &err));
        check_spans(&material, spans, count);
        unsetenv("SNAP_IO");
        close(fd);
    }
    free(place);
    free(material.bytes);
    free(spans);
    free(digests);
}

/* A slow disk: what follows the first 64 MiB goes through the page cache, and is read the same. A
 * reading back never does. */
static void test_slow_disk(void **state)
{
    (void)state;
    const size_t size = (size_t)96 << 20;
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, 0x5a, size);
    int fd = new_file();
    CHECK_OK(snap_file_write(fd, bytes, size, io_path, &err));
    for (int source = SNAP_READ_FASTEST; source <= SNAP_READ_DISK; source++) {
        struct snap_span spans[24]; /* so that there are tasks to share */
        for (size_t i = 0; i < 24; i++)
            spans[i] = (struct snap_span){ .offset = i * (size / 24),
                                           .size_bytes = size / 24,
                                           .data = bytes };
        assert_int_equal(fsync(fd), 0);
        assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
        /* Twelve threads, pieces of 2 MiB: at most 250 MB a second. */
        fault.delay = 100000;
        CHECK_OK(snap_read_spans(fd, spans, 24, (enum snap_read_source)source, io_pool, io_path,
                                 NULL, &err));
        for (size_t i = 0; i < 24; i++)
            assert_false(spans[i].differs);
        int calls = atomic_load(&fault.direct_calls);
        no_faults();
        if (source == SNAP_READ_FASTEST)
            assert_true(calls >= 32 && calls < 48);
        else
            assert_true(calls >= 48);
    }
    close(fd);
    free(bytes);
}

/* A changed byte, at the edges of blocks and pieces; a file that is cut; a disk that fails. */
static void test_read_damaged(void **state)
{
    (void)state;
    struct material material;
    struct snap_span spans[2];
    unsigned char digests[2][SNAP_DIGEST_BYTES];
    size_t failed;
    make_material(&material, IO_LARGE, 0, 100000);
    int fd = open_material(&material, false);
    const size_t places[] = { 0, IO_BLOCK - 1, IO_BLOCK, 6 << 20, IO_LARGE - 1 };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        for (int source = SNAP_READ_FASTEST; source <= SNAP_READ_DISK; source++) {
            unsigned char wrong = material.bytes[places[i]] ^ 1;
            CHECK_OK(snap_file_pwrite(fd, &wrong, 1, places[i], io_path, &err));
            spans[0] = (struct snap_span){ .size_bytes = IO_LARGE,
                                           .data = material.bytes,
                                           .sha256 = digests[0] };
            CHECK_OK(snap_read_spans(fd, spans, 1, (enum snap_read_source)source, io_pool, io_path,
                                     NULL, &err));
            assert_true(spans[0].differs);
            CHECK_OK(snap_sha256(material.bytes, IO_LARGE, digests[1], &err));
            assert_memory_not_equal(digests[0], digests[1], sizeof digests[0]);
            CHECK_OK(snap_file_pwrite(fd, material.bytes + places[i], 1, places[i], io_path, &err));
        }
    for (int source = SNAP_READ_FASTEST; source <= SNAP_READ_DISK; source++) {
        spans[0] = (struct snap_span){ .size_bytes = IO_LARGE - 1, .sha256 = digests[0] };
        spans[1] =
            (struct snap_span){ .offset = IO_LARGE - 1, .size_bytes = 1, .sha256 = digests[1] };
        atomic_store(&fault.countdown, 2);
        fault.error = EIO;
        CHECK_FAILS(SNAP_IO, io_path,
                    snap_read_spans(fd, spans, 2, (enum snap_read_source)source, io_pool, io_path,
                                    &failed, &err));
        assert_int_equal(failed, 0);
        no_faults();
        assert_int_equal(ftruncate(fd, IO_LARGE - 1), 0);
        CHECK_FAILS(SNAP_CORRUPT, "the file ends at byte",
                    snap_read_spans(fd, spans, 2, (enum snap_read_source)source, io_pool, io_path,
                                    &failed, &err));
        assert_true(failed < 2);
        assert_int_equal(ftruncate(fd, IO_LARGE), 0);
        CHECK_OK(
            snap_file_pwrite(fd, material.bytes + IO_LARGE - 1, 1, IO_LARGE - 1, io_path, &err));
    }
    close(fd);
    free(material.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_forced),
        cmocka_unit_test(test_slow_disk),
        cmocka_unit_test(test_read_damaged),
    };
    return cmocka_run_group_tests(tests, set_up_io, tear_down_io);
}
