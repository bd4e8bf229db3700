/* SPDX-License-Identifier: Apache-2.0 */
/* Augmentation and scaling of a batch, from the NumPy stream. For each sample, in the order of the
 * batch, a NumPy user would write (what is switched off draws nothing)
 *
 *     if shift: dy, dx = np.random.randint(-shift, shift + 1, 2)
 *     if flip:  mirror = np.random.randint(0, 2)
 *     if noise: u = np.random.uniform(-noise, noise, (height, width, channels))
 *
 * and then: pixel (y, x) is that of (y - dy, x - dx), 0 outside; if mirror, x runs backwards; the
 * byte becomes a float32 by the table of trn_input_scale_init; and u, rounded to float32, is
 * added to it. uniform is -noise + (2 * noise) * d in doubles, d from random_sample. */
#ifndef TRN_AUGMENT_H
#define TRN_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>
#include <snapstate/stream.h>

#include "data/dataset.h"

struct trn_augment {
    unsigned shift; /* pixels, each way and axis */
    bool flip;      /* left and right, for half of the samples */
    double noise;   /* half the width of the noise, in units of scaled pixels; 0: none */
};

/* Fill `out` (count, height, width, channels) with the samples `ids` of `dataset`, augmented.
 * `scratch` has one image's elements. NULL for `augment`: only scaled, nothing drawn. */
enum snap_status trn_augment_batch(const struct trn_augment *augment,
                                   const struct trn_dataset *dataset,
                                   const struct trn_image_shape *shape, const float table[256],
                                   const uint32_t *ids, size_t count, struct snap_stream *numpy,
                                   double *scratch, float *out, struct snap_error *err);

#endif
