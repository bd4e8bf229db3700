/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled with the very flags of the kernels, once for each instruction set: nothing is
 * contracted, reassociated or flushed, fmaf and sqrt round once, and a sample of the blocks of the
 * math functions (those with patched inputs among them) has its known hashes. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "math_blocks.h"
#include "ops/vec.h"

#define COUNT 64

/* Read through these, so that nothing is computed when the program is compiled. */
static volatile float one_and_bit = 0x1.001p0f, minus = -0x1.002p0f, tiny = 0x1p-149f;
static volatile double one_and_bit_double = 0x1.0000002p0, minus_double = -0x1.0000004p0;

static void products_are_not_contracted(void **state)
{
    float a[COUNT], b[COUNT], out[COUNT];
    double c[COUNT], d[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        a[i] = one_and_bit;
        b[i] = minus;
        c[i] = one_and_bit_double;
        d[i] = minus_double;
    }
    for (int i = 0; i < COUNT; i++) {
        out[i] = a[i] * a[i] + b[i];
        d[i] = c[i] * c[i] + d[i];
    }
    for (int i = 0; i < COUNT; i++) {
        assert_true(out[i] == 0.0f && d[i] == 0.0);
    }
    for (int i = 0; i < COUNT; i++) {
        out[i] = trn_fmaf(a[i], a[i], b[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_true(out[i] == 0x1p-24f);
    }
    trn_vec_store(out, trn_vec_fma(trn_vec_load(a), trn_vec_load(a), trn_vec_load(b)));
    for (int i = 0; i < TRN_VEC_WIDTH; i++) {
        assert_true(out[i] == 0x1p-24f);
    }
    trn_vec_store(out, trn_vec_load(a) * trn_vec_load(a) + trn_vec_load(b));
    for (int i = 0; i < TRN_VEC_WIDTH; i++) {
        assert_true(out[i] == 0.0f);
    }
}

static void sums_keep_their_order(void **state)
{
    volatile float large = 0x1p24f;
    float x[COUNT], sum = 0.0f;
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        x[i] = i == 0 ? large : 1.0f;
    }
    for (int i = 0; i < COUNT; i++) {
        sum = sum + x[i];
    }
    assert_true(sum == 0x1p24f); /* by pairs, the ones would have counted */
}

static void subnormals_and_roots_are_exact(void **state)
{
    volatile float half = 0.5f, three = 3.0f;
    (void)state;
    assert_true(tiny + tiny == 0x1p-148f && 0x1p-126f * half == 0x1p-127f);
    assert_true(trn_fmaf(tiny, half, tiny) == 0x1p-148f); /* a tie, to even */
    assert_true(trn_fmaf(-tiny, half, 0.0f) == 0.0f);
    assert_true(trn_bits_of_float(trn_fmaf(-tiny, half, 0.0f)) == 0x80000000u);
    assert_true(trn_sqrtf(three) == 0x1.bb67aep0f && trn_sqrtf(tiny * 4.0f) == 0x1.6a09e6p-74f);
    assert_true(1.0f / three == 0x1.555556p-2f);
}

/* fmaf against a sum of which 53 bits decide nothing: products and addends of all distances. */
static void fmaf_rounds_once(void **state)
{
    uint64_t word = 1;
    (void)state;
    for (int i = 0; i < 2000000; i++) {
        float a, b, c;
        double exact;
        word = word * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        a = trn_float_of_bits((uint32_t)(word >> 41) | 0x3f800000u);
        b = trn_float_of_bits(((uint32_t)(word >> 18) & 0x7ff000u) | 0x3f800000u);
        /* 12 + 24 bits: with an addend near the product's end the sum is exact in a double */
        c = trn_float_of_bits(((uint32_t)(word >> 9) & 0x807fffffu) | ((uint32_t)(word & 15) + 108)
                                                                          << 23);
        exact = (double)a * (double)b + (double)c;
        if (exact - (double)a * (double)b == (double)c &&
            exact - (double)c == (double)a * (double)b) {
            assert_true(trn_fmaf(a, b, c) == (float)exact);
        }
    }
    /* 2^-70 below and above the middle between two floats: a sum rounded to a double is the middle
     * itself, and would go to the even neighbour. */
    assert_true(trn_fmaf(0x1.000002p0f, 0x1.fffffcp-25f, 0x1.000002p0f) == 0x1.000002p0f);
    assert_true(trn_fmaf(0x1.000002p0f, -0x1.fffffcp-25f, 0x1.000002p0f) == 0x1.000002p0f);
    assert_true(trn_fmaf(0x1p-45f, 0x1p-45f, 1.0f) == 1.0f);
    assert_true(trn_fmaf(0x1p127f, 2.0f, -0x1p127f) == 0x1p127f);
}

static void math_functions_have_known_hashes(void **state)
{
    static const unsigned blocks[MATH_FUNCTION_COUNT][4] = {
        { 0x3f, 0x42, 0xc2, 0xff }, { 0x00, 0x41, 0x3c, 0x6f }, { 0x39, 0x3f, 0x40, 0xbf },
        { 0x3f, 0x46, 0x7f, 0xc6 }, { 0x3f, 0x5f, 0x61, 0xe1 }, { 0x33, 0x3f, 0x40, 0xc0 },
    };
    (void)state;
    for (int f = 0; f < MATH_FUNCTION_COUNT; f++) {
        for (int i = 0; i < 4; i++) {
            char got[65], kept[65];
            assert_int_equal(math_block_hash(&math_functions[f], blocks[f][i], got, NULL, NULL), 0);
            math_block_expected(&math_functions[f], blocks[f][i], kept);
            if (strcmp(got, kept) != 0) {
                fail_msg("%s, block %02x: %s, kept %s", math_functions[f].name, blocks[f][i], got,
                         kept);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_not_contracted),
        cmocka_unit_test(sums_keep_their_order),
        cmocka_unit_test(subnormals_and_roots_are_exact),
        cmocka_unit_test(fmaf_rounds_once),
        cmocka_unit_test(math_functions_have_known_hashes),
    };
#if defined(__AVX512F__)
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl")) {
        print_message("1..0 # SKIP this CPU has no AVX-512\n");
        return 0;
    }
#elif defined(__AVX2__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        print_message("1..0 # SKIP this CPU has no AVX2 and FMA\n");
        return 0;
    }
#endif
    return cmocka_run_group_tests(tests, NULL, NULL);
}
