/* SPDX-License-Identifier: Apache-2.0 */
/* Copying an archive without some of its members. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "format/tar_layout.h"
#include "publication_internal.h"

enum { COPY_BYTES = 1 << 20 };

bool snap_publication_withholds(const struct snap_publication_options *options,
                                const struct snap_member *member)
{
    static const char tensors[] = "tensors/";
    const size_t prefix = sizeof tensors - 1;
    if (options->anonymous &&
        (member->kind == SNAP_MEMBER_ENVIRONMENT ||
         (member->kind == SNAP_MEMBER_EXTRA && !member->in_state)))
        return true;
    if (options->withhold == NULL || member->kind != SNAP_MEMBER_TENSOR)
        return false;
    size_t length = strlen(options->withhold);
    return strncmp(member->name, tensors, prefix) == 0 &&
           strncmp(member->name + prefix, options->withhold, length) == 0 &&
           member->name[prefix + length] == '/';
}

/* Append `size` bytes at `offset` of `source` to `target`. */
static enum snap_status copy(int source, uint64_t offset, uint64_t size, int target,
                             const char *name, void *block, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    while (status == SNAP_OK && size > 0) {
        size_t now = size < COPY_BYTES ? (size_t)size : COPY_BYTES;
        status = snap_file_pread(source, block, now, offset, name, err);
        if (status == SNAP_OK)
            status = snap_file_write(target, block, now, name, err);
        offset += now;
        size -= now;
    }
    return status;
}

static enum snap_status copy_members(const struct snap_archive *archive, int source, int target,
                                     const char *name,
                                     const struct snap_publication_options *options,
                                     size_t *withheld, void *block, struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < snap_archive_member_count(archive); i++) {
        const struct snap_member *member = snap_archive_member(archive, i);
        if (member->withheld || snap_publication_withholds(options, member)) {
            (*withheld)++;
            continue;
        }
        uint64_t blocks = (member->data_size + SNAP_TAR_BLOCK_BYTES - 1) / SNAP_TAR_BLOCK_BYTES;
        status = copy(source, member->data_offset - SNAP_TAR_BLOCK_BYTES,
                      (1 + blocks) * SNAP_TAR_BLOCK_BYTES, target, name, block, err);
    }
    if (status == SNAP_OK) {
        memset(block, 0, 2 * SNAP_TAR_BLOCK_BYTES);
        status = snap_file_write(target, block, 2 * SNAP_TAR_BLOCK_BYTES, name, err);
    }
    return status;
}

enum snap_status snap_publication_copy(const struct snap_archive *archive, int source, int dirfd,
                                       const char *name,
                                       const struct snap_publication_options *options,
                                       size_t *withheld, struct snap_error *err)
{
    void *block = malloc(COPY_BYTES);
    int target = -1;
    enum snap_status status = SNAP_OK;
    if (block == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "publish: no memory to copy %s", name);
    if (status == SNAP_OK)
        status = snap_file_open(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, 0666, &target, err);
    if (status == SNAP_OK)
        status = copy_members(archive, source, target, name, options, withheld, block, err);
    if (status == SNAP_OK)
        status = snap_file_sync(target, name, err);
    if (target >= 0 && status == SNAP_OK)
        status = snap_file_close(target, name, err);
    else if (target >= 0)
        close(target); /* the first error is the one to tell */
    free(block);
    return status;
}
