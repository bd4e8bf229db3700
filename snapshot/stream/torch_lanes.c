/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stream/torch_lanes.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define HALF SNAP_TORCH_HALF_BLOCK

/* ---- one by one ---- */

/* Coefficients of the logarithm, after its first one. */
static const float log_terms[] = {
    -1.1514610310e-1f, 1.1676998740e-1f,  -1.2420140846e-1f, 1.4249322787e-1f,
    -1.6668057665e-1f, 2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f,
};

/* log of avx_mathfun.h (after Cephes), for x in (0, 1], with the fused operations that the compiler
 * of torch's AVX2 kernels makes of it. */
static float log_avx2(float x)
{
    int exponent;
    float m = frexpf(x < FLT_MIN ? FLT_MIN : x, &exponent);
    float y = 7.0376836292e-2f;
    float e, z;

    if (m < 0.707106781186547524f) {
        exponent--;
        x = (m - 1.0f) + m;
    } else {
        x = m - 1.0f;
    }
    e = (float)exponent;
    z = x * x;
    for (size_t i = 0; i < sizeof log_terms / sizeof log_terms[0]; i++) {
        y = fmaf(y, x, log_terms[i]);
    }
    y = y * x;
    y = fmaf(y, z, e * -2.12194440e-4f);
    y = fmaf(-z, 0.5f, y);
    x = x + y;
    return fmaf(e, 0.693359375f, x);
}

/* sincos of the same file, for x >= 0. */
static void sincos_avx2(float x, float *sine, float *cosine)
{
    int j = ((int)(x * 1.27323954473516f) + 1) & ~1;
    float y = (float)j;
    float z, s, c;

    x = fmaf(y, -0.78515625f, x);
    x = fmaf(y, -2.4187564849853515625e-4f, x);
    x = fmaf(y, -3.77489497744594108e-8f, x);
    z = x * x;
    c = fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f);
    c = fmaf(c, z, 4.166664568298827e-2f);
    c = c * z;
    c = fmaf(c, z, -(z * 0.5f));
    c = c + 1.0f;
    s = fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f);
    s = fmaf(s, z, -1.6666654611e-1f);
    s = s * z;
    s = fmaf(s, x, x);
    if (j & 2) {
        float swap = s;

        s = c;
        c = swap;
    }
    *sine = j & 4 ? -s : s;
    *cosine = ~(j - 2) & 4 ? -c : c;
}

static void block_portable(float *d, float mean, float std)
{
    const float two_pi = (float)(2.0 * M_PI);

    for (size_t j = 0; j < HALF; j++) {
        float radius = sqrtf(-2.0f * log_avx2(1.0f - d[j]));
        float sine, cosine;

        sincos_avx2(two_pi * d[j + HALF], &sine, &cosine);
        d[j] = fmaf(radius * cosine, std, mean);
        d[j + HALF] = fmaf(radius * sine, std, mean);
    }
}

void snap_torch_normals_f32_portable(float *d, size_t blocks, float mean, float std)
{
    for (size_t i = 0; i < blocks; i++) {
        block_portable(d + i * SNAP_TORCH_BLOCK, mean, std);
    }
}

static void scale_f32_portable(float *d, size_t n, float range, float from)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = fmaf(d[i], range, from);
    }
}

static void scale_f64_portable(double *d, size_t n, double range, double from)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = fma(d[i], range, from);
    }
}

#if defined(__x86_64__)

/* ---- eight at once: the operations above, in their order ---- */

#define EIGHT static inline __attribute__((target("avx2,fma"), always_inline))

EIGHT __m256 all(float x)
{
    return _mm256_set1_ps(x);
}

EIGHT __m256 log_8(__m256 x)
{
    __m256i bits = _mm256_castps_si256(_mm256_max_ps(x, all(FLT_MIN)));
    __m256 m = _mm256_castsi256_ps(_mm256_or_si256(
        _mm256_and_si256(bits, _mm256_set1_epi32(0x007fffff)), _mm256_set1_epi32(0x3f000000)));
    __m256 e = _mm256_cvtepi32_ps(
        _mm256_sub_epi32(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(126)));
    __m256 small = _mm256_cmp_ps(m, all(0.707106781186547524f), _CMP_LT_OQ);
    __m256 y = all(7.0376836292e-2f);
    __m256 z;

    e = _mm256_sub_ps(e, _mm256_and_ps(small, all(1.0f)));
    x = _mm256_add_ps(_mm256_sub_ps(m, all(1.0f)), _mm256_and_ps(small, m));
    z = _mm256_mul_ps(x, x);
    for (size_t i = 0; i < sizeof log_terms / sizeof log_terms[0]; i++) {
        y = _mm256_fmadd_ps(y, x, all(log_terms[i]));
    }
    y = _mm256_mul_ps(y, x);
    y = _mm256_fmadd_ps(y, z, _mm256_mul_ps(e, all(-2.12194440e-4f)));
    y = _mm256_fnmadd_ps(z, all(0.5f), y);
    x = _mm256_add_ps(x, y);
    return _mm256_fmadd_ps(e, all(0.693359375f), x);
}

/* The sign of `x` turned where bit 2 of `j` is set. */
EIGHT __m256 turn(__m256 x, __m256i j)
{
    __m256i sign = _mm256_slli_epi32(_mm256_and_si256(j, _mm256_set1_epi32(4)), 29);

    return _mm256_xor_ps(x, _mm256_castsi256_ps(sign));
}

EIGHT void sincos_8(__m256 x, __m256 *sine, __m256 *cosine)
{
    __m256i j = _mm256_cvttps_epi32(_mm256_mul_ps(x, all(1.27323954473516f)));
    __m256 y, z, s, c, swap;

    j = _mm256_and_si256(_mm256_add_epi32(j, _mm256_set1_epi32(1)), _mm256_set1_epi32(~1));
    y = _mm256_cvtepi32_ps(j);
    x = _mm256_fmadd_ps(y, all(-0.78515625f), x);
    x = _mm256_fmadd_ps(y, all(-2.4187564849853515625e-4f), x);
    x = _mm256_fmadd_ps(y, all(-3.77489497744594108e-8f), x);
    z = _mm256_mul_ps(x, x);
    c = _mm256_fmadd_ps(all(2.443315711809948e-5f), z, all(-1.388731625493765e-3f));
    c = _mm256_fmadd_ps(c, z, all(4.166664568298827e-2f));
    c = _mm256_mul_ps(c, z);
    c = _mm256_fmsub_ps(c, z, _mm256_mul_ps(z, all(0.5f)));
    c = _mm256_add_ps(c, all(1.0f));
    s = _mm256_fmadd_ps(all(-1.9515295891e-4f), z, all(8.3321608736e-3f));
    s = _mm256_fmadd_ps(s, z, all(-1.6666654611e-1f));
    s = _mm256_mul_ps(s, z);
    s = _mm256_fmadd_ps(s, x, x);
    /* Bit 1 of j, as the sign that a blend looks at. */
    swap = _mm256_castsi256_ps(_mm256_slli_epi32(j, 30));
    *sine = turn(_mm256_blendv_ps(s, c, swap), j);
    *cosine = turn(_mm256_blendv_ps(c, s, swap),
                   _mm256_andnot_si256(_mm256_sub_epi32(j, _mm256_set1_epi32(2)),
                                       _mm256_set1_epi32(4)));
}

__attribute__((target("avx2,fma"))) static void normals_avx2(float *d, size_t blocks, float mean,
                                                             float std)
{
    const __m256 two_pi = all((float)(2.0 * M_PI));

    for (size_t i = 0; i < blocks; i++, d += SNAP_TORCH_BLOCK) {
        __m256 rest = _mm256_sub_ps(all(1.0f), _mm256_loadu_ps(d));
        __m256 radius = _mm256_sqrt_ps(_mm256_mul_ps(all(-2.0f), log_8(rest)));
        __m256 sine, cosine;

        sincos_8(_mm256_mul_ps(two_pi, _mm256_loadu_ps(d + HALF)), &sine, &cosine);
        _mm256_storeu_ps(d, _mm256_fmadd_ps(_mm256_mul_ps(radius, cosine), all(std), all(mean)));
        _mm256_storeu_ps(d + HALF,
                         _mm256_fmadd_ps(_mm256_mul_ps(radius, sine), all(std), all(mean)));
    }
}

__attribute__((target("avx2,fma"))) static void scale_f32_avx2(float *d, size_t n, float range,
                                                               float from)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        _mm256_storeu_ps(d + i, _mm256_fmadd_ps(_mm256_loadu_ps(d + i), all(range), all(from)));
    }
    for (; i < n; i++) {
        d[i] = __builtin_fmaf(d[i], range, from);
    }
}

__attribute__((target("avx2,fma"))) static void scale_f64_avx2(double *d, size_t n, double range,
                                                               double from)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = __builtin_fma(d[i], range, from);
    }
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

#endif

/* ---- the best there is ---- */

void snap_torch_normals_f32(float *d, size_t blocks, float mean, float std)
{
#if defined(__x86_64__)
    if (has_avx2()) {
        normals_avx2(d, blocks, mean, std);
        return;
    }
#endif
    snap_torch_normals_f32_portable(d, blocks, mean, std);
}

void snap_torch_scale_f32(float *d, size_t n, float range, float from)
{
#if defined(__x86_64__)
    if (has_avx2()) {
        scale_f32_avx2(d, n, range, from);
        return;
    }
#endif
    scale_f32_portable(d, n, range, from);
}

void snap_torch_scale_f64(double *d, size_t n, double range, double from)
{
#if defined(__x86_64__)
    if (has_avx2()) {
        scale_f64_avx2(d, n, range, from);
        return;
    }
#endif
    scale_f64_portable(d, n, range, from);
}
