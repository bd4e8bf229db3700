/* SPDX-License-Identifier: Apache-2.0 */
/* How far a stream moved, as the alarm after a restore tells it. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <snapstate/stream.h>

struct bytes {
    void *data;
    size_t size;
};

static struct snap_error err = SNAP_ERROR_INIT;

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

    assert_int_equal(snap_stream_encode(stream, &bytes.data, &bytes.size, &err), SNAP_OK);
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
    assert_int_equal(found, words);
}

static void draw(struct snap_stream *stream, size_t words)
{
    int64_t number;
    float single;

    for (size_t i = 0; i < words; i++) {
        if (strcmp(snap_stream_kind(stream), "torch_cpu") == 0) {
            assert_int_equal(snap_torch_uniform_f32(stream, 0.0, 1.0, &single, 1, &err), SNAP_OK);
        } else {
            assert_int_equal(snap_numpy_randint(stream, 0, 4294967296, &number, 1, &err), SNAP_OK);
        }
    }
}

/* Every distance across three blocks, both ways, from a fresh state and from one in mid-block. */
static void twisters_are_stepped(void **state)
{
    const char *const kinds[] = { "numpy_random_state", "torch_cpu" };
    const size_t starts[] = { 0, 1, 300, 623, 624 };

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        for (size_t s = 0; s < 5; s++) {
            struct snap_stream *stream = seeded(kinds[k], 7);
            struct bytes from;
            const size_t steps[] = { 0, 1, 2, 321, 300, 1, 2, 622, 625 };
            int64_t total = 0;

            draw(stream, starts[s]);
            from = encoded(stream);
            for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
                struct bytes to;

                draw(stream, steps[i]);
                total += (int64_t)steps[i];
                to = encoded(stream);
                expect(kinds[k], from, to, 5000, true, total);
                expect(kinds[k], to, from, 5000, true, -total);
                expect(kinds[k], from, to, (uint64_t)total, true, total);
                if (total > 0) {
                    expect(kinds[k], from, to, (uint64_t)total - 1, false, 0);
                    expect(kinds[k], to, from, (uint64_t)total - 1, false, 0);
                }
                free(to.data);
            }
            free(from.data);
            snap_stream_free(stream);
        }
    }
}

static void other_seed_is_unrelated(void **state)
{
    struct snap_stream *a = seeded("python_random", 1);
    struct snap_stream *b = seeded("python_random", 2);
    struct bytes from = encoded(a);
    struct bytes to = encoded(b);

    (void)state;
    expect("python_random", from, to, 100000, false, 0);
    expect("python_random", from, from, 0, true, 0);
    free(from.data);
    free(to.data);
    snap_stream_free(a);
    snap_stream_free(b);
}

static void counters_are_subtracted(void **state)
{
    struct snap_stream *stream = seeded("philox_dropout", 9);
    struct snap_stream *other = seeded("philox_dropout", 10);
    struct bytes from = encoded(stream);
    struct bytes to;
    struct bytes unrelated = encoded(other);

    (void)state;
    assert_int_equal(snap_philox_dropout_advance(stream, 4000000000u, &err), SNAP_OK);
    to = encoded(stream);
    expect("philox_dropout", from, to, 0, true, 4000000000);
    expect("philox_dropout", to, from, 0, true, -4000000000);
    expect("philox_dropout", from, unrelated, 0, false, 0);
    free(from.data);
    free(to.data);
    free(unrelated.data);
    snap_stream_free(stream);
    snap_stream_free(other);
}

static void other_kinds(void **state)
{
    unsigned char cuda[2][16] = { { 1, 0, 0, 0, 0, 0, 0, 0, 8 }, { 1, 0, 0, 0, 0, 0, 0, 0, 4, 1 } };
    unsigned char cuda_seed[16] = { 2 };
    struct bytes near = { cuda[0], 16 };
    struct bytes far = { cuda[1], 16 };
    struct bytes unrelated = { cuda_seed, 16 };
    struct bytes text = { (void *)(uintptr_t) "state", 5 };
    struct bytes longer = { (void *)(uintptr_t) "state ", 6 };
    struct bytes changed = { (void *)(uintptr_t) "stale", 5 };

    (void)state;
    expect("torch_cuda", near, far, 0, true, 252);
    expect("torch_cuda", far, near, 0, true, -252);
    expect("torch_cuda", near, unrelated, 1000, false, 0);
    expect("opaque", text, text, 0, true, 0);
    expect("opaque", text, longer, 1000, false, 0);
    expect("opaque", text, changed, 1000, false, 0);
}

static void refused(void **state)
{
    int64_t words = 99;
    bool related = true;

    (void)state;
    assert_int_equal(snap_stream_distance("no such", "", 0, "", 0, 1, &words, &related, &err),
                     SNAP_UNSUPPORTED);
    assert_int_equal(snap_stream_distance("torch_cuda", "", 0, "", 0, 1, &words, &related, &err),
                     SNAP_CORRUPT);
    assert_int_equal(snap_stream_distance("opaque", "", 0, "", 0, 1, NULL, &related, &err),
                     SNAP_INVALID);
    assert_true(words == 99 && related);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twisters_are_stepped),    cmocka_unit_test(other_seed_is_unrelated),
        cmocka_unit_test(counters_are_subtracted), cmocka_unit_test(other_kinds),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
