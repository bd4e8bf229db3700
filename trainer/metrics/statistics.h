/* SPDX-License-Identifier: Apache-2.0 */
/* Mean, spread and confidence of a few numbers. */
#ifndef TRN_STATISTICS_H
#define TRN_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

struct trn_summary {
    size_t count;
    double mean;
    /* Of two numbers or more; else has_spread is false and these are 0. */
    bool has_spread;
    double deviation; /* of the sample: divided by count - 1 */
    double low, high; /* the confidence interval of the mean */
};

/* The t for which a Student-distributed number of `degrees` >= 1 degrees of freedom lies between -t
 * and t with probability `level`, 0 < level < 1. By bisection on the distribution function in its
 * closed form for whole degrees (Abramowitz and Stegun, 26.7.3 and 26.7.4). */
double trn_student_t(double level, size_t degrees);

/* Summarise `count` >= 1 numbers. `t` is trn_student_t(level, count - 1); not looked at for one
 * number. Sums go in the order of the numbers; the deviation is taken from the mean in a second
 * pass. A number that is not finite makes what depends on it NaN. */
void trn_summarize(const double *values, size_t count, double t, struct trn_summary *summary);

#endif
