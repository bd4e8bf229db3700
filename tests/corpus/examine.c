/* SPDX-License-Identifier: Apache-2.0 */
/* examine FILE: opens and checks an archive, with sanitizers where there are any; the text of what
 * is wrong, and the exit status of the commands. */
#include "config.h"

#include <stdio.h>

#include <snapstate/archive.h>

int main(int argc, char **argv)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_archive *archive = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: examine FILE\n");
        return 2;
    }
    enum snap_status status = snap_archive_open(argv[1], &archive, &err);
    if (status == SNAP_OK)
        status = snap_archive_check(archive, NULL, &err);
    snap_archive_close(archive);
    if (status != SNAP_OK)
        fprintf(stderr, "%s\n", err.text);
    return status == SNAP_OK ? 0 : status == SNAP_CORRUPT ? 5 : status == SNAP_UNSUPPORTED ? 4 : 1;
}
