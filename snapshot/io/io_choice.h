/* SPDX-License-Identifier: Apache-2.0 */
/* The way of all reading and writing of files with archives in them, where somebody forces one. */
#ifndef SNAP_IO_IO_CHOICE_H
#define SNAP_IO_IO_CHOICE_H

#include <snapstate/status.h>

enum snap_io_way {
    SNAP_IO_BEST = 0,   /* direct for large files, where the file system has it */
    SNAP_IO_CACHED = 1, /* through the page cache */
    SNAP_IO_DIRECT = 2  /* past it, whatever the size, where the file system has it */
};

/* What the environment's SNAP_IO says: "auto", or nothing: SNAP_IO_BEST, the way that each caller
 * wants; "cached"; "direct". SNAP_INVALID: another word. */
enum snap_status snap_io_forced(enum snap_io_way *way, struct snap_error *err);

/* Of a file that is to be read or written past the page cache, and cannot. */
enum snap_status snap_io_not_direct(const char *what, struct snap_error *err);

#endif
