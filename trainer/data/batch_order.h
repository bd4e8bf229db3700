/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the samples in an epoch, from the Python stream. At the start of each epoch a
 * Python user would write
 *
 *     order = list(range(n))
 *     random.shuffle(order)
 *
 * and take batches off its front. The order is not part of the state: it follows from the
 * stream's state before the shuffle, which is kept, and its digest, which is compared. */
#ifndef TRN_BATCH_ORDER_H
#define TRN_BATCH_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/run.h>
#include <snapstate/status.h>
#include <snapstate/stream.h>

/* The name of the stream in archives. */
#define TRN_ORDER_STREAM "python"

struct trn_batch_order {
    size_t samples;       /* of an epoch */
    size_t batch_size;
    bool drop_last;       /* a last batch smaller than batch_size is left out */
    uint64_t epoch;       /* from 0 */
    size_t position;      /* samples of this epoch that were given out; 0: no order drawn yet */
    uint32_t *order;      /* `samples` ids; owned */
    void *start;          /* the stream's bytes before the shuffle; NULL at position 0; owned */
    size_t start_size;
    unsigned char digest[SNAP_DIGEST_BYTES];
};

/* At the start of epoch 0. SNAP_INVALID: not one batch in an epoch. Release it afterwards. */
enum snap_status trn_batch_order_init(struct trn_batch_order *order, size_t samples,
                                      size_t batch_size, bool drop_last, struct snap_error *err);
void trn_batch_order_release(struct trn_batch_order *order); /* a zeroed struct is fine */

/* Updates in an epoch. */
uint64_t trn_batch_order_steps(const struct trn_batch_order *order);

/* The ids of the next batch, shuffling first when an epoch starts. Borrowed until the next call.
 * *ends_epoch: no batch of this epoch is left after it. */
enum snap_status trn_batch_order_next(struct trn_batch_order *order, struct snap_stream *python,
                                      const uint32_t **ids, size_t *count, bool *ends_epoch,
                                      struct snap_error *err);

/* Where the next batch begins, for snap_run_set_position: after the last batch of an epoch that
 * is the next epoch, position 0, without an order. Pointers are borrowed until the next call on
 * `order`. */
void trn_batch_order_position(const struct trn_batch_order *order, struct snap_position *position);

/* Go to a restored position. The order is shuffled again from the state at the start of the
 * epoch, on a stream of its own, and must have the digest. SNAP_DIFFERS: it has not, or the
 * position does not fit the data or the batch size. */
enum snap_status trn_batch_order_restore(struct trn_batch_order *order,
                                         const struct snap_position *position,
                                         struct snap_error *err);

#endif
