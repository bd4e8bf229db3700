/* SPDX-License-Identifier: Apache-2.0 */
/* Opening an archive by what names it: a path, or the URI of an object. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "folder/stored_name.h"
#include "format/archive_read.h"
#include "store/store_ops.h"

/* Ranges that close their store after them. */
struct owning {
    struct snap_ranges ranges;
    struct snap_ranges *inner;
    struct snap_store *store;
};

static enum snap_status owning_read(struct snap_ranges *ranges, void *data, size_t size_bytes,
                                    uint64_t offset, struct snap_error *err)
{
    struct snap_ranges *inner = ((struct owning *)ranges)->inner;
    return inner->ops->read(inner, data, size_bytes, offset, err);
}

static void owning_close(struct snap_ranges *ranges)
{
    struct owning *owning = (struct owning *)ranges;
    snap_ranges_close(owning->inner);
    snap_store_close(owning->store);
    free(owning);
}

static const struct snap_ranges_ops owning_ops = { owning_read, owning_close };

/* Its name in a store says which archive it is. */
static enum snap_status check_name(struct snap_archive *archive, const char *uri, const char *name,
                                   struct snap_error *err)
{
    struct snap_stored_name stored;
    if (!snap_stored_name_parse(name, &stored) ||
        strcmp(stored.snapshot_hash, snap_archive_snapshot_hash(archive)) == 0)
        return SNAP_OK;
    return snap_error_set(err, SNAP_CORRUPT, "%s: it is %s, and its name says another", uri,
                          snap_archive_snapshot_hash(archive));
}

/* `store` is consumed. */
static enum snap_status open_in(struct snap_store *store, const char *uri, const char *name,
                                struct snap_archive **archive, struct snap_error *err)
{
    struct owning *owning = calloc(1, sizeof *owning);
    struct snap_archive *made = NULL;
    enum snap_status status = SNAP_OK;
    if (owning == NULL)
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", uri);
    if (status == SNAP_OK)
        status = snap_store_open_ranges(store, name, &owning->inner, err);
    if (status != SNAP_OK) {
        free(owning);
        snap_store_close(store);
        return status;
    }
    owning->ranges = (struct snap_ranges){ &owning_ops, owning->inner->size_bytes };
    owning->store = store;
    status = snap_archive_open_ranges(&owning->ranges, uri, &made, err);
    if (status == SNAP_OK)
        status = check_name(made, uri, name, err);
    if (status == SNAP_OK)
        *archive = made;
    else
        snap_archive_close(made);
    return status;
}

/* "BASE/NAME": what stands before the last part is the store. */
static enum snap_status split(const char *uri, char **base, const char **name,
                              struct snap_error *err)
{
    const char *last = strrchr(strstr(uri, "://") + 3, '/');
    if (last == NULL || last[1] == '\0')
        return snap_error_set(err, SNAP_INVALID, "%.300s: names no object", uri);
    *name = last + 1;
    *base = strndup(uri, (size_t)(last - uri));
    return *base != NULL ? SNAP_OK : snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", uri);
}

enum snap_status snap_archive_open(const char *path, struct snap_archive **archive,
                                   struct snap_error *err)
{
    struct snap_store *store = NULL;
    char *base = NULL;
    const char *name = NULL;
    if (strncmp(path, "file:///", 8) == 0)
        path += strlen("file://");
    if (!snap_store_is_uri(path))
        return snap_archive_open_path(path, archive, err);
    enum snap_status status = split(path, &base, &name, err);
    if (status == SNAP_OK)
        status = snap_store_open(base, false, &store, err);
    free(base);
    if (status == SNAP_OK)
        status = open_in(store, path, name, archive, err);
    if (status == SNAP_NOT_FOUND) { /* as for a path */
        status = SNAP_IO;
        if (err != NULL)
            err->status = status;
    }
    return status;
}
