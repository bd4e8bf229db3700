/* SPDX-License-Identifier: Apache-2.0 */
/* A request, and its attempts until the deadline. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hex.h"
#include "digest/sha256.h"
#include "store/s3_attempt.h"

/* What was sent and arrives as something else is sent again so often. */
#define MOST_MISMATCHES 3u

/* ---- what goes out ---- */

static enum snap_status make_url(const struct snap_s3 *s3, const struct snap_s3_request *request,
                                 struct snap_buffer *url, struct snap_error *err)
{
    enum snap_status status = snap_buffer_append_text(url, s3->config.base, err);
    if (status == SNAP_OK)
        status = snap_buffer_append(url, "/", 1, err);
    if (status == SNAP_OK && request->name != NULL)
        status = snap_s3_encode(url, s3->config.prefix, true, err);
    if (status == SNAP_OK && request->name != NULL)
        status = snap_s3_encode(url, request->name, true, err);
    if (status == SNAP_OK && request->query != NULL)
        status = snap_buffer_appendf(url, err, "?%s", request->query);
    return status;
}

static bool add_header(const struct snap_s3 *s3, struct curl_slist **list, const char *name,
                       const char *value)
{
    char *text = NULL;
    if (asprintf(&text, "%s: %s", name, value) < 0)
        return false;
    struct curl_slist *longer = s3->curl.slist_append(*list, text);
    explicit_bzero(text, strlen(text)); /* it may be the session's token */
    free(text);
    if (longer == NULL)
        return false;
    *list = longer;
    return true;
}

static bool add_headers(const struct snap_s3 *s3, const struct snap_s3_request *request,
                        const unsigned char sha256[SNAP_DIGEST_BYTES], struct curl_slist **list)
{
    char digits[2 * SNAP_DIGEST_BYTES + 1];
    char range[64];
    snap_hex_encode(sha256, SNAP_DIGEST_BYTES, digits);
    bool done = add_header(s3, list, "x-amz-content-sha256", digits);
    if (s3->config.token != NULL)
        done = done && add_header(s3, list, "x-amz-security-token", s3->config.token);
    if (request->body != NULL)
        done = done && add_header(s3, list, "Content-Type", "application/octet-stream");
    if (request->if_match != NULL)
        done = done && add_header(s3, list, "If-Match", request->if_match);
    if (request->if_none_match)
        done = done && add_header(s3, list, "If-None-Match", "*");
    if (request->range != NULL) {
        snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, request->offset,
                 request->offset + request->range_bytes - 1);
        done = done && add_header(s3, list, "Range", range);
    }
    return done;
}

/* ---- again ---- */

static bool is_code(const struct snap_s3_response *response, const char *const *codes)
{
    for (size_t i = 0; codes[i] != NULL; i++)
        if (strcmp(response->code, codes[i]) == 0)
            return true;
    return false;
}

/* Swift's answer when a server that has parts of an object is away: a bad request, whose message
 * names each part with its status. */
static bool says_part_is_away(const struct snap_s3_response *response)
{
    const char *text = response->message;
    if (strcmp(response->code, "InvalidRequest") != 0)
        return false;
    while ((text = strstr(text, ": 5")) != NULL) {
        text += 3;
        if (strspn(text, "0123456789") == 2)
            return true;
    }
    return false;
}

/* Does the answer mean "not now"? (BrokenMPU is Swift's: the server that has a part is away.) */
static bool says_later(const struct snap_s3_response *response)
{
    static const char *const later[] = { "RequestTimeout", "SlowDown", "InternalError",
                                         "ServiceUnavailable", "OperationAborted",
                                         "ConditionalRequestConflict", "BrokenMPU", NULL };
    switch (response->status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return is_code(response, later) || says_part_is_away(response);
    }
}

/* Does the server miss bytes that were sent, or have others? */
static bool says_damaged(const struct snap_s3_response *response)
{
    static const char *const damaged[] = { "XAmzContentSHA256Mismatch", "BadDigest",
                                           "IncompleteBody", NULL };
    return is_code(response, damaged);
}

/* Certificates do not get better, and names seldom: no use in waiting two minutes to say so. */
static bool is_hopeless(const char *broken, const struct snap_s3 *s3)
{
    static const CURLcode hopeless[] = { CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
                                         CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL,
                                         CURLE_SSL_CERTPROBLEM };
    for (size_t i = 0; i < sizeof hopeless / sizeof hopeless[0]; i++)
        if (strcmp(broken, s3->curl.easy_strerror(hopeless[i])) == 0)
            return true;
    return false;
}

static enum snap_status no_answer(const struct snap_s3 *s3, const struct snap_s3_request *request,
                                  unsigned attempts, const char *why, struct snap_error *err)
{
    return snap_error_set(err, SNAP_IO, "%s%s%s: %s: no answer in %u attempt%s: %s", s3->where,
                          request->name != NULL ? "/" : "",
                          request->name != NULL ? request->name : "", request->what, attempts,
                          attempts == 1 ? "" : "s", why);
}

static enum snap_status stopped(const struct snap_s3 *s3, const struct snap_s3_request *request,
                                struct snap_error *err)
{
    return snap_error_set(err, SNAP_IO, "%s%s%s: %s: stopped, as was asked", s3->where,
                          request->name != NULL ? "/" : "",
                          request->name != NULL ? request->name : "", request->what);
}

static enum snap_status attempts(struct snap_s3 *s3, const struct snap_s3_request *request,
                                 const char *url, struct curl_slist *headers,
                                 struct snap_s3_response *response, struct snap_error *err)
{
    uint64_t end = snap_s3_clock_ms() + s3->deadline_ms;
    unsigned mismatches = 0;
    for (unsigned count = 1;; count++) {
        char broken[SNAP_S3_BROKEN_BYTES];
        uint64_t now = snap_s3_clock_ms();
        *response = (struct snap_s3_response)SNAP_S3_RESPONSE_INIT;
        if (snap_stop_is_asked(s3->stop))
            return stopped(s3, request, err);
        enum snap_status status =
            snap_s3_attempt(s3, request, url, headers, now < end ? end - now : 1, response, broken,
                            err);
        bool damaged = status == SNAP_OK && broken[0] == '\0' && says_damaged(response);
        bool later = status == SNAP_OK && broken[0] == '\0' && says_later(response);
        mismatches += damaged;
        if (status == SNAP_OK && broken[0] == '\0' && !later && !damaged)
            return SNAP_OK;
        now = snap_s3_clock_ms();
        if (status == SNAP_OK && damaged && mismatches == MOST_MISMATCHES) {
            snap_s3_refused(s3, request, response, err);
            status = SNAP_CORRUPT;
            if (err != NULL)
                err->status = status;
        } else if (status == SNAP_OK && now >= end && (later || damaged)) {
            return SNAP_OK; /* the last word of the server */
        } else if (status == SNAP_OK && (now >= end || is_hopeless(broken, s3))) {
            status = no_answer(s3, request, count, broken, err);
        }
        snap_s3_response_release(response);
        if (status != SNAP_OK)
            return status;
        snap_s3_pause(s3, count, end - now);
    }
}

enum snap_status snap_s3_send(struct snap_s3 *s3, const struct snap_s3_request *request,
                              struct snap_s3_response *response, struct snap_error *err)
{
    struct snap_buffer url = SNAP_BUFFER_INIT;
    struct curl_slist *headers = NULL;
    unsigned char sha256[SNAP_DIGEST_BYTES];
    enum snap_status status = make_url(s3, request, &url, err);
    if (status == SNAP_OK && request->sha256 != NULL)
        memcpy(sha256, request->sha256, sizeof sha256);
    else if (status == SNAP_OK)
        status = snap_sha256(request->body, request->body_bytes, sha256, err);
    if (status == SNAP_OK && !add_headers(s3, request, sha256, &headers))
        status = snap_error_set(err, SNAP_NO_MEMORY, "%s: out of memory", s3->where);
    if (status == SNAP_OK)
        status = attempts(s3, request, (const char *)url.data, headers, response, err);
    s3->curl.slist_free_all(headers);
    snap_buffer_release(&url);
    return status;
}
