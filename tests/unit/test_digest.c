/* SPDX-License-Identifier: Apache-2.0 */
/* digest/: SHA-256, member digests, tree hashes, chains. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/hex.h"
#include "digest/chain.h"
#include "digest/member_digest.h"
#include "digest/sha256.h"
#include "digest/tree_digest.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static void check_digest(const unsigned char digest[SNAP_DIGEST_BYTES], const char *expected)
{
    char digits[2 * SNAP_DIGEST_BYTES + 1];
    snap_hex_encode(digest, SNAP_DIGEST_BYTES, digits);
    assert_string_equal(digits, expected);
}

/* The examples of FIPS 180 and its first validation file. */
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define MILLION "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void test_sha256(void **state)
{
    (void)state;
    unsigned char digest[SNAP_DIGEST_BYTES];
    CHECK_OK(snap_sha256(NULL, 0, digest, &err));
    check_digest(digest, EMPTY);
    CHECK_OK(snap_sha256("abc", 3, digest, &err));
    check_digest(digest, ABC);

    /* Piece by piece, and the same context twice. */
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    char piece[1000];
    memset(piece, 'a', sizeof piece);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(snap_sha256_begin(&context, &err));
        for (int i = 0; i < 1000; i++)
            CHECK_OK(snap_sha256_update(&context, piece, sizeof piece, &err));
        CHECK_OK(snap_sha256_finish(&context, digest, &err));
        check_digest(digest, MILLION);
    }
    snap_sha256_release(&context);

    char text[SNAP_HASH_TEXT_BYTES];
    CHECK_OK(snap_sha256("abc", 3, digest, &err));
    snap_hash_text("snap1", digest, text);
    assert_string_equal(text, "snap1:" ABC);
}

/* The digest by OpenSSL, which shares no code with the instructions of the processor. */
static void digest_portably(const void *data, size_t size, unsigned char out[SNAP_DIGEST_BYTES])
{
    struct snap_sha256_context context = { .portable = true };
    CHECK_OK(snap_sha256_begin(&context, &err));
    assert_non_null(context.evp);
    CHECK_OK(snap_sha256_update(&context, data, size, &err));
    CHECK_OK(snap_sha256_finish(&context, out, &err));
    snap_sha256_release(&context);
}

static void fill_bytes(unsigned char *bytes, size_t size)
{
    uint64_t word = 1;
    for (size_t i = 0; i < size; i++) {
        word = word * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (unsigned char)(word >> 56);
    }
}

/* Every length around the edges of blocks, whole and cut in two at each place. */
static void test_sha256_lengths(void **state)
{
    (void)state;
    unsigned char bytes[200];
    fill_bytes(bytes, sizeof bytes);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        unsigned char expected[SNAP_DIGEST_BYTES];
        unsigned char digest[SNAP_DIGEST_BYTES];
        digest_portably(bytes, size, expected);
        for (size_t cut = 0; cut <= size; cut++) {
            struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
            CHECK_OK(snap_sha256_begin(&context, &err));
            CHECK_OK(snap_sha256_update(&context, bytes, cut, &err));
            CHECK_OK(snap_sha256_update(&context, bytes + cut, size - cut, &err));
            CHECK_OK(snap_sha256_finish(&context, digest, &err));
            snap_sha256_release(&context);
            assert_memory_equal(digest, expected, sizeof digest);
        }
    }
}

/* Two messages side by side, of all lengths, each at its own place in a block, by either way. */
static void test_sha256_lanes(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 63, 64, 65, 127, 128, 129, 4096, 5000 };
    const size_t count = sizeof sizes / sizeof sizes[0];
    unsigned char bytes[2 * 5000 + 1];
    fill_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < 4 * count * count; i++) {
        const size_t left[2] = { sizes[i / 4 % count], sizes[i / 4 / count] };
        struct snap_sha256_lane lanes[2] = { { .context = { .portable = (i & 1) != 0 } },
                                             { .context = { .portable = (i & 2) != 0 } } };
        for (size_t lane = 0; lane < 2; lane++) {
            CHECK_OK(snap_sha256_begin(&lanes[lane].context, &err));
            lanes[lane].data = bytes + lane * 5001;
            lanes[lane].left_bytes = left[lane];
        }
        while (lanes[0].left_bytes > 0 || lanes[1].left_bytes > 0) {
            size_t before = lanes[0].left_bytes + lanes[1].left_bytes;
            CHECK_OK(snap_sha256_lanes(lanes, &err));
            assert_true(lanes[0].left_bytes + lanes[1].left_bytes < before);
        }
        for (size_t lane = 0; lane < 2; lane++) {
            unsigned char expected[SNAP_DIGEST_BYTES];
            unsigned char digest[SNAP_DIGEST_BYTES];
            CHECK_OK(snap_sha256_finish(&lanes[lane].context, digest, &err));
            digest_portably(bytes + lane * 5001, left[lane], expected);
            assert_memory_equal(digest, expected, sizeof digest);
            snap_sha256_release(&lanes[lane].context);
        }
    }
}

static void test_sha256_file(void **state)
{
    (void)state;
    char path[] = "snap-test-XXXXXX";
    char piece[1000];
    unsigned char digest[SNAP_DIGEST_BYTES];
    uint64_t size = 0;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    memset(piece, 'a', sizeof piece);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(write(fd, piece, sizeof piece), sizeof piece);
    CHECK_OK(snap_sha256_fd(fd, path, digest, &size, &err));
    assert_int_equal(size, 1000000);
    check_digest(digest, MILLION);
    memset(digest, 0, sizeof digest);
    CHECK_OK(snap_sha256_file(path, digest, NULL, &err));
    check_digest(digest, MILLION);
    close(fd);
    unlink(path);
    CHECK_FAILS(SNAP_NOT_FOUND, path, snap_sha256_file(path, digest, NULL, &err));
    CHECK_FAILS(SNAP_IO, "no regular file", snap_sha256_file(".", digest, NULL, &err));
}

/* Bytes that differ from place to place. */
static unsigned char *make_bytes(size_t size)
{
    unsigned char *bytes = malloc(size + 1);
    uint32_t word = 12345;
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        word = word * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(word >> 24);
    }
    return bytes;
}

/* The definition, word for word. */
static void define_tree_hash(const unsigned char *data, size_t size,
                             unsigned char out[SNAP_DIGEST_BYTES])
{
    size_t leaves = 0;
    unsigned char *digests = malloc((size / 4096 + 1) * SNAP_DIGEST_BYTES);
    assert_non_null(digests);
    for (size_t at = 0; at < size; at += 4096)
        CHECK_OK(snap_sha256(data + at, size - at < 4096 ? size - at : 4096,
                             digests + SNAP_DIGEST_BYTES * leaves++, &err));
    CHECK_OK(snap_sha256(digests, SNAP_DIGEST_BYTES * leaves, out, &err));
    free(digests);
}

static void test_tree_hash(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0,    1,          4095,           4096,          4097,
                                    8192, 256 * 4096, 256 * 4096 + 1, 257 * 4096 - 1, 3000000 };
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    unsigned char *bytes = make_bytes(3000000);
    unsigned char expected[COUNT][SNAP_DIGEST_BYTES];
    struct snap_digest_item items[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        unsigned char alone[SNAP_DIGEST_BYTES];
        define_tree_hash(bytes, sizes[i], expected[i]);
        CHECK_OK(snap_tree_hash(bytes, sizes[i], alone, &err));
        assert_memory_equal(alone, expected[i], sizeof alone);
    }
    check_digest(expected[0], EMPTY);
    for (unsigned threads = 0; threads <= 3; threads++) {
        struct snap_pool *pool = NULL;
        if (threads > 0)
            CHECK_OK(snap_pool_new(threads, &pool, &err));
        for (size_t i = 0; i < COUNT; i++)
            items[i] = (struct snap_digest_item){ .data = bytes, .size_bytes = sizes[i] };
        CHECK_OK(snap_tree_hashes(pool, items, COUNT, &err));
        for (size_t i = 0; i < COUNT; i++)
            assert_memory_equal(items[i].sha256, expected[i], SNAP_DIGEST_BYTES);
        CHECK_OK(snap_member_digests(pool, items, COUNT, &err));
        for (size_t i = 0; i < COUNT; i++) {
            unsigned char digest[SNAP_DIGEST_BYTES];
            CHECK_OK(snap_sha256(bytes, sizes[i], digest, &err));
            assert_memory_equal(items[i].sha256, digest, sizeof digest);
        }
        CHECK_OK(snap_member_digests(pool, NULL, 0, &err));
        CHECK_OK(snap_tree_hashes(pool, NULL, 0, &err));
        snap_pool_free(pool);
    }
    free(bytes);
}

static void test_chain(void **state)
{
    (void)state;
    unsigned char first[SNAP_DIGEST_BYTES];
    unsigned char expected[SNAP_DIGEST_BYTES];
    unsigned char joined[SNAP_DIGEST_BYTES + 3];
    CHECK_OK(snap_chain_first(SNAP_CHAIN_LEDGER, "{}\n", 3, first, &err));
    CHECK_OK(snap_sha256("snap-ledger-1\n{}\n", 17, expected, &err));
    assert_memory_equal(first, expected, sizeof first);
    memcpy(joined, first, sizeof first);
    memcpy(joined + sizeof first, "[]\n", 3);
    CHECK_OK(snap_sha256(joined, sizeof joined, expected, &err));
    CHECK_OK(snap_chain_next(first, "[]\n", 3, first, &err)); /* in place */
    assert_memory_equal(first, expected, sizeof first);
    CHECK_OK(snap_chain_first(SNAP_CHAIN_HOST, "{}\n", 3, first, &err));
    CHECK_OK(snap_sha256("snap-host-1\n{}\n", 15, expected, &err));
    assert_memory_equal(first, expected, sizeof first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),       cmocka_unit_test(test_sha256_lengths),
        cmocka_unit_test(test_sha256_lanes), cmocka_unit_test(test_sha256_file),
        cmocka_unit_test(test_tree_hash),    cmocka_unit_test(test_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
