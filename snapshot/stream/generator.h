/* SPDX-License-Identifier: Apache-2.0 */
/* What the draws of <snapstate/stream_draws.h> share: numbers made of a reader's words, in the
 * order of operations of NumPy's src/distributions/distributions.c. */
#ifndef SNAP_STREAM_GENERATOR_H
#define SNAP_STREAM_GENERATOR_H

#include <stdint.h>

#include "stream/numpy_word_reader.h"

/* random_bounded_uint64(0, range): one number, of 32-bit words if they are wide enough. A range of
 * 0 draws nothing. */
uint64_t snap_generator_bounded(struct snap_bit_generator *g, uint64_t range);

double snap_reader_normal_f64(struct snap_reader_u64 *r);
float snap_reader_normal_f32(struct snap_reader_u32 *r);
double snap_reader_exponential_f64(struct snap_reader_u64 *r);
float snap_reader_exponential_f32(struct snap_reader_u32 *r);

/* Public draws without a stream around the generator: random_raw, random(dtype=float32),
 * standard_normal, standard_exponential, permutation. */
void snap_generator_fill_raw(struct snap_bit_generator *g, uint64_t *out, size_t n);
void snap_generator_fill_f32(struct snap_bit_generator *g, float *out, size_t n);
void snap_generator_fill_normal_f64(struct snap_bit_generator *g, double *out, size_t n);
void snap_generator_fill_normal_f32(struct snap_bit_generator *g, float *out, size_t n);
void snap_generator_fill_exponential_f64(struct snap_bit_generator *g, double *out, size_t n);
void snap_generator_fill_exponential_f32(struct snap_bit_generator *g, float *out, size_t n);
void snap_generator_fill_permutation(struct snap_bit_generator *g, int64_t *out, size_t n);

#endif
