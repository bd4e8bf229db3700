/* SPDX-License-Identifier: Apache-2.0 */
/* Names of members, tar headers, offsets, listings. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "digest/sha256.h"
#include "format/limits.h"
#include "format/listing.h"
#include "format/member_name.h"
#include "format/tar_layout.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* "a" repeated. */
static const char *repeat(size_t count)
{
    static char text[128];
    memset(text, 'a', count);
    text[count] = '\0';
    return text;
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum snap_member_kind kind;
    } legal[] = {
        { "README", SNAP_MEMBER_README },
        { "manifest.json", SNAP_MEMBER_MANIFEST },
        { "state.json", SNAP_MEMBER_STATE_JSON },
        { "data.json", SNAP_MEMBER_DATA },
        { "rng/python", SNAP_MEMBER_STREAM },
        { "rng/shard-003/device", SNAP_MEMBER_STREAM },
        { "rng/shard-3", SNAP_MEMBER_STREAM },
        { "rng/shard-0003", SNAP_MEMBER_STREAM },
        { "tensors/model/conv1.weight", SNAP_MEMBER_TENSOR },
        { "tensors/model/conv1.weight~0000", SNAP_MEMBER_TENSOR },
        { "tensors/model/~000123", SNAP_MEMBER_TENSOR },
        { "tensors/model/~000123~9999", SNAP_MEMBER_TENSOR },
        { "tensors/0/_", SNAP_MEMBER_TENSOR },
        { "extra/batch.images", SNAP_MEMBER_EXTRA },
        { "env.json", SNAP_MEMBER_ENVIRONMENT },
        { "ledger.jsonl", SNAP_MEMBER_LEDGER },
        { "STATE", SNAP_MEMBER_STATE_LISTING },
        { "SHA256SUMS", SNAP_MEMBER_LISTING },
    };
    static const char *const illegal[] = {
        "",
        "readme",
        "README ",
        "/README",
        "./README",
        "../README",
        "README/",
        "other",
        "rng",
        "rng/",
        "rng//a",
        "rng/.a",
        "rng/..",
        "rng/-a",
        "rng/a b",
        "rng/a\nb",
        "rng/\xC3\xA9",
        "rng/a/b",
        "rng/shard-003",
        "rng/SHARD-003",
        "rng/shard-003/",
        "rng/Shard-003/a",
        "rng/shard-003/a/b",
        "rng/shard-003/..",
        "tensors/model",
        "tensors/model/",
        "tensors//a",
        "tensors/../a",
        "tensors/model/a/b",
        "tensors/model/a~000",
        "tensors/model/a~00000",
        "tensors/model/a~0000~0000",
        "tensors/model/~",
        "tensors/model/~12345",
        "tensors/model/~1234567",
        "tensors/model/~0000",
        "tensors/model/a~b",
        "tensors/model/~00012a",
        "extra/a/b",
        "extra/",
        "extra/~000001",
        "state.json~0000",
        "C:\\state.json",
    };
    for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++) {
        enum snap_member_kind kind;
        enum snap_member_kind back;
        assert_true(snap_member_kind_of(legal[i].name, &kind));
        assert_int_equal(kind, legal[i].kind);
        assert_true(snap_member_kind_from_name(snap_member_kind_name(kind), &back));
        assert_int_equal(back, kind);
    }
    for (size_t i = 0; i < sizeof illegal / sizeof illegal[0]; i++) {
        enum snap_member_kind kind;
        if (snap_member_kind_of(illegal[i], &kind))
            print_error("legal: %s\n", illegal[i]);
        assert_false(snap_member_kind_of(illegal[i], &kind));
    }
    assert_null(snap_member_kind_name((enum snap_member_kind)99));
    assert_false(snap_member_kind_from_name("tensors", NULL));
}

static void test_lengths(void **state)
{
    (void)state;
    char name[140];
    enum snap_member_kind kind;
    static const struct {
        const char *before;
        size_t most; /* of the last part */
        const char *after;
    } cases[] = {
        { "rng/", 96, "" },
        { "rng/shard-000/", 86, "" },
        { "extra/", 94, "" },
        { "tensors/model/", 81, "" },
        { "tensors/model/", 81, "~0000" },
        { "tensors/", 64, "/a" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t more = 0; more <= 1; more++) {
            snprintf(name, sizeof name, "%s%s%s", cases[i].before, repeat(cases[i].most + more),
                     cases[i].after);
            assert_int_equal(snap_member_kind_of(name, &kind), more == 0);
            assert_true(more == 1 || strlen(name) <= SNAP_MAX_MEMBER_NAME_BYTES);
        }
    }
}

static void test_order(void **state)
{
    (void)state;
    static const char *const sorted[] = {
        "README",
        "manifest.json",
        "state.json",
        "data.json",
        "rng/device",
        "rng/python",
        "rng/shard-000/device",
        "rng/shard-001/device",
        "tensors/Model/a",
        "tensors/model/B",
        "tensors/model/a",
        "tensors/model/a-b",
        "tensors/model/a.b",
        "tensors/model/ab",
        "tensors/model/a~0000",
        "tensors/model/a~0001",
        "tensors/model/~000001",
        "tensors/optimizer/a",
        "extra/a",
        "env.json",
        "ledger.jsonl",
        "STATE",
        "SHA256SUMS",
    };
    size_t count = sizeof sorted / sizeof sorted[0];
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            int order = snap_member_compare(sorted[i], sorted[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
}

static void test_rules_of_kinds(void **state)
{
    (void)state;
    for (int kind = SNAP_MEMBER_README; kind <= SNAP_MEMBER_LISTING; kind++) {
        bool withheld = kind == SNAP_MEMBER_STREAM || kind == SNAP_MEMBER_TENSOR ||
                        kind == SNAP_MEMBER_EXTRA || kind == SNAP_MEMBER_ENVIRONMENT ||
                        kind == SNAP_MEMBER_LEDGER;
        bool in_state = kind == SNAP_MEMBER_STATE_JSON || kind == SNAP_MEMBER_DATA ||
                        kind == SNAP_MEMBER_STREAM || kind == SNAP_MEMBER_TENSOR ||
                        kind == SNAP_MEMBER_EXTRA;
        assert_int_equal(snap_member_may_be_withheld((enum snap_member_kind)kind), withheld);
        assert_int_equal(snap_member_is_in_state((enum snap_member_kind)kind), in_state);
        assert_true(snap_member_max_bytes((enum snap_member_kind)kind) <= SNAP_MAX_MEMBER_BYTES);
    }
}

static void test_parts(void **state)
{
    (void)state;
    const unsigned long long part = SNAP_STORAGE_PART_BYTES;
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
    assert_int_equal(snap_storage_part_count(0), 1);
    assert_int_equal(snap_storage_part_count(part - 1), 1);
    assert_int_equal(snap_storage_part_count(part), 1);
    assert_int_equal(snap_storage_part_count(part + 1), 2);
    assert_int_equal(snap_storage_part_count(2 * part), 2);
    assert_int_equal(snap_storage_part_count(2 * part + 1), 3);
    assert_int_equal(snap_storage_part_count(SNAP_MAX_STORAGE_BYTES), SNAP_MAX_STORAGE_PARTS);
    assert_int_equal(snap_storage_part_bytes(0, 0), 0);
    assert_int_equal(snap_storage_part_bytes(part, 0), part);
    assert_int_equal(snap_storage_part_bytes(part + 1, 0), part);
    assert_int_equal(snap_storage_part_bytes(part + 1, 1), 1);
    assert_int_equal(snap_storage_part_bytes(2 * part, 1), part);
    assert_int_equal(snap_storage_part_bytes(2 * part, 2), 0);
    snap_storage_part_name("tensors/model/a", 1, 0, name);
    assert_string_equal(name, "tensors/model/a");
    snap_storage_part_name("tensors/model/a", 2, 0, name);
    assert_string_equal(name, "tensors/model/a~0000");
    snap_storage_part_name("tensors/model/a", 10000, 9999, name);
    assert_string_equal(name, "tensors/model/a~9999");
}

/* The header of POSIX ustar, field by field, as docs/format.md says it. */
static void define_header(const char *name, unsigned long long size, unsigned char header[512])
{
    unsigned sum = 0;
    memset(header, 0, 512);
    memcpy(header, name, strlen(name));
    memcpy(header + 100, "000644 ", 8);
    memcpy(header + 108, "000000 ", 8);
    memcpy(header + 116, "000000 ", 8);
    char octal[32];
    snprintf(octal, sizeof octal, "%011llo ", size);
    memcpy(header + 124, octal, 12);
    memcpy(header + 136, "00000000000 ", 12);
    memset(header + 148, ' ', 8);
    header[156] = '0';
    memcpy(header + 257, "ustar\0" "00", 8);
    memcpy(header + 329, "000000 ", 8);
    memcpy(header + 337, "000000 ", 8);
    for (int i = 0; i < 512; i++)
        sum += header[i];
    snprintf(octal, sizeof octal, "%06o", sum);
    memcpy(header + 148, octal, 6);
    header[154] = '\0';
    header[155] = ' ';
}

static void test_headers(void **state)
{
    (void)state;
    static const unsigned long long sizes[] = { 0,          1,          7,         8,
                                                511,        512,        513,       67108864,
                                                4294967296, 8589934591 };
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 2];
    for (size_t length = 1; length <= SNAP_MAX_MEMBER_NAME_BYTES; length++) {
        /* With slashes in it, since tar programs split long names at one. */
        for (size_t i = 0; i < length; i++)
            name[i] = i % 9 == 8 && i + 1 < length ? '/' : (char)('a' + i % 26);
        name[length] = '\0';
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            unsigned char expected[512];
            unsigned char header[512];
            char back[SNAP_MAX_MEMBER_NAME_BYTES + 1];
            uint64_t size = 0;
            bool exact = false;
            define_header(name, sizes[s], expected);
            CHECK_OK(snap_tar_header(name, sizes[s], header, &err));
            assert_memory_equal(header, expected, 512);
            CHECK_OK(snap_tar_header_parse(header, back, &size, &exact, &err));
            assert_true(exact);
            assert_string_equal(back, name);
            assert_true(size == sizes[s]);
        }
    }
    unsigned char header[512];
    CHECK_FAILS(SNAP_INVALID, "extension", snap_tar_header("a", 8589934592, header, &err));
    memset(name, 'a', 101);
    name[101] = '\0';
    CHECK_FAILS(SNAP_INVALID, "extension", snap_tar_header(name, 1, header, &err));
}

/* No header with one byte changed is one. */
static void test_header_flips(void **state)
{
    (void)state;
    unsigned char header[512];
    char name[SNAP_MAX_MEMBER_NAME_BYTES + 1];
    uint64_t size;
    bool exact;
    CHECK_OK(snap_tar_header("tensors/model/conv1.weight", 12345, header, &err));
    for (int i = 0; i < 512; i++)
        for (int bit = 0; bit < 8; bit++) {
            header[i] ^= (unsigned char)(1 << bit);
            exact = true;
            CHECK_OK(snap_tar_header_parse(header, name, &size, &exact, &err));
            assert_false(exact);
            header[i] ^= (unsigned char)(1 << bit);
        }
    memset(header, 0, sizeof header);
    CHECK_OK(snap_tar_header_parse(header, name, &size, &exact, &err));
    assert_false(exact);
}

static void test_layout(void **state)
{
    (void)state;
    static const uint64_t sizes[] = { 0, 1, 511, 512, 513, SNAP_MAX_MEMBER_BYTES };
    static const uint64_t expected[] = { 512, 1024, 2048, 3072, 4096, 5632 };
    uint64_t offsets[6];
    uint64_t file_size;
    snap_tar_layout(sizes, 6, offsets, &file_size);
    assert_memory_equal(offsets, expected, sizeof expected);
    assert_true(file_size == 5632 + 8589934592 + 1024);
    snap_tar_layout(NULL, 0, NULL, &file_size);
    assert_int_equal(file_size, 1024);
}

static void test_listing(void **state)
{
    (void)state;
    struct snap_listing_line lines[2] = { { .name = "a" }, { .name = "b/c" } };
    struct snap_listing_line read[2] = { { .name = "a" }, { .name = "b/c" } };
    struct snap_buffer text = SNAP_BUFFER_INIT;
    unsigned char digest[SNAP_DIGEST_BYTES];
    memset(lines[0].sha256, 0x0A, SNAP_DIGEST_BYTES);
    memset(lines[1].sha256, 0xF0, SNAP_DIGEST_BYTES);
    CHECK_OK(snap_listing_encode(lines, 2, &text, &err));
    assert_int_equal(text.size, SNAP_LISTING_LINE_BYTES(1) + SNAP_LISTING_LINE_BYTES(3));
    assert_string_equal((char *)text.data,
                        "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a  a\n"
                        "f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0  b/c\n");
    CHECK_OK(snap_listing_decode(text.data, text.size, "LIST", read, 2, &err));
    assert_memory_equal(read[1].sha256, lines[1].sha256, SNAP_DIGEST_BYTES);
    assert_true(snap_listing_find(text.data, text.size, "b/c", digest));
    assert_memory_equal(digest, lines[1].sha256, SNAP_DIGEST_BYTES);
    assert_false(snap_listing_find(text.data, text.size, "b", digest));
    CHECK_FAILS(SNAP_CORRUPT, "more than the 1",
                snap_listing_decode(text.data, text.size, "LIST", read, 1, &err));
    for (size_t cut = 0; cut < text.size; cut++)
        CHECK_FAILS(SNAP_CORRUPT, "LIST",
                    snap_listing_decode(text.data, cut, "LIST", read, 2, &err));
    /* A changed byte is refused, or is another digest. */
    for (size_t i = 0; i < text.size; i++) {
        text.data[i] ^= 0x01;
        enum snap_status status =
            snap_listing_decode(text.data, text.size, "LIST", read, 2, NULL);
        if (status == SNAP_OK)
            assert_true(memcmp(read[0].sha256, lines[0].sha256, SNAP_DIGEST_BYTES) != 0 ||
                        memcmp(read[1].sha256, lines[1].sha256, SNAP_DIGEST_BYTES) != 0);
        text.data[i] ^= 0x01;
    }
    /* tree1 is the SHA-256 of exactly these lines. */
    struct snap_buffer all = SNAP_BUFFER_INIT;
    struct snap_listing_line data = { .name = "data.json" };
    unsigned char found[SNAP_DIGEST_BYTES];
    CHECK_OK(snap_listing_encode(lines, 2, &all, &err));
    CHECK_OK(snap_listing_encode(&data, 1, &all, &err));
    CHECK_OK(snap_sha256(all.data, all.size, digest, &err));
    CHECK_OK(snap_state_digest(lines, 1, lines + 1, 1, data.sha256, found, &err));
    assert_memory_equal(found, digest, sizeof digest);
    snap_buffer_release(&all);
    snap_buffer_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),          cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_order),          cmocka_unit_test(test_rules_of_kinds),
        cmocka_unit_test(test_parts),          cmocka_unit_test(test_headers),
        cmocka_unit_test(test_header_flips),   cmocka_unit_test(test_layout),
        cmocka_unit_test(test_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
