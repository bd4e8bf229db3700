/* SPDX-License-Identifier: Apache-2.0 */
/* A save that all ranks write: rank 0 lays the file out, tells each of the others which tensors are
 * its own to write, and gives the file its name when all are durable and read back. They speak
 * beside the training, which may go on. */
#ifndef SNAP_SAVE_RANKS_H
#define SNAP_SAVE_RANKS_H

#include "folder/archive_put.h"
#include "save/save.h"

/* Of rank 0. */
struct snap_save_lead {
    struct snap_run *run;
    const struct snap_save_job *job;
    struct snap_archive_plan *plan; /* borrowed */
    struct snap_archive_part *parts;
    size_t part_count;
    bool told; /* the others know what there is to write */
    bool writes;
};

/* Put the file, with the others if there are any. */
enum snap_status snap_save_lead_put(struct snap_save_lead *lead, struct snap_archive_plan *plan,
                                    struct snap_archive_put_options *options,
                                    struct snap_error *err);
/* The others learn how it ended, and rank 0 whether they could: all have one status. */
enum snap_status snap_save_lead_end(struct snap_save_lead *lead, enum snap_status status,
                                    struct snap_save_result *result, struct snap_error *err);

/* What another rank does meanwhile. */
enum snap_status snap_save_follow(struct snap_run *run, const struct snap_save_job *job,
                                  struct snap_save_result *result, struct snap_error *err);

#endif
