/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "foreign/foreign_input.h"

enum snap_status snap_foreign_input_open(const char *path, struct snap_foreign_input *input,
                                         struct snap_error *err)
{
    struct stat info;
    int fd;
    /* Not to hang on a pipe. */
    enum snap_status status = snap_file_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0, &fd, err);
    if (status != SNAP_OK)
        return status;
    if (fstat(fd, &info) != 0)
        status = snap_error_set_os(err, SNAP_IO, errno, "%s: looking at it", path);
    else if (S_ISDIR(info.st_mode))
        status = snap_error_set(err, SNAP_IO, "%s: is a folder: name the files in it", path);
    else if (!S_ISREG(info.st_mode))
        status = snap_error_set(err, SNAP_IO, "%s: is not a regular file", path);
    if (status != SNAP_OK) {
        close(fd); /* only opened: nothing can be lost */
        return status;
    }
    *input = (struct snap_foreign_input) { .name = path, .fd = fd, .size = (uint64_t)info.st_size };
    return SNAP_OK;
}

void snap_foreign_input_memory(const void *data, size_t size_bytes, const char *name,
                               struct snap_foreign_input *input)
{
    *input =
        (struct snap_foreign_input) { .name = name, .memory = data, .fd = -1, .size = size_bytes };
}

void snap_foreign_input_close(struct snap_foreign_input *input)
{
    if (input->fd >= 0)
        close(input->fd); /* only read: nothing can be lost */
    *input = (struct snap_foreign_input)SNAP_FOREIGN_INPUT_INIT;
}

enum snap_status snap_foreign_input_read(const struct snap_foreign_input *input, uint64_t offset,
                                         void *data, size_t size_bytes, struct snap_error *err)
{
    if (offset > input->size || size_bytes > input->size - offset)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: %zu bytes are wanted at byte %" PRIu64 ", and the file has "
                              "%" PRIu64,
                              input->name, size_bytes, offset, input->size);
    if (input->fd >= 0)
        return snap_file_pread(input->fd, data, size_bytes, offset, input->name, err);
    if (size_bytes > 0)
        memcpy(data, input->memory + offset, size_bytes);
    return SNAP_OK;
}

enum snap_status snap_foreign_input_load(const struct snap_foreign_input *input, uint64_t offset,
                                         uint64_t size_bytes, unsigned char **data,
                                         struct snap_error *err)
{
    if (offset > input->size || size_bytes > input->size - offset)
        return snap_error_set(err, SNAP_CORRUPT,
                              "%s: %" PRIu64 " bytes are wanted at byte %" PRIu64 ", and the file "
                              "has %" PRIu64,
                              input->name, size_bytes, offset, input->size);
    unsigned char *loaded = malloc(size_bytes > 0 ? (size_t)size_bytes : 1);
    if (loaded == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: reading %" PRIu64 " bytes: out of memory",
                              input->name, size_bytes);
    enum snap_status status =
        snap_foreign_input_read(input, offset, loaded, (size_t)size_bytes, err);
    if (status == SNAP_OK)
        *data = loaded;
    else
        free(loaded);
    return status;
}
