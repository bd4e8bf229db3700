/* SPDX-License-Identifier: Apache-2.0 */
/* Mean, deviation and Student's t, against published tables and numbers worked out by hand. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>

#include <cmocka.h>

#include "metrics/statistics.h"

static const char *text(double value, const char *format, char out[40])
{
    snprintf(out, 40, format, value);
    return out;
}

/* The tables of every textbook (two-sided), to the digits that they give. */
static void student(void **state)
{
    (void)state;
    static const struct {
        double level;
        size_t degrees;
        const char *t;
    } rows[] = {
        { 0.95, 1, "12.706" },  { 0.95, 2, "4.303" },   { 0.95, 3, "3.182" },
        { 0.95, 4, "2.776" },   { 0.95, 5, "2.571" },   { 0.95, 6, "2.447" },
        { 0.95, 7, "2.365" },   { 0.95, 8, "2.306" },   { 0.95, 9, "2.262" },
        { 0.95, 10, "2.228" },  { 0.95, 20, "2.086" },  { 0.95, 30, "2.042" },
        { 0.95, 60, "2.000" },  { 0.95, 120, "1.980" }, { 0.90, 1, "6.314" },
        { 0.90, 9, "1.833" },   { 0.90, 29, "1.699" },  { 0.99, 1, "63.657" },
        { 0.99, 2, "9.925" },   { 0.99, 9, "3.250" },   { 0.99, 30, "2.750" },
        { 0.50, 1, "1.000" },   { 0.50, 2, "0.816" },   { 0.80, 5, "1.476" },
        { 0.95, 1000, "1.962" },
    };
    char out[40];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(text(trn_student_t(rows[i].level, rows[i].degrees), "%.3f", out),
                            rows[i].t);
    /* One degree is Cauchy's: tan(pi level / 2). Two: level sqrt(2 / (1 - level^2)). */
    assert_string_equal(text(trn_student_t(0.95, 1), "%.9f", out), "12.706204736");
    assert_string_equal(text(trn_student_t(0.95, 2), "%.9f", out), "4.302652730");
}

static void summaries(void **state)
{
    (void)state;
    static const double values[] = { 2, 4, 4, 4, 5, 5, 7, 9 };
    struct trn_summary summary;
    char out[40];
    trn_summarize(values, 8, trn_student_t(0.95, 7), &summary);
    assert_int_equal(summary.count, 8);
    assert_true(summary.has_spread);
    assert_true(summary.mean == 5);
    assert_string_equal(text(summary.deviation, "%.9f", out), "2.138089935"); /* sqrt(32 / 7) */
    assert_string_equal(text(summary.low, "%.6f", out), "3.212512");
    assert_string_equal(text(summary.high, "%.6f", out), "6.787488");

    trn_summarize(values, 1, 0, &summary);
    assert_true(summary.mean == 2);
    assert_false(summary.has_spread);

    /* Equal numbers have no spread, exactly. */
    static const double same[] = { 0.1, 0.1 };
    trn_summarize(same, 2, trn_student_t(0.95, 1), &summary);
    assert_true(summary.mean == 0.1 && summary.deviation == 0);
    assert_true(summary.low == 0.1 && summary.high == 0.1);

    /* Large numbers close together: a sum of squares would lose their difference. */
    static const double large[] = { 1e9 + 1, 1e9 + 2, 1e9 + 3 };
    trn_summarize(large, 3, 1, &summary);
    assert_true(summary.mean == 1e9 + 2 && summary.deviation == 1);

    static const double broken[] = { 1, NAN };
    trn_summarize(broken, 2, 1, &summary);
    assert_true(isnan(summary.mean) && isnan(summary.deviation));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(student),
        cmocka_unit_test(summaries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
