/* SPDX-License-Identifier: Apache-2.0 */
/* When two steps failed alike. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session/failure.h"

/* A value is what it says, wherever its text lies. */
static void the_same_is_what_reads_the_same(void **state)
{
    static const char texts[2][8] = { "nan", "nan" };
    struct trn_failure a = { .where = "gradient of fc.weight", .element = 3, .value = texts[0] };
    struct trn_failure b = a;
    (void)state;
    b.value = texts[1];
    assert_true(trn_failure_is_same(&a, &b));
    b.value = "+inf";
    assert_false(trn_failure_is_same(&a, &b));
    b.value = "nan";
    b.element = 2;
    assert_false(trn_failure_is_same(&a, &b));
    b.element = 3;
    b.where[0] = 'G';
    assert_false(trn_failure_is_same(&a, &b));
}

static void values_are_three_words(void **state)
{
    (void)state;
    assert_string_equal(trn_failure_value("nan"), "nan");
    assert_string_equal(trn_failure_value("+inf"), "+inf");
    assert_string_equal(trn_failure_value("-inf"), "-inf");
    assert_null(trn_failure_value("inf"));
    assert_null(trn_failure_value(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_what_reads_the_same),
        cmocka_unit_test(values_are_three_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
