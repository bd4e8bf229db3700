/* SPDX-License-Identifier: Apache-2.0 */
/* Philox against Random123's published answers, the streams made of it against each other, and the
 * trainer's device stream. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <snapstate/stream.h>

#include "stream/philox.h"

/* Random123's kat_vectors: philox4x32, 10 rounds; counter and key of the last are digits of pi. */
static const struct answer {
    uint32_t counter[4], key[2], out[4];
} answers[] = {
    { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u } },
    { { 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu },
      { 0xffffffffu, 0xffffffffu },
      { 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu } },
    { { 0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u },
      { 0xa4093822u, 0x299f31d0u },
      { 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u } },
};

static void published_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct answer *a = &answers[i];
        uint32_t words[4];

        memcpy(words, a->counter, sizeof words);
        snap_philox4x32(SNAP_PHILOX_ROUNDS, a->key, words);
        assert_memory_equal(words, a->out, sizeof words);
    }
}

/* Blocks side by side, as this CPU can, against those one by one, and both against the block
 * itself. */
static void many_blocks(void **state)
{
    const uint64_t key[2] = { 0x0123456789abcdefu, 0xfedcba9876543210u };
    const uint64_t counter[4] = { 0xfffffffffffffe00u, 0xffffffffffffffffu, 5,
                                  0x8000000000000000u };
    static uint64_t out[2][41 * 4];

    (void)state;
    for (size_t blocks = 0; blocks <= 40; blocks++) {
        memset(out, 0x5a, sizeof out);
        snap_philox4x64_blocks(key, counter, out[0], blocks);
        snap_philox4x64_blocks_portable(key, counter, out[1], blocks);
        assert_memory_equal(out[0], out[1], sizeof out[0]); /* and nothing behind them */
        for (size_t i = 0; i < blocks; i++) {
            uint64_t block[4] = { counter[0] + i, counter[1], counter[2], counter[3] };

            snap_philox4x64(SNAP_PHILOX_ROUNDS, key, block);
            assert_memory_equal(out[0] + 4 * i, block, sizeof block);
        }
    }
}

/* Which field of a dropout block goes where in key and counter. */
static void dropout_block(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        const struct answer *a = &answers[i];
        uint32_t words[4];

        snap_philox_dropout_block((uint64_t)a->key[1] << 32 | a->key[0],
                                  (uint64_t)a->counter[1] << 32 | a->counter[0], a->counter[2],
                                  a->counter[3], words);
        assert_memory_equal(words, a->out, sizeof words);
    }
}

/* A word by its index is the word at that place of the stream, from any offset. */
static void words_of_a_cuda_thread(void **state)
{
    const uint64_t seed = 0x123456789abcdef0u;

    (void)state;
    for (uint64_t offset = 0; offset < 9; offset++) {
        struct snap_at_philox stream;

        snap_at_philox_init(&stream, seed, 77, 0);
        for (uint64_t i = 0; i < offset; i++) {
            snap_at_philox_u32(&stream);
        }
        for (uint64_t i = 0; i < 25; i++) {
            assert_int_equal(snap_curand_philox_word(seed, 77, offset, i),
                             snap_at_philox_u32(&stream));
        }
    }
}

/* The counter of blocks carries through all its 128 bits, into the subsequence too. */
static void counter_carries(void **state)
{
    struct snap_at_philox stream;
    uint32_t expected[4] = { 0, 0, 6, 0 };
    const uint32_t key[2] = { 1, 0 };

    (void)state;
    snap_at_philox_init(&stream, 1, 5, UINT64_MAX);
    for (int i = 0; i < 4; i++) {
        snap_at_philox_u32(&stream);
    }
    snap_philox4x32(SNAP_PHILOX_ROUNDS, key, expected);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(snap_at_philox_u32(&stream), expected[i]);
    }
}

static void device_stream(void **state)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_stream *stream = NULL;
    uint32_t counter = 99;
    uint64_t seed = 99;

    (void)state;
    assert_int_equal(snap_stream_new("philox_dropout", &stream, &err), SNAP_OK);
    assert_int_equal(snap_stream_seed(stream, 1234567890123456789u, &err), SNAP_OK);
    assert_int_equal(snap_philox_dropout_seed(stream, &seed, &err), SNAP_OK);
    assert_true(seed == 1234567890123456789u);
    assert_int_equal(snap_philox_dropout_counter(stream, &counter, &err), SNAP_OK);
    assert_int_equal(counter, 0);
    assert_int_equal(snap_philox_dropout_advance(stream, 3, &err), SNAP_OK);
    assert_int_equal(snap_philox_dropout_advance(stream, UINT32_MAX - 3, &err), SNAP_OK);
    assert_int_equal(snap_philox_dropout_counter(stream, &counter, &err), SNAP_OK);
    assert_int_equal(counter, UINT32_MAX);
    assert_true(snap_stream_words_drawn(stream) == UINT32_MAX);
    assert_int_equal(snap_philox_dropout_advance(stream, 1, &err), SNAP_UNSUPPORTED);
    assert_int_equal(snap_philox_dropout_counter(stream, &counter, &err), SNAP_OK);
    assert_int_equal(counter, UINT32_MAX);
    /* A new seed starts the counter again, and leaves the count of steps. */
    assert_int_equal(snap_stream_seed(stream, 5, &err), SNAP_OK);
    assert_int_equal(snap_philox_dropout_counter(stream, &counter, &err), SNAP_OK);
    assert_int_equal(counter, 0);
    assert_true(snap_stream_words_drawn(stream) == UINT32_MAX);
    snap_stream_free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_answers), cmocka_unit_test(dropout_block),
        cmocka_unit_test(words_of_a_cuda_thread), cmocka_unit_test(counter_carries),
        cmocka_unit_test(device_stream),     cmocka_unit_test(many_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
