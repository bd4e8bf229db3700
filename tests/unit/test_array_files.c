/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of .npy and safetensors files: what is read, and what is refused. */
#include "config.h"

#include <stdlib.h>

#include "core/bytes.h"
#include "foreign/foreign_limits.h"
#include "foreign/npy.h"
#include "foreign/safetensors.h"
#include "unit_check.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* ---- npy ---- */

/* A file of `version` with a dict and `bytes` bytes of elements. */
static enum snap_status read_npy(unsigned version, const char *dict, size_t bytes,
                                 struct snap_foreign_tensor *tensor, uint64_t *offset)
{
    struct snap_buffer file = SNAP_BUFFER_INIT;
    unsigned char head[12] = SNAP_NPY_MAGIC;
    size_t length = strlen(dict);
    head[6] = (unsigned char)version;
    snap_put_u32(head + 8, (uint32_t)length);
    CHECK_OK(snap_buffer_append(&file, head, version == 1 ? 10 : 12, &err));
    CHECK_OK(snap_buffer_append_text(&file, dict, &err));
    for (size_t i = 0; i < bytes; i++)
        CHECK_OK(snap_buffer_append_text(&file, "x", &err));
    err = (struct snap_error)SNAP_ERROR_INIT;
    enum snap_status status =
        snap_npy_read_header(file.data, file.size, file.size, "FILE", tensor, offset, &err);
    snap_buffer_release(&file);
    return status;
}

static void npy_headers(void **state)
{
    struct snap_foreign_tensor tensor;
    uint64_t offset = 0;
    (void)state;
    assert_int_equal(read_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
                              24, &tensor, &offset),
                     SNAP_OK);
    assert_int_equal(tensor.dtype, SNAP_F32);
    assert_int_equal(tensor.ndim, 2);
    assert_int_equal(tensor.strides[0], 3);
    assert_int_equal(offset, 10 + 60);
    assert_int_equal(read_npy(2, "{\"shape\":(2,3),\"fortran_order\":True,\"descr\":'>i2'}", 12,
                              &tensor, &offset),
                     SNAP_OK);
    assert_true(tensor.big_endian);
    assert_int_equal(tensor.strides[0], 1);
    assert_int_equal(tensor.strides[1], 2);
    assert_int_equal(
        read_npy(3, "{'descr':'|u1','fortran_order':False,'shape':()}", 1, &tensor, &offset),
        SNAP_OK);
    assert_int_equal(tensor.ndim, 0);
    assert_int_equal(
        read_npy(1, "{'descr':'<f8','fortran_order':False,'shape':(5L,)}", 40, &tensor, &offset),
        SNAP_OK);
    assert_int_equal(
        read_npy(1, "{'descr':'<f8','fortran_order':False,'shape':(0,7)}", 0, &tensor, &offset),
        SNAP_OK);
}

static const struct {
    unsigned version;
    const char *dict;
    size_t bytes;
    enum snap_status status;
    const char *text;
} npy_cases[] = {
    { 4, "{}", 0, SNAP_UNSUPPORTED, "version 4.0" },
    { 0, "{}", 0, SNAP_UNSUPPORTED, "version 0.0" },
    { 1, "{}", 0, SNAP_CORRUPT, "no dict of three keys" },
    { 1, "", 0, SNAP_CORRUPT, "it is no dict" },
    { 1, "{'descr':'<f4','fortran_order':False,'shape':(2,)", 8, SNAP_CORRUPT, "no dict" },
    { 1, "{'descr':'<f4','fortran_order':False,'shape':(2,)}", 7, SNAP_CORRUPT, "do not agree" },
    { 1, "{'descr':'<f4','fortran_order':False,'shape':(2,)}", 9, SNAP_CORRUPT, "do not agree" },
    { 1, "{'descr':'<f4','fortran_order':False,'shape':(2,)}x", 8, SNAP_CORRUPT, "three keys" },
    { 1, "{'descr':'<f4','fortran_order':0,'shape':(2,)}", 8, SNAP_CORRUPT, "neither True nor" },
    { 1, "{'descr':'<f4','fortran_order':False,'shape':[2]}", 8, SNAP_CORRUPT, "no tuple" },
    { 1, "{'descr':'<f4','fortran_order':False,'shape':(-2,)}", 8, SNAP_CORRUPT, "of numbers" },
    { 1, "{'descr':'<f4','fortran_order':False,'shape':(99999999999999999999,)}", 8, SNAP_CORRUPT,
      "of numbers" },
    { 1, "{'descr':'<f4','fortran_order':False,'shape':(4294967296,4294967296)}", 0, SNAP_CORRUPT,
      "do not agree" },
    { 1, "{'descr':'<f4','fortran_order':False,'shape':(0,4294967296,4294967296)}", 0, SNAP_CORRUPT,
      "do not agree" },
    { 1, "{'descr':'<f4','descr':'<f4','shape':(2,)}", 8, SNAP_CORRUPT, "there twice" },
    { 1, "{'descr':'<f4','fortran_order':False,'shape':(2,),'more':1}", 8, SNAP_CORRUPT,
      "not known" },
    { 1, "{'descr':__import__('os'),'fortran_order':False,'shape':(2,)}", 8, SNAP_UNSUPPORTED,
      "with fields" },
    { 1, "{'descr':[('a','<f4')],'fortran_order':False,'shape':(2,)}", 8, SNAP_UNSUPPORTED,
      "with fields" },
    { 1, "{'descr':'|O','fortran_order':False,'shape':(2,)}", 8, SNAP_UNSUPPORTED,
      "its objects are a pickle, which is not executed" },
    { 1, "{'descr':'<U5','fortran_order':False,'shape':(2,)}", 40, SNAP_UNSUPPORTED, "dtype <U5" },
    { 1, "{'descr':'<f4','fortran_order':False,'shape':(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}", 4,
      SNAP_UNSUPPORTED, "more than 16 dimensions" },
};

static void npy_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof npy_cases / sizeof npy_cases[0]; i++) {
        struct snap_foreign_tensor tensor;
        uint64_t offset;
        enum snap_status status =
            read_npy(npy_cases[i].version, npy_cases[i].dict, npy_cases[i].bytes, &tensor, &offset);
        unit_check_status(npy_cases[i].status, status, npy_cases[i].text, &err, __FILE__, __LINE__);
    }
}

static void npy_lengths(void **state)
{
    static const unsigned char large[12] = SNAP_NPY_MAGIC "\x02\x00\xff\xff\xff";
    struct snap_foreign_tensor tensor;
    uint64_t offset;
    (void)state;
    CHECK_FAILS(SNAP_CORRUPT, "the file ends inside it",
                snap_npy_read_header(large, 12, 12, "FILE", &tensor, &offset, &err));
    CHECK_FAILS(SNAP_UNSUPPORTED, "a header of 16777215 bytes",
                snap_npy_read_header(large, 12, 1u << 30, "FILE", &tensor, &offset, &err));
    for (size_t size = 0; size < 10; size++)
        CHECK_FAILS(SNAP_CORRUPT, "does not begin as",
                    snap_npy_read_header(large, size, size, "FILE", &tensor, &offset, &err));
}

static void npy_round_trip(void **state)
{
    static const uint64_t shape[] = { 3, 5, 7 };
    (void)state;
    for (size_t ndim = 0; ndim <= 3; ndim++) {
        struct snap_buffer file = SNAP_BUFFER_INIT;
        struct snap_foreign_tensor tensor;
        uint64_t offset;
        uint64_t size = 8;
        CHECK_OK(snap_npy_write_header(SNAP_F64, ndim, shape, &file, &err));
        assert_int_equal(file.size % 64, 0);
        for (size_t i = 0; i < ndim; i++)
            size *= shape[i];
        CHECK_OK(snap_npy_read_header(file.data, file.size, file.size + size, "FILE", &tensor,
                                      &offset, &err));
        assert_int_equal(offset, file.size);
        assert_int_equal(tensor.ndim, ndim);
        assert_memory_equal(tensor.shape, shape, ndim * sizeof shape[0]);
        snap_buffer_release(&file);
    }
    struct snap_buffer none = SNAP_BUFFER_INIT;
    CHECK_FAILS(SNAP_UNSUPPORTED, "bf16", snap_npy_write_header(SNAP_BF16, 0, NULL, &none, &err));
}

/* ---- safetensors ---- */

static enum snap_status read_safetensors(const char *header, size_t bytes,
                                         struct snap_safetensors *file)
{
    struct snap_buffer whole = SNAP_BUFFER_INIT;
    struct snap_foreign_input input;
    unsigned char length[8];
    snap_put_u64(length, strlen(header));
    CHECK_OK(snap_buffer_append(&whole, length, 8, &err));
    CHECK_OK(snap_buffer_append_text(&whole, header, &err));
    for (size_t i = 0; i < bytes; i++)
        CHECK_OK(snap_buffer_append_text(&whole, "x", &err));
    err = (struct snap_error)SNAP_ERROR_INIT;
    snap_foreign_input_memory(whole.data, whole.size, "FILE", &input);
    enum snap_status status = snap_safetensors_read(&input, file, &err);
    snap_buffer_release(&whole);
    return status;
}

static void safetensors_headers(void **state)
{
    struct snap_safetensors file = SNAP_SAFETENSORS_INIT;
    (void)state;
    assert_int_equal(
        read_safetensors("{\"__metadata__\":{\"format\":\"pt\"},"
                         "\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[4,8]},"
                         "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
                         "\"none\":{\"dtype\":\"U8\",\"shape\":[0,3],\"data_offsets\":[8,8]}}  ",
                         8, &file),
        SNAP_OK);
    assert_int_equal(file.count, 3);
    assert_string_equal(file.tensors[0].name, "a");
    assert_string_equal(file.tensors[1].name, "b");
    assert_int_equal(file.tensors[1].tensor.dtype, SNAP_BF16);
    assert_string_equal(file.texts[0], "pt");
    snap_safetensors_release(&file);
    assert_int_equal(read_safetensors("{}", 0, &file), SNAP_OK);
    snap_safetensors_release(&file);
}

#define TENSOR(dtype, shape, from, to)                                                             \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"

static const struct {
    const char *header;
    size_t bytes;
    enum snap_status status;
    const char *text;
} safetensors_cases[] = {
    { "[]", 0, SNAP_CORRUPT, "no object of JSON" },
    { "{", 0, SNAP_CORRUPT, "no object of JSON" },
    { "{\"a\":1}", 0, SNAP_CORRUPT, "a: no object of" },
    { "{\"a\":" TENSOR("F32", "[2]", "0", "7") "}", 7, SNAP_CORRUPT, "do not agree" },
    { "{\"a\":" TENSOR("F32", "[2]", "0", "8") "}", 7, SNAP_CORRUPT, "8 bytes of tensors" },
    { "{\"a\":" TENSOR("F32", "[2]", "0", "8") "}", 9, SNAP_CORRUPT, "and the file has 9" },
    { "{\"a\":" TENSOR("F32", "[2]", "8", "0") "}", 8, SNAP_CORRUPT, "no data_offsets" },
    { "{\"a\":" TENSOR("F32", "[2]", "-8", "0") "}", 8, SNAP_CORRUPT, "no data_offsets" },
    { "{\"a\":" TENSOR("F32", "[2]", "4", "12") "}", 12, SNAP_CORRUPT, "there is a gap" },
    { "{\"a\":" TENSOR("U8", "[4]", "0", "4") ",\"b\":" TENSOR("U8", "[4]", "2", "6") "}", 6,
      SNAP_CORRUPT, "b: there is a gap before it, or it overlaps" },
    { "{\"a\":" TENSOR("U8", "[4]", "0", "4") ",\"b\":" TENSOR("U8", "[4]", "0", "4") "}", 4,
      SNAP_CORRUPT, "overlaps" },
    { "{\"a\":" TENSOR("U8", "[4]", "0", "4") ",\"a\":" TENSOR("U8", "[4]", "4", "8") "}", 8,
      SNAP_CORRUPT, "duplicate" },
    { "{\"a\":" TENSOR("U8", "[-4]", "0", "4") "}", 4, SNAP_CORRUPT, "no number" },
    { "{\"a\":" TENSOR("U8", "[4294967296,4294967296]", "0", "0") "}", 0, SNAP_CORRUPT,
      "do not agree" },
    { "{\"a\":" TENSOR("F4", "[4]", "0", "2") "}", 2, SNAP_UNSUPPORTED, "dtype F4" },
    { "{\"a\":" TENSOR("U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "0", "1") "}", 1,
      SNAP_UNSUPPORTED, "more than 16 dimensions" },
    { "{\"__metadata__\":{\"a\":1}}", 0, SNAP_CORRUPT, "a value that is no string" },
    { "{\"__metadata__\":[]}", 0, SNAP_CORRUPT, "__metadata__: no object" },
};

static void safetensors_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof safetensors_cases / sizeof safetensors_cases[0]; i++) {
        struct snap_safetensors file = SNAP_SAFETENSORS_INIT;
        enum snap_status status =
            read_safetensors(safetensors_cases[i].header, safetensors_cases[i].bytes, &file);
        unit_check_status(safetensors_cases[i].status, status, safetensors_cases[i].text, &err,
                          __FILE__, __LINE__);
        assert_int_equal(file.count, 0);
    }
}

static void safetensors_lengths(void **state)
{
    unsigned char bytes[9] = { 0, 0, 0, 0, 0, 0, 0, 0, '{' };
    struct snap_safetensors file = SNAP_SAFETENSORS_INIT;
    struct snap_foreign_input input;
    (void)state;
    snap_foreign_input_memory(bytes, sizeof bytes, "FILE", &input);
    snap_put_u64(bytes, 2);
    CHECK_FAILS(SNAP_CORRUPT, "a header of 2 bytes, and the file has 1 more: it is cut off",
                snap_safetensors_read(&input, &file, &err));
    assert_true(snap_safetensors_is(bytes, sizeof bytes));
    snap_put_u64(bytes, UINT64_MAX);
    assert_false(snap_safetensors_is(bytes, sizeof bytes));
    CHECK_FAILS(SNAP_CORRUPT, "the format allows 100000000",
                snap_safetensors_read(&input, &file, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_headers),         cmocka_unit_test(npy_refusals),
        cmocka_unit_test(npy_lengths),         cmocka_unit_test(npy_round_trip),
        cmocka_unit_test(safetensors_headers), cmocka_unit_test(safetensors_refusals),
        cmocka_unit_test(safetensors_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
