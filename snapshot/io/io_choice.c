/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "io/io_choice.h"

enum snap_status snap_io_forced(enum snap_io_way *way, struct snap_error *err)
{
    static const struct {
        const char *word;
        enum snap_io_way way;
    } words[] = {
        { "", SNAP_IO_BEST },
        { "auto", SNAP_IO_BEST },
        { "cached", SNAP_IO_CACHED },
        { "direct", SNAP_IO_DIRECT },
    };
    const char *value = getenv("SNAP_IO");
    *way = SNAP_IO_BEST;
    if (value == NULL)
        return SNAP_OK;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(value, words[i].word) == 0) {
            *way = words[i].way;
            return SNAP_OK;
        }
    return snap_error_set(err, SNAP_INVALID,
                          "SNAP_IO=%s: is no way to read and write: set it to auto, cached or "
                          "direct, or not at all",
                          value);
}

enum snap_status snap_io_not_direct(const char *what, struct snap_error *err)
{
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "%s: SNAP_IO=direct forces direct I/O, and the file system has none: "
                          "take SNAP_IO=auto",
                          what);
}
