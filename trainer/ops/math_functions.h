/* SPDX-License-Identifier: Apache-2.0 */
/* EXP, LOG, TANH, SIN, COS, ERF of portable-1: the binary32 value nearest to the exact result, ties
 * to even; NaN in, NaN out. Written once, for C and for CUDA. The work is done in binary64 with
 * plain multiplications and additions; over all 2^32 inputs that leaves a few wrong last bits,
 * which the functions patch by input. tests/ops/check_math_exhaustive proves the sum of it, and
 * tests/ops/make_math_coefficients.py says where the numbers come from. */
#ifndef TRN_MATH_FUNCTIONS_H
#define TRN_MATH_FUNCTIONS_H

#include <stdint.h>

/* No fused multiply-add may come of these. nvcc would fuse `a * b + c`; C compilers are told not
 * to (-ffp-contract=off). */
#if defined(__CUDA_ARCH__)
#define TRN_FMUL(a, b) __dmul_rn((a), (b))
#define TRN_FADD(a, b) __dadd_rn((a), (b))
#else
#define TRN_FMUL(a, b) ((a) * (b))
#define TRN_FADD(a, b) ((a) + (b))
#endif

#if defined(__CUDACC__)
#define TRN_MATH __host__ __device__ static inline
#else
#define TRN_MATH static inline
#endif

/* p * x + c, two roundings. */
#define TRN_HORNER(p, x, c) TRN_FADD(TRN_FMUL((p), (x)), (c))

/* Adding this to |v| < 2^31 rounds v to an integer, which the low bits of the sum then hold. */
#define TRN_ROUNDER 0x1.8p52

TRN_MATH uint64_t trn_bits_of_double(double value)
{
    union {
        double value;
        uint64_t bits;
    } pun;
    pun.value = value;
    return pun.bits;
}

TRN_MATH double trn_double_of_bits(uint64_t bits)
{
    union {
        double value;
        uint64_t bits;
    } pun;
    pun.bits = bits;
    return pun.value;
}

TRN_MATH uint32_t trn_bits_of_float(float value)
{
    union {
        float value;
        uint32_t bits;
    } pun;
    pun.value = value;
    return pun.bits;
}

TRN_MATH float trn_float_of_bits(uint32_t bits)
{
    union {
        float value;
        uint32_t bits;
    } pun;
    pun.bits = bits;
    return pun.value;
}

/* For -160 <= x <= 160: *power = 2^n and the value returned p with e^x = 2^n * (1 + p),
 * |p| < 0.42, p to a relative error near 2^-53. x holds at most 25 significant bits. */
TRN_MATH double trn_exp_parts(double x, double *power)
{
    const double shifted = TRN_FADD(TRN_FMUL(x, 0x1.71547652b82fep+0), TRN_ROUNDER);
    const double n = TRN_FADD(shifted, -TRN_ROUNDER);
    const double r = TRN_FADD(TRN_FADD(x, -TRN_FMUL(n, 0x1.62e42fefa2000p-1)),
                              -TRN_FMUL(n, 0x1.9ef35793c7673p-41));
    double q = 0x1.1f730349868cep-29;
    q = TRN_HORNER(q, r, 0x1.af4de97ca4194p-26);
    q = TRN_HORNER(q, r, 0x1.27e4db646b17ep-22);
    q = TRN_HORNER(q, r, 0x1.71de0231960ebp-19);
    q = TRN_HORNER(q, r, 0x1.a01a01a6d889cp-16);
    q = TRN_HORNER(q, r, 0x1.a01a01abe7fe1p-13);
    q = TRN_HORNER(q, r, 0x1.6c16c16c162d4p-10);
    q = TRN_HORNER(q, r, 0x1.11111111100dcp-7);
    q = TRN_HORNER(q, r, 0x1.5555555555556p-5);
    q = TRN_HORNER(q, r, 0x1.5555555555557p-3);
    q = TRN_HORNER(q, r, 0x1.0000000000000p-1);
    *power = trn_double_of_bits((trn_bits_of_double(shifted) << 52) + 0x3ff0000000000000u);
    return TRN_FADD(r, TRN_FMUL(TRN_FMUL(r, r), q));
}

/* Past the clamps the result is 0 or infinite anyway, or at the edge of it. */
TRN_MATH float trn_expf(float x)
{
    double power, p;
    double d = (double)x;
    d = d > 89.0 ? 89.0 : d;
    d = d < -104.0 ? -104.0 : d;
    p = trn_exp_parts(d, &power);
    return (float)TRN_FMUL(power, TRN_FADD(1.0, p));
}

/* x = m * 2^e with sqrt(1/2) <= m < sqrt 2; f = m - 1 is exact. */
TRN_MATH float trn_logf(float x)
{
    const double d = (double)x;
    const uint64_t bits = trn_bits_of_double(d);
    const uint64_t above = bits - 0x3fe6a09e667f3bcdu;
    const uint64_t biased = (above >> 52) + 2048; /* e + 2048 in the low 12 bits */
    const double e = TRN_FADD((double)(int32_t)(biased & 4095), -2048.0);
    const double f = TRN_FADD(trn_double_of_bits(bits - (above & 0xfff0000000000000u)), -1.0);
    const double s = f / TRN_FADD(2.0, f);
    const double z = TRN_FMUL(s, s);
    const double half = TRN_FMUL(TRN_FMUL(0.5, f), f);
    double r = 0x1.0c135adcf3011p-3;
    float y;
    r = TRN_HORNER(r, z, 0x1.0fbd140544b63p-3);
    r = TRN_HORNER(r, z, 0x1.3b1c43c68eb6dp-3);
    r = TRN_HORNER(r, z, 0x1.745cf8c09a9d4p-3);
    r = TRN_HORNER(r, z, 0x1.c71c7201fc0e6p-3);
    r = TRN_HORNER(r, z, 0x1.249249247670ap-2);
    r = TRN_HORNER(r, z, 0x1.9999999999a3ap-2);
    r = TRN_HORNER(r, z, 0x1.5555555555555p-1);
    r = TRN_FMUL(s, TRN_HORNER(r, z, half)); /* log m = f - (half - r) */
    r = TRN_FADD(r, TRN_FMUL(e, 0x1.9ef35793c7673p-41));
    y = (float)TRN_FADD(TRN_FMUL(e, 0x1.62e42fefa2000p-1), TRN_FADD(f, -TRN_FADD(half, -r)));
    /* closer to the middle between two floats than a double can tell */
    y = x == 0x1.827a74p-7f ? -0x1.1c2b1ep+2f : y;
    y = x == 0x1.2f1fd6p+3f ? 0x1.1fcbcep+1f : y;
    y = x == 0x1.bacb4ap+25f ? 0x1.1e0696p+4f : y;
    y = x == 0x1.b121a6p+76f ? 0x1.a9a3f2p+5f : y;
    y = x == 0x1.6351d8p+95f ? 0x1.08b512p+6f : y;
    y = x == 0.0f ? -trn_float_of_bits(0x7f800000u) : y;
    y = x > 0x1.fffffep127f ? x : y;
    return x >= 0.0f ? y : trn_float_of_bits(0x7fc00000u);
}

/* t / (t + 2) with t = e^(2|x|) - 1; from |x| = 10 on the result is 1. */
TRN_MATH float trn_tanhf(float x)
{
    const uint32_t sign = trn_bits_of_float(x) & 0x80000000u;
    double power, p, t;
    double d = (double)trn_float_of_bits(trn_bits_of_float(x) ^ sign);
    d = d > 10.0 ? 10.0 : d;
    p = trn_exp_parts(TRN_FADD(d, d), &power);
    t = TRN_FADD(TRN_FMUL(power, p), TRN_FADD(power, -1.0));
    return trn_float_of_bits(trn_bits_of_float((float)(t / TRN_FADD(t, 2.0))) | sign);
}

/* The angle |x| as quadrant * pi/2 + (high + low), |high + low| <= pi/4. */
struct trn_angle {
    unsigned quadrant;
    double high, low;
};

/* The product of the 24 bits of x with the bits of 2/pi that matter: modulo 4, and to 2^-102. */
TRN_MATH struct trn_angle trn_angle_reduce(float x)
{
    /* 2/pi, 32 zero bits before the point's first */
    const uint32_t two_over_pi[9] = { 0,           0xa2f9836eu, 0x4e441529u, 0xfc2757d1u,
                                      0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu,
                                      0xdebbc561u };
    const uint32_t bits = trn_bits_of_float(x) & 0x7fffffffu;
    struct trn_angle angle = { 0, (double)trn_float_of_bits(bits), 0.0 };
    uint64_t mantissa, window_high, window_low, high, low, part, carry, negative, turns;
    unsigned offset, word, shift, zeros;
    double scale;
    if (bits < 0x3f490fdbu) { /* below pi/4 */
        return angle;
    }
    /* |x| = mantissa * 2^e, e = (bits >> 23) - 150; bits of 2/pi above 2^(1-e) make whole turns. */
    mantissa = (bits & 0x007fffffu) | 0x00800000u;
    offset = (bits >> 23) - 120;
    word = offset >> 5;
    shift = offset & 31;
    window_high = (uint64_t)two_over_pi[word] << 32 | two_over_pi[word + 1];
    window_low = (uint64_t)two_over_pi[word + 2] << 32 | two_over_pi[word + 3];
    if (shift != 0) {
        window_high = window_high << shift | window_low >> (64 - shift);
        window_low = window_low << shift | two_over_pi[word + 4] >> (32 - shift);
    }
    part = (window_low & 0xffffffffu) * mantissa;
    carry = (part >> 32) + (window_low >> 32) * mantissa;
    low = carry << 32 | (part & 0xffffffffu);
    high = window_high * mantissa + (carry >> 32);
    /* high.low is the angle in quarter turns, 62 bits of high after the point. */
    turns = (high + 0x2000000000000000u) >> 62;
    angle.quadrant = (unsigned)turns & 3;
    high -= turns << 62;
    negative = high >> 63;
    high = negative ? ~high : high;
    low = negative ? ~low : low; /* less by 2^-126: nothing */
    /* The first 63 bits that are not zero, times pi/2. */
#if defined(__CUDA_ARCH__)
    zeros = (unsigned)__clzll((long long)(high | 1)) - 1;
#else
    zeros = (unsigned)__builtin_clzll(high | 1) - 1;
#endif
    high = high << zeros | (low >> 1) >> (63 - zeros);
    part = (high >> 32) * (0xc90fdaa22168c234u >> 32) +
           (((high >> 32) * (0xc90fdaa22168c234u & 0xffffffffu)) >> 32) +
           (((high & 0xffffffffu) * (0xc90fdaa22168c234u >> 32)) >> 32);
    scale = trn_double_of_bits((uint64_t)(1023 - 61 - zeros) << 52);
    scale = negative ? -scale : scale;
    angle.high = (double)(int64_t)part;
    angle.low = TRN_FMUL((double)((int64_t)part - (int64_t)angle.high), scale);
    angle.high = TRN_FMUL(angle.high, scale);
    return angle;
}

/* sin and cos of |high + low| <= pi/4. */
TRN_MATH double trn_sin_part(double high, double low)
{
    const double z = TRN_FMUL(high, high);
    double p = -0x1.ab17a79237a19p-41;
    p = TRN_HORNER(p, z, 0x1.61217ec01749dp-33);
    p = TRN_HORNER(p, z, -0x1.ae64541266378p-26);
    p = TRN_HORNER(p, z, 0x1.71de3a54605eep-19);
    p = TRN_HORNER(p, z, -0x1.a01a01a019936p-13);
    p = TRN_HORNER(p, z, 0x1.1111111111110p-7);
    p = TRN_HORNER(p, z, -0x1.5555555555555p-3);
    return TRN_FADD(high, TRN_FADD(TRN_FMUL(TRN_FMUL(high, z), p), low));
}

TRN_MATH double trn_cos_part(double high, double low)
{
    const double z = TRN_FMUL(high, high);
    const double half = TRN_FMUL(0.5, z);
    const double w = TRN_FADD(1.0, -half);
    double p = -0x1.907d7aebd5e3dp-37;
    p = TRN_HORNER(p, z, 0x1.1eeb68b109173p-29);
    p = TRN_HORNER(p, z, -0x1.27e4fa17a41b4p-22);
    p = TRN_HORNER(p, z, 0x1.a01a019f4e867p-16);
    p = TRN_HORNER(p, z, -0x1.6c16c16c16966p-10);
    p = TRN_HORNER(p, z, 0x1.5555555555555p-5);
    p = TRN_FADD(TRN_FMUL(TRN_FMUL(z, z), p), -TRN_FMUL(high, low));
    return TRN_FADD(w, TRN_FADD(TRN_FADD(TRN_FADD(1.0, -w), -half), p));
}

TRN_MATH float trn_sinf(float x)
{
    const uint32_t sign = trn_bits_of_float(x) & 0x80000000u;
    const struct trn_angle a = trn_angle_reduce(x);
    const double y = (a.quadrant & 1) ? trn_cos_part(a.high, a.low) : trn_sin_part(a.high, a.low);
    float z = (float)((a.quadrant & 2) ? -y : y);
    z = (trn_bits_of_float(x) ^ sign) == 0x46199998u ? -0x1.63f4bap-2f : z;
    return (trn_bits_of_float(x) ^ sign) < 0x7f800000u
               ? trn_float_of_bits(trn_bits_of_float(z) ^ sign)
               : trn_float_of_bits(0x7fc00000u);
}

TRN_MATH float trn_cosf(float x)
{
    const struct trn_angle a = trn_angle_reduce(x);
    const double y = (a.quadrant & 1) ? trn_sin_part(a.high, a.low) : trn_cos_part(a.high, a.low);
    const uint32_t bits = trn_bits_of_float(x) & 0x7fffffffu;
    float z = (float)(((a.quadrant + 1) & 2) ? -y : y);
    z = bits == 0x5f18b878u ? 0x1.fe2976p-1f : z;
    z = bits == 0x6115cb11u ? 0x1.f0285ep-1f : z;
    return bits < 0x7f800000u ? z : trn_float_of_bits(0x7fc00000u);
}

/* On [0, 1) x times a polynomial in x^2, from there to 4 one polynomial about the middle of each
 * unit interval; from 4 on the result is 1. */
TRN_MATH float trn_erff(float x)
{
    /* highest power first; one more row would be all 1 */
    static const double middle[3][18] = {
        { -0x1.305d37a851c9dp-22, 0x1.7c67db8e155e0p-20, 0x1.32b587a24f780p-21,
          -0x1.d70efbc5f9ed6p-17, 0x1.2d574ba32d17bp-16, 0x1.45cc7994de082p-14,
          -0x1.0acf353ecb714p-12, -0x1.85b3d151e9cfdp-14, 0x1.c0380d88e655ap-10,
          -0x1.35ae4fb43b234p-9, -0x1.36d73a65ecb0ap-8, 0x1.3ca3d72e94d2cp-6,
          -0x1.e723726b75a2bp-7, -0x1.6d5a95d0a8e2dp-5, 0x1.1c2a02beb6a99p-3,
          -0x1.6d5a95d0a1b3ap-3, 0x1.e723726b824a9p-4, 0x1.eea5557137ae0p-1 },
        { 0x1.8353e53661806p-26, 0x1.495bf0556d5dep-23, -0x1.595d63766c65ep-21,
          0x1.9f3af4d2b1565p-23, 0x1.3ad68181439ecp-18, -0x1.d88c48f8a82b3p-17,
          0x1.58bbca2bba994p-18, 0x1.4a84c20123815p-14, -0x1.06717857ad0fap-12,
          0x1.11551b52fb796p-12, 0x1.1c610bc8e5f86p-11, -0x1.6ecdbf63b4dcep-9,
          0x1.90e81283fccadp-8, -0x1.1a89b97cf1214p-7, 0x1.119da0c46cc88p-7,
          -0x1.64e3dcd3af2d3p-8, 0x1.1d83170fbf6fcp-9, 0x1.ffcaa8f4c9beap-1 },
        { 0x1.09106bf9376f0p-28, -0x1.343ba005050efp-27, -0x1.83eccdb1df23fp-28,
          0x1.8ddc35b8e5308p-24, -0x1.43f06e7cae34dp-22, 0x1.dc69f55490dbfp-22,
          0x1.dd8021aae75eap-22, -0x1.3773e12d91261p-18, 0x1.013525a7dacb3p-16,
          -0x1.1f63056912abap-15, 0x1.e827fafc968b1p-15, -0x1.46153fb62cc1cp-14,
          0x1.586bafc9b36e3p-14, -0x1.1c07721adce45p-14, 0x1.62ccea63cb29ap-15,
          -0x1.3d0e43d6734d9p-16, 0x1.6a597219a93d4p-18, 0x1.ffffe710d565ep-1 },
    };
    const uint32_t sign = trn_bits_of_float(x) & 0x80000000u;
    const float magnitude = trn_float_of_bits(trn_bits_of_float(x) ^ sign);
    const double d = (double)magnitude;
    double y;
    if (magnitude < 1.0f) {
        const double z = TRN_FMUL(d, d);
        double p = 0x1.0f8a27a51ad26p-34;
        p = TRN_HORNER(p, z, -0x1.3c1e91b012003p-30);
        p = TRN_HORNER(p, z, 0x1.f8d476ab1a455p-27);
        p = TRN_HORNER(p, z, -0x1.5f39372686202p-23);
        p = TRN_HORNER(p, z, 0x1.b9e2333703249p-20);
        p = TRN_HORNER(p, z, -0x1.f4d21efdafc7dp-17);
        p = TRN_HORNER(p, z, 0x1.f9a324ddf0f34p-14);
        p = TRN_HORNER(p, z, -0x1.c02db3f4735cbp-11);
        p = TRN_HORNER(p, z, 0x1.565bcd0e434bbp-8);
        p = TRN_HORNER(p, z, -0x1.b82ce312882f8p-6);
        p = TRN_HORNER(p, z, 0x1.ce2f21a042bd7p-4);
        p = TRN_HORNER(p, z, -0x1.812746b0379e7p-2);
        p = TRN_FADD(TRN_FMUL(p, z), 0x1.0a6db446b8ea4p-30);
        y = TRN_FADD(TRN_FMUL(d, 0x1.20dd750000000p+0), TRN_FMUL(d, p));
    } else if (magnitude < 4.0f) {
        const int piece = (int)magnitude;
        const double t = TRN_FADD(d, -TRN_FADD((double)piece, 0.5));
        int k;
        y = middle[piece - 1][0];
        for (k = 1; k < 18; k++) {
            y = TRN_HORNER(y, t, middle[piece - 1][k]);
        }
    } else {
        y = 1.0;
    }
    return x != x ? x : trn_float_of_bits(trn_bits_of_float((float)y) ^ sign);
}

#endif
