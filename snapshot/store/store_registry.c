/* SPDX-License-Identifier: Apache-2.0 */
/* Stores by what names them. */
#include "config.h"

#include <string.h>

#include "store/store_ops.h"
#if HAVE_S3
#include "store/store_s3.h"
#endif

bool snap_store_is_uri(const char *text)
{
    size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    return scheme > 0 && strncmp(text + scheme, "://", 3) == 0;
}

static enum snap_status open_s3(const char *uri, struct snap_store **store, struct snap_error *err)
{
#if HAVE_S3
    return snap_store_s3_open(uri, store, err);
#else
    (void)store;
    return snap_error_set(err, SNAP_UNSUPPORTED,
                          "%.200s: object storage is not built in: build with the headers of "
                          "libcurl and expat",
                          uri);
#endif
}

enum snap_status snap_store_open(const char *uri, bool create, struct snap_store **store,
                                 struct snap_error *err)
{
    if (strncmp(uri, "s3://", 5) == 0)
        return open_s3(uri, store, err);
    if (strncmp(uri, "file:///", 8) == 0)
        uri += strlen("file://");
    if (snap_store_is_uri(uri))
        return snap_error_set(err, SNAP_INVALID,
                              "%.*s://...: no such kind of store: there are folders and "
                              "s3://BUCKET/PREFIX",
                              (int)strcspn(uri, ":"), uri); /* the rest may hold a secret */
    return snap_store_dir_open(uri, create, store, err);
}
