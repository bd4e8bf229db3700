/* SPDX-License-Identifier: Apache-2.0 */
/* write_sample FILE [MASK]: the archive that docs/format.md shows; MASK (decimal) withholds
 * members, by their index in file order among those that a caller gives. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/file.h"
#include "sample_archive.h"

int main(int argc, char **argv)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct sample_archive sample;
    struct snap_buffer bytes = SNAP_BUFFER_INIT;
    int fd = -1;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: write_sample FILE [MASK]\n");
        return 2;
    }
    enum snap_status status = sample_init(&sample, &err);
    if (status == SNAP_OK && argc == 3)
        status = sample_withhold(&sample, (unsigned)strtoul(argv[2], NULL, 10), &err);
    if (status == SNAP_OK)
        status = sample_encode(&sample, NULL, &bytes, &err);
    if (status == SNAP_OK)
        status = snap_file_open(AT_FDCWD, argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644, &fd, &err);
    if (status == SNAP_OK)
        status = snap_file_write(fd, bytes.data, bytes.size, argv[1], &err);
    if (status == SNAP_OK)
        status = snap_file_close(fd, argv[1], &err);
    if (status != SNAP_OK)
        fprintf(stderr, "write_sample: %s\n", err.text);
    snap_buffer_release(&bytes);
    sample_release(&sample);
    return status == SNAP_OK ? 0 : 1;
}
