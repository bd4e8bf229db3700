/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "optim/schedule.h"

#include "ops/math_functions.h"

/* Larger rates would be no rates; also keeps every product below finite. */
#define LARGEST 1e6

const char *trn_schedule_kind_name(enum trn_schedule_kind kind)
{
    static const char *const names[TRN_SCHEDULE_KINDS] = { "constant", "step", "cosine" };
    return (unsigned)kind < TRN_SCHEDULE_KINDS ? names[kind] : "unknown";
}

enum snap_status trn_schedule_check(const struct trn_schedule *s, struct snap_error *err)
{
    if ((unsigned)s->kind >= TRN_SCHEDULE_KINDS) {
        return snap_error_set(err, SNAP_INVALID, "learning rate: there is no schedule %d",
                              (int)s->kind);
    }
    if (!(s->base >= 0.0 && s->base <= LARGEST)) {
        return snap_error_set(err, SNAP_INVALID, "learning rate: must be 0 to %g", LARGEST);
    }
    if (s->warmup > UINT32_MAX) {
        return snap_error_set(err, SNAP_INVALID, "learning rate: warm-up: at most 2^32-1 steps");
    }
    if (s->kind == TRN_SCHEDULE_STEP && (s->every == 0 || !(s->gamma >= 0.0 && s->gamma <= 1.0))) {
        return snap_error_set(err, SNAP_INVALID,
                              "learning rate: step: expected every >= 1 and gamma 0 to 1");
    }
    if (s->kind == TRN_SCHEDULE_COSINE &&
        (s->total <= s->warmup || !(s->minimum >= 0.0 && s->minimum <= s->base))) {
        return snap_error_set(err, SNAP_INVALID,
                              "learning rate: cosine: expected more steps in total than in the "
                              "warm-up, and a minimum between 0 and the rate");
    }
    return SNAP_OK;
}

static double decayed(const struct trn_schedule *s, uint64_t t)
{
    double rate = s->base;
    for (uint64_t k = t / s->every; k > 0; k--) {
        const double next = rate * s->gamma;
        if (next == rate) { /* more products would change nothing */
            break;
        }
        rate = next;
    }
    return rate;
}

static double cosine(const struct trn_schedule *s, uint64_t t)
{
    const uint64_t span = s->total - s->warmup;
    float angle;
    if (t >= span) {
        return s->minimum;
    }
    angle = (float)(0x1.921fb54442d18p+1 * (double)t / (double)span);
    return s->minimum + (0.5 * (s->base - s->minimum)) * (1.0 + (double)trn_cosf(angle));
}

float trn_schedule_rate(const struct trn_schedule *s, uint64_t step)
{
    if (step < s->warmup) {
        return (float)(s->base * (double)(step + 1) / (double)(s->warmup + 1));
    }
    switch (s->kind) {
    case TRN_SCHEDULE_STEP:
        return (float)decayed(s, step - s->warmup);
    case TRN_SCHEDULE_COSINE:
        return (float)cosine(s, step - s->warmup);
    default:
        return (float)s->base;
    }
}
