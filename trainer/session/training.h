/* SPDX-License-Identifier: Apache-2.0 */
/* A training: its data, model, optimizer, streams and run, put together from a config. */
#ifndef TRN_TRAINING_H
#define TRN_TRAINING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snapstate/group.h>
#include <snapstate/pool.h>
#include <snapstate/run.h>
#include <snapstate/status.h>
#include <snapstate/stream.h>

#include "config/training_config.h"
#include "data/batch_order.h"
#include "layers/model.h"
#include "ops/ops.h"
#include "ops/scalar.h"
#include "optim/optimizer.h"
#include "session/data_files.h"

/* The batch of the step under way. Images and labels lie one after the other, so that they can be
 * hashed as they are. */
struct trn_batch {
    uint64_t epoch;      /* from 0 */
    bool ends_epoch;
    const uint32_t *ids; /* `count`; borrowed from the order */
    size_t count;
    float *images;       /* (count, height, width, channels), augmented and scaled; owned */
    int32_t *labels;     /* (count, labels of a sample), behind the images */
    double *scratch;     /* noise of one image; owned */
};

/* What is not in the config, or stands in for it. */
struct trn_training_options {
    const struct trn_expected_files *expected; /* NULL: any data */
    const char *data_dir;                      /* NULL: where the config says */
    unsigned threads;                          /* 0: as the config says */
    const char *device;                        /* NULL: as the config says */
    bool host_part; /* floats are not promised: algorithms are chosen anew, and on the CPU those of
                     * portable-1 stand in for every profile's */
    const char *program; /* has the command `replay`, for certificates; NULL: this one */
    struct snap_group *group; /* the ranks that train together, borrowed; NULL: one process */
};

/* Everything is owned, and found through here only. */
struct trn_training {
    struct trn_config config;
    struct trn_training_options given; /* without `expected`; its texts are borrowed */
    struct trn_data data;
    struct snap_pool *pool;
    struct trn_backend *backend;
    struct trn_model *model;
    struct trn_optimizer *optimizer;
    struct snap_stream *python; /* orders */
    struct snap_stream *numpy;  /* augments */
    struct snap_stream *host;   /* initialises */
    struct snap_stream *device; /* drops out; NULL where the backend has a generator for it */
    bool backend_drops_out;     /* it has, and the model needs it */
    struct trn_batch_order order;
    float input_scale[256];
    struct trn_batch batch;
    struct trn_scalar *constants; /* of the model, for the step record */
    size_t constant_count;
    struct snap_scalar *host_scalars; /* room for those and the optimizer's */
    uint64_t total_steps; /* of all epochs */
    struct snap_group *group; /* the ranks that train; borrowed; NULL: this process alone */
    float *shard_gradients;   /* rank_step.c's: a row for each of its shards, and their sum */
    unsigned char *moving;    /* rank_step.c's: what a forward pass moves, on its way */
    struct snap_run *run; /* NULL until trn_training_open_run */
};

/* Load the data and make everything as it is before the first step; ranks all do. `config` is
 * consumed in any case; the texts of `options` are borrowed until the training is freed. */
enum snap_status trn_training_new(struct trn_config *config,
                                  const struct trn_training_options *options,
                                  struct trn_training **training, struct snap_error *err);

/* Can the state be cut as running.volume_size says? SNAP_INVALID: not into as many volumes as are
 * allowed; the text has the sizes. */
enum snap_status trn_training_check_volumes(struct trn_training *training, struct snap_error *err);

/* Open the run and register the training state in it. `dir`, `archive`, `must_be_new` and
 * `must_exist` of `options` are the caller's, the rest is filled in here. */
enum snap_status trn_training_open_run(struct trn_training *training,
                                       const struct snap_run_options *options,
                                       struct snap_error *err);

/* snap_run_restore, and then the order of the epoch from the restored position. SNAP_NOT_FOUND:
 * there is no snapshot; the training is as new. */
enum snap_status trn_training_restore(struct trn_training *training, enum snap_tier require,
                                      struct snap_receipt **receipt, struct snap_error *err);

/* Close the run and free all. The status is that of snap_run_close. NULL is fine. */
enum snap_status trn_training_free(struct trn_training *training, struct snap_error *err);

#endif
