/* SPDX-License-Identifier: Apache-2.0 */
/* What every store must do: the same test over each of them. A new store is one line in
 * `stores`. Object storage needs a server: tests/s3 run this program with the URI of an empty place
 * in SNAP_TEST_S3_URI, and all other stores are then left out. */
#include "config.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/file.h"
#include "digest/sha256.h"
#include "store/store_ops.h"
#if HAVE_S3
#include "store/store_s3.h"
#endif
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* The least parts, where a store has any: what is large goes in two. */
#define PART_BYTES ((uint64_t)5 << 20)
static const struct snap_put_options create = { .mode = SNAP_PUT_CREATE,
                                                .part_bytes = PART_BYTES };
static const struct snap_put_options replace = { .mode = SNAP_PUT_REPLACE,
                                                 .part_bytes = PART_BYTES };

/* A store under test, and the folder that it may use. */
struct subject {
    struct snap_store *store;
    char folder[32];
};

static enum snap_status open_dir(struct subject *subject)
{
    char path[64];
    snprintf(path, sizeof path, "%s/run", subject->folder);
    return snap_store_dir_open(path, true, &subject->store, &err);
}

static enum snap_status open_memory(struct subject *subject)
{
    return snap_store_memory_open(&subject->store, &err);
}

#if HAVE_S3
/* Each test has a prefix of its own. */
static enum snap_status open_s3(struct subject *subject)
{
    char uri[256];
    snprintf(uri, sizeof uri, "%s/%s", getenv("SNAP_TEST_S3_URI"), subject->folder);
    return snap_store_s3_open(uri, &subject->store, &err);
}
#endif

static const struct store_row {
    const char *kind;
    enum snap_status (*open)(struct subject *subject);
} local_stores[] = {
    { "folder", open_dir },
    { "memory", open_memory },
};
static const struct store_row remote_stores[] = {
#if HAVE_S3
    { "object storage", open_s3 },
#else
    { "memory", open_memory },
#endif
};
static const struct store_row *stores = local_stores;
static size_t store_count = sizeof local_stores / sizeof local_stores[0];

static void begin(struct subject *subject, size_t index)
{
    strcpy(subject->folder, "snap-test-XXXXXX");
    assert_non_null(mkdtemp(subject->folder));
    CHECK_OK(stores[index].open(subject));
    assert_string_equal(subject->store->ops->kind, stores[index].kind);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static void end(struct subject *subject)
{
    snap_store_close(subject->store);
    assert_int_equal(nftw(subject->folder, remove_one, 4, FTW_DEPTH | FTW_PHYS), 0);
}

static void check_content(struct snap_store *store, const char *name, const void *data, size_t size)
{
    struct snap_buffer content = SNAP_BUFFER_INIT;
    CHECK_OK(snap_store_read(store, name, size, &content, &err));
    assert_int_equal(content.size, size);
    if (size > 0)
        assert_memory_equal(content.data, data, size);
    snap_buffer_release(&content);
}

/* Ranges give any part of a file, and notice when another stands in its place. */
static void check_ranges(struct snap_store *store, const char *name, const char *content)
{
    struct snap_ranges *ranges = NULL;
    char part[8] = { 0 };
    CHECK_FAILS(SNAP_NOT_FOUND, "nothing",
                snap_store_open_ranges(store, "nothing", &ranges, &err));
    CHECK_OK(snap_store_open_ranges(store, name, &ranges, &err));
    assert_int_equal(ranges->size_bytes, strlen(content));
    const struct snap_source source = { .fd = -1, .what = name, .ranges = ranges };
    CHECK_OK(snap_source_read(&source, part, 3, 1, &err));
    assert_memory_equal(part, content + 1, 3);
    CHECK_OK(snap_source_read(&source, part, 0, strlen(content), &err));
    CHECK_FAILS(SNAP_CORRUPT, "ends at byte",
                snap_source_read(&source, part, 3, strlen(content) - 2, &err));
    CHECK_FAILS(SNAP_CORRUPT, "ends at byte", snap_source_read(&source, part, 1, 1000, &err));
    snap_ranges_close(ranges);
}

static void test_put(void **state)
{
    (void)state;
    for (size_t i = 0; i < store_count; i++) {
        struct subject subject;
        struct snap_buffer content = SNAP_BUFFER_INIT;
        bool there = true;
        int fd = -1;
        begin(&subject, i);
        struct snap_store *store = subject.store;
        CHECK_OK(snap_store_exists(store, "a", &there, &err));
        assert_false(there);
        CHECK_FAILS(SNAP_NOT_FOUND, "a", snap_store_read(store, "a", 10, &content, &err));
        CHECK_FAILS(store->ops->open != NULL ? SNAP_NOT_FOUND : SNAP_UNSUPPORTED, "a",
                    snap_store_open_file(store, "a", &fd, &err));
        assert_int_equal(fd, -1);
        CHECK_FAILS(SNAP_NOT_FOUND, "a", snap_store_sync(store, "a", &err));

        const struct snap_segment segments[] = {
            { .offset = 0, .data = "first ", .size_bytes = 6 },
            { .offset = 6 },
            { .offset = 6, .data = "second", .size_bytes = 6 },
        };
        const struct snap_content whole = { .segments = segments, .count = 3, .size_bytes = 12 };
        CHECK_OK(snap_store_put(store, "a", &whole, &create, &err));
        CHECK_OK(snap_store_sync(store, "a", &err));
        check_content(store, "a", "first second", 12);
        CHECK_OK(snap_store_exists(store, "a", &there, &err));
        assert_true(there);
        /* Again: the same is success, another is not, and changes nothing. */
        CHECK_OK(snap_store_put_bytes(store, "a", "first second", 12, &create, &err));
        CHECK_FAILS(SNAP_DIFFERS, "a",
                    snap_store_put_bytes(store, "a", "first other!", 12, &create, &err));
        CHECK_FAILS(SNAP_DIFFERS, "a", snap_store_put_bytes(store, "a", "first", 5, &create, &err));
        check_content(store, "a", "first second", 12);
        CHECK_OK(snap_store_put_bytes(store, "a", "third", 5, &replace, &err));
        check_content(store, "a", "third", 5);
        CHECK_OK(snap_store_put_bytes(store, "new", "x", 1, &replace, &err));
        check_content(store, "new", "x", 1);
        CHECK_OK(snap_store_put(store, "empty", &(struct snap_content){ .count = 0 }, &create,
                                &err));
        check_content(store, "empty", "", 0);
        CHECK_FAILS(SNAP_CORRUPT, "a", snap_store_read(store, "a", 4, &content, &err));

        /* In a folder, made on the way. */
        CHECK_OK(snap_store_put_bytes(store, "snapshots/step-1.snap.tar", "tar", 3, &create, &err));
        check_content(store, "snapshots/step-1.snap.tar", "tar", 3);

        /* What a reader opened stays what it was. */
        char old[6] = { 0 };
        check_ranges(store, "a", "third");
        if (store->ops->open == NULL) {
            end(&subject);
            continue;
        }
        CHECK_OK(snap_store_open_file(store, "a", &fd, &err));
        CHECK_OK(snap_store_put_bytes(store, "a", "fourth", 6, &replace, &err));
        CHECK_OK(snap_file_pread(fd, old, 5, 0, "a", &err));
        assert_string_equal(old, "third");
        close(fd);
        end(&subject);
    }
}

/* A file larger than one write. */
static void test_large(void **state)
{
    (void)state;
    size_t size = (9u << 20) + 1234;
    unsigned char *data = malloc(size);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = (unsigned char)(i * 31 >> 7);
    for (size_t i = 0; i < store_count; i++) {
        struct subject subject;
        struct snap_segment segments[1000];
        uint64_t offset = 0;
        begin(&subject, i);
        for (size_t s = 0; s < 1000; s++) {
            size_t bytes = s < 999 ? s * 7 : size - (size_t)offset;
            segments[s] = (struct snap_segment){ .offset = offset,
                                                 .data = data + offset,
                                                 .size_bytes = bytes };
            offset += bytes;
        }
        const struct snap_content content = { .segments = segments,
                                              .count = 1000,
                                              .size_bytes = size };
        CHECK_OK(snap_store_put(subject.store, "large", &content, &create, &err));
        check_content(subject.store, "large", data, size);
        CHECK_OK(snap_store_put_bytes(subject.store, "large", data, size, &create, &err));
        end(&subject);
    }
    free(data);
}

/* Asked so often it says no, and then yes. */
static bool is_stopped(void *arg)
{
    return atomic_fetch_sub((atomic_int *)arg, 1) <= 0;
}

/* Whenever it is asked to stop: nothing is there, and the next put goes on. */
static void test_stop(void **state)
{
    (void)state;
    size_t size = (size_t)PART_BYTES + 1234;
    unsigned char *data = calloc(1, size);
    assert_non_null(data);
    for (size_t i = 0; i < store_count; i++) {
        struct subject subject;
        atomic_int left;
        const struct snap_stop stop = { is_stopped, &left };
        bool there;
        int tried = 0;
        enum snap_status status = SNAP_IO;
        begin(&subject, i);
        snap_store_heed(subject.store, &stop);
        for (; status != SNAP_OK; tried++) {
            atomic_init(&left, tried);
            status = snap_store_put_bytes(subject.store, "large", data, size, &create, &err);
            if (status == SNAP_OK)
                continue;
            assert_int_equal(status, SNAP_IO);
            assert_non_null(strstr(err.text, "stopped, as was asked"));
            snap_store_heed(subject.store, NULL);
            CHECK_OK(snap_store_exists(subject.store, "large", &there, &err));
            assert_false(there);
            snap_store_heed(subject.store, &stop);
        }
        assert_true(tried > 1 || subject.store->ops->heed == NULL);
        snap_store_heed(subject.store, NULL);
        check_content(subject.store, "large", data, size);
        end(&subject);
    }
    free(data);
}

/* What follows depends on digests of what was written: here the digest itself. */
struct digested {
    unsigned char digests[2][SNAP_DIGEST_BYTES];
    struct snap_segment rest;
    unsigned finished;
    bool failing;
};

static enum snap_status give_rest(void *arg, const struct snap_segment **segments, size_t *count,
                                  struct snap_error *error)
{
    struct digested *digested = arg;
    digested->finished++;
    if (digested->failing)
        return snap_error_set(error, SNAP_INVALID, "no rest");
    digested->rest = (struct snap_segment){ .offset = 11,
                                            .data = digested->digests[0],
                                            .size_bytes = SNAP_DIGEST_BYTES };
    *segments = &digested->rest;
    *count = 1;
    return SNAP_OK;
}

static void test_digests(void **state)
{
    (void)state;
    for (size_t i = 0; i < store_count; i++) {
        struct subject subject;
        struct digested digested = { .failing = false };
        unsigned char expected[11 + SNAP_DIGEST_BYTES] = "first other";
        unsigned char empty[SNAP_DIGEST_BYTES];
        bool there = true;
        begin(&subject, i);
        const struct snap_segment segments[] = {
            { .offset = 0, .data = "first", .size_bytes = 5, .sha256 = digested.digests[0] },
            { .offset = 5, .sha256 = digested.digests[1] },
            { .offset = 5, .data = " other", .size_bytes = 6 },
        };
        const struct snap_content content = { .segments = segments,
                                              .count = 3,
                                              .size_bytes = sizeof expected,
                                              .finish = give_rest,
                                              .arg = &digested };
        CHECK_OK(snap_store_put(subject.store, "a", &content, &create, &err));
        CHECK_OK(snap_sha256("first", 5, expected + 11, &err));
        CHECK_OK(snap_sha256(NULL, 0, empty, &err));
        assert_memory_equal(digested.digests[0], expected + 11, SNAP_DIGEST_BYTES);
        assert_memory_equal(digested.digests[1], empty, SNAP_DIGEST_BYTES);
        check_content(subject.store, "a", expected, sizeof expected);
        /* The same again, and replaced by the same. */
        CHECK_OK(snap_store_put(subject.store, "a", &content, &create, &err));
        CHECK_OK(snap_store_put(subject.store, "a", &content, &replace, &err));
        check_content(subject.store, "a", expected, sizeof expected);
        assert_true(digested.finished >= 3);
        digested.failing = true;
        CHECK_FAILS(SNAP_INVALID, "no rest",
                    snap_store_put(subject.store, "b", &content, &create, &err));
        CHECK_OK(snap_store_exists(subject.store, "b", &there, &err));
        assert_false(there);
        end(&subject);
    }
}

static void test_append(void **state)
{
    (void)state;
    for (size_t i = 0; i < store_count; i++) {
        struct subject subject;
        begin(&subject, i);
        if (subject.store->ops->append == NULL) {
            CHECK_FAILS(SNAP_UNSUPPORTED, "ledger.jsonl",
                        snap_store_append(subject.store, "ledger.jsonl", "one\n", 4, &err));
            end(&subject);
            continue;
        }
        CHECK_OK(snap_store_append(subject.store, "ledger.jsonl", "one\n", 4, &err));
        CHECK_OK(snap_store_append(subject.store, "ledger.jsonl", "two\n", 4, &err));
        CHECK_OK(snap_store_append(subject.store, "ledger.jsonl", NULL, 0, &err));
        check_content(subject.store, "ledger.jsonl", "one\ntwo\n", 8);
        CHECK_OK(snap_store_append(subject.store, "folder/log", "x", 1, &err));
        check_content(subject.store, "folder/log", "x", 1);
        end(&subject);
    }
}

struct listing {
    char text[200];
    unsigned left; /* fail after so many */
};

static enum snap_status note_file(void *arg, const char *name, uint64_t size,
                                  struct snap_error *error)
{
    struct listing *listing = arg;
    size_t used = strlen(listing->text);
    snprintf(listing->text + used, sizeof listing->text - used, "%s=%llu;", name,
             (unsigned long long)size);
    return --listing->left == 0 ? snap_error_set(error, SNAP_DIFFERS, "enough") : SNAP_OK;
}

static void test_list_and_remove(void **state)
{
    (void)state;
    for (size_t i = 0; i < store_count; i++) {
        struct subject subject;
        begin(&subject, i);
        struct snap_store *store = subject.store;
        const char *names[] = { "b", "B", "snapshots/10", "snapshots/9", "a", "snapshots/x.tar" };
        for (size_t n = 0; n < 6; n++)
            CHECK_OK(snap_store_put_bytes(store, names[n], "12345", n, &create, &err));
        struct listing all = { .left = 100 };
        CHECK_OK(snap_store_list(store, "", note_file, &all, &err));
        assert_string_equal(all.text, "B=1;a=4;b=0;");
        struct listing inside = { .left = 100 };
        CHECK_OK(snap_store_list(store, "snapshots", note_file, &inside, &err));
        assert_string_equal(inside.text, "10=2;9=3;x.tar=5;");
        struct listing some = { .left = 2 };
        CHECK_FAILS(SNAP_DIFFERS, "enough",
                    snap_store_list(store, "snapshots", note_file, &some, &err));
        assert_string_equal(some.text, "10=2;9=3;");
        struct listing none = { .left = 100 };
        CHECK_OK(snap_store_list(store, "capsules", note_file, &none, &err));
        assert_string_equal(none.text, "");

        CHECK_OK(snap_store_remove(store, "snapshots/9", &err));
        CHECK_FAILS(SNAP_NOT_FOUND, "9", snap_store_remove(store, "snapshots/9", &err));
        CHECK_FAILS(SNAP_NOT_FOUND, "x", snap_store_remove(store, "capsules/x", &err));
        inside = (struct listing){ .left = 100 };
        CHECK_OK(snap_store_list(store, "snapshots", note_file, &inside, &err));
        assert_string_equal(inside.text, "10=2;x.tar=5;");
        end(&subject);
    }
}

static void test_lock(void **state)
{
    (void)state;
    for (size_t i = 0; i < store_count; i++) {
        struct subject subject;
        struct snap_store_lock *first = NULL;
        struct snap_store_lock *second = NULL;
        begin(&subject, i);
        struct snap_store *store = subject.store;
        if (store->ops->lock == NULL) {
            CHECK_FAILS(SNAP_UNSUPPORTED, "events.jsonl",
                        snap_store_lock(store, "events.jsonl", &first, &err));
            end(&subject);
            continue;
        }
        CHECK_OK(snap_store_lock(store, "events.jsonl", &first, &err));
        CHECK_FAILS(SNAP_BUSY, "events.jsonl", snap_store_lock(store, "events.jsonl", &second,
                                                               &err));
        assert_null(second);
        /* The file can be appended to under its lock. */
        CHECK_OK(snap_store_append(store, "events.jsonl", "x\n", 2, &err));
        CHECK_OK(snap_store_lock(store, "other", &second, &err));
        snap_store_unlock(store, second);
        snap_store_unlock(store, first);
        CHECK_OK(snap_store_lock(store, "events.jsonl", &first, &err));
        check_content(store, "events.jsonl", "x\n", 2);
        snap_store_unlock(store, first);
        snap_store_unlock(store, NULL);
        end(&subject);
    }
}

/* What an update saw, and what it is to write. */
struct change {
    char seen[32];
    const char *next; /* NULL: leave it */
    unsigned calls;
};

static enum snap_status change_file(void *arg, const struct snap_buffer *old,
                                    struct snap_buffer *content, bool *write,
                                    struct snap_error *error)
{
    struct change *change = arg;
    change->calls++;
    snprintf(change->seen, sizeof change->seen, "%.*s", old != NULL ? (int)old->size : 7,
             old == NULL ? "nothing" : old->size > 0 ? (const char *)old->data : "");
    *write = change->next != NULL;
    if (change->next != NULL && strcmp(change->next, "fail") == 0)
        return snap_error_set(error, SNAP_DIFFERS, "changed my mind");
    return *write ? snap_buffer_append_text(content, change->next, error) : SNAP_OK;
}

static void test_update(void **state)
{
    (void)state;
    for (size_t i = 0; i < store_count; i++) {
        struct subject subject;
        struct change change = { .next = "one" };
        bool exclusive = false;
        begin(&subject, i);
        struct snap_store *store = subject.store;
        CHECK_OK(snap_store_update(store, "latest", 10, change_file, &change, &exclusive, &err));
        assert_string_equal(change.seen, "nothing");
        check_content(store, "latest", "one", 3);
        change.next = "longer";
        CHECK_OK(snap_store_update(store, "latest", 10, change_file, &change, &exclusive, &err));
        assert_string_equal(change.seen, "one");
        check_content(store, "latest", "longer", 6);
        change.next = NULL;
        CHECK_OK(snap_store_update(store, "latest", 10, change_file, &change, &exclusive, &err));
        assert_string_equal(change.seen, "longer");
        change.next = "fail";
        CHECK_FAILS(SNAP_DIFFERS, "mind", snap_store_update(store, "latest", 10, change_file,
                                                            &change, &exclusive, &err));
        check_content(store, "latest", "longer", 6);
        assert_int_equal(change.calls, 4);
        CHECK_FAILS(SNAP_CORRUPT, "latest", snap_store_update(store, "latest", 5, change_file,
                                                              &change, &exclusive, &err));
        end(&subject);
    }
}

/* A whole file goes behind what was read before, or nothing does. */
static void test_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < store_count; i++) {
        struct subject subject;
        struct snap_buffer bytes = SNAP_BUFFER_INIT;
        begin(&subject, i);
        struct snap_store *store = subject.store;
        CHECK_OK(snap_store_put_bytes(store, "latest", "one", 3, &create, &err));
        CHECK_OK(snap_store_put_bytes(store, "empty", "", 0, &create, &err));
        CHECK_OK(snap_store_read(store, "latest", 3, &bytes, &err));
        CHECK_FAILS(SNAP_CORRUPT, "latest: has ",
                    snap_store_read(store, "latest", 2, &bytes, &err));
        CHECK_FAILS(SNAP_NOT_FOUND, "nothing", snap_store_read(store, "nothing", 3, &bytes, &err));
        CHECK_OK(snap_store_read(store, "empty", 0, &bytes, &err));
        CHECK_OK(snap_store_read(store, "latest", 3, &bytes, &err));
        assert_string_equal((const char *)bytes.data, "oneone");
        assert_int_equal(bytes.size, 6);
        snap_buffer_release(&bytes);
        end(&subject);
    }
}

static void test_names(void **state)
{
    (void)state;
    char name[210];
    memset(name, 'a', sizeof name);
    name[201] = '\0';
    const char *const wrong[] = { "",      "/a",   "../a", "a/../b", "a/b/c", ".a", "a/",
                                  "a//b",  "a b",  "a\n",  "\xC3\xA9", "-a",   name };
    for (size_t i = 0; i < store_count; i++) {
        struct subject subject;
        begin(&subject, i);
        for (size_t n = 0; n < sizeof wrong / sizeof wrong[0]; n++) {
            struct snap_store_lock *lock = NULL;
            struct snap_buffer bytes = SNAP_BUFFER_INIT;
            bool there;
            int fd;
            struct snap_store *store = subject.store;
            CHECK_FAILS(SNAP_INVALID, "no name",
                        snap_store_put_bytes(store, wrong[n], "x", 1, &create, &err));
            CHECK_FAILS(SNAP_INVALID, "no name",
                        snap_store_append(store, wrong[n], "x", 1, &err));
            CHECK_FAILS(SNAP_INVALID, "no name",
                        snap_store_open_file(store, wrong[n], &fd, &err));
            CHECK_FAILS(SNAP_INVALID, "no name", snap_store_read(store, wrong[n], 9, &bytes, &err));
            CHECK_FAILS(SNAP_INVALID, "no name", snap_store_exists(store, wrong[n], &there, &err));
            CHECK_FAILS(SNAP_INVALID, "no name", snap_store_remove(store, wrong[n], &err));
            CHECK_FAILS(SNAP_INVALID, "no name", snap_store_lock(store, wrong[n], &lock, &err));
        }
        CHECK_FAILS(SNAP_INVALID, "folder",
                    snap_store_list(subject.store, "..", note_file, NULL, &err));
        end(&subject);
    }
}

static void test_memory_has_no_path(void **state)
{
    (void)state;
    struct snap_store *store = NULL;
    CHECK_OK(snap_store_memory_open(&store, &err));
    assert_null(snap_store_path(store));
    snap_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put),     cmocka_unit_test(test_large),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_digests), cmocka_unit_test(test_append),
        cmocka_unit_test(test_lock),    cmocka_unit_test(test_list_and_remove),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_memory_has_no_path),
        cmocka_unit_test(test_update),  cmocka_unit_test(test_read),
    };
    if (getenv("SNAP_TEST_S3_URI") != NULL) {
        stores = remote_stores;
        store_count = sizeof remote_stores / sizeof remote_stores[0];
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
