/* SPDX-License-Identifier: Apache-2.0 */
/* The member README of format snap-archive-1: one text, byte for byte, in every archive. */
#ifndef SNAP_FORMAT_README_H
#define SNAP_FORMAT_README_H

/* Static, terminated. */
const char *snap_readme_text(void);

#endif
