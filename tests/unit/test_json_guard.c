/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused of a text before it is parsed, and at which byte; and that the densest documents
 * that there can be pass. */
#include "config.h"

#include <stdlib.h>

#include "format/json_guard.h"
#include "unit_check.h"

static const char *feed(struct snap_json_guard *guard, const char *text)
{
    return snap_json_guard_feed(guard, text, strlen(text));
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t byte;
        const char *fault;
    } cases[] = {
        { " 1\n", 0, "no place" },
        { "{\"a\": 1}\n", 5, "no place" },
        { "[1,\t2]\n", 3, "no place" },
        { "\xEF\xBB\xBF{}\n", 0, "no place" },
        { "[1\n]\n", 2, "newline" },
        { "1\n\n", 2, "newline" },
        { "\n", 0, "newline" },
        { "1,2\n", 1, "comma" },
        { "[]]\n", 2, "closed" },
        { "\"a\nb\"\n", 2, "control" },
        { "\"a\\\nb\"\n", 3, "control" },
        { "123456789012345678901\n", 20, "longer than any integer" },
        { "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 32, "32 deep" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct snap_json_guard guard = SNAP_JSON_GUARD_INIT;
        const char *fault = feed(&guard, cases[i].text);
        if (fault == NULL || strstr(fault, cases[i].fault) == NULL)
            fail_msg("%s: %s", cases[i].text, fault != NULL ? fault : "passes");
        assert_int_equal(guard.bytes, cases[i].byte);
        /* Byte by byte it is the same. */
        guard = (struct snap_json_guard)SNAP_JSON_GUARD_INIT;
        for (size_t at = 0; at < cases[i].byte; at++)
            assert_null(snap_json_guard_feed(&guard, cases[i].text + at, 1));
        assert_ptr_equal(snap_json_guard_feed(&guard, cases[i].text + guard.bytes, 1), fault);
    }
}

static void test_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null\n", "{\"a\":[1,-2,\"x\\n,]}\\\"\"],\"b\":{\"c\":null,\"d\":true}}\n",
        "{\"step\":1}\n{\"step\":2}\n",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
        "\"1234567890 1234567890 1234567890\"\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct snap_json_guard guard = SNAP_JSON_GUARD_INIT;
        assert_null(feed(&guard, texts[i]));
        assert_int_equal(guard.bytes, strlen(texts[i]));
    }
}

static void test_bounds(void **state)
{
    (void)state;
    struct snap_json_guard guard = { .bounds = { .string_bytes = 3, .keys = 2, .containers = 4 } };
    assert_null(feed(&guard, "{\"abc\":[],\"b\":[{"));
    assert_string_equal(feed(&guard, "\"c\":{"),
                        "more arrays and objects than the rest of the file has room to list");
    guard = (struct snap_json_guard){ .bounds = { .keys = 2 } };
    assert_null(feed(&guard, "{\"a\":[1,2,3,4],\"b\":{\"a\":1,\"b\":2}"));
    assert_string_equal(feed(&guard, ","), "more keys in one object than it may have");
    guard = (struct snap_json_guard){ .bounds = { .string_bytes = 3 } };
    assert_null(feed(&guard, "[\"abc\",\"ab"));
    assert_string_equal(feed(&guard, "cd\""), "a string longer than it may be");
}

/* How many of a text one after the other are taken, up to `most`. */
static size_t count_taken(const char *text, size_t most)
{
    struct snap_json_guard guard = SNAP_JSON_GUARD_INIT;
    size_t count = 0;
    assert_null(feed(&guard, "["));
    while (count < most && feed(&guard, text) == NULL)
        count++;
    return count;
}

static void test_density(void **state)
{
    (void)state;
    /* No document of ours has so many; in memory they would be megabytes. */
    assert_in_range(count_taken("{},", 1000000), 16000, 60000);
    assert_in_range(count_taken("[],", 1000000), 16000, 60000);
    assert_in_range(count_taken("0,", 1000000), 16000, 60000);
    /* A state can have as many of these as it likes. */
    static const char *const dense[] = {
        "{\"int\":5},",
        "{\"null\":null},",
        "{\"list\":[]},",
        "{\"list\":[{\"list\":[{\"map\":[]}]}]},",
        "{\"map\":[[\"\",{\"map\":[[\"\",{\"map\":[[\"\",{\"map\":[]}]]}]]}]]},",
        "[0,{\"int\":0}],",
        "{\"size\":0,\"kind\":\"extra\",\"name\":\"extra/a\"},",
        "{\"name\":\"\",\"reason\":\"\"},",
    };
    for (size_t i = 0; i < sizeof dense / sizeof dense[0]; i++)
        assert_int_equal(count_taken(dense[i], 200000), 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_density),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
