/* SPDX-License-Identifier: Apache-2.0 */
/* Files written by many threads, past the page cache and through it, under faults, and while
 * somebody changes the memory. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/file.h"
#include "core/team.h"
#include "digest/sha256.h"
#include "io_material.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static void check_file(const struct material *material)
{
    struct snap_buffer content = SNAP_BUFFER_INIT;
    CHECK_OK(snap_file_read(AT_FDCWD, io_path, material->size, &content, &err));
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
        { IO_BLOCK - 1, 10, 100 },
        { IO_BLOCK, 10, 100 },
        { IO_BLOCK, 0, IO_BLOCK },
        { IO_BLOCK + 1, 1, 100 },
        { IO_BLOCK + 1, 2, 5000 },
        { 2 * IO_BLOCK, IO_BLOCK, 5000 },
        { 3 * IO_BLOCK, IO_BLOCK - 1, 5000 },
        { 3 * IO_BLOCK + 17, 2 * IO_BLOCK, 5000 },
        { (1 << 20) + 4095, 4094, 9000 },
        { (4 << 20) - 1, 0, 90000 },
        { (5 << 20) + 3, 3, 90000 },
        { IO_LARGE, 700, 100000 },
        { IO_LARGE, 0, 3000000 },
        { 16 << 20, 9 << 20, 300000 }, /* the rest has two tasks */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct material material;
        make_material(&material, cases[i].size, cases[i].rest, cases[i].step);
        for (int way = SNAP_IO_BEST; way <= SNAP_IO_DIRECT; way++)
            for (int threads = 0; threads < 2; threads++) {
                memset(material.digests, 0, sizeof material.digests);
                CHECK_OK(write_material(&material, (enum snap_io_way)way,
                                        threads == 0 ? NULL : io_pool, &err));
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
    make_material(&material, IO_LARGE, 700, 100000);
    fault.no_direct = true;
    CHECK_OK(write_material(&material, SNAP_IO_BEST, io_pool, &err));
    check_file(&material);
    assert_true(atomic_load(&fault.hit));
    no_faults();
    for (size_t most = 1000; most <= 100 * IO_BLOCK; most += 99 * IO_BLOCK + 24) {
        fault.most_bytes = most;
        atomic_store(&fault.interruptions, 9);
        CHECK_OK(write_material(&material, SNAP_IO_BEST, io_pool, &err));
        no_faults();
        check_file(&material);
    }
    free(material.bytes);
}

/* SNAP_IO forces a way, whatever the callers want. */
static void test_forced(void **state)
{
    (void)state;
    struct material material;
    make_material(&material, IO_LARGE, 700, 100000);
    setenv("SNAP_IO", "cached", 1);
    fault.no_direct = true;
    CHECK_OK(write_material(&material, SNAP_IO_DIRECT, io_pool, &err));
    check_file(&material);
    assert_false(atomic_load(&fault.hit));
    setenv("SNAP_IO", "direct", 1);
    CHECK_FAILS(SNAP_UNSUPPORTED, "SNAP_IO=direct",
                write_material(&material, SNAP_IO_CACHED, io_pool, &err));
    assert_true(atomic_load(&fault.hit));
    no_faults();
    CHECK_OK(write_material(&material, SNAP_IO_CACHED, io_pool, &err));
    check_file(&material);
    setenv("SNAP_IO", "auto", 1);
    fault.no_direct = true;
    CHECK_OK(write_material(&material, SNAP_IO_BEST, io_pool, &err));
    assert_true(atomic_load(&fault.hit));
    no_faults();
    setenv("SNAP_IO", "fast", 1);
    CHECK_FAILS(SNAP_INVALID, "SNAP_IO=fast",
                write_material(&material, SNAP_IO_BEST, io_pool, &err));
    unsetenv("SNAP_IO");
    free(material.bytes);
}

/* Each call fails in turn, with as many threads as there are, until all goes well. */
static void test_failures(void **state)
{
    (void)state;
    struct material material;
    make_material(&material, IO_LARGE, 700, 100000);
    for (int way = SNAP_IO_CACHED; way <= SNAP_IO_DIRECT; way++)
        for (int call = 1;; call++) {
            fault.error = call % 2 == 0 ? EIO : ENOSPC;
            atomic_store(&fault.countdown, call);
            enum snap_status status =
                write_material(&material, (enum snap_io_way)way, io_pool, &err);
            bool hit = atomic_load(&fault.hit);
            no_faults();
            if (!hit) {
                assert_int_equal(status, SNAP_OK);
                assert_true(call > 8);
                break;
            }
            assert_int_equal(status, SNAP_IO);
            assert_int_equal(err.os_error, call % 2 == 0 ? EIO : ENOSPC);
            assert_non_null(strstr(err.text, io_path));
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
    make_material(&material, IO_LARGE, 700, 500000);
    scribbled.bytes = material.bytes;
    scribbled.size = material.segments[material.count - 1].offset;
    atomic_store(&scribbled.stop, false);
    /* What is not digested must stay as it is: only that is left out of the comparison below. */
    assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
    for (int round = 0; round < 12; round++) {
        struct snap_buffer content = SNAP_BUFFER_INIT;
        CHECK_OK(write_material(&material, round % 2 == 0 ? SNAP_IO_DIRECT : SNAP_IO_CACHED,
                                round % 3 == 0 ? NULL : io_pool, &err));
        CHECK_OK(snap_file_read(AT_FDCWD, io_path, IO_LARGE, &content, &err));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),    cmocka_unit_test(test_odd_calls),
        cmocka_unit_test(test_forced),
        cmocka_unit_test(test_failures), cmocka_unit_test(test_scribble),
        cmocka_unit_test(test_team),
    };
    return cmocka_run_group_tests(tests, set_up_io, tear_down_io);
}
