/* SPDX-License-Identifier: Apache-2.0 */
/* randperm, multinomial, and the orders that torch.utils.data makes of them
 * (native/TensorFactories.cpp, native/Distributions.cpp, native/cpu/MultinomialKernel.cpp,
 * torch/utils/data/sampler.py). */
#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stream/seed_sequence.h"
#include "stream/torch_cpu.h"

#define OBJECT "stream torch_cpu: "
/* Permutations this long are drawn from 64-bit words, since 2.0. */
#define LONG_PERMUTATION (UINT32_MAX / 20)
#define BLOCK 512u /* words on the stack at once */

void snap_torch_randperm_long(struct snap_torch_cpu *t, uint64_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t z = (size_t)(snap_torch_u64(t) % (i + 1));

        out[i] = i;
        out[i] = out[z];
        out[z] = i;
    }
}

void snap_torch_randperm(struct snap_torch_cpu *t, uint64_t *out, size_t n)
{
    if (t->version >= SNAP_TORCH_2_0 && n >= LONG_PERMUTATION) {
        snap_torch_randperm_long(t, out, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = i;
    }
    for (size_t i = 0; i + 1 < n;) {
        uint32_t words[BLOCK];
        size_t count = n - 1 - i < BLOCK ? n - 1 - i : BLOCK;

        snap_torch_words(t, words, count);
        for (size_t w = 0; w < count; w++, i++) {
            size_t left = n - i;
            size_t z = i + (left <= UINT32_MAX ? snap_torch_remainder(words[w], (uint32_t)left)
                                               : words[w]);
            uint64_t item = out[i];

            out[i] = out[z];
            out[z] = item;
        }
    }
}

uint64_t snap_torch_draw_seed(struct snap_torch_cpu *t)
{
    return snap_torch_u64(t) & INT64_MAX;
}

/* Whole permutations, and always one more for the rest, even when there is none. */
static enum snap_status order_by_permutation(struct snap_torch_cpu *t, size_t n, size_t count,
                                             uint64_t *out, struct snap_error *err)
{
    uint64_t *rest = calloc(n, sizeof *rest);

    if (rest == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, OBJECT "RandomSampler: no memory");
    }
    for (; count >= n; count -= n, out += n) {
        snap_torch_randperm(t, out, n);
    }
    snap_torch_randperm(t, rest, n);
    memcpy(out, rest, count * sizeof *out);
    free(rest);
    return SNAP_OK;
}

enum snap_status snap_torch_random_sampler(struct snap_torch_cpu *t, size_t n, bool replacement,
                                           size_t num_samples, bool explicit_generator,
                                           uint64_t *out, struct snap_error *err)
{
    struct snap_torch_cpu private = { .version = t->version };
    struct snap_torch_cpu *source = t;
    int64_t to = (int64_t)n;

    if (n == 0 || n > INT64_MAX) {
        return snap_error_set(err, SNAP_INVALID, OBJECT "RandomSampler: nothing to sample from");
    }
    if (!explicit_generator) {
        snap_torch_seed(&private, snap_torch_draw_seed(t));
        source = &private;
    }
    if (replacement) {
        return snap_torch_random_from_to(source, SNAP_I64, 0, &to, out, num_samples, err);
    }
    return order_by_permutation(source, n, num_samples, out, err);
}

/* ---- multinomial ---- */

static double to_type(enum snap_dtype dtype, double value)
{
    return dtype == SNAP_F32 ? (double)(float)value : value;
}

static void draw_with_replacement(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                  const double *weights, double *cum, size_t n, size_t size,
                                  uint64_t *out)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++) {
        sum = to_type(dtype, sum + to_type(dtype, weights[i]));
        cum[i] = sum;
    }
    for (size_t i = 0; i < n; i++) {
        cum[i] = to_type(dtype, cum[i] / sum);
    }
    cum[n - 1] = 1.0;
    for (size_t i = 0; i < size; i++) {
        double u = snap_torch_double(t);
        size_t low = 0;
        size_t high = n;

        while (low < high) {
            size_t middle = low + (high - low) / 2;

            if (cum[middle] < u) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        out[i] = low;
    }
}

/* The categories with the largest weight / exponential, largest first. */
static enum snap_status draw_distinct(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                      const double *weights, double *score, size_t n, size_t size,
                                      uint64_t *out, struct snap_error *err)
{
    for (size_t i = 0; i < n; i++) {
        double q = 0.0;
        float q_f32 = 0.0f;
        enum snap_status status = snap_torch_exponential(
            t, dtype, 1.0, dtype == SNAP_F32 ? (void *)&q_f32 : (void *)&q, 1, err);

        if (status != SNAP_OK) {
            return status;
        }
        score[i] = dtype == SNAP_F32 ? (double)((float)weights[i] / q_f32) : weights[i] / q;
    }
    for (size_t k = 0; k < size; k++) {
        size_t best = 0;

        for (size_t i = 1; i < n; i++) {
            if (score[i] > score[best]) {
                best = i;
            }
        }
        out[k] = best;
        score[best] = -INFINITY;
    }
    return SNAP_OK;
}

enum snap_status snap_torch_multinomial(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                        const double *weights, size_t n, size_t size,
                                        bool replacement, uint64_t *out, struct snap_error *err)
{
    double sum = 0.0;
    double *scratch;
    enum snap_status status = SNAP_OK;

    if (dtype != SNAP_F32 && dtype != SNAP_F64) {
        return snap_error_set(err, SNAP_UNSUPPORTED, OBJECT "multinomial: only f32 and f64");
    }
    for (size_t i = 0; i < n; i++) {
        if (!(weights[i] >= 0.0) || isinf(weights[i])) {
            return snap_error_set(err, SNAP_INVALID,
                                  OBJECT "multinomial: weight %zu is negative or not finite", i);
        }
        sum += weights[i];
    }
    if (!(sum > 0.0) || size == 0 || (!replacement && size > n)) {
        return snap_error_set(err, SNAP_INVALID,
                              OBJECT "multinomial: no positive sum, or a size that does not fit");
    }
    scratch = calloc(n, sizeof *scratch);
    if (scratch == NULL) {
        return snap_error_set(err, SNAP_NO_MEMORY, OBJECT "multinomial: no memory");
    }
    /* From 2.0 on a single draw takes the way without replacement. */
    if (replacement && (size > 1 || t->version < SNAP_TORCH_2_0)) {
        draw_with_replacement(t, dtype, weights, scratch, n, size, out);
    } else {
        status = draw_distinct(t, dtype, weights, scratch, n, size, out, err);
    }
    free(scratch);
    return status;
}

void snap_torch_worker_numpy_seed(uint64_t base_seed, uint32_t worker, uint32_t words[4])
{
    struct snap_seed_sequence sequence;
    uint32_t entropy[4] = { worker, (uint32_t)base_seed, (uint32_t)(base_seed >> 32), 0 };

    snap_seed_sequence_init(&sequence, entropy, 4);
    snap_seed_sequence_generate(&sequence, words, 4);
}
