/* SPDX-License-Identifier: Apache-2.0 */
/* The Mersenne twister against its published answers and its definition. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stream/mt19937.h"
#include "stream/seed_sequence.h"

/* The C++ standard, [rand.predef]: the 10000th value of a default std::mt19937. */
static void tenth_thousand(void **state)
{
    struct snap_mt19937 mt = { .words_drawn = 7 };
    uint32_t word = 0;

    (void)state;
    snap_mt19937_init_genrand(&mt, 5489);
    assert_int_equal(mt.pos, 624);
    for (int i = 0; i < 10000; i++) {
        word = snap_mt19937_u32(&mt);
    }
    assert_int_equal(word, 4123659995u);
    assert_int_equal(mt.words_drawn, 10007); /* seeding left it */
}

/* The first and last lines of the authors' mt19937ar.out. */
static void seeded_by_array(void **state)
{
    const uint32_t array[] = { 0x123, 0x234, 0x345, 0x456 };
    const uint32_t first[] = { 1067595299u, 955945823u, 477289528u, 4107218783u, 4228976476u };
    struct snap_mt19937 mt = { 0 };
    uint32_t word = 0;

    (void)state;
    snap_mt19937_init_by_array(&mt, array, 4);
    for (size_t i = 0; i < 1000; i++) {
        word = snap_mt19937_u32(&mt);
        if (i < 5) {
            assert_int_equal(word, first[i]);
        }
    }
    assert_int_equal(word, 3460025646u);
}

/* Matsumoto and Nishimura's recurrence, written with indices modulo 624. */
static void twist_is_the_recurrence(void **state)
{
    struct snap_mt19937 mt = { 0 };
    uint32_t plain[SNAP_MT19937_WORDS];

    (void)state;
    snap_mt19937_init_genrand(&mt, 42);
    for (int round = 0; round < 3; round++) {
        memcpy(plain, mt.key, sizeof plain);
        for (size_t i = 0; i < 624; i++) {
            uint32_t y = (plain[i] & 0x80000000u) | (plain[(i + 1) % 624] & 0x7fffffffu);

            plain[i] = plain[(i + 397) % 624] ^ (y >> 1) ^ (y % 2 == 1 ? 0x9908b0dfu : 0);
        }
        snap_mt19937_twist(mt.key);
        assert_memory_equal(mt.key, plain, sizeof plain);
    }
}

/* Wider numbers take the first word as the high part. */
static void word_order(void **state)
{
    struct snap_mt19937 a = { 0 };
    struct snap_mt19937 b = { 0 };
    uint64_t first, second;

    (void)state;
    snap_mt19937_init_genrand(&a, 1);
    snap_mt19937_init_genrand(&b, 1);
    first = snap_mt19937_u32(&b);
    second = snap_mt19937_u32(&b);
    assert_true(snap_mt19937_u64(&a) == (first << 32 | second));
    snap_mt19937_init_genrand(&a, 1);
    assert_true(snap_mt19937_double(&a) ==
                (double)((first >> 5) * 67108864 + (second >> 6)) / 9007199254740992.0);
}

/* A position of 0 (never made by draws, but legal in a state) gives word 0 without a twist. */
static void position_zero(void **state)
{
    struct snap_mt19937 a = { 0 };
    struct snap_mt19937 b;

    (void)state;
    snap_mt19937_init_genrand(&a, 3);
    b = a;
    snap_mt19937_twist(b.key);
    b.pos = 0;
    for (int i = 0; i < 1300; i++) {
        assert_int_equal(snap_mt19937_u32(&a), snap_mt19937_u32(&b));
    }
}

/* numpy.random.SeedSequence(12345).generate_state(4) and of a long entropy, by NumPy 1.24. */
static void seed_sequence(void **state)
{
    const uint32_t entropy[] = { 12345 };
    const uint32_t long_entropy[] = { 1, 2, 3, 4, 5, 6 };
    const uint32_t expected[] = { 2688385916u, 3048105090u, 4196366895u, 3152189807u };
    const uint32_t long_expected[] = { 488360481u, 3956080669u, 2986500235u, 3488252836u };
    struct snap_seed_sequence sequence;
    uint32_t words[4];

    (void)state;
    snap_seed_sequence_init(&sequence, entropy, 1);
    snap_seed_sequence_generate(&sequence, words, 4);
    assert_memory_equal(words, expected, sizeof words);
    snap_seed_sequence_init(&sequence, long_entropy, 6);
    snap_seed_sequence_generate(&sequence, words, 4);
    assert_memory_equal(words, long_expected, sizeof words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tenth_thousand),          cmocka_unit_test(seeded_by_array),
        cmocka_unit_test(twist_is_the_recurrence), cmocka_unit_test(word_order),
        cmocka_unit_test(position_zero),           cmocka_unit_test(seed_sequence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
