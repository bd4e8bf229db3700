/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on files, each loop written once: EINTR, short reads and writes, checked close.
 * `what` names the file in messages. All descriptors are opened O_CLOEXEC. */
#ifndef SNAP_CORE_FILE_H
#define SNAP_CORE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <snapstate/status.h>

#include "core/buffer.h"

/* Open `path` relative to `dirfd` (AT_FDCWD: the working directory). SNAP_NOT_FOUND when it is not
 * there (ENOENT), else SNAP_IO. *fd is owned by the caller. */
enum snap_status snap_file_open(int dirfd, const char *path, int flags, mode_t mode, int *fd,
                                struct snap_error *err);
/* Close and report: a failed close can be a failed write. `fd` is gone in any case. */
enum snap_status snap_file_close(int fd, const char *what, struct snap_error *err);

enum snap_status snap_file_write(int fd, const void *data, size_t size_bytes, const char *what,
                                 struct snap_error *err);
enum snap_status snap_file_pwrite(int fd, const void *data, size_t size_bytes, uint64_t offset,
                                  const char *what, struct snap_error *err);
/* Read exactly size_bytes at `offset`. SNAP_CORRUPT when the file ends before. */
enum snap_status snap_file_pread(int fd, void *data, size_t size_bytes, uint64_t offset,
                                 const char *what, struct snap_error *err);

/* fsync. After a failure the descriptor must not be synced again: the pages are marked clean, and
 * a second call would lie. */
enum snap_status snap_file_sync(int fd, const char *what, struct snap_error *err);
/* fsync of a folder. On failure the text says "written, durability unknown". */
enum snap_status snap_folder_sync(int dirfd, const char *what, struct snap_error *err);

/* Read a whole regular file and append it to `out`. SNAP_NOT_FOUND: no such file. SNAP_CORRUPT:
 * more than `limit` bytes. On failure `out` is as it was. */
enum snap_status snap_file_read(int dirfd, const char *path, uint64_t limit,
                                struct snap_buffer *out, struct snap_error *err);
/* The same from a descriptor, from its start. */
enum snap_status snap_file_read_fd(int fd, const char *what, uint64_t limit,
                                   struct snap_buffer *out, struct snap_error *err);

#endif
