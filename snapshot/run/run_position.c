/* SPDX-License-Identifier: Apache-2.0 */
/* The place in the data, and digests that callers need for it. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "core/bytes.h"
#include "digest/sha256.h"
#include "format/member_name.h"
#include "run/run_internal.h"

enum snap_status snap_run_set_position(struct snap_run *run, const struct snap_position *position,
                                       struct snap_error *err)
{
    if (run == NULL || position == NULL || position->size_bytes != sizeof *position)
        return snap_error_set(err, SNAP_INVALID,
                              "position: set: no run or position, or a position "
                              "that is not SNAP_POSITION_INIT");
    if (position->order_stream != NULL &&
        (!snap_stream_name_is_legal(position->order_stream) ||
         (position->order_start == NULL && position->order_start_size > 0)))
        return snap_error_set(err, SNAP_INVALID,
                              "position: set: an order needs the legal name of "
                              "a stream, and its state at the start of the epoch");
    enum snap_status status = SNAP_OK;
    if (position->order_stream != NULL) {
        status = snap_data_doc_set_order(&run->data, position->order_stream,
                                         position->order_samples, position->order_digest,
                                         position->order_start, position->order_start_size, err);
    } else {
        free(run->data.order_stream);
        free(run->data.order_start);
        run->data.order_stream = NULL;
        run->data.order_start = NULL;
        run->data.order_start_size = 0;
    }
    if (status != SNAP_OK)
        return status;
    run->data.epoch = position->epoch;
    run->data.position = position->position;
    return SNAP_OK;
}

enum snap_status snap_run_position(const struct snap_run *run, struct snap_position *position,
                                   struct snap_error *err)
{
    if (run == NULL || position == NULL || position->size_bytes != sizeof *position)
        return snap_error_set(err, SNAP_INVALID,
                              "position: get: no run or place for it, or a "
                              "position that is not SNAP_POSITION_INIT");
    *position = (struct snap_position)SNAP_POSITION_INIT;
    position->epoch = run->data.epoch;
    position->position = run->data.position;
    if (run->data.order_stream != NULL) {
        position->order_stream = run->data.order_stream;
        position->order_start = run->data.order_start;
        position->order_start_size = run->data.order_start_size;
        position->order_samples = run->data.order_samples;
        memcpy(position->order_digest, run->data.order_digest, SNAP_DIGEST_BYTES);
    }
    return SNAP_OK;
}

enum snap_status snap_sample_digest(const uint32_t *ids, size_t count,
                                    unsigned char sha256[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    unsigned char bytes[4096];
    struct snap_sha256_context context = SNAP_SHA256_CONTEXT_INIT;
    if ((ids == NULL && count > 0) || sha256 == NULL)
        return snap_error_set(err, SNAP_INVALID, "sample digest: no ids, or no place for it");
    enum snap_status status = snap_sha256_begin(&context, err);
    for (size_t at = 0; status == SNAP_OK && at < count;) {
        size_t n = 0;
        for (; n < sizeof bytes / 4 && at < count; n++, at++)
            snap_put_u32(bytes + 4 * n, ids[at]);
        status = snap_sha256_update(&context, bytes, 4 * n, err);
    }
    if (status == SNAP_OK)
        status = snap_sha256_finish(&context, sha256, err);
    snap_sha256_release(&context);
    return status;
}

enum snap_status snap_bytes_digest(const void *data, size_t size_bytes,
                                   unsigned char sha256[SNAP_DIGEST_BYTES], struct snap_error *err)
{
    if ((data == NULL && size_bytes > 0) || sha256 == NULL)
        return snap_error_set(err, SNAP_INVALID, "digest: no bytes, or no place for it");
    return snap_sha256(data, size_bytes, sha256, err);
}

enum snap_status snap_file_digest(const char *path, unsigned char sha256[SNAP_DIGEST_BYTES],
                                  uint64_t *file_size, struct snap_error *err)
{
    if (path == NULL || sha256 == NULL)
        return snap_error_set(err, SNAP_INVALID, "file digest: no path, or no place for it");
    return snap_sha256_file(path, sha256, file_size, err);
}
