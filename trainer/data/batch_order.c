/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "data/batch_order.h"

#include <stdlib.h>
#include <string.h>

enum snap_status trn_batch_order_init(struct trn_batch_order *order, size_t samples,
                                      size_t batch_size, bool drop_last, struct snap_error *err)
{
    if (samples == 0 || samples > UINT32_MAX)
        return snap_error_set(err, SNAP_INVALID,
                              "training data: %zu samples: 1 to %u can be ordered", samples,
                              (unsigned)UINT32_MAX);
    if (drop_last && batch_size > samples)
        return snap_error_set(err, SNAP_INVALID,
                              "training.batch_size: %zu of %zu samples, and training.last_batch is "
                              "\"drop\": no batch is left: expected at most %zu",
                              batch_size, samples, samples);
    memset(order, 0, sizeof(*order));
    order->order = malloc(samples * sizeof(order->order[0]));
    if (order->order == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "training data: no memory to order %zu samples",
                              samples);
    order->samples = samples;
    order->batch_size = batch_size;
    order->drop_last = drop_last;
    return SNAP_OK;
}

void trn_batch_order_release(struct trn_batch_order *order)
{
    free(order->order);
    free(order->start);
    memset(order, 0, sizeof(*order));
}

uint64_t trn_batch_order_steps(const struct trn_batch_order *order)
{
    uint64_t full = order->samples / order->batch_size;
    bool rest = order->samples % order->batch_size != 0;
    return full + (rest && !order->drop_last ? 1 : 0);
}

/* Samples of an epoch that are in a batch. */
static size_t samples_used(const struct trn_batch_order *order)
{
    return order->drop_last ? order->samples - order->samples % order->batch_size : order->samples;
}

static enum snap_status shuffle(struct trn_batch_order *order, struct snap_stream *python,
                                struct snap_error *err)
{
    for (size_t i = 0; i < order->samples; i++)
        order->order[i] = (uint32_t)i;
    enum snap_status status = snap_python_shuffle(python, order->order, order->samples, err);
    if (status != SNAP_OK)
        return status;
    return snap_sample_digest(order->order, order->samples, order->digest, err);
}

enum snap_status trn_batch_order_next(struct trn_batch_order *order, struct snap_stream *python,
                                      const uint32_t **ids, size_t *count, bool *ends_epoch,
                                      struct snap_error *err)
{
    if (order->position == samples_used(order)) {
        order->epoch++;
        order->position = 0;
    }
    if (order->position == 0) {
        free(order->start);
        order->start = NULL;
        enum snap_status status =
            snap_stream_encode(python, &order->start, &order->start_size, err);
        if (status == SNAP_OK)
            status = shuffle(order, python, err);
        if (status != SNAP_OK)
            return status;
    }
    size_t left = samples_used(order) - order->position;
    *count = left < order->batch_size ? left : order->batch_size;
    *ids = order->order + order->position;
    order->position += *count;
    *ends_epoch = order->position == samples_used(order);
    return SNAP_OK;
}

void trn_batch_order_position(const struct trn_batch_order *order, struct snap_position *position)
{
    *position = (struct snap_position)SNAP_POSITION_INIT;
    if (order->position == samples_used(order)) {
        position->epoch = order->epoch + 1;
        return;
    }
    position->epoch = order->epoch;
    position->position = order->position;
    if (order->position == 0)
        return;
    position->order_stream = TRN_ORDER_STREAM;
    position->order_start = order->start;
    position->order_start_size = order->start_size;
    position->order_samples = order->samples;
    memcpy(position->order_digest, order->digest, SNAP_DIGEST_BYTES);
}

/* Shuffle as the epoch's start did, without touching the run's own stream. */
static enum snap_status shuffle_from(struct trn_batch_order *order,
                                     const struct snap_position *position, struct snap_error *err)
{
    struct snap_stream *python = NULL;
    void *start = malloc(position->order_start_size > 0 ? position->order_start_size : 1);
    if (start == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "order of the epoch: no memory");
    if (position->order_start_size > 0)
        memcpy(start, position->order_start, position->order_start_size);
    enum snap_status status = snap_stream_new("python_random", &python, err);
    if (status == SNAP_OK)
        status = snap_stream_decode(python, start, position->order_start_size, err);
    if (status == SNAP_OK)
        status = shuffle(order, python, err);
    snap_stream_free(python);
    if (status != SNAP_OK) {
        free(start);
        return status;
    }
    free(order->start);
    order->start = start;
    order->start_size = position->order_start_size;
    return SNAP_OK;
}

enum snap_status trn_batch_order_restore(struct trn_batch_order *order,
                                         const struct snap_position *position,
                                         struct snap_error *err)
{
    if (position->position == 0) {
        order->epoch = position->epoch;
        order->position = 0;
        return SNAP_OK;
    }
    if (position->order_stream == NULL || strcmp(position->order_stream, TRN_ORDER_STREAM) != 0 ||
        position->order_samples != order->samples)
        return snap_error_set(err, SNAP_DIFFERS,
                              "place in the data: it is in an order of %llu samples by stream %s: "
                              "this data has %zu, ordered by %s",
                              (unsigned long long)position->order_samples,
                              position->order_stream != NULL ? position->order_stream : "(none)",
                              order->samples, TRN_ORDER_STREAM);
    if (position->position >= samples_used(order) || position->position % order->batch_size != 0)
        return snap_error_set(err, SNAP_DIFFERS,
                              "place in the data: %llu samples of epoch %llu: no batch of %zu "
                              "begins there: training.batch_size or training.last_batch is another",
                              (unsigned long long)position->position,
                              (unsigned long long)position->epoch, order->batch_size);
    enum snap_status status = shuffle_from(order, position, err);
    if (status != SNAP_OK)
        return status;
    if (memcmp(order->digest, position->order_digest, SNAP_DIGEST_BYTES) != 0)
        return snap_error_set(err, SNAP_DIFFERS,
                              "order of epoch %llu: shuffled again from the state of stream %s, it "
                              "has another digest than the archive's",
                              (unsigned long long)position->epoch, TRN_ORDER_STREAM);
    order->epoch = position->epoch;
    order->position = (size_t)position->position;
    return SNAP_OK;
}
