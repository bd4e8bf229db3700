/* SPDX-License-Identifier: Apache-2.0 */
/* The config of a training: JSON without reals, in two parts. `training` decides bits and is
 * kept in every archive; `running` says where and how, and is hashed nowhere.
 * schema/config.schema.json has every key. */
#ifndef TRN_TRAINING_CONFIG_H
#define TRN_TRAINING_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <snapstate/keep.h>
#include <snapstate/status.h>

#include "data/augment.h"
#include "data/dataset.h"
#include "data/text_data.h"
#include "layers/model.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

/* The data files by what they hold; the names are keys of running.data and names in archives. */
enum trn_role_index {
    TRN_TRAIN_IMAGES,
    TRN_TRAIN_LABELS,
    TRN_TEST_IMAGES,
    TRN_TEST_LABELS,
    TRN_TEXT_FILE,
    TRN_ROLES
};
extern const char *const trn_role_names[TRN_ROLES + 1]; /* ends with NULL */

struct trn_config {
    /* Both parts, with every default of `training` written out: two texts that mean the same become
     * one. Paths are absolute. Owned; strings below are borrowed from it. */
    json_t *root;

    /* training */
    const char *profile; /* "portable-1", "cudnn-1"; static */
    bool tf32;           /* cudnn-1: operands may be rounded to TF32 */
    uint64_t seed_python, seed_numpy, seed_host, seed_device;
    bool is_text;                 /* else images */
    struct trn_image_shape shape; /* of a text: context x 1 x 1, 256 classes */
    struct trn_text text;
    double mean, std; /* images: of pixels / 255 */
    struct trn_augment augment;
    struct trn_layer_spec *layers; /* owned */
    size_t layer_count;
    struct trn_optimizer_spec optimizer;
    struct trn_schedule schedule;
    size_t batch_size;
    bool drop_last;
    uint64_t epochs;
    unsigned shards;
    uint64_t evaluate; /* held-out data every so many epochs; 0: never */
    uint64_t state_every;
    bool batch_bytes;

    /* running */
    unsigned threads; /* 0: one per processor */
    const char *device;
    bool has_steps;
    uint64_t steps; /* stop after this step, if it comes before the end of the epochs */
    bool has_every;
    uint64_t every; /* a snapshot after every so many steps; absent: after every epoch */
    uint64_t thin; /* thin snapshots after a whole one, at most; 0: none */
    uint64_t volume_size; /* bytes of a file of a snapshot, at most; 0: it is one file */
    bool has_keep;
    struct snap_keep keep; /* which snapshots stay after a save; its steps are owned */
    bool go_on;            /* when a save fails, with a warning; else the training stops */
    const char *agent; /* the socket of who saves; "": none; NULL: as the environment says */
    bool certify;          /* every new snapshot, by a process of its own */
    bool go_on_refuted;    /* when one does not lead to the run's next line; else as above */
    bool progress;
    bool tensorboard; /* event files in the run folder */
    const char *paths[TRN_ROLES]; /* NULL: not given */
};

/* Read a config file. Relative paths in it are relative to its folder. `seed` (NULL: none)
 * stands in for training.seed and training.seeds. SNAP_INVALID names the key and what was
 * expected. */
enum snap_status trn_config_load(const char *path, const uint64_t *seed, struct trn_config *config,
                                 struct snap_error *err);

/* The config of an archive: `training` as it is in state.json, and the `running` part of the config
 * in the file `running_from` (NULL, or a file that is not there: all defaults). */
enum snap_status trn_config_of_archive(const char *training, const char *running_from,
                                       struct trn_config *config, struct snap_error *err);

/* The same from a document; consumed in any case. `folder`: what relative paths are relative to. */
enum snap_status trn_config_decode(json_t *root, const char *folder, struct trn_config *config,
                                   struct snap_error *err);
void trn_config_release(struct trn_config *config); /* a zeroed struct is fine */

/* `training` alone, and the whole, as JSON; to be freed with free(). NULL: no memory. */
char *trn_config_training_text(const struct trn_config *config);
char *trn_config_text(const struct trn_config *config);

#endif
