/* SPDX-License-Identifier: Apache-2.0 */
/* The progress line: what it says, and that a pipe gets none. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "process/progress.h"

static void lines(void **state)
{
    (void)state;
    char line[160];
    struct trn_progress progress = { .first_step = 100, .last_step = 200, .samples = 1600 };
    trn_progress_format(&progress, 150, 3, 0.125f, 2.0, line, sizeof(line));
    assert_string_equal(line, "step 150 of 200  epoch 4  loss 0.1250  800 samples/s  0:02 left");
    trn_progress_format(&progress, 101, 0, 2.5f, 40.0, line, sizeof(line));
    assert_string_equal(line, "step 101 of 200  epoch 1  loss 2.5000  40 samples/s  1:06:00 left");
    trn_progress_format(&progress, 200, 0, 2.5f, 65.0, line, sizeof(line));
    assert_string_equal(line, "step 200 of 200  epoch 1  loss 2.5000  25 samples/s  0:00 left");
}

static void a_file_gets_nothing(void **state)
{
    (void)state;
    struct trn_progress progress;
    FILE *file = tmpfile();
    assert_non_null(file);
    trn_progress_begin(&progress, file, 0, 10);
    trn_progress_step(&progress, 1, 0, 1.0f, 32);
    trn_progress_end(&progress);
    assert_int_equal(ftell(file), 0);
    fclose(file);
    trn_progress_begin(&progress, NULL, 0, 10);
    trn_progress_step(&progress, 1, 0, 1.0f, 32);
    trn_progress_end(&progress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(a_file_gets_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
