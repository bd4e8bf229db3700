/* SPDX-License-Identifier: Apache-2.0 */
/* torch's CUDA generator: a seed and a count of 32-bit words per thread (ATen/cuda/
 * CUDAGeneratorImpl.cpp). What a kernel draws depends on its launch, hence on the GPU; the state
 * and how far it has moved do not. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "stream/stream_family.h"

#define KIND "torch_cuda"
/* Up to 1.13 the two numbers stood behind 200 words of four bytes 0xff. */
#define OLD_PREFIX_BYTES 800u
#define STATE_BYTES 16u

struct torch_cuda {
    uint64_t seed;
    uint64_t offset; /* a multiple of 4, at most 2^63-1 */
};

static enum snap_status encode(const void *state, void **bytes, size_t *size_bytes,
                               struct snap_error *err)
{
    const struct torch_cuda *c = state;
    unsigned char *out = malloc(STATE_BYTES);

    if (out == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "stream " KIND ": encode: no memory");
    }
    snap_put_u64(out, c->seed);
    snap_put_u64(out + 8, c->offset);
    *bytes = out;
    *size_bytes = STATE_BYTES;
    return SNAP_OK;
}

static enum snap_status decode(void *state, const void *bytes, size_t size_bytes,
                               struct snap_error *err)
{
    struct torch_cuda *c = state;
    const unsigned char *in = bytes;
    size_t rest = size_bytes; /* without the old prefix */
    uint64_t offset;

    if (size_bytes > OLD_PREFIX_BYTES) {
        for (size_t i = 0; i < OLD_PREFIX_BYTES; i++) {
            if (in[i] != 0xff) {
                return snap_error_set(err, SNAP_CORRUPT,
                                      "stream " KIND ": decode: byte %zu is not 0xff, as the "
                                      "old form has it",
                                      i);
            }
        }
        in += OLD_PREFIX_BYTES;
        rest -= OLD_PREFIX_BYTES;
    }
    if (rest != 8 && rest != STATE_BYTES) {
        return snap_error_set(err, SNAP_CORRUPT,
                              "stream " KIND ": decode: %zu bytes where 16 (or, in old forms, 8, "
                              "808 or 816) are needed",
                              size_bytes);
    }
    offset = rest == 8 ? 0 : snap_get_u64(in + 8);
    if (offset > INT64_MAX || offset % 4 != 0) {
        return snap_error_set(err, SNAP_CORRUPT,
                              "stream " KIND ": decode: the offset is negative or no multiple "
                              "of 4");
    }
    c->seed = snap_get_u64(in);
    c->offset = offset;
    return SNAP_OK;
}

static enum snap_status seed(void *state, uint64_t value, struct snap_error *err)
{
    struct torch_cuda *c = state;

    (void)err; /* every 64-bit number is a seed */
    c->seed = value;
    c->offset = 0;
    return SNAP_OK;
}

static void init(void *state)
{
    memset(state, 0, sizeof(struct torch_cuda));
}

static bool distance(const void *from, const void *to, uint64_t limit_words, int64_t *words)
{
    const struct torch_cuda *a = from;
    const struct torch_cuda *b = to;

    (void)limit_words; /* nothing is stepped */
    return a->seed == b->seed && snap_counter_distance(a->offset, b->offset, words);
}

const struct snap_stream_family snap_torch_cuda_family = {
    .name = KIND,
    .state_size_bytes = sizeof(struct torch_cuda),
    .init = init,
    .seed = seed,
    .encode = encode,
    .decode = decode,
    .distance = distance,
};
