/* SPDX-License-Identifier: Apache-2.0 */
/* The learning rate as a function of the step alone: binary32 out of doubles with + - * / and our
 * own COS, no libm. */
#ifndef TRN_SCHEDULE_H
#define TRN_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

enum trn_schedule_kind {
    TRN_SCHEDULE_CONSTANT,
    TRN_SCHEDULE_STEP,   /* base * gamma^floor(t / every) */
    TRN_SCHEDULE_COSINE, /* from base down to `minimum` over `total` steps, then `minimum` */
    TRN_SCHEDULE_KINDS
};

/* t counts from the end of the warm-up. Zero-initialise, then set what the kind uses. */
struct trn_schedule {
    enum trn_schedule_kind kind;
    double base;          /* learning rate after the warm-up; 0 to 1e6 */
    uint64_t warmup;      /* steps of linear warm-up: step i gets base * (i + 1) / (warmup + 1) */
    uint64_t every;       /* step: >= 1 */
    double gamma;         /* step: 0 <= gamma <= 1 */
    uint64_t total;       /* cosine: steps of the whole run, > warmup */
    double minimum;       /* cosine: finite, 0 <= minimum <= base */
};

const char *trn_schedule_kind_name(enum trn_schedule_kind kind); /* "constant", "step", "cosine" */

/* SNAP_INVALID names the field and what was expected. */
enum snap_status trn_schedule_check(const struct trn_schedule *schedule, struct snap_error *err);

/* The rate of the update that follows `step` updates (0: the first). The schedule has been
 * checked. Exact on every machine. */
float trn_schedule_rate(const struct trn_schedule *schedule, uint64_t step);

#endif
