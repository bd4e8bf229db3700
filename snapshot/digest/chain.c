/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <string.h>

#include "digest/chain.h"
#include "digest/sha256.h"

static enum snap_status link_chain(const void *head, size_t head_size, const void *document,
                                   size_t size_bytes, unsigned char out[SNAP_DIGEST_BYTES],
                                   struct snap_error *err)
{
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    enum snap_status status = snap_sha256_begin(&context, err);
    if (status == SNAP_OK)
        status = snap_sha256_update(&context, head, head_size, err);
    if (status == SNAP_OK)
        status = snap_sha256_update(&context, document, size_bytes, err);
    if (status == SNAP_OK)
        status = snap_sha256_finish(&context, out, err);
    snap_sha256_release(&context);
    return status;
}

enum snap_status snap_chain_first(const char *tag, const void *document, size_t size_bytes,
                                  unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    return link_chain(tag, strlen(tag), document, size_bytes, out, err);
}

enum snap_status snap_chain_next(const unsigned char before[SNAP_DIGEST_BYTES],
                                 const void *document, size_t size_bytes,
                                 unsigned char out[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    return link_chain(before, SNAP_DIGEST_BYTES, document, size_bytes, out, err);
}
