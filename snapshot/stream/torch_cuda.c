/* SPDX-License-Identifier: Apache-2.0 */
/* torch's CUDA generator: a seed and a count of 32-bit words per thread (ATen/cuda/
 * CUDAGeneratorImpl.cpp, ATen/native/cuda/DistributionTemplates.h). A kernel of n elements runs in
 * blocks of 256 threads, as many as n needs, or as the GPU holds at once if those are fewer. Each
 * thread has a Philox subsequence of its own, and takes a block of four words for every `unroll`
 * elements that it serves; the generator then moves by what one thread took. So what the elements
 * become depends on the GPU once there are more of them than threads that it holds. */
#include "config.h"

#include <snapstate/stream.h>
#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "format/json_canonical.h"
#include "format/json_fields.h"
#include "stream/curand_uniform.h"
#include "stream/philox.h"
#include "stream/stream_family.h"
#include "stream/stream_json.h"

#define KIND "torch_cuda"
/* Up to 1.13 the two numbers stood behind 200 words of four bytes 0xff. */
#define OLD_PREFIX_BYTES 800u
#define STATE_BYTES 16u
#define BLOCK_THREADS 256u
/* Threads that every GPU holds: those with one multiprocessor hold 2048. */
#define LEAST_THREADS 2048u

struct torch_cuda {
    uint64_t seed;
    uint64_t offset;      /* a multiple of 4, at most 2^63-1 */
    uint64_t words_drawn; /* a thread, since the object was made; no part of the state */
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

/* ---- the form of releases up to 1.13 ---- */

static enum snap_status encode_legacy(const void *state, void **bytes, size_t *size_bytes,
                                      struct snap_error *err)
{
    const struct torch_cuda *c = state;
    unsigned char *out = malloc(OLD_PREFIX_BYTES + STATE_BYTES);

    if (out == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, "stream " KIND ": encode: no memory");
    }
    memset(out, 0xff, OLD_PREFIX_BYTES);
    snap_put_u64(out + OLD_PREFIX_BYTES, c->seed);
    snap_put_u64(out + OLD_PREFIX_BYTES + 8, c->offset);
    *bytes = out;
    *size_bytes = OLD_PREFIX_BYTES + STATE_BYTES;
    return SNAP_OK;
}

static enum snap_status decode_legacy(void *state, const void *bytes, size_t size_bytes,
                                      struct snap_error *err)
{
    if (size_bytes <= OLD_PREFIX_BYTES) {
        return snap_error_set(err, SNAP_CORRUPT,
                              "stream " KIND ": decode: %zu bytes where the old form has 816 (or "
                              "808)",
                              size_bytes);
    }
    return decode(state, bytes, size_bytes, err);
}

/* ---- JSON, for people ---- */

static enum snap_status encode_json(const void *state, void **bytes, size_t *size_bytes,
                                    struct snap_error *err)
{
    const struct torch_cuda *c = state;

    return snap_stream_json_encode("stream " KIND,
                                   json_pack("{s:s, s:o, s:o}", "kind", KIND, "offset",
                                             snap_json_u64(c->offset), "seed",
                                             snap_json_u64(c->seed)),
                                   bytes, size_bytes, err);
}

static enum snap_status decode_json(void *state, const void *bytes, size_t size_bytes,
                                    struct snap_error *err)
{
    unsigned char raw[STATE_BYTES];
    uint64_t value = 0;
    uint64_t offset = 0;
    json_t *object = NULL;
    enum snap_status status =
        snap_stream_json_load("stream " KIND, bytes, size_bytes, &object, err);

    if (status == SNAP_OK) {
        status = snap_json_check_keys(object, "kind offset seed", "stream " KIND, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_name("stream " KIND, object, "kind", KIND, err);
    }
    if (status == SNAP_OK) {
        status =
            snap_stream_json_get_uint("stream " KIND, object, "offset", INT64_MAX, &offset, err);
    }
    if (status == SNAP_OK) {
        status = snap_stream_json_get_uint("stream " KIND, object, "seed", UINT64_MAX, &value, err);
    }
    if (status == SNAP_OK) {
        snap_put_u64(raw, value);
        snap_put_u64(raw + 8, offset);
        status = decode(state, raw, sizeof raw, err);
    }
    json_decref(object);
    return status;
}

static const struct snap_stream_form_row forms[] = {
    SNAP_FORM_ROW("json", "seed and offset, for people", encode_json, decode_json),
    SNAP_FORM_ROW("legacy", "torch.cuda.get_rng_state() up to 1.13, 816 bytes", encode_legacy,
                  decode_legacy),
    SNAP_FORM_END,
};

/* ---- draws ---- */

/* The numbers of one kernel: `unroll` of them to a block of a thread's words. */
struct kernel {
    const struct torch_cuda *generator;
    uint64_t threads;
    unsigned unroll;
};

/* The first of the 4 / unroll words of an element. */
static void element_words(const struct kernel *kernel, uint64_t element, uint32_t *words)
{
    const struct torch_cuda *c = kernel->generator;
    uint64_t row = element / kernel->threads; /* each thread serves one element of a row */
    uint64_t thread = element % kernel->threads;
    unsigned count = 4 / kernel->unroll;
    struct snap_at_philox p;

    snap_at_philox_init(&p, c->seed, thread, c->offset / 4 + row / kernel->unroll);
    for (unsigned skip = (unsigned)(row % kernel->unroll) * count; skip > 0; skip--) {
        snap_at_philox_u32(&p);
    }
    for (unsigned i = 0; i < count; i++) {
        words[i] = snap_at_philox_u32(&p);
    }
}

/* As a tensor gets it: the interval is turned round to [0, 1). */
static float put_f32(uint32_t word)
{
    float number = snap_curand_uniform_f32(word);

    return number == 1.0f ? 0.0f : number;
}

static double put_f64(const uint32_t words[2])
{
    double number = snap_curand_uniform_f64(words[0], words[1]);

    return number == 1.0 ? 0.0 : number;
}

static void put(enum snap_dtype dtype, const uint32_t *words, void *out, size_t i)
{
    switch (dtype) {
    case SNAP_U32:
        ((uint32_t *)out)[i] = words[0];
        break;
    case SNAP_F32:
        ((float *)out)[i] = put_f32(words[0]);
        break;
    case SNAP_F64:
        ((double *)out)[i] = put_f64(words);
        break;
    case SNAP_I64:
        ((int64_t *)out)[i] = (int64_t)(((uint64_t)words[0] << 32 | words[1]) & INT64_MAX);
        break;
    default:
        ((uint64_t *)out)[i] = (uint64_t)words[0] << 32 | words[1];
        break;
    }
}

static enum snap_status run_kernel(struct torch_cuda *c, enum snap_dtype dtype,
                                   uint64_t resident_threads, void *out, size_t n,
                                   struct snap_error *err)
{
    uint64_t needed = ((uint64_t)n + BLOCK_THREADS - 1) / BLOCK_THREADS * BLOCK_THREADS;
    uint64_t held = resident_threads / BLOCK_THREADS * BLOCK_THREADS;
    struct kernel kernel = { c, needed < held ? needed : held,
                             snap_dtype_size_bytes(dtype) == 8 ? 2 : 4 };
    uint64_t step;

    if (n == 0) {
        return SNAP_OK;
    }
    if (n > INT32_MAX) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "stream " KIND ": draw: more than 2^31-1 elements, which torch cuts "
                              "into several kernels");
    }
    step = 4 * (((uint64_t)n - 1) / (kernel.threads * kernel.unroll) + 1);
    if (step > INT64_MAX - c->offset) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "stream " KIND ": draw: the offset would pass 2^63-1");
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t words[2];

        element_words(&kernel, i, words);
        put(dtype, words, out, i);
    }
    c->offset += step;
    c->words_drawn += step;
    return SNAP_OK;
}

/* By name: what is the same on every GPU. */
static enum snap_status draw(void *state, enum snap_dtype dtype, void *out, size_t n,
                             struct snap_error *err)
{
    if (n > LEAST_THREADS) {
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "stream " KIND ": draw: past 2048 elements the numbers depend on how "
                              "many threads the GPU holds; ask for at most 2048");
    }
    return run_kernel(state, dtype, LEAST_THREADS, out, n, err);
}

static enum snap_status draw_f32(void *state, void *out, size_t n, struct snap_error *err)
{
    return draw(state, SNAP_F32, out, n, err);
}

static enum snap_status draw_f64(void *state, void *out, size_t n, struct snap_error *err)
{
    return draw(state, SNAP_F64, out, n, err);
}

static enum snap_status draw_i64(void *state, void *out, size_t n, struct snap_error *err)
{
    return draw(state, SNAP_I64, out, n, err);
}

static enum snap_status draw_u32(void *state, void *out, size_t n, struct snap_error *err)
{
    return draw(state, SNAP_U32, out, n, err);
}

static enum snap_status draw_u64(void *state, void *out, size_t n, struct snap_error *err)
{
    return draw(state, SNAP_U64, out, n, err);
}

static const struct snap_stream_draw_row draws[] = {
    SNAP_DRAW_ROW("f32", "torch.rand(n, device='cuda')", SNAP_F32, false, draw_f32),
    SNAP_DRAW_ROW("f64", "torch.rand(n, device='cuda', dtype=torch.float64)", SNAP_F64, false,
                  draw_f64),
    SNAP_DRAW_ROW("i64", "torch.empty(n, device='cuda', dtype=torch.int64).random_()", SNAP_I64,
                  false, draw_i64),
    SNAP_DRAW_ROW("u32", "the word that each element of a kernel of n gets first", SNAP_U32, false,
                  draw_u32),
    SNAP_DRAW_ROW("u64", "the two words that each element of 64 bits gets, the first one high",
                  SNAP_U64, false, draw_u64),
    SNAP_DRAW_END,
};

/* ---- the rest of the family ---- */

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

static uint64_t words_drawn(const void *state)
{
    return ((const struct torch_cuda *)state)->words_drawn;
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
    .words_drawn = words_drawn,
    .distance = distance,
    .unit = "word a thread",
    .units = "words a thread",
    .draws = draws,
    .forms = forms,
};

enum snap_status snap_torch_cuda_kernel(struct snap_stream *stream, enum snap_dtype dtype,
                                        uint64_t resident_threads, void *out, size_t n,
                                        struct snap_error *err)
{
    struct torch_cuda *c = snap_stream_state(stream, &snap_torch_cuda_family, "kernel", err);

    if (c == NULL) {
        return SNAP_INVALID;
    }
    if (resident_threads < BLOCK_THREADS) {
        return snap_error_set(err, SNAP_INVALID,
                              "stream " KIND ": kernel: no GPU holds fewer than 256 threads");
    }
    if (dtype != SNAP_U32 && dtype != SNAP_U64 && dtype != SNAP_I64 && dtype != SNAP_F32 &&
        dtype != SNAP_F64) {
        return snap_error_set(err, SNAP_INVALID,
                              "stream " KIND
                              ": kernel: the dtype is not u32, u64, i64, f32 or f64");
    }
    return run_kernel(c, dtype, resident_threads, out, n, err);
}
