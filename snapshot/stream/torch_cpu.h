/* SPDX-License-Identifier: Apache-2.0 */
/* torch's CPU generator (ATen CPUGeneratorImpl) and what torch draws from it: state bytes, fills,
 * permutations, initialisers, samplers. Floating fills have the form of the AVX2 kernels, which
 * every wheel picks on a CPU with AVX2 and FMA; here the fused operations are explicit, so that
 * any CPU gives these bits.
 *
 * uniform_, random_, randint, bernoulli_, randperm and what is built on them are equal everywhere,
 * and so are float32 normals of 16 elements and more. Other normals, exponential_, geometric_,
 * cauchy_, log_normal_ and trunc_normal_ call libm and equal torch's on the same machine. */
#ifndef SNAP_STREAM_TORCH_CPU_H
#define SNAP_STREAM_TORCH_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>
#include <snapstate/tree.h>

#include "stream/mt19937.h"

#define SNAP_TORCH_CPU_BYTES 5056u
/* The older form, without the cached float at the end. Read, never written. */
#define SNAP_TORCH_CPU_LEGACY_BYTES 5048u

/* Offsets in the state's bytes. */
enum {
    SNAP_TORCH_AT_SEED = 0, /* u64 */
    SNAP_TORCH_AT_LEFT = 8, /* i32 */
    SNAP_TORCH_AT_SEEDED = 12, /* i32, 1 */
    SNAP_TORCH_AT_NEXT = 16, /* u64 */
    SNAP_TORCH_AT_STATE = 24, /* u64[624], each below 2^32 */
    SNAP_TORCH_AT_NORMAL_X = 5016, /* f64, 0 but in the old form */
    SNAP_TORCH_AT_NORMAL = 5024, /* f64, the cached normal */
    SNAP_TORCH_AT_NORMAL_RHO = 5032, /* f64, 0 but in the old form */
    SNAP_TORCH_AT_NORMAL_VALID = 5040, /* i32, then 4 bytes of padding */
    SNAP_TORCH_AT_FLOAT_NORMAL = 5048, /* f32 */
    SNAP_TORCH_AT_FLOAT_NORMAL_VALID = 5052 /* u8, then 3 bytes of padding: read as one u32 */
};

/* Releases at which draws changed. Not part of the state: the caller says which one to equal. */
enum snap_torch_version {
    SNAP_TORCH_1_13 = 1,
    SNAP_TORCH_2_0 = 2, /* log1p(-u) for log(1-u) */
    SNAP_TORCH_2_7 = 3  /* 64-bit words for randint ranges from 2^28 on */
};

struct snap_torch_cpu {
    struct snap_mt19937 mt; /* pos 624: torch's left is 1 */
    uint64_t seed;          /* initial_seed(); the engine saw its low 32 bits */
    uint32_t used_up_next;  /* torch's `next` while pos is 624: 0 when fresh, 624 when used up */
    bool has_normal;
    double normal; /* cached; shared by all types and by log_normal_ */
    bool has_float_normal;
    float float_normal; /* no draw makes or takes it; it only round-trips */
    enum snap_torch_version version;
};

/* ---- torch_cpu.c ---- */

/* manual_seed(seed); a negative seed is taken mod 2^64. The version stays. */
void snap_torch_seed(struct snap_torch_cpu *t, uint64_t seed);
void snap_torch_get_state(const struct snap_torch_cpu *t,
                          unsigned char bytes[SNAP_TORCH_CPU_BYTES]);
/* SNAP_CORRUPT, and nothing set, for bytes that no torch wrote. The version stays. */
enum snap_status snap_torch_set_state(struct snap_torch_cpu *t, const void *bytes,
                                      size_t size_bytes, struct snap_error *err);

uint32_t snap_torch_u32(struct snap_torch_cpu *t);
uint64_t snap_torch_u64(struct snap_torch_cpu *t); /* the first word is the high half */
float snap_torch_float(struct snap_torch_cpu *t);   /* [0, 1), the low 24 bits of a word */
double snap_torch_double(struct snap_torch_cpu *t); /* [0, 1), the low 53 bits of two words */
/* The same n times. */
void snap_torch_words(struct snap_torch_cpu *t, uint32_t *out, size_t n);
void snap_torch_wide_words(struct snap_torch_cpu *t, uint64_t *out, size_t n);
void snap_torch_floats(struct snap_torch_cpu *t, float *out, size_t n);
void snap_torch_doubles(struct snap_torch_cpu *t, double *out, size_t n);

/* ---- fills: torch_fill.c. `out` has n elements of `dtype`; SNAP_UNSUPPORTED for a dtype that
 * torch does not fill so, SNAP_INVALID for parameters that it refuses; nothing is drawn then. The
 * last part, from exponential_ on, is in torch_normal.c. ---- */

/* random_() */
enum snap_status snap_torch_random(struct snap_torch_cpu *t, enum snap_dtype dtype, void *out,
                                   size_t n, struct snap_error *err);
/* random_(from, to), randint(from, to, (n,)); `to` NULL: up to the largest of the type. */
enum snap_status snap_torch_random_from_to(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                           int64_t from, const int64_t *to, void *out, size_t n,
                                           struct snap_error *err);
/* uniform_(from, to), rand(n) */
enum snap_status snap_torch_uniform(struct snap_torch_cpu *t, enum snap_dtype dtype, double from,
                                    double to, void *out, size_t n, struct snap_error *err);
/* bernoulli_(p): two words an element. Builds with MKL: snap_torch_bernoulli_mkl. */
enum snap_status snap_torch_bernoulli(struct snap_torch_cpu *t, enum snap_dtype dtype, double p,
                                      void *out, size_t n, struct snap_error *err);
/* bernoulli_(p) of the builds with MKL (wheels for x86 up to 2.6; with 1.x on Intel CPUs only): one
 * word seeds MKL's multiplicative generator, whatever n is. */
enum snap_status snap_torch_bernoulli_mkl(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                          double p, void *out, size_t n, struct snap_error *err);
/* bernoulli(tensor of p), p as float32 (one word an element) or float64 (two). */
void snap_torch_bernoulli_f32(struct snap_torch_cpu *t, const float *p, float *out, size_t n);
void snap_torch_bernoulli_f64(struct snap_torch_cpu *t, const double *p, double *out, size_t n);
/* The mask that dropout(p) multiplies with while training: bernoulli_(1-p) / (1-p), f32 or f64.
 * p = 0 and p = 1 draw nothing. */
enum snap_status snap_torch_dropout_mask(struct snap_torch_cpu *t, enum snap_dtype dtype, double p,
                                         void *out, size_t n, struct snap_error *err);
/* exponential_(lambda), geometric_(p), cauchy_(median, sigma), log_normal_(mean, std) */
enum snap_status snap_torch_exponential(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                        double lambda, void *out, size_t n, struct snap_error *err);
enum snap_status snap_torch_geometric(struct snap_torch_cpu *t, enum snap_dtype dtype, double p,
                                      void *out, size_t n, struct snap_error *err);
enum snap_status snap_torch_cauchy(struct snap_torch_cpu *t, enum snap_dtype dtype, double median,
                                   double sigma, void *out, size_t n, struct snap_error *err);
enum snap_status snap_torch_log_normal(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                       double mean, double std, void *out, size_t n,
                                       struct snap_error *err);

/* ---- normals: torch_normal.c ---- */

/* normal_(mean, std), randn(n) for mean 0 and std 1. Tensors of 16 elements and more that are
 * contiguous take another way, which neither reads nor clears the cached normal. */
enum snap_status snap_torch_normal(struct snap_torch_cpu *t, enum snap_dtype dtype, double mean,
                                   double std, bool contiguous, void *out, size_t n,
                                   struct snap_error *err);
/* One normal_distribution<double>: reads and makes the cached one. */
double snap_torch_normal_double(struct snap_torch_cpu *t, double mean, double std);
/* torch.normal(mean, std) for float32 tensors. */
enum snap_status snap_torch_normal_tensors(struct snap_torch_cpu *t, const float *mean,
                                           const float *std, float *out, size_t n,
                                           struct snap_error *err);

/* ---- permutations and samplers: torch_sampler.c ---- */

/* word % range, range > 0, by a division of doubles, which takes less than one of integers. It is
 * exact: a quotient that is no integer is at least 1/range below the next one, and doubles there
 * are less than 2^-20/range apart, so it is never rounded up to that. */
static inline uint32_t snap_torch_remainder(uint32_t word, uint32_t range)
{
    return word - (uint32_t)((double)word / (double)range) * range;
}

/* randperm(n). */
void snap_torch_randperm(struct snap_torch_cpu *t, uint64_t *out, size_t n);
/* What it does from 2.0 on when n is 214748364 or more. */
void snap_torch_randperm_long(struct snap_torch_cpu *t, uint64_t *out, size_t n);
/* The seed that samplers and loaders draw: one int64 random_(). */
uint64_t snap_torch_draw_seed(struct snap_torch_cpu *t);
/* One pass of RandomSampler(range(n), replacement, num_samples, generator). `explicit`: t is the
 * generator given; else t is the default generator, from which a private one is seeded.
 * SNAP_INVALID when n is 0. */
enum snap_status snap_torch_random_sampler(struct snap_torch_cpu *t, size_t n, bool replacement,
                                           size_t num_samples, bool explicit_generator,
                                           uint64_t *out, struct snap_error *err);
/* multinomial(weights, size, replacement): weights f32 or f64. SNAP_INVALID as torch does. */
enum snap_status snap_torch_multinomial(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                        const double *weights, size_t n, size_t size,
                                        bool replacement, uint64_t *out, struct snap_error *err);
/* The seed words that a DataLoader's worker gives to np.random.seed. */
void snap_torch_worker_numpy_seed(uint64_t base_seed, uint32_t worker, uint32_t words[4]);

/* ---- initialisers: torch_initialisers.c. Python doubles up to the call of uniform_ or
 * normal_. ---- */

/* sqrt(2 / (1 + slope^2)): calculate_gain("leaky_relu", slope). */
double snap_torch_gain_leaky_relu(double slope);
/* kaiming_uniform_ and kaiming_normal_ for a fan and gain; xavier_ likewise with both fans. */
enum snap_status snap_torch_kaiming_uniform(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                            double fan, double gain, void *out, size_t n,
                                            struct snap_error *err);
enum snap_status snap_torch_kaiming_normal(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                           double fan, double gain, void *out, size_t n,
                                           struct snap_error *err);
enum snap_status snap_torch_xavier_uniform(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                           double fan_in, double fan_out, double gain, void *out,
                                           size_t n, struct snap_error *err);
enum snap_status snap_torch_xavier_normal(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                          double fan_in, double fan_out, double gain, void *out,
                                          size_t n, struct snap_error *err);
/* trunc_normal_(mean, std, least, most), float32. Its erfinv_ calls libm; the way it is fused was
 * seen in 1.13 only. */
enum snap_status snap_torch_trunc_normal(struct snap_torch_cpu *t, double mean, double std,
                                         double least, double most, float *out, size_t n,
                                         struct snap_error *err);
/* The parameters of nn.Linear and nn.Conv, float32: `outputs` x `fan_in` weights, then `outputs`
 * biases (NULL: bias=False). */
enum snap_status snap_torch_init_linear(struct snap_torch_cpu *t, size_t outputs, size_t fan_in,
                                        float *weight, float *bias, struct snap_error *err);

#endif
