/* SPDX-License-Identifier: Apache-2.0 */
/* Where a bucket is and who asks: from the environment variables and profile files that other S3
 * programs use. */
#ifndef SNAP_STORE_S3_CONFIG_H
#define SNAP_STORE_S3_CONFIG_H

#include <stdbool.h>

#include <snapstate/status.h>

struct snap_s3_config {
    char *bucket;
    char *prefix;    /* of every key: "" or "a/b/", not encoded */
    char *base;      /* "https://host", "http://127.0.0.1:8080/bucket": without a '/' at its end */
    char *region;
    char *user;      /* the access key */
    char *secret;    /* never to be shown */
    char *token;     /* of a session; never to be shown. NULL: none */
    char *ca_bundle; /* a file; NULL: the system's */
};

/* Read `uri`, "s3://BUCKET/PREFIX", and find out the rest. SNAP_INVALID: no such URI, or a variable
 * with a value that cannot be; SNAP_NOT_FOUND: no credentials anywhere. No text ever holds a
 * credential. On failure nothing is left to be released. */
enum snap_status snap_s3_config_init(struct snap_s3_config *config, const char *uri,
                                     struct snap_error *err);
/* Secrets are overwritten first. */
void snap_s3_config_release(struct snap_s3_config *config);

/* How long a request is tried again: SNAP_S3_DEADLINE in seconds, 1 to 86400; two minutes when it
 * is not set. SNAP_INVALID. */
enum snap_status snap_s3_deadline(unsigned *deadline_ms, struct snap_error *err);

#endif
