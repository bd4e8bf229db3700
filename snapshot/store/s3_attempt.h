/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of a request: sent once, its answer taken apart. Whether there is another is said in
 * s3_request.c. */
#ifndef SNAP_STORE_S3_ATTEMPT_H
#define SNAP_STORE_S3_ATTEMPT_H

#include "store/s3_client.h"

#define SNAP_S3_BROKEN_BYTES 200

/* Send `request`, whose URL and headers are given; `left_ms` until its deadline. SNAP_OK: the
 * response is filled, or `broken` says why there is no answer ("": there is one). `response` must
 * be SNAP_S3_RESPONSE_INIT, and is to be released whatever comes of it. SNAP_CORRUPT: the
 * answer is longer than most_bytes. SNAP_UNSUPPORTED: the server sends more than the range that was
 * asked for, or libcurl does not know an option. */
enum snap_status snap_s3_attempt(struct snap_s3 *s3, const struct snap_s3_request *request,
                                 const char *url, struct curl_slist *headers, uint64_t left_ms,
                                 struct snap_s3_response *response,
                                 char broken[SNAP_S3_BROKEN_BYTES], struct snap_error *err);

#endif
