/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two archives and two ledgers, and between tensors. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "diff/tensor_compare.h"
#include "format/json_canonical.h"
#include "run/inventory.h"
#include "toy_run.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* Train in a new folder to `steps` and save there, after `change` was made. */
static char *make_run(uint64_t steps, void (*change)(struct toy *toy))
{
    char *dir = toy_folder();
    struct toy toy;
    struct snap_run *run;
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, dir, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, steps, &err));
    if (change != NULL)
        change(&toy);
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    return dir;
}

static void drop(char *dir)
{
    toy_remove(dir);
    free(dir);
}

/* Entry `index` must be of that kind and name, with that text. */
static void check_entry(const struct snap_diff *diff, size_t index, const char *kind,
                        const char *name, const char *text)
{
    const struct snap_diff_entry *entry = snap_diff_at(diff, index);
    assert_non_null(entry);
    assert_string_equal(entry->kind, kind);
    assert_string_equal(entry->name, name);
    if (strstr(entry->text, text) == NULL) {
        print_error("\"%s\" is not in: %s\n", text, entry->text);
        fail();
    }
}

static void check_json(const struct snap_diff *diff)
{
    json_t *document;
    const char *json = snap_diff_json(diff);
    CHECK_OK(snap_json_decode(json, strlen(json), "diff", &document, &err));
    assert_int_equal(json_array_size(json_object_get(document, "differences")),
                     snap_diff_count(diff));
    assert_int_equal(json_is_true(json_object_get(document, "equal")), snap_diff_count(diff) == 0);
    json_decref(document);
}

static void test_equal(void **state)
{
    (void)state;
    char *left = make_run(3, NULL);
    char *right = make_run(3, NULL);
    struct snap_diff *diff = NULL;
    CHECK_OK(snap_diff_archives(toy_snapshot(left, 3), toy_snapshot(right, 3), &diff, &err));
    assert_int_equal(snap_diff_count(diff), 0);
    assert_string_equal(snap_diff_text(diff), "the states are equal\n");
    assert_null(snap_diff_at(diff, 0));
    check_json(diff);
    snap_diff_free(diff);
    diff = NULL;
    CHECK_FAILS(SNAP_IO, NULL,
                snap_diff_archives(toy_snapshot(left, 3), toy_path(left, "none"), &diff, &err));
    assert_null(diff);
    drop(left);
    drop(right);
}

static void change_weight(struct toy *toy)
{
    toy->weight[4] = nextafterf(nextafterf(toy->weight[4], 100), 100);
    toy->weight[5] = nextafterf(toy->weight[5], 100);
}

static void test_tensor(void **state)
{
    (void)state;
    char *left = make_run(3, NULL);
    char *right = make_run(3, change_weight);
    struct snap_diff *diff = NULL;
    CHECK_FAILS(SNAP_DIFFERS, "2 differences; the first: model/weight",
                snap_diff_archives(toy_snapshot(left, 3), toy_snapshot(right, 3), &diff, &err));
    assert_int_equal(snap_diff_count(diff), 2);
    check_entry(diff, 0, "tensor", "model/weight",
                "model/weight: 2 of 6 elements differ, at most 2 ulp apart; the first is [1, 1]: ");
    /* The same memory, seen through its transpose. */
    check_entry(diff, 1, "tensor", "model/head",
                "2 of 6 elements differ, at most 2 ulp apart; the "
                "first is [1, 1]: ");
    check_json(diff);
    assert_non_null(strstr(snap_diff_json(diff), "\"max_ulp\":2,\"nan_pairs\":0"));
    snap_diff_free(diff);
    drop(left);
    drop(right);
}

/* The same bytes, seen by other strides, are other elements. */
static void test_views(void **state)
{
    (void)state;
    static const uint64_t square[] = { 2, 2 };
    static const uint64_t columns[] = { 1, 2 };
    char *dirs[2] = { toy_folder(), toy_folder() };
    float memory[4] = { 1, 2, 3, 4 };
    struct snap_diff *diff = NULL;
    for (int i = 0; i < 2; i++) {
        struct snap_run_options options = SNAP_RUN_OPTIONS_INIT;
        struct snap_run_tensor tensor = SNAP_RUN_TENSOR_INIT;
        struct snap_run *run;
        options.dir = dirs[i];
        options.no_read_back = true;
        tensor.root = "model";
        tensor.name = "w";
        tensor.data = memory;
        tensor.dtype = SNAP_F32;
        tensor.ndim = 2;
        tensor.shape = square;
        tensor.strides = i == 0 ? NULL : columns;
        CHECK_OK(snap_run_open(&options, &run, &err));
        CHECK_OK(snap_run_add_tensor(run, &tensor, &err));
        CHECK_OK(toy_save(run, NULL, &err));
        CHECK_OK(snap_run_close(run, &err));
    }
    CHECK_FAILS(
        SNAP_DIFFERS, "2 of 4 elements differ",
        snap_diff_archives(toy_snapshot(dirs[0], 0), toy_snapshot(dirs[1], 0), &diff, &err));
    check_entry(diff, 0, "tensor", "model/w", "the first is [0, 1]: 40000000 and 40400000");
    snap_diff_free(diff);
    drop(dirs[0]);
    drop(dirs[1]);
}

static void change_rest(struct toy *toy)
{
    double real;
    toy->seen = -5;
    toy->cache[1] ^= 1;
    toy->half[2] ^= 0x8000;
    toy->stats[1] = 77; /* between the elements of a strided tensor: no part of it */
    toy->note[0] = 'A'; /* not in the state */
    CHECK_OK(snap_python_random(toy->python, &real, &err));
    CHECK_OK(snap_stream_seed(toy->host, 7, &err));
    toy->xorshift ^= 1;
}

static void test_everything(void **state)
{
    (void)state;
    char *left = make_run(3, NULL);
    char *right = make_run(3, change_rest);
    struct snap_diff *diff = NULL;
    CHECK_FAILS(SNAP_DIFFERS, "6 differences",
                snap_diff_archives(toy_snapshot(left, 3), toy_snapshot(right, 3), &diff, &err));
    check_entry(diff, 0, "stream", "host", "no number of draws");
    check_entry(diff, 1, "stream", "python", "the right one is 2 draws of 32 bits ahead");
    check_entry(diff, 2, "stream", "shard-000/own", "another state");
    check_entry(diff, 3, "tensor", "optimizer/half", "1 of 4 elements differ");
    check_entry(diff, 4, "value", "scheduler/seen", "{\"int\":12} and {\"int\":-5}");
    check_entry(diff, 5, "extra", "extra/cache", "other bytes (5 and 5)");
    check_json(diff);
    snap_diff_free(diff);
    CHECK_FAILS(SNAP_DIFFERS, NULL,
                snap_diff_archives(toy_snapshot(right, 3), toy_snapshot(left, 3), &diff, &err));
    check_entry(diff, 1, "stream", "python", "the right one is 2 draws of 32 bits behind");
    snap_diff_free(diff);
    drop(left);
    drop(right);
}

/* Other steps, other config. */
static void test_config_and_data(void **state)
{
    (void)state;
    char *left = make_run(3, NULL);
    char *right = toy_folder();
    struct toy toy;
    struct snap_run *run;
    struct snap_diff *diff = NULL;
    toy_init(&toy);
    toy.profile = "host-1";
    toy.binding = "{\"cpu\":{\"avx\":2}}";
    toy.training = "{\"ledger\":{\"state_every\":1},\"lr\":\"0.1\",\"more\":[1,2]}";
    toy.skip_registers = true;
    CHECK_OK(toy_open(&toy, right, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 5, &err));
    CHECK_OK(toy_save(run, NULL, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    CHECK_FAILS(SNAP_DIFFERS, NULL,
                snap_diff_archives(toy_snapshot(left, 3), toy_snapshot(right, 5), &diff, &err));
    check_entry(diff, 0, "profile", "profile", "portable-1 and host-1");
    check_entry(diff, 1, "profile", "binding.cpu", "absent and {\"avx\":2}");
    check_entry(diff, 2, "config", "training.lr", "0.05 and 0.1");
    check_entry(diff, 3, "config", "training.seed", "42 and absent");
    check_entry(diff, 4, "config", "training.more", "absent and [1,2]");
    check_entry(diff, 5, "data", "epoch", "epoch: 0 and 1");
    check_entry(diff, 6, "data", "position", "position: 12 and 8");
    check_entry(diff, 7, "data", "order", "order: of 12 and 12 samples, another one");
    bool found = false;
    for (size_t i = 0; i < snap_diff_count(diff); i++)
        found = found ||
                strcmp(snap_diff_at(diff, i)->text, "optimizer/momentum: on the left alone") == 0;
    assert_true(found);
    check_json(diff);
    snap_diff_free(diff);
    drop(left);
    drop(right);
}

static void test_ledgers(void **state)
{
    (void)state;
    char *left = make_run(3, NULL);
    char *right = make_run(5, NULL);
    char *bent = toy_folder();
    struct toy toy;
    struct snap_run *run;
    struct snap_diff *diff = NULL;
    CHECK_OK(snap_diff_ledgers(left, toy_path(right, "ledger.jsonl"), &diff, &err));
    assert_string_equal(snap_diff_text(diff),
                        "the ledgers are equal over 3 steps (the left one ends "
                        "at step 3, the right one at step 5)\n");
    check_json(diff);
    snap_diff_free(diff);
    toy_init(&toy);
    CHECK_OK(toy_open(&toy, bent, NULL, &run, &err));
    CHECK_OK(toy_train(&toy, run, 2, &err));
    toy.bend = 1;
    CHECK_OK(toy_train(&toy, run, 4, &err));
    CHECK_OK(snap_run_close(run, &err));
    toy_release(&toy);
    CHECK_FAILS(SNAP_DIFFERS, "step 3: loss", snap_diff_ledgers(right, bent, &diff, &err));
    assert_int_equal(snap_diff_count(diff), 1);
    check_entry(diff, 0, "ledger", "step 3", "step 3: loss: float.scalars.loss: ");
    check_json(diff);
    snap_diff_free(diff);
    diff = NULL;
    CHECK_FAILS(SNAP_NOT_FOUND, NULL, snap_diff_ledgers(left, toy_path(left, "none"), &diff, &err));
    assert_null(diff);
    drop(left);
    drop(right);
    drop(bent);
}

/* ---- elements ---- */

static void check_ulp(enum snap_dtype dtype, const void *left, const void *right, uint64_t ulp)
{
    struct snap_tensor_difference found;
    snap_tensor_compare(dtype, 1, left, right, &found);
    assert_int_equal(found.differing, 1);
    assert_true(found.has_ulp);
    assert_int_equal(found.nan_pairs, 0);
    assert_int_equal(found.max_ulp, ulp);
}

static void test_ulp(void **state)
{
    (void)state;
    static const float f[] = { 1.0f,   1.00000012f, 0.0f,     -0.0f,
                               1e-45f, -1e-45f,     INFINITY, 3.40282347e38f };
    static const double d[] = { 1.0, 1.0000000000000002, -INFINITY, INFINITY };
    static const uint16_t half[] = { 0x3c00, 0x3c01, 0x7c00, 0xfc00, 0x7c01 };
    struct snap_tensor_difference found;
    check_ulp(SNAP_F32, &f[0], &f[1], 1);
    check_ulp(SNAP_F32, &f[2], &f[3], 0);
    check_ulp(SNAP_F32, &f[4], &f[5], 2);
    check_ulp(SNAP_F32, &f[6], &f[7], 1);
    check_ulp(SNAP_F64, &d[1], &d[0], 1);
    check_ulp(SNAP_F64, &d[2], &d[3], 2 * 0x7ff0000000000000u);
    check_ulp(SNAP_F16, &half[0], &half[1], 1);
    check_ulp(SNAP_BF16, &half[0], &half[1], 1);
    check_ulp(SNAP_F16, &half[2], &half[3], 2 * 0x7c00);
    snap_tensor_compare(SNAP_F16, 1, (const void *)&half[0], (const void *)&half[4], &found);
    assert_int_equal(found.nan_pairs, 1);
    assert_int_equal(found.max_ulp, 0);
    assert_string_equal(found.left, "3c00");
    assert_string_equal(found.right, "7c01");
    snap_tensor_compare(SNAP_I64, 1, (const void *)&d[0], (const void *)&d[1], &found);
    assert_false(found.has_ulp);
    assert_string_equal(found.right, "3ff0000000000001");
    /* The first of several, and equal NaNs. */
    static const float a[] = { 1, NAN, 3, 4 };
    static const float b[] = { 1, NAN, 2, 5 };
    snap_tensor_compare(SNAP_F32, 4, (const void *)a, (const void *)b, &found);
    assert_int_equal(found.differing, 2);
    assert_int_equal(found.first, 2);
}

static void check_apart(enum snap_dtype dtype, const void *left, const void *right,
                        uint64_t difference)
{
    struct snap_tensor_difference found;
    snap_tensor_compare(dtype, 1, left, right, &found);
    assert_int_equal(found.differing, 1);
    assert_true(found.has_difference && !found.has_ulp);
    assert_int_equal(found.max_difference, difference);
}

static void test_integers(void **state)
{
    (void)state;
    static const int8_t i8[] = { -128, 127 };
    static const int16_t i16[] = { -1, 1 };
    static const int32_t i32[] = { 5, 3 };
    static const int64_t i64[] = { INT64_MIN, INT64_MAX };
    static const uint8_t u8[] = { 255, 1, 7 };
    static const uint64_t u64[] = { 0, UINT64_MAX };
    struct snap_tensor_difference found;
    check_apart(SNAP_I8, &i8[0], &i8[1], 255);
    check_apart(SNAP_I8, &i8[1], &i8[0], 255);
    check_apart(SNAP_I16, &i16[0], &i16[1], 2);
    check_apart(SNAP_I32, &i32[0], &i32[1], 2);
    check_apart(SNAP_I64, &i64[0], &i64[1], UINT64_MAX);
    check_apart(SNAP_U8, &u8[0], &u8[1], 254);
    check_apart(SNAP_U64, &u64[1], &u64[0], UINT64_MAX);
    /* The largest of several. */
    snap_tensor_compare(SNAP_U8, 2, u8, u8 + 1, &found);
    assert_int_equal(found.differing, 2);
    assert_int_equal(found.max_difference, 254);
    snap_tensor_compare(SNAP_BOOL, 1, u8 + 1, u8 + 2, &found);
    assert_int_equal(found.differing, 1);
    assert_false(found.has_difference);
}

static void test_index(void **state)
{
    (void)state;
    static const uint64_t shape[] = { 2, 3, 4 };
    char text[40];
    snap_tensor_index_text(23, 3, shape, text, sizeof text);
    assert_string_equal(text, "[1, 2, 3]");
    snap_tensor_index_text(4, 3, shape, text, sizeof text);
    assert_string_equal(text, "[0, 1, 0]");
    snap_tensor_index_text(0, 0, NULL, text, sizeof text);
    assert_string_equal(text, "[]");
    snap_tensor_index_text(23, 3, shape, text, 6); /* cut, and terminated */
    assert_string_equal(text, "[1, 2");
}

/* Elements in C order, from any strides and back. */
static void test_strided_copy(void **state)
{
    (void)state;
    static const uint64_t shape[] = { 2, 3, 2 };
    static const uint64_t strides[] = { 1, 4, 14 };
    static const uint64_t empty[] = { 2, 0, 2 };
    uint16_t memory[32];
    uint16_t back[32];
    uint16_t packed[12];
    uint64_t c_order[3];
    for (uint16_t i = 0; i < 32; i++)
        memory[i] = i;
    snap_gather((unsigned char *)packed, (unsigned char *)memory, 2, 3, shape, strides);
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(packed[i], i / 6 * 1 + i / 2 % 3 * 4 + i % 2 * 14);
    memset(back, 0xff, sizeof back);
    snap_scatter((unsigned char *)back, (unsigned char *)packed, 2, 3, shape, strides);
    for (unsigned i = 0; i < 32; i++) {
        bool used = false;
        for (unsigned k = 0; k < 12; k++)
            used = used || packed[k] == i;
        assert_int_equal(back[i], used ? i : 0xffff);
    }
    snap_c_order(3, shape, c_order);
    assert_true(c_order[0] == 6 && c_order[1] == 2 && c_order[2] == 1);
    snap_c_order(3, empty, c_order);
    assert_true(c_order[0] == 2 && c_order[1] == 2 && c_order[2] == 1);
    snap_gather((unsigned char *)packed, NULL, 2, 3, empty, c_order);
    snap_gather((unsigned char *)packed, (unsigned char *)&memory[5], 2, 0, NULL, NULL);
    assert_int_equal(packed[0], 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_tensor),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_config_and_data),
        cmocka_unit_test(test_ledgers),
        cmocka_unit_test(test_ulp),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_strided_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
