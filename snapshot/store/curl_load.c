/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <dlfcn.h>
#include <string.h>

#include "store/curl_library.h"

#define LIBRARY "libcurl.so.4"
/* The first that signs the headers it is given, and lets answers' headers be asked for. */
#define OLDEST_VERSION 0x075800
#define OLDEST_VERSION_TEXT "7.88"

static enum snap_status find(void *handle, const char *name, void *function,
                             struct snap_error *err)
{
    void *found = dlsym(handle, name);
    if (found == NULL)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "s3: the " LIBRARY " of this system has no %s: it is older "
                              "than " OLDEST_VERSION_TEXT, name);
    memcpy(function, &found, sizeof found); /* POSIX has both pointers in one form */
    return SNAP_OK;
}

enum snap_status snap_curl_load(struct snap_curl *curl, struct snap_error *err)
{
    struct snap_curl loaded;
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle == NULL)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "s3: libcurl cannot be loaded: %.300s: install it (Debian: libcurl4)",
                              dlerror());
    const struct {
        const char *name;
        void *function;
    } wanted[] = {
        { "curl_global_init", &loaded.global_init },
        { "curl_version_info", &loaded.version_info },
        { "curl_easy_init", &loaded.easy_init },
        { "curl_easy_cleanup", &loaded.easy_cleanup },
        { "curl_easy_reset", &loaded.easy_reset },
        { "curl_easy_setopt", &loaded.easy_setopt },
        { "curl_easy_perform", &loaded.easy_perform },
        { "curl_easy_getinfo", &loaded.easy_getinfo },
        { "curl_easy_strerror", &loaded.easy_strerror },
        { "curl_easy_header", &loaded.easy_header },
        { "curl_slist_append", &loaded.slist_append },
        { "curl_slist_free_all", &loaded.slist_free_all },
    };
    enum snap_status status = SNAP_OK;
    for (size_t i = 0; status == SNAP_OK && i < sizeof wanted / sizeof wanted[0]; i++)
        status = find(handle, wanted[i].name, wanted[i].function, err);
    if (status == SNAP_OK && loaded.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        status = snap_error_set(err, SNAP_UNSUPPORTED, "s3: libcurl does not start");
    if (status == SNAP_OK && loaded.version_info(CURLVERSION_NOW)->version_num < OLDEST_VERSION)
        status = snap_error_set(err, SNAP_UNSUPPORTED,
                                "s3: libcurl %.40s: " OLDEST_VERSION_TEXT " is the oldest that "
                                "will do",
                                loaded.version_info(CURLVERSION_NOW)->version);
    if (status == SNAP_OK)
        *curl = loaded;
    dlclose(handle); /* RTLD_NODELETE: what was found stays */
    return status;
}
