/* SPDX-License-Identifier: Apache-2.0 */
/* What no file of vectors shows of torch's generator: releases that differ, the generator of MKL
 * builds, long permutations, the 16-bit types, and calls that must be refused. */
#include "config.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/bytes.h"
#include "stream/torch_cpu.h"
#include "stream/torch_dtype.h"

static struct snap_error err = SNAP_ERROR_INIT;

static struct snap_torch_cpu seeded(enum snap_torch_version version)
{
    struct snap_torch_cpu t = { .version = version };

    snap_torch_seed(&t, 42);
    return t;
}

static uint64_t words_of(enum snap_torch_version version, enum snap_dtype dtype, int64_t from,
                         int64_t to)
{
    struct snap_torch_cpu t = seeded(version);
    uint64_t out;

    assert_int_equal(snap_torch_random_from_to(&t, dtype, from, &to, &out, 1, &err), SNAP_OK);
    return t.mt.words_drawn;
}

/* From which range on an element takes two words. */
static void randint_widths(void **state)
{
    const int64_t narrow = (int64_t)1 << 28;
    const int64_t wide = (int64_t)1 << 32;

    (void)state;
    assert_int_equal(words_of(SNAP_TORCH_1_13, SNAP_I64, 0, wide - 1), 1);
    assert_int_equal(words_of(SNAP_TORCH_1_13, SNAP_I64, 0, wide), 2);
    assert_int_equal(words_of(SNAP_TORCH_2_0, SNAP_I64, -5, wide - 6), 1);
    assert_int_equal(words_of(SNAP_TORCH_2_0, SNAP_F64, 0, wide), 2);
    assert_int_equal(words_of(SNAP_TORCH_1_13, SNAP_I32, -wide / 2, wide / 2 - 1), 1);
    assert_int_equal(words_of(SNAP_TORCH_2_7, SNAP_I64, 0, narrow - 1), 1);
    assert_int_equal(words_of(SNAP_TORCH_2_7, SNAP_I64, 0, narrow), 2);
    assert_int_equal(words_of(SNAP_TORCH_2_7, SNAP_I32, 0, narrow), 2);
    assert_int_equal(words_of(SNAP_TORCH_2_7, SNAP_I32, 0, narrow - 1), 1);
}

/* log(1-u) and log1p(-u): equal words, values that differ in the last bit or not at all; whole
 * blocks of 16 never changed. */
static void logarithm_of_the_release(void **state)
{
    struct snap_torch_cpu old = seeded(SNAP_TORCH_1_13);
    struct snap_torch_cpu new = seeded(SNAP_TORCH_2_0);
    double a, b;
    double block_a[20], block_b[20];
    int differ = 0;

    (void)state;
    for (int i = 0; i < 4000; i++) {
        a = snap_torch_normal_double(&old, 0.0, 1.0);
        b = snap_torch_normal_double(&new, 0.0, 1.0);
        assert_true(fabs(a - b) <= 0x1p-50 * fabs(a));
        differ += a != b;
    }
    assert_true(differ > 0);
    assert_true(old.mt.words_drawn == new.mt.words_drawn);
    assert_int_equal(snap_torch_normal(&old, SNAP_F64, 0.0, 1.0, true, block_a, 20, &err), SNAP_OK);
    assert_int_equal(snap_torch_normal(&new, SNAP_F64, 0.0, 1.0, true, block_b, 20, &err), SNAP_OK);
    assert_memory_equal(block_a, block_b, sizeof block_a);
}

/* One word seeds MKL's generator, whatever the number of elements; its k-th state is
 * x * a^k mod 2^31-1. */
static void bernoulli_of_mkl(void **state)
{
    struct snap_torch_cpu t = seeded(SNAP_TORCH_2_0);
    struct snap_torch_cpu words = t;
    uint8_t out[1000];
    uint64_t x = snap_torch_u32(&words) % 2147483647u;
    uint64_t power = 1;
    int kept = 0;

    (void)state;
    assert_int_equal(snap_torch_bernoulli_mkl(&t, SNAP_BOOL, 0.25, out, 1000, &err), SNAP_OK);
    assert_true(t.mt.words_drawn == 1);
    for (size_t k = 0; k < 1000; k++) {
        uint64_t scaled = x * power % 2147483647u;

        assert_int_equal(out[k], 4 * scaled < 2147483647u);
        power = power * 1132489760u % 2147483647u;
        kept += out[k];
    }
    assert_true(kept > 200 && kept < 300);
    /* A word that is 0 modulo 2^31-1 counts as 1. */
    memset(t.mt.key, 0, sizeof t.mt.key);
    t.mt.pos = 0;
    assert_int_equal(snap_torch_bernoulli_mkl(&t, SNAP_BOOL, 1e-9, out, 2, &err), SNAP_OK);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 0);
}

/* Inside-out Fisher-Yates on 64-bit words. */
static void long_permutation(void **state)
{
    struct snap_torch_cpu t = seeded(SNAP_TORCH_2_0);
    struct snap_torch_cpu words = t;
    uint64_t out[100];
    uint64_t expected[100];

    (void)state;
    snap_torch_randperm_long(&t, out, 100);
    for (size_t i = 0; i < 100; i++) {
        size_t z = (size_t)(snap_torch_u64(&words) % (i + 1));

        expected[i] = i;
        for (size_t j = 0; j < i; j++) {
            if (j == z) {
                expected[i] = expected[j];
                expected[j] = i;
            }
        }
    }
    assert_memory_equal(out, expected, sizeof out);
    assert_true(t.mt.words_drawn == 200);
}

/* Every number of a 16-bit type comes back; what lies between two neighbours goes to the nearer
 * one, and from the middle to the even one. */
static void check_16_bits(uint16_t (*from_float)(float), float (*to_float)(uint16_t),
                          uint16_t infinity)
{
    for (uint16_t bits = 0; bits < infinity; bits++) {
        double low = (double)to_float(bits);
        double high = bits + 1 < infinity ? (double)to_float((uint16_t)(bits + 1))
                                          : 2.0 * low - (double)to_float((uint16_t)(bits - 1));
        double middle = (low + high) / 2.0;
        uint16_t even = (bits & 1) == 0 ? bits : (uint16_t)(bits + 1);

        assert_int_equal(from_float((float)low), bits);
        assert_int_equal(from_float(-(float)low), bits | 0x8000);
        assert_int_equal(from_float((float)middle), even);
        assert_int_equal(from_float(nextafterf((float)middle, 0.0f)), bits);
        assert_int_equal(from_float(nextafterf((float)middle, INFINITY)), bits + 1);
    }
    assert_int_equal(from_float(INFINITY), infinity);
    assert_int_equal(from_float(FLT_MAX), infinity);
    assert_true(isinf(to_float(infinity)));
    assert_true(isnan(to_float(from_float(NAN))));
}

static void sixteen_bits(void **state)
{
    (void)state;
    check_16_bits(snap_f16_from_float, snap_f16_to_float, 0x7c00);
    for (float past = 65536.0f; past < 140000.0f; past += 512.0f) {
        assert_int_equal(snap_f16_from_float(past), 0x7c00);
        assert_int_equal(snap_f16_from_float(-past), 0xfc00);
    }
    check_16_bits(snap_bf16_from_float, snap_bf16_to_float, 0x7f80);
}

/* A fill that reads and makes no cached normal leaves the one that is there. */
static void blocks_leave_the_cached_normal(void **state)
{
    struct snap_torch_cpu t = seeded(SNAP_TORCH_1_13);
    float out[16];
    double cached;

    (void)state;
    snap_torch_normal_double(&t, 0.0, 1.0);
    assert_true(t.has_normal);
    cached = t.normal;
    assert_int_equal(snap_torch_normal(&t, SNAP_F32, 0.0, 1.0, true, out, 16, &err), SNAP_OK);
    assert_true(t.has_normal && t.normal == cached);
    assert_true(snap_torch_normal_double(&t, 0.0, 1.0) == cached);
    assert_false(t.has_normal);
    assert_true(t.normal == 0.0);
}

static void edit_u64(unsigned char *bytes, size_t at, uint64_t value)
{
    snap_put_u64(bytes + at, value);
}

static void no_state(void **state)
{
    const struct {
        size_t at;
        uint64_t value;
        const char *message;
    } edits[] = {
        { 8, 0x100000000u, "left 0" },            /* left 0, seeded 1 */
        { 8, 0x100000000u + 625, "left 625" },    /* past its largest */
        { 8, 0x100000000u + 5, "left 5" },        /* and next 0: disagree */
        { 8, 1, "not marked as seeded" },         /* left 1, seeded 0 */
        { 16, 625, "next 625" },                  /* past the words */
        { 24, 0x100000000u, "word 0" },           /* 33 bits */
        { 5008, UINT64_MAX, "word 623" },         /* the last word */
        { 5016, 1, "not in use" },                /* normal_x */
        { 5024, 1, "not in use" },                /* normal_y without its flag */
        { 5032, 1, "not in use" },                /* normal_rho */
        { 5040, 2, "flag" },                      /* normal_is_valid */
        { 5040, 0x100000000u, "flag" },           /* padding behind it */
        { 5048, 1, "not in use" },                /* the float without its flag */
        { 5048, 0x200000000u, "flag" },           /* the float's flag */
        { 5048, 0x10000000000u, "flag" },         /* padding behind it */
    };
    unsigned char bytes[SNAP_TORCH_CPU_BYTES];
    unsigned char after[SNAP_TORCH_CPU_BYTES];
    struct snap_torch_cpu t = seeded(SNAP_TORCH_1_13);

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        struct snap_torch_cpu other = { .version = SNAP_TORCH_1_13 };

        snap_torch_seed(&other, 7);
        snap_torch_get_state(&t, bytes);
        edit_u64(bytes, edits[i].at, edits[i].value);
        assert_int_equal(snap_torch_set_state(&other, bytes, sizeof bytes, &err), SNAP_CORRUPT);
        assert_non_null(strstr(err.text, edits[i].message));
        assert_true(other.seed == 7);
    }
    snap_torch_get_state(&t, bytes);
    edit_u64(bytes, 5040, 2);
    assert_int_equal(snap_torch_set_state(&t, bytes, SNAP_TORCH_CPU_LEGACY_BYTES, &err),
                     SNAP_CORRUPT);
    /* left 1 with any `next` is a used-up block, and comes back as it was. */
    snap_torch_get_state(&t, bytes);
    edit_u64(bytes, 16, 300);
    assert_int_equal(snap_torch_set_state(&t, bytes, sizeof bytes, &err), SNAP_OK);
    snap_torch_get_state(&t, after);
    assert_memory_equal(bytes, after, sizeof bytes);
    snap_torch_u32(&t);
    snap_torch_get_state(&t, after);
    assert_int_equal(snap_get_u64(after + 16), 1);
    assert_int_equal(snap_get_u32(after + 8), 624);
}

/* The caches of both types round-trip, with any bits. */
static void caches_round_trip(void **state)
{
    unsigned char bytes[SNAP_TORCH_CPU_BYTES];
    unsigned char after[SNAP_TORCH_CPU_BYTES];
    struct snap_torch_cpu t = seeded(SNAP_TORCH_1_13);

    (void)state;
    snap_torch_get_state(&t, bytes);
    edit_u64(bytes, 5024, 0x8000000000000000u); /* -0.0 */
    edit_u64(bytes, 5040, 1);
    edit_u64(bytes, 5048, 0x13fc00000u); /* 1.5f, in use */
    assert_int_equal(snap_torch_set_state(&t, bytes, sizeof bytes, &err), SNAP_OK);
    assert_true(t.has_float_normal && t.float_normal == 1.5f);
    snap_torch_get_state(&t, after);
    assert_memory_equal(bytes, after, sizeof bytes);
}

/* multinomial(ones(10), n, replacement=True) after manual_seed(123), as torch 1.10 draws it: one
 * double a draw. From 2.0 on a single draw takes an exponential for every category. */
static void single_multinomial(void **state)
{
    const double ones[10] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    const uint64_t seven[7] = { 3, 0, 5, 0, 4, 5, 6 };
    const enum snap_torch_version versions[] = { SNAP_TORCH_1_13, SNAP_TORCH_2_0 };
    uint64_t out[7];

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct snap_torch_cpu t = { .version = versions[v] };

        snap_torch_seed(&t, 123);
        assert_int_equal(snap_torch_multinomial(&t, SNAP_F32, ones, 10, 7, true, out, &err),
                         SNAP_OK);
        assert_memory_equal(out, seven, sizeof seven);
        snap_torch_seed(&t, 123);
        t.mt.words_drawn = 0;
        assert_int_equal(snap_torch_multinomial(&t, SNAP_F32, ones, 10, 1, true, out, &err),
                         SNAP_OK);
        assert_int_equal(t.mt.words_drawn, v == 0 ? 2 : 20);
        assert_true(v == 1 || out[0] == 3);
    }
}

/* A fresh block that was used up says next = 624, as torch does, and not the 0 it began with. */
static void used_up(void **state)
{
    unsigned char bytes[SNAP_TORCH_CPU_BYTES];
    struct snap_torch_cpu t = seeded(SNAP_TORCH_1_13);

    (void)state;
    snap_torch_get_state(&t, bytes);
    assert_int_equal(snap_get_u32(bytes + 8), 1);
    assert_int_equal(snap_get_u64(bytes + 16), 0);
    for (int i = 0; i < 624; i++) {
        snap_torch_u32(&t);
    }
    snap_torch_get_state(&t, bytes);
    assert_int_equal(snap_get_u32(bytes + 8), 1);
    assert_int_equal(snap_get_u64(bytes + 16), 624);
}

static void refused_fills(void **state)
{
    struct snap_torch_cpu t = seeded(SNAP_TORCH_2_7);
    int64_t below = -1;
    int64_t above = 300;
    int64_t huge = 70000;
    uint64_t indices[4];
    double weights[3] = { 0.0, 0.0, 0.0 };
    double out[4];

    (void)state;
    assert_int_equal(snap_torch_random(&t, SNAP_U16, out, 1, &err), SNAP_UNSUPPORTED);
    assert_int_equal(snap_torch_random_from_to(&t, SNAP_U8, 0, &below, out, 1, &err),
                     SNAP_INVALID);
    assert_int_equal(snap_torch_random_from_to(&t, SNAP_U8, 0, &above, out, 1, &err),
                     SNAP_INVALID);
    assert_int_equal(snap_torch_random_from_to(&t, SNAP_F16, 0, &huge, out, 1, &err),
                     SNAP_INVALID);
    assert_int_equal(snap_torch_random_from_to(&t, SNAP_I32, INT64_MIN, NULL, out, 1, &err),
                     SNAP_UNSUPPORTED);
    assert_int_equal(snap_torch_uniform(&t, SNAP_I64, 0.0, 1.0, out, 1, &err), SNAP_UNSUPPORTED);
    assert_int_equal(snap_torch_uniform(&t, SNAP_F16, -40000.0, 40000.0, out, 1, &err),
                     SNAP_INVALID);
    assert_int_equal(snap_torch_normal(&t, SNAP_F32, 0.0, -1.0, true, out, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_torch_normal(&t, SNAP_I32, 0.0, 1.0, true, out, 1, &err),
                     SNAP_UNSUPPORTED);
    assert_int_equal(snap_torch_bernoulli(&t, SNAP_F32, 1.5, out, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_torch_bernoulli(&t, SNAP_C64, 0.5, out, 1, &err), SNAP_UNSUPPORTED);
    assert_int_equal(snap_torch_dropout_mask(&t, SNAP_I32, 0.5, out, 1, &err), SNAP_UNSUPPORTED);
    assert_int_equal(snap_torch_exponential(&t, SNAP_F32, 0.0, out, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_torch_geometric(&t, SNAP_F32, 1.0, out, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_torch_cauchy(&t, SNAP_F32, 0.0, 0.0, out, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_torch_log_normal(&t, SNAP_F32, 0.0, 0.0, out, 1, &err), SNAP_INVALID);
    assert_int_equal(snap_torch_random_sampler(&t, 0, false, 0, true, indices, &err),
                     SNAP_INVALID);
    assert_int_equal(
        snap_torch_multinomial(&t, SNAP_F64, weights, 3, 1, true, indices, &err), SNAP_INVALID);
    weights[1] = 1.0;
    assert_int_equal(
        snap_torch_multinomial(&t, SNAP_F64, weights, 3, 4, false, indices, &err), SNAP_INVALID);
    assert_int_equal(
        snap_torch_multinomial(&t, SNAP_F16, weights, 3, 1, true, indices, &err),
        SNAP_UNSUPPORTED);
    assert_true(t.mt.words_drawn == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(randint_widths),
        cmocka_unit_test(logarithm_of_the_release),
        cmocka_unit_test(bernoulli_of_mkl),
        cmocka_unit_test(long_permutation),
        cmocka_unit_test(sixteen_bits),
        cmocka_unit_test(blocks_leave_the_cached_normal),
        cmocka_unit_test(no_state),
        cmocka_unit_test(caches_round_trip),
        cmocka_unit_test(single_multinomial),
        cmocka_unit_test(used_up),
        cmocka_unit_test(refused_fills),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
