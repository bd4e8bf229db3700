/* SPDX-License-Identifier: Apache-2.0 */
/* The fused multiply-add and the float vector of the build this file is compiled in. An operation
 * on a vector is the operation on each of its elements; its width decides no result.
 *
 * Where the target has no FMA instruction, fmaf(a, b, c) is made in binary64: a * b is exact
 * there, TwoSum gives the sum with its error, the sum is rounded to odd (where it is inexact, the
 * neighbour with the odd last bit), and one rounding to binary32 follows. 53 bits rounded to odd
 * decide the rounding to 24 or fewer as the exact sum would. No libm function is called. */
#ifndef TRN_VEC_H
#define TRN_VEC_H

#include <float.h>
#include <stdint.h>

#include "ops/math_functions.h"

#if defined(__FAST_MATH__)
#error "the operators cannot be compiled with -ffast-math or -Ofast"
#endif
#if FLT_EVAL_METHOD != 0
#error "the operators need arithmetic in the type of its operands (on 32-bit x86: -mfpmath=sse)"
#endif

/* TRN_PLAIN: the table `scalar`, which uses no instruction beyond the portable operations. */
#if !defined(TRN_PLAIN) &&                                                                         \
    (defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__FP_FAST_FMAF))
#define TRN_HAS_FMA 1
#else
#define TRN_HAS_FMA 0
#endif

#if TRN_HAS_FMA

static inline float trn_fmaf(float a, float b, float c)
{
    return __builtin_fmaf(a, b, c);
}

#else

static inline float trn_fmaf(float a, float b, float c)
{
    const double product = (double)a * (double)b;
    const double addend = (double)c;
    const double sum = product + addend;
    const double back = sum - product;
    const double error = (product - (sum - back)) + (addend - back);
    const uint64_t bits = trn_bits_of_double(sum);
    /* A NaN, from infinite operands, is no inexact sum. */
    const uint64_t inexact = (error < 0.0) | (error > 0.0);
    const uint64_t towards_zero = (bits ^ trn_bits_of_double(error)) >> 63;
    return (float)trn_double_of_bits((bits - (towards_zero & inexact)) | inexact);
}

#endif

static inline float trn_sqrtf(float x)
{
    return __builtin_sqrtf(x); /* the instruction, with -fno-math-errno */
}

#if !defined(TRN_PLAIN) && defined(__AVX512F__)

#include <immintrin.h>

#define TRN_VEC_WIDTH 16
typedef float trn_vec __attribute__((vector_size(64)));

static inline trn_vec trn_vec_fma(trn_vec a, trn_vec b, trn_vec c)
{
    return (trn_vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

#elif !defined(TRN_PLAIN) && defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>

#define TRN_VEC_WIDTH 8
typedef float trn_vec __attribute__((vector_size(32)));

static inline trn_vec trn_vec_fma(trn_vec a, trn_vec b, trn_vec c)
{
    return (trn_vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

#elif !defined(TRN_PLAIN) && !TRN_HAS_FMA && defined(__SSE2__)

#include <emmintrin.h>

#define TRN_VEC_WIDTH 4
typedef float trn_vec __attribute__((vector_size(16)));

/* trn_fmaf without its last rounding, for two elements. */
static inline __m128d trn_fma_to_odd(__m128d a, __m128d b, __m128d c)
{
    const __m128d product = _mm_mul_pd(a, b);
    const __m128d sum = _mm_add_pd(product, c);
    const __m128d back = _mm_sub_pd(sum, product);
    const __m128d error =
        _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, back)), _mm_sub_pd(c, back));
    const __m128d size = _mm_andnot_pd(_mm_set1_pd(-0.0), error);
    const __m128i inexact = _mm_and_si128(
        _mm_castpd_si128(_mm_cmplt_pd(_mm_setzero_pd(), size)), _mm_set1_epi64x(1));
    const __m128i bits = _mm_castpd_si128(sum);
    const __m128i towards_zero =
        _mm_srli_epi64(_mm_xor_si128(bits, _mm_castpd_si128(error)), 63);
    return _mm_castsi128_pd(_mm_or_si128(
        _mm_sub_epi64(bits, _mm_and_si128(towards_zero, inexact)), inexact));
}

static __attribute__((noinline, unused)) __m128 trn_vec_fma_careful(__m128 a, __m128 b, __m128 c)
{
    const __m128 low = _mm_cvtpd_ps(
        trn_fma_to_odd(_mm_cvtps_pd(a), _mm_cvtps_pd(b), _mm_cvtps_pd(c)));
    const __m128 high = _mm_cvtpd_ps(trn_fma_to_odd(_mm_cvtps_pd(_mm_movehl_ps(a, a)),
                                                    _mm_cvtps_pd(_mm_movehl_ps(b, b)),
                                                    _mm_cvtps_pd(_mm_movehl_ps(c, c))));
    return _mm_movelh_ps(low, high);
}

/* The four elements' halves of two pairs of doubles, as a comparison or the low words left them. */
static inline __m128 trn_gather_low_words(__m128d low, __m128d high)
{
    return _mm_shuffle_ps(_mm_castpd_ps(low), _mm_castpd_ps(high), 0x88);
}

/* The sum rounded to binary64 and then to binary32 is wrong only if the first rounding ended in the
 * middle between two neighbours: for normal results a 1 and 28 zeros below binary32's last bit.
 * Those, and results that are not 0 and below the normal ones, or were rounded up to the first of
 * them, are left to trn_vec_fma_careful. */
static inline trn_vec trn_vec_fma(trn_vec a, trn_vec b, trn_vec c)
{
    const __m128 x = (__m128)a, y = (__m128)b, z = (__m128)c;
    const __m128d low =
        _mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(x), _mm_cvtps_pd(y)), _mm_cvtps_pd(z));
    const __m128d high = _mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(_mm_movehl_ps(x, x)),
                                               _mm_cvtps_pd(_mm_movehl_ps(y, y))),
                                    _mm_cvtps_pd(_mm_movehl_ps(z, z)));
    const __m128 sum = _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
    const __m128i below = _mm_and_si128(_mm_castps_si128(trn_gather_low_words(low, high)),
                                        _mm_set1_epi32(0x1fffffff));
    const __m128 middle = _mm_castsi128_ps(_mm_cmpeq_epi32(below, _mm_set1_epi32(0x10000000)));
    const __m128 small =
        _mm_cmple_ps(_mm_andnot_ps(_mm_set1_ps(-0.0f), sum), _mm_set1_ps(FLT_MIN));
    if (__builtin_expect(_mm_movemask_ps(_mm_or_ps(middle, small)), 0)) {
        const __m128d zero = _mm_setzero_pd();
        const __m128 nonzero =
            trn_gather_low_words(_mm_cmpneq_pd(low, zero), _mm_cmpneq_pd(high, zero));
        if (_mm_movemask_ps(_mm_or_ps(middle, _mm_and_ps(small, nonzero)))) {
            return (trn_vec)trn_vec_fma_careful(x, y, z);
        }
    }
    return (trn_vec)sum;
}

#elif !defined(TRN_PLAIN) && defined(__aarch64__)

#include <arm_neon.h>

#define TRN_VEC_WIDTH 4
typedef float trn_vec __attribute__((vector_size(16)));

static inline trn_vec trn_vec_fma(trn_vec a, trn_vec b, trn_vec c)
{
    return (trn_vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}

#else

#define TRN_VEC_WIDTH 4
typedef float trn_vec __attribute__((vector_size(16)));

static inline trn_vec trn_vec_fma(trn_vec a, trn_vec b, trn_vec c)
{
    trn_vec sum;
    for (int i = 0; i < TRN_VEC_WIDTH; i++) {
        sum[i] = trn_fmaf(a[i], b[i], c[i]);
    }
    return sum;
}

#endif

/* The same vector at an address that is aligned for float only. */
typedef trn_vec trn_vec_unaligned __attribute__((aligned(4), may_alias));

static inline trn_vec trn_vec_load(const float *from)
{
    return *(const trn_vec_unaligned *)from;
}

static inline void trn_vec_store(float *to, trn_vec value)
{
    *(trn_vec_unaligned *)to = value;
}

static inline trn_vec trn_vec_set(float value)
{
    return value - (trn_vec){ 0 };
}

#endif
