/* SPDX-License-Identifier: Apache-2.0 */
/* io/: files written and read by many threads, past the page cache and through it, under faults,
 * and while somebody changes the memory. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/file.h"
#include "core/team.h"
#include "digest/sha256.h"
#include "io/read_file.h"
#include "io/write_file.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;
static char path[] = "snap-test-XXXXXX";
static struct snap_pool *pool; /* three threads: more than one lane and one core have */

/* ---- faults ---- */

/* Which call fails, counted from 1 and over all threads; 0: none. */
static struct {
    atomic_int countdown;
    int error;
    atomic_int interruptions;
    size_t most_bytes; /* of one call; 0: all */
    bool no_direct;    /* what is open with O_DIRECT takes and gives no bytes */
    useconds_t delay;  /* of each call on what is open with O_DIRECT */
    atomic_int direct_calls;
    atomic_bool hit;
} fault;

static void no_faults(void)
{
    fault.most_bytes = 0;
    fault.no_direct = false;
    fault.delay = 0;
    atomic_store(&fault.direct_calls, 0);
    atomic_store(&fault.countdown, 0);
    atomic_store(&fault.interruptions, 0);
    atomic_store(&fault.hit, false);
}

/* May this call be made? `size` may get smaller. */
static bool may_call(int fd, size_t *size)
{
    if (atomic_load(&fault.interruptions) > 0 && atomic_fetch_sub(&fault.interruptions, 1) > 0) {
        errno = EINTR;
        return false;
    }
    if (atomic_load(&fault.countdown) > 0 && atomic_fetch_sub(&fault.countdown, 1) == 1) {
        atomic_store(&fault.hit, true);
        errno = fault.error;
        return false;
    }
    bool direct = (fcntl(fd, F_GETFL) & O_DIRECT) != 0;
    if (fault.no_direct && direct) {
        atomic_store(&fault.hit, true);
        errno = EINVAL;
        return false;
    }
    if (direct && fault.delay > 0)
        usleep(fault.delay);
    atomic_fetch_add(&fault.direct_calls, direct);
    if (fault.most_bytes > 0 && *size > fault.most_bytes)
        *size = fault.most_bytes;
    return true;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return may_call(fd, &size) ? syscall(SYS_pwrite64, fd, data, size, offset) : -1;
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    return may_call(fd, &size) ? syscall(SYS_pread64, fd, data, size, offset) : -1;
}

/* ---- a content: many segments of odd sizes, some empty, some digested, and a rest ---- */

#define MOST_SEGMENTS 600

struct material {
    unsigned char *bytes;
    size_t size;
    struct snap_segment segments[MOST_SEGMENTS];
    unsigned char digests[MOST_SEGMENTS][SNAP_DIGEST_BYTES];
    size_t count; /* before the rest */
    size_t rest_count;
    int finished;
    struct snap_content content;
};

static enum snap_status finish(void *arg, const struct snap_segment **segments, size_t *count,
                               struct snap_error *error)
{
    struct material *material = arg;
    (void)error;
    material->finished++;
    *segments = material->segments + material->count;
    *count = material->rest_count;
    return SNAP_OK;
}

/* `size` bytes, of which the last `rest` depend on the digests. `step`: about the bytes of a
 * segment. */
static void make_material(struct material *material, size_t size, size_t rest, size_t step)
{
    uint64_t word = size * 2654435761u + rest + step;
    memset(material, 0, sizeof *material);
    material->bytes = malloc(size + 1);
    assert_non_null(material->bytes);
    for (size_t i = 0; i < size; i++) {
        word = word * 6364136223846793005u + 1442695040888963407u;
        material->bytes[i] = (unsigned char)(word >> 56);
    }
    material->size = size;
    for (size_t at = 0, i = 0; at < size || i == 0; i++) {
        word = word * 6364136223846793005u + 1442695040888963407u;
        size_t border = at < size - rest ? size - rest : size;
        size_t bytes = i % 7 == 3 ? 0 : (size_t)(word >> 33) % (2 * step) + 1;
        if (bytes > border - at || i + 40 > MOST_SEGMENTS)
            bytes = border - at;
        bool digested = i % 3 != 1 && at < size - rest;
        assert_true(i < MOST_SEGMENTS);
        material->segments[i] = (struct snap_segment){
            at, material->bytes + at, bytes, digested ? material->digests[i] : NULL
        };
        at += bytes;
        *(at <= size - rest ? &material->count : &material->rest_count) += 1;
    }
    material->content = (struct snap_content){ .segments = material->segments,
                                               .count = material->count,
                                               .size_bytes = size,
                                               .finish = finish,
                                               .arg = material };
}

static int new_file(void)
{
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    return fd;
}

/* Write into a new file and close it. */
static enum snap_status write_material(struct material *material, enum snap_io_way way,
                                       struct snap_pool *threads)
{
    const struct snap_write_options options = { .way = way, .pool = threads };
    struct snap_rest rest = { NULL, 0 };
    int fd = new_file();
    material->finished = 0;
    enum snap_status status = snap_write_file(fd, &material->content, &options, &rest, path, &err);
    assert_int_equal(fcntl(fd, F_GETFL) & O_DIRECT && status == SNAP_OK, 0);
    assert_int_equal(close(fd), 0);
    if (status == SNAP_OK) {
        assert_int_equal(material->finished, 1);
        assert_ptr_equal(rest.segments, material->segments + material->count);
        assert_int_equal(rest.count, material->rest_count);
    }
    return status;
}

static void check_file(const struct material *material)
{
    struct snap_buffer content = SNAP_BUFFER_INIT;
    CHECK_OK(snap_file_read(AT_FDCWD, path, material->size, &content, &err));
    assert_int_equal(content.size, material->size);
    assert_true(material->size == 0 || memcmp(content.data, material->bytes, material->size) == 0);
    for (size_t i = 0; i < material->count; i++) {
        unsigned char digest[SNAP_DIGEST_BYTES];
        const struct snap_segment *segment = &material->segments[i];
        if (segment->sha256 == NULL)
            continue;
        CHECK_OK(snap_sha256(material->bytes + segment->offset, segment->size_bytes, digest, &err));
        assert_memory_equal(segment->sha256, digest, sizeof digest);
    }
    snap_buffer_release(&content);
}

static const size_t block = 4096;
static const size_t large = ((size_t)13 << 20) + 1234; /* three tasks */

/* ---- writing ---- */

static void test_sizes(void **state)
{
    (void)state;
    const struct {
        size_t size;
        size_t rest;
        size_t step;
    } cases[] = {
        { 0, 0, 1 },
        { 1, 0, 1 },
        { 1, 1, 1 },
        { block - 1, 10, 100 },
        { block, 10, 100 },
        { block, 0, block },
        { block + 1, 1, 100 },
        { block + 1, 2, 5000 },
        { 2 * block, block, 5000 },
        { 3 * block, block - 1, 5000 },
        { 3 * block + 17, 2 * block, 5000 },
        { (1 << 20) + 4095, 4094, 9000 },
        { (4 << 20) - 1, 0, 90000 },
        { (5 << 20) + 3, 3, 90000 },
        { large, 700, 100000 },
        { large, 0, 3000000 },
        { 16 << 20, 9 << 20, 300000 }, /* the rest has two tasks */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct material material;
        make_material(&material, cases[i].size, cases[i].rest, cases[i].step);
        for (int way = SNAP_IO_BEST; way <= SNAP_IO_DIRECT; way++)
            for (int threads = 0; threads < 2; threads++) {
                memset(material.digests, 0, sizeof material.digests);
                CHECK_OK(write_material(&material, (enum snap_io_way)way,
                                        threads == 0 ? NULL : pool));
                check_file(&material);
            }
        free(material.bytes);
    }
}

/* A file system that says it can do direct I/O, and then cannot; calls that are cut short, and
 * calls that are interrupted. */
static void test_odd_calls(void **state)
{
    (void)state;
    struct material material;
    make_material(&material, large, 700, 100000);
    fault.no_direct = true;
    CHECK_OK(write_material(&material, SNAP_IO_BEST, pool));
    check_file(&material);
    assert_true(atomic_load(&fault.hit));
    no_faults();
    for (size_t most = 1000; most <= 100 * block; most += 99 * block + 24) {
        fault.most_bytes = most;
        atomic_store(&fault.interruptions, 9);
        CHECK_OK(write_material(&material, SNAP_IO_BEST, pool));
        no_faults();
        check_file(&material);
    }
    free(material.bytes);
}

/* Each call fails in turn, with as many threads as there are, until all goes well. */
static void test_failures(void **state)
{
    (void)state;
    struct material material;
    make_material(&material, large, 700, 100000);
    for (int way = SNAP_IO_CACHED; way <= SNAP_IO_DIRECT; way++)
        for (int call = 1;; call++) {
            fault.error = call % 2 == 0 ? EIO : ENOSPC;
            atomic_store(&fault.countdown, call);
            enum snap_status status = write_material(&material, (enum snap_io_way)way, pool);
            bool hit = atomic_load(&fault.hit);
            no_faults();
            if (!hit) {
                assert_int_equal(status, SNAP_OK);
                assert_true(call > 15);
                break;
            }
            assert_int_equal(status, SNAP_IO);
            assert_int_equal(err.os_error, call % 2 == 0 ? EIO : ENOSPC);
            assert_non_null(strstr(err.text, path));
        }
    free(material.bytes);
}

/* Memory that another thread changes all the time: the digests are of what is in the file. */
static struct {
    unsigned char *bytes;
    size_t size;
    atomic_bool stop;
} scribbled;

static void *scribble(void *arg)
{
    (void)arg;
    for (size_t i = 0; !atomic_load(&scribbled.stop); i = (i + 4099) % scribbled.size)
        ((volatile unsigned char *)scribbled.bytes)[i]++;
    return NULL;
}

static void test_scribble(void **state)
{
    (void)state;
    struct material material;
    pthread_t thread;
    make_material(&material, large, 700, 500000);
    scribbled.bytes = material.bytes;
    scribbled.size = material.segments[material.count - 1].offset;
    atomic_store(&scribbled.stop, false);
    /* What is not digested must stay as it is: only that is left out of the comparison below. */
    assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
    for (int round = 0; round < 12; round++) {
        struct snap_buffer content = SNAP_BUFFER_INIT;
        CHECK_OK(write_material(&material, round % 2 == 0 ? SNAP_IO_DIRECT : SNAP_IO_CACHED,
                                round % 3 == 0 ? NULL : pool));
        CHECK_OK(snap_file_read(AT_FDCWD, path, large, &content, &err));
        for (size_t i = 0; i < material.count; i++) {
            unsigned char digest[SNAP_DIGEST_BYTES];
            const struct snap_segment *segment = &material.segments[i];
            if (segment->sha256 == NULL)
                continue;
            CHECK_OK(
                snap_sha256(content.data + segment->offset, segment->size_bytes, digest, &err));
            assert_memory_equal(segment->sha256, digest, sizeof digest);
        }
        snap_buffer_release(&content);
    }
    atomic_store(&scribbled.stop, true);
    pthread_join(thread, NULL);
    free(material.bytes);
}

/* ---- reading ---- */

/* Write the material and open it for reading; in the page cache or not. */
static int open_material(struct material *material, bool cached)
{
    CHECK_OK(write_material(material, cached ? SNAP_IO_CACHED : SNAP_IO_DIRECT, pool));
    int fd = open(path, O_RDWR | O_CLOEXEC);
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
    const size_t sizes[] = { 1, 3 * block + 17, large };
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
                                 (i & 8) != 0 ? pool : NULL, path, &failed, &err));
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
    CHECK_OK(snap_file_write(fd, bytes, size, path, &err));
    for (int source = SNAP_READ_FASTEST; source <= SNAP_READ_DISK; source++) {
        struct snap_span spans[24]; /* so that there are tasks to share */
        for (size_t i = 0; i < 24; i++)
            spans[i] = (struct snap_span){ .offset = i * (size / 24),
                                           .size_bytes = size / 24,
                                           .data = bytes };
        assert_int_equal(fsync(fd), 0);
        assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
        /* Six threads: at most 300 MB a second. */
        fault.delay = 20000;
        CHECK_OK(snap_read_spans(fd, spans, 24, (enum snap_read_source)source, pool, path, NULL,
                                 &err));
        for (size_t i = 0; i < 24; i++)
            assert_false(spans[i].differs);
        int calls = atomic_load(&fault.direct_calls);
        no_faults();
        if (source == SNAP_READ_FASTEST)
            assert_true(calls >= 64 && calls < 96);
        else
            assert_true(calls >= 96);
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
    make_material(&material, large, 0, 100000);
    int fd = open_material(&material, false);
    const size_t places[] = { 0, block - 1, block, 6 << 20, large - 1 };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        for (int source = SNAP_READ_FASTEST; source <= SNAP_READ_DISK; source++) {
            unsigned char wrong = material.bytes[places[i]] ^ 1;
            CHECK_OK(snap_file_pwrite(fd, &wrong, 1, places[i], path, &err));
            spans[0] = (struct snap_span){ 0, large, material.bytes, NULL, digests[0], false };
            CHECK_OK(snap_read_spans(fd, spans, 1, (enum snap_read_source)source, pool, path, NULL,
                                     &err));
            assert_true(spans[0].differs);
            CHECK_OK(snap_sha256(material.bytes, large, digests[1], &err));
            assert_memory_not_equal(digests[0], digests[1], sizeof digests[0]);
            CHECK_OK(snap_file_pwrite(fd, material.bytes + places[i], 1, places[i], path, &err));
        }
    for (int source = SNAP_READ_FASTEST; source <= SNAP_READ_DISK; source++) {
        spans[0] = (struct snap_span){ 0, large - 1, NULL, NULL, digests[0], false };
        spans[1] = (struct snap_span){ large - 1, 1, NULL, NULL, digests[1], false };
        atomic_store(&fault.countdown, 2);
        fault.error = EIO;
        CHECK_FAILS(SNAP_IO, path,
                    snap_read_spans(fd, spans, 2, (enum snap_read_source)source, pool, path,
                                    &failed, &err));
        assert_int_equal(failed, 0);
        no_faults();
        assert_int_equal(ftruncate(fd, large - 1), 0);
        CHECK_FAILS(SNAP_CORRUPT, "the file ends at byte",
                    snap_read_spans(fd, spans, 2, (enum snap_read_source)source, pool, path,
                                    &failed, &err));
        assert_true(failed < 2);
        assert_int_equal(ftruncate(fd, large), 0);
        CHECK_OK(snap_file_pwrite(fd, material.bytes + large - 1, 1, large - 1, path, &err));
    }
    close(fd);
    free(material.bytes);
}

/* ---- the team ---- */

static void count_up(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void test_team(void **state)
{
    (void)state;
    atomic_int calls = 0;
    snap_team_run(5, count_up, &calls);
    assert_int_equal(calls, 5);
    snap_team_run(1, count_up, &calls);
    snap_team_run(0, count_up, &calls);
    assert_int_equal(calls, 7);
}

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0 || close(fd) != 0)
        return -1;
    return snap_pool_new(3, &pool, &err) == SNAP_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    snap_pool_free(pool);
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),    cmocka_unit_test(test_odd_calls),
        cmocka_unit_test(test_failures), cmocka_unit_test(test_scribble),
        cmocka_unit_test(test_read),     cmocka_unit_test(test_slow_disk),
        cmocka_unit_test(test_team),     cmocka_unit_test(test_read_damaged),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
