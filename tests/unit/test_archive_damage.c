/* SPDX-License-Identifier: Apache-2.0 */
/* Damage to a small archive: each byte flipped, cut everywhere, bytes appended, sizes that lie. All
 * of it refused, by the name of the member, with nothing put out. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/file.h"
#include "format/archive_read.h"
#include "format/limits.h"
#include "format/tar_layout.h"
#include "sample_archive.h"
#include "unit_check.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static struct snap_error err = SNAP_ERROR_INIT;

/* No call may ask for more memory than this: the sizes in the files below say far more. */
#define MOST_MIB 16
#ifdef SANITIZED
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "max_allocation_size_mb=16:allocator_may_return_null=1";
}
#endif

/* The archive, and where its members lie. */
struct subject {
    struct sample_archive sample;
    struct snap_buffer bytes;
    struct snap_archive *archive;
    int fd; /* a file in memory, changed in place by the tests */
};

static int set_up(void **state)
{
    struct subject *subject = calloc(1, sizeof *subject);
    if (subject == NULL || sample_init(&subject->sample, &err) != SNAP_OK ||
        sample_encode(&subject->sample, NULL, &subject->bytes, &err) != SNAP_OK ||
        snap_archive_open_fd(memory_file(subject->bytes.data, subject->bytes.size), "sample",
                             &subject->archive, &err) != SNAP_OK)
        return -1;
    subject->fd = memory_file(subject->bytes.data, subject->bytes.size);
    *state = subject;
    return 0;
}

static int tear_down(void **state)
{
    struct subject *subject = *state;
    close(subject->fd);
    snap_archive_close(subject->archive);
    snap_buffer_release(&subject->bytes);
    sample_release(&subject->sample);
    free(subject);
    return 0;
}

/* Whose byte is it? What follows the last member is its, too. */
static const struct snap_member *owner(const struct subject *subject, uint64_t offset)
{
    size_t last = snap_archive_member_count(subject->archive) - 1;
    for (size_t i = 0; i < last; i++) {
        const struct snap_member *member = snap_archive_member(subject->archive, i);
        if (offset < member->data_offset + member->data_size + snap_tar_padding(member->data_size))
            return member;
    }
    return snap_archive_member(subject->archive, last);
}

/* Open and check the file as it is now. */
static enum snap_status examine(const struct subject *subject)
{
    struct snap_archive *const before = (struct snap_archive *)&err;
    struct snap_archive *archive = before;
    err = (struct snap_error)SNAP_ERROR_INIT;
    enum snap_status status = snap_archive_open_fd(dup(subject->fd), "damaged", &archive, &err);
    if (status != SNAP_OK) {
        assert_ptr_equal(archive, before);
        return status;
    }
    status = snap_archive_check(archive, NULL, &err);
    snap_archive_close(archive);
    return status;
}

static void test_intact(void **state)
{
    const struct subject *subject = *state;
    CHECK_OK(examine(subject));
}

static void test_every_byte(void **state)
{
    const struct subject *subject = *state;
    const struct snap_buffer *bytes = &subject->bytes;
    for (size_t i = 0; i < bytes->size; i++) {
        /* Another bit each time, and the lowest of all for letters and digits. */
        unsigned char flipped = (unsigned char)(bytes->data[i] ^ (1u << (i % 8)));
        assert_int_equal(pwrite(subject->fd, &flipped, 1, (off_t)i), 1);
        enum snap_status status = examine(subject);
        if (status != SNAP_CORRUPT || strstr(err.text, owner(subject, i)->name) == NULL)
            print_error("byte %zu of %s: %s: %s\n", i, owner(subject, i)->name,
                        snap_status_name(status), err.text);
        assert_int_equal(status, SNAP_CORRUPT);
        assert_non_null(strstr(err.text, owner(subject, i)->name));
        assert_int_equal(pwrite(subject->fd, bytes->data + i, 1, (off_t)i), 1);
    }
    CHECK_OK(examine(subject));
}

static void test_cuts(void **state)
{
    const struct subject *subject = *state;
    const struct snap_buffer *bytes = &subject->bytes;
    uint32_t random = 1;
    for (size_t i = 0; i < bytes->size / SNAP_TAR_BLOCK_BYTES + 500; i++) {
        size_t cut = i * SNAP_TAR_BLOCK_BYTES;
        if (cut >= bytes->size) {
            random = random * 1664525u + 1013904223u;
            cut = (size_t)(((uint64_t)random * bytes->size) >> 32);
        }
        assert_int_equal(ftruncate(subject->fd, (off_t)cut), 0);
        enum snap_status status = examine(subject);
        if (status != SNAP_CORRUPT)
            print_error("cut at %zu: %s\n", cut, snap_status_name(status));
        assert_int_equal(status, SNAP_CORRUPT);
        assert_non_null(strstr(err.text, "member "));
        CHECK_OK(snap_file_pwrite(subject->fd, bytes->data, bytes->size, 0, "file", &err));
    }
    CHECK_OK(examine(subject));
}

static void test_appended(void **state)
{
    const struct subject *subject = *state;
    const struct snap_buffer *bytes = &subject->bytes;
    static const unsigned char zeros[10240];
    static const size_t sizes[] = { 1, 511, 512, 1024, 10240 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CHECK_OK(snap_file_pwrite(subject->fd, zeros, sizes[i], bytes->size, "file", &err));
        assert_int_equal(examine(subject), SNAP_CORRUPT);
        assert_non_null(strstr(err.text, "nothing else"));
        CHECK_OK(snap_file_pwrite(subject->fd, "x", 1, bytes->size, "file", &err));
        assert_int_equal(examine(subject), SNAP_CORRUPT);
        assert_int_equal(ftruncate(subject->fd, (off_t)bytes->size), 0);
    }
    /* A second archive behind the first. */
    CHECK_OK(snap_file_pwrite(subject->fd, bytes->data, bytes->size, bytes->size, "file", &err));
    assert_int_equal(examine(subject), SNAP_CORRUPT);
    assert_int_equal(ftruncate(subject->fd, (off_t)bytes->size), 0);
    CHECK_OK(examine(subject));
}

/* Reading a member that is damaged says so, member by member; the others are read. */
static void test_read_damaged(void **state)
{
    const struct subject *subject = *state;
    for (size_t i = 0; i < snap_archive_member_count(subject->archive); i++) {
        const struct snap_member *member = snap_archive_member(subject->archive, i);
        struct snap_archive *archive = NULL;
        unsigned char flipped = (unsigned char)(subject->bytes.data[member->data_offset] ^ 0x10);
        if (member->data_size == 0 ||
            (member->kind != SNAP_MEMBER_STREAM && member->kind != SNAP_MEMBER_TENSOR &&
             member->kind != SNAP_MEMBER_EXTRA && member->kind != SNAP_MEMBER_LEDGER))
            continue;
        assert_int_equal(pwrite(subject->fd, &flipped, 1, (off_t)member->data_offset), 1);
        CHECK_OK(snap_archive_open_fd(dup(subject->fd), "damaged", &archive, &err));
        for (size_t j = 0; j < snap_archive_member_count(archive); j++) {
            const struct snap_member *other = snap_archive_member(archive, j);
            void *data = NULL;
            if (j != i)
                CHECK_OK(snap_archive_read_alloc(archive, other, 1 << 20, &data, &err));
            else
                CHECK_FAILS(SNAP_CORRUPT, member->name,
                            snap_archive_read_alloc(archive, other, 1 << 20, &data, &err));
            assert_int_equal(data == NULL, j == i);
            free(data);
        }
        snap_archive_close(archive);
        assert_int_equal(pwrite(subject->fd, subject->bytes.data + member->data_offset, 1,
                                (off_t)member->data_offset),
                         1);
    }
    CHECK_OK(examine(subject));
}

/* Headers that are right in themselves and say a size that the file does not have, or has only as a
 * hole. Nothing of that size is asked for (see MOST_MIB). */
static void test_lying_sizes(void **state)
{
    const struct subject *subject = *state;
    const struct snap_buffer *bytes = &subject->bytes;
    static const uint64_t sizes[] = { 60 << 20, SNAP_MAX_MEMBER_BYTES };
    for (size_t i = 0; i < snap_archive_member_count(subject->archive); i++)
        for (size_t s = 0; s < 2; s++) {
            const struct snap_member *member = snap_archive_member(subject->archive, i);
            unsigned char header[SNAP_TAR_BLOCK_BYTES];
            uint64_t offset = member->data_offset - SNAP_TAR_BLOCK_BYTES;
            CHECK_OK(snap_tar_header(member->name, sizes[s], header, &err));
            CHECK_OK(snap_file_pwrite(subject->fd, header, sizeof header, offset, "file", &err));
            assert_int_equal(examine(subject), SNAP_CORRUPT);
            assert_non_null(strstr(err.text, member->name));
            /* The file is that long, all zeros: README, and members that the manifest knows
             * better. */
            if (i != 1) {
                assert_int_equal(
                    ftruncate(subject->fd, (off_t)(bytes->size + SNAP_MAX_MEMBER_BYTES)), 0);
                assert_int_equal(examine(subject), SNAP_CORRUPT);
                assert_int_equal(ftruncate(subject->fd, (off_t)bytes->size), 0);
            }
            CHECK_OK(snap_file_pwrite(subject->fd, bytes->data + offset, sizeof header, offset,
                                      "file", &err));
        }
    /* A manifest larger than any may be. */
    unsigned char header[SNAP_TAR_BLOCK_BYTES];
    uint64_t offset = snap_archive_member(subject->archive, 1)->data_offset - sizeof header;
    CHECK_OK(snap_tar_header("manifest.json", SNAP_MAX_MANIFEST_BYTES + 1, header, &err));
    CHECK_OK(snap_file_pwrite(subject->fd, header, sizeof header, offset, "file", &err));
    assert_int_equal(ftruncate(subject->fd, (off_t)1 << 30), 0);
    assert_int_equal(examine(subject), SNAP_CORRUPT);
    assert_non_null(strstr(err.text, "manifest.json: is larger than allowed"));
}

/* The limit on memory holds, so that the test before means something. */
static void test_memory_limit(void **state)
{
    (void)state;
    void *volatile memory = malloc(60 << 20); /* so that no compiler leaves it out */
    assert_null(memory);
}

#ifndef SANITIZED
/* What the program has now, and MOST_MIB more. */
static int limit_memory(void)
{
    struct rlimit limit;
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    int found = file != NULL ? fscanf(file, "%llu", &pages) : 0;
    if (file != NULL)
        fclose(file);
    if (found != 1 || getrlimit(RLIMIT_AS, &limit) != 0)
        return -1;
    limit.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)MOST_MIB << 20);
    return setrlimit(RLIMIT_AS, &limit);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intact),       cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_cuts),         cmocka_unit_test(test_appended),
        cmocka_unit_test(test_read_damaged), cmocka_unit_test(test_lying_sizes),
        cmocka_unit_test(test_memory_limit),
    };
#ifndef SANITIZED
    if (limit_memory() != 0)
        return 1;
#endif
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
