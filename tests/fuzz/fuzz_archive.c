/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an archive: opened, checked, every member read. */
#include "config.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/archive_read.h"
#include "fuzz_target.h"

/* No member of an input is larger than all of it. */
enum { MAX_MEMBER_BYTES = 1 << 20 };

static void read_all(struct snap_archive *archive)
{
    struct snap_error err = SNAP_ERROR_INIT;
    for (size_t i = 0; i < snap_archive_member_count(archive); i++) {
        void *data = NULL;
        if (snap_archive_read_alloc(archive, snap_archive_member(archive, i), MAX_MEMBER_BYTES,
                                    &data, &err) == SNAP_OK)
            free(data);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snap_error err = SNAP_ERROR_INIT;
    struct snap_archive *archive = NULL;
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size))
        abort();
    if (snap_archive_open_fd(fd, "input", &archive, &err) != SNAP_OK)
        return 0;
    read_all(archive);
    snap_archive_check(archive, NULL, &err);
    snap_archive_close(archive);
    return 0;
}
