/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes that are missing, exchanged or damaged are told by name; a volumes.json that was made to
 * do harm is refused. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buffer.h"
#include "format/archive_read.h"
#include "format/tar_layout.h"
#include "format/volumes.h"
#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static char *dir; /* a run with one snapshot, after step 2, each tensor in a volume of its own */

static const char *volume(unsigned number)
{
    char name[96];
    snprintf(name, sizeof name, "snapshots/step-0000000002.vol-%04u.tar", number);
    return toy_path(dir, name);
}

static const char *archive_path(void)
{
    return toy_snapshot(dir, 2);
}

static int make_run(void **state)
{
    struct toy toy;
    struct snap_run *run = NULL;
    (void)state;
    dir = toy_folder();
    toy_init(&toy);
    toy.every = 2;
    toy.volume_size = 1;
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 2, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    return 0;
}

static int remove_run(void **state)
{
    (void)state;
    toy_remove(dir);
    free(dir);
    return 0;
}

/* Opening and checking must fail so, and say each of the two. */
static void assert_fails(enum snap_status status, const char *file, const char *fragment)
{
    struct snap_archive *archive = NULL;
    err = (struct snap_error)SNAP_ERROR_INIT;
    enum snap_status found = snap_archive_open(archive_path(), &archive, &err);
    if (found == SNAP_OK)
        found = snap_archive_check(archive, NULL, &err);
    unit_check_status(status, found, fragment, &err, __FILE__, __LINE__);
    unit_check_status(status, found, file, &err, __FILE__, __LINE__);
    snap_archive_close(archive);
}

static void flip(const char *path, long offset)
{
    size_t size;
    char *bytes = toy_read(path, &size);
    assert_non_null(bytes);
    bytes[offset < 0 ? (long)size + offset : offset] ^= 1;
    toy_write(path, bytes, size);
    free(bytes);
}

/* ---- volumes ---- */

static void test_missing(void **state)
{
    struct toy toy;
    struct snap_run *run = NULL;
    struct snap_archive *archive = NULL;
    bool present = true;
    unsigned char byte[4096];
    (void)state;
    CHECK_OK(snap_archive_open(archive_path(), &archive, &err));
    unsigned count = (unsigned)snap_archive_volume_count(archive);
    snap_archive_close(archive);
    for (unsigned number = 1; number <= count; number++) {
        char name[64];
        snprintf(name, sizeof name, "step-0000000002.vol-%04u.tar", number);
        char *bytes = toy_read(volume(number), NULL);
        struct stat info;
        assert_int_equal(stat(volume(number), &info), 0);
        assert_int_equal(unlink(volume(number)), 0);
        CHECK_OK(snap_archive_open(archive_path(), &archive, &err));
        assert_int_equal(snap_archive_withheld_count(archive), 1);
        assert_string_equal(snap_archive_volume(archive, number - 1, &present), name);
        assert_false(present);
        for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
            const struct snap_member *member = snap_archive_member(archive, i);
            if (member->withheld)
                CHECK_FAILS(SNAP_ABSENT, name, snap_archive_read(archive, member, byte, &err));
            else if (member->kind == SNAP_MEMBER_TENSOR)
                CHECK_OK(snap_archive_read(archive, member, byte, &err));
        }
        snap_archive_close(archive);
        CHECK_FAILS(SNAP_ABSENT, name, snap_verify_archive(archive_path(), NULL, NULL, &err));
        CHECK_FAILS(SNAP_ABSENT, name, snap_verify_run(dir, NULL, NULL, &err));
        CHECK_FAILS(SNAP_ABSENT, name, snap_pack(archive_path(), NULL, NULL, NULL, &err));
        toy_init(&toy);
        CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
        CHECK_FAILS(SNAP_ABSENT, name, toy_restore(&toy, run, NULL, &err));
        snap_run_close(run, NULL);
        toy_release(&toy);
        toy_write(volume(number), bytes, (size_t)info.st_size);
        free(bytes);
    }
    assert_true(count > 3);
    CHECK_OK(snap_verify_archive(archive_path(), NULL, NULL, &err));
}

static void exchange(const char *left, const char *right)
{
    const char *other = toy_path(dir, "other");
    assert_int_equal(rename(left, other), 0);
    assert_int_equal(rename(right, left), 0);
    assert_int_equal(rename(other, right), 0);
}

static void test_exchanged(void **state)
{
    (void)state;
    exchange(volume(1), volume(2));
    assert_fails(SNAP_CORRUPT, "step-0000000002.vol-0001.tar", "this is another volume");
    exchange(volume(1), volume(2));
    CHECK_OK(snap_verify_archive(archive_path(), NULL, NULL, &err));
}

/* The volume of the same name of another snapshot: its members have the names and sizes, and other
 * bytes. */
static void test_of_another_snapshot(void **state)
{
    struct toy toy;
    struct snap_run *run = NULL;
    unsigned differ = 0;
    char *later = toy_folder();
    (void)state;
    toy_init(&toy);
    toy.every = 3;
    toy.volume_size = 1;
    CHECK_OK(toy_open(&toy, later, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 3, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    for (unsigned number = 1; number <= 4; number++) {
        char name[96];
        snprintf(name, sizeof name, "step-0000000002.vol-%04u.tar", number);
        const char *kept = toy_path(dir, "kept");
        char theirs[96];
        snprintf(theirs, sizeof theirs, "snapshots/step-0000000003.vol-%04u.tar", number);
        if (toy_same_files(volume(number), toy_path(later, theirs)))
            continue; /* nothing has trained it */
        differ++;
        assert_int_equal(rename(volume(number), kept), 0);
        toy_copy(toy_path(later, theirs), volume(number));
        assert_fails(SNAP_CORRUPT, name, "does not have the digest that SHA256SUMS lists");
        assert_int_equal(rename(kept, volume(number)), 0);
    }
    assert_true(differ > 0);
    toy_remove(later);
    free(later);
}

static void test_damaged(void **state)
{
    static const struct {
        long offset;
        const char *fragment;
    } faults[] = {
        { 3, "tar header" },     /* of the name */
        { 512, "digest" },       /* the content */
        { 1000, "padding" },
        { 1024, "neither a member nor the end" },
        { -1, "nothing else" },
    };
    const char name[] = "step-0000000002.vol-0002.tar";
    size_t size;
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        flip(volume(2), faults[i].offset);
        assert_fails(SNAP_CORRUPT, name, faults[i].fragment);
        flip(volume(2), faults[i].offset);
    }
    char *bytes = toy_read(volume(2), &size);
    char *longer = calloc(1, size + 512);
    assert_non_null(longer);
    memcpy(longer, bytes, size);
    toy_write(volume(2), longer, size + 512);
    assert_fails(SNAP_CORRUPT, name, "nothing else");
    for (size_t cut = 0; cut < size; cut += 512) {
        toy_write(volume(2), bytes, cut);
        assert_fails(SNAP_CORRUPT, name, "truncated");
    }
    toy_write(volume(2), bytes, size);
    free(bytes);
    free(longer);
    assert_int_equal(rename(volume(2), toy_path(dir, "kept")), 0);
    assert_int_equal(mkdir(volume(2), 0755), 0);
    assert_fails(SNAP_IO, name, "not a regular file");
    assert_int_equal(rmdir(volume(2)), 0);
    assert_int_equal(rename(toy_path(dir, "kept"), volume(2)), 0);
    CHECK_OK(snap_verify_archive(archive_path(), NULL, NULL, &err));
}

/* ---- volumes.json ---- */

/* The archive with another volumes.json (NULL: none), `times` of them, put where it belongs or, if
 * `late`, after the member that follows it. */
static void forge(const char *bytes, size_t size, const char *document, int times, bool late)
{
    struct snap_buffer made = SNAP_BUFFER_INIT;
    unsigned char header[SNAP_TAR_BLOCK_BYTES];
    static const unsigned char zeros[SNAP_TAR_BLOCK_BYTES];
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
    uint64_t member_size;
    bool exact;
    size_t at = 0;
    for (int i = 0; at < size;) {
        CHECK_OK(snap_tar_header_parse((const unsigned char *)bytes + at, name, &member_size,
                                       &exact, &err));
        size_t next = at + (exact ? snap_tar_member_bytes(member_size) : size - at);
        bool is_old = exact && strcmp(name, SNAP_VOLUMES_MEMBER) == 0;
        if (!is_old)
            CHECK_OK(snap_buffer_append(&made, bytes + at, next - at, &err));
        bool is_place = !is_old && i++ == (late ? 2 : 1);
        for (int copy = 0; document != NULL && copy < times && is_place; copy++) {
            CHECK_OK(snap_tar_header(SNAP_VOLUMES_MEMBER, strlen(document), header, &err));
            CHECK_OK(snap_buffer_append(&made, header, sizeof header, &err));
            CHECK_OK(snap_buffer_append(&made, document, strlen(document), &err));
            CHECK_OK(snap_buffer_append(&made, zeros, snap_tar_padding(strlen(document)), &err));
        }
        at = next;
    }
    toy_write(archive_path(), made.data, made.size);
    snap_buffer_release(&made);
}

#define A "\"tensors/model/frozen\""
#define B "\"tensors/model/norm.running\""
#define VOLUME(file, members) "{\"file\":\"" file "\",\"members\":[" members "]}"
#define DOCUMENT(volumes) "{\"format\":\"snap-volumes-1\",\"volumes\":[" volumes "]}\n"
#define ONE "step-0000000002.vol-0001.tar"
#define TWO "step-0000000002.vol-0002.tar"

static void test_hostile(void **state)
{
    static const struct {
        const char *document;
        enum snap_status status;
        const char *fragment;
    } cases[] = {
        { DOCUMENT(VOLUME("../step-0000000002.vol-0001.tar", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME("/etc/passwd", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME("a/b.vol-0001.tar", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME(".vol-0001.tar", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME("..vol-0001.tar", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME(".a.vol-0001.tar", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME("a b.vol-0001.tar", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME("a.vol-001.tar", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME("a.vol-0000.tar", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME("a.vol-00001.tar", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME("a.vol-000x.tar", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME("a.vol-0001.tar/", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME("", A)), SNAP_CORRUPT, "is no name of" },
        { DOCUMENT(VOLUME(ONE, A) "," VOLUME(ONE, B)), SNAP_CORRUPT, "does not follow" },
        { DOCUMENT(VOLUME(TWO, A) "," VOLUME(ONE, B)), SNAP_CORRUPT, "does not follow" },
        { DOCUMENT(VOLUME(ONE, A) "," VOLUME("b.vol-0002.tar", B)), SNAP_CORRUPT,
          "does not follow" },
        { DOCUMENT(""), SNAP_CORRUPT, "0 volumes" },
        { DOCUMENT(VOLUME(ONE, "")), SNAP_CORRUPT, "not a list of names" },
        { DOCUMENT(VOLUME(ONE, "5")), SNAP_CORRUPT, "not a list of names" },
        { DOCUMENT(VOLUME(ONE, B "," A)), SNAP_CORRUPT, "is no tensor that is to be there" },
        { DOCUMENT(VOLUME(ONE, A "," A)), SNAP_CORRUPT, "is no tensor that is to be there" },
        { DOCUMENT(VOLUME(ONE, "\"rng/python\"")), SNAP_CORRUPT, "is no tensor" },
        { DOCUMENT(VOLUME(ONE, "\"state.json\"")), SNAP_CORRUPT, "is no tensor" },
        { DOCUMENT(VOLUME(ONE, "\"tensors/model/nothing\"")), SNAP_CORRUPT, "is no tensor" },
        { DOCUMENT("{\"file\":\"" ONE "\"}"), SNAP_CORRUPT, "members" },
        { "{\"format\":\"snap-volumes-1\"}\n", SNAP_CORRUPT, "volumes" },
        { "{\"format\":\"snap-volumes-2\"}\n", SNAP_UNSUPPORTED, "snap-volumes-2" },
        { "[]\n", SNAP_CORRUPT, "volumes.json" },
        { "{ }\n", SNAP_CORRUPT, "volumes.json" },
        { "", SNAP_CORRUPT, "volumes.json" },
    };
    size_t size;
    (void)state;
    char *bytes = toy_read(archive_path(), &size);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        forge(bytes, size, cases[i].document, 1, false);
        assert_fails(cases[i].status, cases[i].fragment, "volumes.json");
    }
    /* Members that the volume does not have. */
    forge(bytes, size, DOCUMENT(VOLUME(ONE, A "," B)), 1, false);
    assert_fails(SNAP_CORRUPT, ONE, "zeros stand where its tar header must be");
    toy_write(archive_path(), bytes, size);
    CHECK_OK(snap_verify_archive(archive_path(), NULL, NULL, &err));
    free(bytes);
}

/* One alone, and in its place; what it does not name is withheld, as if there were no volumes. */
static void test_place(void **state)
{
    struct snap_archive *archive = NULL;
    const char *document = DOCUMENT(VOLUME(ONE, A));
    size_t size;
    (void)state;
    char *bytes = toy_read(archive_path(), &size);
    assert_non_null(bytes);
    forge(bytes, size, document, 2, false);
    assert_fails(SNAP_CORRUPT, "volumes.json", "manifest.json does not list it here");
    forge(bytes, size, document, 1, true);
    assert_fails(SNAP_CORRUPT, "volumes.json", "manifest.json does not list it here");
    forge(bytes, size, NULL, 0, false);
    CHECK_OK(snap_archive_open(archive_path(), &archive, &err));
    CHECK_OK(snap_archive_check(archive, NULL, &err));
    assert_int_equal(snap_archive_volume_count(archive), 0);
    size_t all = snap_archive_withheld_count(archive);
    snap_archive_close(archive);
    forge(bytes, size, document, 1, false);
    CHECK_OK(snap_archive_open(archive_path(), &archive, &err));
    CHECK_OK(snap_archive_check(archive, NULL, &err));
    assert_int_equal(snap_archive_withheld_count(archive), all - 1);
    snap_archive_close(archive);
    toy_write(archive_path(), bytes, size);
    CHECK_OK(snap_verify_archive(archive_path(), NULL, NULL, &err));
    free(bytes);
}

/* A tensor that the archive's own file has is in no volume. */
static void test_twice(void **state)
{
    struct snap_pack_options options = SNAP_PACK_OPTIONS_INIT;
    size_t size;
    size_t whole_size;
    (void)state;
    char *bytes = toy_read(archive_path(), &size);
    options.output = toy_path(dir, "whole");
    CHECK_OK(snap_pack(archive_path(), &options, NULL, NULL, &err));
    char *whole = toy_read(options.output, &whole_size);
    assert_non_null(bytes);
    assert_non_null(whole);
    forge(whole, whole_size, DOCUMENT(VOLUME(ONE, A)), 1, false);
    assert_fails(SNAP_CORRUPT, "volumes.json", "is no tensor that is to be there");
    toy_write(archive_path(), bytes, size);
    CHECK_OK(snap_verify_archive(archive_path(), NULL, NULL, &err));
    free(bytes);
    free(whole);
}

static void test_names(void **state)
{
    char stem[SNAP_MAX_VOLUME_STEM_BYTES + 1];
    char name[SNAP_VOLUME_NAME_BYTES];
    char longest[SNAP_MAX_VOLUME_STEM_BYTES + 2];
    unsigned number = 0;
    (void)state;
    assert_true(snap_volume_stem("step-0000000100.snap.tar", stem));
    assert_string_equal(stem, "step-0000000100");
    assert_true(snap_volume_stem("state.tar", stem));
    assert_string_equal(stem, "state.tar");
    assert_true(snap_volume_stem("snap.tar", stem));
    assert_false(snap_volume_stem(".snap.tar", stem));
    assert_false(snap_volume_stem("a b.snap.tar", stem));
    assert_false(snap_volume_stem("", stem));
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_false(snap_volume_stem(longest, stem));
    longest[sizeof longest - 2] = '\0';
    assert_true(snap_volume_stem(longest, stem));
    snap_volume_name(stem, SNAP_MAX_VOLUME_NUMBER, name);
    assert_true(snap_volume_name_parse(name, stem, &number));
    assert_string_equal(stem, longest);
    assert_int_equal(number, SNAP_MAX_VOLUME_NUMBER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_exchanged),
        cmocka_unit_test(test_of_another_snapshot),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, make_run, remove_run);
}
