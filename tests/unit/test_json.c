/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical JSON: tables of good and bad documents, numbers past 2^53, fields. */
#include "config.h"

#include <stdlib.h>

#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "format/limits.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static const char *const good[] = {
    "null\n",
    "true\n",
    "0\n",
    "-1\n",
    "9007199254740992\n",
    "-9007199254740992\n",
    "\"\"\n",
    "\"text\"\n",
    "\"\\\"\\\\/\\b\\f\\n\\r\\t\"\n",
    "\"\\u0001\\u001F\x7F\"\n",
    "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"\n",
    "[]\n",
    "{}\n",
    "[1,[2,[3]],{\"a\":null}]\n",
    /* Keys by bytes: capitals first, a prefix before what it begins, non-ASCII last. */
    "{\"\":0,\"A\":1,\"a\":2,\"aa\":3,\"b\":4,\"\xC3\xA9\":5}\n",
    "{\"a\":{\"b\":{\"c\":[false,\"9007199254740993\"]}}}\n",
};

static const char *const bad[] = {
    "",
    "\n",
    "null",        /* no final newline */
    "null\n\n",    /* two */
    " null\n",
    "null \n",
    "null\r\n",
    "\xEF\xBB\xBFnull\n", /* a byte order mark */
    "nul\n",
    "0 1\n",
    "1.0\n",
    "1e5\n",
    "1E5\n",
    "-0\n",
    "-0.0\n",
    "01\n",
    "+1\n",
    "NaN\n",
    "9007199254740993\n", /* past 2^53 */
    "-9007199254740993\n",
    "99999999999999999999\n",
    "[1, 2]\n",
    "[1,2,]\n",
    "{\"a\": 1}\n",
    "{\"b\":1,\"a\":2}\n",         /* out of order */
    "{\"a\":1,\"a\":1}\n",         /* twice */
    "{\"a\":1,\"\\u0061\":1}\n",   /* twice, in disguise */
    "{\"\xC3\xA9\":1,\"e\":2}\n",
    "\"\\u0000\"\n",               /* NUL */
    "{\"\\u0000\":1}\n",
    "\"\\u0041\"\n",               /* escaped without need */
    "\"\\/\"\n",
    "\"\\u001f\"\n",               /* small hex digits */
    "\"\\u000A\"\n",               /* has a short form */
    "\"\\u00E9\"\n",
    "\"\\uD83D\\uDE00\"\n",
    "\"\\uD800\"\n",               /* half a pair */
    "\"\n\"\n",                    /* a control character as it is */
    "\"\xC3\"\n",                  /* not UTF-8 */
    "\"\xC0\x80\"\n",
    "\"\xED\xA0\x80\"\n",
    "\"text\n",
    "[1\n",
    "{\"a\"}\n",
    "{a:1}\n",
    "'a'\n",
    "//\n1\n",
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        json_t *value = NULL;
        struct snap_buffer out = SNAP_BUFFER_INIT;
        CHECK_OK(snap_json_decode(good[i], strlen(good[i]), "document", &value, &err));
        CHECK_OK(snap_json_encode(value, &out, &err));
        assert_string_equal((char *)out.data, good[i]);
        snap_buffer_clear(&out);
        CHECK_OK(snap_json_canonicalise(good[i], "text", &out, &err));
        assert_string_equal((char *)out.data, good[i]);
        json_decref(value);
        snap_buffer_release(&out);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *value = NULL;
        err = (struct snap_error)SNAP_ERROR_INIT;
        enum snap_status status =
            snap_json_decode(bad[i], strlen(bad[i]), "document", &value, &err);
        if (status != SNAP_CORRUPT || strstr(err.text, "document") == NULL)
            print_error("case %zu: %s\n", i, bad[i]);
        assert_int_equal(status, SNAP_CORRUPT);
        assert_non_null(strstr(err.text, "document"));
        assert_null(value);
    }
    json_t *value = NULL;
    CHECK_FAILS(SNAP_CORRUPT, NULL, snap_json_decode("1\n\0", 3, "document", &value, &err));
    CHECK_FAILS(SNAP_CORRUPT, NULL, snap_json_decode("\"a\0b\"\n", 6, "document", &value, &err));
}

/* Every byte of a document changed in every bit: refused, or another value with its own canonical
 * text, never the same value by another text. */
static void test_one_text(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,-2,\"x\\n\"],\"b\":{\"c\":null,\"d\":true}}\n";
    json_t *original = NULL;
    CHECK_OK(snap_json_decode(text, sizeof text - 1, "document", &original, &err));
    for (size_t i = 0; i < 8 * (sizeof text - 1); i++) {
        char flipped[sizeof text];
        json_t *value = NULL;
        memcpy(flipped, text, sizeof text);
        flipped[i / 8] = (char)(flipped[i / 8] ^ (1 << (i % 8)));
        if (snap_json_decode(flipped, sizeof text - 1, "document", &value, NULL) == SNAP_OK)
            assert_false(json_equal(value, original));
        json_decref(value);
    }
    json_decref(original);
}

static void test_depth(void **state)
{
    (void)state;
    for (int depth = SNAP_MAX_JSON_DEPTH - 1; depth <= SNAP_MAX_JSON_DEPTH + 1; depth++) {
        char text[4 * SNAP_MAX_JSON_DEPTH];
        json_t *value = NULL;
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        memcpy(text + 2 * depth, "\n", 2);
        if (depth <= SNAP_MAX_JSON_DEPTH)
            CHECK_OK(snap_json_decode(text, strlen(text), "document", &value, &err));
        else
            CHECK_FAILS(SNAP_CORRUPT, "32 deep",
                        snap_json_decode(text, strlen(text), "document", &value, &err));
        json_decref(value);
        struct snap_buffer out = SNAP_BUFFER_INIT;
        json_t *built = json_array();
        for (int i = 1; i < depth; i++)
            built = json_pack("[o]", built);
        if (depth <= SNAP_MAX_JSON_DEPTH)
            CHECK_OK(snap_json_encode(built, &out, &err));
        else
            CHECK_FAILS(SNAP_INVALID, "32 deep", snap_json_encode(built, &out, &err));
        json_decref(built);
        snap_buffer_release(&out);
    }
    /* A million levels neither crash nor take long. */
    size_t levels = 1000000;
    char *text = malloc(2 * levels + 1);
    json_t *value = NULL;
    assert_non_null(text);
    memset(text, '[', levels);
    memset(text + levels, ']', levels);
    text[2 * levels] = '\n';
    CHECK_FAILS(SNAP_CORRUPT, NULL, snap_json_decode(text, 2 * levels + 1, "deep", &value, &err));
    free(text);
}

static void test_encode_refuses(void **state)
{
    (void)state;
    struct snap_buffer out = SNAP_BUFFER_INIT;
    json_t *values[] = {
        json_real(0.5),
        json_integer(SNAP_MAX_JSON_INTEGER + 1),
        json_integer(-SNAP_MAX_JSON_INTEGER - 1),
        json_stringn("a\0b", 3),
        json_pack("{s:[f]}", "a", 1.0),
    };
    CHECK_OK(snap_buffer_append_text(&out, "before", &err));
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        CHECK_FAILS(SNAP_INVALID, "no canonical form", snap_json_encode(values[i], &out, &err));
        assert_string_equal((char *)out.data, "before");
        json_decref(values[i]);
    }
    CHECK_FAILS(SNAP_NO_MEMORY, NULL, snap_json_encode(NULL, &out, &err));
    snap_buffer_release(&out);
}

static void test_canonicalise(void **state)
{
    (void)state;
    struct snap_buffer out = SNAP_BUFFER_INIT;
    CHECK_OK(snap_json_canonicalise(" { \"b\" : [ 1 , 2 ] ,\n\t\"a\" : \"\\u0041\\/\" } ", "config",
                                    &out, &err));
    assert_string_equal((char *)out.data, "{\"a\":\"A/\",\"b\":[1,2]}\n");
    const char *refused[] = { "{\"lr\":0.1}", "[1,2", "{\"a\":1,\"a\":2}", "9007199254740993", "",
                              "1e3" };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        CHECK_FAILS(SNAP_INVALID, "config",
                    snap_json_canonicalise(refused[i], "config", &out, &err));
    assert_string_equal((char *)out.data, "{\"a\":\"A/\",\"b\":[1,2]}\n");
    snap_buffer_release(&out);
}

static void test_numbers(void **state)
{
    (void)state;
    static const uint64_t numbers[] = { 0, 1, 9007199254740992u, 9007199254740993u, UINT64_MAX };
    static const char *const texts[] = { "0", "1", "9007199254740992", "\"9007199254740993\"",
                                         "\"18446744073709551615\"" };
    for (size_t i = 0; i < 5; i++) {
        json_t *value = snap_json_u64(numbers[i]);
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        uint64_t back = 77;
        assert_string_equal(text, texts[i]);
        assert_true(snap_json_get_u64(value, &back));
        assert_true(back == numbers[i]);
        free(text);
        json_decref(value);
    }
    static const int64_t signs[] = { 0, -1, -9007199254740992, -9007199254740993, INT64_MIN,
                                     INT64_MAX };
    for (size_t i = 0; i < 6; i++) {
        json_t *value = snap_json_i64(signs[i]);
        int64_t back = 77;
        assert_true(snap_json_get_i64(value, &back));
        assert_true(back == signs[i]);
        assert_int_equal(json_is_string(value),
                         signs[i] < -9007199254740992 || signs[i] > 9007199254740992);
        json_decref(value);
    }
    /* Texts that only look like numbers, or have a shorter form. */
    static const char *const wrong[] = { "\"0\"",
                                         "\"9007199254740992\"",
                                         "\"09007199254740993\"",
                                         "\"+9007199254740993\"",
                                         "\" 9007199254740993\"",
                                         "\"9007199254740993 \"",
                                         "\"9007199254740993.0\"",
                                         "\"18446744073709551616\"",
                                         "\"99999999999999999999\"",
                                         "\"100000000000000000000\"",
                                         "\"\"",
                                         "\"-\"",
                                         "null",
                                         "true",
                                         "[]",
                                         "9007199254740993" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *value = json_loads(wrong[i], JSON_DECODE_ANY, NULL);
        uint64_t number;
        int64_t sign;
        assert_non_null(value);
        assert_false(snap_json_get_u64(value, &number));
        assert_false(snap_json_get_i64(value, &sign));
        json_decref(value);
    }
    json_t *below = json_string("-9223372036854775809");
    int64_t sign;
    assert_false(snap_json_get_i64(below, &sign));
    json_decref(below);
    below = json_integer(-1);
    uint64_t number;
    assert_false(snap_json_get_u64(below, &number));
    json_decref(below);
}

static void test_fields(void **state)
{
    (void)state;
    json_t *object = json_pack("{sssisnso}", "format", "snap-data-1", "number", 5, "nothing",
                               "text", json_string("x"));
    const json_t *value = NULL;
    const char *text = NULL;
    uint64_t number = 0;
    unsigned char digest[SNAP_DIGEST_BYTES];
    CHECK_OK(snap_json_check_keys(object, "format nothing number text", "doc", &err));
    CHECK_OK(snap_json_check_keys(object, "format nothing number text more?", "doc", &err));
    CHECK_FAILS(SNAP_CORRUPT, "doc: key \"more\" is missing",
                snap_json_check_keys(object, "format nothing number text more", "doc", &err));
    CHECK_FAILS(SNAP_CORRUPT, "doc: unknown key \"text\"",
                snap_json_check_keys(object, "format nothing number texts", "doc", &err));
    CHECK_FAILS(SNAP_CORRUPT, "expected an object", snap_json_check_keys(NULL, "a", "doc", &err));
    CHECK_OK(snap_json_field(object, "number", JSON_INTEGER, "doc", &value, &err));
    CHECK_FAILS(SNAP_CORRUPT, "\"number\": expected a string",
                snap_json_field_string(object, "number", "doc", &text, &err));
    CHECK_OK(snap_json_field_string(object, "text", "doc", &text, &err));
    assert_string_equal(text, "x");
    CHECK_OK(snap_json_field_u64(object, "number", "doc", &number, &err));
    assert_int_equal(number, 5);
    CHECK_FAILS(SNAP_CORRUPT, "\"absent\"",
                snap_json_field_u64(object, "absent", "doc", &number, &err));

    CHECK_OK(snap_json_field_format(object, "snap-data-1", "doc", &err));
    json_object_set_new(object, "format", json_string("snap-data-2"));
    CHECK_FAILS(SNAP_UNSUPPORTED, "snap-data-2",
                snap_json_field_format(object, "snap-data-1", "doc", &err));
    const char *formats[] = { "snap-data-", "snap-data-01", "snap-data-x", "snap-state-1", "",
                              "snap-data-2x", "snap-data-99999999999" };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        json_object_set_new(object, "format", json_string(formats[i]));
        CHECK_FAILS(SNAP_CORRUPT, "expected \"snap-data-1\"",
                    snap_json_field_format(object, "snap-data-1", "doc", &err));
    }

    memset(digest, 0xAB, sizeof digest);
    json_object_set_new(object, "plain", snap_json_digest(NULL, digest));
    json_object_set_new(object, "named", snap_json_digest("snap1", digest));
    memset(digest, 0, sizeof digest);
    CHECK_OK(snap_json_field_digest(object, "plain", NULL, "doc", digest, &err));
    assert_int_equal(digest[31], 0xAB);
    CHECK_OK(snap_json_field_digest(object, "named", "snap1", "doc", digest, &err));
    CHECK_FAILS(SNAP_CORRUPT, "64 hex digits",
                snap_json_field_digest(object, "named", NULL, "doc", digest, &err));
    CHECK_FAILS(SNAP_CORRUPT, "state1: and 64",
                snap_json_field_digest(object, "named", "state1", "doc", digest, &err));
    CHECK_FAILS(SNAP_CORRUPT, NULL,
                snap_json_field_digest(object, "plain", "snap1", "doc", digest, &err));
    CHECK_FAILS(SNAP_CORRUPT, NULL,
                snap_json_field_digest(object, "absent", NULL, "doc", digest, &err));
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),           cmocka_unit_test(test_bad),
        cmocka_unit_test(test_one_text),       cmocka_unit_test(test_depth),
        cmocka_unit_test(test_encode_refuses), cmocka_unit_test(test_canonicalise),
        cmocka_unit_test(test_numbers),        cmocka_unit_test(test_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
