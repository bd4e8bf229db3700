/* SPDX-License-Identifier: Apache-2.0 */
/* What stores are made of: names of archives, profile files, where a bucket is, answers in XML. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "folder/stored.h"
#include "store/ini_file.h"
#include "unit_check.h"
#if HAVE_S3
#include "store/content_cursor.h"
#include "store/s3_client.h"
#include "store/xml_reader.h"
#endif

static struct snap_error err = SNAP_ERROR_INIT;

#define HEX "5162fa2c2078fd0951a02ccc7368f19ee024079b0227e4e77939d8c0694d735e"

static void test_names(void **state)
{
    (void)state;
    struct snap_stored_name name;
    assert_true(snap_stored_name_parse("step-0000000006-" HEX ".snap.tar", &name));
    assert_int_equal(name.step, 6);
    assert_false(name.capsule || name.partial);
    assert_string_equal(name.snapshot_hash, "snap1:" HEX);
    assert_true(snap_stored_name_parse("capsule-18446744073709551615-" HEX ".snap.tar", &name));
    assert_true(name.capsule && name.step == UINT64_MAX);
    assert_true(snap_stored_name_parse("step-0000000006-" HEX "-without-0123456789abcdef.snap.tar",
                                       &name));
    assert_true(name.partial);
    const char *const wrong[] = { "",
                                  "step-",
                                  "step-6-" HEX ".snap.tar",
                                  "step-00000000006-" HEX ".snap.tar",
                                  "step-18446744073709551616-" HEX ".snap.tar",
                                  "step-0000000006.snap.tar",
                                  "step-0000000006-" HEX,
                                  "step-0000000006-" HEX "0.snap.tar",
                                  "step-0000000006-" HEX ".snap.tarx",
                                  "step-0000000006-" HEX "-without-.snap.tar",
                                  "step-0000000006-" HEX "-without-0123456789abcdefg.snap.tar",
                                  "steps-0000000006-" HEX ".snap.tar" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(snap_stored_name_parse(wrong[i], &name));
}

static void test_latest(void **state)
{
    (void)state;
    struct snap_stored_latest latest = { .file = "archives/step-0000000006-" HEX ".snap.tar",
                                         .run_id = "383b5dc95fcb2916",
                                         .snapshot_hash = "snap1:" HEX,
                                         .step = 6 };
    struct snap_stored_latest again = { .step = 0 };
    struct snap_buffer text = SNAP_BUFFER_INIT;
    CHECK_OK(snap_stored_latest_encode(&latest, &text, &err));
    CHECK_OK(snap_stored_latest_decode(&text, "store", &again, &err));
    assert_memory_equal(&latest, &again, sizeof latest);
    for (size_t i = 0; i < text.size; i++) {
        text.data[i] ^= 1;
        if (snap_stored_latest_decode(&text, "store", &again, &err) == SNAP_OK)
            assert_string_not_equal(again.run_id, latest.run_id); /* which any run can have */
        text.data[i] ^= 1;
    }
    latest.step = 7; /* its name says another */
    text.size = 0;
    CHECK_OK(snap_stored_latest_encode(&latest, &text, &err));
    CHECK_FAILS(SNAP_CORRUPT, "store/latest: is broken",
                snap_stored_latest_decode(&text, "store", &again, &err));
    snap_buffer_release(&text);
}

static void check_ini(const char *text, const char *section, const char *key, const char *expected)
{
    const char *value = NULL;
    size_t size = 0;
    bool found = snap_ini_find(text, strlen(text), section, key, &value, &size);
    assert_int_equal(found, expected != NULL);
    if (expected != NULL) {
        assert_int_equal(size, strlen(expected));
        assert_memory_equal(value, expected, size);
    }
}

static void test_ini(void **state)
{
    (void)state;
    static const char text[] = "key = before any heading\n"
                               "[default]\r\n"
                               "key=first\n"
                               "# key = comment\n"
                               "; key = comment\n"
                               "Key = other\n"
                               "table =\n"
                               "  key = inside\n"
                               "equal = a=b \t\r\n"
                               "empty =\n"
                               "[ profile   work ]\n"
                               "key = work\n"
                               "key = twice\n"
                               "[unfinished\n"
                               "key = still work\n"
                               "[default]\n"
                               "late = end";
    check_ini(text, "default", "key", "first");
    check_ini(text, "default", "equal", "a=b");
    check_ini(text, "default", "late", "end");
    check_ini(text, "default", "empty", NULL);
    check_ini(text, "default", "table", NULL);
    check_ini(text, "default", "nothing", NULL);
    check_ini(text, "profile work", "key", "still work");
    check_ini(text, "profile wor", "key", NULL);
    check_ini(text, "profile works", "key", NULL);
    check_ini(text, "work", "key", NULL);
    check_ini("", "default", "key", NULL);
    check_ini("[]\n[default]\nkey", "default", "key", NULL);
}

#if HAVE_S3

static const char *const variables[] = {
    "AWS_ACCESS_KEY_ID",   "AWS_SECRET_ACCESS_KEY",       "AWS_SESSION_TOKEN",
    "AWS_REGION",          "AWS_DEFAULT_REGION",          "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",    "AWS_PROFILE",                 "AWS_CONFIG_FILE",
    "AWS_CA_BUNDLE",       "AWS_SHARED_CREDENTIALS_FILE", "SNAP_S3_DEADLINE",
};

static void clear_variables(void)
{
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        assert_int_equal(unsetenv(variables[i]), 0);
    assert_int_equal(setenv("HOME", "/nonexistent", 1), 0);
}

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static void check_place(const char *uri, const char *base, const char *prefix)
{
    struct snap_s3_config config;
    CHECK_OK(snap_s3_config_init(&config, uri, &err));
    assert_string_equal(config.base, base);
    assert_string_equal(config.prefix, prefix);
    snap_s3_config_release(&config);
}

static void test_place(void **state)
{
    (void)state;
    struct snap_s3_config config;
    clear_variables();
    CHECK_FAILS(SNAP_NOT_FOUND, "AWS_ACCESS_KEY_ID",
                snap_s3_config_init(&config, "s3://bucket/x", &err));
    set("AWS_ACCESS_KEY_ID", "user");
    CHECK_FAILS(SNAP_INVALID, "one is set", snap_s3_config_init(&config, "s3://bucket/x", &err));
    set("AWS_SECRET_ACCESS_KEY", "word");
    check_place("s3://bucket", "https://bucket.s3.us-east-1.amazonaws.com", "");
    check_place("s3://bucket/", "https://bucket.s3.us-east-1.amazonaws.com", "");
    check_place("s3://bucket/a/b//", "https://bucket.s3.us-east-1.amazonaws.com", "a/b/");
    set("AWS_DEFAULT_REGION", "eu-west-1");
    check_place("s3://bucket.name/a", "https://s3.eu-west-1.amazonaws.com/bucket.name", "a/");
    set("AWS_REGION", "eu-north-1");
    check_place("s3://bucket/a", "https://bucket.s3.eu-north-1.amazonaws.com", "a/");
    set("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/");
    check_place("s3://bucket/a", "http://127.0.0.1:9000/bucket", "a/");
    set("AWS_ENDPOINT_URL_S3", "https://host/path");
    check_place("s3://bucket/a", "https://host/path/bucket", "a/");
    static const char *const endpoints[] = { "ftp://host", "host", "http://user@host",
                                             "http://host/?a", "http://ho st" };
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        set("AWS_ENDPOINT_URL_S3", endpoints[i]);
        CHECK_FAILS(SNAP_INVALID, "the endpoint",
                    snap_s3_config_init(&config, "s3://bucket/x", &err));
    }
    set("AWS_ENDPOINT_URL_S3", "http://host");
    static const char *const uris[] = { "s3://", "s3:///x", "s3://b//x", "s3://b/x//y", "s3://b c",
                                        "s3://b/\n", "s3://user:word@bucket/x" };
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        assert_int_equal(snap_s3_config_init(&config, uris[i], &err), SNAP_INVALID);
        assert_null(strstr(err.text, "user:word"));
    }
    set("AWS_REGION", "eu/../x");
    CHECK_FAILS(SNAP_INVALID, "AWS_REGION", snap_s3_config_init(&config, "s3://bucket/x", &err));
    char wide[5000];
    memset(wide, 'a', sizeof wide);
    wide[65] = '\0';
    set("AWS_REGION", wide);
    CHECK_FAILS(SNAP_INVALID, "AWS_REGION", snap_s3_config_init(&config, "s3://bucket/x", &err));
    set("AWS_REGION", "eu-1");
    /* A path is not cut: that would be another file. */
    wide[65] = 'a';
    wide[4999] = '\0';
    set("AWS_CONFIG_FILE", wide);
    CHECK_FAILS(SNAP_INVALID, "AWS_CONFIG_FILE: the path",
                snap_s3_config_init(&config, "s3://bucket/x", &err));
    assert_int_equal(unsetenv("AWS_CONFIG_FILE"), 0);
    set("AWS_SESSION_TOKEN", "to\r\nx-amz-acl: public-read");
    CHECK_FAILS(SNAP_INVALID, "a credential has",
                snap_s3_config_init(&config, "s3://bucket/x", &err));
    clear_variables();
}

static void test_encode(void **state)
{
    (void)state;
    struct snap_buffer out = SNAP_BUFFER_INIT;
    CHECK_OK(snap_s3_encode(&out, "aZ09-._~/ +%=&\xC3\xA9", true, &err));
    assert_string_equal((const char *)out.data, "aZ09-._~/%20%2B%25%3D%26%C3%A9");
    out.size = 0;
    CHECK_OK(snap_s3_encode(&out, "a/b", false, &err));
    assert_string_equal((const char *)out.data, "a%2Fb");
    snap_buffer_release(&out);
}

static enum snap_status note_element(void *arg, const char *parent, const char *name,
                                     const char *text, struct snap_error *error)
{
    char *seen = arg;
    size_t used = strlen(seen);
    (void)error;
    snprintf(seen + used, 300 - used, "%s/%s=%s;", parent, name, text != NULL ? text : "NULL");
    return SNAP_OK;
}

static void test_xml(void **state)
{
    (void)state;
    char seen[300] = "";
    uint64_t number = 0;
    static const char text[] = "<?xml version=\"1.0\"?><x:A xmlns:x=\"u\"> <B>1 &amp; 2</B>"
                               "<x:C><D/><E> t</E></x:C></x:A>";
    CHECK_OK(snap_xml_read(text, strlen(text), "x", note_element, seen, &err));
    assert_string_equal(seen, "A/B=1 & 2;C/D=;C/E= t;A/C=NULL;/A=NULL;");
    static const char *const wrong[] = { "", "<A>", "text", "<A></B>", "<!DOCTYPE A><A/>",
                                         "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_FAILS(SNAP_CORRUPT, "x: the answer", snap_xml_read(wrong[i], strlen(wrong[i]), "x",
                                                                 note_element, seen, &err));
    assert_true(snap_xml_number("18446744073709551615", &number));
    assert_true(number == UINT64_MAX);
    assert_false(snap_xml_number("18446744073709551616", &number));
    assert_false(snap_xml_number("-1", &number) || snap_xml_number("", &number) ||
                 snap_xml_number("1 ", &number));
}

static enum snap_status give_rest(void *arg, const struct snap_segment **segments, size_t *count,
                                  struct snap_error *error)
{
    (void)error;
    *segments = arg;
    *count = 2;
    return SNAP_OK;
}

/* The same bytes and digests, whatever the pieces. */
static void test_cursor(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= 14; piece++) {
        unsigned char digests[2][SNAP_DIGEST_BYTES] = { { 0 } };
        unsigned char expected[SNAP_DIGEST_BYTES];
        struct snap_segment rest[] = { { .offset = 9, .data = "rest", .size_bytes = 4 },
                                       { .offset = 13, .sha256 = digests[1] } };
        const struct snap_segment first[] = {
            { .data = "first", .size_bytes = 5, .sha256 = digests[0] },
            { .offset = 5 },
            { .offset = 5, .data = "next", .size_bytes = 4 },
        };
        const struct snap_content content = {
            .segments = first, .count = 3, .size_bytes = 13, .finish = give_rest, .arg = rest
        };
        struct snap_content_cursor cursor;
        unsigned char out[14] = { 0 };
        snap_content_cursor_init(&cursor, &content);
        for (size_t at = 0; at < 13; at += piece)
            CHECK_OK(snap_content_cursor_read(&cursor, out + at, at + piece < 13 ? piece : 13 - at,
                                              &err));
        assert_string_equal((const char *)out, "firstnextrest");
        CHECK_OK(snap_sha256("first", 5, expected, &err));
        assert_memory_equal(digests[0], expected, sizeof expected);
        CHECK_OK(snap_sha256(NULL, 0, expected, &err));
        assert_memory_equal(digests[1], expected, sizeof expected);
        CHECK_FAILS(SNAP_INTERNAL, "shorter", snap_content_cursor_read(&cursor, out, 1, &err));
        snap_content_cursor_release(&cursor);
    }
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),  cmocka_unit_test(test_latest), cmocka_unit_test(test_ini),
#if HAVE_S3
        cmocka_unit_test(test_place),  cmocka_unit_test(test_encode), cmocka_unit_test(test_xml),
        cmocka_unit_test(test_cursor),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
