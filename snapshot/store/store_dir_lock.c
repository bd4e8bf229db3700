/* SPDX-License-Identifier: Apache-2.0 */
/* Locks of a folder's files, and updates under one. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "store/store_dir.h"

#define FILE_MODE 0644
/* A lock is tried again when the file was replaced between opening and locking it. */
#define LOCK_ATTEMPTS 8
/* Another's update is waited for, 20 ms at a time: ten seconds. */
#define UPDATE_ATTEMPTS 500

struct snap_store_lock {
    int fd; /* flock holds as long as it is open */
};

/* ---- locks ---- */

/* Open and lock once; *again: the file was replaced meanwhile. */
static enum snap_status try_lock(int folder, const char *leaf, const char *what, int *fd,
                                 bool *again, struct snap_error *err)
{
    struct stat locked;
    struct stat named;
    bool created = false;
    enum snap_status status = SNAP_OK;
    *again = false;
    int opened = openat(folder, leaf, O_RDWR | O_APPEND | O_CLOEXEC);
    if (opened < 0 && errno == ENOENT) {
        created = true;
        opened = openat(folder, leaf, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, FILE_MODE);
    }
    if (opened < 0)
        return snap_error_set_os(err, SNAP_IO, errno, "%s: opening it to lock it", what);
    if (flock(opened, LOCK_EX | LOCK_NB) != 0)
        status = errno == EWOULDBLOCK
                     ? snap_error_set(err, SNAP_BUSY, "%s: another process holds its lock", what)
                     : snap_error_set_os(err, SNAP_IO, errno, "%s: locking", what);
    else if (fstat(opened, &locked) != 0 ||
             fstatat(folder, leaf, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
             locked.st_ino != named.st_ino || locked.st_dev != named.st_dev)
        *again = true;
    else if (created)
        status = snap_folder_sync(folder, what, err);
    if (status == SNAP_OK && !*again)
        *fd = opened;
    else
        close(opened); /* nothing was written */
    return status;
}

enum snap_status snap_dir_lock(struct snap_store *store, const char *name,
                                 struct snap_store_lock **lock, struct snap_error *err)
{
    struct snap_dir_store *dir = (struct snap_dir_store *)store;
    char what[SNAP_DIR_WHAT_BYTES];
    const char *leaf;
    int folder;
    int fd = -1;
    bool again = true;
    struct snap_store_lock *made = malloc(sizeof *made);
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: locking: out of memory", name);
    snap_dir_describe(dir, name, what);
    enum snap_status status = snap_dir_open_folder(dir, name, true, &folder, &leaf, err);
    if (status != SNAP_OK) {
        free(made);
        return status;
    }
    for (int i = 0; i < LOCK_ATTEMPTS && again && status == SNAP_OK; i++)
        status = try_lock(folder, leaf, what, &fd, &again, err);
    if (status == SNAP_OK && again)
        status = snap_error_set(err, SNAP_BUSY, "%s: somebody keeps replacing it", what);
    close(folder); /* only read: nothing can be lost */
    if (status != SNAP_OK) {
        free(made);
        return status;
    }
    made->fd = fd;
    *lock = made;
    return SNAP_OK;
}

void snap_dir_unlock(struct snap_store *store, struct snap_store_lock *lock)
{
    (void)store;
    close(lock->fd); /* nothing was written through it */
    free(lock);
}

int snap_dir_lock_file(const struct snap_store_lock *lock)
{
    return lock->fd;
}

/* ---- updates ---- */

/* The lock of a file that is replaced is beside it: a lock on the file itself would be lost. */
static enum snap_status lock_beside(struct snap_store *store, const char *name,
                                    struct snap_store_lock **lock, struct snap_error *err)
{
    const struct timespec pause = { 0, 20000000 };
    char beside[SNAP_DIR_WHAT_BYTES];
    enum snap_status status = SNAP_BUSY;
    snprintf(beside, sizeof beside, "%s.lock", name);
    for (int i = 0; status == SNAP_BUSY && i < UPDATE_ATTEMPTS; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        status = snap_store_lock(store, beside, lock, err);
    }
    return status;
}

enum snap_status snap_dir_update(struct snap_store *store, const char *name, uint64_t limit,
                                   snap_store_decide *decide, void *arg, bool *exclusive,
                                   struct snap_error *err)
{
    const struct snap_put_options replace = { .mode = SNAP_PUT_REPLACE };
    struct snap_buffer old = SNAP_BUFFER_INIT;
    struct snap_buffer content = SNAP_BUFFER_INIT;
    struct snap_store_lock *lock = NULL;
    bool write = false;
    (void)exclusive;
    enum snap_status status = lock_beside(store, name, &lock, err);
    if (status != SNAP_OK)
        return status;
    status = snap_store_read(store, name, limit, &old, err);
    bool there = status != SNAP_NOT_FOUND;
    if (status == SNAP_OK || !there)
        status = decide(arg, there ? &old : NULL, &content, &write, err);
    if (status == SNAP_OK && write)
        status = snap_store_put_bytes(store, name, content.data, content.size, &replace, err);
    snap_store_unlock(store, lock);
    snap_buffer_release(&content);
    snap_buffer_release(&old);
    return status;
}
