/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/lcg.h"

/* Steps forward, mod 2^bits: the low i bits of the state repeat after 2^i steps, so each bit of the
 * count follows from one bit of the state (Brown, "Random number generation with arbitrary
 * strides", 1994). */
static uint64_t steps_forward(const struct snap_lcg *lcg, uint64_t from, uint64_t to)
{
    uint64_t a = lcg->a;
    uint64_t c = lcg->c;
    uint64_t count = 0;

    for (unsigned i = 0; i < lcg->bits; i++) {
        if ((from ^ to) >> i & 1) {
            from = a * from + c;
            count |= (uint64_t)1 << i;
        }
        c *= a + 1;
        a *= a;
    }
    return count;
}

static bool search(const struct snap_lcg *lcg, uint64_t from, uint64_t to, uint64_t limit,
                   uint64_t *count)
{
    const uint64_t mask = ((uint64_t)1 << lcg->bits) - 1;

    for (uint64_t i = 0;; i++) {
        if (from == to) {
            *count = i;
            return true;
        }
        if (i >= limit) {
            return false;
        }
        from = (lcg->a * from + lcg->c) & mask;
    }
}

bool snap_lcg_distance(const struct snap_lcg *lcg, uint64_t from, uint64_t to, uint64_t limit,
                       int64_t *steps)
{
    const uint64_t period = (uint64_t)1 << lcg->bits;
    uint64_t count;

    if (lcg->a % 4 == 1 && lcg->c % 2 == 1) {
        count = steps_forward(lcg, from, to);
        *steps = count <= period / 2 ? (int64_t)count : -(int64_t)(period - count);
        return (*steps < 0 ? period - count : count) <= limit;
    }
    limit = limit < period ? limit : period; /* it has come round by then */
    if (search(lcg, from, to, limit, &count)) {
        *steps = (int64_t)count;
        return true;
    }
    if (search(lcg, to, from, limit, &count)) {
        *steps = -(int64_t)count;
        return true;
    }
    return false;
}
