/* SPDX-License-Identifier: Apache-2.0 */
/* Room on the disk for the snapshots to come. */
#ifndef TRN_ROOM_H
#define TRN_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "session/training.h"

/* What a training writes from a step on. */
struct trn_room {
    uint64_t every;          /* 0: a snapshot at the end only */
    uint64_t snapshots;      /* how many are still to come, */
    uint64_t kept;           /* how many of them are whole at the same time (running.keep) */
    uint64_t snapshot_bytes; /* of one */
    uint64_t bytes_needed;   /* for all; saturates */
    uint64_t next_needed;    /* for the next two snapshots, or the one that is left: without it a
                              * start is pointless */
    bool has_free;           /* the next is known */
    uint64_t bytes_free;     /* in the file system of the folder */
};

/* From step `done` to step `last`, in the folder `dir` or what is there above it. `snapshot_bytes`:
 * of one that was written; 0: it is estimated from the tensors. */
void trn_room_look(const struct trn_training *training, const char *dir, uint64_t done,
                   uint64_t last, uint64_t snapshot_bytes, struct trn_room *room);

/* SNAP_IO, and one line that says how much is missing, when the next snapshots do not fit. */
enum snap_status trn_room_check(const struct trn_training *training, const char *dir, uint64_t done,
                                uint64_t last, struct snap_error *err);

#endif
