/* SPDX-License-Identifier: Apache-2.0 */
/* What a thin archive leaves to another one. */
#ifndef SNAP_THIN_H
#define SNAP_THIN_H

#include <stdbool.h>

#include <snapstate/archive.h>

/* Would a thin archive on `base` leave this member to it? A tensor that the base's own file has. */
bool snap_thin_withholds(const struct snap_archive *base, const struct snap_member *member);

#endif
