/* SPDX-License-Identifier: Apache-2.0 */
/* The shuffle of NumPy's RandomState and Generator (_shuffle_raw): Fisher and Yates, with places
 * drawn by masked rejection (random_interval of src/distributions/distributions.c). */
#ifndef SNAP_STREAM_MASKED_SHUFFLE_H
#define SNAP_STREAM_MASKED_SHUFFLE_H

#include <stddef.h>
#include <stdint.h>

/* Where words come from. */
struct snap_word_source {
    void (*fill_u32)(void *arg, uint32_t *out, size_t n);
    void (*fill_u64)(void *arg, uint64_t *out, size_t n);
    void *arg;
};

/* Items that are swapped: `stride` bytes apart. */
struct snap_shuffle_line {
    unsigned char *items;
    size_t item_bytes;
    size_t stride;
};

void snap_masked_shuffle(const struct snap_word_source *source,
                         const struct snap_shuffle_line *line, size_t count);

#endif
