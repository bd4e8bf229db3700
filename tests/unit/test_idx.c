/* SPDX-License-Identifier: Apache-2.0 */
/* IDX files, plain and gzip, whole and damaged. */
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
#include <zlib.h>

#include "data/dataset.h"
#include "data/idx.h"

enum { ROOM = 4096 };

struct bytes {
    uint8_t at[ROOM];
    size_t size;
};

/* A file of 3 images of 2 x 5 that holds 0, 1, 2, ... */
static struct bytes plain_file(void)
{
    static const uint8_t header[] = { 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 5 };
    struct bytes file = { .size = sizeof(header) + 30 };
    memcpy(file.at, header, sizeof(header));
    for (uint8_t i = 0; i < 30; i++)
        file.at[sizeof(header) + i] = i;
    return file;
}

/* The same in gzip, in one piece or joined out of two. */
static void add_gzip(struct bytes *to, const uint8_t *data, size_t size)
{
    z_stream z = { .next_in = (Bytef *)data, .avail_in = (uInt)size };
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = to->at + to->size;
    z.avail_out = (uInt)(ROOM - to->size);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    to->size += z.total_out;
    deflateEnd(&z);
}

static struct bytes gzip_of(const struct bytes *plain)
{
    struct bytes file = { .size = 0 };
    add_gzip(&file, plain->at, plain->size);
    return file;
}

static enum snap_status decode(const struct bytes *file, struct trn_idx *idx,
                               struct snap_error *err)
{
    /* Memory of just this size, so that a read past it is found by a sanitizer. */
    uint8_t *exact = malloc(file->size > 0 ? file->size : 1);
    memcpy(exact, file->at, file->size);
    enum snap_status status = trn_idx_decode("x", exact, file->size, idx, err);
    free(exact);
    return status;
}

static void expect_whole(const struct bytes *file)
{
    struct trn_idx idx;
    assert_int_equal(decode(file, &idx, NULL), SNAP_OK);
    assert_int_equal(idx.ndim, 3);
    assert_int_equal(idx.dims[0], 3);
    assert_int_equal(idx.dims[1], 2);
    assert_int_equal(idx.dims[2], 5);
    assert_int_equal(idx.count, 30);
    assert_int_equal(idx.file_size, file->size);
    for (uint8_t i = 0; i < 30; i++)
        assert_int_equal(idx.elements[i], i);
    trn_idx_release(&idx);
}

static void expect_refused(const struct bytes *file, enum snap_status status, const char *why)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_idx idx = { .count = 77 };
    assert_int_equal(decode(file, &idx, &err), status);
    assert_non_null(strstr(err.text, why));
    assert_int_equal(idx.count, 77);
    assert_null(idx.elements);
}

static void plain_and_gzip(void **state)
{
    (void)state;
    struct bytes plain = plain_file();
    struct bytes zipped = gzip_of(&plain);
    struct bytes joined = { .size = 0 };
    add_gzip(&joined, plain.at, 9);
    add_gzip(&joined, plain.at + 9, plain.size - 9);
    expect_whole(&plain);
    expect_whole(&zipped);
    expect_whole(&joined);
}

static void cut_anywhere(void **state)
{
    (void)state;
    struct bytes plain = plain_file();
    struct bytes zipped = gzip_of(&plain);
    for (size_t size = 0; size < plain.size; size++) {
        struct bytes cut = plain;
        cut.size = size;
        expect_refused(&cut, SNAP_CORRUPT, "x: ");
    }
    for (size_t size = 0; size < zipped.size; size++) {
        struct bytes cut = zipped;
        cut.size = size;
        expect_refused(&cut, SNAP_CORRUPT, "x: ");
    }
}

static void bytes_left_over(void **state)
{
    (void)state;
    struct bytes plain = plain_file();
    plain.size++;
    expect_refused(&plain, SNAP_CORRUPT, "more than the 30 elements");
    struct bytes zipped = gzip_of(&plain);
    expect_refused(&zipped, SNAP_CORRUPT, "more than the 30 elements");
    plain.size--;
    zipped = gzip_of(&plain);
    zipped.at[zipped.size++] = 0; /* after the end of gzip */
    expect_refused(&zipped, SNAP_CORRUPT, "x: ");
}

static void headers_that_lie(void **state)
{
    (void)state;
    struct bytes file = plain_file();
    memset(file.at + 4, 0xff, 12); /* 2^96 elements */
    expect_refused(&file, SNAP_CORRUPT, "more than the file can hold");
    struct bytes zipped = gzip_of(&file);
    expect_refused(&zipped, SNAP_CORRUPT, "more than the file can hold");

    /* Two gigabytes can be announced by any gzip file of two megabytes, not by this one. */
    file = plain_file();
    memcpy(file.at + 4, "\x00\x00\x80\x00\x00\x00\x80\x00\x00\x00\x00\x02", 12);
    zipped = gzip_of(&file);
    expect_refused(&zipped, SNAP_CORRUPT, "more than the file can hold");

    file = plain_file();
    memset(file.at + 8, 0, 4);
    expect_refused(&file, SNAP_CORRUPT, "dimension 1 is 0");
    file = plain_file();
    file.at[3] = 0;
    expect_refused(&file, SNAP_CORRUPT, "not an IDX file");
    file.at[3] = 5;
    expect_refused(&file, SNAP_UNSUPPORTED, "5 dimensions");
    file = plain_file();
    file.at[2] = 0x0d;
    expect_refused(&file, SNAP_UNSUPPORTED, "type 0x0d");
    file.at[0] = 1;
    expect_refused(&file, SNAP_CORRUPT, "not an IDX file");
}

/* A changed byte of a gzip file is found, by its checksum if by nothing before, or changes nothing
 * (the first ten bytes have fields without a meaning, and so has the filling of the last bits). */
static void damaged_gzip(void **state)
{
    (void)state;
    struct bytes plain = plain_file();
    struct bytes zipped = gzip_of(&plain);
    size_t undamaged = 0;
    for (size_t i = 10; i < zipped.size; i++) {
        struct bytes damaged = zipped;
        struct trn_idx idx;
        damaged.at[i] ^= 0x10;
        enum snap_status status = decode(&damaged, &idx, NULL);
        if (status == SNAP_OK) {
            trn_idx_release(&idx);
            expect_whole(&damaged);
            undamaged++;
        } else {
            assert_true(status == SNAP_CORRUPT || status == SNAP_UNSUPPORTED);
        }
    }
    assert_true(undamaged <= 1);
}

static void files_that_are_none(void **state)
{
    (void)state;
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_idx idx;
    assert_int_equal(trn_idx_load("/nonexistent/images", &idx, &err), SNAP_IO);
    assert_non_null(strstr(err.text, "/nonexistent/images"));
    assert_int_equal(trn_idx_load("/", &idx, &err), SNAP_IO);
    assert_non_null(strstr(err.text, "not a file"));
    assert_int_equal(trn_idx_load("/dev/null", &idx, &err), SNAP_IO);
}

static void write_file(const char *path, const struct bytes *bytes)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes->at, 1, bytes->size, file), bytes->size);
    assert_int_equal(fclose(file), 0);
}

static void images_and_labels(void **state)
{
    (void)state;
    char folder[] = "/tmp/snap-test-idx.XXXXXX";
    char images[64];
    char labels[64];
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_dataset dataset;
    struct trn_image_shape shape = { 2, 5, 1, 10 };
    struct bytes three = { .at = { 0, 0, 8, 1, 0, 0, 0, 3, 9, 0, 4 }, .size = 11 };
    struct bytes two = { .at = { 0, 0, 8, 1, 0, 0, 0, 2, 9, 0 }, .size = 10 };
    struct bytes plain = plain_file();
    assert_non_null(mkdtemp(folder));
    snprintf(images, sizeof(images), "%s/images", folder);
    snprintf(labels, sizeof(labels), "%s/labels", folder);
    write_file(images, &plain);

    write_file(labels, &three);
    assert_int_equal(trn_dataset_load(images, labels, &shape, &dataset, &err), SNAP_OK);
    assert_int_equal(dataset.samples, 3);
    assert_int_equal(dataset.image_size, 10);
    assert_int_equal(dataset.labels[2], 4);
    assert_int_equal(dataset.images_file_size, plain.size);
    trn_dataset_release(&dataset);

    shape.classes = 9;
    assert_int_equal(trn_dataset_load(images, labels, &shape, &dataset, &err), SNAP_INVALID);
    assert_non_null(strstr(err.text, "label 0 is 9"));
    shape.classes = 10;
    shape.width = 4;
    assert_int_equal(trn_dataset_load(images, labels, &shape, &dataset, &err), SNAP_INVALID);
    assert_non_null(strstr(err.text, "training.data.shape"));
    shape.width = 5;
    write_file(labels, &two);
    assert_int_equal(trn_dataset_load(images, labels, &shape, &dataset, &err), SNAP_INVALID);
    assert_non_null(strstr(err.text, "2 labels for 3 images"));
    write_file(labels, &plain);
    assert_int_equal(trn_dataset_load(images, labels, &shape, &dataset, &err), SNAP_INVALID);
    assert_non_null(strstr(err.text, "labels have one"));

    unlink(images);
    unlink(labels);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_gzip),      cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(bytes_left_over),     cmocka_unit_test(headers_that_lie),
        cmocka_unit_test(damaged_gzip),        cmocka_unit_test(files_that_are_none),
        cmocka_unit_test(images_and_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
