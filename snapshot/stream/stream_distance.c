/* SPDX-License-Identifier: Apache-2.0 */
/* How far one state is from another. A twister cannot be subtracted, so the state is stepped a
 * whole block of 624 words at a time and compared; positions inside a block are subtracted. */
#include "config.h"

#include <string.h>

#include "stream/mt19937.h"
#include "stream/stream_family.h"

/* No machine steps further in a year; the bound keeps sums of words from overflowing. */
#define MOST_WORDS ((uint64_t)1 << 56)

bool snap_mt19937_forward(const struct snap_mt19937 *from, const struct snap_mt19937 *to,
                          uint64_t limit_words, uint64_t *words)
{
    uint64_t limit = limit_words < MOST_WORDS ? limit_words : MOST_WORDS;
    uint32_t key[SNAP_MT19937_WORDS];
    uint64_t start = 0; /* of key's block, in words from the block of `from` */

    memcpy(key, from->key, sizeof key);
    for (;;) {
        if (memcmp(key, to->key, sizeof key) == 0) {
            *words = start + to->pos - from->pos; /* below 0: wrapped past any limit */
            return *words <= limit;
        }
        /* The block after this one starts at the word start + 624. */
        if (start + SNAP_MT19937_WORDS > from->pos &&
            start + SNAP_MT19937_WORDS - from->pos > limit) {
            return false;
        }
        snap_mt19937_twist(key);
        start += SNAP_MT19937_WORDS;
    }
}

bool snap_mt19937_distance(const struct snap_mt19937 *from, const struct snap_mt19937 *to,
                           uint64_t limit_words, int64_t *words)
{
    uint64_t found;

    if (snap_mt19937_forward(from, to, limit_words, &found)) {
        *words = (int64_t)found;
        return true;
    }
    if (snap_mt19937_forward(to, from, limit_words, &found)) {
        *words = -(int64_t)found;
        return true;
    }
    return false;
}

bool snap_forward_distance(bool (*forward)(const void *from, const void *to, uint64_t limit_words,
                                           uint64_t *words),
                           const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    uint64_t limit = limit_words < MOST_WORDS ? limit_words : MOST_WORDS;
    uint64_t found;

    if (forward(from, to, limit, &found)) {
        *words = (int64_t)found;
        return true;
    }
    if (forward(to, from, limit, &found)) {
        *words = -(int64_t)found;
        return true;
    }
    return false;
}

bool snap_counter_distance(uint64_t from, uint64_t to, int64_t *words)
{
    uint64_t size = to >= from ? to - from : from - to;

    if (size > INT64_MAX) {
        return false;
    }
    *words = to >= from ? (int64_t)size : -(int64_t)size;
    return true;
}
