/* SPDX-License-Identifier: Apache-2.0 */
/* A save job as another process is given it: the run's staging memory, and the documents, which are
 * a head (JSON: the manifest, where each member lies, what the save is compared with) and the
 * members that are not in staging memory. */
#ifndef SNAP_HANDOVER_H
#define SNAP_HANDOVER_H

#include <jansson.h>

#include "handover/sealed_memory.h"
#include "save/save.h"

#define SNAP_HANDOVER_FORMAT "snap-handover-1"
/* Bytes of the head: that of a manifest, and a place for each member. */
#define SNAP_MAX_HANDOVER_HEAD_BYTES (2u * SNAP_MAX_MANIFEST_BYTES)
/* Steps whose snapshots are held: far more than wait for anything. */
#define SNAP_MAX_HANDOVER_HELD 65536u
/* Members in the documents begin at a multiple of this, as does their part behind the head. */
#define SNAP_HANDOVER_ALIGN 64u

/* Where a member is. */
enum snap_handover_place {
    SNAP_IN_DOCUMENTS = 0, /* the offset counts from the end of the head, rounded up */
    SNAP_IN_STAGING = 1
};

/* Make the documents of a job, sealed. The job is that of an open run. */
enum snap_status snap_handover_encode(const struct snap_run *run, const struct snap_save_job *job,
                                      struct snap_sealed_memory *documents, uint64_t *head_bytes,
                                      struct snap_error *err);

/* What was said of a save, read from a head. Names are owned by the manifest, data is borrowed from
 * the memory given. */
struct snap_handover_head {
    struct snap_save_job job;
    uint64_t thin;
    uint64_t volume_size;
    bool no_read_back;
    struct snap_manifest_member *named; /* owned */
    size_t named_count;
};
/* `documents` and `staging` (NULL: none) are `*_bytes` long. SNAP_CORRUPT: it is no head, or a
 * member is not within them. On failure *head is empty. */
enum snap_status snap_handover_decode(const unsigned char *documents, uint64_t documents_bytes,
                                      uint64_t head_bytes, const unsigned char *staging,
                                      uint64_t staging_bytes, struct snap_handover_head *head,
                                      struct snap_error *err);
void snap_handover_head_release(struct snap_handover_head *head);

/* What the next save is compared with, as a value; NULL when memory is out. */
json_t *snap_written_encode(const struct snap_written *written);
enum snap_status snap_written_decode(const json_t *value, struct snap_written *written,
                                     struct snap_error *err);

#endif
