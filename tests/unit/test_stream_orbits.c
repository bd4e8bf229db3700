/* SPDX-License-Identifier: Apache-2.0 */
/* Distances of the kinds that compute or step them: right wherever a state was moved by a known
 * number of draws, none for another seed or past the limit, and each the other way round too. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <snapstate/stream.h>

#include "core/bytes.h"
#include "stream/lcg.h"
#include "stream/xorwow.h"

static struct snap_error err = SNAP_ERROR_INIT;

struct bytes {
    unsigned char *data;
    size_t size;
};

static struct snap_stream *seeded(const char *kind, uint64_t seed)
{
    struct snap_stream *stream = NULL;

    assert_int_equal(snap_stream_new(kind, &stream, &err), SNAP_OK);
    assert_int_equal(snap_stream_seed(stream, seed, &err), SNAP_OK);
    return stream;
}

static struct bytes encoded(const struct snap_stream *stream)
{
    struct bytes bytes = { NULL, 0 };

    assert_int_equal(snap_stream_encode(stream, (void **)&bytes.data, &bytes.size, &err), SNAP_OK);
    return bytes;
}

static struct bytes text(const char *member)
{
    struct bytes bytes = { (unsigned char *)strdup(member), strlen(member) };

    assert_non_null(bytes.data);
    return bytes;
}

static void expect(const char *kind, struct bytes from, struct bytes to, uint64_t limit,
                   bool related, int64_t words)
{
    bool found_related = !related;
    int64_t found = 99;

    assert_int_equal(snap_stream_distance(kind, from.data, from.size, to.data, to.size, limit,
                                          &found, &found_related, &err),
                     SNAP_OK);
    assert_int_equal(found_related, related);
    assert_true(found == words);
}

/* Both ways, and with a limit that is one too small, where the kind has one. */
static void expect_both(const char *kind, struct bytes from, struct bytes to, uint64_t limit,
                        int64_t words, bool has_limit)
{
    expect(kind, from, to, limit, true, words);
    expect(kind, to, from, limit, true, -words);
    if (has_limit && words != 0) {
        expect(kind, from, to, (uint64_t)(words < 0 ? -words : words) - 1, false, 0);
        expect(kind, to, from, (uint64_t)(words < 0 ? -words : words) - 1, false, 0);
    }
}

/* Draws of `draw` numbers each, which move the state by `per_draw` of its units. */
static void drawn_states(void **state)
{
    static const struct {
        const char *kind, *draw;
        int64_t per_number;
        bool has_limit;
    } kinds[] = {
        { "std_mt19937", "u32", 1, true },    { "std_mt19937_64", "u64", 2, true },
        { "drand48", "f64", 1, true },        { "random_r", "u31", 1, true },
        { "curand_philox", "u32", 1, false }, { "curand_xorwow", "u32", 1, true },
        { "curand_host", "u32", 1, false },   { "tensorflow_generator", "u64", 256, false },
    };
    static const size_t steps[] = { 0, 1, 2, 3, 4, 5, 300, 311, 312, 313, 622, 624, 1000 };
    uint64_t *numbers = calloc(1000, sizeof *numbers);

    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct snap_stream *stream = seeded(kinds[k].kind, 7);
        struct snap_stream *other = seeded(kinds[k].kind, 8);
        struct bytes from, unrelated = encoded(other);
        int64_t total = 0;

        assert_int_equal(snap_stream_draw(stream, kinds[k].draw, numbers, 10, &err), SNAP_OK);
        from = encoded(stream);
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            struct bytes to;

            assert_int_equal(snap_stream_draw(stream, kinds[k].draw, numbers, steps[i], &err),
                             SNAP_OK);
            total += kinds[k].per_number * (int64_t)steps[i];
            to = encoded(stream);
            expect_both(kinds[k].kind, from, to, 1000000, total, kinds[k].has_limit);
            free(to.data);
        }
        if (strcmp(kinds[k].kind, "tensorflow_generator") != 0) { /* there it is a counter */
            expect(kinds[k].kind, from, unrelated, 100000, false, 0);
            expect(kinds[k].kind, unrelated, from, 100000, false, 0);
        }
        free(from.data);
        free(unrelated.data);
        snap_stream_free(stream);
        snap_stream_free(other);
    }
    free(numbers);
}

static void split_keys(void **state)
{
    struct snap_stream *stream = seeded("jax_key", 42);
    struct bytes from = encoded(stream);
    struct bytes original = text("{\"impl\":\"threefry2x32\",\"key\":[0,42],\"kind\":\"jax_key\","
                                 "\"partitionable\":false,\"x64\":false}\n");

    (void)state;
    for (int64_t i = 1; i <= 50; i++) {
        char member[160];
        struct bytes to;
        uint32_t key[2];

        assert_int_equal(snap_jax_split(stream, 1, key, &err), SNAP_OK);
        snprintf(member, sizeof member,
                 "{\"impl\":\"threefry2x32\",\"key\":[%lu,%lu],\"kind\":\"jax_key\","
                 "\"partitionable\":true,\"x64\":false}\n",
                 (unsigned long)key[0], (unsigned long)key[1]);
        to = text(member);
        assert_int_equal(snap_stream_decode(stream, to.data, to.size, &err), SNAP_OK);
        expect_both("jax_key", from, to, 1000, i, true);
        free(to.data);
    }
    /* In the other layout other keys come of it. */
    expect("jax_key", from, original, 1000, false, 0);
    free(from.data);
    free(original.data);
    snap_stream_free(stream);
}

/* ---- counters ---- */

static struct bytes tensorflow(const char *low, const char *high, const char *key)
{
    char member[200];

    snprintf(member, sizeof member,
             "{\"algorithm\":\"philox\",\"kind\":\"tensorflow_generator\",\"state\":[%s,%s,%s]}\n",
             low, high, key);
    return text(member);
}

static void wide_counters(void **state)
{
    struct bytes end = tensorflow("-1", "5", "7");
    struct bytes carried = tensorflow("2", "6", "7");
    struct bytes far = tensorflow("\"9223372036854775807\"", "6", "7");
    struct bytes other_key = tensorflow("2", "6", "8");
    struct bytes half = tensorflow("\"-9223372036854775808\"", "6", "7");
    struct bytes zero = tensorflow("0", "6", "7");

    (void)state;
    expect_both("tensorflow_generator", end, carried, 0, 3, false);
    expect("tensorflow_generator", end, far, 0, false, 0); /* 2^63 */
    expect("tensorflow_generator", carried, other_key, 0, false, 0);
    expect("tensorflow_generator", half, zero, 0, true, INT64_MIN);
    expect("tensorflow_generator", zero, half, 0, false, 0);
    free(end.data);
    free(carried.data);
    free(far.data);
    free(other_key.data);
    free(half.data);
    free(zero.data);
}

/* Of an array the words of all states; not when they moved apart. */
static void arrays(void **state)
{
    static const char *const kinds[] = { "curand_philox", "curand_xorwow" };

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct snap_stream *one = seeded(kinds[k], 5);
        struct snap_stream *three;
        struct bytes single = encoded(one);
        unsigned char *states = malloc(3 * single.size);
        struct bytes from, to, mixed;
        uint32_t words[8];

        assert_non_null(states);
        for (size_t i = 0; i < 3; i++) {
            memcpy(states + i * single.size, single.data, single.size);
        }
        assert_int_equal(snap_stream_new(kinds[k], &three, &err), SNAP_OK);
        assert_int_equal(snap_stream_decode(three, states, 3 * single.size, &err), SNAP_OK);
        assert_int_equal(snap_stream_seed(three, 9, &err), SNAP_OK);
        from = encoded(three);
        assert_int_equal(snap_stream_draw(three, "u32", words, 8, &err), SNAP_OK);
        to = encoded(three);
        expect(kinds[k], from, to, 100, true, 8);
        expect(kinds[k], to, from, 100, true, -8);
        expect(kinds[k], from, single, 100, false, 0);
        /* State 0 as it was later, state 1 as it was earlier. */
        mixed = encoded(three);
        memcpy(mixed.data, to.data, single.size);
        memcpy(mixed.data + single.size, from.data + single.size, single.size);
        memcpy(to.data, from.data, single.size);
        expect(kinds[k], to, mixed, 100, false, 0);
        free(single.data);
        free(states);
        free(from.data);
        free(to.data);
        free(mixed.data);
        snap_stream_free(one);
        snap_stream_free(three);
    }
}

/* XORWOW is jumped, not stepped: past 2^32 steps too, where its sum has come round. */
static void far_xorwow(void **state)
{
    static const uint64_t distances[] = { 1,           12345,       99999999,           4294967295u,
                                          4294967296u, 4294967297u, 3 * 4294967296u + 5 };

    (void)state;
    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        struct snap_xorwow x;
        unsigned char near[48] = { 0 }, far[48] = { 0 };
        struct bytes from = { near, sizeof near };
        struct bytes to = { far, sizeof far };

        snap_xorwow_seed(&x, 77);
        snap_put_u32(near, x.d);
        for (size_t w = 0; w < SNAP_XORWOW_WORDS; w++) {
            snap_put_u32(near + 4 + 4 * w, x.v[w]);
        }
        snap_xorwow_skip(&x, distances[i]);
        snap_put_u32(far, x.d);
        for (size_t w = 0; w < SNAP_XORWOW_WORDS; w++) {
            snap_put_u32(far + 4 + 4 * w, x.v[w]);
        }
        expect_both("curand_xorwow", from, to, (uint64_t)1 << 40, (int64_t)distances[i], true);
    }
}

/* ---- congruential generators ---- */

/* Every pair of states of a small one, against stepping. */
static void small_congruential(void **state)
{
    static const struct snap_lcg lcgs[] = {
        { 5, 3, 6 }, { 29, 1, 6 }, /* full period */
        { 3, 1, 6 }, { 5, 2, 6 },  /* shorter orbits */
        { 4, 3, 6 }, { 1, 0, 6 },  /* one that runs into a state, one that stays */
    };

    (void)state;
    for (size_t k = 0; k < sizeof lcgs / sizeof lcgs[0]; k++) {
        for (uint64_t from = 0; from < 64; from++) {
            bool reached[64] = { false };
            uint64_t x = from;

            for (uint64_t steps = 0; steps < 64; steps++) {
                int64_t found = 99;

                if (!reached[x]) {
                    reached[x] = true;
                    assert_true(snap_lcg_distance(&lcgs[k], from, x, 64, &found));
                    /* The nearer way round where every state is on one orbit. */
                    assert_true(found == (int64_t)steps ||
                                (k < 2 && steps > 32 && found == (int64_t)steps - 64));
                }
                x = (lcgs[k].a * x + lcgs[k].c) & 63;
            }
        }
    }
}

static void congruential_limits(void **state)
{
    const struct snap_lcg type_0 = { 1103515245u, 12345u, 31 };
    uint64_t x = 42;
    int64_t steps;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        x = (type_0.a * x + type_0.c) & 0x7fffffff;
    }
    assert_true(snap_lcg_distance(&type_0, 42, x, 1000, &steps) && steps == 1000);
    assert_true(snap_lcg_distance(&type_0, x, 42, 1000, &steps) && steps == -1000);
    assert_false(snap_lcg_distance(&type_0, 42, x, 999, &steps));
    assert_false(snap_lcg_distance(&type_0, x, 42, 999, &steps));
}

/* splitmix64 */
static uint64_t random_u64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Random pairs a known number of steps apart, up to half the period. */
static void random_pairs(void **state)
{
    const struct snap_lcg drand48 = { 0x5deece66du, 0xb, 48 };
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < 1000000; i++) {
        const uint64_t mask = ((uint64_t)1 << 48) - 1;
        uint64_t from = random_u64(&random) & mask;
        uint64_t count = (random_u64(&random) & mask >> 1) >> (random_u64(&random) % 47);
        uint64_t a = drand48.a, c = drand48.c, to = from;
        int64_t steps;

        for (uint64_t left = count; left > 0; left >>= 1) {
            if (left & 1) {
                to = (a * to + c) & mask;
            }
            c *= a + 1;
            a *= a;
        }
        assert_true(snap_lcg_distance(&drand48, from, to, count, &steps));
        assert_true(steps == (int64_t)count);
        assert_true(snap_lcg_distance(&drand48, to, from, count, &steps));
        assert_true(steps == -(int64_t)count);
        assert_true(count == 0 || !snap_lcg_distance(&drand48, from, to, count - 1, &steps));
    }
}

/* Other constants are another generator. */
static void drand48_constants(void **state)
{
    struct bytes a = text("{\"a\":25214903917,\"c\":11,\"kind\":\"drand48\",\"x\":5}\n");
    struct bytes b = text("{\"a\":25214903917,\"c\":13,\"kind\":\"drand48\",\"x\":5}\n");
    /* x -> 2 x: no full period, stepped. */
    struct bytes even = text("{\"a\":2,\"c\":0,\"kind\":\"drand48\",\"x\":5}\n");
    struct bytes later = text("{\"a\":2,\"c\":0,\"kind\":\"drand48\",\"x\":640}\n");
    struct bytes never = text("{\"a\":2,\"c\":0,\"kind\":\"drand48\",\"x\":7}\n");

    (void)state;
    expect("drand48", a, b, UINT64_MAX, false, 0);
    expect_both("drand48", even, later, 1000, 7, true);
    expect("drand48", even, never, 1000, false, 0);
    free(a.data);
    free(b.data);
    free(even.data);
    free(later.data);
    free(never.data);
}

/* Tables of random_r with the rear elsewhere can hold the same numbers. */
static void random_r_turned(void **state)
{
    struct bytes a =
        text("{\"kind\":\"random_r\",\"rear\":0,\"state\":[1,2,3,4,5,6,7],\"type\":1}\n");
    struct bytes b =
        text("{\"kind\":\"random_r\",\"rear\":2,\"state\":[6,7,1,2,3,4,5],\"type\":1}\n");
    struct bytes c =
        text("{\"kind\":\"random_r\",\"rear\":1,\"state\":[1,2,3,5,5,6,7],\"type\":1}\n");
    struct bytes seed =
        text("{\"kind\":\"random_r\",\"rear\":0,\"state\":[4294967295],\"type\":0}\n");
    struct bytes next =
        text("{\"kind\":\"random_r\",\"rear\":0,\"state\":[1043980748],\"type\":0}\n");

    (void)state;
    expect("random_r", a, b, 0, true, 0);
    expect_both("random_r", b, c, 10, 1, true);
    expect("random_r", a, seed, 10, false, 0); /* another type */
    expect_both("random_r", seed, next, 10, 1, true);
    free(a.data);
    free(b.data);
    free(c.data);
    free(seed.data);
    free(next.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drawn_states),        cmocka_unit_test(split_keys),
        cmocka_unit_test(wide_counters),       cmocka_unit_test(arrays),
        cmocka_unit_test(far_xorwow),          cmocka_unit_test(small_congruential),
        cmocka_unit_test(congruential_limits), cmocka_unit_test(random_pairs),
        cmocka_unit_test(drand48_constants),   cmocka_unit_test(random_r_turned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
