/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <snapstate/status.h>

#include "core/text.h"

static void write_text(struct snap_error *err, enum snap_status status, int os_error,
                       const char *text)
{
    err->status = status;
    err->os_error = os_error;
    snap_text_clean(text, err->text, sizeof err->text);
}

enum snap_status snap_error_set(struct snap_error *err, enum snap_status status,
                                const char *format, ...)
{
    if (err == NULL)
        return status;
    /* Not straight into err->text, which may be among the arguments. */
    char text[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_text(err, status, 0, text);
    return status;
}

enum snap_status snap_error_set_os(struct snap_error *err, enum snap_status status, int os_error,
                                   const char *format, ...)
{
    if (err == NULL)
        return status;
    char text[sizeof err->text];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof text) {
        char buffer[128];
        const char *cause = strerror_r(os_error, buffer, sizeof buffer);
        snprintf(text + length, sizeof text - (size_t)length, ": %s", cause);
    }
    write_text(err, status, os_error, text);
    return status;
}

const char *snap_status_name(enum snap_status status)
{
    switch (status) {
    case SNAP_OK:
        return "ok";
    case SNAP_DIFFERS:
        return "differs";
    case SNAP_INVALID:
        return "invalid";
    case SNAP_IO:
        return "input or output";
    case SNAP_UNSUPPORTED:
        return "unsupported";
    case SNAP_CORRUPT:
        return "corrupt";
    case SNAP_ABSENT:
        return "absent";
    case SNAP_NONFINITE:
        return "not finite";
    case SNAP_NOT_FOUND:
        return "not found";
    case SNAP_NO_MEMORY:
        return "out of memory";
    case SNAP_BUSY:
        return "busy";
    case SNAP_INTERNAL:
        return "internal";
    }
    return "unknown";
}
