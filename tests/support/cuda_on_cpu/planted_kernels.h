/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels with and without a fault, for the test that faults show on the CPU. */
#ifndef PLANTED_KERNELS_H
#define PLANTED_KERNELS_H

#ifdef __cplusplus
extern "C" {
#endif

#define PLANTED_THREADS 64

/* out[i] = the square of i, turned round in shared memory; without the barrier a thread may read
 * what was not written yet. */
void planted_reverse(int with_barrier, float out[PLANTED_THREADS]);
/* The same of copies from `in` that go on beside the threads: out = in turned round. */
void planted_copies(int with_wait, const float in[PLANTED_THREADS], float out[PLANTED_THREADS]);
/* out = in, which each thread reads from where its neighbour then copies something else to; without
 * the barrier between, that may be what it reads. */
void planted_early_copy(int with_barrier, const float in[PLANTED_THREADS],
                        float out[PLANTED_THREADS]);
/* A thread ends before its copy: ends the program. */
void planted_lost_copy(void);
/* Half of the threads come to a barrier: ends the program. */
void planted_half_barrier(void);
/* Half of a warp comes to a shuffle: ends the program. */
void planted_half_shuffle(void);
/* out = the sum of the lanes' squares, by shuffles. */
void planted_shuffles(float *out);

#ifdef __cplusplus
}
#endif

#endif
