/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of libcurl that are used. The library is loaded when the first s3:// is met: with
 * the two dozen that it brings it would cost every other command its start. */
#ifndef SNAP_STORE_CURL_LIBRARY_H
#define SNAP_STORE_CURL_LIBRARY_H

#include <curl/curl.h>

#include <snapstate/status.h>

struct snap_curl {
    CURLcode (*global_init)(long flags);
    curl_version_info_data *(*version_info)(CURLversion age);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *handle);
    void (*easy_reset)(CURL *handle);
    CURLcode (*easy_setopt)(CURL *handle, CURLoption option, ...);
    CURLcode (*easy_perform)(CURL *handle);
    CURLcode (*easy_getinfo)(CURL *handle, CURLINFO info, ...);
    const char *(*easy_strerror)(CURLcode code);
    CURLHcode (*easy_header)(CURL *handle, const char *name, size_t index, unsigned origin,
                             int request, struct curl_header **header);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
};

/* SNAP_UNSUPPORTED: it is not installed, or too old. It stays loaded until the process ends. */
enum snap_status snap_curl_load(struct snap_curl *curl, struct snap_error *err);

#endif
