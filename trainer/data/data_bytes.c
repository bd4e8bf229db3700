/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "data/data_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum snap_status trn_data_bytes_read(const char *path, uint8_t **bytes, size_t *size_bytes,
                                     struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    uint8_t *buffer = NULL;
    size_t have = 0;
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return snap_error_set_os(err, SNAP_IO, errno, "data file %s: cannot be opened", path);
    if (fstat(fd, &info) != 0) {
        status = snap_error_set_os(err, SNAP_IO, errno, "data file %s: cannot be looked at", path);
        goto out;
    }
    if (!S_ISREG(info.st_mode)) {
        status = snap_error_set(err, SNAP_IO, "data file %s: not a file", path);
        goto out;
    }
    size_t size = (size_t)info.st_size;
    buffer = malloc(size > 0 ? size : 1);
    if (buffer == NULL) {
        status = snap_error_set(err, SNAP_NO_MEMORY, "data file %s: no memory for %zu bytes", path,
                                size);
        goto out;
    }
    while (have < size) {
        ssize_t got = read(fd, buffer + have, size - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            status = snap_error_set_os(err, SNAP_IO, errno, "data file %s: cannot be read", path);
            goto out;
        }
        if (got == 0) {
            status = snap_error_set(err, SNAP_IO, "data file %s: became shorter while it was read",
                                    path);
            goto out;
        }
        have += (size_t)got;
    }
    *bytes = buffer;
    *size_bytes = size;
    buffer = NULL;
out:
    free(buffer);
    close(fd); /* only read from: nothing to lose */
    return status;
}
