/* SPDX-License-Identifier: Apache-2.0 */
/* Listings of object storage come in pages: each says whether there is another, and what to ask for
 * it with. */
#ifndef SNAP_STORE_S3_PAGES_H
#define SNAP_STORE_S3_PAGES_H

#include <stdbool.h>

#include "store/s3_client.h"
#include "store/xml_reader.h"

struct snap_s3_pages {
    const char *what; /* for messages: "listing it" */
    const char *name; /* of the object that is asked about; NULL: the bucket */
    /* Append the next page's query, which says where it begins: what `element` has read. */
    enum snap_status (*query)(void *arg, struct snap_buffer *query, struct snap_error *err);
    snap_xml_element *element; /* of a page */
    void *arg;                 /* of both */
    /* Set by `element`; false before each page. */
    bool truncated;
    long refused; /* the status of an answer that is no success; 0: there was none */
};

/* Ask for page after page, until one is not truncated. SNAP_CORRUPT: a page is no XML, or the
 * server asks for one again that it has given; what snap_s3_send and snap_s3_refused answer. */
enum snap_status snap_s3_pages_read(struct snap_s3 *s3, struct snap_s3_pages *pages,
                                    struct snap_error *err);

/* Append "KEY=VALUE" to a query, the value encoded, after what is there. Parameters are added as
 * they are sorted: the signature wants them so. */
enum snap_status snap_s3_add_parameter(struct snap_buffer *query, const char *key,
                                       const char *value, struct snap_error *err);

#endif
