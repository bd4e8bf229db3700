/* SPDX-License-Identifier: Apache-2.0 */
/* Distances of linear congruential generators x -> a x + c mod 2^bits. */
#ifndef SNAP_STREAM_LCG_H
#define SNAP_STREAM_LCG_H

#include <stdbool.h>
#include <stdint.h>

struct snap_lcg {
    uint64_t a, c;
    unsigned bits; /* 1..62 */
};

/* Steps from `from` to `to`, the nearer way round, when they are at most `limit`. Where the period
 * is full (a mod 4 is 1, c odd) every state is on the way, and the steps are found bit by bit; else
 * they are looked for one by one. */
bool snap_lcg_distance(const struct snap_lcg *lcg, uint64_t from, uint64_t to, uint64_t limit,
                       int64_t *steps);

#endif
