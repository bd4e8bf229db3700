/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka, and checks of a status together with the text that came with it. A test file that uses
 * them has an object `static struct snap_error err = SNAP_ERROR_INIT;` and passes &err along. */
#ifndef SNAP_TESTS_UNIT_CHECK_H
#define SNAP_TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <snapstate/status.h>

static inline void unit_check_status(enum snap_status expected, enum snap_status found,
                                     const char *fragment, const struct snap_error *error,
                                     const char *file, int line)
{
    if (found != expected) {
        print_error("%s:%d: status is \"%s\", not \"%s\": %s\n", file, line,
                    snap_status_name(found), snap_status_name(expected), error->text);
        _fail(file, line);
    }
    if (fragment != NULL && strstr(error->text, fragment) == NULL) {
        print_error("%s:%d: \"%s\" is not in: %s\n", file, line, fragment, error->text);
        _fail(file, line);
    }
    if (expected != SNAP_OK && error->text[0] == '\0') {
        print_error("%s:%d: no text came with the status\n", file, line);
        _fail(file, line);
    }
}

/* The call must give SNAP_OK. */
#define CHECK_OK(call)                                                                            \
    do {                                                                                          \
        err = (struct snap_error)SNAP_ERROR_INIT;                                                 \
        enum snap_status unit_found = (call);                                                     \
        unit_check_status(SNAP_OK, unit_found, NULL, &err, __FILE__, __LINE__);                   \
    } while (0)

/* The call must fail with this status, and its text hold `fragment` (NULL: any). */
#define CHECK_FAILS(status, fragment, call)                                                       \
    do {                                                                                          \
        err = (struct snap_error)SNAP_ERROR_INIT;                                                 \
        enum snap_status unit_found = (call);                                                     \
        unit_check_status((status), unit_found, (fragment), &err, __FILE__, __LINE__);            \
    } while (0)

#endif
