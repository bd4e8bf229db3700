/* SPDX-License-Identifier: Apache-2.0 */
/* Mirrors: a stream that is set to another one's state is that one; followed there, it counts the
 * words in between, forward only; and what is no state is refused and changes nothing. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <snapstate/stream.h>

#include "stream/numpy_bit_generator.h"
#include "stream/stream_family.h"
#include "stream/torch_cpu.h"
#include "unit_check.h"

#define LIMIT 10000u

static struct snap_error err = SNAP_ERROR_INIT;

static struct snap_stream *new_stream(const char *kind, uint64_t seed)
{
    struct snap_stream *stream = NULL;

    CHECK_OK(snap_stream_new(kind, &stream, &err));
    CHECK_OK(snap_stream_seed(stream, seed, &err));
    return stream;
}

/* Draw `words` words. */
static void draw(struct snap_stream *stream, size_t words)
{
    int64_t value;
    uint64_t number;
    uint32_t word;
    float single;

    for (size_t i = 0; i < words; i++) {
        if (strcmp(snap_stream_kind(stream), "numpy_mt19937") == 0) {
            snap_bit_generator_fill_u32(snap_stream_bit_generator(stream, "test", &err), &word, 1);
        } else if (strcmp(snap_stream_kind(stream), "numpy_random_state") == 0) {
            CHECK_OK(snap_numpy_randint(stream, 0, 1 << 16, &value, 1, &err));
        } else if (strcmp(snap_stream_kind(stream), "torch_cpu") == 0) {
            CHECK_OK(snap_torch_uniform_f32(stream, 0.0, 1.0, &single, 1, &err));
        } else {
            uint64_t before = snap_stream_words_drawn(stream);

            /* Rejection: the words of one draw vary. */
            CHECK_OK(snap_python_randbelow(stream, UINT32_MAX, &number, &err));
            i += (size_t)(snap_stream_words_drawn(stream) - before) - 1;
            assert_true(i < words);
        }
    }
}

static void expect_equal(const struct snap_stream *a, const struct snap_stream *b)
{
    void *a_bytes = NULL;
    void *b_bytes = NULL;
    size_t a_size = 0;
    size_t b_size = 0;

    CHECK_OK(snap_stream_encode(a, &a_bytes, &a_size, &err));
    CHECK_OK(snap_stream_encode(b, &b_bytes, &b_size, &err));
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a_bytes, b_bytes, a_size);
    free(a_bytes);
    free(b_bytes);
}

static void follow(struct snap_stream *mirror, const struct snap_stream *stream, uint64_t words,
                   bool related)
{
    uint64_t before = snap_stream_words_drawn(mirror);
    uint64_t found = 99;
    bool is_related = !related;
    void *bytes = NULL;
    size_t size = 0;

    CHECK_OK(snap_stream_encode(stream, &bytes, &size, &err));
    CHECK_OK(snap_stream_follow(mirror, bytes, size, LIMIT, &found, &is_related, &err));
    assert_int_equal(found, words);
    assert_int_equal(is_related, related);
    assert_int_equal(snap_stream_words_drawn(mirror), before + words);
    expect_equal(mirror, stream);
    free(bytes);
}

static void follow_mt19937(struct snap_stream *mirror, const struct snap_stream *stream,
                           uint64_t words, bool related)
{
    struct snap_mt19937_state state = SNAP_MT19937_STATE_INIT;
    uint64_t before = snap_stream_words_drawn(mirror);
    uint64_t found = 99;
    bool is_related = !related;

    CHECK_OK(snap_stream_get_mt19937(stream, &state, &err));
    CHECK_OK(snap_stream_follow_mt19937(mirror, &state, LIMIT, &found, &is_related, &err));
    assert_int_equal(found, words);
    assert_int_equal(is_related, related);
    assert_int_equal(snap_stream_words_drawn(mirror), before + words);
    expect_equal(mirror, stream);
}

/* Within the block, to its end, over one and several blocks, to the limit and past it, back, and
 * after seeding; by both calls where both serve. */
static void twisters_are_followed(void **state)
{
    const char *const kinds[] = { "python_random", "numpy_random_state", "numpy_mt19937",
                                  "torch_cpu" };
    const size_t moves[] = { 0, 1, 2, 620, 1, 1, 623, 624, 625, 3000, 0, LIMIT };

    (void)state;
    for (size_t k = 0; k < 4; k++) {
        struct snap_stream *stream = new_stream(kinds[k], 5);
        struct snap_stream *mirror = new_stream(kinds[k], 5);
        struct snap_stream *twin = new_stream(kinds[k], 5);
        struct snap_stream *back = new_stream(kinds[k], 5);

        for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
            draw(stream, moves[i]);
            follow(mirror, stream, moves[i], true);
            if (k < 3) {
                follow_mt19937(twin, stream, moves[i], true);
            }
        }
        draw(stream, LIMIT + 1);
        follow(mirror, stream, 0, false);
        draw(stream, 7);
        follow(mirror, stream, 7, true);
        draw(back, 3);
        follow(mirror, back, 0, false);
        CHECK_OK(snap_stream_seed(back, 6, &err));
        draw(back, 3);
        follow(mirror, back, 0, false);
        draw(back, 1);
        follow(mirror, back, 1, true);
        if (k < 2) { /* of a bit generator the SeedSequence would stay */
            follow_mt19937(twin, back, 0, false);
        }
        snap_stream_free(stream);
        snap_stream_free(mirror);
        snap_stream_free(twin);
        snap_stream_free(back);
    }
}

/* A step back within one block is not forward. */
static void back_in_the_block(void **state)
{
    struct snap_stream *stream = new_stream("python_random", 1);
    struct snap_stream *mirror = new_stream("python_random", 1);

    (void)state;
    draw(mirror, 20);
    draw(stream, 10);
    follow_mt19937(mirror, stream, 0, false);
    draw(stream, 10);
    follow_mt19937(mirror, stream, 10, true);
    snap_stream_free(stream);
    snap_stream_free(mirror);
}

/* torch: a seed that gives the same words is another seed all the same. */
static void torch_looks_at_the_seed(void **state)
{
    struct snap_stream *stream = new_stream("torch_cpu", ((uint64_t)1 << 32) + 5);
    struct snap_stream *mirror = new_stream("torch_cpu", 5);

    (void)state;
    draw(stream, 4);
    follow(mirror, stream, 0, false);
    draw(stream, 4);
    follow(mirror, stream, 4, true);
    snap_stream_free(stream);
    snap_stream_free(mirror);
}

static void counters_are_subtracted(void **state)
{
    const unsigned char states[][16] = {
        { 5, [8] = 8 },
        { 5, [8] = 0x10, 1 },
        { 5, [8] = 4 },
        { 6, [8] = 8 },
    };
    const uint64_t words[] = { 0, 0x108, 0, 0 };
    const bool related[] = { false, true, false, false };
    struct snap_stream *stream = new_stream("torch_cuda", 0);
    struct snap_stream *mirror = new_stream("torch_cuda", 0);
    struct snap_stream *device = new_stream("philox_dropout", 9);
    struct snap_stream *shadow = new_stream("philox_dropout", 9);

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        CHECK_OK(snap_stream_decode(stream, states[i], 16, &err));
        follow(mirror, stream, words[i], related[i]);
    }
    CHECK_OK(snap_philox_dropout_advance(device, 3, &err));
    follow(shadow, device, 3, true);
    snap_stream_free(stream);
    snap_stream_free(mirror);
    snap_stream_free(device);
    snap_stream_free(shadow);
}

static void opaque_bytes_have_no_distance(void **state)
{
    struct snap_stream *mirror = NULL;
    uint64_t words = 99;
    bool related = true;

    (void)state;
    CHECK_OK(snap_stream_new("opaque", &mirror, &err));
    CHECK_OK(snap_stream_follow(mirror, "ab", 2, LIMIT, &words, &related, &err));
    assert_false(related);
    CHECK_OK(snap_stream_follow(mirror, "ab", 2, LIMIT, &words, &related, &err));
    assert_true(related && words == 0);
    assert_int_equal(snap_stream_words_drawn(mirror), 0);
    snap_stream_free(mirror);
}

/* Setting takes every field and counts nothing; reading gives it back. */
static void set_and_get(void **state)
{
    struct snap_stream *stream = new_stream("numpy_random_state", 3);
    struct snap_stream *python = new_stream("python_random", 3);
    struct snap_mt19937_state given = SNAP_MT19937_STATE_INIT;
    struct snap_mt19937_state found = SNAP_MT19937_STATE_INIT;

    (void)state;
    for (uint32_t i = 0; i < 624; i++) {
        given.key[i] = i * 2654435761u;
    }
    given.position = 17;
    given.gauss = 0.25; /* stale: has_gauss is false */
    CHECK_OK(snap_stream_set_mt19937(stream, &given, &err));
    CHECK_OK(snap_stream_get_mt19937(stream, &found, &err));
    assert_memory_equal(found.key, given.key, sizeof given.key);
    assert_int_equal(found.position, 17);
    assert_false(found.has_gauss);
    assert_true(found.gauss == 0.25);
    CHECK_OK(snap_stream_set_mt19937(python, &given, &err));
    CHECK_OK(snap_stream_get_mt19937(python, &found, &err));
    assert_true(!found.has_gauss && found.gauss == 0.0);
    given.has_gauss = true;
    CHECK_OK(snap_stream_set_mt19937(python, &given, &err));
    CHECK_OK(snap_stream_get_mt19937(python, &found, &err));
    assert_true(found.has_gauss && found.gauss == 0.25);
    draw(stream, 2);
    CHECK_OK(snap_stream_set_mt19937(stream, &given, &err));
    assert_int_equal(snap_stream_words_drawn(stream), 2);
    assert_int_equal(snap_stream_words_drawn(python), 0);
    snap_stream_free(stream);
    snap_stream_free(python);
}

/* NumPy's bit generator: a cached normal is nothing to it, its SeedSequence stays. */
static void a_bit_generator_keeps_its_seed(void **state)
{
    struct snap_stream *stream = new_stream("numpy_mt19937", 3);
    struct snap_stream *other = new_stream("numpy_mt19937", 4);
    struct snap_mt19937_state given = SNAP_MT19937_STATE_INIT;
    void *bytes = NULL;
    size_t size = 0;

    (void)state;
    CHECK_OK(snap_stream_get_mt19937(other, &given, &err));
    assert_true(!given.has_gauss && given.gauss == 0.0);
    given.has_gauss = true;
    given.gauss = 0.25;
    CHECK_OK(snap_stream_set_mt19937(stream, &given, &err));
    CHECK_OK(snap_stream_encode(stream, &bytes, &size, &err));
    assert_non_null(memmem(bytes, size, "\"entropy\":3", 11));
    CHECK_OK(snap_stream_get_mt19937(stream, &given, &err));
    assert_true(!given.has_gauss && given.gauss == 0.0);
    free(bytes);
    snap_stream_free(stream);
    snap_stream_free(other);
}

/* A mirror draws what its original draws next, and counts both ways of moving. */
static void a_mirror_draws_on(void **state)
{
    struct snap_stream *stream = new_stream("numpy_random_state", 8);
    struct snap_stream *mirror = new_stream("numpy_random_state", 8);
    int64_t theirs[700];
    int64_t ours[700];

    (void)state;
    draw(stream, 1000);
    follow_mt19937(mirror, stream, 1000, true);
    CHECK_OK(snap_numpy_randint(stream, 0, 1 << 20, theirs, 700, &err));
    CHECK_OK(snap_numpy_randint(mirror, 0, 1 << 20, ours, 700, &err));
    assert_memory_equal(theirs, ours, sizeof ours);
    assert_int_equal(snap_stream_words_drawn(mirror), 1700);
    follow_mt19937(mirror, stream, 0, true);
    snap_stream_free(stream);
    snap_stream_free(mirror);
}

/* torch's way of equalling an older release is not part of the bytes, and stays. */
static void the_version_stays(void **state)
{
    struct snap_stream *stream = new_stream("torch_cpu", 8);
    struct snap_stream *mirror = new_stream("torch_cpu", 8);
    struct snap_torch_cpu *torch = snap_stream_state(mirror, &snap_torch_cpu_family, "test", &err);

    (void)state;
    torch->version = SNAP_TORCH_1_13;
    draw(mirror, 5);
    draw(stream, 9);
    follow(mirror, stream, 4, true);
    assert_int_equal(torch->version, SNAP_TORCH_1_13);
    assert_int_equal(torch->mt.words_drawn, 5);
    snap_stream_free(stream);
    snap_stream_free(mirror);
}

static void refusals(void **state)
{
    struct snap_stream *stream = new_stream("python_random", 1);
    struct snap_stream *untouched = new_stream("python_random", 1);
    struct snap_stream *torch = new_stream("torch_cpu", 1);
    struct snap_mt19937_state given = SNAP_MT19937_STATE_INIT;
    struct snap_mt19937_state unsized = { .position = 1 };
    uint64_t words = 99;
    bool related = true;

    (void)state;
    given.position = 625;
    CHECK_FAILS(SNAP_CORRUPT, "python_random: set: the position is 625, past 624",
                snap_stream_set_mt19937(stream, &given, &err));
    CHECK_FAILS(SNAP_CORRUPT, "python_random: follow: the position",
                snap_stream_follow_mt19937(stream, &given, 1, &words, &related, &err));
    given.position = 624;
    CHECK_FAILS(SNAP_INVALID, "size_bytes", snap_stream_set_mt19937(stream, &unsized, &err));
    CHECK_FAILS(SNAP_INVALID, "no state", snap_stream_set_mt19937(stream, NULL, &err));
    CHECK_FAILS(SNAP_INVALID, "size_bytes", snap_stream_get_mt19937(stream, &unsized, &err));
    CHECK_FAILS(SNAP_INVALID, "torch_cpu: set: a twister's state needs",
                snap_stream_set_mt19937(torch, &given, &err));
    CHECK_FAILS(SNAP_INVALID, "torch_cpu: get: a twister's state needs",
                snap_stream_get_mt19937(torch, &given, &err));
    CHECK_FAILS(SNAP_INVALID, "torch_cpu: follow: a twister's state needs",
                snap_stream_follow_mt19937(torch, &given, 1, &words, &related, &err));
    CHECK_FAILS(SNAP_INVALID, "no place",
                snap_stream_follow_mt19937(stream, &given, 1, NULL, &related, &err));
    CHECK_FAILS(SNAP_INVALID, "no place",
                snap_stream_follow(stream, "{}", 2, 1, &words, NULL, &err));
    CHECK_FAILS(SNAP_CORRUPT, NULL, snap_stream_follow(stream, "{}", 2, 1, &words, &related, &err));
    assert_true(words == 99 && related);
    assert_int_equal(snap_stream_words_drawn(stream), 0);
    expect_equal(stream, untouched);
    snap_stream_free(stream);
    snap_stream_free(untouched);
    snap_stream_free(torch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twisters_are_followed),
        cmocka_unit_test(back_in_the_block),
        cmocka_unit_test(torch_looks_at_the_seed),
        cmocka_unit_test(counters_are_subtracted),
        cmocka_unit_test(opaque_bytes_have_no_distance),
        cmocka_unit_test(set_and_get),
        cmocka_unit_test(a_bit_generator_keeps_its_seed),
        cmocka_unit_test(a_mirror_draws_on),
        cmocka_unit_test(the_version_stays),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
