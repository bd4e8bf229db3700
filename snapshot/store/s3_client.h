/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to a server of object storage: signed (AWS Signature Version 4, by libcurl), tried again
 * with growing pauses until a deadline, each body with its SHA-256, which the server checks. */
#ifndef SNAP_STORE_S3_CLIENT_H
#define SNAP_STORE_S3_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/archive.h>
#include <snapstate/status.h>

#include "core/buffer.h"
#include "core/stop.h"
#include "store/curl_library.h"
#include "store/s3_config.h"

/* Connections that are kept for the next request. */
#define SNAP_S3_MOST_IDLE 32u

struct snap_s3 {
    struct snap_s3_config config;
    struct snap_curl curl;
    char *where;           /* the URI, without a '/' at its end: for messages */
    unsigned deadline_ms;  /* of one request, with all its attempts */
    const struct snap_stop *stop; /* borrowed; NULL: nobody can ask */
    atomic_bool no_conditions; /* the server has answered 501 to a condition on a PUT */
    pthread_mutex_t lock;  /* of the handles */
    CURL *idle[SNAP_S3_MOST_IDLE];
    size_t idle_count;
};

enum snap_status snap_s3_new(const char *uri, struct snap_s3 **s3, struct snap_error *err);
void snap_s3_free(struct snap_s3 *s3);

#define SNAP_S3_ETAG_BYTES 160
struct snap_s3_request {
    const char *method; /* "GET" */
    const char *what;   /* for messages: "reading" */
    const char *name;   /* of the object, behind the prefix; NULL: the bucket itself */
    const char *query;  /* encoded and sorted; NULL: none */
    const void *body;   /* borrowed */
    size_t body_bytes;
    const unsigned char *sha256; /* of the body; NULL: it is taken */
    const char *if_match;        /* an ETag; NULL: no such condition */
    bool if_none_match;          /* the object must not be there */
    /* Where a range of that many bytes goes, from `offset` on; an answer of another length is no
     * answer. NULL: no range. */
    unsigned char *range;
    size_t range_bytes;
    uint64_t offset;
    /* The server may think as long as the deadline before it answers, and say 200 before it knows:
     * an <Error> in the body counts. */
    bool patient;
    size_t most_bytes; /* of an answer's body; 0: SNAP_S3_ANSWER_BYTES */
};
#define SNAP_S3_ANSWER_BYTES ((size_t)8 << 20)
/* Room for an error's words where a short answer is expected. */
#define SNAP_S3_ERROR_BYTES ((size_t)65536)

struct snap_s3_response {
    long status; /* of HTTP */
    char etag[SNAP_S3_ETAG_BYTES]; /* as it is, with quotes; "": none */
    bool has_size;
    uint64_t size_bytes; /* Content-Length */
    char region[64];     /* where the bucket is, if the server says so; "": no word of it */
    char code[64];       /* of the <Error> in the body; "": none */
    char message[1024]; /* beside the code */
    struct snap_buffer body; /* released by the caller */
};
#define SNAP_S3_RESPONSE_INIT { .status = 0 }

/* Send it, again and again while there is no answer or one that says "later". SNAP_OK: there is an
 * answer, whatever its status; the response is then to be released, and on failure is not.
 * SNAP_IO: none until the deadline, or it was asked to stop. SNAP_CORRUPT: what was sent arrives as
 * something else, or the answer is longer than most_bytes. */
enum snap_status snap_s3_send(struct snap_s3 *s3, const struct snap_s3_request *request,
                              struct snap_s3_response *response, struct snap_error *err);
void snap_s3_response_release(struct snap_s3_response *response);
/* Did it succeed (2xx)? */
static inline bool snap_s3_is_done(const struct snap_s3_response *response)
{
    return response->status / 100 == 2;
}
/* What an answer that is no success means: SNAP_NOT_FOUND (404), SNAP_DIFFERS (412), else SNAP_IO
 * or SNAP_UNSUPPORTED (501), with the server's words. */
enum snap_status snap_s3_refused(const struct snap_s3 *s3, const struct snap_s3_request *request,
                                 const struct snap_s3_response *response, struct snap_error *err);

/* Append text as it stands in a query, or with `slash` in a path. */
enum snap_status snap_s3_encode(struct snap_buffer *out, const char *text, bool slash,
                                struct snap_error *err);

/* Milliseconds of a clock that only goes forward. */
uint64_t snap_s3_clock_ms(void);
/* Wait before attempt `attempt` (1: the second): 100 ms, doubled each time up to 5 s, of which a
 * random part of up to a half is left out, so that writers who were refused together do not come
 * back together. At most `most_ms`, and no longer than nobody asks to stop. */
void snap_s3_pause(const struct snap_s3 *s3, unsigned attempt, uint64_t most_ms);

#endif
