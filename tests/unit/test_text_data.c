/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of a text: where they begin, what their labels are, what is held out. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <snapstate/run.h>

#include "data/text_data.h"

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";

/* A file of the first `size` letters; remove it. */
static void write_text(char path[40], size_t size)
{
    int fd;
    strcpy(path, "/tmp/snap-test-text.XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, alphabet, size), size);
    close(fd);
}

static enum snap_status load(size_t size, const struct trn_text *text, struct trn_dataset *train,
                             struct trn_dataset *test, struct snap_error *err)
{
    char path[40];
    enum snap_status status;
    write_text(path, size);
    status = trn_text_load(path, text, train, test, err);
    remove(path);
    return status;
}

static void windows_and_labels(void **state)
{
    const struct trn_text text = { 5, 5, 0.25 };
    struct trn_dataset train, test;
    unsigned char digest[SNAP_DIGEST_BYTES];
    int32_t labels[5];
    (void)state;
    assert_int_equal(load(26, &text, &train, &test, NULL), SNAP_OK);
    /* 6 of 26 held out; the byte after the window that begins at 15 would be one of them. */
    assert_int_equal(train.samples, 3);
    assert_int_equal(test.samples, 1);
    assert_int_equal(train.image_size, 5);
    assert_int_equal(train.labels_size, 5);
    assert_memory_equal(train.images + 2 * train.image_stride, "klmno", 5);
    trn_dataset_labels(&train, 2, labels);
    for (int i = 0; i < 5; i++)
        assert_int_equal(labels[i], "lmnop"[i]);
    assert_memory_equal(test.images, "uvwxy", 5);
    trn_dataset_labels(&test, 0, labels);
    assert_int_equal(labels[4], 'z');
    assert_int_equal(train.images_file_size, 26);
    assert_int_equal(snap_bytes_digest(alphabet, 26, digest, NULL), SNAP_OK);
    assert_memory_equal(train.images_sha256, digest, SNAP_DIGEST_BYTES);
    trn_dataset_release(&test);
    trn_dataset_release(&train);
}

/* Samples of a text of `size` bytes. */
static void expect_samples(size_t size, size_t context, size_t stride, double held_out,
                           size_t train_samples, size_t test_samples)
{
    const struct trn_text text = { context, stride, held_out };
    struct trn_dataset train, test;
    struct snap_error err = SNAP_ERROR_INIT;
    if (load(size, &text, &train, &test, &err) != SNAP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(train.samples, train_samples);
    assert_int_equal(test.samples, test_samples);
    trn_dataset_release(&train);
}

static void counts(void **state)
{
    (void)state;
    expect_samples(6, 5, 5, 0, 1, 0);
    expect_samples(10, 5, 5, 0, 1, 0);
    expect_samples(11, 5, 5, 0, 2, 0);
    expect_samples(11, 5, 1, 0, 6, 0);
    expect_samples(11, 5, 4, 0, 2, 0);
    expect_samples(26, 1, 1, 0.5, 12, 12);
    expect_samples(26, 3, 1, 0.5, 10, 4); /* those held out lie end to end */
    expect_samples(2, 1, 1, 0.49, 1, 0);
}

static void too_short(void **state)
{
    const struct trn_text text = { 5, 5, 0 }, held = { 5, 5, 0.2 };
    struct trn_dataset train, test;
    struct snap_error err = SNAP_ERROR_INIT;
    (void)state;
    assert_int_equal(load(5, &text, &train, &test, &err), SNAP_INVALID);
    assert_non_null(strstr(err.text, "5 bytes, 0 of them held out"));
    assert_int_equal(load(0, &text, &train, &test, &err), SNAP_INVALID);
    assert_int_equal(load(6, &held, &train, &test, &err), SNAP_INVALID);
    assert_non_null(strstr(err.text, "6 bytes, 1 of them held out"));
    assert_non_null(strstr(err.text, "at least 6"));
    assert_int_equal(trn_text_load("/nowhere/text", &text, &train, &test, &err), SNAP_IO);
    assert_non_null(strstr(err.text, "/nowhere/text"));
    assert_int_equal(trn_text_load("/tmp", &text, &train, &test, &err), SNAP_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_and_labels),
        cmocka_unit_test(counts),
        cmocka_unit_test(too_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
