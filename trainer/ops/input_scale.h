/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of the data to floats by a table of 256 entries, whose bits belong to a run's record. */
#ifndef TRN_INPUT_SCALE_H
#define TRN_INPUT_SCALE_H

#include <stddef.h>
#include <stdint.h>

/* table[v] = f32((v / 255 - mean) / std) in doubles, rounded once; mean 0 and std 1 give v / 255.
 * `std` is finite and > 0. */
void trn_input_scale_init(float table[256], double mean, double std);

/* table[v] = v: tokens stay what they are. */
void trn_input_tokens_init(float table[256]);

/* out[i] = table[pixels[i]], host memory. */
void trn_input_scale(const float table[256], const uint8_t *pixels, size_t n, float *out);

#endif
