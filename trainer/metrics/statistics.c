/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "metrics/statistics.h"

#include <math.h>

#define PI 3.14159265358979323846

/* P(-t < T < t) for `degrees` degrees of freedom. */
static double within(double t, size_t degrees)
{
    double angle = atan(t / sqrt((double)degrees));
    double sine = sin(angle), cosine = cos(angle);
    double term, sum;
    if (degrees == 1)
        return angle / (PI / 2);
    if (degrees % 2 == 1) {
        /* cos + 2/3 cos^3 + (2 4)/(3 5) cos^5 ... up to the power degrees - 2 */
        term = sum = cosine;
        for (size_t k = 3; k + 2 <= degrees; k += 2) {
            term *= cosine * cosine * (double)(k - 1) / (double)k;
            sum += term;
        }
        return (angle + sine * sum) / (PI / 2);
    }
    /* 1 + 1/2 cos^2 + (1 3)/(2 4) cos^4 ... up to the power degrees - 2 */
    term = sum = 1;
    for (size_t k = 2; k + 2 <= degrees; k += 2) {
        term *= cosine * cosine * (double)(k - 1) / (double)k;
        sum += term;
    }
    return sine * sum;
}

double trn_student_t(double level, size_t degrees)
{
    double low = 0, high = 1;
    while (within(high, degrees) < level)
        high *= 2;
    for (;;) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            return high;
        if (within(middle, degrees) < level)
            low = middle;
        else
            high = middle;
    }
}

void trn_summarize(const double *values, size_t count, double t, struct trn_summary *summary)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    *summary = (struct trn_summary){ .count = count, .mean = sum / (double)count };
    if (count < 2)
        return;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - summary->mean) * (values[i] - summary->mean);
    summary->has_spread = true;
    summary->deviation = sqrt(squares / (double)(count - 1));
    double half = t * summary->deviation / sqrt((double)count);
    summary->low = summary->mean - half;
    summary->high = summary->mean + half;
}
