/* SPDX-License-Identifier: Apache-2.0 */
/* What the profile cudnn-1 must give on any device, for libraries that are made of the CPU and for
 * real ones. */
#ifndef CUDNN_DEVICE_TEST_H
#define CUDNN_DEVICE_TEST_H

/* Convolutions, poolings and products of small whole numbers, of which every sum is exact in any
 * order: they have the bits of portable-1. */
void cudnn_test_operators(void);

/* The dropout's generator: what was drawn once is drawn again after its state was set. */
void cudnn_test_generator(void);

#endif
