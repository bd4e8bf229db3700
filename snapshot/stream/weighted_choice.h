/* SPDX-License-Identifier: Apache-2.0 */
/* choice(n, size, replace, p) of NumPy's RandomState and Generator, which differ in the doubles
 * that they draw. Additions, divisions and comparisons only: equal everywhere. */
#ifndef SNAP_STREAM_WEIGHTED_CHOICE_H
#define SNAP_STREAM_WEIGHTED_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/status.h>

/* The next n doubles. */
typedef void snap_draw_doubles(void *arg, double *out, size_t n);

/* `size` of the indices of n weights. SNAP_INVALID when a weight is negative or not finite, they
 * have no positive sum, or, for distinct elements, fewer than `size` are not 0. `what` begins the
 * messages. */
enum snap_status snap_weighted_choice(const char *what, const double *p, size_t n, bool replace,
                                      snap_draw_doubles *draw, void *arg, uint64_t *out,
                                      size_t size, struct snap_error *err);

#endif
