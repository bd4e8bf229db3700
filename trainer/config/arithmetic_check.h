/* SPDX-License-Identifier: Apache-2.0 */
/* What portable-1 needs of this process, looked at before the first step. The kernels check a small
 * computation of theirs when a backend is opened; this is about the threads. */
#ifndef TRN_ARITHMETIC_CHECK_H
#define TRN_ARITHMETIC_CHECK_H

#include <snapstate/pool.h>
#include <snapstate/status.h>

/* Set the floating-point environment of this thread to round to nearest and keep subnormals (a
 * library loaded into the process may have changed it), and see in the threads of the pool that
 * arithmetic is as the profile defines it. SNAP_UNSUPPORTED: it is not, and results would not be
 * portable. */
enum snap_status trn_arithmetic_check(struct snap_pool *pool, struct snap_error *err);

#endif
