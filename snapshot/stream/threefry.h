/* SPDX-License-Identifier: Apache-2.0 */
/* The counter-based generator Threefry (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3", 2011), bit for bit as in Random123. JAX's keys are made of the form 2x32 with
 * 20 rounds; the others are for the published answers. */
#ifndef SNAP_STREAM_THREEFRY_H
#define SNAP_STREAM_THREEFRY_H

#include <stdint.h>

#define SNAP_THREEFRY_ROUNDS 20u

/* `words` is the counter on entry and the random words on return. */
void snap_threefry2x32(unsigned rounds, const uint32_t key[2], uint32_t words[2]);
void snap_threefry4x32(unsigned rounds, const uint32_t key[4], uint32_t words[4]);
void snap_threefry2x64(unsigned rounds, const uint64_t key[2], uint64_t words[2]);
void snap_threefry4x64(unsigned rounds, const uint64_t key[4], uint64_t words[4]);

#endif
