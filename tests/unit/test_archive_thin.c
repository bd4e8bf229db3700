/* SPDX-License-Identifier: Apache-2.0 */
/* Archives with members withheld or missing, of newer formats, and files that are none. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest/sha256.h"
#include "format/archive_read.h"
#include "format/environment.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/listing.h"
#include "format/member_name.h"
#include "format/tar_layout.h"
#include "sample_archive.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static enum snap_status try_open(const struct snap_buffer *bytes, struct snap_archive **archive)
{
    return snap_archive_open_fd(memory_file(bytes->data, bytes->size), "sample", archive, &err);
}

/* Which of the caller's members may be left out: a mask over the sorted members. */
static unsigned optional_members(const struct sample_archive *sample)
{
    unsigned mask = 0;
    for (size_t i = 0; i < SAMPLE_MEMBERS; i++) {
        enum snap_member_kind kind;
        assert_true(snap_member_kind_of(sample->members[i].name, &kind));
        if (snap_member_may_be_withheld(kind))
            mask |= 1u << i;
    }
    return mask;
}

static void check_withheld(unsigned mask, const char *snapshot_hash, const char *state_hash)
{
    struct sample_archive sample;
    struct snap_archive *archive = NULL;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    unsigned char untouched[1024];
    size_t withheld = 0;
    CHECK_OK(sample_init(&sample, &err));
    CHECK_OK(sample_withhold(&sample, mask, &err));
    CHECK_OK(sample_encode(&sample, NULL, &bytes, &err));
    CHECK_OK(try_open(&bytes, &archive));
    CHECK_OK(snap_archive_check(archive, NULL, &err));
    assert_string_equal(snap_archive_snapshot_hash(archive), snapshot_hash);
    assert_string_equal(snap_archive_state_hash(archive), state_hash);
    memset(untouched, 0x5A, sizeof untouched);
    for (size_t i = 0; i < SAMPLE_MEMBERS; i++) {
        const struct snap_member *member =
            snap_archive_find(archive, sample.members[i].name);
        assert_int_equal(member->withheld, mask >> i & 1);
        assert_memory_equal(member->sha256, sample.members[i].sha256, SNAP_DIGEST_BYTES);
        if (!member->withheld)
            continue;
        withheld++;
        assert_int_equal(member->data_offset, 0);
        CHECK_FAILS(SNAP_ABSENT, member->name,
                    snap_archive_read(archive, member, untouched, &err));
        for (size_t j = 0; j < sizeof untouched; j++)
            assert_int_equal(untouched[j], 0x5A);
        if (member->kind == SNAP_MEMBER_ENVIRONMENT)
            assert_null(snap_archive_json(archive, "env.json"));
    }
    assert_int_equal(snap_archive_withheld_count(archive), withheld);
    for (size_t i = 0; i < snap_archive_storage_count(archive); i++) {
        size_t first = 0;
        size_t count = 0;
        CHECK_OK(snap_archive_storage_members(archive, i, &first, &count, &err));
        enum snap_status status = snap_archive_read_storage(archive, i, untouched, &err);
        assert_int_equal(status, snap_archive_member(archive, first)->withheld ? SNAP_ABSENT
                                                                               : SNAP_OK);
    }
    snap_archive_close(archive);
    snap_buffer_release(&bytes);
    sample_release(&sample);
}

static void test_withheld(void **state)
{
    (void)state;
    struct sample_archive sample;
    struct snap_archive *archive = NULL;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    CHECK_OK(sample_init(&sample, &err));
    CHECK_OK(sample_encode(&sample, NULL, &bytes, &err));
    CHECK_OK(try_open(&bytes, &archive));
    unsigned optional = optional_members(&sample);
    const char *snapshot_hash = snap_archive_snapshot_hash(archive);
    const char *state_hash = snap_archive_state_hash(archive);
    check_withheld(optional, snapshot_hash, state_hash);
    for (unsigned i = 0; i < SAMPLE_MEMBERS; i++)
        if (optional >> i & 1) {
            check_withheld(1u << i, snapshot_hash, state_hash);
            check_withheld(optional & ~(1u << i), snapshot_hash, state_hash);
        }
    snap_archive_close(archive);
    snap_buffer_release(&bytes);
    sample_release(&sample);
}

/* A member that must be there is taken out of the file: its header, content and padding. */
static void test_missing(void **state)
{
    (void)state;
    struct sample_archive sample;
    struct snap_archive *archive = NULL;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    CHECK_OK(sample_init(&sample, &err));
    CHECK_OK(sample_encode(&sample, NULL, &bytes, &err));
    CHECK_OK(try_open(&bytes, &archive));
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        struct snap_buffer cut = SNAP_BUFFER_INIT;
        struct snap_archive *opened = NULL;
        size_t start = (size_t)member->data_offset - SNAP_TAR_BLOCK_BYTES;
        size_t end = start + (size_t)snap_tar_member_bytes(member->data_size);
        CHECK_OK(snap_buffer_append(&cut, bytes.data, start, &err));
        CHECK_OK(snap_buffer_append(&cut, bytes.data + end, bytes.size - end, &err));
        if (snap_member_may_be_withheld(member->kind)) {
            CHECK_OK(try_open(&cut, &opened));
            assert_int_equal(snap_archive_withheld_count(opened), 1);
        } else {
            const char *text = i < 2                              ? "is no snap archive"
                               : member->kind == SNAP_MEMBER_LISTING ? "zeros stand"
                                                                     : "never withheld";
            CHECK_FAILS(SNAP_CORRUPT, text, try_open(&cut, &opened));
            assert_non_null(strstr(err.text, member->name));
        }
        snap_archive_close(opened);
        snap_buffer_release(&cut);
    }
    snap_archive_close(archive);
    snap_buffer_release(&bytes);
    sample_release(&sample);
}

/* A file of README, a manifest and SHA256SUMS, as a later format may be. */
static void make_foreign(const char *manifest, bool listed, struct snap_buffer *out)
{
    static const unsigned char zeros[SNAP_TAR_END_BYTES];
    const char *names[3] = { "README", "manifest.json", "SHA256SUMS" };
    const char *texts[3] = { "This is something newer.\n", manifest, NULL };
    struct snap_listing_line lines[2] = { { .name = names[0] }, { .name = names[1] } };
    struct snap_buffer listing = SNAP_BUFFER_INIT;
    for (int i = 0; i < 2; i++)
        CHECK_OK(snap_sha256(texts[i], strlen(texts[i]), lines[i].sha256, &err));
    CHECK_OK(snap_listing_encode(lines, listed ? 2 : 1, &listing, &err));
    texts[2] = (const char *)listing.data;
    for (int i = 0; i < 3; i++) {
        unsigned char header[SNAP_TAR_BLOCK_BYTES];
        CHECK_OK(snap_tar_header(names[i], strlen(texts[i]), header, &err));
        CHECK_OK(snap_buffer_append(out, header, sizeof header, &err));
        CHECK_OK(snap_buffer_append_text(out, texts[i], &err));
        CHECK_OK(snap_buffer_append(out, zeros, snap_tar_padding(strlen(texts[i])), &err));
    }
    CHECK_OK(snap_buffer_append(out, zeros, sizeof zeros, &err));
    snap_buffer_release(&listing);
}

static void test_newer_format(void **state)
{
    (void)state;
    static const struct {
        const char *manifest;
        bool listed;
        enum snap_status status;
    } cases[] = {
        { "{\"format\":\"snap-archive-2\",\"new\":[1]}\n", true, SNAP_UNSUPPORTED },
        { "{\"format\":\"snap-archive-17\"}\n", true, SNAP_UNSUPPORTED },
        { "{\"format\":\"snap-archive-2\",\"new\":[1]}\n", false, SNAP_CORRUPT },
        { "{\"format\": \"snap-archive-2\"}\n", true, SNAP_CORRUPT }, /* not canonical */
        { "{\"format\":\"snap-archive-02\"}\n", true, SNAP_CORRUPT },
        { "{\"format\":\"snap-archive-x\"}\n", true, SNAP_CORRUPT },
        { "{\"format\":\"other-2\"}\n", true, SNAP_CORRUPT },
        { "{\"format\":2}\n", true, SNAP_CORRUPT },
        { "[]\n", true, SNAP_CORRUPT },
        { "{\"format\":\"snap-archive-1\"}\n", true, SNAP_CORRUPT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct snap_buffer bytes = SNAP_BUFFER_INIT;
        struct snap_archive *archive = NULL;
        make_foreign(cases[i].manifest, cases[i].listed, &bytes);
        CHECK_FAILS(cases[i].status,
                    cases[i].status == SNAP_UNSUPPORTED ? "use a newer" : "manifest.json",
                    try_open(&bytes, &archive));
        assert_null(archive);
        snap_buffer_release(&bytes);
    }
    /* Every byte of the newer file flipped: damage, but for the text of README, which nothing can
     * be known of, and its line in SHA256SUMS. */
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    make_foreign(cases[0].manifest, true, &bytes);
    size_t newer = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        struct snap_archive *archive = NULL;
        bytes.data[i] ^= 0x01;
        enum snap_status status = try_open(&bytes, &archive);
        newer += status == SNAP_UNSUPPORTED;
        assert_true(status == SNAP_CORRUPT || status == SNAP_UNSUPPORTED);
        assert_null(archive);
        bytes.data[i] ^= 0x01;
    }
    size_t readme_line = SNAP_LISTING_LINE_BYTES(strlen("README"));
    assert_in_range(newer, strlen("This is something newer.\n"),
                    strlen("This is something newer.\n") + readme_line);
    snap_buffer_release(&bytes);
}

static void test_no_archive(void **state)
{
    (void)state;
    struct snap_archive *archive = NULL;
    char folder[] = "snap-test-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    CHECK_FAILS(SNAP_IO, path, snap_archive_open(path, &archive, &err));
    assert_int_equal(err.status, SNAP_IO);
    CHECK_FAILS(SNAP_IO, "regular", snap_archive_open(folder, &archive, &err));
    assert_int_equal(mkfifo(path, 0600), 0);
    CHECK_FAILS(SNAP_IO, "regular", snap_archive_open(path, &archive, &err));
    unlink(path);
    static const size_t sizes[] = { 0, 1, 511, 512, 1023, 1024, 1536, 10240 };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct snap_buffer bytes = SNAP_BUFFER_INIT;
        CHECK_OK(snap_buffer_reserve(&bytes, sizes[i], &err));
        memset(bytes.data, 0, sizes[i]);
        bytes.size = sizes[i];
        CHECK_FAILS(SNAP_CORRUPT, "README", try_open(&bytes, &archive));
        memset(bytes.data, 'x', sizes[i]);
        CHECK_FAILS(SNAP_CORRUPT, "README", try_open(&bytes, &archive));
        snap_buffer_release(&bytes);
    }
    assert_null(archive);
    rmdir(folder);
}

static void test_environment(void **state)
{
    (void)state;
    struct snap_buffer text = SNAP_BUFFER_INIT;
    struct snap_buffer again = SNAP_BUFFER_INIT;
    json_t *value = NULL;
    setenv("PYTHONHASHSEED", "0", 1);
    setenv("MKL_CBWR", "\xFF", 1);
    setenv("OMP_NUM_THREADS", "77", 1);
    CHECK_OK(snap_environment_encode(&text, &err));
    CHECK_OK(snap_json_decode(text.data, text.size, "env.json", &value, &err));
    CHECK_OK(snap_json_check_keys(value,
                                  "architecture device format libraries snapstate variables",
                                  "env.json", &err));
    const json_t *variables = json_object_get(value, "variables");
    assert_string_equal(json_string_value(json_object_get(variables, "PYTHONHASHSEED")), "0");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(variables, "MKL_CBWR"), "hex")), "ff");
    assert_null(json_object_get(variables, "OMP_NUM_THREADS"));
    assert_null(strstr((char *)text.data, "77"));
    CHECK_OK(snap_environment_encode(&again, &err));
    assert_string_equal((char *)again.data, (char *)text.data);
    unsetenv("PYTHONHASHSEED");
    unsetenv("MKL_CBWR");
    unsetenv("OMP_NUM_THREADS");
    json_decref(value);
    snap_buffer_release(&again);
    snap_buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_withheld),      cmocka_unit_test(test_missing),
        cmocka_unit_test(test_newer_format), cmocka_unit_test(test_no_archive),
        cmocka_unit_test(test_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
