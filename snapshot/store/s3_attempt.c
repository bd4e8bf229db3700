/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/s3_attempt.h"
#include "store/xml_reader.h"

#define CONNECT_MS 10000u
/* A connection on which so long nothing moves is given up, and the request tried again. */
#define STILL_MS 30000u
/* However near the deadline is: an attempt that was begun gets so much. */
#define LEAST_STILL_MS 5000u

/* An attempt under way. */
struct attempt {
    struct snap_s3 *s3;
    const struct snap_s3_request *request;
    struct snap_s3_response *response;
    CURL *handle;
    /* Bytes that have moved, either way, and when the last did. */
    curl_off_t moved;
    uint64_t moved_ms;
    uint64_t still_ms; /* how long none may */
    size_t range_done;
    bool too_long;
    bool no_memory;
};

static CURL *take_handle(struct snap_s3 *s3)
{
    CURL *handle = NULL;
    pthread_mutex_lock(&s3->lock);
    if (s3->idle_count > 0)
        handle = s3->idle[--s3->idle_count];
    pthread_mutex_unlock(&s3->lock);
    return handle != NULL ? handle : s3->curl.easy_init();
}

/* With its connection, for the next request. */
static void give_handle(struct snap_s3 *s3, CURL *handle)
{
    s3->curl.easy_reset(handle);
    pthread_mutex_lock(&s3->lock);
    bool kept = s3->idle_count < SNAP_S3_MOST_IDLE;
    if (kept)
        s3->idle[s3->idle_count++] = handle;
    pthread_mutex_unlock(&s3->lock);
    if (!kept)
        s3->curl.easy_cleanup(handle);
}

/* ---- what comes back ---- */

/* Of an answer that is no range. */
static size_t most_bytes(const struct snap_s3_request *request)
{
    return request->most_bytes > 0 ? request->most_bytes : SNAP_S3_ANSWER_BYTES;
}

static size_t take_body(char *bytes, size_t one, size_t size, void *arg)
{
    struct attempt *attempt = arg;
    const struct snap_s3_request *request = attempt->request;
    struct snap_s3_response *response = attempt->response;
    long status = 0;
    (void)one; /* always 1 */
    attempt->s3->curl.easy_getinfo(attempt->handle, CURLINFO_RESPONSE_CODE, &status);
    if (request->range != NULL && status / 100 == 2) {
        /* All of an object may be the answer to a range of it from its start. */
        attempt->too_long = (status != 206 && request->offset > 0) ||
                            size > request->range_bytes - attempt->range_done;
        if (attempt->too_long)
            return 0;
        memcpy(request->range + attempt->range_done, bytes, size);
        attempt->range_done += size;
        return size;
    }
    attempt->too_long = size > most_bytes(request) - response->body.size;
    if (attempt->too_long)
        return 0;
    attempt->no_memory = snap_buffer_append(&response->body, bytes, size, NULL) != SNAP_OK;
    return attempt->no_memory ? 0 : size;
}

/* Called by libcurl about once a second. libcurl's own low-speed limit would look at an average
 * over more seconds than a short deadline has. */
static int watch(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                 curl_off_t up)
{
    struct attempt *attempt = arg;
    uint64_t now = snap_s3_clock_ms();
    (void)down_total;
    (void)up_total;
    if (down + up != attempt->moved) {
        attempt->moved = down + up;
        attempt->moved_ms = now;
    }
    return now - attempt->moved_ms > attempt->still_ms || snap_stop_is_asked(attempt->s3->stop);
}

static const char *header(const struct attempt *attempt, const char *name)
{
    struct curl_header *found = NULL;
    if (attempt->s3->curl.easy_header(attempt->handle, name, 0, CURLH_HEADER, -1, &found) !=
        CURLHE_OK)
        return NULL;
    return found->value;
}

static enum snap_status take_error(void *arg, const char *parent, const char *name,
                                   const char *text, struct snap_error *err)
{
    struct snap_s3_response *response = arg;
    (void)err;
    if (text == NULL || strcmp(parent, "Error") != 0)
        return SNAP_OK;
    if (strcmp(name, "Code") == 0)
        snprintf(response->code, sizeof response->code, "%s", text);
    else if (strcmp(name, "Message") == 0)
        snprintf(response->message, sizeof response->message, "%s", text);
    else if (strcmp(name, "Region") == 0 && response->region[0] == '\0')
        snprintf(response->region, sizeof response->region, "%s", text);
    return SNAP_OK;
}

static void read_answer(struct attempt *attempt)
{
    struct snap_s3_response *response = attempt->response;
    const char *etag;
    const char *size;
    const char *region;
    attempt->s3->curl.easy_getinfo(attempt->handle, CURLINFO_RESPONSE_CODE, &response->status);
    etag = header(attempt, "ETag");
    /* A weak one can be no condition: If-Match never holds for it (RFC 9110, 13.1.1). */
    if (etag != NULL && strlen(etag) < sizeof response->etag && strpbrk(etag, "\r\n") == NULL &&
        strncmp(etag, "W/", 2) != 0)
        snprintf(response->etag, sizeof response->etag, "%s", etag);
    size = header(attempt, "Content-Length");
    response->has_size = size != NULL && snap_xml_number(size, &response->size_bytes);
    region = header(attempt, "x-amz-bucket-region");
    if (region != NULL)
        snprintf(response->region, sizeof response->region, "%s", region);
    if ((!snap_s3_is_done(response) || attempt->request->patient) && response->body.size > 0)
        snap_xml_read(response->body.data, response->body.size, "error", take_error, response,
                      NULL); /* what is no XML has no words for us */
}

/* ---- sending ---- */

static CURLcode set_options(const struct attempt *attempt, const char *url,
                            struct curl_slist *headers)
{
    const struct snap_s3 *s3 = attempt->s3;
    const struct snap_s3_config *config = &s3->config;
    const struct snap_s3_request *request = attempt->request;
    CURL *handle = attempt->handle;
    char provider[160];
    bool head = strcmp(request->method, "HEAD") == 0;
    snprintf(provider, sizeof provider, "aws:amz:%.64s:s3", config->region);
#define SET(option, value)                                                                         \
    if (code == CURLE_OK)                                                                          \
    code = s3->curl.easy_setopt(handle, option, value)
    CURLcode code = CURLE_OK;
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, watch);
    SET(CURLOPT_XFERINFODATA, (void *)(uintptr_t)attempt);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(attempt->still_ms < CONNECT_MS ? attempt->still_ms
                                                                         : CONNECT_MS));
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_USERNAME, config->user);
    SET(CURLOPT_PASSWORD, config->secret);
    SET(CURLOPT_AWS_SIGV4, provider);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_USERAGENT, PACKAGE_TARNAME "/" PACKAGE_VERSION);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, (void *)(uintptr_t)attempt);
    if (config->ca_bundle != NULL)
        SET(CURLOPT_CAINFO, config->ca_bundle);
    if (request->body != NULL) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        SET(CURLOPT_POSTFIELDS, request->body);
    }
    if (head)
        SET(CURLOPT_NOBODY, 1L);
    SET(CURLOPT_CUSTOMREQUEST, head ? NULL : request->method);
#undef SET
    return code;
}

/* A connection that breaks while it is written to must be an error, and no signal. */
static CURLcode perform(const struct attempt *attempt)
{
    const struct timespec at_once = { 0, 0 };
    sigset_t pipe;
    sigset_t before;
    sigset_t pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    CURLcode code = attempt->s3->curl.easy_perform(attempt->handle);
    if (!was_pending)
        sigtimedwait(&pipe, NULL, &at_once); /* there is one, or there is none */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* What became of it, when the options were taken. */
static enum snap_status judge(const struct attempt *attempt, CURLcode code,
                              char broken[SNAP_S3_BROKEN_BYTES], struct snap_error *err)
{
    const struct snap_s3 *s3 = attempt->s3;
    const struct snap_s3_request *request = attempt->request;
    if (attempt->no_memory || code == CURLE_OUT_OF_MEMORY)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", s3->where);
    const char *slash = request->name != NULL ? "/" : "";
    const char *name = request->name != NULL ? request->name : "";
    if (attempt->too_long && request->range == NULL)
        return snap_error_set(err, SNAP_CORRUPT, "%s%s%s: %s: has more than %zu bytes", s3->where,
                              slash, name, request->what, most_bytes(request));
    if (attempt->too_long)
        return snap_error_set(err, SNAP_UNSUPPORTED,
                              "%s%s%s: %s: the server sends more than was asked for (does it know "
                              "ranges?)",
                              s3->where, slash, name, request->what);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        snprintf(broken, SNAP_S3_BROKEN_BYTES, "the connection was still for %u ms",
                 (unsigned)attempt->still_ms);
    else if (code != CURLE_OK)
        snprintf(broken, SNAP_S3_BROKEN_BYTES, "%s", s3->curl.easy_strerror(code));
    else if (request->range != NULL && snap_s3_is_done(attempt->response) &&
             attempt->range_done != request->range_bytes)
        snprintf(broken, SNAP_S3_BROKEN_BYTES, "the answer ends after %zu of %zu bytes",
                 attempt->range_done, request->range_bytes);
    return SNAP_OK;
}

enum snap_status snap_s3_attempt(struct snap_s3 *s3, const struct snap_s3_request *request,
                                 const char *url, struct curl_slist *headers, uint64_t left_ms,
                                 struct snap_s3_response *response,
                                 char broken[SNAP_S3_BROKEN_BYTES], struct snap_error *err)
{
    struct attempt attempt = { .s3 = s3,
                               .request = request,
                               .response = response,
                               .handle = take_handle(s3),
                               .moved_ms = snap_s3_clock_ms() };
    enum snap_status status;
    broken[0] = '\0';
    attempt.still_ms = request->patient || left_ms < STILL_MS ? left_ms : STILL_MS;
    if (attempt.still_ms < LEAST_STILL_MS)
        attempt.still_ms = LEAST_STILL_MS;
    if (attempt.handle == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", s3->where);
    CURLcode code = set_options(&attempt, url, headers);
    if (code != CURLE_OK) {
        status = snap_error_set(err, SNAP_UNSUPPORTED, "%s: libcurl takes an option not: %s",
                                s3->where, s3->curl.easy_strerror(code));
    } else {
        code = perform(&attempt);
        if (code == CURLE_OK)
            read_answer(&attempt);
        status = judge(&attempt, code, broken, err);
    }
    if (code == CURLE_OK)
        give_handle(s3, attempt.handle);
    else
        s3->curl.easy_cleanup(attempt.handle); /* its connection is of no use */
    return status;
}
