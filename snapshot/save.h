/* SPDX-License-Identifier: Apache-2.0 */
/* A save in two halves: the job is everything that the archive needs, taken at once; writing it
 * looks at the trainer's tensors and values where they lie, once. */
#ifndef SNAP_SAVE_H
#define SNAP_SAVE_H

#include "format/manifest.h"
#include "run_internal.h"
#include "state_image.h"

struct snap_save_job {
    char name[SNAP_SNAPSHOT_NAME_BYTES]; /* of the file, in the run folder */
    bool capsule;
    struct snap_state_image image;
    struct snap_manifest manifest; /* without members */
    struct snap_buffer environment;
    struct snap_buffer lines;                  /* ledger.jsonl */
    const struct snap_attachment *attachments; /* borrowed */
    size_t attachment_count;
};

/* What became of it. */
struct snap_save_result {
    char snapshot_hash[SNAP_HASH_TEXT_BYTES];
    bool was_there; /* the same state was saved already */
};

/* Take the state (capture.c). `flags` as for snap_state_image_take. *job must be zeroed; it is to
 * be released whatever the answer. */
enum snap_status snap_save_job_take(struct snap_run *run, unsigned flags, struct snap_save_job *job,
                                    struct snap_error *err);
void snap_save_job_release(struct snap_save_job *job);

/* Digest, write, read back, publish; the ledger is made durable first (save.c). A file of that
 * name with the same state and chain is success; a damaged one is replaced, with an event; another
 * state is SNAP_DIFFERS. */
enum snap_status snap_save_job_write(struct snap_run *run, const struct snap_save_job *job,
                                     struct snap_save_result *result, struct snap_error *err);

#endif
