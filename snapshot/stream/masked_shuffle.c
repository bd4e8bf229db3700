/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/masked_shuffle.h"

#include <string.h>

/* Words on the stack at once. */
#define BLOCK 512u

#define INLINED static inline __attribute__((always_inline))

static void swap_large(unsigned char *a, unsigned char *b, size_t size_bytes)
{
    unsigned char kept[256];

    while (size_bytes > 0) {
        size_t piece = size_bytes < sizeof kept ? size_bytes : sizeof kept;

        memcpy(kept, a, piece);
        memmove(a, b, piece); /* an item may be swapped with itself */
        memcpy(b, kept, piece);
        a += piece;
        b += piece;
        size_bytes -= piece;
    }
}

/* `item_bytes` is that of the line, as a constant where the compiler can make use of it. */
INLINED void swap(const struct snap_shuffle_line *line, size_t item_bytes, size_t i, size_t j)
{
    unsigned char *a = line->items + i * line->stride;
    unsigned char *b = line->items + j * line->stride;
    uint64_t kept[2];

    if (item_bytes > sizeof kept[0]) {
        swap_large(a, b, item_bytes);
        return;
    }
    memcpy(&kept[0], a, item_bytes);
    memcpy(&kept[1], b, item_bytes);
    memcpy(a, &kept[1], item_bytes);
    memcpy(b, &kept[0], item_bytes);
}

/* random_interval(max), max > UINT32_MAX. */
static uint64_t wide_interval(const struct snap_word_source *source, uint64_t max)
{
    uint64_t mask = UINT64_MAX >> __builtin_clzll(max);
    uint64_t value;

    do {
        source->fill_u64(source->arg, &value, 1);
        value &= mask;
    } while (value > max);
    return value;
}

/* From the last item to the second: swap it with one of those up to it. A word gives a place, or is
 * too large and passed over. No more words are made than items are left, so all are used. Places
 * are found first and swaps made then: which words are passed over cannot be foreseen, and a
 * processor that guesses wrong would wait. */
INLINED void shuffle_line(const struct snap_word_source *source,
                          const struct snap_shuffle_line *line, size_t item_bytes, size_t count)
{
    uint32_t words[BLOCK];
    uint32_t places[BLOCK];
    size_t at = 0;
    size_t made = 0;
    size_t top = count > 0 ? count - 1 : 0; /* the next item to swap */

    for (; top > UINT32_MAX; top--) {
        swap(line, item_bytes, top, wide_interval(source, top));
    }
    while (top > 0) {
        uint32_t mask = UINT32_MAX >> __builtin_clz((uint32_t)top);
        size_t same_mask = top - (mask >> 1); /* items until it is halved */
        size_t found = 0;

        if (at == made) {
            made = top < BLOCK ? top : BLOCK;
            at = 0;
            source->fill_u32(source->arg, words, made);
        }
        while (at < made && found < same_mask) {
            uint32_t place = words[at++] & mask;

            places[found] = place;
            found += place <= top - found;
        }
        for (size_t i = 0; i < found; i++) {
            swap(line, item_bytes, top - i, places[i]);
        }
        top -= found;
    }
}

void snap_masked_shuffle(const struct snap_word_source *source,
                         const struct snap_shuffle_line *line, size_t count)
{
    switch (line->item_bytes) {
    case 1:
        shuffle_line(source, line, 1, count);
        break;
    case 2:
        shuffle_line(source, line, 2, count);
        break;
    case 4:
        shuffle_line(source, line, 4, count);
        break;
    case 8:
        shuffle_line(source, line, 8, count);
        break;
    default:
        shuffle_line(source, line, line->item_bytes, count);
        break;
    }
}
