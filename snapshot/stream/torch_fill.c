/* SPDX-License-Identifier: Apache-2.0 */
/* random_, uniform_ and bernoulli_: fills that need no libm. From ATen/core/DistributionsHelper.h,
 * TransformationHelper.h, native/DistributionTemplates.h and native/cpu/DistributionTemplates.h. */
#include "config.h"

#include <inttypes.h>
#include <math.h>

#include "stream/torch_cpu.h"
#include "stream/torch_dtype.h"
#include "stream/torch_lanes.h"

#define OBJECT "stream torch_cpu: "

/* Ranges from here on take 64 bits an element: for the wide types up to 2.6, for all from 2.7. */
#define WIDE_RANGE ((uint64_t)1 << 32)
#define WIDE_RANGE_2_7 ((uint64_t)1 << 28)

/* Of the generator that MKL's bernoulli uses, MCG31m1. */
#define MCG31_MODULUS 0x7fffffffu
#define MCG31_MULTIPLIER 1132489760u

static enum snap_status refuse(enum snap_dtype dtype, const char *fill, struct snap_error *err)
{
    const char *name = snap_dtype_name(dtype);

    return snap_error_set(err, SNAP_UNSUPPORTED, OBJECT "%s: not for elements of type %s", fill,
                          name != NULL ? name : "unknown");
}

enum snap_status snap_torch_random(struct snap_torch_cpu *t, enum snap_dtype dtype, void *out,
                                   size_t n, struct snap_error *err)
{
    uint64_t range; /* number of values */
    int64_t least, most;

    if (!snap_torch_is_fillable(dtype)) {
        return refuse(dtype, "random_", err);
    }
    if (snap_torch_is_float(dtype)) {
        range = ((uint64_t)1 << snap_torch_digits(dtype)) + 1;
    } else {
        snap_torch_int_limits(dtype, &least, &most);
        range = (uint64_t)most + 1;
    }
    if (dtype == SNAP_I64) {
        uint64_t *words = out;

        snap_torch_wide_words(t, words, n);
        for (size_t i = 0; i < n; i++) {
            words[i] &= INT64_MAX; /* modulo 2^63 */
        }
        return SNAP_OK;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t word = dtype == SNAP_F64 ? snap_torch_u64(t) : snap_torch_u32(t);

        snap_torch_store_int(dtype, out, i, (int64_t)(word % range));
    }
    return SNAP_OK;
}

/* An integer as the floating type would hold it, back as an integer; past the end as x86's
 * conversion gives it. */
static int64_t through_float(enum snap_dtype dtype, int64_t value)
{
    double d = (double)value;

    if (dtype != SNAP_F64) {
        float f = (float)value;

        if (dtype == SNAP_F16) {
            f = snap_round_to_f16(f);
        } else if (dtype == SNAP_BF16) {
            f = snap_round_to_bf16(f);
        }
        d = f;
    }
    return d >= 0x1p63 ? INT64_MIN : (int64_t)d;
}

static int floor_log2(uint64_t value)
{
    return value == 0 ? 0 : 63 - __builtin_clzll(value);
}

/* A floating type cannot hold every integer: torch moves `from` up and `to` down to numbers that
 * keep every result inside. Both are within the limits checked before. */
static int64_t move_from_up(enum snap_dtype dtype, int64_t from)
{
    int64_t above = from == INT64_MAX ? INT64_MIN : through_float(dtype, from + 1);

    if (from < INT64_MAX && above < from) {
        int64_t size = from + 1 < 0 ? -(from + 1) : from + 1;

        return above + ((int64_t)1 << (floor_log2((uint64_t)size) - snap_torch_digits(dtype) + 1));
    }
    return from;
}

static int64_t move_to_down(enum snap_dtype dtype, int64_t to)
{
    int64_t below = to == INT64_MIN ? INT64_MIN : through_float(dtype, to - 1);

    if (to > INT64_MIN && below >= to) {
        int64_t size = to - 1 < 0 ? -(to - 1) : to - 1;

        return below - ((int64_t)1 << (floor_log2((uint64_t)size) - snap_torch_digits(dtype) + 1));
    }
    return to;
}

/* The closed range [*from, *to_inclusive] that torch makes of the arguments. */
static enum snap_status find_range(enum snap_dtype dtype, const int64_t *to, int64_t *from,
                                   int64_t *to_inclusive, struct snap_error *err)
{
    bool is_float = snap_torch_is_float(dtype);
    double float_max = is_float ? snap_torch_float_max(dtype) : 0.0;
    int64_t least = INT64_MIN;
    int64_t most = INT64_MAX;

    if (!is_float) {
        snap_torch_int_limits(dtype, &least, &most);
    }
    if (to != NULL && *from >= *to) {
        return snap_error_set(err, SNAP_INVALID, OBJECT "random_: from >= to");
    }
    *to_inclusive = to != NULL ? *to - 1
                    : is_float ? (int64_t)1 << snap_torch_digits(dtype)
                               : most;
    if (*from < least || *to_inclusive > most ||
        (is_float && ((double)*from < -float_max || (double)*to_inclusive > float_max))) {
        return snap_error_set(err, SNAP_INVALID, OBJECT "random_: past the limits of the type");
    }
    if (is_float) {
        *from = move_from_up(dtype, *from);
        if (to != NULL) {
            *to_inclusive = move_to_down(dtype, *to) - 1;
        }
    }
    if (*from > *to_inclusive) {
        return snap_error_set(err, SNAP_INVALID, OBJECT "random_: the range is empty");
    }
    return SNAP_OK;
}

enum snap_status snap_torch_random_from_to(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                           int64_t from, const int64_t *to, void *out, size_t n,
                                           struct snap_error *err)
{
    bool wide = dtype == SNAP_I64 || dtype == SNAP_F64 || dtype == SNAP_F32 || dtype == SNAP_BF16;
    bool full = to == NULL && from == INT64_MIN; /* all 64 bits: no modulo */
    int64_t to_inclusive = 0;
    uint64_t range = 0; /* number of values */
    enum snap_status status;

    if (!snap_torch_is_fillable(dtype) || (full && !wide)) {
        return refuse(dtype, "random_", err);
    }
    if (!full) {
        status = find_range(dtype, to, &from, &to_inclusive, err);
        if (status != SNAP_OK) {
            return status;
        }
        range = (uint64_t)to_inclusive - (uint64_t)from + 1;
        wide = (wide && range >= WIDE_RANGE) ||
               (t->version >= SNAP_TORCH_2_7 && range >= WIDE_RANGE_2_7);
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t word = wide ? snap_torch_u64(t) : snap_torch_u32(t);

        if (!full) {
            word = word % range + (uint64_t)from;
        }
        snap_torch_store_int(dtype, out, i, (int64_t)word);
    }
    return SNAP_OK;
}

static void uniform_f32(struct snap_torch_cpu *t, float from, float to, float *out, size_t n)
{
    float range = to - from;

    snap_torch_floats(t, out, n);
    if (range != 1.0f || from != 0.0f) {
        snap_torch_scale_f32(out, n, range, from);
    }
}

static void uniform_f64(struct snap_torch_cpu *t, double from, double to, double *out, size_t n)
{
    double range = to - from;

    snap_torch_doubles(t, out, n);
    if (range != 1.0 || from != 0.0) {
        snap_torch_scale_f64(out, n, range, from);
    }
}

/* In float, from as many low bits of a word as the type's significand has. */
static void uniform_16(struct snap_torch_cpu *t, enum snap_dtype dtype, double from, double to,
                       void *out, size_t n)
{
    float (*round)(float) = dtype == SNAP_F16 ? snap_round_to_f16 : snap_round_to_bf16;
    int digits = snap_torch_digits(dtype);
    uint32_t mask = ((uint32_t)1 << digits) - 1;
    float scale = 1.0f / (float)((uint32_t)1 << digits);
    float low = round((float)from);
    float range = round(round((float)to) - low);

    for (size_t i = 0; i < n; i++) {
        float x = (float)(snap_torch_u32(t) & mask) * scale;

        snap_torch_store_double(dtype, out, i, x * range + low); /* the product is exact */
    }
}

enum snap_status snap_torch_uniform(struct snap_torch_cpu *t, enum snap_dtype dtype, double from,
                                    double to, void *out, size_t n, struct snap_error *err)
{
    double most = snap_torch_float_max(dtype);

    if (!snap_torch_is_float(dtype)) {
        return refuse(dtype, "uniform_", err);
    }
    if (!(from <= to) || from < -most || to > most || to - from > most) {
        return snap_error_set(err, SNAP_INVALID,
                              OBJECT "uniform_: from > to, or past the limits of the type");
    }
    if (dtype == SNAP_F32) {
        uniform_f32(t, (float)from, (float)to, out, n);
    } else if (dtype == SNAP_F64) {
        uniform_f64(t, from, to, out, n);
    } else {
        uniform_16(t, dtype, from, to, out, n);
    }
    return SNAP_OK;
}

static enum snap_status check_probability(enum snap_dtype dtype, double p, struct snap_error *err)
{
    if (!snap_torch_is_fillable(dtype)) {
        return refuse(dtype, "bernoulli_", err);
    }
    if (!(p >= 0.0 && p <= 1.0)) {
        return snap_error_set(err, SNAP_INVALID, OBJECT "bernoulli_: p is not between 0 and 1");
    }
    return SNAP_OK;
}

enum snap_status snap_torch_bernoulli(struct snap_torch_cpu *t, enum snap_dtype dtype, double p,
                                      void *out, size_t n, struct snap_error *err)
{
    enum snap_status status = check_probability(dtype, p, err);

    for (size_t i = 0; status == SNAP_OK && i < n; i++) {
        snap_torch_store_int(dtype, out, i, snap_torch_double(t) < p);
    }
    return status;
}

enum snap_status snap_torch_bernoulli_mkl(struct snap_torch_cpu *t, enum snap_dtype dtype,
                                          double p, void *out, size_t n, struct snap_error *err)
{
    enum snap_status status = check_probability(dtype, p, err);
    uint64_t x;

    if (status != SNAP_OK) {
        return status;
    }
    x = snap_torch_u32(t) % MCG31_MODULUS;
    if (x == 0) {
        x = 1;
    }
    for (size_t i = 0; i < n; i++) {
        snap_torch_store_int(dtype, out, i, (double)x / MCG31_MODULUS < p);
        x = x * MCG31_MULTIPLIER % MCG31_MODULUS;
    }
    return SNAP_OK;
}

void snap_torch_bernoulli_f32(struct snap_torch_cpu *t, const float *p, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = snap_torch_float(t) < p[i] ? 1.0f : 0.0f;
    }
}

void snap_torch_bernoulli_f64(struct snap_torch_cpu *t, const double *p, double *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = snap_torch_double(t) < p[i] ? 1.0 : 0.0;
    }
}

enum snap_status snap_torch_dropout_mask(struct snap_torch_cpu *t, enum snap_dtype dtype, double p,
                                         void *out, size_t n, struct snap_error *err)
{
    enum snap_status status = check_probability(dtype, p, err);

    if (status != SNAP_OK) {
        return status;
    }
    if (dtype != SNAP_F32 && dtype != SNAP_F64) {
        return refuse(dtype, "dropout", err);
    }
    for (size_t i = 0; i < n; i++) {
        bool kept = p == 0.0 || (p < 1.0 && snap_torch_double(t) < 1.0 - p);

        if (dtype == SNAP_F32) {
            ((float *)out)[i] = kept ? 1.0f / (float)(1.0 - p) : 0.0f;
        } else {
            ((double *)out)[i] = kept ? 1.0 / (1.0 - p) : 0.0;
        }
    }
    return SNAP_OK;
}
