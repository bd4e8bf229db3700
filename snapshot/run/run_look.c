/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of a run as it is now. */
#include "config.h"

#include <stdlib.h>

#include "core/hex.h"
#include "digest/sha256.h"
#include "format/archive_write.h"
#include "run/run_internal.h"
#include "save/state_image.h"

enum snap_status snap_run_hash(const struct snap_run *run, char run_hash[SNAP_HASH_TEXT_BYTES],
                               char host_chain[SNAP_HASH_TEXT_BYTES], struct snap_error *err)
{
    if (run == NULL || !run->begun)
        return snap_error_set(err, SNAP_INVALID, "run hash: no run, or no step of it has begun");
    if (run_hash != NULL)
        snap_hash_text("run1", run->heads.run, run_hash);
    if (host_chain != NULL)
        snap_hex_encode(run->heads.host, SNAP_DIGEST_BYTES, host_chain);
    return SNAP_OK;
}

enum snap_status snap_run_state_hash(struct snap_run *run, char hash[SNAP_HASH_TEXT_BYTES],
                                     struct snap_error *err)
{
    struct snap_state_image image = SNAP_STATE_IMAGE_INIT;
    struct snap_write_member *members = NULL;
    unsigned char digest[SNAP_DIGEST_BYTES];
    size_t count = 0;
    if (run == NULL || hash == NULL)
        return snap_error_set(err, SNAP_INVALID, "state hash: no run, or no place for it");
    enum snap_status status = snap_run_freeze(run, err);
    if (status == SNAP_OK)
        status = snap_state_image_take(run, 0, &image, err);
    if (status == SNAP_OK)
        status = snap_state_image_members(run, &image, 0, &members, &count, err);
    if (status == SNAP_OK)
        status = snap_archive_state_digest(members, count, run->pool, digest, err);
    if (status == SNAP_OK)
        snap_hash_text("state1", digest, hash);
    snap_state_image_release(&image);
    free(members);
    return status;
}
