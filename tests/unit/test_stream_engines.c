/* SPDX-License-Identifier: Apache-2.0 */
/* Corners of random.Random and RandomState that no seed reaches in a lifetime: the words wanted are
 * put into the state. And the calls that are refused. */
#include "config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stream/numpy_random_state.h"
#include "stream/python_random.h"

static struct snap_error err = SNAP_ERROR_INIT;

/* The state word that is given out as `y`. */
static uint32_t untempered(uint32_t y)
{
    uint32_t x = y ^ (y >> 18);

    y = x ^ ((x << 15) & 0xefc60000u);
    x = y;
    for (int i = 0; i < 5; i++) {
        x = y ^ ((x << 7) & 0x9d2c5680u);
    }
    y = x;
    for (int i = 0; i < 3; i++) {
        x = y ^ (x >> 11);
    }
    return x;
}

static struct snap_mt19937 giving(const uint32_t *words, size_t count)
{
    struct snap_mt19937 mt = { .pos = 0 };

    for (size_t i = 0; i < count; i++) {
        mt.key[i] = untempered(words[i]);
    }
    return mt;
}

static struct snap_python_random python_giving(const uint32_t *words, size_t count)
{
    struct snap_python_random r = { .mt = giving(words, count) };

    return r;
}

static struct snap_numpy_random_state numpy_giving(const uint32_t *words, size_t count)
{
    struct snap_numpy_random_state r = { .mt = giving(words, count) };

    return r;
}

static const uint32_t half[] = { 0x80000000u, 0 };
static const uint32_t three_quarters[] = { 0xc0000000u, 0 };

static void words_come_as_put(void **state)
{
    const uint32_t words[] = { 0x12345678u, 0xffffffffu, 1, 0x80000000u };
    struct snap_mt19937 mt = giving(words, 4);

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(snap_mt19937_u32(&mt), words[i]);
    }
    mt = giving(half, 2);
    assert_true(snap_mt19937_double(&mt) == 0.5);
}

/* choices: a number equal to a cumulative weight belongs to the next element; the last element
 * takes what rounding puts at the very end. */
static void python_choices_at_the_edge(void **state)
{
    const double cumulative[] = { 1.0, 2.0 };
    const double least[] = { 0x1p-1074 };
    struct snap_python_random r = python_giving(half, 2);
    uint64_t which = 99;

    (void)state;
    assert_int_equal(snap_python_choices_cumulative(&r, cumulative, 2, 1, &which, &err), SNAP_OK);
    assert_int_equal(which, 1);
    r = python_giving(three_quarters, 2);
    assert_int_equal(snap_python_choices_cumulative(&r, least, 1, 1, &which, &err), SNAP_OK);
    assert_int_equal(which, 0);
    r = python_giving(three_quarters, 2);
    snap_python_choices(&r, 3, 1, &which);
    assert_int_equal(which, 2);
}

/* _randbelow(1) takes single bits until a 0 comes. */
static void python_below_one(void **state)
{
    const uint32_t words[] = { 0x80000000u, 0xffffffffu, 0x7fffffffu, 0xffffffffu };
    struct snap_python_random r = python_giving(words, 4);

    (void)state;
    assert_int_equal(snap_python_below(&r, 1), 0);
    assert_int_equal(r.mt.words_drawn, 3);
    assert_int_equal(snap_python_below(&r, 0), 0);
    assert_int_equal(snap_python_getrandbits(&r, 0), 0);
    snap_python_randbytes(&r, NULL, 0);
    assert_int_equal(r.mt.words_drawn, 3);
}

/* Bounds of more than 64 bits: the most significant differing word decides. */
static void python_below_words(void **state)
{
    const uint32_t words[] = { 5, 7, 0xc0000000u, 6, 7, 0x80000000u };
    const uint32_t bound[] = { 6, 7, 2 }; /* 66 bits */
    struct snap_python_random r = python_giving(words, 6);
    uint32_t out[3];

    (void)state;
    snap_python_below_words(&r, bound, 3, out);
    /* The first number, 3 * 2^64 + ..., is refused; so would the second one be, being equal. */
    assert_true(r.mt.words_drawn > 6);
    r = python_giving(words, 2);
    r.mt.key[2] = untempered(0x80000000u);
    snap_python_below_words(&r, bound, 3, out);
    assert_int_equal(r.mt.words_drawn, 3);
    assert_int_equal(out[0], 5);
    assert_int_equal(out[1], 7);
    assert_int_equal(out[2], 2);
}

static void python_refuses(void **state)
{
    const uint64_t no_counts[2] = { 0, 0 };
    const uint64_t too_many[2] = { UINT64_MAX, 1 };
    const double not_finite[2] = { 1.0, (double)INFINITY };
    const double nothing[1] = { 0.0 };
    const snap_int128 far = (snap_int128)1 << 125;
    struct snap_python_random r = python_giving(half, 2);
    int64_t internal[SNAP_MT19937_WORDS + 1] = { 0 };
    snap_int128 value;
    uint64_t out[3];

    (void)state;
    assert_int_equal(snap_python_seed_double(&r, (double)NAN, &err), SNAP_INVALID);
    assert_int_equal(snap_python_randrange(&r, 5, 5, 1, &value, &err), SNAP_INVALID);
    assert_int_equal(snap_python_randrange(&r, 5, 9, 0, &value, &err), SNAP_INVALID);
    assert_int_equal(snap_python_randrange(&r, 5, 9, -1, &value, &err), SNAP_INVALID);
    assert_int_equal(snap_python_randrange(&r, 9, 5, 1, &value, &err), SNAP_INVALID);
    assert_int_equal(snap_python_randrange(&r, -far - far, far, 1, &value, &err),
                     SNAP_UNSUPPORTED);
    assert_int_equal(snap_python_sample(&r, 2, 3, out, &err), SNAP_INVALID);
    assert_int_equal(snap_python_sample_counts(&r, no_counts, 2, 1, out, &err), SNAP_INVALID);
    assert_int_equal(snap_python_sample_counts(&r, too_many, 2, 1, out, &err), SNAP_INVALID);
    assert_int_equal(snap_python_choices_cumulative(&r, not_finite, 2, 1, out, &err),
                     SNAP_INVALID);
    assert_int_equal(snap_python_choices_cumulative(&r, nothing, 1, 1, out, &err), SNAP_INVALID);
    assert_int_equal(snap_python_choices_cumulative(&r, nothing, 0, 1, out, &err), SNAP_INVALID);
    assert_true(isnan(snap_python_gammavariate(&r, 0.0, 1.0)));
    assert_true(isnan(snap_python_gammavariate(&r, 1.0, -1.0)));
    assert_int_equal(snap_python_setstate(&r, 4, internal, NULL, &err), SNAP_INVALID);
    internal[SNAP_MT19937_WORDS] = 625;
    assert_int_equal(snap_python_setstate(&r, 3, internal, NULL, &err), SNAP_INVALID);
    internal[SNAP_MT19937_WORDS] = 624;
    internal[7] = -1;
    assert_int_equal(snap_python_setstate(&r, 3, internal, NULL, &err), SNAP_INVALID);
    assert_int_equal(r.mt.words_drawn, 0);
    assert_int_equal(r.mt.key[0], untempered(half[0]));
    assert_int_equal(snap_python_setstate(&r, 2, internal, NULL, &err), SNAP_OK);
    assert_int_equal(r.mt.key[7], UINT32_MAX);
}

/* choice with p: a number equal to a bound belongs to the next element. */
static void numpy_choice_at_the_edge(void **state)
{
    const double p[] = { 0.5, 0.5 };
    struct snap_numpy_random_state r = numpy_giving(half, 2);
    uint64_t which = 99;

    (void)state;
    assert_int_equal(snap_numpy_choice_weighted(&r, p, 2, 1, true, &which, &err), SNAP_OK);
    assert_int_equal(which, 1);
}

/* bytes(0) draws one word; laplace draws again after a 0; a range of one value draws nothing. */
static void numpy_odd_counts(void **state)
{
    const uint32_t words[] = { 0, 0, 0x80000000u, 0, 0xdeadbeefu };
    struct snap_numpy_random_state r = numpy_giving(words, 5);
    struct snap_numpy_pieces pieces = { 0, 0 };

    (void)state;
    assert_true(snap_numpy_laplace(&r, 3.0, 2.0) == 3.0);
    assert_int_equal(r.mt.words_drawn, 4);
    snap_numpy_bytes(&r, NULL, 0);
    assert_int_equal(r.mt.words_drawn, 5);
    assert_int_equal(snap_numpy_bounded(&r, 8, 0, &pieces), 0);
    assert_int_equal(snap_numpy_interval(&r, 0), 0);
    assert_int_equal(r.mt.words_drawn, 5);
}

/* A word gives its low piece first, and what is left of it is the call's own. */
static void numpy_pieces(void **state)
{
    const uint32_t words[] = { 0x44332211u, 0x88776655u, 0xa5u };
    struct snap_numpy_random_state r = numpy_giving(words, 3);
    struct snap_numpy_pieces pieces = { 0, 0 };

    (void)state;
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(snap_numpy_bounded(&r, 8, 255, &pieces), 0x11 * i);
    }
    r = numpy_giving(words, 3);
    pieces.left = 0;
    assert_int_equal(snap_numpy_bounded(&r, 16, 65535, &pieces), 0x2211);
    assert_int_equal(snap_numpy_bounded(&r, 16, 65535, &pieces), 0x4433);
    assert_int_equal(snap_numpy_bounded(&r, 16, 65535, &pieces), 0x6655);
    r = numpy_giving(words + 2, 1);
    pieces.left = 0;
    for (unsigned bit = 0; bit < 8; bit++) {
        assert_int_equal(snap_numpy_bounded(&r, 1, 1, &pieces), 0xa5 >> bit & 1);
    }
    assert_int_equal(r.mt.words_drawn, 1);
}

static void numpy_refuses(void **state)
{
    const double negative[] = { 1.0, -0.5 };
    const double one[] = { 1.0, 0.0 };
    const double none[] = { 0.0, 0.0 };
    struct snap_numpy_random_state r = numpy_giving(half, 2);
    uint64_t out[3];

    (void)state;
    assert_int_equal(snap_numpy_choice(&r, 0, 1, out, &err), SNAP_INVALID);
    assert_int_equal(snap_numpy_choice_distinct(&r, 2, 3, out, &err), SNAP_INVALID);
    assert_int_equal(snap_numpy_choice_weighted(&r, negative, 2, 1, true, out, &err),
                     SNAP_INVALID);
    assert_int_equal(snap_numpy_choice_weighted(&r, none, 2, 1, true, out, &err), SNAP_INVALID);
    assert_int_equal(snap_numpy_choice_weighted(&r, one, 2, 2, false, out, &err), SNAP_INVALID);
    assert_true(isnan(snap_numpy_standard_gamma(&r, -1.0)));
    assert_true(isnan(snap_numpy_beta(&r, 0.0, 1.0)));
    assert_true(snap_numpy_standard_gamma(&r, 0.0) == 0.0);
    assert_int_equal(r.mt.words_drawn, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_as_put),  cmocka_unit_test(python_choices_at_the_edge),
        cmocka_unit_test(python_below_one),   cmocka_unit_test(python_below_words),
        cmocka_unit_test(python_refuses),     cmocka_unit_test(numpy_choice_at_the_edge),
        cmocka_unit_test(numpy_odd_counts),   cmocka_unit_test(numpy_pieces),
        cmocka_unit_test(numpy_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
