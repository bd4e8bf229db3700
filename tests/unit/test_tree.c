/* SPDX-License-Identifier: Apache-2.0 */
/* The tree: dtypes, nodes, and their JSON. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/json_canonical.h"
#include "format/limits.h"
#include "format/tree_codec.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

static void test_dtypes(void **state)
{
    (void)state;
    static const struct {
        enum snap_dtype dtype;
        const char *name;
        size_t size_bytes;
    } all[] = {
        { SNAP_BOOL, "bool", 1 },
        { SNAP_U8, "u8", 1 },
        { SNAP_I8, "i8", 1 },
        { SNAP_U16, "u16", 2 },
        { SNAP_I16, "i16", 2 },
        { SNAP_U32, "u32", 4 },
        { SNAP_I32, "i32", 4 },
        { SNAP_U64, "u64", 8 },
        { SNAP_I64, "i64", 8 },
        { SNAP_F16, "f16", 2 },
        { SNAP_BF16, "bf16", 2 },
        { SNAP_F32, "f32", 4 },
        { SNAP_F64, "f64", 8 },
        { SNAP_F8_E4M3FN, "f8_e4m3fn", 1 },
        { SNAP_F8_E5M2, "f8_e5m2", 1 },
        { SNAP_F8_E4M3FNUZ, "f8_e4m3fnuz", 1 },
        { SNAP_F8_E5M2FNUZ, "f8_e5m2fnuz", 1 },
        { SNAP_F8_E8M0FNU, "f8_e8m0fnu", 1 },
        { SNAP_C32, "c32", 4 },
        { SNAP_C64, "c64", 8 },
        { SNAP_C128, "c128", 16 },
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        enum snap_dtype dtype = (enum snap_dtype)0;
        assert_int_equal(all[i].dtype, i + 1); /* numbers are never used again */
        assert_string_equal(snap_dtype_name(all[i].dtype), all[i].name);
        assert_int_equal(snap_dtype_size_bytes(all[i].dtype), all[i].size_bytes);
        assert_true(snap_dtype_from_name(all[i].name, &dtype));
        assert_int_equal(dtype, all[i].dtype);
    }
    enum snap_dtype dtype;
    assert_null(snap_dtype_name((enum snap_dtype)0));
    assert_null(snap_dtype_name((enum snap_dtype)22));
    assert_int_equal(snap_dtype_size_bytes((enum snap_dtype)1000000), 0);
    assert_false(snap_dtype_from_name("float32", &dtype));
    assert_false(snap_dtype_from_name("", &dtype));
}

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A tree with everything in it. */
static struct snap_node *make_tree(void)
{
    struct snap_tensor_view view = SNAP_TENSOR_VIEW_INIT;
    struct snap_node *root = snap_node_new_map();
    struct snap_node *list = snap_node_new_list();
    CHECK_OK(snap_node_append(list, snap_node_new_null(), &err));
    CHECK_OK(snap_node_append(list, snap_node_new_bool(true), &err));
    CHECK_OK(snap_node_append(list, snap_node_new_int(-5), &err));
    CHECK_OK(snap_node_append(list, snap_node_new_int(INT64_MIN), &err));
    CHECK_OK(snap_node_append(list, snap_node_new_uint(UINT64_MAX), &err));
    CHECK_OK(snap_node_append(list, snap_node_new_float(-0.0), &err));
    CHECK_OK(snap_node_append(list, snap_node_new_float(from_bits(0x7FF4000000000001u)), &err));
    CHECK_OK(snap_node_append(list, snap_node_new_string("\xC3\xA9"), &err));
    CHECK_OK(snap_node_append(list, snap_node_new_bytes("\x00\xFF", 2), &err));
    CHECK_OK(snap_node_append(list, snap_node_new_bytes(NULL, 0), &err));
    CHECK_OK(snap_node_set(root, "z", list, &err));
    CHECK_OK(snap_node_set_int_key(root, 5, snap_node_new_map(), &err));
    CHECK_OK(snap_node_set(root, "5", snap_node_new_list(), &err));
    view.dtype = SNAP_BF16;
    view.ndim = 2;
    view.shape[0] = 3;
    view.shape[1] = 4;
    view.strides[0] = 1;
    view.strides[1] = 3;
    view.offset = 2;
    view.storage = 7;
    view.requires_grad = true;
    view.on_device = true;
    CHECK_OK(snap_node_set(root, "a", snap_node_new_tensor(&view), &err));
    view.is_piece = true;
    view.on_device = false;
    view.global_shape[0] = 6;
    view.global_shape[1] = 4;
    view.global_offset[0] = 3;
    CHECK_OK(snap_node_set(root, "piece", snap_node_new_tensor(&view), &err));
    return root;
}

#define TREE                                                                                      \
    "{\"map\":[[\"z\",{\"list\":[{\"null\":null},{\"bool\":true},{\"int\":-5},"                   \
    "{\"int\":\"-9223372036854775808\"},{\"int\":\"18446744073709551615\"},"                      \
    "{\"float\":\"8000000000000000\"},{\"float\":\"7ff4000000000001\"},"                          \
    "{\"string\":\"\xC3\xA9\"},{\"bytes\":\"00ff\"},{\"bytes\":\"\"}]}],[5,{\"map\":[]}],"        \
    "[\"5\",{\"list\":[]}],[\"a\",{\"tensor\":{\"device\":\"cuda\",\"dtype\":\"bf16\","           \
    "\"offset\":2,\"requires_grad\":true,\"shape\":[3,4],\"storage\":7,\"strides\":[1,3]}}],"     \
    "[\"piece\",{\"tensor\":{\"device\":\"cpu\",\"dtype\":\"bf16\",\"global_offset\":[3,0],"      \
    "\"global_shape\":[6,4],\"offset\":2,\"requires_grad\":true,\"shape\":[3,4],"                 \
    "\"storage\":7,\"strides\":[1,3]}}]]}\n"

static void check_encodes(const struct snap_node *node, const char *expected)
{
    json_t *value = NULL;
    struct snap_buffer out = SNAP_BUFFER_INIT;
    CHECK_OK(snap_node_encode(node, &value, &err));
    CHECK_OK(snap_json_encode(value, &out, &err));
    assert_string_equal((char *)out.data, expected);
    json_decref(value);
    snap_buffer_release(&out);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct snap_node *built = make_tree();
    struct snap_node *read = NULL;
    json_t *value = NULL;
    check_encodes(built, TREE);
    CHECK_OK(snap_json_decode(TREE, strlen(TREE), "tree", &value, &err));
    CHECK_OK(snap_node_decode(value, "tree", &read, &err));
    check_encodes(read, TREE);
    snap_node_free(built);
    snap_node_free(read);
    json_decref(value);
}

static void test_reading(void **state)
{
    (void)state;
    struct snap_node *root = make_tree();
    const struct snap_node *list = snap_node_get(root, "z");
    bool flag = false;
    int64_t sign = 0;
    uint64_t number = 0;
    double real = 1;
    size_t size = 0;
    assert_int_equal(snap_node_type(root), SNAP_NODE_MAP);
    assert_int_equal(snap_node_count(root), 5);
    assert_int_equal(snap_node_count(list), 10);
    assert_int_equal(snap_node_type(snap_node_at(list, 0)), SNAP_NODE_NULL);
    assert_true(snap_node_bool(snap_node_at(list, 1), &flag) && flag);
    assert_true(snap_node_int(snap_node_at(list, 2), &sign) && sign == -5);
    assert_false(snap_node_uint(snap_node_at(list, 2), &number));
    assert_true(snap_node_int(snap_node_at(list, 3), &sign) && sign == INT64_MIN);
    assert_true(snap_node_uint(snap_node_at(list, 4), &number) && number == UINT64_MAX);
    assert_false(snap_node_int(snap_node_at(list, 4), &sign));
    assert_true(snap_node_float(snap_node_at(list, 5), &real) && real == 0 && signbit(real));
    assert_string_equal(snap_node_string(snap_node_at(list, 7)), "\xC3\xA9");
    assert_memory_equal(snap_node_bytes(snap_node_at(list, 8), &size), "\x00\xFF", 2);
    assert_int_equal(size, 2);
    assert_non_null(snap_node_bytes(snap_node_at(list, 9), &size));
    assert_int_equal(size, 0);
    assert_null(snap_node_at(list, 10));
    assert_string_equal(snap_node_key_at(root, 0, &sign), "z");
    assert_null(snap_node_key_at(root, 1, &sign));
    assert_int_equal(sign, 5);
    assert_string_equal(snap_node_key_at(root, 2, &sign), "5");
    assert_null(snap_node_key_at(list, 0, &sign));
    assert_int_equal(snap_node_type(snap_node_get(root, "5")), SNAP_NODE_LIST);
    assert_null(snap_node_get(root, "y"));
    assert_null(snap_node_get(list, "z"));
    assert_int_equal(snap_node_tensor(snap_node_get(root, "a"))->storage, 7);
    /* Of another type: false, 0, NULL. */
    assert_false(snap_node_bool(list, &flag) || snap_node_int(list, &sign) ||
                 snap_node_uint(list, &number) || snap_node_float(list, &real));
    assert_null(snap_node_string(list));
    assert_null(snap_node_bytes(list, &size));
    assert_null(snap_node_tensor(list));
    assert_int_equal(snap_node_count(snap_node_get(root, "a")), 0);
    snap_node_free(root);
    snap_node_free(NULL);
}

static void test_wrong_calls(void **state)
{
    (void)state;
    struct snap_node *map = snap_node_new_map();
    struct snap_node *list = snap_node_new_list();
    CHECK_OK(snap_node_set(map, "a", snap_node_new_null(), &err));
    CHECK_FAILS(SNAP_INVALID, "\"a\" is there twice",
                snap_node_set(map, "a", snap_node_new_null(), &err));
    CHECK_OK(snap_node_set_int_key(map, -1, snap_node_new_null(), &err));
    CHECK_FAILS(SNAP_INVALID, "\"-1\" is there twice",
                snap_node_set_int_key(map, -1, snap_node_new_null(), &err));
    CHECK_FAILS(SNAP_INVALID, "2^53",
                snap_node_set_int_key(map, SNAP_MAX_JSON_INTEGER + 1, snap_node_new_null(), &err));
    CHECK_FAILS(SNAP_INVALID, "no list", snap_node_append(map, snap_node_new_null(), &err));
    CHECK_FAILS(SNAP_INVALID, "no map", snap_node_set(list, "a", snap_node_new_null(), &err));
    CHECK_FAILS(SNAP_INVALID, "no map",
                snap_node_set_int_key(list, 1, snap_node_new_null(), &err));
    CHECK_FAILS(SNAP_NO_MEMORY, "NULL", snap_node_append(list, NULL, &err));
    CHECK_FAILS(SNAP_NO_MEMORY, "NULL", snap_node_set(map, "b", NULL, &err));
    assert_int_equal(snap_node_count(map), 2);
    assert_int_equal(snap_node_count(list), 0);
    assert_null(snap_node_new_string(NULL));
    snap_node_free(map);
    snap_node_free(list);
}

static void test_encode_refuses(void **state)
{
    (void)state;
    json_t *value = NULL;
    struct snap_tensor_view view = SNAP_TENSOR_VIEW_INIT;
    struct snap_node *node = snap_node_new_string("\xFF");
    CHECK_FAILS(SNAP_INVALID, "UTF-8", snap_node_encode(node, &value, &err));
    snap_node_free(node);
    node = snap_node_new_map();
    CHECK_OK(snap_node_set(node, "\xC0\x80", snap_node_new_null(), &err));
    CHECK_FAILS(SNAP_INVALID, "UTF-8", snap_node_encode(node, &value, &err));
    snap_node_free(node);
    node = snap_node_new_tensor(&view);
    CHECK_FAILS(SNAP_INVALID, "dtype", snap_node_encode(node, &value, &err));
    snap_node_free(node);
    view.dtype = SNAP_F32;
    view.ndim = SNAP_MAX_DIMS + 1;
    node = snap_node_new_tensor(&view);
    CHECK_FAILS(SNAP_INVALID, "dimensions", snap_node_encode(node, &value, &err));
    snap_node_free(node);
    node = snap_node_new_list();
    for (int i = 0; i < SNAP_MAX_JSON_DEPTH; i++) {
        struct snap_node *outer = snap_node_new_list();
        CHECK_OK(snap_node_append(outer, node, &err));
        node = outer;
    }
    CHECK_FAILS(SNAP_INVALID, "deep", snap_node_encode(node, &value, &err));
    snap_node_free(node);
    assert_null(value);
}

static void test_decode_refuses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "null",
        "[]",
        "{}",
        "{\"null\":null,\"bool\":true}",
        "{\"null\":0}",
        "{\"bool\":1}",
        "{\"bool\":\"true\"}",
        "{\"int\":\"5\"}",
        "{\"int\":\"9007199254740992\"}",
        "{\"int\":\"-9007199254740992\"}",
        "{\"int\":\"09007199254740993\"}",
        "{\"int\":\"--9007199254740993\"}",
        "{\"int\":\"+9007199254740993\"}",
        "{\"int\":\"9007199254740993 \"}",
        "{\"int\":null}",
        "{\"float\":\"3ff000000000000\"}",
        "{\"float\":\"3FF0000000000000\"}",
        "{\"float\":0}",
        "{\"string\":5}",
        "{\"bytes\":\"0\"}",
        "{\"bytes\":\"0G\"}",
        "{\"bytes\":\"AB\"}",
        "{\"bytes\":null}",
        "{\"list\":{}}",
        "{\"list\":[5]}",
        "{\"map\":{}}",
        "{\"map\":[[]]}",
        "{\"map\":[[\"a\"]]}",
        "{\"map\":[[\"a\",{\"null\":null},1]]}",
        "{\"map\":[[null,{\"null\":null}]]}",
        "{\"map\":[[\"a\",{\"null\":null}],[\"a\",{\"null\":null}]]}",
        "{\"map\":[[1,{\"null\":null}],[1,{\"null\":null}]]}",
        "{\"map\":[\"a\",{\"null\":null}]}",
        "{\"dict\":[]}",
        "{\"tensor\":[]}",
        "{\"tensor\":{}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *value = json_loads(wrong[i], JSON_DECODE_ANY, NULL);
        struct snap_node *node = NULL;
        assert_non_null(value);
        CHECK_FAILS(SNAP_CORRUPT, "tree", snap_node_decode(value, "tree", &node, &err));
        assert_null(node);
        json_decref(value);
    }
    /* One field of a tensor wrong at a time. */
    static const char *const fields[][2] = {
        { "device", "\"tpu\"" },
        { "device", "0" },
        { "dtype", "\"float\"" },
        { "dtype", "null" },
        { "offset", "-1" },
        { "offset", "\"5\"" },
        { "requires_grad", "0" },
        { "shape", "[3]" },
        { "shape", "{}" },
        { "shape", "[-1,4]" },
        { "shape", "[\"3\",4]" },
        { "shape", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]" },
        { "strides", "[1,1,1]" },
        { "strides", "[-1,1]" },
        { "storage", "-1" },
        { "storage", "1000000" },
        { "storage", "\"18446744073709551615\"" },
        { "global_shape", "[3,4]" },
        { "global_offset", "[0,0]" },
        { "pinned", "true" },
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        json_t *view = json_pack("{sssssisbs[ii]sis[ii]}", "device", "cpu", "dtype", "f32",
                                 "offset", 0, "requires_grad", 0, "shape", 3, 4, "storage", 0,
                                 "strides", 4, 1);
        json_t *value = json_pack("{so}", "tensor", view);
        struct snap_node *node = NULL;
        CHECK_OK(snap_node_decode(value, "tree", &node, &err));
        snap_node_free(node);
        node = NULL;
        json_object_set_new(view, fields[i][0], json_loads(fields[i][1], JSON_DECODE_ANY, NULL));
        CHECK_FAILS(SNAP_CORRUPT, "tree", snap_node_decode(value, "tree", &node, &err));
        assert_null(node);
        json_decref(value);
    }
}

static void test_large_integers(void **state)
{
    (void)state;
    static const char *const kept[] = { "9007199254740993", "-9007199254740993",
                                        "9223372036854775807", "9223372036854775808",
                                        "-9223372036854775809", "18446744073709551615",
                                        "18446744073709551616",
                                        "123456789012345678901234567890" };
    char text[SNAP_MAX_INTEGER_DIGITS + 20];
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        json_t *value = json_pack("{ss}", "int", kept[i]);
        struct snap_node *node = NULL;
        int64_t sign;
        uint64_t number;
        CHECK_OK(snap_node_decode(value, "tree", &node, &err));
        snprintf(text, sizeof text, "{\"int\":\"%s\"}\n", kept[i]);
        check_encodes(node, text);
        bool fits = snap_node_int(node, &sign) || snap_node_uint(node, &number);
        assert_int_equal(fits, i < 4 || i == 5);
        if (fits)
            assert_null(snap_node_string(node));
        else
            assert_string_equal(snap_node_string(node), kept[i]);
        snap_node_free(node);
        json_decref(value);
    }
    memset(text, '9', SNAP_MAX_INTEGER_DIGITS + 1);
    for (int digits = SNAP_MAX_INTEGER_DIGITS; digits <= SNAP_MAX_INTEGER_DIGITS + 1; digits++) {
        json_t *value = json_pack("{ss#}", "int", text, digits);
        struct snap_node *node = NULL;
        enum snap_status status = snap_node_decode(value, "tree", &node, &err);
        assert_int_equal(status, digits <= SNAP_MAX_INTEGER_DIGITS ? SNAP_OK : SNAP_CORRUPT);
        snap_node_free(node);
        json_decref(value);
    }
}

/* A map of many keys is built, read and looked up in. */
static void test_many_keys(void **state)
{
    (void)state;
    struct snap_node *map = snap_node_new_map();
    char key[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof key, "layer.%d", i);
        CHECK_OK(snap_node_set(map, key, snap_node_new_int(i), &err));
    }
    int64_t value = -1;
    assert_true(snap_node_int(snap_node_get(map, "layer.19999"), &value) && value == 19999);
    snap_node_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dtypes),         cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_reading),        cmocka_unit_test(test_wrong_calls),
        cmocka_unit_test(test_encode_refuses), cmocka_unit_test(test_decode_refuses),
        cmocka_unit_test(test_large_integers), cmocka_unit_test(test_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
