/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of a folder as a store have in common: its files (store_dir.c), and their
 * locks (store_dir_lock.c). */
#ifndef SNAP_STORE_STORE_DIR_H
#define SNAP_STORE_STORE_DIR_H

#include "store/store_ops.h"

struct snap_dir_store {
    struct snap_store store;
    char *path;
    int dirfd;
    const struct snap_stop *stop; /* NULL: nobody can ask */
};

/* "PATH/NAME", for messages; cut when it is too long to show. */
#define SNAP_DIR_WHAT_BYTES 512
const char *snap_dir_describe(const struct snap_dir_store *dir, const char *name,
                              char what[SNAP_DIR_WHAT_BYTES]);

/* Open the folder that `name` lies in, made when it is not there and `create`: *fd is the caller's.
 * *leaf is the last part of the name. SNAP_NOT_FOUND: it is not there. */
enum snap_status snap_dir_open_folder(struct snap_dir_store *dir, const char *name, bool create,
                                      int *fd, const char **leaf, struct snap_error *err);

/* The functions of the table, as struct snap_store_ops says. */
enum snap_status snap_dir_update(struct snap_store *store, const char *name, uint64_t limit,
                                 snap_store_decide *decide, void *arg, bool *exclusive,
                                 struct snap_error *err);
enum snap_status snap_dir_lock(struct snap_store *store, const char *name,
                               struct snap_store_lock **lock, struct snap_error *err);
void snap_dir_unlock(struct snap_store *store, struct snap_store_lock *lock);
int snap_dir_lock_file(const struct snap_store_lock *lock);

#endif
