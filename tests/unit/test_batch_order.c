/* SPDX-License-Identifier: Apache-2.0 */
/* The order of an epoch against CPython, and going back to a place in it. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/batch_order.h"

enum { SAMPLES = 10 };

/* random.seed(42); then twice: order = list(range(10)); random.shuffle(order). CPython 3.11.2. */
static const uint32_t orders[2][SAMPLES] = { { 7, 3, 2, 8, 5, 6, 9, 4, 0, 1 },
                                             { 3, 5, 2, 4, 1, 8, 7, 0, 6, 9 } };

static struct snap_stream *new_python(void)
{
    struct snap_stream *python;
    assert_int_equal(snap_stream_new("python_random", &python, NULL), SNAP_OK);
    assert_int_equal(snap_stream_seed(python, 42, NULL), SNAP_OK);
    return python;
}

/* Two epochs in batches of 4 are the two orders, cut as `drop` says. */
static void two_epochs(bool drop)
{
    static const size_t sizes[] = { 4, 4, 2 };
    struct snap_stream *python = new_python();
    struct trn_batch_order order;
    size_t batches = drop ? 2 : 3;
    assert_int_equal(trn_batch_order_init(&order, SAMPLES, 4, drop, NULL), SNAP_OK);
    assert_int_equal(trn_batch_order_steps(&order), batches);
    for (size_t epoch = 0; epoch < 2; epoch++) {
        const uint32_t *expected = orders[epoch];
        for (size_t batch = 0; batch < batches; batch++) {
            const uint32_t *ids;
            size_t count;
            bool ends;
            assert_int_equal(trn_batch_order_next(&order, python, &ids, &count, &ends, NULL),
                             SNAP_OK);
            assert_int_equal(order.epoch, epoch);
            assert_int_equal(count, sizes[batch]);
            assert_memory_equal(ids, expected, count * sizeof(*ids));
            assert_int_equal(ends, batch == batches - 1);
            expected += count;
        }
    }
    trn_batch_order_release(&order);
    snap_stream_free(python);
}

static void epochs_are_pythons(void **state)
{
    (void)state;
    two_epochs(false);
    two_epochs(true);
}

/* Encode the stream and copy the position, as an archive does. */
struct place {
    void *stream;
    size_t stream_size;
    struct snap_position position;
    void *start;
};

static void keep(struct place *place, const struct trn_batch_order *order,
                 const struct snap_stream *python)
{
    assert_int_equal(snap_stream_encode(python, &place->stream, &place->stream_size, NULL),
                     SNAP_OK);
    trn_batch_order_position(order, &place->position);
    place->start = NULL;
    if (place->position.order_start != NULL) {
        place->start = malloc(place->position.order_start_size);
        memcpy(place->start, place->position.order_start, place->position.order_start_size);
        place->position.order_start = place->start;
    }
}

static void let_go(struct place *place)
{
    free(place->stream);
    free(place->start);
}

/* From every place in two epochs, the rest is the same as without the stop. */
static void restored_at_every_batch(void **state)
{
    (void)state;
    enum { BATCHES = 6 };
    for (int stop = 0; stop < BATCHES; stop++) {
        struct snap_stream *python = new_python();
        struct snap_stream *other = new_python();
        struct trn_batch_order order;
        struct trn_batch_order restored;
        struct place place;
        const uint32_t *ids;
        const uint32_t *again;
        size_t count;
        size_t count_again;
        bool ends;
        assert_int_equal(trn_batch_order_init(&order, SAMPLES, 4, false, NULL), SNAP_OK);
        assert_int_equal(trn_batch_order_init(&restored, SAMPLES, 4, false, NULL), SNAP_OK);
        for (int i = 0; i < stop; i++)
            assert_int_equal(trn_batch_order_next(&order, python, &ids, &count, &ends, NULL),
                             SNAP_OK);
        keep(&place, &order, python);
        assert_int_equal(place.position.epoch, stop / 3);
        assert_int_equal(place.position.position, stop % 3 * 4);
        assert_int_equal(place.position.order_stream != NULL, stop % 3 != 0);
        assert_int_equal(snap_stream_decode(other, place.stream, place.stream_size, NULL),
                         SNAP_OK);
        assert_int_equal(trn_batch_order_restore(&restored, &place.position, NULL), SNAP_OK);
        for (int i = stop; i < BATCHES; i++) {
            assert_int_equal(trn_batch_order_next(&order, python, &ids, &count, &ends, NULL),
                             SNAP_OK);
            assert_int_equal(
                trn_batch_order_next(&restored, other, &again, &count_again, &ends, NULL), SNAP_OK);
            assert_int_equal(count, count_again);
            assert_memory_equal(ids, again, count * sizeof(*ids));
            assert_int_equal(order.epoch, restored.epoch);
        }
        let_go(&place);
        trn_batch_order_release(&order);
        trn_batch_order_release(&restored);
        snap_stream_free(python);
        snap_stream_free(other);
    }
}

static void other_data_are_refused(void **state)
{
    (void)state;
    struct snap_stream *python = new_python();
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_batch_order order;
    struct trn_batch_order other;
    struct place place;
    const uint32_t *ids;
    size_t count;
    bool ends;
    assert_int_equal(trn_batch_order_init(&order, SAMPLES, 4, false, NULL), SNAP_OK);
    assert_int_equal(trn_batch_order_next(&order, python, &ids, &count, &ends, NULL), SNAP_OK);
    keep(&place, &order, python);

    assert_int_equal(trn_batch_order_init(&other, SAMPLES + 1, 4, false, NULL), SNAP_OK);
    assert_int_equal(trn_batch_order_restore(&other, &place.position, &err), SNAP_DIFFERS);
    assert_non_null(strstr(err.text, "this data has 11"));
    trn_batch_order_release(&other);

    assert_int_equal(trn_batch_order_init(&other, SAMPLES, 3, false, NULL), SNAP_OK);
    assert_int_equal(trn_batch_order_restore(&other, &place.position, &err), SNAP_DIFFERS);
    assert_non_null(strstr(err.text, "no batch of 3 begins there"));
    trn_batch_order_release(&other);

    assert_int_equal(trn_batch_order_init(&other, SAMPLES, 4, false, NULL), SNAP_OK);
    place.position.order_digest[31] ^= 1;
    assert_int_equal(trn_batch_order_restore(&other, &place.position, &err), SNAP_DIFFERS);
    assert_non_null(strstr(err.text, "another digest"));
    trn_batch_order_release(&other);

    let_go(&place);
    trn_batch_order_release(&order);
    snap_stream_free(python);
}

static void an_epoch_without_a_batch_is_refused(void **state)
{
    (void)state;
    struct snap_error err = SNAP_ERROR_INIT;
    struct trn_batch_order order;
    assert_int_equal(trn_batch_order_init(&order, SAMPLES, 11, true, &err), SNAP_INVALID);
    assert_non_null(strstr(err.text, "training.batch_size"));
    assert_int_equal(trn_batch_order_init(&order, 0, 1, false, &err), SNAP_INVALID);
    assert_int_equal(trn_batch_order_init(&order, SAMPLES, 11, false, &err), SNAP_OK);
    assert_int_equal(trn_batch_order_steps(&order), 1);
    trn_batch_order_release(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(epochs_are_pythons),
        cmocka_unit_test(restored_at_every_batch),
        cmocka_unit_test(other_data_are_refused),
        cmocka_unit_test(an_epoch_without_a_batch_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
