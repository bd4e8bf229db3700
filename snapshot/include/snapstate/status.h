/* SPDX-License-Identifier: Apache-2.0 */
/* Status codes and the error object. Every function of the library that can fail returns an
 * `enum snap_status` and takes a `struct snap_error *` last, which may be NULL. */
#ifndef SNAPSTATE_STATUS_H
#define SNAPSTATE_STATUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SNAP_PRINTF(format_index, first_argument) \
    __attribute__((format(printf, format_index, first_argument)))
#else
#define SNAP_PRINTF(format_index, first_argument)
#endif

enum snap_status {
    /* Done. */
    SNAP_OK = 0,
    /* Two things that should be equal are not: a repeated ledger line, a replay, a diff. */
    SNAP_DIFFERS = 1,
    /* The caller's mistake: an argument, a call out of order, a name that is not legal. */
    SNAP_INVALID = 2,
    /* The environment: a file, a permission, space, a device. */
    SNAP_IO = 3,
    /* Valid, but this build, machine or version cannot do it. */
    SNAP_UNSUPPORTED = 4,
    /* Bytes that are not what their digest, size or grammar says. */
    SNAP_CORRUPT = 5,
    /* Intact, but members needed are withheld, or the tier reached is below the one required. */
    SNAP_ABSENT = 6,
    /* NaN or Inf where the profile stops on them. */
    SNAP_NONFINITE = 7,
    /* Nothing there: no snapshot to restore from, no member of that name. Not an error for
     * callers who can start fresh. */
    SNAP_NOT_FOUND = 8,
    /* Memory could not be had. */
    SNAP_NO_MEMORY = 9,
    /* Another process holds the run. */
    SNAP_BUSY = 10,
    /* A bug in the library. */
    SNAP_INTERNAL = 70
};

/* What went wrong, in one line without a newline: object, what was tried, cause, and what to do
 * where that is known. Owned by the caller; initialise with SNAP_ERROR_INIT. Written only on
 * failure, by the first function that knows the cause. */
struct snap_error {
    size_t size_bytes;       /* sizeof(struct snap_error) */
    enum snap_status status; /* the status that was returned with it */
    int os_error;            /* errno of the failed system call, or 0 */
    char text[1000];         /* UTF-8, terminated */
};

#define SNAP_ERROR_INIT { sizeof(struct snap_error), SNAP_OK, 0, { 0 } }

/* Write `format` and its arguments into `err` (NULL: nothing is written) and return `status`, so
 * that callbacks and callers can say `return snap_error_set(err, SNAP_IO, ...)`. */
enum snap_status snap_error_set(struct snap_error *err, enum snap_status status,
                                const char *format, ...) SNAP_PRINTF(3, 4);

/* The same, and ": " with the text of `os_error` (an errno value) is added at the end. */
enum snap_status snap_error_set_os(struct snap_error *err, enum snap_status status, int os_error,
                                   const char *format, ...) SNAP_PRINTF(4, 5);

/* The name of a status as lower-case words ("not found"). Never NULL; static. */
const char *snap_status_name(enum snap_status status);

#ifdef __cplusplus
}
#endif

#endif
