/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "store/s3_client.h"

#define FIRST_PAUSE_MS 100u
#define LONGEST_PAUSE_MS 5000u
/* How often in a pause it is looked whether to stop. */
#define SLICE_MS 100u

enum snap_status snap_s3_new(const char *uri, struct snap_s3 **s3, struct snap_error *err)
{
    struct snap_s3 *made = calloc(1, sizeof *made);
    if (made == NULL)
        return snap_error_set(err, SNAP_NO_MEMORY, "s3: out of memory");
    enum snap_status status = snap_s3_config_init(&made->config, uri, err);
    if (status == SNAP_OK)
        status = snap_s3_deadline(&made->deadline_ms, err);
    if (status == SNAP_OK)
        status = snap_curl_load(&made->curl, err);
    if (status == SNAP_OK) {
        size_t length = strlen(uri);
        while (length > 0 && uri[length - 1] == '/')
            length--;
        made->where = strndup(uri, length);
        if (made->where == NULL)
            status = snap_error_set(err, SNAP_NO_MEMORY, "s3: out of memory");
    }
    if (status != SNAP_OK) {
        snap_s3_config_release(&made->config);
        free(made);
        return status;
    }
    pthread_mutex_init(&made->lock, NULL);
    *s3 = made;
    return SNAP_OK;
}

void snap_s3_free(struct snap_s3 *s3)
{
    if (s3 == NULL)
        return;
    while (s3->idle_count > 0)
        s3->curl.easy_cleanup(s3->idle[--s3->idle_count]);
    pthread_mutex_destroy(&s3->lock);
    snap_s3_config_release(&s3->config);
    free(s3->where);
    free(s3);
}

void snap_s3_response_release(struct snap_s3_response *response)
{
    snap_buffer_release(&response->body);
}

enum snap_status snap_s3_refused(const struct snap_s3 *s3, const struct snap_s3_request *request,
                                 const struct snap_s3_response *response, struct snap_error *err)
{
    enum snap_status status = SNAP_IO;
    const char *advice = "";
    char region[120] = "";
    if (response->status == 404)
        status = SNAP_NOT_FOUND;
    else if (response->status == 412)
        status = SNAP_DIFFERS;
    else if (response->status == 501)
        status = SNAP_UNSUPPORTED;
    if (strcmp(response->code, "NoSuchBucket") == 0)
        advice = "; make the bucket first";
    else if (response->status == 401 || response->status == 403)
        advice = "; are the credentials right, may they do this, and is the clock right?";
    else if (response->status == 301 || response->status == 307 ||
             strcmp(response->code, "AuthorizationHeaderMalformed") == 0)
        advice = "; is AWS_REGION the region of the bucket?";
    if (response->region[0] != '\0' && strcmp(response->region, s3->config.region) != 0)
        snprintf(region, sizeof region, "; the bucket is in region %s", response->region);
    return snap_error_set(err, status, "%s%s%s: %s: the server answers %ld %s%s%s%s%s", s3->where,
                          request->name != NULL ? "/" : "",
                          request->name != NULL ? request->name : "", request->what,
                          response->status, response->code,
                          response->message[0] != '\0' ? ": " : "", response->message, region,
                          advice);
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

enum snap_status snap_s3_encode(struct snap_buffer *out, const char *text, bool slash,
                                struct snap_error *err)
{
    enum snap_status status = SNAP_OK;
    for (; status == SNAP_OK && *text != '\0'; text++) {
        if (is_unreserved(*text) || (slash && *text == '/'))
            status = snap_buffer_append(out, text, 1, err);
        else
            status = snap_buffer_appendf(out, err, "%%%02X", (unsigned char)*text);
    }
    return status;
}

uint64_t snap_s3_clock_ms(void)
{
    struct timespec now = { 0, 0 };
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void snap_s3_pause(const struct snap_s3 *s3, unsigned attempt, uint64_t most_ms)
{
    uint64_t pause = attempt < 7 ? (uint64_t)FIRST_PAUSE_MS << (attempt - 1) : LONGEST_PAUSE_MS;
    uint32_t chance = 0;
    if (pause > LONGEST_PAUSE_MS)
        pause = LONGEST_PAUSE_MS;
    if (getrandom(&chance, sizeof chance, 0) == (ssize_t)sizeof chance)
        pause -= pause / 2 * (chance & 0xffff) / 0xffff;
    if (pause > most_ms)
        pause = most_ms;
    while (pause > 0 && !snap_stop_is_asked(s3->stop)) {
        uint64_t slice = pause < SLICE_MS ? pause : SLICE_MS;
        struct timespec left = { 0, (long)slice * 1000000 };
        while (nanosleep(&left, &left) != 0) /* a signal: the rest of it */
            continue;
        pause -= slice;
    }
}
