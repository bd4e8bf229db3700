/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "store/s3_pages.h"

/* A bound on how long a server can have us ask: more pages than any listing has objects. */
#define MOST_PAGES ((uint64_t)1 << 20)

enum snap_status snap_s3_add_parameter(struct snap_buffer *query, const char *key,
                                       const char *value, struct snap_error *err)
{
    enum snap_status status =
        snap_buffer_appendf(query, err, "%s%s=", query->size > 0 ? "&" : "", key);
    return status == SNAP_OK ? snap_s3_encode(query, value, false, err) : status;
}

static enum snap_status read_page(struct snap_s3 *s3, struct snap_s3_pages *pages,
                                  const struct snap_buffer *query, struct snap_error *err)
{
    const struct snap_s3_request request = { .method = "GET",
                                             .what = pages->what,
                                             .name = pages->name,
                                             .query = (const char *)query->data };
    struct snap_s3_response response = SNAP_S3_RESPONSE_INIT;
    enum snap_status status = snap_s3_send(s3, &request, &response, err);
    if (status != SNAP_OK)
        return status;
    pages->truncated = false;
    if (!snap_s3_is_done(&response)) {
        pages->refused = response.status;
        status = snap_s3_refused(s3, &request, &response, err);
    } else {
        status = snap_xml_read(response.body.data, response.body.size, s3->where, pages->element,
                               pages->arg, err);
    }
    snap_s3_response_release(&response);
    return status;
}

/* A query that comes again would go round for ever. One is kept, and replaced after 1, 2, 4, 8...
 * more (R. Brent, An improved Monte Carlo factorization algorithm, BIT 20, 1980, section 2): in any
 * circle one that is kept comes again. */
enum snap_status snap_s3_pages_read(struct snap_s3 *s3, struct snap_s3_pages *pages,
                                    struct snap_error *err)
{
    struct snap_buffer query = SNAP_BUFFER_INIT;
    struct snap_buffer kept = SNAP_BUFFER_INIT;
    uint64_t until = 1;
    enum snap_status status = SNAP_OK;
    pages->truncated = true;
    for (uint64_t count = 0; status == SNAP_OK && pages->truncated; count++) {
        snap_buffer_clear(&query);
        status = pages->query(pages->arg, &query, err);
        if (status == SNAP_OK && count > 0 && kept.size == query.size &&
            memcmp(kept.data, query.data, query.size) == 0)
            status = snap_error_set(err, SNAP_CORRUPT,
                                    "%s: %s: the server has given this page before, and says that "
                                    "it is the next",
                                    s3->where, pages->what);
        else if (status == SNAP_OK && count == MOST_PAGES)
            status = snap_error_set(err, SNAP_UNSUPPORTED, "%s: %s: has no end", s3->where,
                                    pages->what);
        if (status == SNAP_OK && (count == 0 || count == until)) {
            until = 2 * count + 1;
            snap_buffer_clear(&kept);
            status = snap_buffer_append(&kept, query.data, query.size, err);
        }
        if (status == SNAP_OK)
            status = read_page(s3, pages, &query, err);
    }
    snap_buffer_release(&kept);
    snap_buffer_release(&query);
    return status;
}
